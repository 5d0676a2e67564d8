//! What everybody else sees of a logout, and how soon.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{Chromium, House, chromium::Browser};

/// How soon every page must know.
const SOON: Duration = Duration::from_secs(1);

/// Milliseconds since 1970, as pages count them.
#[expect(clippy::disallowed_methods, reason = "it is held against the browser's own clock")]
fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64() * 1000.0
}

fn soon(what: &str, at: f64, since: f64) {
    assert!(at - since < SOON.as_secs_f64() * 1000.0, "{what} took {} ms", at - since);
}

/// Notes when a row leaves the table.
const NOTE: &str = "window.left = 0; new MutationObserver(() => { \
     if (!window.left && document.querySelector('tr.gone')) window.left = Date.now(); \
     }).observe(document.body, { subtree: true, childList: true, attributes: true });";

async fn moment(browser: &Browser<'_>, script: &str) -> f64 {
    browser.value(script).await.as_f64().unwrap()
}

#[tokio::test]
async fn every_tab_of_an_ended_session_leaves_and_every_table_drops_it_within_a_second() {
    let Some(chromium) = Chromium::start() else { return };
    let house = House::of(&["ann:admin", "ben:member"]);
    let ben = chromium.browser(&house).await;
    ben.sign_in("ben").await;
    let mut tabs = vec![ben.window().await];
    // More than the six connections that a browser opens to one server.
    for path in
        ["/activity", "/profile", "/help", "/sessions", "/activity?period=all", "/sessions", "/profile"]
    {
        tabs.push(ben.tab(path).await);
    }
    let ann = chromium.browser(&house).await;
    ann.sign_in("ann").await;
    ann.open("/sessions?q=ben").await;
    ann.count("#logout tbody tr", 1).await;
    ann.value(NOTE).await;
    house.rollcall(&["session", "logout", "--user", "ben"], "");
    let answered = now();
    ann.until("return window.left > 0", vec![], "the row has left").await;
    soon("the table", moment(&ann, "return window.left").await, answered);
    for tab in tabs {
        ben.turn_to(tab).await;
        ben.at("/signin").await;
        soon("a tab", moment(&ben, "return performance.timeOrigin").await, answered);
    }
    ann.leave();
    ben.leave();
}
