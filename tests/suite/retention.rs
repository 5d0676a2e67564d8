//! Retention: what is too old, or too much, is gone at once for everybody, and the log says so.

use jiff::SignedDuration;
use rollcall::model::{retention::Retention, user::Actor};
use serde_json::{Value, json};

use super::{
    house::{Caller, House},
    http::each,
};

const SETTINGS: &str = "/settings/retention";

/// A house whose log has an activity a day, of three apps, for `days` days before now.
fn house(days: i64) -> House {
    house_of(days, "")
}

/// The same, with a target for each.
fn house_of(days: i64, target: &str) -> House {
    let house = House::new().with_admin("ada");
    let program = house.program("app", &["activity:write"]);
    let records: Vec<Value> = (0..days)
        .map(|day| {
            let time = house.now() - SignedDuration::from_hours(24 * day + 1);
            let app = ["wiki", "crm", "vault"][usize::try_from(day % 3).unwrap()];
            json!({"time": time.to_string(), "user": "bob", "action": "edit", "app": app, "target": target, "detail": format!("day {day}")})
        })
        .collect();
    assert_eq!(program.post("/api/v1/activity", &json!(records)).json()["accepted"], days);
    house.caught_up();
    house
}

/// What can still be found of bob's days, newest first.
fn days(house: &House) -> Vec<i64> {
    let day = |item: &Value| item["detail"].as_str().unwrap()[4..].parse().unwrap();
    house.log("user=bob&action=edit").iter().map(day).collect()
}

/// Saves rules, and agrees to what they remove where that is `confirmed`.
fn save(caller: &Caller<'_>, keep: &str, size: &str, rules: &str, confirmed: bool) -> u16 {
    let mut form = vec![("keep", keep), ("size", size), ("rules", rules)];
    let asked = caller.form(SETTINGS, &form);
    if !confirmed || asked.status != 200 {
        return asked.status;
    }
    let token = agreement(&asked.text());
    form.push(("agreed", &token));
    caller.form(SETTINGS, &form).status
}

/// What the page that asks brings back when it is agreed to.
fn agreement(page: &str) -> String {
    let (_, behind) = page.split_once("name=\"agreed\" value=\"").expect("it asks");
    behind.split_once('"').unwrap().0.to_owned()
}

#[test]
fn no_more_goes_than_was_shown_to_whoever_agreed_and_the_proof_is_not_old() {
    let house = house(90);
    let ada = house.signed_in("ada");
    let rules = |keep| vec![("keep", keep), ("size", ""), ("rules", "")];
    let asked = ada.form(SETTINGS, &rules("30d")).text();
    assert!(asked.contains("Remove 60 activities?"), "{asked}");
    // What was shown is of those rules, and of that moment.
    let with = |keep, token: &str| {
        let token = token.to_owned();
        let mut form = rules(keep);
        form.push(("agreed", &token));
        ada.form(SETTINGS, &form)
    };
    let token = agreement(&asked);
    let other = with("10d", &token);
    assert!(other.text().contains("Remove 80 activities?"), "{}", other.text());
    assert_eq!(with("30d", &token).status, 200, "it was used up");
    let bare: Vec<_> = rules("30d").into_iter().chain([("confirmed", "1")]).collect();
    assert_eq!(ada.form(SETTINGS, &bare).status, 200, "a word is no agreement");
    assert_eq!(days(&house).len(), 90);
    let token = agreement(&ada.form(SETTINGS, &rules("30d")).text());
    house.later(SignedDuration::from_mins(4));
    assert_eq!(with("30d", &token).status, 303);
    assert_eq!(
        each(&house.log("action=retention"), "detail"),
        ["60 activities removed: before 2026-02-13T12:00:00Z"]
    );
    for _ in 0..3 {
        house.later(SignedDuration::from_mins(10));
        assert!(ada.is_in());
    }
    let stale = ada.form(SETTINGS, &rules("5d"));
    assert!(
        !stale.text().contains("Remove "),
        "whoever sits down at an open browser is asked who they are: {}",
        stale.text()
    );
    assert_eq!(days(&house).len(), 30);
}

#[test]
fn what_retention_hides_is_not_shown_by_its_id_either() {
    let house = house(90);
    let old = house.log("user=bob&action=edit").last().unwrap()["id"].as_str().unwrap().to_owned();
    let auditor = house.program("auditor", &["activity:read"]);
    let path = format!("/api/v1/activity/{old}");
    assert_eq!(auditor.get(&path).status, 200);
    let rules = Retention::read("30d", "", "").unwrap();
    let outlook = house.app.outlook(&rules).unwrap();
    // It is hidden from here on; what takes it off the disk has not run.
    house.app.set_retention(&Actor::console(), &rules, &outlook).unwrap();
    assert_eq!(auditor.get(&path).status, 404);
}

#[test]
fn what_is_too_old_is_removed_once_that_was_agreed_to_and_the_log_says_so() {
    let house = house(90);
    let ada = house.signed_in("ada");
    let asked = ada.form(SETTINGS, &[("keep", "30d"), ("size", ""), ("rules", "")]);
    assert_eq!(asked.status, 200);
    assert!(asked.text().contains("Remove 60 activities?"), "{}", asked.text());
    assert_eq!(days(&house).len(), 90, "nothing is removed without being agreed to");
    assert_eq!(save(&ada, "30d", "", "", true), 303);
    assert_eq!(days(&house), (0..30).collect::<Vec<_>>());
    let told = house.log("action=retention");
    assert_eq!(each(&told, "detail"), ["60 activities removed: before 2026-02-13T12:00:00Z"]);
    assert_eq!((&told[0]["app"], &told[0]["attributes"]["removed"]), (&json!("rollcall"), &json!("60")));
    assert_eq!(each(&house.log("action=setting-changed&user=ada"), "detail"), ["kept for 30d"]);
    // Counts, charts, lists and files know nothing of it either.
    let auditor = house.program("auditor", &["activity:read"]);
    assert_eq!(auditor.get("/api/v1/activity?user=bob").json()["total"]["value"], 30);
    let buckets = auditor.get("/api/v1/activity/histogram?user=bob").json();
    let sum: u64 =
        buckets["buckets"].as_array().unwrap().iter().map(|bar| bar["total"].as_u64().unwrap()).sum();
    assert_eq!(sum, 30);
    assert_eq!(auditor.get("/api/v1/activity/facets?field=app&user=bob").items()[0]["count"], 10);
    assert_eq!(auditor.get("/api/v1/activity.csv?user=bob").text().lines().count(), 31);
    // Nor does the disk, once it was cleared away.
    house.app.clear_away().unwrap();
    assert_eq!(days(&house), (0..30).collect::<Vec<_>>());
}

#[test]
fn what_happened_before_all_that_is_kept_is_refused_and_does_not_vanish_without_a_word() {
    let house = house(90);
    let ada = house.signed_in("ada");
    assert_eq!(save(&ada, "30d", "", "app vault forever", true), 303);
    let program = house.program("late", &["activity:write"]);
    let record = |app: &str, days: i64| {
        let time = house.now() - SignedDuration::from_hours(24 * days);
        json!({"time": time.to_string(), "user": "eve", "action": "edit", "app": app})
    };
    let sent = [record("wiki", 40), record("vault", 40), record("wiki", 20)];
    let answer = program.post("/api/v1/activity", &json!(sent)).json();
    assert_eq!(answer["accepted"], 2, "{answer}");
    assert_eq!(answer["rejected"][0]["line"], 1, "{answer}");
    let why = answer["rejected"][0]["error"].as_str().unwrap();
    assert!(why.contains("before what the log still keeps"), "{why}");
    house.caught_up();
    assert_eq!(house.log("user=eve").len(), 2);
}

#[test]
fn a_program_or_an_action_may_have_a_time_of_its_own() {
    let house = house(90);
    let ada = house.signed_in("ada");
    assert_eq!(save(&ada, "60d", "", "app WIKI 10d\napp crm forever", true), 303);
    let kept = |day: &i64| match day % 3 {
        0 => *day < 10,
        1 => true,
        _ => *day < 60,
    };
    assert_eq!(days(&house), (0..90).filter(kept).collect::<Vec<_>>());
    // Rules that are taken away bring nothing back.
    assert_eq!(save(&ada, "", "", "", true), 303);
    assert_eq!(days(&house), (0..90).filter(kept).collect::<Vec<_>>());
    assert!(ada.get("/settings").text().contains("name=\"keep\" value=\"\""));
}

#[test]
fn time_goes_on_and_every_hour_what_has_become_too_old_goes() {
    let house = house(90);
    let ada = house.signed_in("ada");
    assert_eq!(save(&ada, "60d", "", "", true), 303);
    for passed in 1..=3 {
        house.later(SignedDuration::from_hours(24));
        assert_eq!(house.app.retain().unwrap(), 1);
        assert_eq!(days(&house).len(), 60 - passed);
    }
    assert_eq!(house.log("action=retention").len(), 4);
}

#[test]
fn a_clock_that_jumps_ahead_does_not_cost_the_log() {
    // That of a small office neither.
    [40, 1500].into_iter().for_each(the_clock_jumps_ahead);
}

fn the_clock_jumps_ahead(days: i64) {
    let house = house(days);
    let console = Actor::console();
    let rules = Retention::read("5y", "", "").unwrap();
    house.app.set_retention(&console, &rules, &house.app.outlook(&rules).unwrap()).unwrap();
    house.later(SignedDuration::from_hours(24 * 365 * 8));
    let waits = house.app.retain().unwrap_err().to_string();
    assert!(waits.contains("retention waits: it would remove"), "{waits}");
    assert!(waiting(&house) >= days.unsigned_abs());
    assert!(!house.log("user=bob").is_empty());
    let ada = house.signed_in("ada");
    assert!(ada.get("/settings").text().contains("Retention waits"));
    assert_eq!(save(&ada, "5y", "", "", true), 303, "an administrator may agree to it");
    assert!(house.log("user=bob").is_empty());
}

#[test]
fn what_comes_in_after_a_clock_was_ahead_is_there_whatever_went_by_it() {
    let house = House::new().with_admin("ada");
    let rules = Retention::read("", "", "action sign-in 90d").unwrap();
    let outlook = house.app.outlook(&rules).unwrap();
    house.app.set_retention(&Actor::console(), &rules, &outlook).unwrap();
    house.signed_in("ada");
    house.later(SignedDuration::from_mins(1));
    house.caught_up();
    let year = SignedDuration::from_hours(24 * 365);
    house.jump(year);
    assert_eq!(house.app.retain().unwrap(), 1, "so few go that nobody is asked");
    house.jump(-year);
    house.later(SignedDuration::from_hours(1));
    house.signed_in("ada");
    assert_eq!(house.log("action=sign-in").len(), 1, "and not what was yet to come");
}

#[test]
fn times_that_are_yet_to_come_cost_the_log_nothing_that_has_happened() {
    for ahead in [SignedDuration::from_hours(48), SignedDuration::from_hours(24 * 365 * 7000)] {
        let house = house(300);
        let shipper = house.program("shipper", &["activity:write"]);
        // Sizes are kept in megabytes.
        let size = (house.app.room().unwrap().all / 1_000_000 + 1) * 1_000_000;
        let rules = Retention { size: Some(size), ..Retention::default() };
        let nothing = house.app.outlook(&rules).unwrap();
        assert_eq!(house.app.set_retention(&Actor::console(), &rules, &nothing).unwrap(), 0);
        let time = (house.now() + ahead).to_string();
        for batch in 0..40 {
            let noise =
                |n: u64| format!("{:x}", (batch * 1000 + n).wrapping_mul(0x9e37_79b9_7f4a_7c15)).repeat(40);
            let record = |n| json!({"time": time, "user": "mallory", "action": "x", "detail": noise(n)});
            let records: Vec<_> = (0..500).map(record).collect();
            assert_eq!(shipper.post("/api/v1/activity", &json!(records)).json()["accepted"], 500);
        }
        house.caught_up();
        assert_eq!(house.app.retain().unwrap(), 0);
        assert_eq!(days(&house).len(), 300, "{ahead:?}");
        assert!(house.app.room().unwrap().all > size, "it is too much, if all of it counts");
        house.signed_in("ada");
        assert_eq!(house.log("action=sign-in&user=ada").len(), 1, "and nothing that happens from now on");
    }
}

#[test]
fn what_takes_too_much_room_goes_oldest_first() {
    let house = house(3000);
    let takes = house.app.room().unwrap().all;
    let half = Retention { size: Some(takes / 2), ..Retention::default() };
    let removed =
        house.app.set_retention(&Actor::console(), &half, &house.app.outlook(&half).unwrap()).unwrap();
    assert!((1300..1900).contains(&removed), "{removed} of 3000 for half of {takes} bytes");
    let total = house
        .program("auditor", &["activity:read"])
        .get("/api/v1/activity?user=bob&order=asc&limit=1")
        .json();
    let left = total["total"]["value"].as_i64().unwrap();
    assert_eq!(total["items"][0]["detail"], json!(format!("day {}", left - 1)), "the newest are left");
}

#[test]
fn each_activity_goes_for_what_it_takes_itself_and_not_for_what_all_take_on_average() {
    for large_first in [true, false] {
        let house = House::new().with_admin("ada");
        let program = house.program("app", &["activity:write"]);
        let noise = |n: u64, times| format!("{:016x}", n.wrapping_mul(0x9e37_79b9_7f4a_7c15)).repeat(times);
        let mut records: Vec<Value> = (0..2200)
            .map(|n| {
                let large = if large_first { n < 200 } else { n >= 2000 };
                let time = house.now() - SignedDuration::from_hours(3000 - n);
                let words: Vec<_> =
                    (0..if large { 400 } else { 1 }).map(|word| noise(n.unsigned_abs() * 1000 + word, 1)).collect();
                json!({"time": time.to_string(), "user": "bob", "action": if large { "large" } else { "small" }, "detail": words.join(" ")})
            })
            .collect();
        while !records.is_empty() {
            let batch: Vec<_> = records.drain(..100.min(records.len())).collect();
            assert_eq!(program.post("/api/v1/activity", &json!(batch)).json()["accepted"], batch.len());
        }
        house.caught_up();
        let half = Retention { size: Some(house.app.room().unwrap().all / 2), ..Retention::default() };
        house.app.set_retention(&Actor::console(), &half, &house.app.outlook(&half).unwrap()).unwrap();
        let (large, small) = (house.log("action=large").len(), house.log("action=small&order=asc").len());
        assert!((50..150).contains(&large), "{large} of 200 large ones are left, large first: {large_first}");
        assert_eq!(small, if large_first { 1000 } else { 0 }, "small ones on the first page");
    }
}

#[test]
fn the_proof_of_what_was_removed_here_and_there_is_told_apart_from_the_rest() {
    let house = house(3000);
    let ada = house.signed_in("ada");
    let told = "kB of it stay of what was removed";
    assert!(!ada.get("/settings").text().contains(told), "nothing was removed");
    let rules = Retention::read("", "", "app wiki 1d").unwrap();
    let outlook = house.app.outlook(&rules).unwrap();
    assert_eq!(house.app.set_retention(&Actor::console(), &rules, &outlook).unwrap(), 999);
    house.app.clear_away().unwrap();
    let room = house.app.room().unwrap();
    assert!(room.gone > 0 && room.gone < room.all / 2, "{room:?}");
    assert!(ada.get("/settings").text().contains(told));
}

/// How many activities the metrics say wait for an administrator.
fn waiting(house: &House) -> u64 {
    let text = house.app.metrics().unwrap();
    let mut lines = text.lines().filter_map(|line| line.strip_prefix("rollcall_retention_waits_activities "));
    lines.next().unwrap().parse().unwrap()
}

#[test]
fn what_takes_too_much_room_goes_unasked_however_much_it_is_while_what_is_too_old_waits() {
    let house = house_of(20_000, &"x".repeat(200));
    let console = Actor::console();
    let auditor = house.program("auditor", &["activity:read"]);
    let left = || auditor.get("/api/v1/activity?user=bob&limit=1").json()["total"]["value"].as_u64().unwrap();
    // Sizes are kept in megabytes. Nothing goes when the rules are set: it is as if the rest had come since.
    let whole = house.app.room().unwrap().all / 1_000_000;
    assert!(whole >= 3, "{whole} MB are enough to go by");
    let nothing = house.app.outlook(&Retention::default()).unwrap();
    let set = |keep: &str, size: u64| {
        let size = Some(size * 1_000_000);
        let rules = Retention { size, ..Retention::read(keep, "", "").unwrap() };
        assert_eq!(house.app.set_retention(&console, &rules, &nothing).unwrap(), 0);
        rules
    };
    set("", whole - 1);
    let removed = house.app.retain().unwrap();
    assert!((2000..10_000).contains(&removed), "{removed} of 20,000, to be {} MB of {whole}", whole - 1);
    assert_eq!((left(), waiting(&house)), (20_000 - removed, 0));
    let told = house.log("action=retention");
    assert_eq!(
        (&told[0]["user"], &told[0]["attributes"]["removed"]),
        (&json!("rollcall"), &json!(removed.to_string()))
    );
    // A clock may be wrong, and the size is what it is.
    let rules = set("30d", 1);
    let waits = house.app.retain().unwrap_err().to_string();
    assert!(waits.contains("retention waits: it would remove"), "{waits}");
    let smaller = left();
    assert!((1000..20_000 - removed).contains(&smaller), "{smaller} are left of {}", 20_000 - removed);
    assert_eq!(waiting(&house), smaller - 30);
    assert!(house.app.retain().is_err(), "it waits for an administrator");
    let page = house.with_admin("eve");
    assert!(page.signed_in("eve").get("/settings").text().contains("Retention waits"));
    let agreed = page.app.outlook(&rules).unwrap();
    page.app.set_retention(&console, &rules, &agreed).unwrap();
    assert_eq!((days(&page).len(), waiting(&page)), (30, 0));
}

#[test]
fn what_cannot_be_meant_is_said_at_its_field_and_nothing_is_changed() {
    let house = house(3);
    let ada = house.signed_in("ada");
    for (keep, size, rules, sentence) in [
        ("soon", "", "", "soon: write a time as 90d, 6m or 2y, or forever"),
        ("", "much", "", "much: write a size in GB, as 20 or 0.5"),
        ("", "", "wiki 90d", "write a rule as app NAME TIME or action NAME TIME"),
    ] {
        let reply = ada.form(SETTINGS, &[("keep", keep), ("size", size), ("rules", rules)]);
        assert_eq!(reply.status, 400);
        assert!(reply.text().contains(sentence), "{}", reply.text());
    }
    assert!(house.log("action=setting-changed").is_empty());
    let house = house.with_member("eve");
    assert_eq!(save(&house.signed_in("eve"), "1d", "", "", true), 403);
    assert_eq!(days(&house).len(), 3);
}
