//! What a restored backup brings back: it opens what it opened then, also what was closed since.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;

use crate::{
    model::{
        token::ApiToken,
        user::{Role, User, UserName},
    },
    store::{Read, StoreError, Tokens as _, Users as _},
};

/// What a backup brings back, by the names of whom and what it concerns, sorted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Returned {
    /// The tokens that work.
    pub tokens: Vec<String>,
    /// What of it had been taken away since, where the data that was there could be read.
    pub since: Option<Since>,
}

/// What was taken away after a backup had been made, and is back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Since {
    /// Tokens that worked no more: revoked, expired by a new limit, or stopped with their makers.
    pub tokens: Vec<String>,
    /// Users who could not sign in any more: removed or disabled.
    pub users: Vec<String>,
    /// Users who had another role.
    pub roles: Vec<String>,
    /// Users whose password was another one, or hashed anew.
    pub passwords: Vec<String>,
}

impl Returned {
    /// Holds a backup against what was there `before` it.
    pub(super) fn of(backup: &Read, before: Option<&Read>, now: Timestamp) -> Result<Self, StoreError> {
        let tokens = working(backup, now)?;
        let since = before.map(|before| Since::of(backup, before, &tokens, now)).transpose()?;
        let mut names: Vec<_> = tokens.into_iter().map(|(_, name)| name).collect();
        names.sort();
        Ok(Self { tokens: names, since })
    }
}

impl Since {
    fn of(
        backup: &Read,
        before: &Read,
        tokens: &[([u8; 32], String)],
        now: Timestamp,
    ) -> Result<Self, StoreError> {
        let worked: HashSet<_> = working(before, now)?.into_iter().map(|(hash, _)| hash).collect();
        let back = tokens.iter().filter(|(hash, _)| !worked.contains(hash));
        let mut since = Self { tokens: back.map(|(_, name)| name.clone()).collect(), ..Self::default() };
        since.tokens.sort();
        let known: HashMap<UserName, User> =
            before.users()?.into_iter().map(|user| (user.name.clone(), user)).collect();
        for user in backup.users()?.into_iter().filter(|user| !user.disabled) {
            let Some(was) = known.get(&user.name).filter(|was| !was.disabled) else {
                since.users.push(user.name.to_string());
                continue;
            };
            if was.role != user.role {
                since.roles.push(user.name.to_string());
            }
            if before.credential(&user.name)? != backup.credential(&user.name)? {
                since.passwords.push(user.name.to_string());
            }
        }
        Ok(since)
    }
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
