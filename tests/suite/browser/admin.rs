//! What only administrators do: users, tokens, apps, settings.

use std::path::{Path, PathBuf};

use super::{Chromium, House, PASSWORD};

const ENTER: &str = "\u{e007}";

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/mmdb").join(name)
}

#[tokio::test]
async fn users_are_added_disabled_and_logged_out() {
    let Some(chromium) = Chromium::start() else { return };
    let house = House::of(&["ann:admin"]);
    let ann = chromium.browser(&house).await;
    ann.sign_in("ann").await;
    ann.fits("/users?add=1").await;
    ann.open("/users").await;
    ann.click(".head .primary").await;
    ann.fill("user", "ben").await;
    ann.fill("full_name", "Ben Baker").await;
    ann.click("[name=role][value=member]").await;
    ann.fill("password", PASSWORD).await;
    ann.click(".sheet .primary").await;
    ann.see("tr[data-id=ben]").await;

    let ben = chromium.browser(&house).await;
    ben.sign_in("ben").await;
    ann.open("/users").await;
    assert_eq!(ann.text("tr[data-id=ben] .time").await, "just now");
    ann.open("/users/ben").await;
    ann.click("form[action$='/disable'] button").await;
    ann.see("#confirm[open]").await;
    ann.press(ENTER).await;
    ann.see(".head .chip").await;
    ben.at("/signin").await;
    ben.sign_in_with("ben", PASSWORD).await;
    ben.see(".line.bad").await;
    ann.fits("/users/ben").await;
    ann.click("form[action$='/enable'] button").await;
    ann.see("form[action$='/disable']").await;
    ann.leave();
}

#[tokio::test]
async fn a_token_is_shown_once_and_revoked_and_apps_come_and_go() {
    let Some(chromium) = Chromium::start() else { return };
    let house = House::of(&["ann:admin"]);
    let ann = chromium.browser(&house).await;
    ann.sign_in("ann").await;
    ann.fits("/tokens?add=1").await;
    ann.fill("name", "gateway").await;
    ann.click("[name=scope][value='session:write']").await;
    ann.click(".sheet .primary").await;
    let token = ann.see("[data-token]").await.prop("value").await.unwrap().unwrap();
    assert!(token.starts_with("rct_"), "{token}");
    ann.open("/tokens").await;
    ann.see("tr[data-id=gateway]").await;
    assert!(!ann.has("[data-token]").await);
    ann.fits("/tokens").await;
    ann.click("tr[data-id=gateway] .do button").await;
    ann.see("#confirm[open]").await;
    ann.press(ENTER).await;
    ann.gone("tr[data-id=gateway]").await;

    ann.fits("/apps").await;
    ann.open("/apps?add=1").await;
    ann.fill("name", "wiki").await;
    ann.fill("url", "https://wiki.example.org").await;
    ann.click(".sheet .primary").await;
    ann.see("tr[data-id=wiki]").await;
    ann.fits("/apps").await;
    ann.click("tr[data-id=wiki] .do button").await;
    ann.see("#confirm[open]").await;
    ann.press(ENTER).await;
    ann.gone("tr[data-id=wiki]").await;
    ann.leave();
}

#[tokio::test]
async fn another_city_database_is_taken_and_a_broken_one_refused() {
    let Some(chromium) = Chromium::start() else { return };
    let house = House::of(&["ann:admin"]);
    let ann = chromium.browser(&house).await;
    ann.sign_in("ann").await;
    ann.fits("/settings").await;
    ann.choose_file(&fixture("GeoLite2-City-Test.mmdb")).await;
    ann.click(".upload button").await;
    ann.says("dd", "GeoLite2-City").await;
    ann.says("dd", "put in by an administrator").await;

    ann.choose_file(&fixture("libmaxminddb-corrupt-search-tree.mmdb")).await;
    ann.click(".upload button").await;
    let reason = ann.text("#geo-error").await;
    assert!(reason.len() > 20, "no reason: {reason:?}");
    ann.says("dd", "GeoLite2-City").await;
    ann.leave_after_a_refusal();
}
