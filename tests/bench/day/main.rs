//! A busy day, for some minutes: ten thousand live sessions, a thousand open connections, two hundred requests a second of what
//! people and proxies ask, and a thousand activities a second; then somebody tries passwords, five hundred a second.
//!
//! Rollcall runs in a process of its own. Every request has its time, and what it took is counted from then on, not from when
//! there was somebody free to ask: a server that stops for a second makes everything late that was due in it.
//!
//! ```sh
//! cargo bench --bench day            # ten minutes
//! cargo bench --bench day -- 60      # seconds
//! ```

#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "it prints what it measured, and asks at its times"
)]

mod connection;
mod server;
mod work;

use std::{
    env, io, thread,
    time::{Duration, Instant},
};

use self::{
    connection::Connection,
    server::Server,
    work::{Asked, Kind, Work},
};

/// Live sessions: those of browsers, and those that an app registered.
const BROWSERS: usize = 100;
const REGISTERED: usize = 9_900;

/// Open connections: those that checks and everything else are asked on, and event streams.
const FOR_CHECKS: usize = 600;
const FOR_OTHERS: usize = 300;
const STREAMS: usize = 100;

/// How long the flood of sign-ins lasts.
const FLOOD: Duration = Duration::from_secs(30);

fn main() -> anyhow::Result<()> {
    let seconds = env::args().skip(1).find_map(|arg| arg.parse().ok()).unwrap_or(600);
    let server = Server::start()?;
    let cookies = server.browsers(BROWSERS)?;
    server.register(REGISTERED)?;
    let streams = cookies.iter().cycle().take(STREAMS);
    for cookie in streams {
        let mut stream = Connection::new(server.port).stream("/api/v1/sessions/stream", cookie)?;
        // It ends with the server.
        thread::spawn(move || io::copy(&mut stream, &mut io::sink()));
    }
    println!(
        "| {seconds} s | asked | errors | p50 ms | p99 | p99.9 | longest |\n|---|--:|--:|--:|--:|--:|--:|"
    );
    let checks = Work { kinds: &[Kind::Check], rate: 140, connections: FOR_CHECKS, threads: 4 };
    let others = Work { kinds: &Kind::OTHERS, rate: 60, connections: FOR_OTHERS, threads: 4 };
    let lines = Work { kinds: &[Kind::Intake], rate: 20, connections: 2, threads: 2 };
    let whole = Duration::from_secs(seconds);
    let memory = thread::scope(|scope| {
        let all = [checks, others, lines].map(|work| {
            let (server, cookies) = (&server, &cookies);
            scope.spawn(move || work.run(server, cookies, whole))
        });
        let mut memory = vec![server.resident()?];
        let began = Instant::now();
        for tenth in 1..=10 {
            thread::sleep((began + whole * tenth / 10).saturating_duration_since(Instant::now()));
            memory.push(server.resident()?);
        }
        for work in all {
            for asked in work.join().map_err(|_| anyhow::anyhow!("who asks panicked"))?? {
                asked.print();
            }
        }
        anyhow::Ok(memory)
    })?;
    let memory: Vec<String> = memory.iter().map(|bytes| (bytes >> 20).to_string()).collect();
    println!("\nMB resident, at the start and after each tenth: {}\n", memory.join(", "));

    println!(
        "| a flood of sign-ins, {} s | asked | errors | p50 ms | p99 | p99.9 | longest |\n|---|--:|--:|--:|--:|--:|--:|",
        FLOOD.as_secs()
    );
    let flood = Work { kinds: &[Kind::Guess], rate: 500, connections: 64, threads: 8 };
    let asked: Vec<Asked> = thread::scope(|scope| {
        let all = [checks, flood].map(|work| {
            let (server, cookies) = (&server, &cookies);
            scope.spawn(move || work.run(server, cookies, FLOOD))
        });
        let all = all.map(|work| work.join().map_err(|_| anyhow::anyhow!("who asks panicked"))?);
        anyhow::Ok(all.into_iter().collect::<anyhow::Result<Vec<_>>>()?.into_iter().flatten().collect())
    })?;
    asked.iter().for_each(Asked::print);
    println!("\n{} MB resident behind it.", server.resident()? >> 20);
    server.stop()
}
