//! The index is damaged in every way that comes to a disk's mind: it is opened, and finds what is there.

use std::{ffi::OsString, fs, thread};

use super::life::{assert_all_found, log, open};
use crate::{model::index::State, store::tests::Random};

/// How often it is damaged. Set `ROLLCALL_DAMAGES` for more or fewer.
const DAMAGES: u64 = 100;

/// What is left of a file; none where it is gone.
fn harmed(random: &mut Random, mut bytes: Vec<u8>) -> Option<Vec<u8>> {
    let length = bytes.len() as u64;
    let within = |random: &mut Random| usize::try_from(random.below(length.max(1))).unwrap();
    match random.below(6) {
        _ if bytes.is_empty() => bytes.push(7),
        0 => return None,
        1 => bytes.clear(),
        2 => bytes.truncate(within(random)),
        3 => {
            // A page of zeros, wherever it begins.
            let start = within(random);
            let end = bytes.len().min(start + 4096);
            bytes[start..end].fill(0);
        }
        4 => bytes.extend([0x5a; 100]),
        _ => {
            let at = within(random);
            bytes[at] ^= 1 << random.below(8);
        }
    }
    Some(bytes)
}

#[test]
fn whatever_is_damaged_everything_is_found_afterwards() {
    const COUNT: u64 = 120;
    let damages = std::env::var("ROLLCALL_DAMAGES").ok().and_then(|text| text.parse().ok());
    let damages = damages.unwrap_or(DAMAGES);
    let dir = tempfile::tempdir().unwrap();
    let (path, log) = (dir.path().join("index"), log(0));
    // Several segments: one for each life.
    for life in 0..3 {
        let index = open(&path, &log);
        for id in life * COUNT / 3 + 1..=(life + 1) * COUNT / 3 {
            log.append(super::life::numbered(id));
        }
        assert_all_found(&index, (life + 1) * COUNT / 3);
        index.stop();
    }
    let files: Vec<(OsString, Vec<u8>)> = fs::read_dir(&path)
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| !entry.file_name().to_string_lossy().ends_with(".lock"))
        .map(|entry| (entry.file_name(), fs::read(entry.path()).unwrap()))
        .collect();
    assert!(files.len() >= 15, "{} files", files.len());
    let lines = thread::available_parallelism().map_or(1, |many| many.get() as u64);
    thread::scope(|scope| {
        for line in 0..lines {
            let (files, log, copy) = (&files, &log, dir.path().join(format!("copy{line}")));
            scope.spawn(move || {
                for seed in (line..damages).step_by(usize::try_from(lines).unwrap()) {
                    let mut random = Random(seed);
                    let chosen = usize::try_from(random.below(files.len() as u64)).unwrap();
                    let _ = fs::remove_dir_all(&copy);
                    fs::create_dir(&copy).unwrap();
                    for (at, (name, bytes)) in files.iter().enumerate() {
                        let bytes = bytes.clone();
                        let left = if at == chosen { harmed(&mut random, bytes) } else { Some(bytes) };
                        if let Some(left) = left {
                            fs::write(copy.join(name), left).unwrap();
                        }
                    }
                    let index = open(&copy, log);
                    assert_all_found(&index, COUNT);
                    assert_eq!(index.status().state, State::Following, "seed {seed}");
                }
            });
        }
    });
}
