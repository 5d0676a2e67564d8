//! The clock jumps, years ahead and years back: nobody is let in who should not be, nobody is kept out for long, and the log
//! stays whole and in order.

use jiff::SignedDuration;
use rollcall::{
    domain::sessions::Limits,
    model::{retention::Retention, user::Actor},
};
use serde_json::{Value, json};

use super::{
    house::{House, PASSWORD},
    http::each,
};

const YEARS: SignedDuration = SignedDuration::from_hours(24 * 365 * 6);

/// Writes an activity; its id.
fn write(house: &House, program: &super::house::Caller<'_>, detail: &str) -> String {
    let sent = program.post("/api/v1/activity", &json!({"user": "ann", "action": "tick", "detail": detail}));
    house.caught_up();
    sent.ok()["last"].as_str().unwrap().to_owned()
}

#[test]
fn the_log_keeps_its_order_and_proves_itself_across_jumps() {
    let house = House::new();
    let program = house.program("app", &["activity:write"]);
    let jumps = [SignedDuration::ZERO, YEARS, -YEARS - YEARS, YEARS, -SignedDuration::from_secs(1)];
    let mut ids = Vec::new();
    for (n, jump) in jumps.into_iter().enumerate() {
        house.later(jump);
        ids.push(write(&house, &program, &n.to_string()));
        house.app.checkpoint().unwrap();
    }
    assert!(ids.is_sorted(), "ids rise whatever the clock does: {ids:?}");
    let verdict = house.app.verify(&Actor::console(), Vec::new(), &mut |_, _| {}).unwrap();
    assert!(verdict.whole(), "{:?}", verdict.proof.faults);
    let found = house.log("action=tick&order=asc");
    // By the time they happened at, and each is there once.
    assert_eq!(each(&found, "detail"), ["2", "4", "0", "3", "1"]);
    // What is newest is looked for by the clock of now, and what lies ahead of it is not hidden.
    assert_eq!(house.log("action=tick&period=all").len(), 5);
    let checked = house.app.inspect(&mut |_, _| {}).unwrap();
    assert_eq!(checked.activities, checked.found);
}

#[test]
fn a_session_ends_when_the_clock_jumps_ahead_and_does_not_come_back_with_it() {
    let house = House::new().with_admin("ada").with_member("mia");
    let (ada, mia) = (house.signed_in("ada"), house.signed_in("mia"));
    let id = mia.session();
    house.later(YEARS);
    assert!(!mia.is_in(), "it is refused before the sweep has ended it");
    house.sweep();
    house.later(-YEARS);
    assert!(!mia.is_in() && !ada.is_in());
    let ended = house.signed_in("ada").get(&format!("/api/v1/sessions/{id}")).ok();
    assert_eq!((&ended["state"], &ended["ended_by"]), (&json!("ended"), &json!("policy")));
}

#[test]
fn a_session_lives_no_longer_because_the_clock_went_back() {
    let house = House::new().with_admin("ada").with_member("mia");
    let (ada, mia) = (house.signed_in("ada"), house.signed_in("mia"));
    let id = mia.session();
    house.jump(-YEARS);
    assert!(ada.is_in() && mia.is_in(), "nobody is signed out by it");
    // Nothing is done in one of them, and the other is in use all the time.
    house.later(SignedDuration::from_mins(59));
    assert!(ada.is_in());
    house.later(SignedDuration::from_mins(1));
    assert!(!mia.is_in() && ada.is_in(), "the hour without use is over, whatever the clock shows");
    house.sweep();
    let ended = ada.get(&format!("/api/v1/sessions/{id}")).ok();
    let reason = "was not used for too long";
    assert_eq!((&ended["state"], &ended["reason"]), (&json!("ended"), &json!(reason)));
    let at: jiff::Timestamp = ended["ended"].as_str().unwrap().parse().unwrap();
    assert_eq!(at, house.now(), "it ended now, not in years");
    for _ in 1..46 {
        assert!(ada.is_in());
        house.later(SignedDuration::from_mins(30));
    }
    house.jump(-YEARS);
    assert!(ada.is_in());
    house.later(SignedDuration::from_mins(30));
    assert!(!ada.is_in(), "nor does it last longer than a day");
}

#[test]
fn of_too_many_sessions_it_is_never_the_new_one_that_ends() {
    let house = House::with_limits(Limits { per_user: Some(1), ..Limits::default() }).with_admin("ada");
    let before = house.signed_in("ada");
    house.jump(-SignedDuration::from_hours(2));
    let new = house.signed_in("ada");
    assert!(new.is_in() && !before.is_in());
}

#[test]
fn a_proof_from_before_the_clock_went_back_is_none_and_a_new_one_is() {
    let house = House::new().with_admin("ada");
    let ada = house.signed_in("ada");
    let token = |name: &str| ada.post("/api/v1/tokens", &json!({"name": name, "scopes": ["metrics"]}));
    assert_eq!(token("first").status, 201);
    house.later(-SignedDuration::from_hours(24 * 30));
    assert_eq!(token("second").refusal(), "403 step_up_required");
    let proven = ada.post("/api/v1/step-up", &json!({"password": PASSWORD}));
    assert_eq!(proven.status, 204, "{}", proven.text());
    assert_eq!(token("second").status, 201);
    // Nor is one good for longer because the clock went back a little.
    house.later(SignedDuration::from_mins(25));
    house.jump(-SignedDuration::from_mins(20));
    house.later(SignedDuration::from_mins(5));
    assert_eq!(token("third").refusal(), "403 step_up_required");
}

#[test]
fn nobody_waits_for_years_because_the_clock_went_back() {
    let house = House::new().with_member("mia");
    let wrong = || house.stranger().sign_in("mia", "wrong horse battery staple").status;
    while wrong() == 401 {}
    house.later(-YEARS);
    // One brake after the other says how long it takes, and all together no more than an empty bucket does.
    let mut waited = 0;
    loop {
        let reply = house.stranger().sign_in("mia", PASSWORD);
        if reply.status == 200 {
            break;
        }
        assert_eq!(reply.status, 429);
        let seconds: i64 = reply.header("Retry-After").unwrap().parse().unwrap();
        waited += seconds;
        assert!(waited <= 310, "{waited}");
        house.later(SignedDuration::from_secs(seconds));
    }
    assert!(waited > 0, "it did not let them in at once, either");
    // That somebody was held back is told of, too.
    house.sweep();
    assert!(!house.log("action=sign-in-failed").is_empty());
}

#[test]
fn what_retention_took_stays_gone_when_the_clock_goes_back_and_what_is_new_is_kept() {
    let house = House::new();
    let program = house.program("app", &["activity:write"]);
    let day = |days: i64| {
        let time = house.now() - SignedDuration::from_hours(24 * days + 1);
        json!({"user": "ann", "action": "tick", "time": time.to_string(), "detail": days.to_string()})
    };
    let sent: Vec<Value> = (0..20).map(day).collect();
    program.post("/api/v1/activity", &json!(sent)).ok();
    house.caught_up();
    let rules = Retention::read("10d", "", "").unwrap();
    house.app.set_retention(&Actor::console(), &rules, &house.app.outlook(&rules).unwrap()).unwrap();
    assert_eq!(house.log("action=tick").len(), 10);
    house.later(-SignedDuration::from_hours(24 * 8));
    // Two days before the horizon nothing is too old any more that is there, and nothing comes back.
    assert_eq!(house.app.retain().unwrap(), 0);
    assert_eq!(house.log("action=tick").len(), 10);
    write(&house, &program, "new");
    assert_eq!(house.log("action=tick").len(), 11);
    assert!(house.app.verify(&Actor::console(), Vec::new(), &mut |_, _| {}).unwrap().whole());
}

#[test]
fn a_jump_of_the_clock_is_told_and_small_corrections_are_not() {
    let house = House::new();
    let told = || each(&house.log("action=clock-jumped&order=asc"), "detail");
    house.sweep();
    house.later(SignedDuration::from_hours(5));
    house.jump(SignedDuration::from_secs(299));
    house.sweep();
    house.jump(-SignedDuration::from_secs(299));
    house.sweep();
    assert_eq!(told(), Vec::<String>::new(), "time passes, and clocks are put right");
    house.jump(SignedDuration::from_mins(10));
    house.later(SignedDuration::from_secs(3));
    house.sweep();
    assert_eq!(
        told(),
        ["the clock went ahead by 600 s, from 2026-03-15T17:00:00.000Z to 2026-03-15T17:10:03.000Z"]
    );
    house.jump(-SignedDuration::from_hours(48));
    house.sweep();
    house.sweep();
    let all = house.log("action=clock-jumped");
    assert_eq!(all.len(), 2, "each once: {all:?}");
    assert!(
        all.iter()
            .any(|told| told["detail"].as_str().unwrap().starts_with("the clock went back by 172800 s"))
    );
    assert!(all.iter().all(|told| told["user"] == "rollcall"), "{all:?}");
}
