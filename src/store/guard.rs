//! What nobody may write over: what Rollcall keeps in its data folder, and data files wherever they lie.

use std::{
    fs::{self, File},
    io::Read as _,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

/// How every data file begins.
pub const MAGIC: &[u8] = b"redb\x1a\x0a\xa9\x0d\x0a";

/// As many symbolic links as the system itself would follow.
const LINKS: usize = 40;

/// How the names begin of what Rollcall keeps in its folder: the data file, the settings and their like, and what is made beside them.
const OWN: [&str; 8] = ["rollcall.", "reserve", "restoring", "index", "geo", "uploads", "tls", "control."];

/// Why `file` is not to be written, where it is the data folder's own, `folder`'s, or a data file; said of whoever named it.
pub fn forbids(folder: &Path, file: &Path) -> Option<String> {
    if is_own(folder, file) {
        return Some(format!("{} is the data folder's own; name another place", file.display()));
    }
    let is_data = is_data_file(file);
    is_data.then(|| {
        format!("{} is a data file, which nothing else replaces; name another place", file.display())
    })
}

/// Whether `file` is one that Rollcall keeps in `folder`, or would be once it is made, whichever way leads there. Others may lie there: a
/// backup under a name of its own does no harm.
fn is_own(folder: &Path, file: &Path) -> bool {
    let (folder, file) = (resolved(folder, LINKS), resolved(file, LINKS));
    let inode = |path: &Path| fs::metadata(path).ok().map(|about| (about.dev(), about.ino()));
    let it = inode(&folder);
    // A folder that is mounted a second time has two paths and is one.
    let is_folder = |path: &Path| path == folder || (it.is_some() && inode(path) == it);
    if is_folder(&file) {
        return true;
    }
    let Some(inside) = file.ancestors().find(|path| path.parent().is_some_and(is_folder)) else {
        return false;
    };
    let name = inside.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    OWN.iter().any(|own| name.starts_with(own))
}

/// Where a path leads, also where nothing is there yet: a link may name what is still to be made.
fn resolved(path: &Path, links: usize) -> PathBuf {
    if let Ok(whole) = fs::canonicalize(path) {
        return whole;
    }
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let (Some(above), Some(name)) = (path.parent(), path.file_name()) else { return path };
    match fs::read_link(&path) {
        Ok(target) if links > 0 => resolved(&above.join(target), links - 1),
        _ => resolved(above, links).join(name),
    }
}

/// Whether a file begins as data files do.
fn is_data_file(file: &Path) -> bool {
    // To open a pipe is to wait for its other end.
    if !fs::metadata(file).is_ok_and(|about| about.is_file()) {
        return false;
    }
    let mut start = [0; MAGIC.len()];
    File::open(file).and_then(|mut file| file.read_exact(&mut start)).is_ok() && start == MAGIC
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn whichever_way_leads_into_the_folder_is_seen() {
        let around = tempfile::tempdir().unwrap();
        let at = |name: &str| around.path().join(name);
        let folder = at("data");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("reserve"), "x").unwrap();
        symlink(&folder, at("way")).unwrap();
        symlink("data/reserve", at("there")).unwrap();
        symlink("data/index/coming", at("coming")).unwrap();
        symlink("round", at("round")).unwrap();
        for own in [
            "data",
            "data/reserve",
            "data/rollcall.redb",
            "data/Rollcall.redb",
            "data/index/new",
            "way/geo",
            "there",
            "coming",
            "data/../way/rollcall.toml",
        ] {
            assert!(is_own(&folder, &at(own)), "{own}");
            assert!(is_own(&at("way"), &at(own)), "{own} of the link");
        }
        for other in [
            "new",
            "database",
            "data.backup",
            "no/new",
            "round",
            "data/../index",
            "data/backup",
            "way/kept/index",
        ] {
            assert!(!is_own(&folder, &at(other)), "{other}");
        }
        assert!(is_own(&at("none"), &at("none/index")) && !is_own(&at("none"), &at("index")));
    }

    #[test]
    fn a_data_file_is_one_wherever_it_lies() {
        let around = tempfile::tempdir().unwrap();
        let (folder, file) = (around.path().join("data"), around.path().join("file"));
        for (content, forbidden) in [(MAGIC, true), (&MAGIC[..4], false), (b"Time,User,", false)] {
            fs::write(&file, content).unwrap();
            assert_eq!(forbids(&folder, &file).is_some(), forbidden, "{content:?}");
        }
    }
}
