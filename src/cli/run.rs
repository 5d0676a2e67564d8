//! What each command does, in the server or beside it.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::IpAddr,
    time::Duration,
};

use jiff::tz::TimeZone;
use tokio::runtime::Handle;

use super::{
    args::{self, Activity, Command, Form, GeoCommand, Narrow, Sequence},
    care,
    files::Watcher,
    import, shown, table, verify,
};
use crate::{
    domain::{
        App,
        accounts::{AccountError, Details},
        apps::AppError,
        geo::Source,
        hooks::HookError,
    },
    model::{
        activity::Activity as Record,
        app,
        filter::{Asked, Filter, Order},
        hook::Delivery,
        id::SessionId,
        noun::sessions,
        period::{Period, Range},
        place::Network,
        query::Query,
        session::{Mandate, Scope},
        token::{self, TokenScope},
        user::{Actor, UserName},
    },
    web::{
        download::{self, Format},
        views::told,
        wire::{self, ActivityWire, SessionWire},
    },
};

/// The ends of a command, wherever it runs.
pub(super) struct Io<'a> {
    pub(super) input: &'a mut (dyn Read + Send),
    pub(super) out: &'a mut (dyn Write + Send),
    /// What stands beside what is written: the seal of an export.
    pub(super) seal: &'a mut (dyn Write + Send),
    pub(super) progress: &'a mut (dyn Watcher + Send),
}

/// The answer is no.
pub(super) const NO: u8 = 1;

/// It was asked wrongly, or could not be done.
pub(super) const WRONG: u8 = 2;

/// Runs a command; its exit code.
pub(super) fn run(app: &App, runtime: &Handle, command: Command, io: &mut Io<'_>) -> anyhow::Result<u8> {
    match command {
        Command::Serve(_) => anyhow::bail!("a server runs here already"),
        Command::User(command) => user(app, runtime, command, io),
        Command::Session(command) => session(app, runtime, command, io),
        Command::Token(command) => token(app, runtime, command, io),
        Command::App(command) => apps(app, runtime, command, io),
        Command::Activity(command) => activity(app, runtime, command, io),
        Command::Geo(command) => geo(app, command, io),
        Command::Verify(command) => verify::verify(app, &command, io),
        Command::Backup { .. } => care::backup(app, io),
        Command::Restore { .. } => care::refuse_restore(),
        Command::Check => care::check(app, io),
        Command::Reindex => care::reindex(app, io),
    }
}

fn user(app: &App, runtime: &Handle, command: args::User, io: &mut Io<'_>) -> anyhow::Result<u8> {
    let by = Actor::console();
    match command {
        args::User::Add { name, details, .. } => {
            let password = password(io)?;
            let added = runtime.block_on(app.add_user(&by, &name, password, said(details)?))?;
            writeln!(io.out, "added {} as {}", added.name, added.role)?;
        }
        args::User::List => {
            let rows: Vec<_> = app
                .users()
                .iter()
                .map(|user| {
                    let state = if user.disabled { "disabled" } else { "" };
                    let last = user.last_sign_in.map(wire::time).unwrap_or_default();
                    let name = user.name.to_string();
                    [
                        name,
                        user.role.to_string(),
                        user.full_name.clone(),
                        user.email.clone(),
                        user.groups.join(","),
                        last,
                        state.to_owned(),
                    ]
                })
                .collect();
            table::write(
                io.out,
                ["User", "Role", "Full name", "E-mail", "Groups", "Last sign-in", ""],
                &rows,
            )?;
        }
        args::User::Set { name, details, reset_second_factor } => {
            let name = known(app, &name)?;
            if reset_second_factor {
                runtime.block_on(app.reset_second_factor(&by, &name)).map_err(|error| match error {
                    AccountError::NoFactor(_) => No(error.to_string()).into(),
                    error => anyhow::Error::from(error),
                })?;
            }
            let changed = runtime.block_on(app.change_user(&by, &name, said(details)?))?;
            writeln!(io.out, "changed {}", changed.name)?;
        }
        args::User::Password { name, .. } => {
            let name = known(app, &name)?;
            let password = password(io)?;
            let set = runtime.block_on(app.set_password(&by, &name, password))?;
            writeln!(io.out, "changed the password of {name}; {} ended", sessions(set.ended))?;
        }
        args::User::Disable { name } => {
            let name = known(app, &name)?;
            runtime.block_on(app.set_disabled(&by, &name, true))?;
            writeln!(io.out, "disabled {name}; all sessions ended")?;
        }
        args::User::Enable { name } => {
            let name = known(app, &name)?;
            runtime.block_on(app.set_disabled(&by, &name, false))?;
            writeln!(io.out, "enabled {name}")?;
        }
        args::User::SecondFactor { of } => {
            if let Some(of) = of {
                runtime.block_on(app.set_demand(&by, of.parse()?))?;
            }
            writeln!(io.out, "a second factor is demanded of {}", app.demand())?;
        }
        args::User::Remove { name } => {
            let name = known(app, &name)?;
            runtime.block_on(app.remove_user(&by, &name))?;
            writeln!(io.out, "removed {name}; all sessions ended")?;
        }
    }
    Ok(0)
}

/// The answer is no, in a sentence.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct No(pub(super) String);

/// The exit code that an error stands for.
pub(super) fn code(error: &anyhow::Error) -> u8 {
    if error.is::<No>() { NO } else { WRONG }
}

fn known(app: &App, name: &str) -> anyhow::Result<UserName> {
    let parsed = name.parse::<UserName>().ok().filter(|name| app.user(name).is_some());
    Ok(parsed.ok_or_else(|| No(format!("there is no user {name}; `rollcall user list` shows them")))?)
}

fn said(details: args::Details) -> anyhow::Result<Details> {
    let args::Details { role, email, full_name, groups } = details;
    let role = role.map(|word| word.parse()).transpose()?;
    Ok(Details { role, full_name, email, groups: groups.map(named), disabled: None })
}

/// Names that stood with commas between them; spaces around them mean nothing.
fn named(words: Vec<String>) -> Vec<String> {
    words.iter().map(|word| word.trim()).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// The first line of standard input.
fn password(io: &mut Io<'_>) -> anyhow::Result<String> {
    let mut line = String::new();
    BufReader::new(io.input.take(64 << 10)).read_line(&mut line)?;
    let password = line.trim_end_matches(['\r', '\n']).to_owned();
    anyhow::ensure!(!password.is_empty(), "no password came on standard input");
    Ok(password)
}

fn session(app: &App, runtime: &Handle, command: args::Session, io: &mut Io<'_>) -> anyhow::Result<u8> {
    match command {
        args::Session::List { user, json } => {
            let user = user.map(|name| name.parse::<UserName>()).transpose()?;
            let live = app.live_sessions(&Scope::All, user.as_ref());
            let sessions = live.iter().map(|live| live.session());
            if json {
                let items: Vec<_> = sessions.map(|session| SessionWire::new(session, false)).collect();
                shown::json(io.out, &items, true)?;
                return Ok(0);
            }
            let rows: Vec<_> = sessions
                .map(|session| {
                    let ip = session.ip.map(|ip| ip.to_string()).unwrap_or_default();
                    let location = session.place.location(session.ip);
                    let device = session.device;
                    [
                        session.id.to_string(),
                        ip,
                        session.user.to_string(),
                        session.place.city.unwrap_or_default(),
                        location,
                        device.device,
                        device.os,
                        device.browser,
                        wire::time(session.last_access),
                    ]
                })
                .collect();
            let headings = [
                "Id",
                "Public IP",
                "User",
                "City",
                "Location",
                "Device Details",
                "OS Details",
                "Browser Details",
                "Last Access Time",
            ];
            table::write(io.out, headings, &rows)?;
            Ok(0)
        }
        args::Session::Logout { ids, user, all } => {
            let ids: Vec<SessionId> = if all {
                app.reachable(&Mandate::All, None)
            } else if let Some(user) = user {
                app.reachable(&Mandate::All, Some(&user.parse()?))
            } else {
                ids.iter().map(|id| id.parse()).collect::<Result<_, _>>()?
            };
            let ended = runtime.block_on(app.log_out(&Actor::console(), &Mandate::All, &ids, ""))?;
            writeln!(io.out, "{} ended", sessions(ended.len()))?;
            Ok(if ended.is_empty() { NO } else { 0 })
        }
    }
}

fn token(app: &App, runtime: &Handle, command: args::Token, io: &mut Io<'_>) -> anyhow::Result<u8> {
    let by = Actor::console();
    match command {
        args::Token::Add { name, scope, app: of, expires } => {
            let scopes: Vec<TokenScope> = scope.iter().map(|word| word.parse()).collect::<Result<_, _>>()?;
            let expires = token::expiry(expires.as_deref().unwrap_or_default(), app.now(), &TimeZone::UTC)?;
            let (_, secret) = runtime.block_on(app.add_token(&by, &name, scopes, of.as_deref(), expires))?;
            writeln!(io.out, "{}", secret.reveal())?;
        }
        args::Token::List => {
            let now = app.now();
            let rows: Vec<_> = app
                .tokens()
                .into_iter()
                .map(|token| {
                    let mut scopes: Vec<_> =
                        token.scopes.iter().map(|scope| scope.as_str().to_owned()).collect();
                    scopes.extend(token.app.as_ref().map(|app| format!("for {app}")));
                    let used = token.last_used.map_or_else(|| "never".to_owned(), wire::time);
                    let expires = match token.expires {
                        None => "never".to_owned(),
                        Some(at) if !token.valid(now) => format!("expired {}", wire::time(at)),
                        Some(at) => wire::time(at),
                    };
                    let made = wire::time(token.created);
                    let stopped = if app.stands_for(&token) { "" } else { " (stopped)" };
                    [token.name, scopes.join(" "), made, token.created_by + stopped, expires, used]
                })
                .collect();
            table::write(io.out, ["Token", "Scopes", "Made", "By", "Expires", "Last used"], &rows)?;
        }
        args::Token::Revoke { name } => {
            runtime.block_on(app.revoke_token(&by, &name)).map_err(|error| match error {
                crate::domain::tokens::TokenError::Unknown(_) => No(error.to_string()).into(),
                error => anyhow::Error::from(error),
            })?;
            writeln!(io.out, "revoked {name}")?;
        }
    }
    Ok(0)
}

fn apps(app: &App, runtime: &Handle, command: args::App, io: &mut Io<'_>) -> anyhow::Result<u8> {
    let by = Actor::console();
    match command {
        args::App::Add { name, url, groups, headers } => {
            let headers = headers.map(|family| family.parse()).transpose()?;
            let given = app::GivenApp { name, url, groups: groups.map(named), headers };
            let name = given.name.trim().to_owned();
            let there = app.apps()?.iter().any(|known| known.name == name);
            runtime.block_on(app.set_app(&by, given))?;
            writeln!(io.out, "{} {name}", if there { "changed" } else { "added" })?;
        }
        args::App::Set { name, url, groups, headers } => {
            let headers = headers.map(|family| family.parse()).transpose()?;
            let change = app::AppChange { url, groups: groups.map(named), headers };
            runtime.block_on(app.change_app(&by, &name, change)).map_err(no_app)?;
            writeln!(io.out, "changed {name}")?;
        }
        args::App::Hook { name, url: Some(url), .. } => {
            let (_, secret) = runtime.block_on(app.put_hook(&by, &name, &url)).map_err(no_hook)?;
            writeln!(io.out, "{}", secret.reveal())?;
        }
        args::App::Hook { name, remove: true, .. } => {
            runtime.block_on(app.remove_hook(&by, &name)).map_err(no_hook)?;
            writeln!(io.out, "removed the webhook of {name}")?;
        }
        args::App::Hook { name, retry: true, .. } => {
            let count = runtime.block_on(app.hasten_hook(&by, &name)).map_err(no_hook)?;
            match count {
                0 => writeln!(io.out, "nothing is left to tell {name}")?,
                _ => writeln!(io.out, "{count} waiting; {name} is told now")?,
            }
        }
        args::App::Hook { name, .. } => hook(app, &name, io)?,
        args::App::List => {
            let row = |app: app::App| [app.name, app.url, app.groups.join(","), app.headers.to_string()];
            let rows: Vec<_> = app.apps()?.into_iter().map(row).collect();
            table::write(io.out, ["App", "Address", "Groups", "Headers"], &rows)?;
        }
        args::App::Remove { name } => {
            runtime.block_on(app.remove_app(&by, &name)).map_err(no_app)?;
            writeln!(io.out, "removed {name}")?;
        }
    }
    Ok(0)
}

fn no_app(error: AppError) -> anyhow::Error {
    match error {
        AppError::Unknown(_) => No(error.to_string()).into(),
        error => error.into(),
    }
}

/// Where an app is told, and what it was told last.
fn hook(app: &App, name: &str, io: &mut Io<'_>) -> anyhow::Result<()> {
    const LAST: usize = 20;
    let (hook, waiting, deliveries) = app.hook(name, LAST).map_err(no_hook)?;
    match hook {
        Some(hook) => writeln!(io.out, "{}, {waiting} waiting", hook.url)?,
        None => return Err(no_hook(HookError::Unknown(name.to_owned()))),
    }
    let now = app.now();
    let row = |delivery: &Delivery| {
        [wire::time(delivery.ended), delivery.session.to_string(), told::long(delivery, now)]
    };
    let rows: Vec<_> = deliveries.iter().map(row).collect();
    table::write(io.out, ["Ended", "Session", "How far"], &rows)?;
    Ok(())
}

/// What is not there is an answer; everything else is a fault.
fn no_hook(error: HookError) -> anyhow::Error {
    match error {
        HookError::NoApp(_) | HookError::Unknown(_) => No(error.to_string()).into(),
        error => error.into(),
    }
}

fn activity(app: &App, runtime: &Handle, command: Activity, io: &mut Io<'_>) -> anyhow::Result<u8> {
    match command {
        Activity::Import { file } => {
            let name =
                file.file_name().map_or_else(|| "-".into(), |name| name.to_string_lossy().into_owned());
            import::import(app, runtime, &name, io)
        }
        Activity::Search { query, narrow, json, limit } => {
            let filter = filter(app, &query, &narrow)?;
            app.caught_up(CATCH_UP)?;
            let page = |behind: Option<&str>, left: usize| {
                app.search(&Scope::All, &filter, Order::Desc, behind, left.min(PAGE))
            };
            let (mut left, mut rows) = (limit as usize, Vec::new());
            let mut read = page(None, left)?;
            app.note_look(&Actor::console(), &Scope::All, &filter, &asked(&query, &narrow), false);
            // A page may be short of what was asked for and have more behind it.
            let more = loop {
                left -= read.items.len();
                for activity in &read.items {
                    if json {
                        shown::json(io.out, &ActivityWire::from(&**activity), false)?;
                    } else {
                        rows.push(row(activity));
                    }
                }
                let Some(next) = read.next else { break false };
                if left == 0 {
                    break true;
                }
                read = page(Some(&next), left)?;
            };
            if !json {
                table::write(
                    io.out,
                    ["Time", "User", "Activity", "App", "Outcome", "Public IP", "Detail"],
                    &rows,
                )?;
                if more {
                    writeln!(
                        io.out,
                        "and there are more: --limit N shows up to N of them, `rollcall activity export` writes all into a file"
                    )?;
                }
            }
            Ok(if left == limit as usize { NO } else { 0 })
        }
        Activity::Export { query, narrow, format, order, output } => {
            let filter = filter(app, &query, &narrow)?;
            app.caught_up(CATCH_UP)?;
            let order = match order {
                Sequence::Desc => Order::Desc,
                Sequence::Asc => Order::Asc,
            };
            let asked = asked(&query, &narrow);
            let format = match format {
                Form::Csv => Format::Csv { attributes: Vec::new(), raw: false },
                Form::Ndjson => Format::Ndjson,
            };
            let by = Actor::console();
            let export = app.export(&by, &Scope::All, &filter, order, &asked, &format.sheet())?;
            let (total, told) = (Some(export.rows()), export.told().clone());
            let Io { out, seal, progress, .. } = io;
            let lines: Option<&mut dyn Write> = output.is_some().then_some(&mut **seal);
            let done = download::write_all(export, &format, *out, lines, |rows| progress.rows(rows, total))?;
            if let Some(contents) = done {
                write!(seal, "{}", app.seal(&by, contents, &told)?)?;
                seal.flush()?;
            }
            Ok(0)
        }
    }
}

/// How many rows of a search are read at a time.
const PAGE: usize = 1000;

/// How long a command waits for an index that goes on, since what it says is whole: a large import that was never indexed takes its time.
const CATCH_UP: Duration = Duration::from_mins(10);

fn row(activity: &Record) -> [String; 7] {
    let detail: String = activity.detail.chars().take(100).collect();
    [
        wire::time(activity.time),
        activity.user.clone(),
        activity.action.clone(),
        activity.app.clone(),
        activity.outcome.to_string(),
        activity.ip.map(|ip| ip.to_string()).unwrap_or_default(),
        detail,
    ]
}

fn filter(app: &App, query: &str, narrow: &Narrow) -> anyhow::Result<Filter> {
    let query = Query::parse(query)
        .map_err(|error| anyhow::anyhow!("column {} of the query: {error}", error.column))?;
    let mut range = Range::between(narrow.from.as_deref(), narrow.to.as_deref(), &TimeZone::UTC)?;
    if let Some(period) = &narrow.period {
        range = range.and(period.parse::<Period>()?.range(app.now(), &TimeZone::UTC));
    }
    Ok(Filter { query, user: narrow.user.clone(), range, ..Filter::default() })
}

/// The same in the words of the contract.
fn asked(query: &str, narrow: &Narrow) -> Asked {
    let Narrow { user, period, from, to } = narrow.clone();
    let query = Some(query.to_owned()).filter(|query| !query.is_empty());
    let given = [("q", query), ("user", user), ("period", period), ("from", from), ("to", to)];
    Asked(given.into_iter().filter_map(|(name, value)| Some((name, value?))).collect())
}

fn geo(app: &App, command: args::Geo, io: &mut Io<'_>) -> anyhow::Result<u8> {
    if let Some(GeoCommand::Update { .. }) = command.update {
        let mut content = Vec::new();
        io.input.take(crate::domain::geo::MAX_BYTES + 1).read_to_end(&mut content)?;
        app.replace_geo_with(&Actor::console(), &content)?;
        let info = app.geo().info();
        writeln!(io.out, "now in use: {} of {}", info.database_type, day(info.built))?;
        return Ok(0);
    }
    let Some(ip) = command.ip else { anyhow::bail!("say which address: rollcall geo 81.2.69.142") };
    lookup(app, ip, io)
}

fn lookup(app: &App, ip: IpAddr, io: &mut Io<'_>) -> anyhow::Result<u8> {
    let (place, info) = (app.geo().place(ip), app.geo().info());
    let mut line = |name: &str, value: String| -> io::Result<()> {
        if value.is_empty() { Ok(()) } else { writeln!(io.out, "{name:<9} {value}") }
    };
    line("Address", ip.to_string())?;
    line("City", place.city.clone().unwrap_or_default())?;
    line("Location", place.location(Some(ip)))?;
    line("Country", place.country.clone().unwrap_or_default())?;
    if let (Some(latitude), Some(longitude)) = (place.latitude, place.longitude) {
        line("Position", format!("{latitude}, {longitude}"))?;
    }
    line(
        "Database",
        match &info.problem {
            Some(problem) if info.source == Source::Nowhere => format!("none: {problem}"),
            _ => format!("{} of {}", info.database_type, day(info.built)),
        },
    )?;
    let found = place.country.is_some() || place.city.is_some() || Network::of(ip) != Network::Public;
    Ok(if found { 0 } else { NO })
}

fn day(at: jiff::Timestamp) -> jiff::civil::Date {
    at.to_zoned_datetime(TimeZone::UTC).date()
}
