//! All main things work with scripts switched off.

use super::{Chromium, House, chromium::Kind};

#[tokio::test]
async fn everything_main_works_without_scripts() {
    let Some(chromium) = Chromium::start() else { return };
    let house = House::of(&["ann:admin", "ben:member"]);
    let ben = chromium.browser(&house).await;
    ben.sign_in("ben").await;
    let ann = chromium.kind(&house, Kind { without_scripts: true, ..Kind::default() }).await;
    ann.sign_in("ann").await;
    assert!(!ann.has("html.js").await, "scripts run");

    // Logging out goes by way of a page that asks.
    ann.click("#logout tbody tr:not(.own) input").await;
    ann.click("[data-do]").await;
    ann.says("h1", "Log out 1 session?").await;
    ann.fill("reason", "left the company").await;
    ann.click(".door .danger").await;
    ann.at("/sessions").await;
    ben.at("/signin").await;
    ann.open("/sessions?state=ended").await;
    ann.says("td", "left the company").await;

    ann.open("/activity").await;
    ann.fill("q", "sign-in user:ben").await;
    ann.click("#ask .primary").await;
    ann.see("#rows tbody tr").await;
    // A count that takes long, as on a machine that has much to do, is there for whoever asks to wait for it.
    if ann.has(".found noscript a").await {
        ann.click(".found noscript a").await;
        ann.gone(".found noscript a").await;
    }
    assert_eq!(ann.text("#count").await, "1 activity");
    ann.click("#rows tbody .time a").await;
    ann.see("#record").await;
    ann.click(".self form button").await;
    ann.at("/signin").await;
    ann.leave();
    ben.leave();
}
