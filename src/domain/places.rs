//! The city database, changed by administrators.

use std::path::Path;

use super::{
    App, Gone,
    geo::{GeoError, Info},
};
use crate::{
    model::{activity::action, user::Actor},
    store::StoreError,
};

/// Why the city database was not changed.
#[derive(Debug, thiserror::Error)]
pub enum PlacesError {
    /// It was refused.
    #[error(transparent)]
    Geo(#[from] GeoError),
    /// The one who asked has been signed out.
    #[error(transparent)]
    Gone(#[from] Gone),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl App {
    /// Puts the database at `candidate` in use, if it is one. It is told of before it is there, so that nobody who was signed
    /// out meanwhile changes it, and no change is without its activity. Blocks.
    pub fn replace_geo(&self, by: &Actor, candidate: &Path) -> Result<(), PlacesError> {
        self.0.geo.replace_once(candidate, |info| self.tell_of_new_geo(by, info)).map(drop)
    }

    /// Puts a database that was sent in use, if it is one. Blocks.
    pub fn replace_geo_with(&self, by: &Actor, content: &[u8]) -> Result<(), PlacesError> {
        self.0.geo.replace_from_once(content, |info| self.tell_of_new_geo(by, info)).map(drop)
    }

    /// Puts the built-in database in use again. Blocks.
    pub fn reset_geo(&self, by: &Actor) -> Result<(), PlacesError> {
        self.0.geo.reset_once(|| self.tell_of_geo(by, "the built-in database")).map(drop)
    }

    fn tell_of_new_geo(&self, by: &Actor, info: &Info) -> Result<(), PlacesError> {
        self.tell_of_geo(by, &format!("{} of {}", info.database_type, day(info.built)))
    }

    fn tell_of_geo(&self, by: &Actor, detail: &str) -> Result<(), PlacesError> {
        let told = self.did(by, action::SETTING_CHANGED).to("city database").saying(detail);
        let tell = self.change(by, move |write| {
            write.append(&told)?;
            Ok::<_, PlacesError>(())
        });
        tell.wait()
    }
}

fn day(at: jiff::Timestamp) -> jiff::civil::Date {
    at.to_zoned_datetime(jiff::tz::TimeZone::UTC).date()
}
