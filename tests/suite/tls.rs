//! TLS of Rollcall's own, as openssl, curl and a bare socket meet it.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Instant,
};

use super::{
    house::PASSWORD,
    server::{Folder, PATIENCE, Server},
};

/// A certificate for these addresses in `folder`, and its key, made by openssl.
fn pair(folder: &Path, name: &str) -> (PathBuf, PathBuf) {
    let (certificate, key) = (folder.join(format!("{name}.pem")), folder.join(format!("{name}.key")));
    let mut openssl = Command::new("openssl");
    openssl.args([
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "30",
    ]);
    openssl.args(["-subj", "/CN=rollcall", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]);
    openssl.arg("-keyout").arg(&key).arg("-out").arg(&certificate);
    assert!(openssl.output().unwrap().status.success());
    (certificate, key)
}

/// The fingerprint of a certificate in PEM.
fn fingerprint(pem: &[u8]) -> String {
    let mut openssl = Command::new("openssl");
    openssl.args(["x509", "-noout", "-fingerprint", "-sha256"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut openssl = openssl.spawn().unwrap();
    openssl.stdin.take().unwrap().write_all(pem).unwrap();
    let said = String::from_utf8(openssl.wait_with_output().unwrap().stdout).unwrap();
    said.trim_end().split_once('=').expect("a fingerprint").1.to_owned()
}

/// What openssl says of a handshake with these options.
fn handshake(server: &Server, options: &[&str]) -> String {
    let mut openssl = Command::new("openssl");
    openssl.args(["s_client", "-connect", server.address(), "-servername", "localhost"]).args(options);
    let done = openssl.stdin(Stdio::null()).output().unwrap();
    String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned()
}

/// The fingerprint of what the server shows.
fn shown(server: &Server) -> String {
    fingerprint(handshake(server, &[]).as_bytes())
}

/// Waits until the server shows this.
fn shown_soon(server: &Server, wanted: &str) {
    let start = Instant::now();
    while shown(server) != wanted {
        assert!(start.elapsed() < PATIENCE, "the new certificate is not shown");
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// curl, which trusts `certificate` alone and asks for `path`.
fn curl(server: &Server, certificate: &Path, path: &str, options: &[&str]) -> Command {
    let mut curl = Command::new("curl");
    curl.args([
        "-sS",
        "--max-time",
        "30",
        "-H",
        &format!("Origin: https://{}", server.address()),
        "--cacert",
    ]);
    curl.arg(certificate).args(options).arg(format!("https://{}{path}", server.address()));
    curl
}

/// What curl got, its head before it.
fn got(server: &Server, certificate: &Path, path: &str, options: &[&str]) -> String {
    let done = curl(server, certificate, path, options).arg("-i").output().unwrap();
    let (said, why) = (String::from_utf8(done.stdout).unwrap(), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "{path}: {why}");
    said
}

/// The cookie of ada, who signs in from this address.
fn signed_in(server: &Server, certificate: &Path, from: &str) -> String {
    let body = serde_json::json!({"user": "ada", "password": PASSWORD}).to_string();
    let json = ["--interface", from, "-H", "Content-Type: application/json", "-d", &body];
    let said = got(server, certificate, "/api/v1/signin", &json);
    let cookies = said.lines().filter_map(|line| line.strip_prefix("set-cookie: "));
    let cookie = cookies.into_iter().find(|cookie| cookie.starts_with("__Host-rollcall="));
    let cookie = cookie.unwrap_or_else(|| panic!("no cookie for TLS alone: {said}"));
    assert!(cookie.contains("; Secure"), "{cookie}");
    format!("Cookie: {}", cookie.split(';').next().unwrap())
}

/// A stream of events that curl follows; what it says so far can be read.
struct Stream(Child, BufReader<std::process::ChildStdout>);

impl Stream {
    fn open(server: &Server, certificate: &Path, cookie: &str) -> Self {
        let mut curl = curl(server, certificate, "/api/v1/sessions/stream", &["-N", "-H", cookie]);
        let mut curl = curl.stdout(Stdio::piped()).spawn().unwrap();
        let said = BufReader::new(curl.stdout.take().unwrap());
        Self(curl, said)
    }

    /// Reads until a line that holds this.
    fn until(&mut self, words: &str) {
        let mut line = String::new();
        while !line.contains(words) {
            line.clear();
            assert!(self.1.read_line(&mut line).unwrap() > 0, "the stream ended before {words}");
        }
    }

    /// Reads to the end.
    fn rest(mut self) -> String {
        let mut rest = String::new();
        self.1.read_to_string(&mut rest).unwrap();
        self.0.wait().unwrap();
        rest
    }
}

#[test]
fn the_certificate_that_rollcall_makes_is_kept_and_is_the_one_that_it_names() {
    let folder = Folder::with_admin();
    let certificate = folder.path().join("tls/certificate.pem");
    let mut server = folder.serve_with(&["--tls-self-signed"]);
    let said = server.line();
    let named = said.strip_prefix("Its certificate has the SHA-256 fingerprint ").expect(&said).to_owned();
    assert_eq!(shown(&server), named);
    let rights = fs::metadata(folder.path().join("tls/key.pem")).unwrap().mode();
    assert_eq!(rights & 0o777, 0o600);

    let said = got(&server, &certificate, "/signin", &[]);
    assert!(said.starts_with("HTTP/1.1 200"), "{said}");
    assert!(said.contains("strict-transport-security: max-age=31536000"), "{said}");
    // What the gate says a proxy hands on under the host of an app, which may have other ports.
    for gate in ["/auth/forward", "/.rollcall/start"] {
        let said = got(&server, &certificate, gate, &[]);
        assert!(said.starts_with("HTTP/1.1 403") && !said.contains("strict-transport-security"), "{said}");
    }
    let cookie = signed_in(&server, &certificate, "127.0.0.1");
    let settings = got(&server, &certificate, "/settings", &["-H", &cookie]);
    assert!(settings.contains(&named), "Settings name it too");
    assert!(!settings.contains("--insecure-http"), "nobody is reminded of anything");
    drop(server);

    let again = folder.serve_with(&["--tls-self-signed"]);
    assert_eq!(shown(&again), named, "nobody has to look at another after a restart");
}

#[test]
fn tls_1_2_and_1_3_are_spoken_and_nothing_older() {
    let server = Folder::new();
    let server = server.serve_with(&["--tls-self-signed"]);
    for (option, version) in [("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")] {
        let said = handshake(&server, &[option]);
        assert!(said.contains(&format!("New, {version}")), "{said}");
    }
    for option in ["-tls1", "-tls1_1"] {
        let said = handshake(&server, &[option, "-cipher", "ALL:@SECLEVEL=0"]);
        assert!(
            said.contains("no peer certificate available") && said.contains("SSL alert number"),
            "{said}"
        );
    }
    let said = handshake(&server, &["-alpn", "h2,http/1.1"]);
    assert!(said.contains("ALPN protocol: http/1.1"), "{said}");
}

#[test]
fn a_changed_pair_is_shown_without_a_restart_and_a_bad_one_is_not() {
    let folder = Folder::with_admin();
    let (certificate, key) = pair(folder.path(), "now");
    let (second, second_key) = pair(folder.path(), "second");
    let (third, _) = pair(folder.path(), "third");
    let first = fingerprint(&fs::read(&certificate).unwrap());
    let server = folder.serve_with(&["--tls-cert", text(&certificate), "--tls-key", text(&key)]);
    assert_eq!(shown(&server), first);
    let cookie = signed_in(&server, &certificate, "127.0.0.1");
    let mut open = Stream::open(&server, &certificate, &cookie);
    open.until("connected");

    fs::copy(&second, &certificate).unwrap();
    fs::copy(&second_key, &key).unwrap();
    let other = fingerprint(&fs::read(&second).unwrap());
    shown_soon(&server, &other);

    // The certificate of a key that is not there.
    fs::copy(&third, &certificate).unwrap();
    let start = Instant::now();
    let settings = loop {
        let settings = got(&server, &second, "/settings", &["-H", &cookie]);
        if settings.contains("is not that of the first certificate") {
            break settings;
        }
        assert!(start.elapsed() < PATIENCE, "{settings}");
    };
    assert!(settings.contains("The certificate from before is still shown."), "{settings}");
    assert_eq!(shown(&server), other);

    // What was open all the while is open still.
    signed_in(&server, &second, "127.0.0.8");
    open.until("127.0.0.8");
}

#[test]
fn a_hangup_has_the_pair_read_anew_and_ends_no_server() {
    let plain = Folder::with_admin();
    let server = plain.serve();
    server.signal("HUP");
    server.signed_in("ada");
    assert_eq!(server.stop(), Some(0));

    let folder = Folder::with_admin();
    let (certificate, key) = pair(folder.path(), "now");
    let (second, second_key) = pair(folder.path(), "second");
    let other = fingerprint(&fs::read(&second).unwrap());
    // Files that look as if nothing had changed: of one length, and of one time.
    let padded = |path: &Path| {
        let mut text = fs::read(path).unwrap();
        text.resize(4096, b'\n');
        text
    };
    for file in [&certificate, &key] {
        fs::write(file, padded(file)).unwrap();
    }
    let server = folder.serve_with(&["--tls-cert", text(&certificate), "--tls-key", text(&key)]);
    for (from, to) in [(&second, &certificate), (&second_key, &key)] {
        let before = fs::metadata(to).unwrap().modified().unwrap();
        fs::write(to, padded(from)).unwrap();
        fs::File::options().write(true).open(to).unwrap().set_modified(before).unwrap();
    }
    server.signal("HUP");
    shown_soon(&server, &other);
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn files_that_cannot_be_used_end_the_start_with_the_reason() {
    let folder = Folder::new();
    let (certificate, key) = pair(folder.path(), "one");
    let (_, other_key) = pair(folder.path(), "other");
    let (missing, empty, sealed) = (
        folder.path().join("missing.pem"),
        folder.path().join("empty.pem"),
        folder.path().join("sealed.key"),
    );
    fs::write(&empty, "nothing\n").unwrap();
    let mut openssl = Command::new("openssl");
    openssl.args(["pkey", "-aes256", "-passout", "pass:secret", "-in", text(&key), "-out", text(&sealed)]);
    assert!(openssl.status().unwrap().success());
    for (certificate, key, words) in [
        (&missing, &key, "missing.pem could not be read"),
        (&empty, &key, "holds no certificate; it must be PEM"),
        (&certificate, &empty, "holds no private key; it must be PEM"),
        (&certificate, &sealed, "is encrypted"),
        (&certificate, &other_key, "is not that of the first certificate"),
    ] {
        folder.run(&["serve", "--tls-cert", text(certificate), "--tls-key", text(key)]).refuses(2, words);
    }
    folder.run(&["serve", "--tls-cert", text(&certificate)]).refuses(2, "--tls-key");
    folder
        .run(&["serve", "--tls-self-signed", "--public-url", "http://rollcall.example.org"])
        .refuses(2, "begins with https://");
}

#[test]
fn a_request_has_the_address_of_its_client_and_nobody_comes_past_the_front() {
    let folder = Folder::with_admin();
    let server = folder.serve_with(&["--tls-self-signed"]);
    let certificate = folder.path().join("tls/certificate.pem");
    let cookie = signed_in(&server, &certificate, "127.0.0.7");
    let said = got(&server, &certificate, "/api/v1/me", &["--interface", "127.0.0.7", "-H", &cookie]);
    assert!(said.contains("127.0.0.7"), "{said}");

    let private =
        listening(&server).into_iter().find(|port| !server.address().ends_with(&format!(":{port}")));
    let private = private.expect("the web server behind the front listens too");
    for path in ["/healthz", "/signin", "/api/v1/me", "/auth/nginx"] {
        let said = said_over(
            ("127.0.0.1", private),
            &format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
        );
        assert!(said.starts_with("HTTP/1.1 421 "), "{path}: {said}");
    }
}

/// The ports of 127.0.0.1 that the server listens at.
fn listening(server: &Server) -> Vec<u16> {
    let process = PathBuf::from(format!("/proc/{}", server.process()));
    let open = fs::read_dir(process.join("fd")).unwrap();
    let open: Vec<String> =
        open.filter_map(|file| Some(fs::read_link(file.ok()?.path()).ok()?.to_str()?.to_owned())).collect();
    let table = fs::read_to_string(process.join("net/tcp")).unwrap();
    let rows = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    // Its address and port in hexadecimal, 0A where it listens, and its inode.
    let own = rows.filter(|row| row[3] == "0A" && open.contains(&format!("socket:[{}]", row[9])));
    own.map(|row| u16::from_str_radix(row[1].split_once(':').unwrap().1, 16).unwrap()).collect()
}

/// What is answered to these bytes over a bare socket.
fn said_over(address: impl std::net::ToSocketAddrs, bytes: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(bytes.as_bytes()).unwrap();
    let mut said = String::new();
    stream.read_to_string(&mut said).unwrap();
    said
}

#[test]
fn plain_http_to_the_port_of_tls_is_told_so() {
    let server = Folder::new();
    let server = server.serve_with(&["--tls-self-signed"]);
    let said = said_over(server.address(), "GET /sessions HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert!(said.starts_with("HTTP/1.1 400 "), "{said}");
    assert!(said.ends_with("This port speaks TLS: write https:// instead of http://\n"), "{said}");
    for header in [
        "Content-Security-Policy: default-src 'none'",
        "X-Content-Type-Options: nosniff",
        "X-Frame-Options: DENY",
        "Referrer-Policy: same-origin",
        "Cross-Origin-Opener-Policy: same-origin",
        "Cross-Origin-Resource-Policy: same-origin",
        "Permissions-Policy: ",
        "Cache-Control: no-store",
    ] {
        assert_eq!(said.matches(&format!("\r\n{header}")).count(), 1, "{header}: {said}");
    }
    assert!(!said.contains("Strict-Transport-Security"), "whoever came here came without TLS");
    assert_eq!(said_over(server.address(), "\0rubbish"), "");
}

#[test]
fn a_stream_comes_through_tls_at_once_and_ends_with_its_session() {
    let folder = Folder::with_admin();
    let server = folder.serve_with(&["--tls-self-signed"]);
    let certificate = folder.path().join("tls/certificate.pem");
    let cookie = signed_in(&server, &certificate, "127.0.0.1");
    let mut stream = Stream::open(&server, &certificate, &cookie);
    stream.until("connected");
    let other = signed_in(&server, &certificate, "127.0.0.9");
    stream.until("127.0.0.9");
    got(&server, &certificate, "/api/v1/signout", &["-X", "POST", "-H", &cookie]);
    assert!(stream.rest().contains("ended"), "the stream says why");

    let mut stream = Stream::open(&server, &certificate, &other);
    stream.until("connected");
    let start = Instant::now();
    assert_eq!(server.stop(), Some(0));
    assert!(start.elapsed().as_secs() < 3, "a stream that is open holds up the stop");
    stream.rest();
}

#[test]
fn a_proxy_asks_over_tls_as_well() {
    let folder = Folder::with_admin();
    folder.run(&["app", "add", "wiki", "--url", "https://wiki.example.org"]).ok();
    let options = ["--tls-self-signed", "--trusted-proxy", "127.0.0.2", "--public-url", "https://localhost"];
    let server = folder.serve_as(&options);
    let certificate = folder.path().join("tls/certificate.pem");
    let url = "X-Original-URL: https://wiki.example.org/";
    let asked = |from| got(&server, &certificate, "/auth/nginx", &["--interface", from, "-H", url]);
    let (proxy, other) = (asked("127.0.0.2"), asked("127.0.0.3"));
    assert!(proxy.starts_with("HTTP/1.1 401 "), "{proxy}");
    assert!(other.starts_with("HTTP/1.1 403 ") && other.contains("not_a_trusted_proxy"), "{other}");
}
