//! The real binary: as a server in a process of its own, and as commands.

use std::{
    fs::{self, File, Permissions},
    io::{self, BufRead, BufReader, Read as _, Write as _},
    net::{Ipv4Addr, TcpListener, TcpStream},
    os::unix::fs::{DirBuilderExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Output, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use nix::sys::socket::{setsockopt, sockopt::Linger};
use serde_json::Value;
use tempfile::TempDir;

use super::{
    house::{FIREFOX, PASSWORD, cities},
    http::Reply,
};

/// How long anything may take before a test gives up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A data folder, and the commands on it.
pub(crate) struct Folder {
    path: PathBuf,
    /// It goes away with the test, where it is the test's own.
    _own: Option<TempDir>,
}

impl Folder {
    pub(crate) fn new() -> Self {
        Self::of(tempfile::Builder::new().permissions(Permissions::from_mode(0o700)).tempdir().unwrap())
    }

    /// One with the administrator ada in it.
    pub(crate) fn with_admin() -> Self {
        Self::new().and_admin()
    }

    /// One with the administrator ada, on another disk.
    pub(crate) fn inside(disk: &Path) -> Self {
        let made = tempfile::Builder::new().permissions(Permissions::from_mode(0o700)).tempdir_in(disk);
        Self::of(made.unwrap()).and_admin()
    }

    /// One that is there already.
    pub(crate) fn at(path: &Path) -> Self {
        Self { path: path.to_owned(), _own: None }
    }

    fn of(own: TempDir) -> Self {
        let path = own.path().join("data");
        // As the command makes it, or it would say that it closes it to others.
        fs::DirBuilder::new().mode(0o700).create(&path).unwrap();
        Self { path, _own: Some(own) }
    }

    fn and_admin(self) -> Self {
        let added = self.run_with(&["user", "add", "ada", "--role", "admin", "--password-stdin"], PASSWORD);
        added.says("added ada as admin");
        self
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// A file beside the folder, on the same disk: nothing that a command writes may lie in it.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.path.with_file_name(name)
    }

    /// A command on the folder, not yet run. The test's cities spare it unpacking its own.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rollcall"));
        command.arg("--data").arg(self.path()).args(args).env("ROLLCALL_GEO", cities());
        for other in [
            "ROLLCALL_DATA",
            "ROLLCALL_LISTEN",
            "ROLLCALL_TLS_CERT",
            "ROLLCALL_TLS_KEY",
            "ROLLCALL_TLS_SELF_SIGNED",
            "ROLLCALL_PUBLIC_URL",
            "ROLLCALL_TRUSTED_PROXY",
            "ROLLCALL_CLIENT_HEADER",
            "ROLLCALL_SYSLOG",
            "ROLLCALL_SYSLOG_FROM",
            "ROLLCALL_CHECKPOINT_FILE",
            "ROLLCALL_CHECKPOINT_SYSLOG",
            "ROLLCALL_CHECKPOINT_WEBHOOK",
        ] {
            command.env_remove(other);
        }
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Done {
        self.run_with(args, "")
    }

    /// Runs a command that reads this.
    pub(crate) fn run_with(&self, args: &[&str], input: impl AsRef<[u8]>) -> Done {
        let mut command = self.command(args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // One that does not read hangs up.
        let _ = child.stdin.take().unwrap().write_all(input.as_ref());
        Done::of(child.wait_with_output().unwrap())
    }

    /// Serves the folder until the server is dropped or killed.
    pub(crate) fn serve(&self) -> Server {
        self.serve_with(&[])
    }

    /// Serves it with these options.
    pub(crate) fn serve_with(&self, options: &[&str]) -> Server {
        let mut command = self.command(&["serve", "--listen", "127.0.0.1:0"]);
        command.args(options);
        Self::start(command)
    }

    /// Serves it with these options, among them a public address, under which alone it says that it is ready.
    pub(crate) fn serve_as(&self, options: &[&str]) -> Server {
        let address = format!("127.0.0.1:{}", free_port());
        let mut command = self.command(&["serve", "--listen", &address]);
        command.args(options);
        let mut server = Self::start(command);
        server.address = address;
        server
    }

    /// Serves it at this address, which others may reach, without TLS.
    pub(crate) fn serve_at(&self, ip: Ipv4Addr) -> Server {
        Self::start(self.command(&["serve", "--listen", &format!("{ip}:0"), "--insecure-http"]))
    }

    /// Serves it in an environment that has these.
    pub(crate) fn serve_in(&self, variables: &[(&str, &Path)]) -> Server {
        let mut command = self.command(&["serve", "--listen", "127.0.0.1:0"]);
        command.envs(variables.iter().copied());
        Self::start(command)
    }

    /// Serves it under another program: one that becomes the server, which it may watch from a process of its own.
    pub(crate) fn serve_under(&self, program: &[String]) -> Server {
        Self::start(self.under(program))
    }

    /// The same with these options, where the server may not come to be ready: what it says then. What it complains of is
    /// written to a file.
    pub(crate) fn try_serve_under(
        &self,
        program: &[String],
        options: &[&str],
        complaints: &Path,
    ) -> Result<Server, String> {
        let mut command = self.under(program);
        let mut child = command.args(options).stderr(File::create(complaints).unwrap()).spawn().unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap());
        // One that neither begins nor gives up is ended, and says nothing.
        let (ready_or_not, waiting) = mpsc::channel();
        let process = child.id().to_string();
        thread::spawn(move || {
            if waiting.recv_timeout(PATIENCE) == Err(mpsc::RecvTimeoutError::Timeout) {
                let _ = Command::new("kill").args(["-KILL", &process]).status();
            }
        });
        let ready = ready(&mut said);
        let _ = ready_or_not.send(());
        let Ok(address) = ready else {
            child.wait().unwrap();
            return Err(fs::read_to_string(complaints).unwrap());
        };
        Ok(Server { child, said, address })
    }

    /// Runs a command under another program, which becomes the command.
    pub(crate) fn run_under(&self, program: &[String], args: &[&str]) -> Done {
        let command = self.command(args);
        Done::of(under(program, command).stdin(Stdio::null()).output().unwrap())
    }

    fn under(&self, program: &[String]) -> Command {
        let mut command = under(program, self.command(&["serve", "--listen", "127.0.0.1:0"]));
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        command
    }

    /// Serves it, and writes what it has to say to a file.
    pub(crate) fn serve_saying(&self, file: &Path) -> Server {
        let mut command = self.command(&["serve", "--listen", "127.0.0.1:0"]);
        command.stderr(File::create(file).unwrap());
        Self::start(command)
    }

    fn start(command: Command) -> Server {
        Server::start(command)
    }
}

impl Server {
    /// Starts what serves, and waits until it is ready.
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap());
        let address = ready(&mut said).unwrap_or_else(|line| panic!("the server says {line:?}"));
        Server { child, said, address }
    }
}

/// A command under a program that becomes it.
fn under(program: &[String], inner: Command) -> Command {
    let mut command = Command::new(&program[0]);
    command.args(&program[1..]).arg(inner.get_program()).args(inner.get_args());
    for (name, value) in inner.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command
}

/// Where a server is that says it is ready; else what it says.
fn ready(said: &mut impl BufRead) -> Result<String, String> {
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    let url = line.trim_end().strip_prefix("Rollcall is ready at ");
    let address = url.and_then(|url| url.strip_prefix("http://").or_else(|| url.strip_prefix("https://")));
    address.map(str::to_owned).ok_or(line)
}

/// A port that nobody listens at.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A command that has ended.
pub(crate) struct Done {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Done {
    pub(crate) fn of(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
    }

    /// It did its work and said just this.
    pub(crate) fn says(&self, line: &str) {
        assert_eq!((self.code, self.out.trim_end()), (0, line), "{}", self.err);
    }

    /// It did its work; what it said.
    pub(crate) fn ok(&self) -> &str {
        assert_eq!(self.code, 0, "{}{}", self.out, self.err);
        &self.out
    }

    /// It refused with this code, in one line that holds these words.
    pub(crate) fn refuses(&self, code: i32, words: &str) {
        assert_eq!(self.code, code, "{}{}", self.out, self.err);
        assert!(self.err.contains(words), "{:?} should hold {words:?}", self.err);
        assert_eq!(self.err.trim_end().lines().count(), 1, "one line: {:?}", self.err);
    }
}

/// A server that runs. It is killed when it is dropped, as hard as can be.
pub(crate) struct Server {
    child: Child,
    said: BufReader<ChildStdout>,
    address: String,
}

impl Server {
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Its process.
    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }

    /// The next line it says.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.said.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// `kill -9`.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// `kill -9`, while others may still be talking to it.
    pub(crate) fn kill_now(&self) {
        let killed = Command::new("kill").args(["-KILL", &self.child.id().to_string()]).status().unwrap();
        assert!(killed.success());
    }

    /// Sends it a signal, as `STOP`.
    pub(crate) fn signal(&self, name: &str) {
        let sent =
            Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// Asks it to stop, and waits until it has; its exit code.
    pub(crate) fn stop(mut self) -> Option<i32> {
        let killed = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        assert!(killed.success());
        self.child.wait().unwrap().code()
    }

    /// Sends away who traces it, and waits until it is alone.
    pub(crate) fn lose_tracer(&self) {
        let start = Instant::now();
        loop {
            let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
            let tracer = status.lines().find_map(|line| line.strip_prefix("TracerPid:")).unwrap().trim();
            if tracer == "0" {
                break;
            }
            assert!(start.elapsed() < PATIENCE, "{tracer} still traces it");
            let sent = Command::new("kill").args(["-TERM", tracer]).output();
            assert!(sent.is_ok());
        }
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// A browser that nobody is signed in on.
    pub(crate) fn stranger(&self) -> Client {
        let origin = format!("http://{}", self.address);
        Client {
            address: self.address.clone(),
            headers: vec![("Origin".into(), origin), ("User-Agent".into(), FIREFOX.into())],
        }
    }

    /// A browser that this user has just signed in on.
    pub(crate) fn signed_in(&self, user: &str) -> Client {
        let stranger = self.stranger();
        let body = serde_json::json!({"user": user, "password": PASSWORD});
        let reply = stranger.post("/api/v1/signin", &body);
        assert_eq!(reply.status, 200, "{}", reply.text());
        stranger.with("Cookie", &reply.cookie())
    }

    /// A program with this token.
    pub(crate) fn bearer(&self, token: &str) -> Client {
        let line = format!("Bearer {}", token.trim());
        Client { address: self.address.clone(), headers: vec![("Authorization".into(), line)] }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A client over a real socket: as much of HTTP/1.1 as these tests need, in as many lines as a dependency
/// would take to argue for.
#[derive(Clone)]
pub(crate) struct Client {
    address: String,
    headers: Vec<(String, String)>,
}

impl Client {
    pub(crate) fn with(&self, name: &str, value: &str) -> Self {
        let mut other = self.clone();
        other.headers.push((name.to_owned(), value.to_owned()));
        other
    }

    /// What it sends as `name`.
    pub(crate) fn header(&self, name: &str) -> &str {
        &self.headers.iter().find(|(known, _)| known == name).expect("it sends this").1
    }

    /// The same client, which does not send this.
    pub(crate) fn without(&self, name: &str) -> Self {
        let mut other = self.clone();
        other.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        other
    }

    pub(crate) fn connect(&self) -> Connection {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Connection { client: self.clone(), stream: BufReader::new(stream) }
    }

    pub(crate) fn get(&self, path: &str) -> Reply {
        self.connect().send("GET", path, b"")
    }

    pub(crate) fn delete(&self, path: &str) -> Reply {
        self.connect().send("DELETE", path, b"")
    }

    pub(crate) fn post(&self, path: &str, value: &Value) -> Reply {
        let json = self.with("Content-Type", "application/json");
        json.connect().send("POST", path, value.to_string().as_bytes())
    }

    /// The id of the session it is signed in with.
    pub(crate) fn session(&self) -> String {
        self.get("/api/v1/me").ok()["session"]["id"].as_str().unwrap().to_owned()
    }

    /// The same client at another address.
    pub(crate) fn at(&self, address: &str) -> Self {
        let headers =
            self.headers.iter().map(|(name, value)| (name.clone(), value.replace(&self.address, address)));
        Self { address: address.to_owned(), headers: headers.collect() }
    }

    /// Posts; none where the server goes away instead of answering.
    pub(crate) fn try_post(&self, path: &str, body: &[u8]) -> Option<Reply> {
        self.try_send("POST", path, body).ok()
    }

    /// Sends to a server that may go away instead of answering.
    pub(crate) fn try_send(&self, method: &str, path: &str, body: &[u8]) -> io::Result<Reply> {
        let stream = TcpStream::connect(&self.address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut connection = Connection { client: self.clone(), stream: BufReader::new(stream) };
        connection.try_send(method, path, body)
    }

    /// Asks until the answer is as it should be.
    pub(crate) fn get_until(&self, path: &str, good: impl Fn(&Reply) -> bool) -> Reply {
        let start = Instant::now();
        loop {
            let reply = self.get(path);
            if good(&reply) {
                return reply;
            }
            assert!(start.elapsed() < PATIENCE, "{path} still answers {}", reply.text());
        }
    }
}

/// A connection that is kept alive.
pub(crate) struct Connection {
    client: Client,
    stream: BufReader<TcpStream>,
}

impl Connection {
    pub(crate) fn send(&mut self, method: &str, path: &str, body: &[u8]) -> Reply {
        self.try_send(method, path, body).unwrap()
    }

    fn try_send(&mut self, method: &str, path: &str, body: &[u8]) -> io::Result<Reply> {
        self.try_ask(method, path, body)?;
        if method == "HEAD" {
            // It tells the length of what would have come.
            let (status, headers) = self.try_head()?;
            return Ok(Reply { status, headers, body: Vec::new() });
        }
        self.try_answer()
    }

    fn try_answer(&mut self) -> io::Result<Reply> {
        let (status, headers) = self.try_head()?;
        let mut reply = Reply { status, headers, body: Vec::new() };
        if reply.header("Transfer-Encoding").is_some_and(|coding| coding == "chunked") {
            while let Some(chunk) = self.try_chunk()? {
                reply.body.extend(chunk);
            }
        } else if let Some(length) = reply.header("Content-Length") {
            reply.body = vec![0; length.parse().map_err(io::Error::other)?];
            self.stream.read_exact(&mut reply.body)?;
        }
        Ok(reply)
    }

    /// Goes without a word, as one whose machine is switched off: what comes for it is answered with a reset.
    pub(crate) fn cut(self) {
        let linger = nix::libc::linger { l_onoff: 1, l_linger: 0 };
        setsockopt(self.stream.get_ref(), Linger, &linger).unwrap();
    }

    /// Sends a request and reads nothing yet.
    pub(crate) fn ask(&mut self, method: &str, path: &str, body: &[u8]) {
        self.try_ask(method, path, body).unwrap();
    }

    /// Posts a body of this piece, over and over, without ever holding it whole.
    pub(crate) fn pour(&mut self, path: &str, piece: &[u8], times: usize) -> Reply {
        let mut head = self.request("POST", path, piece.len() * times).unwrap();
        for _ in 0..times {
            head.extend_from_slice(piece);
            self.stream.get_mut().write_all(&head).unwrap();
            head.clear();
        }
        self.answer()
    }

    fn try_ask(&mut self, method: &str, path: &str, body: &[u8]) -> io::Result<()> {
        let mut request = self.request(method, path, body.len())?;
        request.extend_from_slice(body);
        self.stream.get_mut().write_all(&request)
    }

    /// The head of a request with a body of so many bytes.
    fn request(&self, method: &str, path: &str, length: usize) -> io::Result<Vec<u8>> {
        let mut request = Vec::new();
        write!(request, "{method} {path} HTTP/1.1\r\n")?;
        if !self.client.headers.iter().any(|(name, _)| name == "Host") {
            write!(request, "Host: {}\r\n", self.client.address)?;
        }
        for (name, value) in &self.client.headers {
            write!(request, "{name}: {value}\r\n")?;
        }
        write!(request, "Content-Length: {length}\r\n\r\n")?;
        Ok(request)
    }

    /// The status and the headers of an answer.
    pub(crate) fn head(&mut self) -> (u16, Vec<(String, String)>) {
        self.try_head().unwrap()
    }

    /// Whether an answer has begun to come that was not read yet.
    pub(crate) fn has_come(&mut self) -> bool {
        self.stream.get_ref().set_nonblocking(true).unwrap();
        let come = self.stream.fill_buf().map(<[u8]>::len);
        self.stream.get_ref().set_nonblocking(false).unwrap();
        match come {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => false,
            come => {
                assert_ne!(come.unwrap(), 0, "the connection was closed");
                true
            }
        }
    }

    /// The next answer.
    pub(crate) fn answer(&mut self) -> Reply {
        self.try_answer().unwrap()
    }

    fn try_head(&mut self) -> io::Result<(u16, Vec<(String, String)>)> {
        let status = self.line()?;
        let status = status.split(' ').nth(1).and_then(|code| code.parse().ok());
        let status = status.ok_or(io::ErrorKind::InvalidData)?;
        let mut headers = Vec::new();
        loop {
            let line = self.line()?;
            // A header may be empty.
            match line.split_once(':') {
                Some((name, value)) => headers.push((name.to_owned(), value.trim().to_owned())),
                None => return Ok((status, headers)),
            }
        }
    }

    /// So many bytes, as they come.
    pub(crate) fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.stream.read_exact(&mut bytes).unwrap();
        bytes
    }

    /// The next chunk; none behind the last.
    pub(crate) fn chunk(&mut self) -> Option<Vec<u8>> {
        self.try_chunk().unwrap()
    }

    /// Reads to the end; how many bytes came, or an error where the connection broke before.
    pub(crate) fn rest(&mut self) -> io::Result<usize> {
        let mut length = 0;
        while let Some(chunk) = self.try_chunk()? {
            length += chunk.len();
        }
        Ok(length)
    }

    fn try_chunk(&mut self) -> io::Result<Option<Vec<u8>>> {
        let length = usize::from_str_radix(&self.line()?, 16).map_err(io::Error::other)?;
        let mut chunk = vec![0; length + 2];
        self.stream.read_exact(&mut chunk)?;
        chunk.truncate(length);
        Ok((length > 0).then_some(chunk))
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.stream.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim_end().to_owned())
    }
}
