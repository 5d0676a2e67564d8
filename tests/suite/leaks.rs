//! What is nobody else's business: what others did, and what is kept of secrets.

use std::{fs, path::Path};

use redb::{Database, ReadableDatabase as _, ReadableTable as _, TableDefinition};
use rocket::http::Method;
use serde_json::{Value, json};

use super::{
    house::{Caller, House, PASSWORD},
    http::{Reply, each},
    server::Folder,
    stream::Events,
};

/// A house in which mia and max have each done something in an app.
fn house() -> House {
    let house = House::new().with_admin("ada").with_member("mia").with_member("max");
    did(&house, "mia", "copy");
    house
}

/// Writes down what somebody did, in words that only they used.
fn did(house: &House, user: &str, word: &str) {
    let program = house.program(&format!("of-{user}-{word}"), &["activity:write"]);
    let record = json!({
        "user": user, "action": word, "detail": format!("the {word}"), "app": format!("app-{word}"),
        "target": format!("{word}.txt"), "session": format!("s-{word}"), "ip": "216.160.83.56",
        "outcome": "failure", "device": format!("{word} phone"), "attributes": {word: word},
    });
    program.post("/api/v1/activity", &record).ok();
    house.caught_up();
}

/// An answer but for what differs each time: how long it took, the word that was asked for, and how far the log has come,
/// which everybody learns from the id of whatever they do.
fn told(reply: &Reply, word: &str) -> (u16, Vec<(String, String)>, String) {
    let mut text = reply.text().replace(word, "WORD").replace(&word[..3], "WOR");
    for moving in ["\"took_us\":", "last_event_id="] {
        if let Some((before, behind)) = text.split_once(moving) {
            let rest = behind.trim_start_matches(|c: char| c.is_ascii_alphanumeric());
            text = format!("{before}{rest}");
        }
    }
    let mut headers = reply.headers.clone();
    headers.retain(|(name, _)| name != "Activity");
    (reply.status, headers, text)
}

/// Addresses at which somebody asks for a word in one way or another.
fn asking(word: &str) -> Vec<String> {
    let looks = [
        format!("q={word}"),
        format!("q={}*", &word[..3]),
        format!("q=-{word}"),
        format!("q=detail:{word}"),
        format!("q=attr.{word}:{word}"),
        format!("q=%22the%20{word}%22"),
        format!("q=user:max+{word}"),
        format!("q=device:{word}"),
        format!("action={word}"),
        format!("app=app-{word}"),
        format!("session=s-{word}"),
        format!("user=max&q={word}"),
    ];
    let looks = looks.iter();
    let mut asked: Vec<String> = looks
        .flat_map(|look| {
            [
                format!("/api/v1/activity?{look}"),
                format!("/api/v1/activity/histogram?{look}&buckets=7"),
                format!("/api/v1/activity/facets?field=user&{look}"),
                format!("/activity?period=all&wait=1&{look}"),
            ]
        })
        .collect();
    for field in ["user", "action", "app", "device"] {
        asked.push(format!("/api/v1/activity/facets?field={field}&prefix={}", &word[..3]));
        asked.push(format!("/api/v1/activity/facets?field={field}&prefix={word}"));
    }
    asked
}

#[test]
fn a_word_that_only_others_used_is_like_one_that_nobody_used() {
    let house = house();
    did(&house, "max", "zebra");
    let mia = house.signed_in("mia");
    house.caught_up();
    assert_eq!(house.log("q=zebra&user=max").len(), 1, "it is there");
    for (used, unused) in asking("zebra").into_iter().zip(asking("quagg")) {
        assert_eq!(told(&mia.get(&used), "zebra"), told(&mia.get(&unused), "quagg"), "{used}");
    }
    // Each download is an activity of hers, in which the word stands; so these come last.
    for path in ["/api/v1/activity.csv?q=", "/api/v1/activity.ndjson?q="] {
        let ask = |method, word: &str| told(&mia.send(method, &format!("{path}{word}"), b""), word);
        assert_eq!(ask(Method::Head, "zebra"), ask(Method::Head, "quagg"), "{path}");
        assert_eq!(ask(Method::Get, "zebra"), ask(Method::Get, "quagg"), "{path}");
        house.caught_up();
    }
}

#[test]
fn what_others_do_changes_nothing_that_one_is_shown() {
    let house = house();
    let mia = house.signed_in("mia");
    house.caught_up();
    let mut paths: Vec<String> = [
        "/sessions",
        "/sessions?state=ended",
        "/activity?period=all&wait=1",
        "/profile",
        "/help",
        "/api/v1/me",
        "/api/v1/sessions",
        "/api/v1/sessions?state=ended",
        "/api/v1/activity",
        "/api/v1/activity?order=asc&limit=1",
        "/api/v1/activity/histogram?buckets=7",
    ]
    .map(str::to_owned)
    .into();
    let fields = ["user", "action", "app", "outcome", "city", "country", "device", "os", "browser"];
    paths.extend(fields.map(|field| format!("/api/v1/activity/facets?field={field}")));
    let all = |mia: &Caller<'_>| paths.iter().map(|path| told(&mia.get(path), "no word")).collect::<Vec<_>>();
    let before = all(&mia);
    let max = house.signed_in("max");
    did(&house, "max", "zebra");
    house.signed_in("max");
    assert_eq!(max.post("/api/v1/sessions/logout", &json!({"all": true})).status, 200);
    house.stranger().sign_in("max", "wrong horse battery staple");
    let ada = house.signed_in("ada");
    assert_eq!(ada.patch("/api/v1/users/max", &json!({"full_name": "Maximilian"})).status, 200);
    house.caught_up();
    for ((path, before), after) in paths.iter().zip(before).zip(all(&mia)) {
        assert_eq!(before, after, "{path}");
    }
}

#[test]
fn no_parameter_reaches_past_what_is_ones_own() {
    let house = house();
    did(&house, "max", "zebra");
    let (mia, max) = (house.signed_in("mia"), house.signed_in("max"));
    house.caught_up();
    let session = max.session();
    for query in [
        "user=max",
        "user=MAX",
        "user=*",
        "user=ma*",
        "user=mia%20OR%20max",
        "q=user.name:max",
        "q=user:max",
        "q=user:ma*",
        "q=NOT+user:mia",
        "q=user:mia+OR+user:max",
        "q=user:mia+OR+zebra",
        "q=ip:216.160.83.56",
        "ip=216.160.83.0/24",
        "session=s-zebra",
        "q=session:s-zebra",
        &format!("session={session}"),
        &format!("q={session}"),
    ] {
        let reply = mia.get(&format!("/api/v1/activity?limit=1000&{query}"));
        let items = reply.items();
        assert!(each(&items, "user").iter().all(|user| user == "mia"), "{query}: {items:?}");
        assert_eq!(reply.json()["total"]["value"], items.len(), "{query}");
        let lines = mia.get(&format!("/api/v1/activity.ndjson?{query}"));
        let rows: usize = lines.header("Rows").unwrap().parse().unwrap();
        assert_eq!(lines.text().lines().count(), rows, "{query}");
        for line in lines.text().lines() {
            assert_eq!(serde_json::from_str::<Value>(line).unwrap()["user"], "mia", "{query}");
        }
        house.caught_up();
    }
    for query in [
        "user%5B%5D=max",
        "user=mia&user=max",
        "user=max&user=mia",
        "scope=all",
        "role=admin",
        "all=1&as=ada",
    ] {
        for path in ["activity", "activity.ndjson", "activity.csv", "activity/histogram", "sessions"] {
            let refused = mia.get(&format!("/api/v1/{path}?{query}"));
            assert_eq!(refused.refusal(), "400 bad_request", "{path}?{query}");
        }
    }
    for query in ["user=max", "user=MAX", "state=ended&user=max"] {
        let items = mia.get(&format!("/api/v1/sessions?{query}")).items();
        assert!(each(&items, "user").iter().all(|user| user == "mia"), "{query}: {items:?}");
    }
}

#[test]
fn when_many_ask_at_once_every_answer_is_its_askers() {
    let names: Vec<String> = (0..8).map(|n| format!("canary{n}")).collect();
    let house = names.iter().fold(House::new(), |house, name| house.with_member(name));
    for name in &names {
        did(&house, name, name);
    }
    let callers: Vec<Caller<'_>> = names.iter().map(|name| house.signed_in(name)).collect();
    house.caught_up();
    std::thread::scope(|scope| {
        for (name, caller) in names.iter().zip(&callers) {
            scope.spawn(move || {
                let paths = [
                    "/profile",
                    "/sessions",
                    "/api/v1/me",
                    "/api/v1/sessions",
                    "/api/v1/activity",
                    "/activity",
                ];
                for path in paths.iter().cycle().take(60) {
                    let text = caller.get(path).text();
                    assert!(text.contains(name.as_str()), "{path}: {text}");
                    assert_eq!(text.matches("canary").count(), text.matches(name.as_str()).count(), "{path}");
                }
            });
        }
    });
}

#[test]
fn a_role_that_is_taken_away_closes_what_it_had_open() {
    let folder = Folder::with_admin();
    folder.run_with(&["user", "add", "bob", "--role", "admin", "--password-stdin"], PASSWORD).ok();
    let token = folder.run(&["token", "add", "t", "--scope", "activity:write"]);
    let server = folder.serve();
    let program = server.bearer(token.ok()).with("Content-Type", "application/x-ndjson");
    // More than all buffers on the way can hold.
    let line = format!("{{\"user\":\"u\",\"action\":\"a\",\"detail\":\"{}\"}}\n", "x".repeat(60_000));
    assert_eq!(
        program.connect().send("POST", "/api/v1/activity", line.repeat(600).as_bytes()).ok()["accepted"],
        600
    );
    let (ada, bob) = (server.signed_in("ada"), server.signed_in("bob"));
    bob.get_until("/api/v1/activity?user=u&limit=1", |reply| reply.json()["total"]["value"] == 600);
    let streams = ["/api/v1/sessions/stream", "/api/v1/activity/stream"].map(|path| Events::open(&bob, path));
    let mut download = bob.connect();
    download.ask("GET", "/api/v1/activity.csv?user=u", b"");
    assert_eq!(download.head().0, 200);
    download.chunk().unwrap();
    let demoted = ada.with("Content-Type", "application/json");
    let demoted = demoted.connect().send("PATCH", "/api/v1/users/bob", br#"{"role":"member"}"#);
    assert_eq!(demoted.status, 200, "{}", demoted.text());
    assert_eq!(bob.get("/api/v1/users").refusal(), "401 not_signed_in");
    assert!(download.rest().is_err(), "it ends without the last chunk");
    for stream in streams {
        // It ends, and tells nothing of what comes afterwards.
        assert_eq!(stream.rest("activity").iter().filter(|told| told["user"] == "late").count(), 0);
    }
    let again = server.signed_in("bob");
    assert_eq!(again.get("/api/v1/users").refusal(), "403 forbidden");
}

#[test]
fn a_stranger_learns_neither_the_version_nor_any_number() {
    let house = House::new().with_admin("ada").with_member("mia");
    let stranger = house.stranger();
    for path in
        ["/signin", "/nothing", "/healthz", "/readyz", "/metrics", "/api/v1/nothing", "/es", "/auth/forward"]
    {
        let reply = stranger.get(path);
        let all = format!("{:?}{}", reply.headers, reply.text());
        assert!(!all.contains(env!("CARGO_PKG_VERSION")), "{path}: {all}");
        assert!(
            !all.contains("rollcall_") && !all.contains("redb") && !all.contains("Rocket"),
            "{path}: {all}"
        );
    }
    assert_eq!(stranger.get("/healthz").text(), "ok\n");
    assert_eq!(stranger.get("/readyz").status, 200);
    assert!(house.signed_in("mia").get("/help").text().contains(env!("CARGO_PKG_VERSION")));
}

const SESSION_TOKENS: TableDefinition<&[u8; 32], &[u8; 16]> = TableDefinition::new("session_tokens");
const TOKEN_HASHES: TableDefinition<&[u8; 32], &str> = TableDefinition::new("token_hashes");
const USERS: TableDefinition<&str, &[u8]> = TableDefinition::new("users");

fn data(folder: &Folder) -> Database {
    Database::open(folder.path().join("rollcall.redb")).unwrap()
}

#[test]
fn what_is_kept_of_a_token_opens_nothing() {
    let folder = Folder::with_admin();
    folder.run(&["token", "add", "t", "--scope", "session:read"]).ok();
    let server = folder.serve();
    let ada = server.signed_in("ada");
    let id = ada.session();
    assert_eq!(server.stop(), Some(0));
    let kept: Vec<(&str, Vec<u8>)> = {
        let data = data(&folder);
        let read = data.begin_read().unwrap();
        let sessions = read.open_table(SESSION_TOKENS).unwrap();
        let tokens = read.open_table(TOKEN_HASHES).unwrap();
        let sessions = sessions.iter().unwrap().map(|row| ("rcs_", row.unwrap().0.value().to_vec()));
        sessions.chain(tokens.iter().unwrap().map(|row| ("rct_", row.unwrap().0.value().to_vec()))).collect()
    };
    assert_eq!(kept.len(), 2);
    let server = folder.serve();
    let ada = ada.at(server.address());
    assert_eq!(ada.session(), id, "the token itself is good");
    for (prefix, bytes) in kept {
        let hex = data_encoding::HEXLOWER.encode(&bytes);
        let base64 = data_encoding::BASE64URL_NOPAD.encode(&bytes);
        for text in
            [hex.clone(), base64.clone(), format!("{prefix}{hex}"), format!("{prefix}{base64}"), id.clone()]
        {
            let browser = server.stranger().with("Cookie", &format!("rollcall={text}"));
            assert_eq!(browser.get("/api/v1/me").refusal(), "401 not_signed_in", "{text}");
            assert_eq!(server.bearer(&text).get("/api/v1/sessions").refusal(), "401 no_token", "{text}");
        }
    }
}

#[test]
fn the_setup_does_not_open_again_when_all_accounts_are_gone() {
    let folder = Folder::with_admin();
    let refused = folder.run(&["user", "remove", "ada"]);
    assert_eq!(refused.code, 2, "somebody is always left: {}{}", refused.out, refused.err);
    {
        let data = data(&folder);
        let write = data.begin_write().unwrap();
        write.open_table(USERS).unwrap().remove("ada").unwrap();
        write.commit().unwrap();
    }
    let server = folder.serve();
    let stranger = server.stranger();
    assert_eq!(stranger.get("/setup").status, 404);
    let form = stranger.with("Content-Type", "application/x-www-form-urlencoded");
    assert_eq!(form.connect().send("POST", "/setup", b"code=&user=eve&password=x").status, 409);
    assert_eq!(stranger.get("/readyz").status, 200);
}

/// Every file below a folder that is read as one.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.is_file() {
            found.push((path.display().to_string(), fs::read(&path).unwrap()));
        }
    }
    found
}

#[test]
fn no_secret_stands_in_any_file_or_on_any_line_that_the_server_says() {
    let folder = Folder::with_admin();
    let said = tempfile::tempdir().unwrap();
    let said = said.path().join("said");
    let api = folder
        .run(&["token", "add", "t", "--scope", "activity:write", "activity:read"])
        .ok()
        .trim()
        .to_owned();
    let server = folder.serve_saying(&said);
    let ada = server.signed_in("ada");
    let mut secrets = vec![("password", PASSWORD.to_owned()), ("API token", api.clone())];
    let cookies: String = ada.header("Cookie").to_owned();
    secrets.push(("session", cookies.split_once('=').unwrap().1.to_owned()));
    let wrong = "a wrong horse and a wrong battery";
    let failed = json!({"user": "ada", "password": wrong});
    assert_eq!(server.stranger().post("/api/v1/signin", &failed).status, 401);
    secrets.push(("wrong password", wrong.to_owned()));
    let changed = "another horse battery staple";
    let body = json!({"current": PASSWORD, "password": changed});
    let changed_reply = ada.post("/api/v1/me/password", &body);
    assert_eq!(changed_reply.status, 200, "{}", changed_reply.text());
    secrets.push(("new password", changed.to_owned()));
    let ada = server.stranger().with("Cookie", &changed_reply.cookie());
    secrets.push(("new session", changed_reply.cookie().split_once('=').unwrap().1.to_owned()));
    let made = ada.post("/api/v1/tokens", &json!({"name": "u", "scopes": ["metrics"]}));
    secrets.push(("made token", made.json()["token"].as_str().unwrap().to_owned()));
    let begun = ada.post("/api/v1/me/second-factor", &Value::Null).ok();
    let seed = begun["secret"].as_str().unwrap().to_owned();
    let proof = json!({"pending": begun["pending"], "code": super::second_factor::code(&seed, now() / 30)});
    let proof = ada.with("Content-Type", "application/json").connect().send(
        "PUT",
        "/api/v1/me/second-factor",
        proof.to_string().as_bytes(),
    );
    let codes: Vec<String> = serde_json::from_value(proof.ok()["recovery_codes"].clone()).unwrap();
    secrets.extend(codes.into_iter().map(|code| ("recovery code", code)));
    secrets.push(("seed", seed));
    // What is refused with a secret in a place where none belongs.
    ada.get(&format!("/api/v1/activity?q=%22&token={api}"));
    server.bearer(&api.replace("rct_", "rct_x")).get("/api/v1/activity");
    let program = server.bearer(&api).with("Content-Type", "application/x-ndjson");
    program.connect().send("POST", "/api/v1/activity", b"{}\nnonsense\n");
    let log = server.bearer(&api).get("/api/v1/activity.ndjson").text();
    assert_eq!(server.stop(), Some(0));
    let mut places = files(folder.path());
    assert!(places.iter().any(|(name, _)| name.ends_with("rollcall.redb")));
    places.push(("what the server said".to_owned(), fs::read(&said).unwrap()));
    places.push(("the log".to_owned(), log.into_bytes()));
    for (what, secret) in &secrets {
        let bare =
            secret.split_once("rct_").or(secret.split_once("rcs_")).map_or(secret.as_str(), |(_, bare)| bare);
        for (place, bytes) in &places {
            let found = bytes.windows(bare.len()).any(|window| window == bare.as_bytes());
            assert!(!found, "the {what} stands in {place}");
        }
    }
    let passwords: TableDefinition<&str, &[u8]> = TableDefinition::new("passwords");
    let data = data(&folder);
    let table = data.begin_read().unwrap().open_table(passwords).unwrap();
    // Behind its version and its checksum.
    let kept = String::from_utf8(table.get("ada").unwrap().unwrap().value()[9..].to_vec()).unwrap();
    assert!(kept.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{kept}");
    assert!(kept.split('$').nth(4).unwrap().len() >= 22, "a salt of 16 bytes: {kept}");
}

/// Seconds since 1970.
#[expect(
    clippy::disallowed_methods,
    reason = "the server's clock is the machine's, and an authenticator has one too"
)]
fn now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}
