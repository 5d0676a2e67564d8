//! A data folder that goes away again.

use std::{
    io,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

use data_encoding::HEXLOWER;

use crate::domain::random;

/// A new folder among the temporary ones, for its owner alone. Dropping it removes it with all that is in it.
pub(super) struct Throwaway(PathBuf);

impl Throwaway {
    /// Makes the folder. Its name cannot be guessed, so nobody can have put something of theirs in its place.
    pub(super) fn make() -> io::Result<Self> {
        let name = format!("rollcall-{}", HEXLOWER.encode(&random::bytes::<8>()));
        let path = std::env::temp_dir().join(name);
        std::fs::DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self(path))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Throwaway {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            log::warn!("the folder {} could not be removed: {error}", self.0.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::Throwaway;

    #[test]
    fn a_throw_away_folder_is_its_owners_alone_and_leaves_nothing() {
        let folder = Throwaway::make().unwrap();
        let path = folder.path().to_owned();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
        std::fs::create_dir(path.join("index")).unwrap();
        std::fs::write(path.join("index/part"), "x").unwrap();
        drop(folder);
        assert!(!path.exists());
    }
}
