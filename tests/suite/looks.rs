//! Whoever looks at what others did is seen doing so: one activity for each view, and none for one's own.

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{
    house::{Caller, House},
    http::each,
    server::Folder,
    stream::Events,
};

/// Ada administrates, otto audits, mia did something.
fn house() -> House {
    let house = House::new().with_admin("ada").with_auditor("otto").with_member("mia");
    let record =
        json!({"user": "mia", "action": "tick", "app": "t", "detail": "Account_2024.csv in a bucket"});
    house.program("loader", &["activity:write"]).post("/api/v1/activity", &json!([record, record])).ok();
    house.caught_up();
    house
}

/// All looks so far, oldest first.
fn looks(house: &House) -> Vec<Value> {
    house.sweep();
    house.log("action=search&order=asc")
}

fn type_in(caller: &Caller<'_>, text: &str) {
    let (path, quiet) = (format!("/activity?q={text}&typing=1"), caller.with("Fragment", "results"));
    assert_eq!(quiet.get(&path).status, 200);
    // What the page could not wait for, and its stream, follow by themselves.
    let late = caller.with("Fragment", "count").with("Background", "1");
    assert_eq!(late.get(&path).status, 200);
    assert_eq!(caller.get(&format!("/activity/stream?q={text}&typing=1")).status, 200);
}

#[test]
fn a_search_on_the_page_is_in_the_log_once_whatever_is_asked_of_it() {
    let house = house();
    let ada = house.signed_in("ada");
    let query = "/activity?q=bucket&user=mia&period=7d";
    for part in ["", "results", "count", "histogram"] {
        assert_eq!(ada.with("Fragment", part).get(query).status, 200);
    }
    ada.get(&format!("{query}&order=asc"));
    ada.get("/activity?q=bucket&user=mia&period=24h");
    let told = looks(&house);
    assert_eq!(told.len(), 1, "{told:?}");
    let told = &told[0];
    assert_eq!([&told["user"], &told["app"], &told["session"]], ["ada", "rollcall", ada.session().as_str()]);
    assert_eq!(
        (&told["target"], &told["detail"], &told["outcome"]),
        (&json!("mia"), &json!("q=bucket user=mia period=7d"), &json!("success"))
    );
    assert_eq!(told["attributes"], json!({"q": "bucket", "user": "mia", "period": "7d"}));
    assert_eq!(told["city"], "London");
    // More of the log, or something else in it, is another look.
    ada.get("/activity?q=bucket&user=mia&period=all");
    ada.get("/activity?q=bucket");
    ada.get("/activity");
    assert_eq!(
        each(&looks(&house)[1..], "detail"),
        ["q=bucket user=mia period=all", "q=bucket period=1m", "period=1m"]
    );
}

#[test]
fn calls_of_the_api_are_looks_whoever_makes_them() {
    let house = house();
    let otto = house.signed_in("otto");
    for call in ["activity", "activity/histogram", "activity/facets", "activity/stream"] {
        assert_eq!(otto.get(&format!("/api/v1/{call}?q=bucket&field=action")).status, 200, "{call}");
    }
    let program = house.program("siem", &["activity:read"]);
    program.get("/api/v1/activity?action=tick&limit=1").ok();
    let everything = program.get("/api/v1/activity?limit=1").ok();
    program.get(&format!("/api/v1/activity?limit=1&cursor={}", everything["next"].as_str().unwrap())).ok();
    let told = looks(&house);
    assert_eq!(each(&told, "user"), ["otto", "token siem", "token siem"], "{told:?}");
    assert_eq!(each(&told, "detail"), ["q=bucket", "action=tick", "everything"]);
}

#[test]
fn who_reads_one_activity_after_the_other_by_number_looks_at_those_who_did_them() {
    let house = house();
    let reader = house.program("crawler", &["activity:read"]);
    for item in house.log("action=tick") {
        let id = item["id"].as_str().unwrap();
        assert_eq!(reader.get(&format!("/api/v1/activity/{id}")).status, 200);
    }
    let told = looks(&house);
    let theirs: Vec<&Value> = told.iter().filter(|told| told["user"] == "token crawler").collect();
    assert_eq!(theirs.len(), 1, "{told:?}");
    assert_eq!((&theirs[0]["target"], &theirs[0]["detail"]), (&json!("mia"), &json!("user=mia")));
    let mia = house.signed_in("mia");
    let own = house.log("action=tick")[0]["id"].as_str().unwrap().to_owned();
    assert_eq!(mia.get(&format!("/api/v1/activity/{own}")).status, 200);
    assert_eq!(looks(&house).len(), told.len(), "her own is nobody's business");
}

#[test]
fn an_activity_that_is_read_alone_is_a_part_of_the_view_that_shows_it_or_a_look_at_who_did_it() {
    let house = house();
    let id = house.log("action=tick")[0]["id"].as_str().unwrap().to_owned();
    let read = |caller: &Caller<'_>| {
        assert_eq!(caller.get(&format!("/activity/{id}")).status, 200);
        assert_eq!(caller.get(&format!("/api/v1/activity/{id}")).status, 200);
    };
    read(&house.signed_in("otto"));
    let told = looks(&house);
    assert_eq!(each(&told, "detail"), ["user=mia"]);
    assert_eq!(told[0]["target"], "mia");
    // By a page, from a view that shows it; and from one that shows something else.
    let ada = house.signed_in("ada");
    ada.get("/activity?q=tick&period=all");
    read(&ada);
    assert_eq!(each(&looks(&house)[1..], "detail"), ["q=tick period=all"]);
    let ada = house.signed_in("ada");
    ada.get("/activity?q=tick&from=2020-01-01&to=2020-02-01&period=custom");
    read(&ada);
    assert_eq!(each(&looks(&house)[3..], "detail"), ["user=mia"]);
    house.later(SignedDuration::from_mins(10));
    read(&ada);
    assert_eq!(looks(&house).len(), 5, "a view lasts ten minutes");
}

#[test]
fn who_looks_for_themselves_alone_is_not_told_of() {
    let house = house();
    let (mia, ada) = (house.signed_in("mia"), house.signed_in("ada"));
    for path in ["/activity", "/activity?q=bucket", "/api/v1/activity", "/api/v1/activity?user=ada"] {
        assert_eq!(mia.get(path).status, 200, "{path}");
    }
    ada.get("/activity?user=ADA");
    ada.get("/api/v1/activity/facets?field=user&prefix=mi").ok();
    ada.get(&format!("/sessions/{}", ada.session()));
    assert_eq!(looks(&house), [] as [Value; 0]);
    ada.get(&format!("/sessions/{}", mia.session()));
    let told = looks(&house);
    assert_eq!(each(&told, "target"), ["mia"], "what was done in a session of hers was looked at");
    assert_eq!(told[0]["attributes"], json!({"session": mia.session()}));
}

#[test]
fn who_asks_again_and_again_up_to_now_follows_the_log_and_looks_once() {
    let house = house();
    let program = house.program("siem", &["activity:read"]);
    let ask = |from: &str, to: &str| {
        program.get(&format!("/api/v1/activity?q=bucket&from={from}&to={to}")).ok();
    };
    // All since noon, and then just what is new.
    for second in 1..=5 {
        house.later(SignedDuration::from_secs(1));
        ask("2026-03-15T12:00:00Z", &format!("2026-03-15T12:00:0{second}Z"));
    }
    for second in 5..=8 {
        house.later(SignedDuration::from_secs(1));
        ask(&format!("2026-03-15T12:00:0{second}Z"), &format!("2026-03-15T12:00:0{}Z", second + 1));
    }
    assert_eq!(looks(&house).len(), 1, "{:?}", looks(&house));
    // What had happened before is another look, each part of it.
    ask("2026-03-14T12:00:00Z", "2026-03-15T12:00:09Z");
    ask("2026-02-01", "2026-02-01");
    ask("2026-02-02", "2026-02-02");
    assert_eq!(looks(&house).len(), 4);
    house.later(SignedDuration::from_mins(11));
    ask("2026-03-15T12:00:00Z", "2026-03-15T12:11:20Z");
    assert_eq!(looks(&house).len(), 5, "and again after a while");
}

#[test]
fn what_is_typed_is_one_look_when_it_stands_still() {
    let house = house();
    let ada = house.signed_in("ada");
    for text in ["b", "bu", "buck", "bucket"] {
        type_in(&ada, text);
    }
    assert_eq!(looks(&house).len(), 0, "nobody has looked at it yet");
    house.later(SignedDuration::from_secs(4));
    assert_eq!(each(&looks(&house), "detail"), ["q=bucket* period=1m"], "all that begin so were looked for");
    // And once more in full, and as the links of the page go on.
    ada.get("/activity?q=bucket&period=1m");
    ada.get("/activity?q=bucket*&period=1m");
    // A row that is opened was looked at, however quickly; so was a page that is turned.
    type_in(&ada, "acc");
    let id = house.log("action=tick")[0]["id"].as_str().unwrap().to_owned();
    ada.get(&format!("/activity/{id}"));
    assert_eq!(each(&looks(&house)[1..], "detail"), ["q=acc* period=1m"]);
    // Without those that begin so there was less to see than without the word alone.
    type_in(&ada, "-acc");
    house.later(SignedDuration::from_secs(4));
    assert_eq!(each(&looks(&house)[2..], "detail"), ["q=-acc* period=1m"]);
    ada.get("/activity?q=-acc&period=1m");
    assert_eq!(each(&looks(&house)[3..], "detail"), ["q=-acc period=1m"]);
}

#[test]
fn the_same_look_counts_again_after_a_while_and_for_everybody_apart() {
    let house = house();
    let (ada, otto) = (house.signed_in("ada"), house.signed_in("otto"));
    ada.get("/activity?q=bucket");
    house.later(SignedDuration::from_mins(9));
    ada.get("/activity?q=bucket");
    otto.get("/activity?q=bucket");
    assert_eq!(each(&looks(&house), "user"), ["ada", "otto"]);
    house.later(SignedDuration::from_mins(2));
    ada.get("/activity?q=bucket");
    assert_eq!(each(&looks(&house), "user"), ["ada", "otto", "ada"]);
}

#[test]
fn a_word_does_not_find_those_who_searched_for_it() {
    let house = house();
    let ada = house.signed_in("ada");
    ada.get("/activity?q=bucket&user=mia");
    ada.get("/api/v1/activity.csv?q=bucket&user=mia");
    house.sweep();
    assert_eq!(each(&house.log("q=bucket"), "action"), ["tick", "tick"]);
    assert_eq!(each(&house.log("q=attr.q:bucket"), "action"), ["export", "search"]);
    assert_eq!(each(&house.log("q=target:mia+app:rollcall+action:search"), "user"), ["ada"]);
}

#[test]
fn commands_and_streams_are_looks_and_none_is_lost_when_the_server_stops() {
    let folder = Folder::with_admin();
    let search = |query: &[&str]| folder.run(&[&["activity", "search"][..], query].concat());
    search(&["sign", "--user", "ada", "--period", "7d"]);
    let server = folder.serve();
    search(&["zebra"]);
    let ada = server.signed_in("ada");
    drop(Events::open(&ada, "/api/v1/activity/stream?q=tail"));
    ada.get("/activity?q=typed&typing=1");
    server.stop();
    let told = search(&["action:search", "--json"]);
    let told: Vec<Value> = told.ok().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let told: Vec<_> = told.iter().rev().map(|told| (&told["user"], &told["detail"])).collect();
    let (console, ada) = (json!("host console"), json!("ada"));
    assert_eq!(
        told,
        [
            (&console, &json!("q=sign user=ada period=7d")),
            (&console, &json!("q=zebra")),
            (&ada, &json!("q=tail")),
            (&ada, &json!("q=typed* period=1m")),
        ]
    );
}

#[test]
fn what_is_proposed_while_one_types_is_no_look() {
    let house = house();
    let ada = house.signed_in("ada");
    for proposed in ["prefix=mi", "typing=1"] {
        let values = ada.get(&format!("/api/v1/activity/facets?field=user&limit=8&{proposed}")).items();
        assert!(each(&values, "value").contains(&"mia".to_owned()), "{proposed}: {values:?}");
        house.later(SignedDuration::from_secs(4));
        assert_eq!(looks(&house), Vec::<Value>::new(), "{proposed}");
    }
    // What is counted of what somebody looks for is one, once it stands.
    ada.get("/api/v1/activity/facets?field=action&user=mia&typing=1").ok();
    house.later(SignedDuration::from_secs(4));
    assert_eq!(each(&looks(&house), "detail"), ["user=mia"]);
}
