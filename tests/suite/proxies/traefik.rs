//! In Traefik's place. Traefik itself is in no package registry that the tests have their proxies from; this does what its
//! documentation and its sources (3.6) say of the few things that the manual's configuration asks for, and reads that
//! configuration. It is as true as that reading, and no proof that Traefik does the same.
//!
//! What becomes of a request, in this order: the entry point takes away what the client says of itself in `X-` headers that are
//! Traefik's own, says it anew, and takes away what `Connection` names; the router is chosen by `Host` and `PathPrefix`, the longest
//! rule first; its middlewares have their turns; and what is left goes to the service.

use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{IpAddr, Shutdown, TcpListener, TcpStream},
    sync::Arc,
    thread,
};

use regex::Regex;
use serde_json::{Map, Value, json};

/// The `X-` headers that the entry point manages; it also takes them away where they are written with underscores.
const MANAGED: [&str; 13] = [
    "X-Forwarded-Proto",
    "X-Forwarded-Scheme",
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Forwarded-Port",
    "X-Forwarded-Server",
    "X-Forwarded-Uri",
    "X-Forwarded-Method",
    "X-Forwarded-Prefix",
    "X-Forwarded-Tls-Client-Cert",
    "X-Forwarded-Tls-Client-Cert-Info",
    "X-Scheme",
    "X-Real-Ip",
];

/// What is one connection's own matter, and goes no further: not to the authentication server, and of its answer not to the client.
const HOP: [&str; 6] = ["Connection", "Keep-Alive", "Te", "Trailers", "Transfer-Encoding", "Upgrade"];

/// Starts one with these dynamic configurations, that lives as long as the tests; its port.
pub(super) fn start(texts: &[String]) -> u16 {
    let config = Arc::new(Config::of(texts));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let config = Arc::clone(&config);
            thread::spawn(move || drop(config.serve(stream)));
        }
    });
    port
}

/// What the configurations say together.
struct Config {
    /// The longest rule first.
    routers: Vec<Router>,
}

struct Router {
    host: String,
    prefix: String,
    middlewares: Vec<Middleware>,
    /// Host and port.
    service: String,
}

enum Middleware {
    /// `headers`: what is empty is taken away.
    Headers(Vec<(String, String)>),
    ForwardAuth(Auth),
}

struct Auth {
    server: String,
    path: String,
    /// `authResponseHeadersRegex`.
    copied: Regex,
}

impl Config {
    /// Reads them as the file provider reads a folder: what has a name in one of them has it in all.
    fn of(texts: &[String]) -> Self {
        let mut all = Map::new();
        for text in texts {
            let Value::Object(kinds) = yaml(text)["http"].take() else {
                panic!("there is no http in {text}")
            };
            for (kind, named) in kinds {
                let known = all.entry(kind).or_insert_with(|| Map::new().into()).as_object_mut().unwrap();
                for (name, is) in named.as_object().unwrap() {
                    let before = known.insert(name.clone(), is.clone());
                    assert!(before.is_none_or(|before| before == *is), "{name} is two things");
                }
            }
        }
        let all = Value::Object(all);
        let mut routers: Vec<(usize, Router)> = fields(&all["routers"])
            .map(|(_, router)| (text(&router["rule"]).len(), Router::of(router, &all)))
            .collect();
        routers.sort_by_key(|(length, _)| std::cmp::Reverse(*length));
        Self { routers: routers.into_iter().map(|(_, router)| router).collect() }
    }

    /// Serves one client after another request, as long as it likes.
    fn serve(&self, stream: TcpStream) -> io::Result<()> {
        let client = stream.peer_addr()?.ip();
        let mut from = BufReader::new(stream);
        while let Some((head, body)) = Head::read(&mut from)? {
            let close = head.tokens("Connection").any(|token| token.eq_ignore_ascii_case("close"));
            match self.answer(head, &body, client) {
                Answer::Whole(head, body) => head.write(from.get_mut(), &body)?,
                Answer::Switched(head, service) => return tunnel(&head, from, service),
            }
            if close {
                break;
            }
        }
        Ok(())
    }

    fn answer(&self, mut head: Head, body: &[u8], client: IpAddr) -> Answer {
        let Some(request) = Request::of(&head) else { return Answer::plain(400, "Bad Request") };
        request.enters(&mut head, client);
        let Some(router) = self.routers.iter().find(|router| router.takes(&request)) else {
            return Answer::plain(404, "Not Found");
        };
        for middleware in &router.middlewares {
            match middleware {
                Middleware::Headers(custom) => {
                    for (name, value) in custom {
                        head.remove(name);
                        if !value.is_empty() {
                            head.set(name, value);
                        }
                    }
                }
                Middleware::ForwardAuth(auth) => {
                    if let Err(refusal) = auth.ask(&request, &mut head, client) {
                        return refusal;
                    }
                }
            }
        }
        request
            .goes_on(head, body, client, &router.service)
            .unwrap_or_else(|_| Answer::plain(502, "Bad Gateway"))
    }
}

impl Router {
    fn of(router: &Value, all: &Value) -> Self {
        let (mut host, mut prefix) = (String::new(), String::new());
        for matcher in text(&router["rule"]).split("&&") {
            let matcher = matcher.trim();
            let inside = |name: &str| matcher.strip_prefix(name)?.strip_prefix("(`")?.strip_suffix("`)");
            match (inside("Host"), inside("PathPrefix")) {
                (Some(named), _) => named.clone_into(&mut host),
                (_, Some(named)) => named.clone_into(&mut prefix),
                _ => panic!("{matcher} is no matcher that is known here"),
            }
        }
        let middlewares = router["middlewares"].as_array().into_iter().flatten();
        let middlewares = middlewares.map(|name| Middleware::of(&all["middlewares"][text(name)]));
        let service = &all["services"][text(&router["service"])]["loadBalancer"]["servers"][0]["url"];
        let service = text(service).strip_prefix("http://").expect("a service has an address").to_owned();
        Self { host, prefix, middlewares: middlewares.collect(), service }
    }

    /// Hosts are compared without their ports.
    fn takes(&self, request: &Request) -> bool {
        let host = request.host.split(':').next().unwrap_or_default();
        host.eq_ignore_ascii_case(&self.host) && request.uri.starts_with(&self.prefix)
    }
}

impl Middleware {
    fn of(middleware: &Value) -> Self {
        let (kind, options) = fields(middleware).next().expect("a middleware is of a kind");
        let known = |known: &[&str]| {
            let unknown = fields(options).find(|(name, _)| !known.contains(&name.as_str()));
            assert!(unknown.is_none(), "{kind} has {unknown:?}, which is not known here");
        };
        match kind.as_str() {
            "headers" => {
                known(&["customRequestHeaders"]);
                let custom = fields(&options["customRequestHeaders"]);
                Self::Headers(custom.map(|(name, value)| (name.clone(), text(value).to_owned())).collect())
            }
            "forwardAuth" => {
                known(&["address", "authResponseHeadersRegex"]);
                let address = text(&options["address"]).strip_prefix("http://").expect("an address");
                let (server, path) = address.split_once('/').expect("a path");
                let copied = Regex::new(text(&options["authResponseHeadersRegex"])).unwrap();
                Self::ForwardAuth(Auth { server: server.to_owned(), path: format!("/{path}"), copied })
            }
            other => panic!("{other} is no middleware that is known here"),
        }
    }
}

impl Auth {
    /// Asks the authentication server about a request: by GET, without a body, with all headers of the client but those of the
    /// connection, and with what `trustForwardHeader: false` says of it.
    fn ask(&self, request: &Request, head: &mut Head, client: IpAddr) -> Result<(), Answer> {
        let mut check = Head { first: format!("GET {} HTTP/1.1", self.path), lines: head.lines.clone() };
        for name in HOP.into_iter().chain(["Content-Length", "Host"]) {
            check.remove(name);
        }
        for (name, value) in [
            ("X-Forwarded-For", client.to_string().as_str()),
            ("X-Forwarded-Method", &request.method),
            ("X-Forwarded-Proto", "http"),
            ("X-Forwarded-Host", &request.host),
            ("X-Forwarded-Uri", &request.uri),
            ("Host", &self.server),
        ] {
            check.set(name, value);
        }
        let asked = ask(&self.server, &check, b"").and_then(|mut answer| {
            Head::read(&mut answer)?.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
        });
        let Ok((mut answer, body)) = asked else { return Err(Answer::plain(500, "Internal Server Error")) };
        if !(200..300).contains(&answer.status()) {
            for name in HOP {
                answer.remove(name);
            }
            return Err(Answer::Whole(answer, body));
        }
        head.lines.retain(|(name, _)| !self.copied.is_match(name));
        head.lines.extend(answer.lines.into_iter().filter(|(name, _)| self.copied.is_match(name)));
        Ok(())
    }
}

/// What a request line says.
struct Request {
    method: String,
    host: String,
    /// Path and query.
    uri: String,
    /// Whether a socket is asked for.
    upgrade: bool,
}

impl Request {
    /// Reads the request line. One that names a whole address names the host, whatever stands in `Host`.
    fn of(head: &Head) -> Option<Self> {
        let (method, rest) = head.first.split_once(' ')?;
        let (target, _) = rest.split_once(' ')?;
        let (host, uri) = match target.strip_prefix("http://") {
            Some(address) => {
                let (host, path) = address.split_once('/').unwrap_or((address, ""));
                (host.to_owned(), format!("/{path}"))
            }
            None => (head.get("Host")?.to_owned(), target.to_owned()),
        };
        let method = method.to_owned();
        let upgrade = head.tokens("Connection").any(|token| token.eq_ignore_ascii_case("upgrade"));
        Some(Self { method, host, uri, upgrade: upgrade && head.get("Upgrade").is_some() })
    }

    /// What the entry point does where no client is trusted.
    fn enters(&self, head: &mut Head, client: IpAddr) {
        head.lines.retain(|(name, _)| !is_managed(name));
        let proto = if self.upgrade { "ws" } else { "http" };
        let port = self.host.split_once(':').map_or("80", |(_, port)| port).to_owned();
        for (name, value) in [
            ("X-Real-Ip", client.to_string().as_str()),
            ("X-Forwarded-Proto", proto),
            ("X-Forwarded-Port", &port),
            ("X-Forwarded-Host", &self.host),
            ("X-Forwarded-Server", "traefik"),
        ] {
            head.set(name, value);
        }
        let upgrade = head.get("Upgrade").filter(|_| self.upgrade).map(str::to_owned);
        let named: Vec<String> = head.tokens("Connection").map(str::to_owned).collect();
        for name in named.iter().filter(|name| !is_managed(name)) {
            head.remove(name);
        }
        head.remove("Connection");
        if let Some(upgrade) = upgrade {
            head.set("Upgrade", &upgrade);
            head.set("Connection", "Upgrade");
        }
    }

    /// Passes it on to the service, with the host that the client named.
    fn goes_on(&self, mut head: Head, body: &[u8], client: IpAddr, service: &str) -> io::Result<Answer> {
        head.first = format!("{} {} HTTP/1.1", self.method, self.uri);
        head.set("Host", &self.host);
        head.set("X-Forwarded-For", &client.to_string());
        let mut from = ask(service, &head, body)?;
        let (mut answer, body) = Head::read(&mut from)?.ok_or(io::ErrorKind::UnexpectedEof)?;
        if answer.status() == 101 {
            return Ok(Answer::Switched(answer, from));
        }
        for name in HOP {
            answer.remove(name);
        }
        Ok(Answer::Whole(answer, body))
    }
}

fn is_managed(name: &str) -> bool {
    MANAGED.iter().any(|managed| name.replace('_', "-").eq_ignore_ascii_case(managed))
}

/// What the client is answered.
enum Answer {
    Whole(Head, Vec<u8>),
    /// From here on both sides say what they like; what the service has said already may be read.
    Switched(Head, BufReader<TcpStream>),
}

impl Answer {
    fn plain(status: u16, words: &str) -> Self {
        let lines = vec![("Content-Length".to_owned(), "0".to_owned())];
        Self::Whole(Head { first: format!("HTTP/1.1 {status} {words}"), lines }, Vec::new())
    }
}

/// The head of a request or of an answer.
struct Head {
    first: String,
    lines: Vec<(String, String)>,
}

impl Head {
    /// Reads one, and the body behind it, of which the length is said.
    fn read(from: &mut BufReader<TcpStream>) -> io::Result<Option<(Self, Vec<u8>)>> {
        let mut line = || -> io::Result<String> {
            let mut line = String::new();
            from.read_line(&mut line)?;
            Ok(line.trim_end().to_owned())
        };
        let mut head = Self { first: line()?, lines: Vec::new() };
        if head.first.is_empty() {
            return Ok(None);
        }
        while let Some((name, value)) = line()?.split_once(':') {
            head.lines.push((name.to_owned(), value.trim().to_owned()));
        }
        assert!(head.get("Transfer-Encoding").is_none(), "bodies in pieces are not known here");
        let length = head.get("Content-Length").map_or(Ok(0), str::parse).map_err(io::Error::other)?;
        let mut body = vec![0; length];
        from.read_exact(&mut body)?;
        Ok(Some((head, body)))
    }

    fn write(&self, to: &mut TcpStream, body: &[u8]) -> io::Result<()> {
        let mut bytes = Vec::new();
        write!(bytes, "{}\r\n", self.first)?;
        for (name, value) in &self.lines {
            write!(bytes, "{name}: {value}\r\n")?;
        }
        to.write_all(&[&bytes, b"\r\n".as_slice(), body].concat())
    }

    fn status(&self) -> u16 {
        self.first.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("an answer has a status")
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.lines.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    fn set(&mut self, name: &str, value: &str) {
        self.remove(name);
        self.lines.push((name.to_owned(), value.to_owned()));
    }

    fn remove(&mut self, name: &str) {
        self.lines.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
    }

    /// The words of all lines of this name, between which there are commas.
    fn tokens(&self, name: &str) -> impl Iterator<Item = &str> {
        let lines = self.lines.iter().filter(move |(known, _)| known.eq_ignore_ascii_case(name));
        lines.flat_map(|(_, value)| value.split(',')).map(str::trim)
    }
}

/// Sends a request; where the answer is read from.
fn ask(server: &str, head: &Head, body: &[u8]) -> io::Result<BufReader<TcpStream>> {
    let mut to = TcpStream::connect(server)?;
    head.write(&mut to, body)?;
    Ok(BufReader::new(to))
}

/// Hands on what both sides say, until either has gone.
fn tunnel(head: &Head, client: BufReader<TcpStream>, service: BufReader<TcpStream>) -> io::Result<()> {
    let (mut to_client, mut to_service) = (client.get_ref().try_clone()?, service.get_ref().try_clone()?);
    head.write(&mut to_client, b"")?;
    let (mut client, mut service) = (client, service);
    thread::spawn(move || {
        let _ = io::copy(&mut client, &mut to_service);
        to_service.shutdown(Shutdown::Both)
    });
    io::copy(&mut service, &mut to_client)?;
    to_client.shutdown(Shutdown::Both)
}

fn fields(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().unwrap_or_else(|| panic!("{value} has no fields")).iter()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text"))
}

/// Reads as much of YAML as the manual's configuration is written in: maps by their indentation, texts with quotation marks or
/// without, and lists and maps on one line.
fn yaml(text: &str) -> Value {
    let lines = text.lines().filter(|line| !line.trim().is_empty() && !line.trim().starts_with('#'));
    let lines: Vec<(usize, &str)> =
        lines.map(|line| (line.len() - line.trim_start().len(), line.trim())).collect();
    let mut rest = lines.as_slice();
    let read = block(&mut rest, 0);
    assert!(rest.is_empty(), "this is not understood: {rest:?}");
    read
}

fn block(lines: &mut &[(usize, &str)], indent: usize) -> Value {
    let mut map = Map::new();
    while let Some(((at, line), rest)) = lines.split_first().filter(|((at, _), _)| *at >= indent) {
        assert_eq!(*at, indent, "{line}");
        *lines = rest;
        let (name, value) = line.split_once(':').unwrap_or_else(|| panic!("{line} has no name"));
        let value = match (value.trim(), lines.first()) {
            ("", Some((deeper, _))) => block(lines, *deeper),
            (value, _) if value.starts_with(['[', '{']) => flow(&mut { value }),
            (value, _) => bare(value),
        };
        assert!(map.insert(name.to_owned(), value).is_none(), "{name} is there twice");
    }
    map.into()
}

/// Reads a list, a map or a text on one line, as far as it goes.
fn flow(rest: &mut &str) -> Value {
    let next = |rest: &mut &str, mark: char| {
        let behind = rest.trim_start().strip_prefix(mark);
        behind.is_some_and(|behind| {
            *rest = behind;
            true
        })
    };
    if next(rest, '[') {
        let mut list = Vec::new();
        while !next(rest, ']') {
            list.push(flow(rest));
            next(rest, ',');
        }
        return list.into();
    }
    if next(rest, '{') {
        let mut map = Map::new();
        while !next(rest, '}') {
            let (name, behind) = rest.split_once(':').expect("a field has a name");
            *rest = behind;
            map.insert(name.trim().to_owned(), flow(rest));
            next(rest, ',');
        }
        return map.into();
    }
    let end = rest.find([',', ']', '}']).unwrap_or(rest.len());
    let (one, behind) = rest.split_at(end);
    *rest = behind;
    bare(one)
}

/// A text, which may stand in quotation marks.
fn bare(text: &str) -> Value {
    let text = text.trim();
    let quoted = ['"', '\''].iter().find_map(|mark| text.strip_prefix(*mark)?.strip_suffix(*mark));
    quoted.unwrap_or(text).into()
}

#[test]
fn the_configuration_is_read_as_it_is_written() {
    let read = yaml(
        "# c\na:\n  b: [x, y]\n\n  # c\n  c:\n    d: \"\"\ne: [{ url: \"http://h:1\" }]\nf: A(`x`) && B(`/y/`)\ng: '(?i)^a|[^a-z-]'\n",
    );
    let meant = json!({
        "a": {"b": ["x", "y"], "c": {"d": ""}}, "e": [{"url": "http://h:1"}], "f": "A(`x`) && B(`/y/`)", "g": "(?i)^a|[^a-z-]"
    });
    assert_eq!(read, meant);
}
