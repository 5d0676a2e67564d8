//! Everything as CSV, to a reader that only counts lines.

use std::{
    io::{BufReader, Read},
    path::Path,
    thread,
    time::{Duration, Instant},
};

use anyhow::ensure;

use crate::{
    feed::{Feed, thousands},
    http::Http,
    machine::Memory,
    postgres::Postgres,
    server::Server,
};

/// How long a server is left alone after its start.
const REST: Duration = Duration::from_secs(4);

pub fn run(
    folder: &Path,
    binary: Option<&Path>,
    feed: &Feed,
    postgres: Option<&mut Postgres>,
) -> anyhow::Result<()> {
    eprintln!("export");
    let server = Server::start(folder, binary)?;
    server.found(feed.count(), &crate::server::everything(feed)?)?;
    // What it does once after a start, and keeps, is no part of an export.
    thread::sleep(REST);
    let before = server.memory()?;
    server.forget_peak()?;
    let http = Http::of(&server);
    let started = Instant::now();
    let rows = lines(http.csv()?)? - 1;
    let took = started.elapsed().as_secs_f64();
    let after: Memory = server.memory()?;
    // Rollcall's own activities are in it as well.
    ensure!(rows >= feed.count(), "only {rows} rows were exported");
    println!(
        "| CSV of everything | {} rows/s | {} |",
        thousands((rows as f64 / took) as u64),
        match postgres {
            None => "–".to_owned(),
            Some(postgres) => {
                let started = Instant::now();
                let rows = lines(postgres.csv()?)? - 1;
                let rate = rows as f64 / started.elapsed().as_secs_f64();
                ensure!(rows == feed.count(), "PostgreSQL exported {rows} rows");
                format!("{} rows/s (`COPY`, without city, device and browser)", thousands(rate as u64))
            }
        }
    );
    println!(
        "| … and Rollcall's memory | {} MB before, {} MB at most | |\n",
        before.resident >> 20,
        after.peak >> 20
    );
    server.stop()
}

fn lines(from: impl Read) -> anyhow::Result<u64> {
    let mut from = BufReader::with_capacity(256 << 10, from);
    let mut buffer = vec![0; 256 << 10];
    let mut lines = 0;
    loop {
        let read = from.read(&mut buffer)?;
        if read == 0 {
            return Ok(lines);
        }
        lines += buffer[..read].iter().filter(|byte| **byte == b'\n').count() as u64;
    }
}
