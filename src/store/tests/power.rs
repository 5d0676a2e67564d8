//! The power is cut at any write: of what was not synced, any sector may be there, gone, or torn, in any order; and
//! then it is cut once more while the file is being mended.

use std::{
    collections::BTreeSet,
    fmt, io, mem,
    sync::{Arc, Mutex, MutexGuard},
    thread,
};

use redb::StorageBackend;

use super::{Oracle, Random, open, script};

/// What a disk writes at once, in bytes.
const SECTOR: usize = 512;

/// Seeds that are tried. Set `ROLLCALL_POWER_CUTS` for more or fewer.
const SEEDS: u64 = 20_000;

/// A disk with a cache that forgets.
struct Disk(Mutex<Plates>);

#[derive(Default)]
struct Plates {
    /// What is there whatever happens.
    durable: Vec<u8>,
    /// What is read.
    current: Vec<u8>,
    /// The sectors that were written since they were last synced.
    unsynced: BTreeSet<usize>,
    /// How many writes there will be before the power is cut.
    left: u64,
    /// Whether a sync does what it says.
    honest: bool,
}

impl Disk {
    fn with(image: Vec<u8>, left: u64, honest: bool) -> Arc<Self> {
        let plates =
            Plates { durable: image.clone(), current: image, unsynced: BTreeSet::new(), left, honest };
        Arc::new(Self(Mutex::new(plates)))
    }

    fn powered(&self) -> io::Result<MutexGuard<'_, Plates>> {
        let plates = self.0.lock().unwrap();
        if plates.left == 0 { Err(io::Error::other("the power is out")) } else { Ok(plates) }
    }

    /// One more write.
    fn spend(&self) -> io::Result<MutexGuard<'_, Plates>> {
        let mut plates = self.powered()?;
        plates.left -= 1;
        Ok(plates)
    }

    /// What is found when the power is back.
    fn remains(&self, random: &mut Random) -> Vec<u8> {
        let plates = mem::take(&mut *self.0.lock().unwrap());
        let Plates { durable, current, unsynced, .. } = plates;
        let length = if random.below(2) == 0 { durable.len() } else { current.len() };
        let mut image = durable;
        image.resize(length, 0);
        for sector in unsynced {
            let start = sector * SECTOR;
            let whole = SECTOR.min(current.len().saturating_sub(start)).min(length.saturating_sub(start));
            let written = match random.below(3) {
                0 => 0,
                1 => whole,
                _ => whole.min(usize::try_from(random.below(SECTOR as u64)).unwrap()),
            };
            if written > 0 {
                image[start..start + written].copy_from_slice(&current[start..start + written]);
            }
        }
        image
    }
}

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a disk that may lose its power")
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.powered()?.current.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let plates = self.powered()?;
        let start = usize::try_from(offset).map_err(io::Error::other)?;
        let bytes = plates.current.get(start..start + out.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(bytes);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut plates = self.spend()?;
        plates.current.resize(usize::try_from(len).map_err(io::Error::other)?, 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut plates = self.spend()?;
        if plates.honest {
            let Plates { durable, current, unsynced, .. } = &mut *plates;
            durable.resize(current.len(), 0);
            for sector in mem::take(unsynced) {
                let start = (sector * SECTOR).min(current.len());
                let end = (start + SECTOR).min(current.len());
                durable[start..end].copy_from_slice(&current[start..end]);
            }
        }
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut plates = self.spend()?;
        let start = usize::try_from(offset).map_err(io::Error::other)?;
        let end = start + data.len();
        plates.current.get_mut(start..end).ok_or(io::ErrorKind::UnexpectedEof)?.copy_from_slice(data);
        plates.unsynced.extend(start / SECTOR..=(end - 1) / SECTOR);
        Ok(())
    }
}

/// A file to begin with, as an earlier run left it.
fn beginning() -> Vec<u8> {
    let disk = Disk::with(Vec::new(), u64::MAX, true);
    drop(open(disk.clone()).unwrap());
    let mut plates = disk.0.lock().unwrap();
    mem::take(&mut plates.current)
}

/// Runs a script until the power is cut, and holds what is found afterwards against what was acknowledged.
fn cut(beginning: &[u8], seed: u64, honest: bool) -> Result<(), String> {
    let mut random = Random(seed);
    let length = 2 + usize::try_from(random.below(10)).unwrap();
    let steps = script(&mut random, length);
    // A change is some twenty writes.
    let left = 1 + random.below(12 + 22 * length as u64);
    let disk = Disk::with(beginning.to_vec(), left, honest);
    let mut oracle = Oracle::default();
    if let Ok(store) = open(disk.clone()) {
        for step in steps {
            if oracle.take(&store, step).is_err() {
                break;
            }
        }
    }
    let mut image = disk.remains(&mut random);
    if random.below(2) == 0 {
        let disk = Disk::with(image, 1 + random.below(30), honest);
        drop(open(disk.clone()));
        image = disk.remains(&mut random);
    }
    let store = open(Disk::with(image, u64::MAX, true)).map_err(|error| error.to_string())?;
    oracle.judge(&store)
}

/// Cuts the power for each of `seeds`. Those that lost something, with what it was.
fn lost(seeds: u64, honest: bool) -> Vec<(u64, String)> {
    let beginning = beginning();
    let lines = thread::available_parallelism().map_or(1, |many| many.get() as u64);
    thread::scope(|scope| {
        let line = |first: u64| {
            let beginning = &beginning;
            scope.spawn(move || {
                let of_line = (first..seeds).step_by(usize::try_from(lines).unwrap());
                of_line
                    .filter_map(|seed| Some((seed, cut(beginning, seed, honest).err()?)))
                    .collect::<Vec<_>>()
            })
        };
        let lines: Vec<_> = (0..lines).map(line).collect();
        lines.into_iter().flat_map(|line| line.join().unwrap()).collect()
    })
}

#[test]
fn a_power_cut_at_any_moment_loses_nothing_that_was_acknowledged() {
    let seeds = std::env::var("ROLLCALL_POWER_CUTS").ok().and_then(|text| text.parse().ok()).unwrap_or(SEEDS);
    let lost = lost(seeds, true);
    assert!(lost.is_empty(), "{} of {seeds}: {:?}", lost.len(), &lost[..lost.len().min(5)]);
}

#[test]
fn a_disk_that_lies_about_its_syncs_is_found_out_by_the_same_test() {
    let lost = lost(200, false);
    assert!(lost.len() > 20, "only {} of 200 lost something", lost.len());
}
