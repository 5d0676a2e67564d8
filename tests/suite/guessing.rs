//! Those who guess: slowed down at every door, and never a way to keep others out.

use jiff::SignedDuration;
use serde_json::json;

use super::{
    house::{Caller, House, PASSWORD},
    http::{Reply, each},
    server::{Client, Folder, Server},
};

const WRONG: &str = "wrong horse battery staple";

/// How many wrong passwords on one name are looked at.
const TRIES: usize = 8;

fn is_held(reply: &Reply) -> bool {
    let held = reply.status == 429;
    if held {
        assert_eq!(reply.refusal(), "429 too_many_tries");
        let seconds: u64 = reply.header("Retry-After").unwrap().parse().unwrap();
        assert!((1..=300).contains(&seconds), "{seconds}");
    }
    held
}

/// Guesses until it is held back; how many guesses were looked at.
fn guess(browser: &Caller<'_>, names: &[&str]) -> usize {
    let replies = names.iter().cycle().map(|name| browser.sign_in(name, WRONG));
    replies
        .take(200)
        .take_while(|reply| !is_held(reply))
        .inspect(|reply| assert_eq!(reply.status, 401))
        .count()
}

#[test]
fn a_name_is_guessed_at_a_few_times_however_it_is_written_and_wherever_from() {
    let house = House::new().with_member("mia");
    assert_eq!(guess(&house.stranger(), &["mia", "MIA", " mia ", "ｍｉａ"]), TRIES);
    for (n, name) in ["mia", "Mia", "mia\u{a0}"].iter().enumerate() {
        let elsewhere = house.stranger().at(&format!("198.51.100.{n}"));
        assert!(is_held(&elsewhere.sign_in(name, WRONG)), "{name:?}");
        assert!(is_held(&elsewhere.sign_in(name, PASSWORD)), "the right one is not looked at either");
        for header in ["X-Forwarded-For", "X-Real-IP", "Forwarded"] {
            assert!(is_held(&elsewhere.with(header, "203.0.113.7").sign_in(name, WRONG)), "{header}");
        }
    }
    assert_eq!(
        guess(&house.stranger().at("203.0.113.1"), &["nobody"]),
        TRIES,
        "nor is it told who has an account"
    );
    house.later(SignedDuration::from_mins(5));
    assert_eq!(guess(&house.stranger(), &["mia"]), 1);
}

#[test]
fn whoever_guesses_keeps_the_user_out_of_nothing() {
    let house = House::new().with_member("mia");
    let reply = house.stranger().sign_in("mia", PASSWORD);
    let mia = house.stranger().with("Cookie", &reply.cookie());
    let marks: Vec<&str> = reply
        .headers
        .iter()
        .filter(|(name, _)| name == "Set-Cookie")
        .map(|(_, value)| value.as_str())
        .collect();
    let mark = marks.iter().find(|mark| mark.starts_with("rollcall-browser=rcb_")).unwrap();
    for attribute in ["; Path=/", "; HttpOnly", "; SameSite=Lax", "; Max-Age=34560000"] {
        assert!(mark.contains(attribute), "{mark}");
    }
    let mark = mark.split(';').next().unwrap();
    for n in 0..3 {
        guess(&house.stranger().at(&format!("198.51.100.{n}")), &["mia"]);
    }
    assert!(mia.is_in(), "a session goes on");
    let elsewhere = house.stranger().at("203.0.113.50");
    assert!(is_held(&elsewhere.sign_in("mia", PASSWORD)));
    assert_eq!(house.stranger().sign_in("mia", PASSWORD).status, 200, "an address she has signed in from");
    let known = elsewhere.with("Cookie", mark);
    assert_eq!(known.sign_in("mia", PASSWORD).status, 200, "a browser she has signed in on");
    assert_eq!(guess(&known.at("203.0.113.60"), &["mia"]), TRIES, "which is no licence to guess");
    let house2 = House::new().with_member("mia");
    guess(&house2.stranger().at("198.51.100.1"), &["mia"]);
    assert!(
        is_held(&house2.stranger().at("203.0.113.50").with("Cookie", mark).sign_in("mia", PASSWORD)),
        "another house's mark"
    );
}

#[test]
fn what_a_browser_is_known_by_is_of_one_user_and_opens_nothing() {
    let house = House::new().with_member("mia").with_member("max");
    let reply = house.stranger().sign_in("mia", PASSWORD);
    let mark = reply.headers.iter().find_map(|(_, value)| value.strip_prefix("rollcall-browser=")).unwrap();
    let mark = mark.split(';').next().unwrap();
    let bearer = house.stranger().with("Cookie", &format!("rollcall={mark}"));
    assert!(!bearer.is_in());
    guess(&house.stranger().at("198.51.100.1"), &["max"]);
    let other = house.stranger().at("203.0.113.50").with("Cookie", &format!("rollcall-browser={mark}"));
    assert!(is_held(&other.sign_in("max", PASSWORD)), "it is mia's");
}

#[test]
fn an_address_that_sprays_is_held_back_and_the_log_says_so_once() {
    let house = House::new().with_member("mia");
    let names: Vec<String> = (0..100).map(|n| format!("user{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    for n in 0..10 {
        house.stranger().at(&format!("2001:db8:0:1::{n}")).sign_in("nobody", WRONG);
    }
    let looked = guess(&house.stranger().at("2001:db8:0:1::77"), &names);
    assert_eq!(TRIES + looked, 40, "all of a /64 is one address");
    for _ in 0..50 {
        assert!(is_held(&house.stranger().at("2001:db8:0:1::78").sign_in("mia", WRONG)));
    }
    assert_eq!(house.stranger().at("2001:db8:0:2::1").sign_in("mia", PASSWORD).status, 200);
    house.sweep();
    let told = house.log("action=sign-in-failed&q=looked");
    let told: Vec<_> = told.iter().filter(|row| row["ip"] == "2001:db8:0:1::").collect();
    assert_eq!(told.len(), 1);
    let detail = told[0]["detail"].as_str().unwrap();
    assert_eq!(detail, "too many wrong tries from this address: 51 more were not looked at");
    let before = house.log("action=sign-in-failed").len();
    for _ in 0..50 {
        house.stranger().at("2001:db8:0:1::78").sign_in("mia", WRONG);
    }
    house.sweep();
    assert_eq!(house.log("action=sign-in-failed").len(), before, "not before a minute has passed");
}

#[test]
fn many_addresses_together_are_held_back_and_whoever_is_known_is_not() {
    let house = House::new().with_member("mia");
    house.signed_in("mia");
    let mut looked = 0;
    for n in 0..150 {
        let reply =
            house.stranger().at(&format!("198.51.{}.{n}", n / 100)).sign_in(&format!("user{n}"), WRONG);
        looked += usize::from(!is_held(&reply));
    }
    assert_eq!(looked, 100);
    assert!(is_held(&house.stranger().at("203.0.113.9").sign_in("mia", PASSWORD)));
    assert_eq!(house.stranger().sign_in("mia", PASSWORD).status, 200);
    house.sweep();
    let failed = house.log("action=sign-in-failed");
    assert_eq!(failed.len(), 101, "{:?}", each(&failed, "detail"));
}

#[test]
fn every_door_counts_with_the_others() {
    let house = House::new().with_member("mia");
    let mia = house.signed_in("mia").at("203.0.113.50");
    let form = [("user", "mia"), ("password", WRONG)];
    for _ in 0..TRIES / 2 {
        assert_eq!(mia.without("Cookie").form("/signin", &form).status, 401);
        let change = [("current", WRONG), ("password", "another horse battery staple")];
        assert_eq!(mia.form("/profile/password", &change).status, 400);
    }
    let page = mia.without("Cookie").form("/signin", &form);
    assert_eq!(page.status, 429);
    assert!(page.header("Retry-After").is_some() && page.text().contains("Too many tries were wrong"));
    let change = [("current", PASSWORD), ("password", "another horse battery staple")];
    assert_eq!(mia.form("/profile/password", &change).status, 429);
    let body = json!({"current": PASSWORD, "password": "another horse battery staple"});
    assert!(is_held(&mia.post("/api/v1/me/password", &body)));
    assert!(mia.is_in());
}

#[test]
fn a_new_password_begins_the_count_anew() {
    let house = House::new().with_admin("ada").with_member("mia");
    guess(&house.stranger().at("198.51.100.1"), &["mia"]);
    let other = "another horse battery staple";
    let set = house.signed_in("ada").post("/api/v1/users/mia/password", &json!({"password": other}));
    assert_eq!(set.status, 204);
    assert_eq!(house.stranger().at("203.0.113.50").sign_in("mia", other).status, 200);
}

#[test]
fn the_code_of_the_setup_is_guessed_at_a_few_times_and_works_for_an_hour() {
    let house = House::new();
    let code = house.app.setup_code().unwrap();
    let browser = house.stranger();
    let fields = |code: &str| {
        [
            ("code".to_owned(), code.to_owned()),
            ("user".into(), "ada".into()),
            ("password".into(), PASSWORD.into()),
        ]
    };
    let try_code = |code: &str| {
        let fields = fields(code);
        let fields: Vec<(&str, &str)> = fields.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
        browser.form("/setup", &fields).status
    };
    let looked = (0..100).take_while(|_| try_code("AAAA-BBBB-CCCC-DDDD") == 403).count();
    assert_eq!(looked, TRIES);
    assert_eq!(try_code(&code), 429);
    assert_eq!(house.app.renew_setup_code(), None);
    house.later(SignedDuration::from_hours(1));
    assert_eq!(try_code(&code), 403, "it works no longer");
    let new = house.app.renew_setup_code().unwrap();
    assert_ne!(new, code);
    assert_eq!(try_code(&new), 303);
    assert_eq!(house.app.renew_setup_code(), None);
}

#[test]
fn of_fifty_who_race_through_the_setup_one_becomes_administrator() {
    let house = House::new();
    let code = house.app.setup_code().unwrap();
    let start = std::sync::Barrier::new(50);
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let race = |n: usize| {
            let (house, code, start) = (&house, &code, &start);
            move || {
                start.wait();
                let name = format!("admin{n}");
                house
                    .stranger()
                    .form("/setup", &[("code", code), ("user", &name), ("password", PASSWORD)])
                    .status
            }
        };
        let racers: Vec<_> = (0..50).map(|n| scope.spawn(race(n))).collect();
        racers.into_iter().map(|racer| racer.join().unwrap()).collect()
    });
    assert_eq!(statuses.iter().filter(|status| **status == 303).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 409).count(), 49, "{statuses:?}");
    assert_eq!(house.app.users().len(), 1);
    assert_eq!(house.stranger().get("/setup").status, 404);
}

#[test]
fn a_restart_gives_back_fewer_than_ten_tries_and_keeps_the_user_out_of_nothing() {
    let folder = Folder::with_admin();
    let options = ["--trusted-proxy", "127.0.0.1"];
    let server = folder.serve_with(&options);
    let from = |server: &Server, ip: &str| server.stranger().with("X-Forwarded-For", ip);
    let sign_in = |client: &Client, password: &str| {
        client.post("/api/v1/signin", &json!({"user": "ada", "password": password}))
    };
    // She is signed in from there, so that it is known after the restart too.
    let signed_in = sign_in(&from(&server, "192.0.2.1"), PASSWORD);
    assert_eq!(signed_in.status, 200);
    let marks = signed_in.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("Set-Cookie"));
    let mark = marks.filter_map(|(_, mark)| mark.split(';').next()).find(|mark| mark.contains("browser"));
    let looked_at = |server: &Server| {
        let own = from(server, "192.0.2.1");
        let places = [from(server, "198.51.100.1"), own.clone(), own.with("Cookie", mark.unwrap())];
        let tries =
            places.iter().map(|place| (0..50).take_while(|_| !is_held(&sign_in(place, WRONG))).count());
        tries.sum::<usize>()
    };
    looked_at(&server);
    server.kill();
    let server = folder.serve_with(&options);
    let tries = looked_at(&server);
    assert!((3..10).contains(&tries), "{tries} tries");
    server.kill();
    let server = folder.serve_with(&options);
    while !is_held(&sign_in(&from(&server, "198.51.100.1"), WRONG)) {}
    assert_eq!(sign_in(&from(&server, "192.0.2.1"), PASSWORD).status, 200);
}
