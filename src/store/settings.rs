//! What an administrator has set, as text under its name, and what the installation has made for itself.

use std::str::FromStr;

use redb::ReadableTable;

use super::{
    StoreError, View, Write,
    codec::{self, Row},
    tables::{META, SECRET, SETTINGS},
};
use crate::model::secret::InstallationSecret;

const TABLE: &str = "the table of settings";

/// Questions about settings.
pub trait Settings: View {
    /// The value of a setting, if it was ever set. One that stands under another name now must not pass for one that never was, since
    /// what holds then may be weaker: so all of them are looked at, which are few.
    fn setting(&self, name: &str) -> Result<Option<String>, StoreError> {
        let mut found = None;
        for row in self.table(SETTINGS)?.iter().map_err(StoreError::file)? {
            let (key, bytes) = row.map_err(StoreError::file)?;
            let text = codec::open_text(TABLE, Row::of(SETTINGS, key.value()), bytes.value())?;
            if key.value() == name {
                found = Some(text.to_owned());
            }
        }
        Ok(found)
    }

    /// The value of a setting as what it says, if it was ever set. It was checked when it was set, so that one which says nothing is
    /// damaged, and never what holds where none is.
    fn setting_as<T: FromStr>(&self, name: &str) -> Result<Option<T>, StoreError> {
        let text = self.setting(name)?;
        text.map(|text| text.parse().map_err(|_| StoreError::Damaged(TABLE))).transpose()
    }

    /// The secret of this installation, once it has one.
    fn installation_secret(&self) -> Result<Option<InstallationSecret>, StoreError> {
        let meta = self.table(META)?;
        let found = meta.get(SECRET).map_err(StoreError::file)?;
        let Some(bytes) = found else { return Ok(None) };
        let name = "the secret of this installation";
        let bytes = codec::open_plain(name, Row::of(META, SECRET), bytes.value())?;
        Ok(Some(InstallationSecret(bytes.try_into().map_err(|_| StoreError::Damaged(name))?)))
    }
}

impl<V: View> Settings for V {}

impl Write<'_> {
    /// Sets a setting.
    pub fn put_setting(&mut self, name: &str, value: &str) -> Result<(), StoreError> {
        let bytes = codec::seal_plain(Row::of(SETTINGS, name), value.as_bytes());
        self.edit(SETTINGS)?.insert(name, bytes.as_slice()).map_err(StoreError::file)?;
        Ok(())
    }

    /// Sets the secret of this installation.
    pub fn put_installation_secret(&mut self, secret: &InstallationSecret) -> Result<(), StoreError> {
        let bytes = codec::seal_plain(Row::of(META, SECRET), &secret.0);
        self.edit(META)?.insert(SECRET, bytes.as_slice()).map_err(StoreError::file)?;
        Ok(())
    }
}
