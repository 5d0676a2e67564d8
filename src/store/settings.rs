//! What an administrator has set, as text under its name, and what the installation has made for itself.

use redb::ReadableTable;

use super::{
    StoreError, View, Write,
    tables::{META, SETTINGS},
};
use crate::model::secret::InstallationSecret;

const SECRET: &str = "secret";

/// Questions about settings.
pub trait Settings: View {
    /// The value of a setting, if it was ever set.
    fn setting(&self, name: &str) -> Result<Option<String>, StoreError> {
        let settings = self.table(SETTINGS)?;
        Ok(settings.get(name).map_err(StoreError::file)?.map(|text| text.value().to_owned()))
    }

    /// The secret of this installation, once it has one.
    fn installation_secret(&self) -> Result<Option<InstallationSecret>, StoreError> {
        let meta = self.table(META)?;
        let found = meta.get(SECRET).map_err(StoreError::file)?;
        let bytes = found.map(|bytes| bytes.value().try_into());
        bytes.transpose().map(|bytes| bytes.map(InstallationSecret)).map_err(|_| StoreError::Damaged("meta"))
    }
}

impl<V: View> Settings for V {}

impl Write<'_> {
    /// Sets a setting.
    pub fn put_setting(&mut self, name: &str, value: &str) -> Result<(), StoreError> {
        self.edit(SETTINGS)?.insert(name, value).map_err(StoreError::file)?;
        Ok(())
    }

    /// Sets the secret of this installation.
    pub fn put_installation_secret(&mut self, secret: &InstallationSecret) -> Result<(), StoreError> {
        self.edit(META)?.insert(SECRET, secret.0.as_slice()).map_err(StoreError::file)?;
        Ok(())
    }
}
