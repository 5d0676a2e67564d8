//! Measures what a check of forward-auth costs: against a route of Rocket's that does nothing but answer with the same
//! headers, in one run, with few and with many live sessions; and what a live session takes in memory.
//!
//! Needs `wrk`. Both servers run in this process, one of them loaded at a time, over connections that are kept alive.
//!
//! ```sh
//! cargo bench --bench gate            # 100,000 sessions, 5 s a measurement
//! cargo bench --bench gate -- 10000 2
//! ```

#![expect(clippy::print_stdout, clippy::cast_precision_loss, reason = "it prints what it measured")]

use std::{
    env, fs,
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    process::Command,
};

use anyhow::Context as _;
use jiff::Timestamp;
use rocket::{
    Config, Request, Response,
    config::{Ident, LogLevel, Shutdown},
    figment::Figment,
    http::{Header, Method, Status},
    response::{self, Responder},
    route::{self, Handler, Route},
    shield::Shield,
};
use rollcall::{
    domain::{
        App,
        accounts::Details,
        clock::Clock,
        live::LiveTable,
        sessions::{Limits, Origin, Registration},
    },
    model::{
        app::{App as Wiki, HeaderFamily},
        device::Device,
        id::SessionId,
        place::Place,
        secret::TokenHash,
        session::{Scope, Session},
        user::Actor,
    },
    web::{
        self,
        door::{Networks, Settings},
    },
};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const PASSWORD: &str = "four horses in a field";

/// How many connections ask at once.
const CONNECTIONS: &str = "32";

/// How often each is measured; the median counts.
const ROUNDS: usize = 3;

fn main() -> anyhow::Result<()> {
    let mut args = env::args().skip(1).filter(|arg| arg != "--bench");
    let sessions = args.next().map_or(Ok(100_000), |count| count.parse())?;
    let seconds = args.next().map_or(Ok(5), |count| count.parse())?;
    println!("| a live session beyond its strings | {} bytes |", memory(sessions)?);
    println!("|---|---|");
    let folder = tempfile::tempdir()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let app = App::open(folder.path(), None, Clock::system(), Limits::default())?;
    let checking = runtime.block_on(serve(&app, folder.path()))?;
    let cookie = sign_in(checking)?;
    let headers = headers(checking, &cookie)?;
    let bare = runtime.block_on(serve_bare(headers))?;
    for live in [100, sessions] {
        runtime.block_on(fill(&app, live))?;
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
    Ok(())
}

/// Bytes of memory that a session without any text takes, in a table of so many.
fn memory(count: u32) -> anyhow::Result<u64> {
    let session = |n: u32| {
        let mut bits = [0; 32];
        bits[..4].copy_from_slice(&n.to_be_bytes());
        let now = Timestamp::UNIX_EPOCH;
        let session = Session {
            id: SessionId::from_bytes(bits[..16].try_into().unwrap_or_default()),
            user: "u".parse().ok()?,
            registered_by: None,
            ip: None,
            place: Place::default(),
            device: Device::default(),
            user_agent: String::new(),
            started: now,
            last_access: now,
            expires: now,
            apps: Vec::new(),
            mfa: false,
            ending: None,
        };
        Some((TokenHash(bits), session))
    };
    let before = resident()?;
    let table = LiveTable::of((0..count).filter_map(session));
    let after = resident()?;
    anyhow::ensure!(table.len() == count as usize, "the table does not hold them");
    Ok(after.saturating_sub(before) / u64::from(count))
}

/// The bytes of this process that are in memory.
fn resident() -> anyhow::Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? * 1024)
}

fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// Rollcall with the user ann and the app wiki; its port.
async fn serve(app: &App, folder: &std::path::Path) -> anyhow::Result<u16> {
    let console = Actor::console();
    app.add_user(&console, "ann", PASSWORD.to_owned(), Details::default()).await?;
    let wiki = Wiki {
        name: "wiki".into(),
        url: "https://wiki.example.org".into(),
        groups: Vec::new(),
        headers: HeaderFamily::Remote,
        created: app.now(),
    };
    app.put_app(&console, wiki).await?;
    let port = free_port()?;
    let this_machine = Networks::parse("127.0.0.1").into_iter().collect();
    let settings = Settings { trusted_proxies: Networks(this_machine), ..Settings::default() };
    let rocket = web::rocket(app.clone(), settings, ([127, 0, 0, 1], port).into(), folder);
    launch(rocket, port).await?;
    Ok(port)
}

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

/// Rocket, and a route that answers 204 with these headers; its port.
async fn serve_bare(headers: Vec<(String, String)>) -> anyhow::Result<u16> {
    #[derive(Clone)]
    struct Bare(Vec<(String, String)>);

    impl<'r> Responder<'r, 'static> for Bare {
        fn respond_to(self, _: &'r Request<'_>) -> response::Result<'static> {
            let mut response = Response::build().status(Status::NoContent).finalize();
            for (name, value) in self.0 {
                response.set_header(Header::new(name, value));
            }
            Ok(response)
        }
    }

    #[rocket::async_trait]
    impl Handler for Bare {
        async fn handle<'r>(&self, request: &'r Request<'_>, _: rocket::Data<'r>) -> route::Outcome<'r> {
            route::Outcome::from(request, self.clone())
        }
    }

    let port = free_port()?;
    let config = Config {
        port,
        ident: Ident::none(),
        log_level: LogLevel::Off,
        shutdown: Shutdown { ctrlc: false, signals: [].into(), ..Shutdown::default() },
        ..Config::default()
    };
    let routes = [Route::new(Method::Get, "/auth/forward", Bare(headers))];
    launch(rocket::custom(Figment::from(config)).attach(Shield::new()).mount("/", routes), port).await?;
    Ok(port)
}

/// What the proxy sends with every check.
fn asking(cookie: &str) -> [String; 8] {
    [
        format!("Cookie: {cookie}"),
        "User-Agent: Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:109.0) Gecko/20100101 Firefox/115.0".into(),
        "Accept: text/html,application/xhtml+xml;q=0.9,*/*;q=0.8".into(),
        "X-Forwarded-For: 203.0.113.7".into(),
        "X-Forwarded-Proto: https".into(),
        "X-Forwarded-Host: wiki.example.org".into(),
        "X-Forwarded-Method: GET".into(),
        "X-Forwarded-Uri: /page?a=b".into(),
    ]
}

/// Asks once; the head of the answer.
fn ask(port: u16, first: &str, headers: &[String], body: &str) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    let headers: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
    write!(
        stream,
        "{first} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n{headers}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text.split("\r\n\r\n").next().unwrap_or_default().to_owned())
}

fn sign_in(port: u16) -> anyhow::Result<String> {
    let body = format!("{{\"user\":\"ann\",\"password\":\"{PASSWORD}\"}}");
    let headers = ["Content-Type: application/json".to_owned()];
    let head = ask(port, "POST /api/v1/signin", &headers, &body)?;
    let cookie =
        head.lines().find_map(|line| line.to_ascii_lowercase().starts_with("set-cookie").then_some(line));
    let cookie =
        cookie.and_then(|line| line.split_once(": ")?.1.split(';').next()).with_context(|| head.clone())?;
    Ok(cookie.to_owned())
}

/// The headers of the answer to a check that lets the request pass, but for those that every server writes by itself.
fn headers(port: u16, cookie: &str) -> anyhow::Result<Vec<(String, String)>> {
    let head = ask(port, "GET /auth/forward", &asking(cookie), "")?;
    anyhow::ensure!(head.starts_with("HTTP/1.1 200"), "the check says {head}");
    let own = ["content-length", "connection", "date"];
    let lines = head.lines().skip(1).filter_map(|line| line.split_once(':'));
    let lines = lines.filter(|(name, _)| !own.contains(&name.to_ascii_lowercase().as_str()));
    Ok(lines.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect())
}

/// What `wrk` saw.
struct Load {
    /// Answers a second.
    rate: f64,
    /// Milliseconds, in which 99 of 100 were answered.
    p99: f64,
}

fn load(port: u16, cookie: &str, seconds: u32) -> anyhow::Result<Load> {
    let mut wrk = Command::new("wrk");
    wrk.args(["-t", "2", "-c", CONNECTIONS, "-d", &format!("{seconds}s"), "--latency"]);
    for line in asking(cookie) {
        wrk.args(["-H", &line]);
    }
    let output = wrk.arg(format!("http://127.0.0.1:{port}/auth/forward")).output();
    let text = String::from_utf8(output.context("wrk is missing; install it")?.stdout)?;
    anyhow::ensure!(!text.contains("Non-2xx"), "not every answer was good: {text}");
    let value = |name: &str| text.lines().find_map(|line| line.trim().strip_prefix(name).map(str::trim));
    let rate = value("Requests/sec:").context("wrk does not say how many")?.parse()?;
    let p99 = value("99%").context("wrk does not say how long")?;
    let millis = |text: &str, unit: f64| text.parse::<f64>().map(|value| value * unit);
    let p99 = match (p99.strip_suffix("us"), p99.strip_suffix("ms")) {
        (Some(text), _) => millis(text, 0.001),
        (_, Some(text)) => millis(text, 1.0),
        _ => millis(p99.trim_end_matches('s'), 1000.0),
    };
    Ok(Load { rate, p99: p99? })
}
