//! The harness: a whole Rollcall in this process, over a folder of its own, behind the real web server.
//!
//! Nothing is replaced but the clock, which stands still until a test moves it, and the socket: requests are
//! handed to Rocket directly. What needs a process of its own is in [`super::server`].

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use rocket::{
    Build, Rocket, Route,
    http::{Header, Method},
    local::asynchronous::{Client, LocalResponse},
};
use rollcall::{
    domain::{App, accounts::Details, clock::Clock, sessions::Limits},
    model::{
        id::ActivityId,
        token::TokenScope,
        user::{Actor, Role},
    },
    web::{self, door::Settings},
};
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::http::Reply;

/// When every house begins.
pub(crate) const NOW: &str = "2026-03-15T12:00:00Z";

/// Everybody's.
pub(crate) const PASSWORD: &str = "correct horse battery staple";

/// London in `MaxMind`'s test database.
pub(crate) const LONDON: &str = "81.2.69.142";

/// Firefox 115 on Ubuntu, as it says so itself.
pub(crate) const FIREFOX: &str =
    "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:109.0) Gecko/20100101 Firefox/115.0";

const HOST: &str = "rollcall.test";

/// A file of `tests/fixtures`.
pub(crate) fn fixture(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests", "fixtures", name].iter().collect()
}

/// Says what was not tested, or how much was, past the test runner, which keeps what a passing test prints to itself.
pub(crate) fn loudly(what: &str) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stderr(), "\n*** {what} ***\n");
}

/// `MaxMind`'s test database of cities.
pub(crate) fn cities() -> PathBuf {
    fixture("mmdb/GeoLite2-City-Test.mmdb")
}

/// A running Rollcall.
pub(crate) struct House {
    pub(crate) app: App,
    clock: Clock,
    client: Client,
    runtime: Runtime,
    /// The host that people name.
    host: String,
    /// What [`House::log`] reads the log with.
    reader: String,
    _folder: TempDir,
}

impl House {
    /// An empty one: nobody has an account.
    pub(crate) fn new() -> Self {
        Self::with_settings(Settings::default())
    }

    /// An empty one that is reached in another way.
    pub(crate) fn with_settings(settings: Settings) -> Self {
        Self::made(settings, Limits::default(), |rocket| rocket)
    }

    /// An empty one that also has these routes.
    pub(crate) fn with_routes(routes: Vec<Route>) -> Self {
        Self::made(Settings::default(), Limits::default(), |rocket| rocket.mount("/", routes))
    }

    /// An empty one with limits of its own.
    pub(crate) fn with_limits(limits: Limits) -> Self {
        Self::made(Settings::default(), limits, |rocket| rocket)
    }

    /// An empty one with both of its own.
    pub(crate) fn with_settings_and_limits(settings: Settings, limits: Limits) -> Self {
        Self::made(settings, limits, |rocket| rocket)
    }

    fn made(
        settings: Settings,
        limits: Limits,
        furnish: impl FnOnce(Rocket<Build>) -> Rocket<Build>,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::fixed(NOW.parse().unwrap());
        let app = App::open(folder.path(), Some(&cities()), clock.clone(), limits).unwrap();
        let listen = "127.0.0.1:0".parse().unwrap();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let host = settings.public_url.as_deref().and_then(|url| url.split("://").nth(1));
        let host = host.unwrap_or(HOST).to_owned();
        let rocket = furnish(web::rocket(app.clone(), settings, listen, folder.path()));
        let client = runtime.block_on(Client::untracked(rocket)).unwrap();
        let mut house = Self { app, clock, client, runtime, host, reader: String::new(), _folder: folder };
        house.reader = house.token("reader", &["activity:read"]);
        house
    }

    pub(crate) fn with_admin(self, name: &str) -> Self {
        self.with(name, Role::Admin)
    }

    pub(crate) fn with_auditor(self, name: &str) -> Self {
        self.with(name, Role::Auditor)
    }

    pub(crate) fn with_member(self, name: &str) -> Self {
        self.with(name, Role::Member)
    }

    fn with(self, name: &str, role: Role) -> Self {
        let details = Details { role: Some(role), ..Details::default() };
        let console = Actor::console();
        self.wait(self.app.add_user(&console, name, PASSWORD.to_owned(), details)).unwrap();
        self
    }

    /// A browser in London that nobody is signed in on.
    pub(crate) fn stranger(&self) -> Caller<'_> {
        let headers =
            [("Host", self.host.as_str()), ("Sec-Fetch-Site", "same-origin"), ("User-Agent", FIREFOX)];
        Caller {
            house: self,
            headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
            from: LONDON.parse().unwrap(),
        }
    }

    /// A browser that this user has just signed in on.
    pub(crate) fn signed_in(&self, user: &str) -> Caller<'_> {
        let stranger = self.stranger();
        let reply = stranger.sign_in(user, PASSWORD);
        assert_eq!(reply.status, 200, "{}", reply.text());
        stranger.with("Cookie", &reply.cookie())
    }

    /// A program with a new token of these scopes.
    pub(crate) fn program(&self, name: &str, scopes: &[&str]) -> Caller<'_> {
        self.bearer(&self.token(name, scopes))
    }

    /// A new token of these scopes.
    pub(crate) fn token(&self, name: &str, scopes: &[&str]) -> String {
        let scopes: Vec<TokenScope> = scopes.iter().map(|scope| scope.parse().unwrap()).collect();
        let console = Actor::console();
        let (_, secret) = self.wait(self.app.add_token(&console, name, scopes, None, None)).unwrap();
        secret.reveal()
    }

    /// A program with this token, in no browser.
    pub(crate) fn bearer(&self, token: &str) -> Caller<'_> {
        let headers = vec![
            ("Host".to_owned(), self.host.clone()),
            ("Authorization".to_owned(), format!("Bearer {token}")),
        ];
        Caller { house: self, headers, from: LONDON.parse().unwrap() }
    }

    /// Does this within the house's runtime.
    pub(crate) fn wait<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    /// Lets the clock run on.
    pub(crate) fn later(&self, by: SignedDuration) {
        self.clock.set(self.app.now() + by);
    }

    /// Has the clock jump, as when somebody sets it.
    pub(crate) fn jump(&self, by: SignedDuration) {
        self.clock.jump(by);
    }

    /// What happens every few seconds in a server.
    pub(crate) fn sweep(&self) {
        self.wait(self.app.sweep()).unwrap();
    }

    /// Waits until all that is in the log can be found.
    pub(crate) fn caught_up(&self) {
        let last = ActivityId(*self.app.log().watch().borrow());
        assert!(self.app.index().wait_for(last, Duration::from_secs(30)), "the index does not follow");
    }

    /// What time it is.
    pub(crate) fn now(&self) -> Timestamp {
        self.app.now()
    }

    /// The log, newest first, as an auditor's program reads it; but for that reading itself.
    pub(crate) fn log(&self, query: &str) -> Vec<Value> {
        let reader = self.bearer(&self.reader);
        self.caught_up();
        let reply = reader.get(&format!("/api/v1/activity?limit=1000&{query}"));
        assert_eq!(reply.status, 200, "{}", reply.text());
        let mut items = reply.json()["items"].as_array().unwrap().clone();
        items.retain(|item| item["user"] != "token reader");
        items
    }

    /// Every address that something answers at: method and address with its placeholders.
    pub(crate) fn addresses(&self) -> Vec<(Method, String)> {
        self.client.rocket().routes().map(|route| (route.method, route.uri.to_string())).collect()
    }
}

/// A client: a browser or a program, with what it always sends.
#[derive(Clone)]
pub(crate) struct Caller<'h> {
    house: &'h House,
    headers: Vec<(String, String)>,
    from: IpAddr,
}

impl Caller<'_> {
    /// The same, which also sends this.
    pub(crate) fn with(&self, name: &str, value: &str) -> Self {
        let mut other = self.without(name);
        other.headers.push((name.to_owned(), value.to_owned()));
        other
    }

    /// The same, which does not send this.
    pub(crate) fn without(&self, name: &str) -> Self {
        let mut other = self.clone();
        other.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        other
    }

    /// The same at another address.
    pub(crate) fn at(&self, ip: &str) -> Self {
        Self { from: ip.parse().unwrap(), ..self.clone() }
    }

    /// What it sends as `name`.
    pub(crate) fn header(&self, name: &str) -> &str {
        &self.headers.iter().find(|(known, _)| known == name).expect("it sends this").1
    }

    /// Sends a request; its answer has been let out, and is on its way for as long as nobody reads it.
    async fn dispatch(&self, method: Method, path: &str, body: &[u8]) -> LocalResponse<'_> {
        let mut request = self.house.client.req(method, path.to_owned());
        for (name, value) in &self.headers {
            request.add_header(Header::new(name.clone(), value.clone()));
        }
        request.remote(SocketAddr::new(self.from, 50_000)).body(body).dispatch().await
    }

    /// Asks, does this while the answer is on its way with that status, and then reads what it holds: none where it was broken
    /// off meanwhile.
    pub(crate) fn get_while<T>(&self, path: &str, on_its_way: impl FnOnce(u16) -> T) -> (T, Option<Vec<u8>>) {
        let response = self.house.wait(self.dispatch(Method::Get, path, b""));
        let done = on_its_way(response.status().code);
        (done, self.house.wait(response.into_bytes()))
    }

    pub(crate) fn send(&self, method: Method, path: &str, body: &[u8]) -> Reply {
        self.house.wait(async {
            let response = self.dispatch(method, path, body).await;
            let status = response.status().code;
            let headers = response.headers().iter();
            let headers =
                headers.map(|header| (header.name().to_string(), header.value().to_owned())).collect();
            let mut reply = Reply { status, headers, body: Vec::new() };
            // A stream of events has no end to wait for.
            if reply.header("Content-Type") != Some("text/event-stream") {
                reply.body = response.into_bytes().await.unwrap_or_default();
            }
            reply
        })
    }

    pub(crate) fn get(&self, path: &str) -> Reply {
        self.send(Method::Get, path, b"")
    }

    pub(crate) fn delete(&self, path: &str) -> Reply {
        self.send(Method::Delete, path, b"")
    }

    pub(crate) fn post(&self, path: &str, value: &Value) -> Reply {
        self.json(Method::Post, path, value)
    }

    pub(crate) fn put(&self, path: &str, value: &Value) -> Reply {
        self.json(Method::Put, path, value)
    }

    pub(crate) fn patch(&self, path: &str, value: &Value) -> Reply {
        self.json(Method::Patch, path, value)
    }

    fn json(&self, method: Method, path: &str, value: &Value) -> Reply {
        self.with("Content-Type", "application/json").send(method, path, value.to_string().as_bytes())
    }

    /// Sends a form of a page, with the token that the page holds for this session.
    pub(crate) fn form(&self, path: &str, fields: &[(&str, &str)]) -> Reply {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(fields);
        if self.headers.iter().any(|(name, _)| name == "Cookie") {
            form.append_pair("csrf", &self.form_token());
        }
        self.bare_form(path, &form.finish())
    }

    /// Sends a form as it is written here.
    pub(crate) fn bare_form(&self, path: &str, fields: &str) -> Reply {
        let caller = self.with("Content-Type", "application/x-www-form-urlencoded");
        caller.send(Method::Post, path, fields.as_bytes())
    }

    fn form_token(&self) -> String {
        let page = self.get("/profile").text();
        let (_, behind) = page.split_once("name=\"csrf\" value=\"").expect("the page has a form");
        behind.split_once('"').unwrap().0.to_owned()
    }

    pub(crate) fn sign_in(&self, user: &str, password: &str) -> Reply {
        self.post("/api/v1/signin", &serde_json::json!({"user": user, "password": password}))
    }

    /// The id of the session it is signed in with.
    pub(crate) fn session(&self) -> String {
        let reply = self.get("/api/v1/me");
        reply.json()["session"]["id"].as_str().expect("it is signed in").to_owned()
    }

    /// Whether its session still opens the door.
    pub(crate) fn is_in(&self) -> bool {
        match self.get("/api/v1/me").status {
            200 => true,
            401 => false,
            other => panic!("/me answers {other}"),
        }
    }
}
