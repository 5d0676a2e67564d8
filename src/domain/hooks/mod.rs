//! Webhooks: an app is told, signed and as often as it takes, that a session in which it was opened has ended.
//!
//! Who sets them stands here, how they are sent in [`courier`]. What is to be told is put into a queue by the
//! transaction that ends the session, so that neither a crash nor a stop loses it.

mod courier;
mod message;

use http::Uri;

pub use self::courier::Courier;
pub(super) use self::courier::{Http, client, post};
use super::{App as Rollcall, Gone, random};
use crate::{
    model::{
        activity::action,
        app::{App, called},
        hook::{Delivery, Hook},
        secret::HookSecret,
        session::Session,
        user::Actor,
    },
    store::{Apps as _, Hooks as _, StoreError, Write},
};

/// The longest address of a webhook, in bytes.
const LONGEST: usize = 1024;

/// Why a webhook could not be set or removed.
#[derive(Debug, thiserror::Error)]
pub enum HookError {
    /// The address is not one.
    #[error(
        "a webhook's address is http:// or https://, a host and a path, without a user or a #: https://wiki.example.org/rollcall"
    )]
    Url,
    /// There is no such app.
    #[error("there is no app {0}; add it first")]
    NoApp(String),
    /// The app has none.
    #[error("the app {0} has no webhook")]
    Unknown(String),
    /// The one who asked has been signed out.
    #[error(transparent)]
    Gone(#[from] Gone),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Rollcall {
    /// Every webhook, sorted by app, with how much each app is still to be told.
    pub fn hooks(&self) -> Result<Vec<(Hook, u64)>, StoreError> {
        self.0.store.read(|read| {
            let hooks = read.hooks()?.into_iter();
            hooks.map(|hook| read.count_waiting(&hook.app).map(|waiting| (hook, waiting))).collect()
        })
    }

    /// The webhook of an app, how much is still to be told by it, and at most `most` of what the app was or is to be
    /// told, the newest first. The last is there even where the webhook was removed.
    pub fn hook(&self, app: &str, most: usize) -> Result<(Option<Hook>, u64, Vec<Delivery>), HookError> {
        self.0.store.read(|read| {
            let apps = read.apps()?;
            let Some(App { name, .. }) = called(apps.iter(), app) else {
                return Err(HookError::NoApp(app.to_owned()));
            };
            let hook = read.hook(name)?.map(|(hook, _)| hook);
            Ok((hook, read.count_waiting(name)?, read.deliveries_to(name, most)?))
        })
    }

    /// What the apps of ended sessions were or are to be told. Live sessions, and apps without a webhook, have nothing.
    pub fn deliveries_of<'a>(
        &self,
        sessions: impl IntoIterator<Item = &'a Session>,
    ) -> Result<Vec<Delivery>, StoreError> {
        self.0.store.read(|read| {
            let mut deliveries = Vec::new();
            for session in sessions {
                let Some(ending) = &session.ending else { continue };
                for app in &session.apps {
                    deliveries.extend(read.delivery(app, ending.at, session.id)?);
                }
            }
            Ok(deliveries)
        })
    }

    /// Sets the webhook of an app, the first or another one. Its secret is shown by whoever called, and never again:
    /// each time there is a new one. What the app is still to be told goes to the new address at once.
    pub async fn put_hook(&self, by: &Actor, app: &str, url: &str) -> Result<(Hook, HookSecret), HookError> {
        let url = address(url).ok_or(HookError::Url)?.to_string();
        let given = Hook { app: app.to_owned(), url, created: self.now(), created_by: by.name.clone() };
        let secret = random::hook_secret();
        // What is behind the question mark may be a secret, and the log is read by others than administrators.
        let said = given.url.split('?').next().unwrap_or_default();
        let told = self.did(by, action::APP_HOOK_SET).saying(said);
        let key = secret.clone();
        let put = self.change(by, move |write| {
            let apps = write.apps()?;
            let Some(App { name, .. }) = called(apps.iter(), &given.app) else {
                return Err(HookError::NoApp(given.app.clone()));
            };
            let hook = Hook { app: name.clone(), ..given.clone() };
            write.put_hook(&hook, &key)?;
            write.append(&told.clone().to(name))?;
            Ok(hook)
        });
        let hook = put.done().await?;
        self.0.bell.notify_one();
        Ok((hook, secret))
    }

    /// Removes the webhook of an app. What the app was still to be told is given up.
    pub async fn remove_hook(&self, by: &Actor, app: &str) -> Result<(), HookError> {
        let (told, app) = (self.did(by, action::APP_HOOK_REMOVED), app.to_owned());
        self.change(by, move |write| {
            let name = registered(write, &app)?;
            if !write.remove_hook(&name, write.now())? {
                return Err(HookError::Unknown(app.clone()));
            }
            write.append(&told.clone().to(&name))?;
            Ok(())
        })
        .done()
        .await
    }

    /// Tells an app now what it is still to be told, instead of when the next tries are due, and once more what was given up; how
    /// much that is.
    pub async fn hasten_hook(&self, by: &Actor, app: &str) -> Result<usize, HookError> {
        let app = app.to_owned();
        let hastened = self.change(by, move |write| {
            let name = registered(write, &app)?;
            if write.hook(&name)?.is_none() {
                return Err(HookError::Unknown(app.clone()));
            }
            let now = write.now();
            Ok(write.hasten(&name, now)? + write.take_up_again(&name, now)?)
        });
        let count = hastened.done().await?;
        self.0.bell.notify_one();
        Ok(count)
    }
}

/// The name that an app which is called so is registered by; as it is, where none is.
fn registered(write: &Write<'_>, app: &str) -> Result<String, StoreError> {
    Ok(called(write.apps()?.iter(), app).map_or_else(|| app.to_owned(), |app| app.name.clone()))
}

/// The address of a webhook, as the client that posts to it reads it: nothing that could be read in two ways.
fn address(text: &str) -> Option<Uri> {
    let uri: Uri = text.trim().parse().ok().filter(|_| text.len() <= LONGEST && !text.contains('#'))?;
    let plain = uri
        .authority()
        .is_some_and(|authority| !authority.as_str().contains('@') && !authority.host().is_empty());
    (plain && matches!(uri.scheme_str(), Some("http" | "https"))).then_some(uri)
}

#[cfg(test)]
mod tests {
    use super::address;

    #[test]
    fn a_webhook_is_posted_to_a_plain_address_of_the_web() {
        for (text, read) in [
            ("https://wiki.example.org/hook?a=b", "https://wiki.example.org/hook?a=b"),
            (" http://10.0.0.7:3000 ", "http://10.0.0.7:3000/"),
            ("http://[::1]:80/x", "http://[::1]:80/x"),
        ] {
            assert_eq!(address(text).map(|uri| uri.to_string()).as_deref(), Some(read));
        }
        for bad in [
            "",
            "wiki",
            "/hook",
            "wiki:80",
            "ftp://wiki/",
            "file:///etc/passwd",
            "javascript:alert(1)",
            "https://",
            "https:///x",
            "http://ann@wiki/",
            "http://ann:secret@wiki/",
            "http://wiki/#x",
            "http://wi ki/",
            "http://wiki/\r\nX: y",
            "http://:80/",
            "gopher://wiki:70/",
        ] {
            assert_eq!(address(bad), None, "{bad}");
        }
        assert_eq!(address(&format!("http://wiki/{}", "x".repeat(1024))), None);
    }
}
