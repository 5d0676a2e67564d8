//! Second factors.

use redb::ReadableTable;
use serde::{Deserialize, Serialize};

use super::{
    StoreError, View, Write,
    codec::{self, Row},
    tables::SECOND_FACTORS,
};
use crate::model::{
    totp::{RecoveryHash, SealedSeed, SecondFactor},
    user::UserName,
};

const TABLE: &str = "the table of second factors";
const VERSION: u8 = 1;

#[derive(Serialize, Deserialize)]
struct Record {
    seed: Vec<u8>,
    since: i64,
    last_step: u64,
    recovery: Vec<[u8; 32]>,
}

/// Questions about second factors.
pub trait Factors: View {
    /// The second factor of this user, if one is set up.
    fn second_factor(&self, user: &UserName) -> Result<Option<SecondFactor>, StoreError> {
        let factors = self.table(SECOND_FACTORS)?;
        let found = factors.get(user.as_str()).map_err(StoreError::file)?;
        found.map(|bytes| decode(user.as_str(), bytes.value())).transpose()
    }

    /// Everybody who has one. Each of them is read: what stands under another name than it was written under is refused.
    fn with_second_factor(&self) -> Result<Vec<UserName>, StoreError> {
        let factors = self.table(SECOND_FACTORS)?;
        let names = factors.iter().map_err(StoreError::file)?.map(|row| {
            let (name, bytes) = row.map_err(StoreError::file)?;
            decode(name.value(), bytes.value())?;
            name.value().parse().map_err(|_| StoreError::Damaged(TABLE))
        });
        names.collect()
    }
}

impl<V: View> Factors for V {}

impl Write<'_> {
    /// Writes a user's second factor, new or changed.
    pub fn put_second_factor(&mut self, user: &UserName, factor: &SecondFactor) -> Result<(), StoreError> {
        let record = Record {
            seed: factor.seed.0.clone(),
            since: codec::millis(factor.since),
            last_step: factor.last_step,
            recovery: factor.recovery.iter().map(|hash| hash.0).collect(),
        };
        let bytes = codec::seal(Row::of(SECOND_FACTORS, user.as_str()), VERSION, &record);
        self.edit(SECOND_FACTORS)?.insert(user.as_str(), bytes.as_slice()).map_err(StoreError::file)?;
        Ok(())
    }

    /// Takes a user's second factor away; false if there was none.
    pub fn remove_second_factor(&mut self, user: &UserName) -> Result<bool, StoreError> {
        let removed = self.edit(SECOND_FACTORS)?.remove(user.as_str()).map_err(StoreError::file)?.is_some();
        Ok(removed)
    }
}

fn decode(user: &str, bytes: &[u8]) -> Result<SecondFactor, StoreError> {
    let record: Record = codec::open(TABLE, Row::of(SECOND_FACTORS, user), VERSION, bytes)?;
    Ok(SecondFactor {
        seed: SealedSeed(record.seed),
        since: codec::time(TABLE, record.since)?,
        last_step: record.last_step,
        recovery: record.recovery.into_iter().map(RecoveryHash).collect(),
    })
}
