//! What can be wrong with a database.

use std::{io, path::PathBuf};

use super::MAX_BYTES;

/// Why a database is not used.
#[derive(Debug, thiserror::Error)]
pub enum GeoError {
    /// The folder for databases does not work.
    #[error("cannot keep city databases in {}: {error}; make room or correct its permissions", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// The file is not there, or must not be read.
    #[error("it cannot be read ({0}); check the path and its permissions")]
    Unreadable(io::Error),
    /// A folder, a pipe, a device.
    #[error("it is not a file; give the path of an .mmdb file")]
    NotAFile,
    /// Larger than [`MAX_BYTES`].
    #[error("it is larger than {} MiB; give a City or Country database", MAX_BYTES >> 20)]
    TooLarge,
    /// A `.gz`, `.zip` and the like.
    #[error("it is compressed; unpack it and give the .mmdb file inside")]
    Compressed,
    /// Something else altogether.
    #[error("it is not a MaxMind DB (.mmdb) file")]
    NotADatabase,
    /// A MaxMind DB file with faults; which, is the source of the error.
    #[error("it is damaged; get it again")]
    Damaged(#[from] maxminddb::MaxMindDbError),
    /// A sound database of something else.
    #[error("a database of type \"{0}\" holds no places; give a City or Country database")]
    NoPlaces(String),
    /// The built-in database does not unpack to what was packed.
    #[error("the built-in city database is damaged; install Rollcall again")]
    BuiltIn,
}
