//! What an administrator has set, as text under its name.

use redb::ReadableTable;

use super::{StoreError, View, Write, tables::SETTINGS};

/// Questions about settings.
pub trait Settings: View {
    /// The value of a setting, if it was ever set.
    fn setting(&self, name: &str) -> Result<Option<String>, StoreError> {
        let settings = self.table(SETTINGS)?;
        Ok(settings.get(name).map_err(StoreError::file)?.map(|text| text.value().to_owned()))
    }
}

impl<V: View> Settings for V {}

impl Write<'_> {
    /// Sets a setting.
    pub fn put_setting(&mut self, name: &str, value: &str) -> Result<(), StoreError> {
        self.edit(SETTINGS)?.insert(name, value).map_err(StoreError::file)?;
        Ok(())
    }
}
