//! Session Information: who is signed in, and logging one out.

use super::{Chromium, House, chromium::Kind};

const FIREFOX: &str = "Mozilla/5.0 (Windows NT 6.1; Win64; x64; rv:115.0) Gecko/20100101 Firefox/115.0";
const OTHER: &str = "#logout tbody tr:not(.own)";

#[tokio::test]
async fn a_session_is_seen_logged_out_and_falls_back_to_the_sign_in() {
    let Some(chromium) = Chromium::start() else { return };
    let house = House::of(&["ann:admin"]);
    let here = chromium.browser(&house).await;
    let there = chromium.kind(&house, Kind { user_agent: Some(FIREFOX), ..Kind::default() }).await;
    here.sign_in("ann").await;
    there.sign_in("ann").await;

    // The row of the other browser arrives by itself, with its eight columns.
    here.count("#logout tbody tr", 2).await;
    let heads = here.texts(".sessions th").await;
    let columns = [
        "Public IP",
        "User",
        "City",
        "Location",
        "Device Details",
        "OS Details",
        "Browser Details",
        "Last Access Time",
    ];
    assert_eq!(heads[1..9], columns);
    let cells = here.texts(&format!("{OTHER} td")).await;
    assert_eq!(cells[1..3], ["127.0.0.1", "ann"]);
    assert_eq!(cells[5..8], ["PC", "Windows 7", "Firefox 115"]);
    assert_eq!(here.texts("tr.own .note").await, ["This session"]);

    // Choosing, asking, confirming with Enter.
    here.click(&format!("{OTHER} input")).await;
    assert_eq!(here.text("[data-selected]").await, "1 session of 1 user selected");
    here.click("[data-do]").await;
    here.see("#confirm[open]").await;
    assert_eq!(here.text("#confirm h2").await, "Log out 1 session?");
    here.press("laptop was stolen\u{e007}").await;

    there.at("/signin").await;
    here.see("tr.gone").await;
    assert_eq!(here.text("tr.gone .last").await, "ended by you");

    here.open("/sessions?state=ended").await;
    here.count("tbody tr", 1).await;
    let cells = here.texts("tbody td").await;
    assert_eq!(cells[cells.len() - 2..], ["signed out by ann", "laptop was stolen"]);
    there.open("/sessions").await;
    there.at("/signin").await;
    here.leave();
    there.leave();
}

#[tokio::test]
async fn one_session_has_a_page_and_can_be_ended_from_it() {
    let Some(chromium) = Chromium::start() else { return };
    let house = House::of(&["ann:admin", "ben:member"]);
    let ben = chromium.browser(&house).await;
    ben.sign_in("ben").await;
    let ann = chromium.browser(&house).await;
    ann.sign_in("ann").await;
    ann.open("/sessions?q=ben").await;
    ann.click("tbody .ip a").await;
    ann.see("svg.world, .facts").await;
    assert!(ann.text("h1").await.starts_with("ben "));
    ann.count("#rows tbody tr", 1).await;
    ann.click(".head .danger").await;
    ann.see("#confirm[open]").await;
    ann.press("\u{e007}").await;
    ben.at("/signin").await;
    ann.leave();
    ben.leave();
}
