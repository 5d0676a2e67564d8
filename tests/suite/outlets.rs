//! Where checkpoints are sent: real receivers have what proves the log, and one that is down holds nobody up.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, UdpSocket},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::Instant,
};

use rollcall::{
    domain::evidence::{Attester, Outlet},
    model::{checkpoint::Checkpoint, note::Note},
};
use serde_json::{Value, json};

use super::{
    clients::installed,
    house::House,
    server::{Folder, PATIENCE},
};

/// A receiver, until it is dropped.
struct Receiver(Child);

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A web server that appends what is posted to it to a file; its port.
fn keeper(file: &Path) -> (Receiver, String) {
    let script = "import http.server, sys\n\
        class Keeper(http.server.BaseHTTPRequestHandler):\n\
        \x20   def do_POST(self):\n\
        \x20       body = self.rfile.read(int(self.headers['Content-Length']))\n\
        \x20       open(sys.argv[1], 'ab').write(body + b'\\n')\n\
        \x20       self.send_response(204)\n\
        \x20       self.end_headers()\n\
        \x20   def log_message(self, *of): pass\n\
        server = http.server.HTTPServer(('127.0.0.1', 0), Keeper)\n\
        print(server.server_port, flush=True)\n\
        server.serve_forever()";
    let mut python = Command::new(installed("python3", "python3"));
    python.args(["-c", script]).arg(file).stdout(Stdio::piped());
    let mut child = python.spawn().unwrap();
    let mut port = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut port).unwrap();
    (Receiver(child), port.trim().to_owned())
}

/// The system's log daemon, which writes what comes over UDP into a file; its port.
fn rsyslog(folder: &Path, file: &Path) -> (Receiver, u16) {
    let port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let configuration = folder.join("rsyslog.conf");
    let text = format!(
        "global(workDirectory=\"{}\")\nmodule(load=\"imudp\")\ninput(type=\"imudp\" address=\"127.0.0.1\" port=\"{port}\")\n\
         template(name=\"said\" type=\"string\" string=\"%app-name% %msgid% %pri% %msg%\\n\")\n\
         action(type=\"omfile\" file=\"{}\" template=\"said\")\n",
        folder.display(),
        file.display()
    );
    fs::write(&configuration, text).unwrap();
    let mut command = Command::new(installed("rsyslogd", "rsyslog"));
    command.arg("-n").arg("-f").arg(&configuration).arg("-i").arg(folder.join("rsyslog.pid"));
    let child = Receiver(command.stdin(Stdio::null()).spawn().unwrap());
    let (bound, started) = (format!(":{port:04X} "), Instant::now());
    while !fs::read_to_string("/proc/net/udp").unwrap().contains(&bound) {
        assert!(started.elapsed() < PATIENCE, "rsyslogd does not listen");
        thread::yield_now();
    }
    (child, port)
}

/// What a file holds, once that is good.
fn kept(file: &Path, good: impl Fn(&str) -> bool) -> String {
    let started = Instant::now();
    loop {
        let text = fs::read_to_string(file).unwrap_or_default();
        if good(&text) {
            return text;
        }
        assert!(started.elapsed() < PATIENCE, "{} holds {text:?}", file.display());
        thread::yield_now();
    }
}

#[test]
fn a_file_a_log_daemon_and_a_web_server_have_what_proves_the_log() {
    let folder = Folder::with_admin();
    let outside = tempfile::tempdir().unwrap();
    let at = |name: &str| outside.path().join(name);
    let (_daemon, syslog) = rsyslog(outside.path(), &at("syslog"));
    let (_keeper, web) = keeper(&at("web"));
    let (file, syslog, web) =
        (at("file"), format!("127.0.0.1:{syslog}"), format!("http://127.0.0.1:{web}/keep"));
    let options = ["--checkpoint-file", file.to_str().unwrap(), "--checkpoint-syslog", &syslog];
    let server = folder.serve_with(&[&options[..], &["--checkpoint-webhook", &web]].concat());
    let is_signed = |text: &str| text.contains("\u{2014} rollcall/") || text.contains("u2014 rollcall/");
    let in_file = kept(&file, |text| is_signed(text) && text.ends_with("\n\n"));
    let posted = kept(&at("web"), |text| is_signed(text) && text.ends_with("\n\n"));
    let logged = kept(&at("syslog"), |text| is_signed(text) && text.ends_with('\n'));
    assert_eq!(in_file, posted);
    let said = logged.strip_prefix("rollcall checkpoint 109 ").unwrap_or_else(|| panic!("{logged}"));
    let text: String = serde_json::from_str(said.trim()).unwrap();
    assert_eq!(format!("{text}\n"), in_file);
    let page = server.signed_in("ada").get_until("/settings", |reply| reply.text().contains("that of "));
    assert_eq!(page.text().matches("that of ").count(), 3, "{}", page.text());
    drop(server);
    fs::write(at("text"), text).unwrap();
    for kept in ["file", "web", "text"] {
        let said = folder.run(&["verify", "--json", "--checkpoint", at(kept).to_str().unwrap()]);
        let verdict: Value = serde_json::from_str(said.ok()).unwrap();
        assert_eq!(verdict["outside"][0]["standing"], "consistent", "{kept}: {verdict}");
    }
}

/// Takes one request and answers it; its body.
fn taken(listener: &TcpListener) -> String {
    let (mut stream, _) = listener.accept().unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    stream.write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n").unwrap();
    String::from_utf8(body).unwrap()
}

fn sizes(text: &str) -> Vec<u64> {
    let (notes, _) = Note::read_all(text).unwrap();
    notes.iter().map(|note| note.text().parse::<Checkpoint>().unwrap().size).collect()
}

#[test]
fn a_receiver_that_is_down_holds_nobody_up_and_has_the_newest_once_it_is_back() {
    let house = House::new().with_admin("ada");
    let outside = tempfile::tempdir().unwrap();
    let file = outside.path().join("disk/checkpoints");
    // Nobody listens there yet.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let web = format!("http://127.0.0.1:{port}/");
    let outlets = vec![Outlet::File(file.clone()), Outlet::Webhook(web.parse().unwrap())];
    let mut attester = Attester::new(house.app.clone(), outlets);
    let problems = || house.app.sent_checkpoints().iter().filter(|sent| sent.problem.is_some()).count();
    let program = house.program("app", &["activity:write"]);
    let write = || program.post("/api/v1/activity", &json!({"user": "ann", "action": "tick"})).ok();
    for _ in 0..3 {
        write();
        house.wait(attester.once());
        assert_eq!(problems(), 2, "{:?}", house.app.sent_checkpoints());
    }
    let page = house.signed_in("ada").get("/settings").text();
    assert!(page.contains(&web) && page.contains("checkpoints"), "{page}");
    write();
    fs::create_dir(file.parent().unwrap()).unwrap();
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let newest = thread::scope(|scope| {
        let taking = scope.spawn(|| taken(&listener));
        house.wait(attester.once());
        taking.join().unwrap()
    });
    assert_eq!(problems(), 0, "{:?}", house.app.sent_checkpoints());
    let size = house.app.newest_checkpoint().unwrap().unwrap().0.size;
    assert_eq!((sizes(&newest), sizes(&fs::read_to_string(&file).unwrap())), (vec![size], vec![size]));
    // Where nothing was written nothing is sent: nobody listens to it any more.
    drop(listener);
    house.wait(attester.once());
    assert_eq!(problems(), 0);
    assert_eq!(sizes(&fs::read_to_string(&file).unwrap()), [size]);
}
