//! The city database, changed by administrators.

use std::path::Path;

use super::{App, Gone, geo::GeoError};
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
    /// Puts the database at `candidate` in use, if it is one. Blocks.
    pub fn replace_geo(&self, by: &Actor, candidate: &Path) -> Result<(), PlacesError> {
        let info = self.0.geo.replace(candidate)?;
        self.tell_of_geo(by, &format!("{} of {}", info.database_type, day(info.built)))
    }

    /// Puts a database that was sent in use, if it is one. Blocks.
    pub fn replace_geo_with(&self, by: &Actor, content: &[u8]) -> Result<(), PlacesError> {
        let info = self.0.geo.replace_from(content)?;
        self.tell_of_geo(by, &format!("{} of {}", info.database_type, day(info.built)))
    }

    /// Puts the built-in database in use again. Blocks.
    pub fn reset_geo(&self, by: &Actor) -> Result<(), PlacesError> {
        self.0.geo.reset()?;
        self.tell_of_geo(by, "the built-in database")
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
