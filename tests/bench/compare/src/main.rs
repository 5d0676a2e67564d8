//! Loads the same activities into Rollcall, PostgreSQL and SQLite's FTS5, asks each the same questions in turn, and prints
//! how long they take and how that compares. An answer that is not the same in all of them ends the run.
//!
//! ```sh
//! cargo run --release --manifest-path tests/bench/compare/Cargo.toml -- --folder DIR --start-postgres
//! ```
//!
//! What is loaded stays in the folder and is used again by the next run of the same data.

mod args;
mod care;
mod cluster;
#[allow(
    dead_code,
    clippy::all,
    clippy::pedantic,
    reason = "it is shared with the benches of Rollcall, which look after it"
)]
#[path = "../../data.rs"]
mod data;
mod engine;
mod export;
mod feed;
mod growth;
mod http;
mod inside;
mod intake;
mod machine;
mod postgres;
#[path = "../../questions.rs"]
mod questions;
mod report;
mod search;
mod server;
mod sqlite;
mod start;
mod steady;

use std::{env, fs, process::ExitCode};

use anyhow::Context as _;
use clap::Parser as _;

use self::{
    args::{Args, Part},
    cluster::Cluster,
    engine::Engine,
    feed::Feed,
    http::Http,
    inside::Inside,
    postgres::Postgres,
    server::Server,
    sqlite::Sqlite,
};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // The server that is compared is this program, started again as Rollcall's own.
    if env::var_os(server::AS_ROLLCALL).is_some() {
        return rollcall::cli::main();
    }
    match compare(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("compare: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn compare(args: &Args) -> anyhow::Result<()> {
    fs::create_dir_all(&args.folder)?;
    let folder = fs::canonicalize(&args.folder)?;
    let feed = Feed::of(args)?;
    let cluster = if args.start_postgres { Cluster::start(&folder.join("postgres"))? } else { None };
    let address = args.postgres.clone().or_else(|| cluster.as_ref().map(Cluster::address));
    // All connections are closed when the cluster is stopped.
    compare_with(args, &folder, &feed, address.as_deref())
}

fn compare_with(
    args: &Args,
    folder: &std::path::Path,
    feed: &Feed,
    postgres: Option<&str>,
) -> anyhow::Result<()> {
    let mut questions = feed.questions()?;
    questions.retain(|question| question.class.starts_with(&args.class));
    let served = folder.join(format!("rollcall-{}", feed.name()));
    eprintln!("Rollcall in {}", served.display());
    server::load(&served, feed, args.binary.as_deref())?;
    if args.alone {
        let mut engines: Vec<Box<dyn Engine>> = vec![Box::new(Inside::open(&served, feed)?)];
        report::searches(&search::run(&mut engines, &questions, args)?);
        return Ok(());
    }
    eprintln!("SQLite");
    let mut sqlite = Sqlite::load(&folder.join(format!("{}.sqlite", feed.name())), feed)?;
    let mut other = None;
    match postgres {
        None => println!(
            "PostgreSQL is left out: none was named with --postgres or found for --start-postgres.\n"
        ),
        Some(address) => {
            eprintln!("PostgreSQL");
            other = Some(Postgres::load(address, feed).context("PostgreSQL")?);
        }
    }
    report::head(feed, other.as_mut());
    let bytes = report::Bytes {
        rollcall: machine::bytes(&served, &["geo"])?,
        sqlite: sqlite.bytes()?,
        postgres: other.as_mut().map(Postgres::bytes).transpose()?,
    };

    if args.does(Part::Search) {
        // The server holds its folder, so what is asked in this process is asked of a copy.
        let copy = folder.join("inside");
        machine::copy(&served, &copy)?;
        let server = Server::start(&served, args.binary.as_deref())?;
        let mut engines: Vec<Box<dyn Engine + '_>> =
            vec![Box::new(Inside::open(&copy, feed)?), Box::new(Http::of(&server))];
        engines.extend(other.as_mut().map(|engine| Box::new(engine) as Box<dyn Engine>));
        engines.push(Box::new(&mut sqlite));
        let found = search::run(&mut engines, &questions, args)?;
        drop(engines);
        report::searches(&found);
        report::first(&found);
        report::serving(&bytes, feed.count(), &server.memory()?);
        server.stop()?;
        fs::remove_dir_all(&copy)?;
    }
    if args.does(Part::Growth) {
        growth::run(folder, &served, args, feed, &questions)?;
    }
    if args.does(Part::Export) {
        export::run(&served, args.binary.as_deref(), feed, other.as_mut())?;
    }
    if args.does(Part::Start) {
        start::run(&served, args.binary.as_deref(), feed)?;
    }
    if args.does(Part::Steady) {
        steady::run(folder, &served, args, feed)?;
    }
    if args.does(Part::Care) {
        care::run(folder, &served, args, feed)?;
    }
    if args.does(Part::Intake) {
        intake::batches(folder, args, feed, postgres)?;
    }
    if args.does(Part::Clients) {
        intake::clients(folder, args, feed, postgres)?;
    }
    Ok(())
}
