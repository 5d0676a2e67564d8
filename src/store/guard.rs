//! What nobody may write over: the data folder, and data files wherever they lie.

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

/// Why `file` is not to be written, where it lies in the data folder `folder` or is a data file; said of whoever named it.
pub fn forbids(folder: &Path, file: &Path) -> Option<String> {
    if is_inside(folder, file) {
        return Some(format!("{} is the data folder's own; name another place", file.display()));
    }
    let is_data = is_data_file(file);
    is_data.then(|| {
        format!("{} is a data file, which nothing else replaces; name another place", file.display())
    })
}

/// Whether `file` lies in `folder`, or would once it is made, whichever way leads there.
fn is_inside(folder: &Path, file: &Path) -> bool {
    let (folder, file) = (resolved(folder, LINKS), resolved(file, LINKS));
    let inode = |path: &Path| fs::metadata(path).ok().map(|about| (about.dev(), about.ino()));
    let it = inode(&folder);
    // A folder that is mounted a second time has two paths and is one.
    file.ancestors().any(|above| above == folder || (it.is_some() && inode(above) == it))
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
        fs::write(folder.join("there"), "x").unwrap();
        symlink(&folder, at("way")).unwrap();
        symlink("data/there", at("there")).unwrap();
        symlink("data/coming", at("coming")).unwrap();
        symlink("round", at("round")).unwrap();
        for inside in
            ["data/there", "data/new", "data/no/new", "way/new", "there", "coming", "data/../way/new"]
        {
            assert!(is_inside(&folder, &at(inside)), "{inside}");
            assert!(is_inside(&at("way"), &at(inside)), "{inside} of the link");
        }
        for outside in ["new", "database", "data.backup", "no/new", "round", "data/../new"] {
            assert!(!is_inside(&folder, &at(outside)), "{outside}");
        }
        assert!(is_inside(&at("none"), &at("none/new")) && !is_inside(&at("none"), &at("new")));
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
