//! Accounts, and the hashes of their passwords.

use redb::{ReadableTable, ReadableTableMetadata};
use serde::{Deserialize, Serialize};

use super::{
    StoreError, View, Write,
    codec::{self, Row},
    tables::{PASSWORDS, USERS},
};
use crate::model::user::{Role, User, UserName};

const TABLE: &str = "the table of users";
const CREDENTIALS: &str = "the table of passwords";
const VERSION: u8 = 1;

#[derive(Serialize, Deserialize)]
struct Record {
    role: u8,
    full_name: String,
    email: String,
    groups: Vec<String>,
    disabled: bool,
    created: i64,
    last_sign_in: Option<i64>,
}

/// What a password is held against: a PHC string, which names its algorithm and its cost.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential(pub String);

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Credential(…)")
    }
}

/// Questions about accounts.
pub trait Users: View {
    /// The account of this name.
    fn user(&self, name: &UserName) -> Result<Option<User>, StoreError> {
        let users = self.table(USERS)?;
        let found = users.get(name.as_str()).map_err(StoreError::file)?;
        found.map(|bytes| decode(name.clone(), bytes.value())).transpose()
    }

    /// Every account, sorted by name.
    fn users(&self) -> Result<Vec<User>, StoreError> {
        let users = self.table(USERS)?;
        users
            .iter()
            .map_err(StoreError::file)?
            .map(|row| {
                let (name, bytes) = row.map_err(StoreError::file)?;
                let name = name.value().parse().map_err(|_| StoreError::Damaged(TABLE))?;
                decode(name, bytes.value())
            })
            .collect()
    }

    /// Whether there is no account at all: the one moment in which the first administrator is made.
    fn nobody(&self) -> Result<bool, StoreError> {
        self.table(USERS)?.is_empty().map_err(StoreError::file)
    }

    /// What this user's password is held against.
    fn credential(&self, name: &UserName) -> Result<Option<Credential>, StoreError> {
        let passwords = self.table(PASSWORDS)?;
        let found = passwords.get(name.as_str()).map_err(StoreError::file)?;
        found.map(|bytes| decode_credential(name.as_str(), bytes.value())).transpose()
    }

    /// What anybody's password is held against, by their names.
    fn credentials(&self) -> Result<Vec<(String, Credential)>, StoreError> {
        let passwords = self.table(PASSWORDS)?;
        let rows = passwords.iter().map_err(StoreError::file)?;
        rows.map(|row| {
            let (name, bytes) = row.map_err(StoreError::file)?;
            Ok((name.value().to_owned(), decode_credential(name.value(), bytes.value())?))
        })
        .collect()
    }
}

impl<V: View> Users for V {}

impl Write<'_> {
    /// Writes an account, new or changed.
    pub fn put_user(&mut self, user: &User) -> Result<(), StoreError> {
        let record = Record {
            role: match user.role {
                Role::Member => 0,
                Role::Auditor => 1,
                Role::Admin => 2,
            },
            full_name: user.full_name.clone(),
            email: user.email.clone(),
            groups: user.groups.clone(),
            disabled: user.disabled,
            created: codec::millis(user.created),
            last_sign_in: user.last_sign_in.map(codec::millis),
        };
        let bytes = codec::seal(Row::of(USERS, user.name.as_str()), VERSION, &record);
        self.edit(USERS)?.insert(user.name.as_str(), bytes.as_slice()).map_err(StoreError::file)?;
        Ok(())
    }

    /// Sets what this user's password is held against.
    pub fn put_credential(&mut self, name: &UserName, credential: &Credential) -> Result<(), StoreError> {
        let bytes = codec::seal_plain(Row::of(PASSWORDS, name.as_str()), credential.0.as_bytes());
        self.edit(PASSWORDS)?.insert(name.as_str(), bytes.as_slice()).map_err(StoreError::file)?;
        Ok(())
    }

    /// Removes an account with its password, its second factor and its passkeys.
    pub fn remove_user(&mut self, name: &UserName) -> Result<(), StoreError> {
        self.remove_second_factor(name)?;
        self.remove_passkeys_of(name)?;
        self.edit(USERS)?.remove(name.as_str()).map_err(StoreError::file)?;
        self.edit(PASSWORDS)?.remove(name.as_str()).map_err(StoreError::file)?;
        Ok(())
    }
}

fn decode_credential(name: &str, bytes: &[u8]) -> Result<Credential, StoreError> {
    let phc = codec::open_text(CREDENTIALS, Row::of(PASSWORDS, name), bytes)?;
    Ok(Credential(phc.to_owned()))
}

fn decode(name: UserName, bytes: &[u8]) -> Result<User, StoreError> {
    let record: Record = codec::open(TABLE, Row::of(USERS, name.as_str()), VERSION, bytes)?;
    Ok(User {
        name,
        role: match record.role {
            0 => Role::Member,
            1 => Role::Auditor,
            2 => Role::Admin,
            _ => return Err(StoreError::Damaged(TABLE)),
        },
        full_name: record.full_name,
        email: record.email,
        groups: record.groups,
        disabled: record.disabled,
        created: codec::time(TABLE, record.created)?,
        last_sign_in: record.last_sign_in.map(|millis| codec::time(TABLE, millis)).transpose()?,
    })
}
