//! Files in the memory of this process: what is not looked at costs nothing. The only `unsafe` of the crate stands here.
//!
//! What was looked at once stays on the bill of the process (`VmRSS`) for as long as the file is mapped, though the system
//! holds it in its own cache anyway: an export that passes by everything would leave the whole index there. So now and then it is
//! let go ([`tend`]). What is looked at again comes back from the system's cache, sixteen pages in a microsecond or two.

use std::{
    collections::BTreeMap,
    fmt,
    fs::{self, File},
    io,
    ops::Deref,
    os::unix::fs::MetadataExt as _,
    sync::{
        Arc, LazyLock, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use memmap2::{Mmap, UncheckedAdvice};
use stable_deref_trait::StableDeref;

/// How many bytes of files may come into the memory of the process before they are let go.
const MOST: u64 = 4 << 20;

/// The same while searches go on, which read some of it again.
const BUSY: u64 = 24 << 20;

/// How often searches look after it, in milliseconds. Thousands a second bring 40 MB in within 100 ms; a look takes some 10 µs.
const PAUSE: u64 = 5;

/// All that is mapped, by device and inode: these are no other file's for as long as it is.
static MAPS: Mutex<BTreeMap<(u64, u64), Weak<Mmap>>> = Mutex::new(BTreeMap::new());

/// How many bytes of files were in memory when they were let go last: the program itself is among them.
static LEFT: AtomicU64 = AtomicU64::new(0);

/// When a search looked last, in milliseconds since the first did.
static LOOKED: AtomicU64 = AtomicU64::new(0);

/// A file that is never written in place again, mapped to be read. Clones share the map.
#[derive(Clone)]
pub struct Map(Arc<Mmap>);

impl Map {
    /// Maps a file, which must not be empty; one that is mapped already is not mapped once more. Whoever may write it must replace or remove it and never change it, or what is read
    /// from the map is no longer what the file said, and reading behind its new end kills the process.
    #[expect(unsafe_code, reason = "a map is the file's, and no type keeps others from writing it")]
    pub fn of(file: &File) -> io::Result<Self> {
        let about = file.metadata()?;
        let inode = (about.dev(), about.ino());
        let mut maps = maps();
        if let Some(map) = maps.get(&inode).and_then(Weak::upgrade) {
            return Ok(Self(map));
        }
        // SAFETY: only files of the data folder are mapped, which is its owner's alone and held by this one process. They are
        // written once, and from then on replaced by rename or removed, both of which leave the map as it is.
        let map = Arc::new(unsafe { Mmap::map(file) }?);
        maps.retain(|_, map| map.strong_count() > 0);
        maps.insert(inode, Arc::downgrade(&map));
        Ok(Self(map))
    }
}

impl Deref for Map {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl AsRef<[u8]> for Map {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl fmt::Debug for Map {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Map({} bytes)", self.len())
    }
}

// SAFETY: the bytes stand where the system has mapped them, whatever becomes of this handle, until the last clone is gone.
#[expect(unsafe_code, reason = "the index keeps slices beside what they are of")]
unsafe impl StableDeref for Map {}

/// Lets all that is mapped go, if more than 4 MB of files have come into memory since that was done last.
/// To be called some times a second. Where the system does not say how much there is, nothing happens.
pub(super) fn tend() {
    tend_behind(MOST);
}

/// The same for whoever searches, each time: it looks every 5 ms at most, and lets go behind 24 MB.
pub(super) fn tend_now_and_then() {
    static FIRST: LazyLock<Instant> = LazyLock::new(Instant::now);
    let now = u64::try_from(FIRST.elapsed().as_millis()).unwrap_or(u64::MAX);
    let looked = LOOKED.load(Ordering::Relaxed);
    let due = now.saturating_sub(looked) >= PAUSE;
    if due && LOOKED.compare_exchange(looked, now, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
        tend_behind(BUSY);
    }
}

fn tend_behind(most: u64) {
    let Some(resident) = resident() else { return };
    if resident.saturating_sub(LEFT.load(Ordering::Relaxed)) > most {
        let_go();
        LEFT.store(self::resident().unwrap_or(resident), Ordering::Relaxed);
    }
}

#[expect(unsafe_code, reason = "it is unsafe for memory that was written, and these maps cannot be")]
fn let_go() {
    let mapped: Vec<Arc<Mmap>> = maps().values().filter_map(Weak::upgrade).collect();
    for map in mapped {
        // SAFETY: the map is shared, read-only and of a file that does not change: whoever reads it meanwhile or later finds
        // the same bytes again.
        let told = unsafe { map.unchecked_advise(UncheckedAdvice::DontNeed) };
        if let Err(error) = told {
            log::debug!("a mapped file stays in memory: {error}");
        }
    }
}

fn maps() -> MutexGuard<'static, BTreeMap<(u64, u64), Weak<Mmap>>> {
    MAPS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How many bytes of files are in the memory of this process.
fn resident() -> Option<u64> {
    // The third number counts pages of files and of shared memory, of which there is none.
    let told = fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = told.split_ascii_whitespace().nth(2)?.parse().ok()?;
    Some(pages * rustix::param::page_size() as u64)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn what_was_let_go_is_out_of_memory_and_reads_the_same() {
        let mut file = tempfile::tempfile().unwrap();
        let bytes: Vec<u8> = (0..2 * BUSY).map(|at| (at % 251).to_le_bytes()[0]).collect();
        file.write_all(&bytes).unwrap();
        let map = Map::of(&file).unwrap();
        assert!(*map == *bytes);
        let before = resident().unwrap();
        tend();
        // Others may map files meanwhile, but not so many.
        assert!(resident().unwrap() < before - 2 * MOST);
        assert!(*map == *bytes);
        // Searches do so too, as soon as it is their time again.
        let began = Instant::now();
        while resident().unwrap() >= before - 2 * MOST {
            assert!(began.elapsed().as_secs() < 10, "nobody lets it go");
            tend_now_and_then();
        }
        assert!(*map == *bytes);
    }
}
