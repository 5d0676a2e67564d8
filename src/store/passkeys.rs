//! Passkeys.

use redb::ReadableTable;
use serde::{Deserialize, Serialize};

use super::{
    StoreError, View, Write,
    codec::{self, Row},
    tables::PASSKEYS,
};
use crate::model::{passkey::Passkey, user::UserName};

const TABLE: &str = "the table of passkeys";
const VERSION: u8 = 1;

#[derive(Serialize, Deserialize)]
struct Record {
    user: String,
    name: String,
    created: i64,
    last_used: Option<i64>,
    key: String,
}

/// Questions about passkeys.
pub trait Passkeys: View {
    /// The passkey of this number.
    fn passkey(&self, id: &[u8]) -> Result<Option<Passkey>, StoreError> {
        let passkeys = self.table(PASSKEYS)?;
        let found = passkeys.get(id).map_err(StoreError::file)?;
        found.map(|bytes| decode(id, bytes.value())).transpose()
    }

    /// Every passkey there is.
    fn passkeys(&self) -> Result<Vec<Passkey>, StoreError> {
        let mut all = Vec::new();
        for row in self.table(PASSKEYS)?.iter().map_err(StoreError::file)? {
            let (id, bytes) = row.map_err(StoreError::file)?;
            all.push(decode(id.value(), bytes.value())?);
        }
        Ok(all)
    }

    /// Every passkey of a user, the first to be added first.
    fn passkeys_of(&self, user: &UserName) -> Result<Vec<Passkey>, StoreError> {
        let mut own = self.passkeys()?;
        own.retain(|passkey| passkey.user == *user);
        own.sort_by_key(|passkey| passkey.created);
        Ok(own)
    }
}

impl<V: View> Passkeys for V {}

impl Write<'_> {
    /// Writes a passkey, new or used.
    pub fn put_passkey(&mut self, passkey: &Passkey) -> Result<(), StoreError> {
        let record = Record {
            user: passkey.user.to_string(),
            name: passkey.name.clone(),
            created: codec::millis(passkey.created),
            last_used: passkey.last_used.map(codec::millis),
            key: passkey.key.clone(),
        };
        let bytes = codec::seal(Row::of(PASSKEYS, passkey.id.as_slice()), VERSION, &record);
        self.edit(PASSKEYS)?.insert(passkey.id.as_slice(), bytes.as_slice()).map_err(StoreError::file)?;
        Ok(())
    }

    /// Removes a passkey.
    pub fn remove_passkey(&mut self, id: &[u8]) -> Result<(), StoreError> {
        self.edit(PASSKEYS)?.remove(id).map(drop).map_err(StoreError::file)
    }

    /// Removes every passkey of a user; how many there were.
    pub fn remove_passkeys_of(&mut self, user: &UserName) -> Result<usize, StoreError> {
        let own = self.passkeys_of(user)?;
        for passkey in &own {
            self.remove_passkey(&passkey.id)?;
        }
        Ok(own.len())
    }
}

fn decode(id: &[u8], bytes: &[u8]) -> Result<Passkey, StoreError> {
    let record: Record = codec::open(TABLE, Row::of(PASSKEYS, id), VERSION, bytes)?;
    Ok(Passkey {
        id: id.to_vec(),
        user: record.user.parse().map_err(|_| StoreError::Damaged(TABLE))?,
        name: record.name,
        created: codec::time(TABLE, record.created)?,
        last_used: record.last_used.map(|at| codec::time(TABLE, at)).transpose()?,
        key: record.key,
    })
}
