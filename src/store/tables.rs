//! Every table of the file, with its key, its order and the reason for it.
//!
//! Keys sort as bytes, so numbers in them are big-endian. Values are records in the form of [`super::codec`]
//! unless it says otherwise.

use jiff::Timestamp;
use redb::{Database, Key, ReadableTable, TableDefinition, Value, WriteTransaction};

use super::{OpenError, StoreError};

/// Format of the data file. It is raised when an older binary could no longer read what a newer one writes.
pub(super) const FORMAT: u32 = 1;

/// `format` (u32, little-endian), `written-by` (the version's text), `created` (milliseconds): plain bytes.
const META: TableDefinition<&str, &[u8]> = TableDefinition::new("meta");

/// User name -> account. Sorted by name, as lists show them.
pub(super) const USERS: TableDefinition<&str, &[u8]> = TableDefinition::new("users");
/// User name -> PHC string of the password, apart from the account so that no list ever touches it.
pub(super) const PASSWORDS: TableDefinition<&str, &str> = TableDefinition::new("passwords");

/// Session id -> session, live or ended.
pub(super) const SESSIONS: TableDefinition<&[u8; 16], &[u8]> = TableDefinition::new("sessions");
/// SHA-256 of the token -> session id; live sessions only, so that what has ended cannot be found by a token.
pub(super) const SESSION_TOKENS: TableDefinition<&[u8; 32], &[u8; 16]> =
    TableDefinition::new("session_tokens");
/// Session id -> milliseconds of the last access; live sessions only. Apart from the session because it is
/// rewritten every few seconds.
pub(super) const LAST_ACCESS: TableDefinition<&[u8; 16], i64> = TableDefinition::new("last_access");
/// Time of the end, session id -> user name; the list of ended sessions, walked backwards.
pub(super) const ENDED: TableDefinition<(i64, &[u8; 16]), &str> = TableDefinition::new("ended");

/// Token name -> API token.
pub(super) const TOKENS: TableDefinition<&str, &[u8]> = TableDefinition::new("tokens");
/// SHA-256 of the token -> token name.
pub(super) const TOKEN_HASHES: TableDefinition<&[u8; 32], &str> = TableDefinition::new("token_hashes");

/// App name -> app.
pub(super) const APPS: TableDefinition<&str, &[u8]> = TableDefinition::new("apps");

/// Setting -> its text.
pub(super) const SETTINGS: TableDefinition<&str, &str> = TableDefinition::new("settings");

/// Activity id -> activity. Ids are given in order of arrival, so appending writes at the right edge.
pub(super) const LOG: TableDefinition<u64, &[u8]> = TableDefinition::new("log");
/// Fingerprint of a sender and its id (see [`super::log`]) -> activity id.
pub(super) const LOG_KEYS: TableDefinition<&[u8; 16], u64> = TableDefinition::new("log_keys");

/// Checks the format of a file and makes what is missing in it.
pub(super) fn prepare(db: &Database, now: Timestamp) -> Result<(), OpenError> {
    let transaction = db.begin_write().map_err(StoreError::file)?;
    {
        let mut meta = transaction.open_table(META).map_err(StoreError::file)?;
        let number = |bytes: &[u8]| bytes.try_into().map_or(u32::MAX, u32::from_le_bytes);
        let found = meta.get("format").map_err(StoreError::file)?.map(|bytes| number(bytes.value()));
        match found {
            Some(found) if found > FORMAT => {
                let by = meta.get("written-by").map_err(StoreError::file)?;
                let by = by.map_or_else(String::new, |bytes| String::from_utf8_lossy(bytes.value()).into());
                return Err(OpenError::Newer { found, by, known: FORMAT });
            }
            Some(_) => {}
            None => {
                let created = now.as_millisecond().to_le_bytes();
                meta.insert("created", created.as_slice()).map_err(StoreError::file)?;
            }
        }
        meta.insert("format", FORMAT.to_le_bytes().as_slice()).map_err(StoreError::file)?;
        meta.insert("written-by", env!("CARGO_PKG_VERSION").as_bytes()).map_err(StoreError::file)?;
    }
    make(&transaction, USERS)?;
    make(&transaction, PASSWORDS)?;
    make(&transaction, SESSIONS)?;
    make(&transaction, SESSION_TOKENS)?;
    make(&transaction, LAST_ACCESS)?;
    make(&transaction, ENDED)?;
    make(&transaction, TOKENS)?;
    make(&transaction, TOKEN_HASHES)?;
    make(&transaction, APPS)?;
    make(&transaction, SETTINGS)?;
    make(&transaction, LOG)?;
    make(&transaction, LOG_KEYS)?;
    transaction.commit().map_err(StoreError::file)?;
    Ok(())
}

fn make<K: Key + 'static, V: Value + 'static>(
    transaction: &WriteTransaction,
    table: TableDefinition<K, V>,
) -> Result<(), StoreError> {
    transaction.open_table(table).map(drop).map_err(StoreError::file)
}
