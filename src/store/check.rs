//! Every record of the file held against its checksum, and what refers to others against what it refers to.

use std::{collections::HashSet, fs, path::Path};

use redb::{Builder, Key, ReadableTable, TableDefinition, backends::FileBackend};

use super::{
    Apps as _, Bonds as _, Evidence as _, FILE, Factors as _, Hooks as _, Horizons as _, OpenError,
    Passes as _, Passkeys as _, Read, Sessions as _, Settings as _, StoreError, Tokens as _, Users as _,
    View as _, sessions,
    tables::{self, ENDED, ENDED_OF, KEY_CHUNKS, KEYS_RECENT, LAST_ACCESS, SESSIONS, TOKEN_HASHES},
};
use crate::model::{
    activity::Activity,
    id::{ActivityId, SessionId},
};

/// How many activities are looked at at once.
const STEP: usize = 4096;

impl Read {
    /// Looks at every record there is, and shows each activity that is not behind the horizon to `each`, in order. How many
    /// activities there are. The first record that is not as it was written is the error.
    pub fn check(&self, each: &mut dyn FnMut(&Activity)) -> Result<u64, StoreError> {
        self.check_accounts()?;
        self.check_sessions()?;
        self.check_checkpoints()?;
        super::log::check_runs(self)?;
        self.check_keys(KEYS_RECENT)?;
        self.check_keys(KEY_CHUNKS)?;
        let horizon = self.horizon()?;
        let (mut last, mut count) = (ActivityId(0), 0);
        loop {
            let found = self.activities_after(last, STEP)?;
            for activity in &found {
                if activity.id <= last {
                    return Err(StoreError::Damaged("the log, whose numbers do not rise,"));
                }
                last = activity.id;
                if !horizon.hides(activity) {
                    each(activity);
                }
            }
            count += found.len() as u64;
            if found.len() < STEP {
                return Ok(count);
            }
        }
    }

    fn check_accounts(&self) -> Result<(), StoreError> {
        tables::check_names(&self.transaction)?;
        self.signing_seed()?;
        self.installation_secret()?;
        // All of them are looked at, whatever is asked for.
        self.setting("")?;
        self.log_bytes()?;
        let users: HashSet<String> = self.users()?.into_iter().map(|user| user.name.to_string()).collect();
        // Everybody has a password, and each is somebody's.
        let passwords = self.credentials()?;
        if passwords.len() != users.len() || !passwords.iter().all(|(name, _)| users.contains(name)) {
            return Err(StoreError::Damaged("the table of passwords"));
        }
        self.with_second_factor()?;
        self.passkeys()?;
        let hashes = self.table(TOKEN_HASHES)?;
        for (hash, token) in self.tokens()? {
            let named = hashes.get(&hash.0).map_err(StoreError::file)?;
            if named.is_none_or(|name| name.value() != token.name) {
                return Err(StoreError::Damaged("the table of tokens"));
            }
        }
        self.apps()?;
        self.hooks()?;
        self.check_deliveries()
    }

    fn check_sessions(&self) -> Result<(), StoreError> {
        let damaged = || StoreError::Damaged(sessions::TABLE);
        let (mut live, mut ended) = (0_u64, 0_u64);
        for row in self.table(SESSIONS)?.iter().map_err(StoreError::file)? {
            let (id, bytes) = row.map_err(StoreError::file)?;
            let (session, _) = sessions::decode(SessionId::from_bytes(*id.value()), bytes.value())?;
            *if session.ending.is_some() { &mut ended } else { &mut live } += 1;
        }
        // Each is found in one way, by what it is.
        let found = self.live_sessions()?.len() as u64;
        let mut listed = 0;
        for row in self.table(ENDED)?.iter().map_err(StoreError::file)? {
            let (key, user) = row.map_err(StoreError::file)?;
            let (at, id) = key.value();
            let session = self.ended_session(at, SessionId::from_bytes(*id))?;
            listed += u64::from(session.user.as_str() == user.value());
        }
        let mut listed_by_user = 0;
        for row in self.table(ENDED_OF)?.iter().map_err(StoreError::file)? {
            let (key, _) = row.map_err(StoreError::file)?;
            let (user, at, id) = key.value();
            let session = self.ended_session(at, SessionId::from_bytes(*id))?;
            listed_by_user += u64::from(session.user.as_str() == user);
        }
        for row in self.table(LAST_ACCESS)?.iter().map_err(StoreError::file)? {
            let (id, _) = row.map_err(StoreError::file)?;
            self.session(SessionId::from_bytes(*id.value()))?.ok_or_else(damaged)?;
        }
        let bound = self.bonds()?.into_iter().map(|(id, _)| id);
        for id in bound.chain(self.passes()?.into_iter().map(|(id, ..)| id)) {
            self.session(id)?.filter(|session| session.ending.is_none()).ok_or_else(damaged)?;
        }
        if (found, listed, listed_by_user) == (live, ended, ended) { Ok(()) } else { Err(damaged()) }
    }

    fn check_keys<K: Key + 'static>(
        &self,
        table: TableDefinition<K, &'static [u8]>,
    ) -> Result<(), StoreError> {
        for row in self.table(table)?.iter().map_err(StoreError::file)? {
            let (_, value) = row.map_err(StoreError::file)?;
            super::log::check_keys(value.value())?;
        }
        Ok(())
    }
}

/// Holds every page of the file in `folder` against redb's own sums. Nobody else may have it open. It takes some two seconds
/// for a gigabyte.
pub fn check_file(folder: &Path) -> Result<(), OpenError> {
    let path = folder.join(FILE);
    let file = fs::File::options().read(true).write(true).open(&path);
    let file = file.map_err(|error| OpenError::of(&path, error))?;
    if file.metadata().is_ok_and(|file| file.len() == 0) {
        // redb would make a new one of it.
        return Err(OpenError::Damaged("it is empty".into()));
    }
    let checked = std::panic::catch_unwind(move || {
        let mut db = Builder::new().create_with_backend(FileBackend::new(file)?)?;
        db.check_integrity()
    });
    match checked {
        Ok(Ok(true)) => Ok(()),
        Ok(Ok(false)) => {
            Err(OpenError::Damaged("pages of it did not have the sums they were written with".into()))
        }
        Ok(Err(error)) => Err(error.into()),
        Err(_) => Err(OpenError::Damaged("it cannot be made sense of".into())),
    }
}
