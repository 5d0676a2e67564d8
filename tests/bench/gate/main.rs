//! Measures what a check of forward-auth costs: against a route of Rocket's that does nothing but answer with the same
//! headers, in one run, with few and with many live sessions; what a live session takes in memory; and how soon everybody knows of
//! a logout.
//!
//! Needs `wrk`. Both servers run in this process, one of them loaded at a time, over connections that are kept alive.
//!
//! ```sh
//! cargo bench --bench gate            # 100,000 sessions, 5 s a measurement
//! cargo bench --bench gate -- 10000 2
//! ```

#![expect(clippy::print_stdout, reason = "it prints what it measured")]

mod bare;
mod client;
mod logout;
mod memory;

use std::{env, net::TcpListener, path::Path, time::Duration};

use rollcall::{
    domain::{
        App,
        accounts::Details,
        clock::Clock,
        hooks::Courier,
        sessions::{Limits, Origin, Registration, SWEEP},
    },
    model::{
        app::{App as Wiki, HeaderFamily},
        session::Scope,
        user::{Actor, Role},
    },
    web::{
        self,
        door::{Networks, Settings},
    },
};

use self::client::{Load, PASSWORD, headers, load, sign_in};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How long the index may take.
const PATIENCE: Duration = Duration::from_mins(10);

/// How often each is measured; the median counts.
const ROUNDS: usize = 3;

fn main() -> anyhow::Result<()> {
    let mut args = env::args().skip(1).filter(|arg| arg != "--bench");
    let sessions = args.next().map_or(Ok(100_000), |count| count.parse())?;
    let seconds = args.next().map_or(Ok(5), |count| count.parse())?;
    println!("| a live session beyond its strings | {} bytes |", memory::of_a_session(sessions)?);
    println!("|---|---|");
    let folder = tempfile::tempdir()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let app = App::open(folder.path(), None, Clock::system(), Limits::default())?;
    let checking = runtime.block_on(serve(&app, folder.path()))?;
    let cookie = sign_in(checking)?;
    let headers = headers(checking, &cookie)?;
    let bare = runtime.block_on(bare::serve(headers))?;
    for live in [100, sessions] {
        runtime.block_on(fill(&app, live))?;
        // What told of so many sessions is not to be made findable while something else is measured.
        anyhow::ensure!(app.catch_up(PATIENCE), "the index does not catch up");
        let mut measured = Vec::new();
        for _ in 0..ROUNDS {
            let (bare, check) = (load(bare, &cookie, seconds)?, load(checking, &cookie, seconds)?);
            measured.push((bare, check));
        }
        let median = |of: &dyn Fn(&(Load, Load)) -> f64| {
            let mut values: Vec<f64> = measured.iter().map(of).collect();
            values.sort_by(f64::total_cmp);
            values[ROUNDS / 2]
        };
        println!(
            "| {live} live sessions: bare, checks a second, ratio | {:.0}, {:.0}, {:.3} |",
            median(&|(bare, _)| bare.rate),
            median(&|(_, check)| check.rate),
            median(&|(bare, check)| check.rate / bare.rate)
        );
        println!(
            "| their p99 in ms, ratio | {:.2}, {:.2}, {:.3} |",
            median(&|(bare, _)| bare.p99),
            median(&|(_, check)| check.p99),
            median(&|(bare, check)| check.p99 / bare.p99)
        );
    }
    let known = logout::measure(checking, &cookie)?;
    for (who, times) in [("another tab", known.tab), ("the webhook's app", known.app)] {
        let (median, longest) = (times[times.len() / 2], times[times.len() - 1]);
        println!(
            "| ms from a logout's answer until {who} is told: median, longest | {median:.1}, {longest:.1} |"
        );
    }
    Ok(())
}

fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// Rollcall with the user ann and the app wiki; its port.
async fn serve(app: &App, folder: &Path) -> anyhow::Result<u16> {
    let console = Actor::console();
    let admin = Details { role: Some(Role::Admin), ..Details::default() };
    app.add_user(&console, "ann", PASSWORD.to_owned(), admin).await?;
    let wiki = Wiki {
        name: "wiki".into(),
        url: "https://wiki.example.org".into(),
        groups: Vec::new(),
        headers: HeaderFamily::Remote,
        created: app.now(),
    };
    app.add_app(&console, wiki).await?;
    let port = free_port()?;
    let this_machine = Networks::parse("127.0.0.1").into_iter().collect();
    let settings = Settings { trusted_proxies: Networks(this_machine), ..Settings::default() };
    let rocket = web::rocket(app.clone(), settings, ([127, 0, 0, 1], port).into(), folder);
    launch(rocket, port).await?;
    tokio::spawn(Courier::new(app.clone()).run());
    let app = app.clone();
    tokio::spawn(async move {
        let mut tick = tokio::time::interval(SWEEP);
        loop {
            tick.tick().await;
            if let Err(error) = app.sweep().await {
                println!("the sweep failed: {error}");
            }
        }
    });
    Ok(port)
}

/// Serves; returns once it listens.
async fn launch(rocket: rocket::Rocket<rocket::Build>, port: u16) -> anyhow::Result<()> {
    tokio::spawn(rocket.launch());
    while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
        tokio::task::yield_now().await;
    }
    Ok(())
}

/// Has so many sessions live besides ann's own.
async fn fill(app: &App, count: u32) -> anyhow::Result<()> {
    let there = u32::try_from(app.live_sessions(&Scope::All, None).len())?;
    let mut waiting = tokio::task::JoinSet::new();
    for n in there..count {
        let app = app.clone();
        let registration = Registration {
            user: format!("user{n}").parse()?,
            app: "shop".into(),
            token: "shop".into(),
            origin: Origin::default(),
            ttl: None,
        };
        waiting.spawn(async move { app.register_session(&Actor::console(), registration).await });
        if waiting.len() >= 1000
            && let Some(done) = waiting.join_next().await
        {
            done??;
        }
    }
    while let Some(done) = waiting.join_next().await {
        done??;
    }
    Ok(())
}
