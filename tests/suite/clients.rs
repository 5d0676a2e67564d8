//! The programs that really send: each with the configuration that the manual shows, against the real server, until what
//! it sent is found.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::Instant,
};

use serde_json::Value;

use super::{
    http::each,
    server::{Client, Folder, PATIENCE, Server},
};

/// A server that takes everything, with what its senders need to know.
struct Station {
    folder: Folder,
    server: Server,
    token: String,
    syslog: String,
    reader: Client,
}

impl Station {
    fn open() -> Self {
        let folder = Folder::with_admin();
        let token =
            |name, scope| folder.run(&["token", "add", name, "--scope", scope]).ok().trim().to_owned();
        let (token, reader) = (token("sender", "activity:write"), token("reader", "activity:read"));
        let mut server = folder.serve_with(&["--syslog", "127.0.0.1:0"]);
        let said = server.line();
        let syslog = said.strip_prefix("Syslog is taken at 127.0.0.1:").and_then(|said| said.split_once(','));
        let syslog = syslog.unwrap_or_else(|| panic!("the server says {said:?}")).0.to_owned();
        let reader = server.bearer(&reader);
        Self { folder, server, token, syslog, reader }
    }

    /// A text of the manual, for this server.
    fn manual(&self, name: &str) -> String {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/shippers").join(name);
        let here = format!("http://{}", self.server.address());
        let text = fs::read_to_string(&file).unwrap();
        text.replace("THE_TOKEN", &self.token)
            .replace("https://rollcall.example.org:443", &here)
            .replace("https://rollcall.example.org", &here)
            .replace("rollcall.example.org", "127.0.0.1")
            .replace("5514", &self.syslog)
    }

    /// The activities of this program, when there are so many.
    fn found(&self, app: &str, count: usize) -> Vec<Value> {
        let path = format!("/api/v1/activity?app={app}");
        self.reader.get_until(&path, |reply| reply.items().len() >= count).items()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The system's log daemon with this configuration behind what reads a socket of its own.
    fn rsyslog(&self, configuration: &str) -> Rsyslog {
        let (socket, file) = (self.path("devlog"), self.path("rsyslog.conf"));
        let input = format!(
            "global(workDirectory=\"{}\")\nmodule(load=\"imuxsock\" SysSock.Use=\"off\")\ninput(type=\"imuxsock\" Socket=\"{}\")\n",
            self.folder.path().display(),
            socket.display()
        );
        fs::write(&file, format!("{input}{configuration}")).unwrap();
        let mut command = Command::new(installed("rsyslogd", "rsyslog and rsyslog-elasticsearch"));
        command.arg("-n").arg("-f").arg(&file).arg("-i").arg(self.path("rsyslog.pid"));
        let daemon = command.stdin(Stdio::null()).spawn().unwrap();
        let started = Instant::now();
        while !socket.exists() {
            assert!(started.elapsed() < PATIENCE, "rsyslogd does not listen");
            std::thread::yield_now();
        }
        Rsyslog { daemon, socket }
    }
}

/// rsyslogd, until it is dropped.
struct Rsyslog {
    daemon: Child,
    socket: PathBuf,
}

impl Rsyslog {
    fn log(&self, text: &str) {
        let mut logger = Command::new(installed("logger", "bsdutils"));
        logger.arg("--socket").arg(&self.socket).args(["--tag", "shop", text]);
        good(&logger.output().unwrap());
    }
}

impl Drop for Rsyslog {
    fn drop(&mut self) {
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}

/// A program, or what to install.
pub(super) fn installed(program: &str, packages: &str) -> PathBuf {
    let folders = std::env::var("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&folders).chain([PathBuf::from("/usr/sbin")]);
    let found = folders.map(|folder| folder.join(program)).find(|file| file.is_file());
    found.unwrap_or_else(|| panic!("{program} is missing: install {packages}, as .ci/run does"))
}

/// The Python that has the clients of `tests/requirements.txt`.
pub(super) fn python() -> PathBuf {
    let usual = || Path::new(env!("CARGO_MANIFEST_DIR")).join("target/clients/bin/python");
    let python = std::env::var_os("ROLLCALL_TEST_PYTHON").map_or_else(usual, PathBuf::from);
    assert!(
        python.is_file(),
        "{} is missing: run `python3 -m venv target/clients && target/clients/bin/pip install -r tests/requirements.txt`, as .ci/run does",
        python.display()
    );
    python
}

pub(super) fn good(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

#[test]
fn rsyslog_writes_by_the_bulk_protocol() {
    let station = Station::open();
    let daemon = station.rsyslog(&station.manual("rsyslog-elasticsearch.conf"));
    for n in 0..20 {
        daemon.log(&format!("three books, \"{n}\""));
    }
    let found = station.found("shop", 20);
    let mut details: Vec<String> = each(&found, "detail").iter().map(|text| text.trim().to_owned()).collect();
    details.sort();
    details.dedup();
    assert_eq!((found.len(), details.len()), (20, 20), "each once");
    assert!(found.iter().all(|found| found["action"] == "shop" && found["user"] != ""), "{found:?}");
}

#[test]
fn rsyslog_forwards_syslog() {
    let station = Station::open();
    let daemon = station.rsyslog(&station.manual("rsyslog-forward.conf"));
    daemon.log("three books");
    daemon.log("four books");
    let found = station.found("shop", 2);
    let mut details = each(&found, "detail");
    details.sort();
    assert_eq!(details, ["four books", "three books"]);
    assert_eq!(found[0]["attributes"]["log.syslog.facility.name"], "user");
}

#[test]
fn logger_sends_syslog_of_every_form() {
    let station = Station::open();
    let shell = |text: &str| good(&Command::new("sh").args(["-c", text]).output().unwrap());
    installed("logger", "bsdutils");
    shell(&station.manual("logger.sh"));
    let found = station.found("shop", 1).remove(0);
    assert_eq!([&found["user"], &found["action"], &found["detail"]], ["ann", "paid", "three books"]);
    let to = format!("logger --server 127.0.0.1 --port {}", station.syslog);
    for (tag, form) in [
        ("old-tcp", "--tcp --rfc3164"),
        ("old-udp", "--udp --rfc3164"),
        ("new-tcp", "--tcp --rfc5424"),
        ("new-udp", "--udp --rfc5424"),
    ] {
        shell(&format!("{to} {form} --tag {tag} --id=77 'Ünï {tag}'"));
        let found = station.found(tag, 1).remove(0);
        assert_eq!(found["detail"], format!("Ünï {tag}"));
        assert_eq!([&found["action"], &found["attributes"]["process.pid"]], [tag, "77"]);
        assert_eq!(found["user"], found["attributes"]["host.name"], "the machine's own");
    }
}

#[test]
fn pythons_elasticsearch_client_writes_in_bulk() {
    let station = Station::open();
    let run =
        || good(&Command::new(python()).args(["-c", &station.manual("elasticsearch.py")]).output().unwrap());
    assert_eq!(run().trim(), "(1, [])");
    let again = run();
    assert!(again.starts_with("(0, [{'create'") && again.contains("'status': 409"), "{again}");
    let found = station.found("sender", 1);
    assert_eq!(found.len(), 1);
    assert_eq!([&found[0]["user"], &found[0]["action"], &found[0]["detail"]], ["ann", "paid", "three books"]);
}

#[test]
fn opentelemetrys_exporter_sends_log_records() {
    let station = Station::open();
    for packing in ["none", "gzip"] {
        let mut program = Command::new(python());
        program.args(["-c", &station.manual("opentelemetry.py")]);
        program.env("OTEL_EXPORTER_OTLP_COMPRESSION", packing);
        good(&program.output().unwrap());
    }
    let found = station.found("shop", 2);
    for found in &found {
        assert_eq!([&found["user"], &found["action"], &found["detail"]], ["ann", "paid", "three books"]);
        assert_eq!([&found["ip"], &found["attributes"]["otel.scope.name"]], ["203.0.113.7", "orders"]);
    }
    assert_eq!(found.len(), 2);
}

#[test]
fn curl_sends_a_packed_file() {
    let station = Station::open();
    installed("curl", "curl");
    let lines = "{\"user\":\"ann\",\"action\":\"paid\",\"app\":\"shop\"}\n".repeat(3);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut gzip, lines.as_bytes()).unwrap();
    fs::write(station.path("events.ndjson.gz"), gzip.finish().unwrap()).unwrap();
    let mut shell = Command::new("sh");
    let sent =
        shell.args(["-c", &station.manual("curl.sh")]).current_dir(station.folder.path()).output().unwrap();
    let answer: Value = serde_json::from_str(&good(&sent)).unwrap();
    assert_eq!(answer["accepted"], 3);
    assert_eq!(station.found("shop", 3).len(), 3);
}
