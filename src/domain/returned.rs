//! What a restored backup brings back: it opens what it opened then, also what was closed since.

use std::collections::{BTreeMap, HashMap, HashSet};

use jiff::Timestamp;

use super::demand;
use crate::{
    model::{
        app::{App, called},
        token::ApiToken,
        user::{Role, User, UserName},
    },
    store::{Apps as _, Factors as _, Passkeys as _, Read, StoreError, Tokens as _, Users as _},
};

/// What a backup brings back, by the names of whom and what it concerns, sorted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Returned {
    /// The tokens that work.
    pub tokens: Vec<String>,
    /// What of it had been taken away since, where the data that was there could be read.
    pub since: Option<BTreeMap<Closed, Vec<String>>>,
}

/// What was closed after a backup had been made, and is open again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Closed {
    /// Tokens that worked no more: revoked, expired by a new limit, or stopped with their makers.
    Tokens,
    /// Users who could not sign in any more: removed or disabled.
    Users,
    /// Users who had another role.
    Roles,
    /// Users who were in fewer groups; of which they had been taken stands with them.
    Groups,
    /// Users whose password was another one, or hashed anew.
    Passwords,
    /// Users whose second factor was another one or is gone, or who had used up recovery codes that are good again.
    Factors,
    /// Passkeys that opened nothing any more, by whose they are.
    Passkeys,
    /// Of whom a second factor was demanded, and is not.
    Demand,
    /// Apps that were removed.
    Apps,
    /// Apps that fewer could open.
    AppGroups,
}

impl Returned {
    /// Holds a backup against what was there `before` it.
    pub(super) fn of(backup: &Read, before: Option<&Read>, now: Timestamp) -> Result<Self, StoreError> {
        let tokens = working(backup, now)?;
        let since = before.map(|before| closed_since(backup, before, &tokens, now)).transpose()?;
        let mut names: Vec<_> = tokens.into_iter().map(|(_, name)| name).collect();
        names.sort();
        Ok(Self { tokens: names, since })
    }
}

fn closed_since(
    backup: &Read,
    before: &Read,
    tokens: &[([u8; 32], String)],
    now: Timestamp,
) -> Result<BTreeMap<Closed, Vec<String>>, StoreError> {
    let mut since: BTreeMap<Closed, Vec<String>> = BTreeMap::new();
    let mut back = |what, name: String| since.entry(what).or_default().push(name);
    let worked: HashSet<_> = working(before, now)?.into_iter().map(|(hash, _)| hash).collect();
    for (_, name) in tokens.iter().filter(|(hash, _)| !worked.contains(hash)) {
        back(Closed::Tokens, name.clone());
    }
    let known: HashMap<UserName, User> =
        before.users()?.into_iter().map(|user| (user.name.clone(), user)).collect();
    for user in backup.users()?.into_iter().filter(|user| !user.disabled) {
        let name = user.name.to_string();
        let Some(was) = known.get(&user.name).filter(|was| !was.disabled) else {
            back(Closed::Users, name);
            continue;
        };
        if was.role != user.role {
            back(Closed::Roles, name.clone());
        }
        if let Some(groups) = more(&user.groups, &was.groups) {
            back(Closed::Groups, format!("{name} ({groups})"));
        }
        if before.credential(&user.name)? != backup.credential(&user.name)? {
            back(Closed::Passwords, name.clone());
        }
        if is_weaker(backup, before, &user.name)? {
            back(Closed::Factors, name.clone());
        }
        for passkey in backup.passkeys_of(&user.name)? {
            if before.passkey(&passkey.id)?.is_none_or(|was| was.user != user.name) {
                back(Closed::Passkeys, format!("{name} ({})", passkey.name));
            }
        }
    }
    let demanded = demand::kept(before)?;
    if demand::kept(backup)? < demanded {
        back(Closed::Demand, demanded.to_string());
    }
    let apps: Vec<App> = before.apps()?;
    for app in backup.apps()? {
        match called(apps.iter(), &app.name) {
            None => back(Closed::Apps, app.name),
            Some(was) if was.groups.is_empty() => {}
            Some(_) if app.groups.is_empty() => back(Closed::AppGroups, format!("{} (everybody)", app.name)),
            Some(was) => {
                if let Some(groups) = more(&app.groups, &was.groups) {
                    back(Closed::AppGroups, format!("{} ({groups})", app.name));
                }
            }
        }
    }
    for names in since.values_mut() {
        names.sort();
    }
    Ok(since)
}

/// Which of these groups were none of those; none if they all were.
fn more(groups: &[String], were: &[String]) -> Option<String> {
    let more: Vec<&str> = groups.iter().filter(|group| !were.contains(group)).map(String::as_str).collect();
    (!more.is_empty()).then(|| more.join(", "))
}

/// Whether the second factor of a user that holds in a backup is not the one that held before it, or takes codes that had been used up.
fn is_weaker(backup: &Read, before: &Read, name: &UserName) -> Result<bool, StoreError> {
    let Some(was) = before.second_factor(name)? else { return Ok(false) };
    Ok(backup
        .second_factor(name)?
        .is_none_or(|is| is.seed != was.seed || is.recovery.iter().any(|code| !was.recovery.contains(code))))
}

/// The tokens that work at `now`: those that have not expired, and whose makers may make tokens.
fn working(read: &Read, now: Timestamp) -> Result<Vec<([u8; 32], String)>, StoreError> {
    let users = read.users()?;
    let may = |user: &User| user.role == Role::Admin && !user.disabled;
    let makers: HashSet<UserName> = users.into_iter().filter(may).map(|user| user.name).collect();
    // What the console made stands by itself.
    let stands = |token: &ApiToken| token.created_by.parse().map_or(true, |maker| makers.contains(&maker));
    let tokens = read.tokens()?.into_iter().filter(|(_, token)| token.valid(now) && stands(token));
    Ok(tokens.map(|(hash, token)| (hash.0, token.name)).collect())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use redb::backends::InMemoryBackend;

    use super::*;
    use crate::{
        domain::random,
        model::{
            passkey::Passkey,
            totp::{RecoveryHash, SealedSeed, SecondFactor},
        },
        store::{Store, tests::over},
    };

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn named(name: &str) -> UserName {
        name.parse().unwrap()
    }

    /// A name, a second factor by its seed and its codes, and passkeys.
    type Person<'a> = (&'a str, Option<(u8, &'a [u8])>, &'a [u8]);

    /// A store in which these have accounts.
    fn store(people: &[Person<'_>]) -> Store {
        let store = over(Arc::new(InMemoryBackend::new()), NOW, random::bytes).unwrap();
        let people: Vec<_> = people
            .iter()
            .map(|(name, factor, passkeys)| {
                let user = User {
                    name: named(name),
                    role: Role::Member,
                    full_name: String::new(),
                    email: String::new(),
                    groups: Vec::new(),
                    disabled: false,
                    created: NOW,
                    last_sign_in: None,
                };
                let factor = factor.map(|(seed, codes)| SecondFactor {
                    seed: SealedSeed(vec![seed]),
                    since: NOW,
                    last_step: 0,
                    recovery: codes.iter().map(|code| RecoveryHash([*code; 32])).collect(),
                });
                let passkeys = passkeys.iter().map(|id| Passkey {
                    id: vec![*id],
                    user: user.name.clone(),
                    name: format!("key {id}"),
                    created: NOW,
                    last_used: None,
                    key: String::new(),
                });
                (user.clone(), factor, passkeys.collect::<Vec<_>>())
            })
            .collect();
        let written = store.write(NOW, move |write| {
            for (user, factor, passkeys) in &people {
                write.put_user(user)?;
                if let Some(factor) = factor {
                    write.put_second_factor(&user.name, factor)?;
                }
                passkeys.iter().try_for_each(|passkey| write.put_passkey(passkey))?;
            }
            Ok::<_, StoreError>(())
        });
        written.wait().unwrap();
        store
    }

    #[test]
    fn a_second_factor_of_then_and_a_passkey_that_was_removed_are_said_to_be_back() {
        let backup = store(&[
            ("ada", None, &[1]),
            ("ben", Some((1, &[1, 2])), &[2, 3]),
            ("cleo", Some((1, &[1, 2])), &[]),
            ("dan", Some((1, &[1])), &[]),
            ("eve", Some((1, &[1])), &[4]),
        ]);
        let before = store(&[
            ("ada", Some((1, &[])), &[]),
            ("ben", Some((1, &[1, 2])), &[2]),
            ("cleo", Some((1, &[2])), &[]),
            ("dan", Some((2, &[1])), &[]),
            ("eve", None, &[4]),
        ]);
        let since = |backup: &Store, before: &Store| {
            let before = before.snapshot().unwrap();
            Returned::of(&backup.snapshot().unwrap(), Some(&before), NOW).unwrap().since.unwrap()
        };
        let told = since(&backup, &before);
        assert_eq!(told[&Closed::Factors], ["ada", "cleo", "dan"]);
        assert_eq!(told[&Closed::Passkeys], ["ada (key 1)", "ben (key 3)"]);
        assert_eq!(told.len(), 2);
        assert_eq!(since(&backup, &backup), BTreeMap::new());
    }
}
