//! A bit of the file is another one, or its end is missing: it is refused with the way back, or it is what it was. Nobody is
//! shown anything else.

use std::{fs, path::Path};

use super::{Oracle, Random, now, script};
use crate::{
    model::user::{Role, User},
    store::{FILE, Read, Store, write_backup},
};

/// How many places are damaged. Set `ROLLCALL_FLIPS` for more or fewer.
const FLIPS: u64 = 200;

fn open(folder: &Path) -> Result<Store, crate::store::OpenError> {
    Store::open(folder, now(), || [7; 16])
}

/// Everything there is, byte for byte.
fn content(read: &Read) -> Result<Vec<u8>, String> {
    let mut all = Vec::new();
    write_backup(read, &mut all, &mut |_, _| {}).map_err(|error| error.to_string())?;
    Ok(all)
}

/// A folder with something of everything.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).unwrap();
    let mut oracle = Oracle::default();
    for step in script(&mut Random(11), 120) {
        oracle.take(&store, step).unwrap();
    }
    let written = store.write(now(), |write| {
        for name in ["ada", "bob", "eve"] {
            write.put_user(&User {
                name: name.parse().unwrap(),
                role: Role::Admin,
                full_name: String::new(),
                email: String::new(),
                groups: vec!["it".to_owned()],
                disabled: false,
                created: now(),
                last_sign_in: None,
            })?;
            write.put_setting("retention", "keep 90d")?;
        }
        Ok::<_, crate::store::StoreError>(())
    });
    written.wait().unwrap();
    folder
}

/// What is made of a damaged file: whether it was refused.
fn meet(folder: &Path, damaged: &[u8], expected: &[u8], what: &str) -> bool {
    fs::write(folder.join(FILE), damaged).unwrap();
    match open(folder) {
        Ok(store) => {
            let found = content(&store.snapshot().unwrap());
            assert!(found.as_deref() == Ok(expected), "{what}: it was opened with something else in it");
            false
        }
        Err(error) => {
            let error = error.to_string();
            assert!(error.contains("rollcall restore FILE"), "{what}: {error}");
            true
        }
    }
}

#[test]
fn a_damaged_file_is_refused_with_the_way_back_or_is_what_it_was() {
    let flips = std::env::var("ROLLCALL_FLIPS").ok().and_then(|text| text.parse().ok()).unwrap_or(FLIPS);
    let folder = folder();
    let expected = content(&open(folder.path()).unwrap().snapshot().unwrap()).unwrap();
    let whole = fs::read(folder.path().join(FILE)).unwrap();
    let length = whole.len() as u64;
    let mut random = Random(3);
    let mut refused = 0;
    for flip in 0..flips {
        let at = usize::try_from(random.below(length)).unwrap();
        let mut damaged = whole.clone();
        if flip % 4 == 3 {
            damaged.truncate(at);
        } else {
            damaged[at] ^= 1 << random.below(8);
        }
        refused += u64::from(meet(folder.path(), &damaged, &expected, &format!("place {at}")));
    }
    // Where the file says of itself what it is, each byte.
    for at in 0..320 {
        let mut damaged = whole.clone();
        damaged[at] ^= 1 << random.below(8);
        meet(folder.path(), &damaged, &expected, &format!("byte {at} of the head"));
    }
    assert!(refused > flips / 4, "{refused} of {flips}");
    assert!(!meet(folder.path(), &whole, &expected, "the whole file"));
}
