//! Apps behind forward-auth, by name.

use redb::ReadableTable;
use serde::{Deserialize, Serialize};

use super::{
    StoreError, View, Write,
    codec::{self, Row},
    tables::APPS,
};
use crate::model::app::App;

const TABLE: &str = "the table of apps";
const VERSION: u8 = 1;

#[derive(Serialize, Deserialize)]
struct Record {
    url: String,
    groups: Vec<String>,
    headers: String,
    created: i64,
}

/// Questions about apps.
pub trait Apps: View {
    /// Every app, sorted by name.
    fn apps(&self) -> Result<Vec<App>, StoreError> {
        let apps = self.table(APPS)?;
        apps.iter()
            .map_err(StoreError::file)?
            .map(|row| {
                let (name, bytes) = row.map_err(StoreError::file)?;
                let record: Record = codec::open(TABLE, Row::of(APPS, name.value()), VERSION, bytes.value())?;
                let headers = record.headers.parse().map_err(|_| StoreError::Damaged(TABLE))?;
                Ok(App {
                    name: name.value().to_owned(),
                    url: record.url,
                    groups: record.groups,
                    headers,
                    created: codec::time(TABLE, record.created)?,
                })
            })
            .collect()
    }
}

impl<V: View> Apps for V {}

impl Write<'_> {
    /// Writes an app, new or changed.
    pub fn put_app(&mut self, app: &App) -> Result<(), StoreError> {
        let headers = app.headers.to_string();
        let created = codec::millis(app.created);
        let record = Record { url: app.url.clone(), groups: app.groups.clone(), headers, created };
        let bytes = codec::seal(Row::of(APPS, app.name.as_str()), VERSION, &record);
        self.edit(APPS)?.insert(app.name.as_str(), bytes.as_slice()).map_err(StoreError::file)?;
        Ok(())
    }

    /// Removes an app. False if there is none of this name.
    pub fn remove_app(&mut self, name: &str) -> Result<bool, StoreError> {
        Ok(self.edit(APPS)?.remove(name).map_err(StoreError::file)?.is_some())
    }
}
