//! Measures the log alone, without an index or a server: how fast it takes activities in, how large they become, and how
//! fast it gives them back, one by one, by neighbours and from one end to the other.
//!
//! ```sh
//! cargo bench --bench log             # a million activities
//! cargo bench --bench log -- 10000000
//! ```

#![expect(clippy::print_stdout, clippy::cast_precision_loss, reason = "it prints what it measured")]

#[allow(dead_code, unreachable_pub, clippy::pedantic, reason = "benches share it, and none uses all of it")]
mod data;

use std::{
    env, fs,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use jiff::Timestamp;
use rollcall::{
    domain::random,
    model::{
        activity::{NewActivity, Outcome, SenderKey},
        id::ActivityId,
    },
    store::{FILE, Store, StoreError},
};

use self::data::{Event, Year};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How many activities a transaction appends.
const BATCH: usize = 1000;

/// How many are on a page.
const PAGE: usize = 50;

/// How many pages are read before it counts, and for a median.
const ROUNDS: (u64, u64) = (500, 1500);

/// When everything is written: 2026-01-01, behind the last of what is made up.
const NOW: Timestamp = Timestamp::constant(1_767_225_600, 0);

fn main() -> anyhow::Result<()> {
    let count =
        env::args().skip(1).find(|arg| arg != "--bench").map_or(Ok(1_000_000), |count| count.parse())?;
    let folder = tempfile::tempdir()?;
    append(folder.path(), count)?;
    let opened = Instant::now();
    let store = Store::open(folder.path(), NOW, random::bytes)?;
    println!("| opened | {:.1?} |", opened.elapsed());
    read(&store, count)
}

fn append(folder: &Path, count: u64) -> anyhow::Result<()> {
    println!("| {count} activities | |\n|---|---|");
    let store = Store::open(folder, NOW, random::bytes)?;
    let mut year = Year::of(count).map(|event| activity(&event));
    let mut taken = Duration::ZERO;
    loop {
        let batch: Vec<NewActivity> = year.by_ref().take(BATCH).collect();
        if batch.is_empty() {
            break;
        }
        // Making them up is not what is measured.
        let started = Instant::now();
        store.write(NOW, move |write| write.append_all(&batch)).wait().map_err(|error: StoreError| error)?;
        taken += started.elapsed();
    }
    println!(
        "| appended, {BATCH} a transaction, each on disk | {:.0}/s |",
        count as f64 / taken.as_secs_f64()
    );
    let closing = Instant::now();
    drop(store);
    println!("| closed | {:.1?} |", closing.elapsed());
    let bytes = fs::metadata(folder.join(FILE))?.len();
    println!(
        "| on disk, the senders' keys with them | {:.1} bytes an activity |",
        bytes as f64 / count as f64
    );
    Ok(())
}

fn read(store: &Store, count: u64) -> anyhow::Result<()> {
    // An odd step through all of them meets no two of a block, and each only once.
    let scattered = |round: u64| {
        (0..PAGE as u64).map(move |row| (round * 7_919 + row * (count / PAGE as u64)) % count + 1)
    };
    let together = |round: u64| (0..PAGE as u64).map(move |row| (round * 104_729 + row) % count + 1);
    println!("| {PAGE} scattered, by id | {:.0?} |", median(|round| page(store, scattered(round)))?);
    println!("| {PAGE} neighbours, by id | {:.0?} |", median(|round| page(store, together(round)))?);
    let started = Instant::now();
    let (mut last, mut all) = (ActivityId(0), 0);
    loop {
        let activities = store.read(|read| read.activities_after(last, 4096))?;
        let Some(newest) = activities.last() else { break };
        last = newest.id;
        all += activities.len() as u64;
    }
    anyhow::ensure!(all == count, "{all} of {count} activities were read");
    println!("| from one end to the other | {:.0}/s |", count as f64 / started.elapsed().as_secs_f64());
    Ok(())
}

fn page(store: &Store, ids: impl Iterator<Item = u64>) -> anyhow::Result<()> {
    let found = store.read(|read| read.activities(ids.map(ActivityId)))?;
    anyhow::ensure!(found.len() == PAGE, "{} of {PAGE} activities were read", found.len());
    Ok(())
}

/// The median of many rounds, behind some that warm up.
fn median(mut round: impl FnMut(u64) -> anyhow::Result<()>) -> anyhow::Result<Duration> {
    let (cold, warm) = ROUNDS;
    let mut times = Vec::new();
    for at in 0..cold + warm {
        let started = Instant::now();
        round(at)?;
        if at >= cold {
            times.push(started.elapsed());
        }
    }
    times.sort_unstable();
    times.get(times.len() / 2).copied().context("no rounds were made")
}

fn activity(event: &Event) -> NewActivity {
    let mut new = NewActivity::new(&event.user, &event.action, &event.app);
    new.time = Timestamp::from_millisecond(event.time).ok();
    new.detail.clone_from(&event.detail);
    new.outcome = if event.failed { Outcome::Failure } else { Outcome::Success };
    new.session = Some(event.session.clone());
    new.ip = Some(event.ip);
    new.user_agent = Some(event.user_agent.clone());
    new.key = Some(SenderKey { sender: "bench".into(), id: event.id.to_string() });
    new
}
