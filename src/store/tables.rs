//! Every table of the file, with its key, its order and the reason for it.
//!
//! Keys sort as bytes, so numbers in them are big-endian. Values are records in the form of [`super::codec`], with a checksum
//! that covers their row, unless it says otherwise.

use jiff::Timestamp;
use redb::{
    Key, ReadTransaction, ReadableTable, Table, TableDefinition, TableError, Value, WriteTransaction,
};

use super::{
    OpenError, StoreError,
    codec::{self, Row},
    disk::Disk,
};

/// Format of the data file. It is raised when an older binary could no longer read what a newer one writes.
pub(super) const FORMAT: u32 = 6;

/// Under [these names](NAMES). `format` (u32, little-endian), `written-by` (the version's text) and `created` (milliseconds) are plain
/// bytes, which every version can read; `sealed` (empty) says that every activity has its leaf, `mark` (plain bytes) which transaction
/// was the last, and `probe` (empty) that the file took something. The others are records.
pub(super) const META: TableDefinition<&str, &[u8]> = TableDefinition::new("meta");

/// What retention has taken out of the log.
pub(super) const HORIZON: &str = "horizon";
/// What checkpoints are signed with.
pub(super) const SIGNING_KEY: &str = "signing-key";
/// 32 random bytes that this installation made.
pub(super) const SECRET: &str = "secret";
/// What the log takes, and what was taken out of it.
pub(super) const LOG_SIZE: &str = "log_size";
/// By what the last transaction that appended nothing is known.
pub(super) const MARK: &str = "mark";

/// Every name there may be in [`META`]. Another one was one of these before it was damaged.
const NAMES: [&str; 10] =
    ["format", "written-by", "created", "sealed", "probe", HORIZON, SIGNING_KEY, SECRET, LOG_SIZE, MARK];

/// User name -> account. Sorted by name, as lists show them.
pub(super) const USERS: TableDefinition<&str, &[u8]> = TableDefinition::new("users");
/// User name -> PHC string of the password, apart from the account so that no list ever touches it.
pub(super) const PASSWORDS: TableDefinition<&str, &[u8]> = TableDefinition::new("passwords");
/// User name -> second factor, its seed sealed.
pub(super) const SECOND_FACTORS: TableDefinition<&str, &[u8]> = TableDefinition::new("second_factors");
/// Number of a passkey -> passkey, with its user.
pub(super) const PASSKEYS: TableDefinition<&[u8], &[u8]> = TableDefinition::new("passkeys");

/// Session id -> session, live or ended.
pub(super) const SESSIONS: TableDefinition<&[u8; 16], &[u8]> = TableDefinition::new("sessions");
/// SHA-256 of the token -> session id, as in the session's record; live sessions only, so that what has ended cannot be found by a token.
pub(super) const SESSION_TOKENS: TableDefinition<&[u8; 32], &[u8; 16]> =
    TableDefinition::new("session_tokens");
/// Session id -> milliseconds of the last access; live sessions only. Apart from the session because it is
/// rewritten every few seconds.
pub(super) const LAST_ACCESS: TableDefinition<&[u8; 16], &[u8]> = TableDefinition::new("last_access");
/// Session id, SHA-256 of a pass to apps -> where the pass is good (see [`Realm`](crate::model::site::Realm)); live sessions only.
pub(super) const SESSION_PASSES: TableDefinition<(&[u8; 16], &[u8; 32]), &[u8]> =
    TableDefinition::new("session_passes");
/// Session id -> what the session is bound to; live sessions only, and of these those alone that are bound to more than where
/// and on what they were last used says.
pub(super) const SESSION_BONDS: TableDefinition<&[u8; 16], &[u8]> = TableDefinition::new("session_bonds");
/// Time of the end, session id -> user name, all as in the session's record; the list of ended sessions, walked backwards.
pub(super) const ENDED: TableDefinition<(i64, &[u8; 16]), &str> = TableDefinition::new("ended");

/// User name, time of the end, session id; the list of a user's ended sessions, walked backwards.
pub(super) const ENDED_OF: TableDefinition<(&str, i64, &[u8; 16]), ()> = TableDefinition::new("ended_of");

/// Token name -> API token.
pub(super) const TOKENS: TableDefinition<&str, &[u8]> = TableDefinition::new("tokens");
/// SHA-256 of the token -> token name, both as in the token's record.
pub(super) const TOKEN_HASHES: TableDefinition<&[u8; 32], &str> = TableDefinition::new("token_hashes");

/// App name -> app.
pub(super) const APPS: TableDefinition<&str, &[u8]> = TableDefinition::new("apps");

/// App name -> webhook with its secret.
pub(super) const HOOKS: TableDefinition<&str, &[u8]> = TableDefinition::new("hooks");
/// App name, time of a session's end, session id -> how far the app has been told; walked backwards, and found from the
/// ended session.
pub(super) const HOOK_DELIVERIES: TableDefinition<(&str, i64, &[u8; 16]), &[u8]> =
    TableDefinition::new("hook_deliveries");
/// App name, when the next try is due, session id -> time of the session's end, all as in the delivery; what waits only.
pub(super) const HOOK_QUEUE: TableDefinition<(&str, i64, &[u8; 16]), i64> =
    TableDefinition::new("hook_queue");

/// Setting -> its text.
pub(super) const SETTINGS: TableDefinition<&str, &[u8]> = TableDefinition::new("settings");

/// Id of the first activity -> run: what is recent, in order of arrival, appended at the right edge.
pub(super) const LOG_RUNS: TableDefinition<u64, &[u8]> = TableDefinition::new("log");
/// Id of the last activity -> block: what was moved into a volume, where one descent finds it.
pub(super) const LOG_BLOCKS: TableDefinition<u64, &[u8]> = TableDefinition::new("log_blocks");
/// Id of the volume's first activity, number of the part -> a page of the volume's dictionaries.
pub(super) const LOG_VOLUMES: TableDefinition<(u64, u32), &[u8]> = TableDefinition::new("log_volumes");

/// Number of the tile -> 256 leaves of the log's tree, or those there are and the tree's edge (see [`super::log`]).
pub(super) const LOG_TILES: TableDefinition<u64, &[u8]> = TableDefinition::new("log_tiles");
/// Number of the removal -> which activities it took out of the log.
pub(super) const LOG_REMOVALS: TableDefinition<u64, &[u8]> = TableDefinition::new("log_removals");
/// Size of the log's tree -> the checkpoint that was signed of it.
pub(super) const CHECKPOINTS: TableDefinition<u64, &[u8]> = TableDefinition::new("checkpoints");

/// Id of the activity that the first of them became -> senders' keys, in order of arrival (see [`super::log`]).
pub(super) const KEYS_RECENT: TableDefinition<u64, &[u8]> = TableDefinition::new("keys_recent");
/// Run of keys -> how many it has, and the newest activity among theirs. A run that is not listed here is not whole, or not
/// needed any more.
pub(super) const KEY_RUNS: TableDefinition<u64, &[u8]> = TableDefinition::new("key_runs");
/// Run of keys, the first key in the page -> a page of keys, sorted.
pub(super) const KEY_CHUNKS: TableDefinition<(u64, &[u8; 10]), &[u8]> = TableDefinition::new("key_chunks");

/// Format 1 only: fingerprint of a sender and its id -> activity id.
const LOG_KEYS: TableDefinition<&[u8; 16], u64> = TableDefinition::new("log_keys");

/// Calls a function with each table, after whatever else is given; where it fails, so does the caller.
macro_rules! every_table {
    ($each:ident, $($with:expr),*) => {{
        use $crate::store::tables::{
            APPS, CHECKPOINTS, ENDED, ENDED_OF, HOOK_DELIVERIES, HOOK_QUEUE, HOOKS, KEYS_RECENT, KEY_CHUNKS, KEY_RUNS, LAST_ACCESS, LOG_BLOCKS, LOG_REMOVALS, LOG_RUNS, LOG_TILES, LOG_VOLUMES, META,
            PASSKEYS, PASSWORDS, SECOND_FACTORS, SESSIONS, SESSION_BONDS, SESSION_PASSES, SESSION_TOKENS, SETTINGS, TOKENS, TOKEN_HASHES, USERS,
        };
        $each($($with,)* META)?;
        $each($($with,)* USERS)?;
        $each($($with,)* PASSWORDS)?;
        $each($($with,)* PASSKEYS)?;
        $each($($with,)* SECOND_FACTORS)?;
        $each($($with,)* SESSIONS)?;
        $each($($with,)* SESSION_TOKENS)?;
        $each($($with,)* SESSION_PASSES)?;
        $each($($with,)* SESSION_BONDS)?;
        $each($($with,)* LAST_ACCESS)?;
        $each($($with,)* ENDED)?;
        $each($($with,)* ENDED_OF)?;
        $each($($with,)* TOKENS)?;
        $each($($with,)* TOKEN_HASHES)?;
        $each($($with,)* APPS)?;
        $each($($with,)* HOOKS)?;
        $each($($with,)* HOOK_DELIVERIES)?;
        $each($($with,)* HOOK_QUEUE)?;
        $each($($with,)* SETTINGS)?;
        $each($($with,)* LOG_RUNS)?;
        $each($($with,)* LOG_BLOCKS)?;
        $each($($with,)* LOG_VOLUMES)?;
        $each($($with,)* LOG_TILES)?;
        $each($($with,)* LOG_REMOVALS)?;
        $each($($with,)* CHECKPOINTS)?;
        $each($($with,)* KEYS_RECENT)?;
        $each($($with,)* KEY_RUNS)?;
        $each($($with,)* KEY_CHUNKS)?;
    }};
}
pub(super) use every_table;

/// Checks the format of a file and makes what is missing in it.
pub(super) fn prepare(disk: &Disk, now: Timestamp) -> Result<(), OpenError> {
    // Nothing is written where nothing is missing: on a full disk it would keep the file from being opened.
    if is_prepared(disk).unwrap_or(false) {
        return Ok(check_names(&*disk.read()?)?);
    }
    let transaction = disk.write()?;
    let found;
    let empty = transaction.list_tables().map_err(StoreError::file)?.next().is_none();
    {
        let mut meta = transaction.open_table(META).map_err(StoreError::file)?;
        let number = |bytes: &[u8]| bytes.try_into().map_or(u32::MAX, u32::from_le_bytes);
        found = meta.get("format").map_err(StoreError::file)?.map(|bytes| number(bytes.value()));
        match found {
            Some(found) if found > FORMAT => {
                let by = meta.get("written-by").map_err(StoreError::file)?;
                let by = by.map_or_else(String::new, |bytes| String::from_utf8_lossy(bytes.value()).into());
                return Err(OpenError::Newer { found, by, known: FORMAT });
            }
            Some(_) => {}
            None if !empty => {
                let why = "it does not say which format it has, so another program wrote it";
                return Err(OpenError::Damaged(why.into()));
            }
            None => {
                let created = now.as_millisecond().to_le_bytes();
                meta.insert("created", created.as_slice()).map_err(StoreError::file)?;
            }
        }
        meta.insert("format", FORMAT.to_le_bytes().as_slice()).map_err(StoreError::file)?;
        meta.insert("written-by", env!("CARGO_PKG_VERSION").as_bytes()).map_err(StoreError::file)?;
    }
    if found.is_some_and(|found| found < 6) {
        bind_rows(&transaction)?;
    }
    every_table!(make, &transaction);
    upgrade_keys(&transaction)?;
    if found.is_some_and(|found| found < 4) {
        list_by_user(&transaction)?;
    }
    transaction.commit().map_err(StoreError::file)?;
    Ok(check_names(&*disk.read()?)?)
}

/// Whether what the file says of itself stands under the names that it was written under. What is not found there would be made
/// anew, or pass for what there never was.
pub(super) fn check_names(read: &ReadTransaction) -> Result<(), StoreError> {
    for row in read.open_table(META).map_err(StoreError::file)?.iter().map_err(StoreError::file)? {
        let (name, _) = row.map_err(StoreError::file)?;
        if !NAMES.contains(&name.value()) {
            return Err(StoreError::Damaged("the table of what the file says of itself"));
        }
    }
    Ok(())
}

/// Whether a file is of this format and version, and has every table.
fn is_prepared(disk: &Disk) -> Result<bool, StoreError> {
    let read = disk.read()?;
    every_table!(look, &read);
    let meta = read.open_table(META).map_err(StoreError::file)?;
    let is = |name, value: &[u8]| {
        let known = meta.get(name).map_err(StoreError::file)?;
        Ok::<_, StoreError>(known.is_some_and(|known| known.value() == value))
    };
    Ok(is("format", &FORMAT.to_le_bytes())? && is("written-by", env!("CARGO_PKG_VERSION").as_bytes())?)
}

/// Lists the ended sessions of each user, which formats before the fourth did not.
fn list_by_user(transaction: &WriteTransaction) -> Result<(), StoreError> {
    let ended = transaction.open_table(ENDED).map_err(StoreError::file)?;
    let mut of_user = transaction.open_table(ENDED_OF).map_err(StoreError::file)?;
    for row in ended.iter().map_err(StoreError::file)? {
        let (key, user) = row.map_err(StoreError::file)?;
        let (at, id) = key.value();
        of_user.insert((user.value(), at, id), ()).map_err(StoreError::file)?;
    }
    Ok(())
}

/// Gives every record a checksum that covers its row, which formats before the sixth had over the record alone, or not at all. What
/// had none cannot be proven, and is taken as it is.
fn bind_rows(transaction: &WriteTransaction) -> Result<(), StoreError> {
    bind_table(transaction, USERS, USERS, true)?;
    bind_table(transaction, PASSKEYS, PASSKEYS, true)?;
    bind_table(transaction, SECOND_FACTORS, SECOND_FACTORS, true)?;
    bind_table(transaction, SESSIONS, SESSIONS, true)?;
    bind_table(transaction, SESSION_BONDS, SESSION_BONDS, true)?;
    bind_table(transaction, TOKENS, TOKENS, true)?;
    bind_table(transaction, APPS, APPS, true)?;
    bind_table(transaction, HOOKS, HOOKS, true)?;
    bind_table(transaction, HOOK_DELIVERIES, HOOK_DELIVERIES, true)?;
    bind_table(transaction, CHECKPOINTS, CHECKPOINTS, true)?;
    let text = TableDefinition::<&str, &str>::new;
    bind_table(transaction, text("passwords"), PASSWORDS, false)?;
    bind_table(transaction, text("settings"), SETTINGS, false)?;
    let passes = TableDefinition::<(&[u8; 16], &[u8; 32]), &str>::new("session_passes");
    bind_table(transaction, passes, SESSION_PASSES, false)?;
    let last_access = TableDefinition::<&[u8; 16], i64>::new("last_access");
    bind_table(transaction, last_access, LAST_ACCESS, false)?;
    let key_runs = TableDefinition::<u64, (u64, u64)>::new("key_runs");
    bind_table(transaction, key_runs, KEY_RUNS, false)?;
    let mut meta = transaction.open_table(META).map_err(StoreError::file)?;
    for (name, sealed) in [(HORIZON, true), (SIGNING_KEY, true), (SECRET, false), (LOG_SIZE, false)] {
        let bound = meta.get(name).map_err(StoreError::file)?;
        let bound = bound.map(|bytes| codec::bind(Row::of(META, name), sealed, bytes.value()));
        if let Some(bound) = bound {
            meta.insert(name, bound.as_slice()).map_err(StoreError::file)?;
        }
    }
    Ok(())
}

/// Does so with the rows of a table, which was of the type of `old` and has the type of `new` from now on. `sealed` says whether
/// they had a checksum.
fn bind_table<K: Key + 'static, V: Value + 'static>(
    transaction: &WriteTransaction,
    old: TableDefinition<'static, K, V>,
    new: TableDefinition<'static, K, &'static [u8]>,
    sealed: bool,
) -> Result<(), StoreError> {
    const ASIDE: &str = "upgrading";
    match transaction.rename_table(old, TableDefinition::<K, V>::new(ASIDE)) {
        Err(TableError::TableDoesNotExist(_)) => return Ok(()),
        renamed => renamed.map_err(StoreError::file)?,
    }
    {
        let mut to = transaction.open_table(new).map_err(StoreError::file)?;
        match transaction.open_table(TableDefinition::<K, V>::new(ASIDE)) {
            // A backup of an earlier format has come back: its values, in a table that was made by this one.
            Err(TableError::TableTypeMismatch { .. }) => {
                let from = transaction.open_table(TableDefinition::<K, &[u8]>::new(ASIDE));
                bind_into(&from.map_err(StoreError::file)?, &mut to, new, sealed)?;
            }
            from => bind_into(&from.map_err(StoreError::file)?, &mut to, new, sealed)?,
        }
    }
    transaction.delete_table(TableDefinition::<K, V>::new(ASIDE)).map(drop).map_err(StoreError::file)
}

fn bind_into<K: Key + 'static, V: Value + 'static>(
    from: &impl ReadableTable<K, V>,
    to: &mut Table<'_, K, &'static [u8]>,
    table: TableDefinition<'static, K, &'static [u8]>,
    sealed: bool,
) -> Result<(), StoreError> {
    for row in from.iter().map_err(StoreError::file)? {
        let (key, value) = row.map_err(StoreError::file)?;
        let value = value.value();
        let bytes = V::as_bytes(&value);
        let bound = codec::bind(Row::of(table, key.value()), sealed, bytes.as_ref());
        to.insert(key.value(), bound.as_slice()).map_err(StoreError::file)?;
    }
    Ok(())
}

/// Moves the keys of format 1 to where those of format 2 are: what was recent then is recent now.
fn upgrade_keys(transaction: &WriteTransaction) -> Result<(), StoreError> {
    let mut entries = Vec::new();
    {
        let keys = transaction.open_table(LOG_KEYS).map_err(StoreError::file)?;
        for key in keys.iter().map_err(StoreError::file)? {
            let (key, id) = key.map_err(StoreError::file)?;
            let mut fingerprint = [0; 10];
            fingerprint.copy_from_slice(&key.value()[..10]);
            entries.push((fingerprint, id.value()));
        }
    }
    entries.sort_unstable_by_key(|(_, id)| *id);
    super::log::write_recent(transaction, &entries)?;
    transaction.delete_table(LOG_KEYS).map(drop).map_err(StoreError::file)
}

fn look<K: Key + 'static, V: Value + 'static>(
    read: &ReadTransaction,
    table: TableDefinition<K, V>,
) -> Result<(), StoreError> {
    read.open_table(table).map(drop).map_err(StoreError::file)
}

fn make<K: Key + 'static, V: Value + 'static>(
    transaction: &WriteTransaction,
    table: TableDefinition<K, V>,
) -> Result<(), StoreError> {
    transaction.open_table(table).map(drop).map_err(StoreError::file)
}
