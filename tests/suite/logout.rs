//! Ending sessions: whichever way it is asked for, the very next request is refused, and the log knows why.

use serde_json::{Value, json};

use super::{
    house::{Caller, House},
    http::each,
};

const LOGOUT: &str = "/api/v1/sessions/logout";

fn endings(caller: &Caller<'_>, id: &str) -> [String; 4] {
    let ended = caller.get(&format!("/api/v1/sessions/{id}")).ok();
    ["state", "ended_by", "ended_by_user", "reason"]
        .map(|name| ended[name].as_str().unwrap_or("-").to_owned())
}

#[test]
fn a_session_that_an_administrator_ends_is_refused_at_once() {
    let house = House::new().with_admin("ada").with_member("mia");
    let (ada, mia) = (house.signed_in("ada"), house.signed_in("mia"));
    let id = mia.session();
    let reply = ada.delete(&format!("/api/v1/sessions/{id}"));
    assert_eq!((reply.status, reply.body.len()), (204, 0));
    assert_eq!(mia.get("/api/v1/me").refusal(), "401 not_signed_in");
    assert_eq!(mia.get("/sessions").header("Location"), Some("/signin"));
    assert_eq!(mia.get("/activity?q=x").header("Location"), Some("/signin?next=%2Factivity%3Fq%3Dx"));
    assert_eq!(endings(&ada, &id), ["ended", "admin", "ada", ""]);
    assert_eq!(ada.delete(&format!("/api/v1/sessions/{id}")).status, 204, "what has ended stays ended");
    let told = house.log("action=logout");
    assert_eq!(told.len(), 1);
    assert_eq!(
        [&told[0]["user"], &told[0]["target"], &told[0]["session"], &told[0]["ip"]],
        ["ada", "mia", id.as_str(), "81.2.69.142"]
    );
}

#[test]
fn a_list_of_sessions_is_ended_with_a_reason() {
    let house = House::new().with_admin("ada").with_member("mia");
    let ada = house.signed_in("ada");
    let mias = [house.signed_in("mia"), house.signed_in("mia"), house.signed_in("mia")];
    let ids: Vec<String> = mias.iter().map(Caller::session).collect();
    let body = json!({
        "sessions": [ids[0], ids[1], ids[1], "nonsense", "00000000000000000000000000"],
        "reason": "  lost laptop ",
    });
    assert_eq!(ada.post(LOGOUT, &body).ok(), json!({"ended": 2}));
    assert_eq!(mias.each_ref().map(Caller::is_in), [false, false, true]);
    assert_eq!(endings(&ada, &ids[0]), ["ended", "admin", "ada", "lost laptop"]);
    assert_eq!(ada.post(LOGOUT, &body).ok(), json!({"ended": 0}));
    let told = house.log("action=logout");
    assert_eq!(each(&told, "detail"), ["lost laptop"; 2]);
}

#[test]
fn members_end_their_own_and_pass_over_what_is_not_theirs() {
    let house = House::new().with_admin("ada").with_member("mia").with_member("max");
    let (mia, other, max) = (house.signed_in("mia"), house.signed_in("mia"), house.signed_in("max"));
    let (own, foreign) = (other.session(), max.session());
    let body = json!({"sessions": [foreign, own], "reason": "old phone"});
    assert_eq!(mia.post(LOGOUT, &body).ok(), json!({"ended": 1}));
    assert!(mia.is_in() && !other.is_in() && max.is_in());
    assert_eq!(endings(&house.signed_in("ada"), &own), ["ended", "user", "mia", "old phone"]);
    let told = house.log("action=logout");
    assert_eq!(
        (each(&told, "user"), each(&told, "target")),
        (vec!["mia".to_owned()], vec!["mia".to_owned()])
    );
}

#[test]
fn all_of_a_user_or_all_there_are_can_be_ended() {
    let house = House::new().with_admin("ada").with_member("mia").with_member("max");
    let (ada, mia, twice, max) =
        (house.signed_in("ada"), house.signed_in("mia"), house.signed_in("mia"), house.signed_in("max"));
    assert_eq!(ada.post(LOGOUT, &json!({"user": "Mia"})).ok(), json!({"ended": 2}));
    assert!(!mia.is_in() && !twice.is_in() && max.is_in());
    let body = json!({"all": true, "except_current": true});
    assert_eq!(ada.post(LOGOUT, &body).ok(), json!({"ended": 1}));
    assert!(ada.is_in() && !max.is_in());
    assert_eq!(ada.post(LOGOUT, &json!({"all": true})).ok(), json!({"ended": 1}));
    assert!(!ada.is_in(), "all is all");
}

#[test]
fn a_member_who_ends_all_ends_all_of_theirs() {
    let house = House::new().with_member("mia").with_member("max");
    let (mia, other, max) = (house.signed_in("mia"), house.signed_in("mia"), house.signed_in("max"));
    let body = json!({"all": true, "except_current": true});
    assert_eq!(mia.post(LOGOUT, &body).ok(), json!({"ended": 1}));
    assert!(mia.is_in() && !other.is_in() && max.is_in());
    assert_eq!(mia.post(LOGOUT, &json!({"user": "mia"})).ok(), json!({"ended": 1}));
    assert!(!mia.is_in() && max.is_in());
}

#[test]
fn who_says_not_exactly_which_sessions_ends_none() {
    let house = House::new().with_admin("ada").with_member("mia");
    let (ada, mia) = (house.signed_in("ada"), house.signed_in("mia"));
    let id = mia.session();
    for body in [
        json!({}),
        json!({"all": false}),
        json!({"except_current": true}),
        json!({"reason": "because"}),
        json!({"all": true, "user": "mia"}),
        json!({"all": true, "sessions": [id]}),
        json!({"user": "mia", "sessions": [id]}),
        json!({"user": null}),
        json!([id]),
        json!({"all": true, "expect_current": true}),
    ] {
        assert_eq!(ada.post(LOGOUT, &body).refusal(), "400 bad_request", "{body}");
    }
    assert_eq!(ada.post(LOGOUT, &json!({"sessions": id})).refusal(), "400 bad_field sessions");
    assert_eq!(ada.post(LOGOUT, &json!({"all": "yes"})).refusal(), "400 bad_field all");
    let long = json!({"sessions": [id], "reason": "é".repeat(1025)});
    assert_eq!(ada.post(LOGOUT, &long).refusal(), "400 bad_field reason", "it is not cut");
    assert_eq!(ada.post(LOGOUT, &json!({"user": "a b"})).refusal(), "400 bad_field user");
    assert_eq!(ada.post(LOGOUT, &json!({"user": "nobody"})).ok(), json!({"ended": 0}));
    assert_eq!(ada.post(LOGOUT, &json!({"sessions": []})).ok(), json!({"ended": 0}));
    assert!(ada.is_in() && mia.is_in());
}

#[test]
fn a_program_ends_sessions_in_its_own_name() {
    let house = House::new().with_admin("ada").with_member("mia");
    let (ada, mia) = (house.signed_in("ada"), house.signed_in("mia"));
    let id = mia.session();
    let program = house.program("leavers", &["session:write"]);
    assert_eq!(program.post(LOGOUT, &json!({"user": "mia", "reason": "left"})).ok(), json!({"ended": 1}));
    assert!(!mia.is_in());
    assert_eq!(endings(&ada, &id), ["ended", "system", "token leavers", "left"]);
    let page = ada.get(&format!("/sessions/{id}")).text();
    assert!(page.contains("ended by token leavers"), "{page}");
}

#[test]
fn the_page_ends_what_was_selected_after_it_was_confirmed() {
    let house = House::new().with_admin("ada").with_member("mia").with_member("max");
    let (ada, mia, max) = (house.signed_in("ada"), house.signed_in("mia"), house.signed_in("max"));
    let id = mia.session();
    for nothing in [&[][..], &[("confirmed", "1")]] {
        let unasked = ada.form("/sessions/logout", nothing);
        assert_eq!((unasked.status, unasked.header("Location")), (303, Some("/sessions?done=unselected")));
    }
    assert!(ada.get("/sessions?done=unselected").text().contains("Select a session first."));
    let asked = ada.form("/sessions/logout", &[("session", &id)]);
    assert_eq!(asked.status, 200);
    assert!(asked.text().contains("Log out 1 session?") && mia.is_in());
    let fields = [("session", id.as_str()), ("confirmed", "1"), ("reason", "lost")];
    let foreign = max.form("/sessions/logout", &fields);
    assert_eq!(foreign.header("Location"), Some("/sessions?done=none"));
    assert!(mia.is_in(), "max may not");
    let done = ada.form("/sessions/logout", &fields);
    assert_eq!((done.status, done.header("Location")), (303, Some("/sessions?done=logged-out")));
    assert!(!mia.is_in());
    assert_eq!(endings(&ada, &id), ["ended", "admin", "ada", "lost"]);
    let own = ada.session();
    let done = ada.form("/sessions/logout", &[("session", &own), ("confirmed", "1")]);
    assert_eq!(done.header("Location"), Some("/signin?done=signed-out"));
    assert!(!ada.is_in());
}

#[test]
fn of_many_who_end_the_same_session_one_has_ended_it() {
    let house = House::new().with_admin("ada").with_member("mia");
    let (ada, mia) = (house.signed_in("ada"), house.signed_in("mia"));
    let body = json!({"sessions": [mia.session()]});
    let ended: Vec<Value> = std::thread::scope(|scope| {
        let callers: Vec<_> = (0..8).map(|_| scope.spawn(|| ada.post(LOGOUT, &body).ok())).collect();
        callers.into_iter().map(|caller| caller.join().unwrap()).collect()
    });
    let counted: u64 = ended.iter().map(|reply| reply["ended"].as_u64().unwrap()).sum();
    assert_eq!(counted, 1);
    assert_eq!(house.log("action=logout").len(), 1);
}
