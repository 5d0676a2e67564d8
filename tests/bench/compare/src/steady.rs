//! A thousand activities a second, ten at a time, while others search: when each can be found, and when it reaches who follows.

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};

use crate::{
    args::Args,
    data::Event,
    engine::Engine as _,
    feed::{Feed, thousands},
    http::Http,
    machine,
    questions::Question,
    report::{mark, quantile},
    server::{self, Server},
};

/// A word that no other activity has.
const MARK: &str = "steadily";

/// How long it goes on, and how many come how often.
const SECONDS: usize = 60;
const EVERY: Duration = Duration::from_millis(10);
const AT_ONCE: usize = 10;

/// The pause between two pages of who searches, and between two looks at what can be found.
const PAUSE: Duration = Duration::from_millis(5);

/// How long what came last may take to be found, before the run ends.
const PATIENCE: Duration = Duration::from_secs(30);

pub fn run(folder: &Path, served: &Path, args: &Args, feed: &Feed) -> anyhow::Result<()> {
    eprintln!("steady");
    let copy = folder.join("steady");
    machine::copy(served, &copy)?;
    let server = Server::start(&copy, args.binary.as_deref())?;
    server.found(feed.count(), &server::everything(feed)?)?;
    server.forget_peak()?;
    let count = SECONDS * 1000;
    let events: Vec<Event> = feed.events()?.take(count).collect::<anyhow::Result<_>>()?;
    let bodies = events.chunks(AT_ONCE).map(body).collect::<anyhow::Result<Vec<_>>>()?;
    let questions = feed.questions()?;
    let day = 86_400_000;
    let now = jiff::Timestamp::now().as_millisecond();
    let marked =
        Question { from: now - day, to: now + day, terms: vec![MARK.to_owned()], ..Question::default() };

    let (follower, over) = (Http::of(&server).follow(MARK)?, AtomicBool::new(false));
    let (answered, seen, told, pages) = thread::scope(|scope| {
        let told = scope.spawn(|| arrivals(follower, count));
        let seen = scope.spawn(|| looks(&server, &marked, count as u64));
        let pages = scope.spawn(|| searches(&server, &questions, &over));
        let answered = send(&server, &bodies);
        let seen = seen.join().map_err(|_| anyhow::anyhow!("who looks panicked"));
        let told = told.join().map_err(|_| anyhow::anyhow!("who follows panicked"));
        over.store(true, Ordering::Relaxed);
        let pages = pages.join().map_err(|_| anyhow::anyhow!("who searches panicked"));
        anyhow::Ok((answered?, seen??, told??, pages??))
    })?;

    // Of each activity: from the answer that it is on disk to the answer that has it.
    let mut found = Vec::with_capacity(count);
    let mut reached = Vec::with_capacity(count);
    let mut look = seen.iter().peekable();
    for (batch, at) in answered.iter().enumerate() {
        let sent = (batch + 1) * AT_ONCE;
        while look.next_if(|(_, total)| (*total as usize) < sent).is_some() {}
        let (when, _) = look.peek().context("something was never found")?;
        found.extend([when.saturating_duration_since(*at); AT_ONCE]);
        reached.extend(told[sent - AT_ONCE..sent].iter().map(|when| when.saturating_duration_since(*at)));
    }
    println!(
        "| {} activities at 1,000/s, while pages are asked for | p50 | p99 | p99.9 | longest |\n|---|--:|--:|--:|--:|",
        thousands(count as u64)
    );
    row("from the answer until it is found", found);
    row("from the answer until who follows has it", reached);
    row("a page meanwhile", pages);
    let memory = server.memory()?;
    println!(
        "\nRollcall's server has {} MB resident behind it, {} MB of them files; at most {} MB.\n",
        memory.resident >> 20,
        memory.files >> 20,
        memory.peak >> 20
    );
    server.stop()?;
    Ok(std::fs::remove_dir_all(&copy)?)
}

fn row(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |share| mark(quantile(&times, share));
    println!("| {what} | {} | {} | {} | {} |", at(0.5), at(0.99), at(0.999), at(1.0));
}

/// Activities that happen when they come, with the mark.
fn body(events: &[Event]) -> anyhow::Result<Vec<u8>> {
    let mut lines = Vec::new();
    for event in events {
        let line = serde_json::json!({
            "user": event.user, "app": event.app, "action": event.action,
            "detail": format!("{} {MARK}", event.detail), "ip": event.ip, "user_agent": event.user_agent,
            "session": event.session, "outcome": event.outcome(),
        });
        serde_json::to_writer(&mut lines, &line)?;
        lines.push(b'\n');
    }
    Ok(lines)
}

/// Sends one body after the other, each at its time; when each was answered.
fn send(server: &Server, bodies: &[Vec<u8>]) -> anyhow::Result<Vec<Instant>> {
    let http = Http::of(server);
    let began = Instant::now();
    let mut answered = Vec::with_capacity(bodies.len());
    for (body, turn) in bodies.iter().zip(0_u32..) {
        thread::sleep((began + EVERY * turn).saturating_duration_since(Instant::now()));
        let taken = http.post("application/x-ndjson", body)?;
        ensure!(taken.accepted == AT_ONCE as u64, "{} of {AT_ONCE} were taken", taken.accepted);
        answered.push(Instant::now());
    }
    Ok(answered)
}

/// How many can be found, again and again, until all can.
fn looks(server: &Server, marked: &Question, count: u64) -> anyhow::Result<Vec<(Instant, u64)>> {
    let http = Http::of(server);
    let end = Instant::now() + Duration::from_secs(SECONDS as u64) * 2 + PATIENCE;
    let mut seen = Vec::new();
    loop {
        let total = http.total(marked)?;
        seen.push((Instant::now(), total));
        if total >= count {
            return Ok(seen);
        }
        ensure!(Instant::now() < end, "only {total} of {count} can be found");
        thread::sleep(PAUSE);
    }
}

/// When each event came to who follows.
fn arrivals(stream: impl std::io::Read, count: usize) -> anyhow::Result<Vec<Instant>> {
    let mut came = Vec::with_capacity(count);
    for line in BufReader::new(stream).lines() {
        if line?.starts_with("event:activity") {
            came.push(Instant::now());
            if came.len() == count {
                return Ok(came);
            }
        }
    }
    anyhow::bail!("the stream ended after {} of {count}", came.len())
}

/// What pages took, of all questions in turn, until it is over.
fn searches(server: &Server, questions: &[Question], over: &AtomicBool) -> anyhow::Result<Vec<Duration>> {
    let mut http = Http::of(server);
    let mut took = Vec::new();
    for question in questions.iter().filter(|question| question.offset == 0).cycle() {
        if over.load(Ordering::Relaxed) {
            break;
        }
        let started = Instant::now();
        http.page(question)?;
        took.push(started.elapsed());
        thread::sleep(PAUSE);
    }
    Ok(took)
}
