//! From the start of the server to the first answer.

use std::{path::Path, time::Instant};

use crate::{
    engine::Engine as _,
    feed::Feed,
    http::Http,
    server::{self, Server},
};

pub fn run(folder: &Path, binary: Option<&Path>, feed: &Feed) -> anyhow::Result<()> {
    eprintln!("start");
    let everything = server::everything(feed)?;
    let first = || {
        let started = Instant::now();
        let server = Server::start(folder, binary)?;
        Http::of(&server).page(&everything)?;
        anyhow::Ok((server, started.elapsed()))
    };
    let mut clean = Vec::new();
    let mut killed = Vec::new();
    for _ in 0..3 {
        let (server, took) = first()?;
        clean.push(took);
        server.found(feed.count(), &everything)?;
        server.kill()?;
        let (server, took) = first()?;
        killed.push(took);
        server.found(feed.count(), &everything)?;
        server.stop()?;
    }
    clean.sort_unstable();
    killed.sort_unstable();
    println!(
        "| Rollcall, from the start to the first page | after a clean stop | after `kill -9` |\n|---|---|---|"
    );
    println!("| median of three | {:.0?} | {:.0?} |\n", clean[1], killed[1]);
    Ok(())
}
