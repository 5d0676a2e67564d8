//! Passkeys: made under Profile, shown at sign-in. The browser asks the device, the device asks for a finger or a PIN, and
//! what it signs is checked here. Nobody types who they are: the device knows, so nobody learns who has an account.

use serde_json::Value;
use webauthn_rs::{
    Webauthn, WebauthnBuilder,
    prelude::{
        DiscoverableAuthentication, Passkey as Key, PasskeyRegistration, PublicKeyCredential,
        RegisterPublicKeyCredential, Url, Uuid,
    },
};
use webauthn_rs_proto::ResidentKeyRequirement;

use super::{
    App, Gone,
    accounts::AccountError,
    live::Live,
    sessions::{Origin, Proof},
    sign_in::{Held, SignInError, Welcome},
    throttle::Source,
};
use crate::{
    model::{
        activity::action,
        passkey::Passkey,
        secret::Token,
        user::{Actor, UserName},
    },
    store::{Passkeys as _, StoreError},
};

/// How many passkeys a user may have.
const MOST: usize = 20;

/// The relying party that passkeys are of: they work at one address, which the browser says and the device signs.
pub struct Party(Webauthn);

impl Party {
    /// The party at an origin like `https://rollcall.example.org` or `http://localhost:8080`. None where browsers have no
    /// passkeys: without TLS beyond this machine, and at an address that is no name.
    pub fn at(origin: &str) -> Option<Self> {
        let origin: Url = origin.parse().ok()?;
        let name = origin.domain()?;
        let here = name == "localhost";
        if origin.scheme() != "https" && !here {
            return None;
        }
        let builder = WebauthnBuilder::new(name, &origin).ok()?.rp_name("Rollcall").allow_any_port(here);
        builder.build().ok().map(Self)
    }
}

/// What waits for a device.
pub(super) type Making = (UserName, PasskeyRegistration);
/// The same, at sign-in.
pub(super) type Showing = DiscoverableAuthentication;

/// A question to a device, and what its answer is to be brought with.
pub struct Question {
    /// What fetches the other half.
    pub token: Token,
    /// The options of the browser's call, as JSON.
    pub options: Value,
}

/// Why there was no passkey.
#[derive(Debug, thiserror::Error)]
pub enum PasskeyError {
    /// The device's answer does not fit.
    #[error("the passkey was not accepted; try again")]
    Refused,
    /// There is no such passkey of this user.
    #[error("there is no such passkey")]
    Unknown,
    /// Not a name.
    #[error("a passkey's name has 1 to {} characters", Passkey::NAME)]
    Name,
    /// There are too many.
    #[error("{} passkeys are enough; remove one first", MOST)]
    Many,
    /// The password, or the account.
    #[error(transparent)]
    Account(#[from] AccountError),
    /// The one who asked has been signed out.
    #[error(transparent)]
    Gone(#[from] Gone),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl App {
    /// The passkeys of a user.
    pub fn passkeys(&self, name: &UserName) -> Result<Vec<Passkey>, StoreError> {
        self.0.store.read(|read| read.passkeys_of(name))
    }

    /// Begins to make a passkey, which takes the password.
    pub async fn begin_passkey(
        &self,
        party: &Party,
        name: &UserName,
        password: String,
        origin: &Origin,
    ) -> Result<Question, PasskeyError> {
        self.prove(name, password, origin).await?;
        let known = self.passkeys(name)?;
        if known.len() >= MOST {
            return Err(PasskeyError::Many);
        }
        let known = known.iter().filter_map(|passkey| serde_json::from_str::<Key>(&passkey.key).ok());
        let known = known.map(|key| key.cred_id().clone()).collect();
        let full_name = self.user(name).map(|user| user.full_name.clone()).unwrap_or_default();
        let shown = if full_name.is_empty() { name.as_str() } else { &full_name };
        let begun = party.0.start_passkey_registration(self.handle(name), name.as_str(), shown, Some(known));
        let (mut options, making) = begun.map_err(|_| PasskeyError::Refused)?;
        // It has to be found without a name being typed.
        if let Some(wishes) = &mut options.public_key.authenticator_selection {
            wishes.resident_key = Some(ResidentKeyRequirement::Required);
            wishes.require_resident_key = true;
        }
        let token = self.0.making.keep((name.clone(), making), 1, self.0.clock.read());
        let options = serde_json::to_value(options.public_key).map_err(|_| PasskeyError::Refused)?;
        Ok(Question { token, options })
    }

    /// Adds the passkey that a device has made.
    pub async fn add_passkey(
        &self,
        by: &Actor,
        party: &Party,
        user: &UserName,
        token: &str,
        name: &str,
        answer: Value,
    ) -> Result<Passkey, PasskeyError> {
        let name = name.trim();
        if name.is_empty() || name.chars().count() > Passkey::NAME || name.chars().any(char::is_control) {
            return Err(PasskeyError::Name);
        }
        let making = self.0.making.try_shown(token, self.0.clock.read()).filter(|(owner, _)| owner == user);
        let (_, making) = making.ok_or(PasskeyError::Refused)?;
        let answer: RegisterPublicKeyCredential =
            serde_json::from_value(answer).map_err(|_| PasskeyError::Refused)?;
        let key = party.0.finish_passkey_registration(&answer, &making).map_err(|_| PasskeyError::Refused)?;
        let passkey = Passkey {
            id: key.cred_id().clone(),
            user: user.clone(),
            name: name.to_owned(),
            created: self.now(),
            last_used: None,
            key: serde_json::to_string(&key).map_err(|_| PasskeyError::Refused)?,
        };
        let (told, made) = (self.did(by, action::USER_PASSKEY_ADDED).to(user).saying(name), passkey.clone());
        let added = self.change(by, move |write| {
            if write.passkey(&made.id)?.is_some() {
                return Err(PasskeyError::Refused);
            }
            write.put_passkey(&made)?;
            write.append(&told)?;
            Ok(())
        });
        added.done().await?;
        Ok(passkey)
    }

    /// Removes a passkey of a user.
    pub async fn remove_passkey(&self, by: &Actor, user: &UserName, id: &str) -> Result<(), PasskeyError> {
        let id = Passkey::parse_id(id).ok_or(PasskeyError::Unknown)?;
        let (told, user) = (self.did(by, action::USER_PASSKEY_REMOVED).to(user), user.clone());
        let removed = self.change(by, move |write| {
            let passkey = write.passkey(&id)?.filter(|passkey| passkey.user == user);
            let passkey = passkey.ok_or(PasskeyError::Unknown)?;
            write.remove_passkey(&id)?;
            write.append(&told.clone().saying(passkey.name))?;
            Ok(())
        });
        removed.done().await
    }

    /// Begins a sign-in by passkey, of whoever it may be. An address is asked so many questions only: they wait in memory, where
    /// those of others wait too.
    pub fn ask_for_passkey(&self, party: &Party, origin: &Origin) -> Result<Question, SignInError> {
        let asked = self.0.throttle.ask_a_question(Source::of(origin.ip), self.now());
        asked.inspect_err(|_| self.0.metrics.held_back()).map_err(Held::from)?;
        let (options, showing) =
            party.0.start_discoverable_authentication().map_err(|_| SignInError::Passkey)?;
        let token = self.0.showing.keep(showing, 1, self.0.clock.read());
        let options = serde_json::to_value(options.public_key).map_err(|_| SignInError::Passkey)?;
        Ok(Question { token, options })
    }

    /// Signs in whoever's passkey a device has shown. The device has asked for a finger or a PIN, so that it is two factors.
    pub async fn sign_in_by_passkey(
        &self,
        party: &Party,
        token: &str,
        answer: Value,
        origin: Origin,
        replaces: Option<&Live>,
    ) -> Result<Welcome, SignInError> {
        let showing = self.0.showing.try_shown(token, self.0.clock.read()).ok_or(SignInError::Over)?;
        let answer = serde_json::from_value::<PublicKeyCredential>(answer).ok();
        let known = match &answer {
            Some(answer) => self.0.store.read(|read| read.passkey(answer.get_credential_id()))?,
            None => None,
        };
        let owner = known.as_ref().map(|passkey| passkey.user.clone());
        // What is not known here counts as one account, which nobody has.
        let who = self.trier(owner.as_ref().map_or("", UserName::as_str), &origin);
        let attempt = self.0.throttle.take(&who, self.now());
        let attempt = attempt.inspect_err(|_| self.0.metrics.held_back()).map_err(Held::from)?;
        let checked = answer.zip(known).and_then(|(answer, passkey)| {
            let (user, _) = party.0.identify_discoverable_authentication(&answer).ok()?;
            let mut key: Key = serde_json::from_str(&passkey.key).ok()?;
            let result = party.0.finish_discoverable_authentication_v2(&answer, showing, &key).ok()?;
            if user != self.handle(&passkey.user) || !result.user_verified() {
                return None;
            }
            key.update_credential(&result);
            let key = serde_json::to_string(&key).ok()?;
            Some(Passkey { last_used: Some(self.now()), key, ..passkey })
        });
        let account = owner.as_ref().and_then(|user| self.user(user)).filter(|user| !user.disabled);
        let (Some(passkey), Some(account)) = (checked, account) else {
            return self.refuse(owner.as_ref(), &origin, SignInError::Passkey).await;
        };
        match self.welcome(&account, Proof::Passkey(passkey), &origin, replaces).await {
            Err(SignInError::Refused) => self.refuse(owner.as_ref(), &origin, SignInError::Passkey).await,
            done => {
                self.0.throttle.give_back(attempt);
                done
            }
        }
    }

    /// What a device knows a user by: it says nothing of them, and follows from the name.
    fn handle(&self, name: &UserName) -> Uuid {
        let key = self.0.secret.key(&format!("user handle of {name}"));
        let (half, _) = key.split_at(16);
        Uuid::from_slice(half).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passkeys_are_where_browsers_have_them() {
        for there in ["https://rollcall.example.org", "https://rollcall.test:8443", "http://localhost:8080"] {
            assert!(Party::at(there).is_some(), "{there}");
        }
        for nowhere in
            ["http://rollcall.example.org", "http://127.0.0.1:8080", "https://10.0.0.1", "rollcall"]
        {
            assert!(Party::at(nowhere).is_none(), "{nowhere}");
        }
    }
}
