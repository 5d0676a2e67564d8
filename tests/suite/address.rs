//! Where requests come from: what is believed of whom, and the page that says why.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
};

use rollcall::web::door::{Naming, Networks, SetIn, Settings};

use super::{
    house::{Caller, House, PASSWORD},
    server::{Folder, PATIENCE, Server},
};

const MILTON: &str = "216.160.83.56";

fn behind(trusted: &[&str], client_header: Option<Naming>) -> House {
    let trusted = trusted.iter().filter_map(|text| Networks::parse(text)).collect();
    let settings = Settings { trusted_proxies: Networks(trusted), client_header, ..Settings::default() };
    House::with_settings(settings).with_admin("ada").with_member("mia")
}

/// The text of the page, with one space wherever there is a tag or any other space.
fn page(caller: &Caller<'_>) -> String {
    let reply = caller.get("/settings/address");
    assert_eq!(reply.status, 200, "{}", reply.text());
    let (_, main) = reply.text().split_once("<main").map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    let mut text = String::new();
    for part in main.split('<').skip(1) {
        text.push_str(part.split_once('>').map_or("", |(_, text)| text));
        text.push(' ');
    }
    let text = text.replace("&#34;", "\"").replace("&#39;", "'");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The address that stands in the session's row.
fn ip(caller: &Caller<'_>) -> String {
    caller.get(&format!("/api/v1/sessions/{}", caller.session())).ok()["ip"].as_str().unwrap().to_owned()
}

#[test]
fn the_page_is_for_administrators() {
    let house = behind(&[], None);
    assert_eq!(house.signed_in("mia").get("/settings/address").status, 403);
    assert_eq!(
        house.stranger().get("/settings/address").header("Location"),
        Some("/signin?next=%2Fsettings%2Faddress")
    );
}

#[test]
fn a_proxy_that_nobody_named_is_told_of_with_the_line_that_mends_it() {
    let house = behind(&[], None);
    let ada = house.signed_in("ada").at("10.0.0.2").with("X-Forwarded-For", MILTON);
    let said = page(&ada);
    assert!(said.contains("10.0.0.2, which is no trusted proxy"), "{said}");
    assert!(said.contains("X-Forwarded-For 216.160.83.56 no, it comes from no trusted proxy"), "{said}");
    assert!(said.contains("trusted-proxy = [\"10.0.0.2\"]"), "{said}");
    assert_eq!(ip(&ada), "10.0.0.2");
    // With that line it is as it should be.
    let house = behind(&["10.0.0.2"], None);
    let ada = house.signed_in("ada").at("10.0.0.2").with("X-Forwarded-For", MILTON);
    let said = page(&ada);
    assert!(said.contains("Address 216.160.83.56 Place Milton, Washington"), "{said}");
    assert!(
        said.contains("10.0.0.2 the connection a trusted proxy 216.160.83.56 X-Forwarded-For the client"),
        "{said}"
    );
    assert_eq!(ip(&ada), MILTON);
}

#[test]
fn a_second_proxy_is_added_to_the_line_and_not_put_in_place_of_the_first() {
    let house = behind(&["10.0.0.0/24"], None);
    let ada = house.signed_in("ada").at("10.0.0.2").with("X-Forwarded-For", "216.160.83.56, 192.168.7.1");
    let said = page(&ada);
    assert!(said.contains("If 192.168.7.1 is another proxy of yours"), "{said}");
    assert!(said.contains("trusted-proxy = [\"10.0.0.0/24\", \"192.168.7.1\"]"), "{said}");
}

#[test]
fn what_mends_it_is_said_where_the_setting_was_made_and_counts() {
    let advised = |from: SetIn| {
        let trusted_proxies = Networks(["10.0.0.0/24"].into_iter().filter_map(Networks::parse).collect());
        let settings = Settings {
            trusted_proxies,
            trusted_proxies_from: from,
            client_header_from: from,
            ..Settings::default()
        };
        let house = House::with_settings(settings).with_admin("ada");
        let ada = house.signed_in("ada").at("10.0.0.2").with("X-Forwarded-For", "216.160.83.56, 192.168.7.1");
        page(&ada.with("Forwarded", "for=216.160.83.56"))
    };
    for (from, place, trust, pin) in [
        (
            SetIn::CommandLine,
            "On the command line of rollcall serve :",
            "--trusted-proxy 10.0.0.0/24 --trusted-proxy 192.168.7.1",
            "--client-header forwarded",
        ),
        (
            SetIn::Environment,
            "In the environment of rollcall serve :",
            "ROLLCALL_TRUSTED_PROXY=10.0.0.0/24,192.168.7.1",
            "ROLLCALL_CLIENT_HEADER=forwarded",
        ),
        (
            SetIn::File,
            "In rollcall.toml :",
            "trusted-proxy = [\"10.0.0.0/24\", \"192.168.7.1\"]",
            "client-header = \"forwarded\"",
        ),
    ] {
        let said = advised(from);
        for line in [trust, pin] {
            assert!(said.contains(&format!("{place} {line}")), "{line}: {said}");
        }
    }
    assert_eq!(advised(SetIn::Nowhere), advised(SetIn::File));
}

#[test]
fn forwarded_is_read_as_well_and_where_both_come_just_one_of_them() {
    let house = behind(&["10.0.0.2"], None);
    let ada =
        house.signed_in("ada").at("10.0.0.2").with("Forwarded", "for=\"216.160.83.56:4711\";proto=https");
    assert_eq!(ip(&ada), MILTON);
    let both = ada.with("X-Forwarded-For", "2.125.160.216");
    assert_eq!(ip(&both), "2.125.160.216");
    let said = page(&both);
    assert!(said.contains("Both X-Forwarded-For and Forwarded came, and X-Forwarded-For was read"), "{said}");
    assert!(said.contains("client-header = \"forwarded\""), "{said}");
    let house = behind(&["10.0.0.2"], Some(Naming::Forwarded));
    let both = house.signed_in("ada").at("10.0.0.2").with("X-Forwarded-For", "2.125.160.216");
    assert_eq!(ip(&both.with("Forwarded", "for=216.160.83.56")), MILTON);
    assert_eq!(ip(&both), "10.0.0.2", "the header that is not set to be read is not read");
    assert!(page(&both).contains("client-header = \"x-forwarded-for\""));
}

#[test]
fn what_cannot_be_read_is_counted_once_a_request_and_leaves_the_proxy() {
    let house = behind(&["10.0.0.2"], None);
    let ada = house.signed_in("ada").at("10.0.0.2");
    assert!(page(&ada).contains("every such header from a trusted proxy could be read"));
    let garbled = ada.with("X-Forwarded-For", "6.6.6.6, <script>");
    let said = page(&garbled);
    assert!(said.contains("1 request came through a trusted proxy"), "{said}");
    assert!(
        said.contains("&lt;script&gt; X-Forwarded-For not an address") || said.contains("&#60;script&#62;"),
        "{said}"
    );
    assert!(page(&garbled).contains("2 requests came through a trusted proxy"));
    assert_eq!(ip(&garbled), "10.0.0.2");
}

#[test]
fn other_headers_are_shown_and_never_believed() {
    let house = behind(&["10.0.0.2"], None);
    let ada =
        house.signed_in("ada").at("10.0.0.2").with("X-Real-IP", MILTON).with("CF-Connecting-IP", MILTON);
    assert_eq!(ip(&ada), "10.0.0.2");
    let said = page(&ada);
    assert!(said.contains("X-Real-IP 216.160.83.56 never CF-Connecting-IP 216.160.83.56 never"), "{said}");
    assert!(said.contains("proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;"), "{said}");
}

/// What a server says to these bytes, of which the last come when it has the others.
fn said_to(server: &Server, head: &[u8], body: &[u8]) -> String {
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(head).unwrap();
    // Somebody else is answered meanwhile.
    assert_eq!(server.stranger().get("/healthz").status, 200);
    stream.write_all(body).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn nobody_makes_away_with_a_header_by_a_byte_that_is_no_text() {
    let folder = Folder::with_admin();
    let server = folder.serve_with(&["--trusted-proxy", "127.0.0.1"]);
    let head = |method: &str, path: &str, lines: &[&[u8]], length: usize| {
        let mut head =
            format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n").into_bytes();
        head.extend(format!("Content-Type: application/json\r\nContent-Length: {length}\r\n").as_bytes());
        for line in lines {
            head.extend([*line, b"\r\n"].concat());
        }
        [head, b"\r\n".to_vec()].concat()
    };
    let body = format!(r#"{{"user":"ada","password":"{PASSWORD}"}}"#);
    let forged = [b"X-Forwarded-For: \xff, 203.0.113.9".as_slice(), b"Forwarded: for=81.2.69.142"];
    let answer = said_to(&server, &head("POST", "/api/v1/signin", &forged, body.len()), body.as_bytes());
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(answer.contains("header x-forwarded-for is no UTF-8"), "{answer}");
    for (method, path, line) in [
        ("GET", "/metrics", b"Via: 1.1 \xe9".as_slice()),
        ("GET", "/auth/forward", b"X-Forwarded-Host: wiki.example.org\xff"),
        ("PROPFIND", "/auth/forward", b"X-Forwarded-Host: wiki.example.org\xff"),
        ("GET", "/sessions", b"Cookie: name=Jos\xe9"),
    ] {
        let answer = said_to(&server, &head(method, path, &[line], 0), b"");
        assert!(answer.starts_with("HTTP/1.1 400 "), "{method} {path}: {answer}");
        assert!(answer.contains("is no UTF-8"), "{method} {path}: {answer}");
    }
    // Who asks for a page is told on one, which brings all that it needs along where it is shown at an app's address.
    let page = b"Accept: text/html".as_slice();
    let told = "so none of its cookies can be read; delete the cookies of this site";
    for path in ["/auth/forward", "/.rollcall/start", "/sessions"] {
        let answer = said_to(&server, &head("GET", path, &[b"Cookie: name=Jos\xe9", page], 0), b"");
        assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains(told), "{path}: {answer}");
        assert!(answer.contains("<!doctype html>"), "{path}: {answer}");
        assert_eq!(answer.contains("href=\"/"), path == "/sessions", "{path}: {answer}");
    }
    let script = b"X-Requested-With: XMLHttpRequest".as_slice();
    let lines = [b"Cookie: name=Jos\xe9".as_slice(), page, script];
    let answer = said_to(&server, &head("GET", "/auth/forward", &lines, 0), b"");
    assert!(answer.contains(r#""code":"bad_request""#), "{answer}");
    let of_a_file = b"Content-Disposition: attachment; filename=\"caf\xe9.txt\"".as_slice();
    let answer = said_to(&server, &head("GET", "/healthz", &[of_a_file], 0), b"");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let of_a_body = b"Content-Type: text/caf\xe9".as_slice();
    let answer = said_to(&server, &head("GET", "/healthz", &[of_a_body], 0), b"");
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    // What nobody is believed by is as good as not sent, and the next request is another one.
    let answer = said_to(&server, &head("GET", "/healthz", &[b"User-Agent: Jos\xe9"], 0), b"");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let answer = said_to(&server, &head("POST", "/api/v1/signin", &[], body.len()), body.as_bytes());
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}
