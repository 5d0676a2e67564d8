//! The care of a full data folder: what it takes to verify it, to build its index anew, and to remove half of it.

use std::{
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use rollcall::{
    domain::{App, clock::Clock, sessions::Limits},
    model::{
        activity::NewActivity,
        retention::{Keep, Retention},
        user::Actor,
    },
};

use crate::{
    args::Args,
    data::MONTHS,
    feed::{Feed, thousands},
    machine::{self, Memory},
    report::{mark, quantile},
    server,
};

/// How often one is written while half of the log is removed.
const EVERY: Duration = Duration::from_millis(2);

/// The folder has given back what it will once nothing has changed for so long.
const STILL: Duration = Duration::from_secs(45);
const PATIENCE: Duration = Duration::from_secs(600);

pub fn run(folder: &Path, served: &Path, args: &Args, feed: &Feed) -> anyhow::Result<()> {
    eprintln!("care");
    let copy = folder.join("care");
    machine::copy(served, &copy)?;
    println!("| the care of {} activities | took | memory at most |\n|---|--:|--:|", thousands(feed.count()));
    for what in ["verify", "reindex"] {
        let (took, memory) = command(&copy, args, what)?;
        println!("| `rollcall {what}` | {took:.1?} | {} MB |", memory.peak >> 20);
    }
    println!();
    retention(&copy, feed)?;
    Ok(std::fs::remove_dir_all(&copy)?)
}

/// How long a command takes, and how much memory.
fn command(folder: &Path, args: &Args, what: &str) -> anyhow::Result<(Duration, Memory)> {
    let started = Instant::now();
    let mut command = server::command(folder, args.binary.as_deref())?;
    let mut child = command.arg(what).stdout(std::process::Stdio::null()).spawn()?;
    let mut memory = Memory::of(child.id())?;
    loop {
        if let Some(status) = child.try_wait()? {
            ensure!(status.success(), "{what} says {status}");
            return Ok((started.elapsed(), memory));
        }
        // One that has just ended has no memory to tell of.
        memory = Memory::of(child.id()).unwrap_or(memory);
        thread::sleep(Duration::from_millis(20));
    }
}

/// Removes the older half while somebody writes.
fn retention(folder: &Path, feed: &Feed) -> anyhow::Result<()> {
    let app = App::open(folder, None, Clock::system(), Limits::default())?;
    ensure!(app.catch_up(Duration::from_secs(3600)), "the index does not catch up");
    let before = machine::bytes(folder, &["geo"])?;
    let over = AtomicBool::new(false);
    let days = (app.now().as_millisecond() - MONTHS[6]) / 86_400_000;
    let half = Retention { all: Keep::Days(u16::try_from(days)?), ..Retention::default() };
    let (removed, hidden, cleared, mut waits) = thread::scope(|scope| {
        let writer = scope.spawn(|| write(&app, &over));
        let removing = || {
            let started = Instant::now();
            let removed = app.set_retention(&Actor::system(), &half, &app.outlook(&half)?)?;
            let hidden = started.elapsed();
            app.clear_away()?;
            anyhow::Ok((removed, hidden, started.elapsed()))
        };
        let removed = removing();
        over.store(true, Ordering::Relaxed);
        let waits = writer.join().map_err(|_| anyhow::anyhow!("the writer panicked"))??;
        let (removed, hidden, cleared) = removed?;
        anyhow::Ok((removed, hidden, cleared, waits))
    })?;
    waits.sort_unstable();
    let (after, settled) = settled(folder)?;
    println!("| {} of {} removed | |\n|---|--:|", thousands(removed), thousands(feed.count()));
    println!("| until they are in no answer | {hidden:.1?} |");
    println!("| until they are out of the log | {cleared:.1?} |");
    println!(
        "| one activity, written meanwhile every {EVERY:?}: p50 / p99 / longest, ms | {} / {} / {} |",
        mark(quantile(&waits, 0.5)),
        mark(quantile(&waits, 0.99)),
        mark(quantile(&waits, 1.0))
    );
    println!("| on disk before / after, MB | {} / {} |", before >> 20, after >> 20);
    println!("| until the last of it was given back | {settled:.0?} |\n");
    drop(app);
    Ok(())
}

/// Writes one activity after the other; how long each took to be on disk.
fn write(app: &App, over: &AtomicBool) -> anyhow::Result<Vec<Duration>> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let mut waits = Vec::new();
    while !over.load(Ordering::Relaxed) {
        let activity = NewActivity::new("ada", "opened", "wiki");
        let started = Instant::now();
        runtime.block_on(app.ingest(vec![activity]))?;
        waits.push(started.elapsed());
        thread::sleep(EVERY);
    }
    Ok(waits)
}

/// How much the folder takes once that changes no more, and how long that took.
fn settled(folder: &Path) -> anyhow::Result<(u64, Duration)> {
    let started = Instant::now();
    let (mut bytes, mut since) = (machine::bytes(folder, &["geo"])?, Instant::now());
    while since.elapsed() < STILL {
        ensure!(started.elapsed() < PATIENCE, "the folder does not come to rest");
        thread::sleep(Duration::from_millis(250));
        // A file may go while it is looked at.
        let now = machine::bytes(folder, &["geo"]).unwrap_or(bytes);
        if now.abs_diff(bytes) > 1 << 20 {
            (bytes, since) = (now, Instant::now());
        }
    }
    let took = since.duration_since(started);
    machine::bytes(folder, &["geo"]).map(|bytes| (bytes, took)).context("the folder is gone")
}
