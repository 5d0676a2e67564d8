//! Taking in: on disk before the answer, with every index there.

use std::{
    path::Path,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::ensure;
use rusqlite::Connection;

use crate::{
    args::Args,
    data::Event,
    feed::{self, Feed, thousands},
    http::Http,
    postgres,
    report::{mark, quantile},
    server::{self, Server},
    sqlite,
};

/// Activities in a batch.
const BATCH: usize = 1000;

/// How many batches one takes in before it is the next one's turn.
const TURN: usize = 20;

/// How many clients there are, each with one activity at a time.
const CLIENTS: usize = 64;

/// How many activities the clients send altogether.
const SINGLES: usize = 20_000;

/// The table in PostgreSQL.
const TABLE: &str = "activity_intake";

/// One client, batches of a thousand, in turns.
pub fn batches(folder: &Path, args: &Args, feed: &Feed, address: Option<&str>) -> anyhow::Result<()> {
    eprintln!("intake");
    let events: Vec<Event> = feed.events()?.take(args.intake as usize).collect::<anyhow::Result<_>>()?;
    let fresh = folder.join("intake");
    server::prepare(&fresh, args.binary.as_deref())?;
    let server = Server::start(&fresh, args.binary.as_deref())?;
    let http = Http::of(&server);
    let everything = server::everything(feed)?;
    let file = folder.join("intake.sqlite");
    let lite = sqlite::create(&file)?;
    let mut client = address.map(postgres::connect).transpose()?;
    let mut insert = None;
    if let Some(client) = &mut client {
        postgres::create(client, TABLE)?;
        postgres::index(client, TABLE)?;
        insert = Some(client.prepare(&postgres::insert(TABLE))?);
    }

    let (mut answered, mut findable) = (Vec::new(), Duration::ZERO);
    let (mut lite_took, mut other_took) = (Vec::new(), Vec::new());
    let mut sent = 0;
    for turn in events.chunks(BATCH * TURN) {
        // What is sent is made before the clock runs.
        let bodies = turn.chunks(BATCH).map(feed::ndjson).collect::<anyhow::Result<Vec<_>>>()?;
        let began = Instant::now();
        for (body, batch) in bodies.iter().zip(turn.chunks(BATCH)) {
            let started = Instant::now();
            let taken = http.post("application/x-ndjson", body)?;
            answered.push(started.elapsed());
            ensure!(taken.accepted == batch.len() as u64, "{} of a batch were taken", taken.accepted);
        }
        sent += turn.len() as u64;
        server.found(sent, &everything)?;
        findable += began.elapsed();
        if let (Some(client), Some(insert)) = (&mut client, &insert) {
            for batch in turn.chunks(BATCH) {
                let arrays = postgres::arrays(batch);
                let started = Instant::now();
                client.execute(insert, &postgres::references(&arrays))?;
                other_took.push(started.elapsed());
            }
        }
        for batch in turn.chunks(BATCH) {
            let started = Instant::now();
            lite.execute_batch("begin immediate")?;
            sqlite::insert(&lite, batch)?;
            lite.execute_batch("commit")?;
            lite_took.push(started.elapsed());
        }
    }

    println!(
        "| taking in, batches of 1,000, one client | activities/s | Rollcall's | batch p50 | p99 |\n|---|---|---|---|---|"
    );
    let rate = |took: Duration| events.len() as f64 / took.as_secs_f64();
    let own = rate(answered.iter().sum());
    line("Rollcall, on disk", own, own, &mut answered);
    line("Rollcall, and to be found", rate(findable), own, &mut []);
    if client.is_some() {
        line("PostgreSQL", rate(other_took.iter().sum()), own, &mut other_took);
    }
    line("SQLite", rate(lite_took.iter().sum()), own, &mut lite_took);
    println!();
    if let Some(client) = &mut client {
        client.batch_execute(&format!("drop table {TABLE}"))?;
    }
    drop(lite);
    sqlite::remove(&file)?;
    server.stop()?;
    Ok(std::fs::remove_dir_all(&fresh)?)
}

fn line(what: &str, rate: f64, own: f64, took: &mut [Duration]) {
    took.sort_unstable();
    let times = if took.is_empty() {
        "| |".to_owned()
    } else {
        format!("{} | {} |", mark(quantile(took, 0.5)), mark(quantile(took, 0.99)))
    };
    println!("| {what} | {} | {:.1} × | {times}", thousands(rate as u64), own / rate);
}

/// Many clients, each of which sends one activity and waits until it is on disk.
pub fn clients(folder: &Path, args: &Args, feed: &Feed, address: Option<&str>) -> anyhow::Result<()> {
    eprintln!("clients");
    let events: Vec<Event> = feed.events()?.take(SINGLES).collect::<anyhow::Result<_>>()?;
    println!(
        "| 64 clients, one activity each | activities/s | Rollcall's | p50 | p99 |\n|---|---|---|---|---|"
    );

    let fresh = folder.join("intake");
    server::prepare(&fresh, args.binary.as_deref())?;
    let server = Server::start(&fresh, args.binary.as_deref())?;
    let bodies = events.iter().map(|event| feed::ndjson([event])).collect::<anyhow::Result<Vec<_>>>()?;
    let (mut took, seconds) = all(events.len(), || {
        let http = Http::of(&server);
        let bodies = &bodies;
        move |at| {
            let taken = http.post("application/json", &bodies[at])?;
            ensure!(taken.accepted == 1, "an activity was not taken");
            Ok(())
        }
    })?;
    let own = events.len() as f64 / seconds;
    line("Rollcall", own, own, &mut took);
    server.stop()?;
    std::fs::remove_dir_all(&fresh)?;

    if let Some(address) = address {
        let mut client = postgres::connect(address)?;
        postgres::create(&mut client, TABLE)?;
        postgres::index(&mut client, TABLE)?;
        let (mut took, seconds) = all(events.len(), || {
            let mut prepared = postgres::connect(address).and_then(|mut client| {
                let insert = client.prepare(&postgres::insert(TABLE))?;
                Ok((client, insert))
            });
            let events = &events;
            move |at| {
                let (client, insert) = prepared.as_mut().map_err(|error| anyhow::anyhow!("{error:#}"))?;
                let arrays = postgres::arrays(std::slice::from_ref(&events[at]));
                client.execute(&*insert, &postgres::references(&arrays))?;
                Ok(())
            }
        })?;
        line("PostgreSQL", events.len() as f64 / seconds, own, &mut took);
        client.batch_execute(&format!("drop table {TABLE}"))?;
    }

    // One connection writes, whoever asks: waiting for a lock in memory is cheaper than for one in the file.
    let file = folder.join("intake.sqlite");
    let lite = Mutex::new(sqlite::create(&file)?);
    let (mut took, seconds) = all(events.len(), || {
        let (lite, events) = (&lite, &events);
        move |at| {
            let lite: &Connection = &lite.lock().unwrap_or_else(PoisonError::into_inner);
            sqlite::insert(lite, std::slice::from_ref(&events[at]))
        }
    })?;
    line("SQLite, its writers in a queue", events.len() as f64 / seconds, own, &mut took);
    println!();
    drop(lite);
    sqlite::remove(&file)
}

/// Hands the numbers up to `count` to the clients, each made by `client` in a thread of its own; what each call took, and all
/// of them in seconds.
fn all<C>(count: usize, client: impl Fn() -> C + Sync) -> anyhow::Result<(Vec<Duration>, f64)>
where
    C: FnMut(usize) -> anyhow::Result<()>,
{
    let next = AtomicUsize::new(0);
    let ready = std::sync::Barrier::new(CLIENTS + 1);
    thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| {
                scope.spawn(|| {
                    let mut client = client();
                    ready.wait();
                    let mut took = Vec::new();
                    loop {
                        let at = next.fetch_add(1, Ordering::Relaxed);
                        if at >= count {
                            return anyhow::Ok(took);
                        }
                        let started = Instant::now();
                        client(at)?;
                        took.push(started.elapsed());
                    }
                })
            })
            .collect();
        ready.wait();
        let started = Instant::now();
        let mut took = Vec::new();
        for client in clients {
            took.extend(client.join().map_err(|_| anyhow::anyhow!("a client panicked"))??);
        }
        Ok((took, started.elapsed().as_secs_f64()))
    })
}
