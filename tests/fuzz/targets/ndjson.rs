//! Lines of JSON as they come over the wire, in pieces of any size, and as they are read from a file.
#![no_main]

use std::io::BufReader;

use libfuzzer_sys::fuzz_target;
use rollcall::web::ingest::{Record, Records as _, json, lines::Blocks};
use rollcall_fuzz::{Pieces, SENDER, holds, run};

/// From how many bytes on a block of lines is whole.
const BLOCK: usize = 1 << 20;

type Lines = Vec<(u64, Record)>;

fuzz_target!(|input: &[u8]| {
    let lines = alone(input);
    for (_, record) in &lines {
        holds(record, input.len());
    }
    let most = input.len() as u64;
    for size in [1, 7, BLOCK] {
        assert_eq!(read(Pieces::of(input, size), most), (lines.clone(), true), "in pieces of {size}");
    }
    assert_eq!(from_file(input), lines);
    // What breaks off, or is more than may come, is taken as far as it came in whole lines.
    let cut = input.len() / 2;
    let came = input[..cut].iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let whole = alone(&input[..came]);
    assert_eq!(read(Pieces::broken(&input[..cut], 7), most), (whole, false), "broken off");
    if !input.is_empty() {
        let (some, ended) = read(Pieces::of(input, 7), most - 1);
        assert!(!ended && lines.starts_with(&some), "too many bytes");
    }
    // Now and then the end of a block falls among these lines.
    if input.first().is_some_and(|byte| byte % 64 == 0) {
        let filling = BLOCK - input.len().min(BLOCK) / 2;
        let mut long = vec![b' '; filling];
        long.push(b'\n');
        long.extend_from_slice(input);
        let below: Lines = lines.into_iter().map(|(line, record)| (line + 1, record)).collect();
        assert_eq!(read(Pieces::of(&long, 4096), BLOCK as u64 * 3), (below, true), "behind {filling} spaces");
    }
});

/// The records of lines that are cut at each end of a line.
fn alone(text: &[u8]) -> Lines {
    let lines = (1..).zip(text.split(|byte| *byte == b'\n'));
    lines.filter_map(|(line, bytes)| Some((line, json::line(bytes, SENDER)?))).collect()
}

/// What comes over the wire, and whether it came to its end.
fn read(pieces: Pieces<'_>, most: u64) -> (Lines, bool) {
    run(async {
        let (mut blocks, mut records) = (Blocks::new(pieces, SENDER, most), Lines::new());
        loop {
            let (block, failed) = blocks.next().await;
            let ended = block.is_none();
            records.extend(block.into_iter().flatten());
            if failed.is_some() || ended {
                return (records, failed.is_none());
            }
        }
    })
}

fn from_file(input: &[u8]) -> Lines {
    let mut file = json::Ndjson::new(BufReader::with_capacity(3, input), SENDER);
    std::iter::from_fn(|| file.next_record().expect("nothing fails")).collect()
}
