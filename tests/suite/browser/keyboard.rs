//! All of it from the keyboard.

use super::{Chromium, House};

#[tokio::test]
async fn pages_rows_and_boxes_are_reached_by_keys() {
    let Some(chromium) = Chromium::start() else { return };
    let house = House::of(&["ann:admin"]);
    let (ann, other) = (chromium.browser(&house).await, chromium.browser(&house).await);
    ann.sign_in("ann").await;
    other.sign_in("ann").await;
    ann.count("#logout tbody tr", 2).await;

    ann.press("?").await;
    ann.see("#keys[open]").await;
    ann.press("\u{e00c}").await;
    ann.gone("#keys[open]").await;

    ann.press("j").await;
    ann.see("tbody tr:nth-child(1).here").await;
    ann.press("j").await;
    ann.see("tbody tr:nth-child(2).here").await;
    ann.press("k").await;
    ann.see("tbody tr:nth-child(1).here").await;
    ann.press("x").await;
    ann.see("tr.here.chosen").await;
    ann.press("l").await;
    ann.see("#confirm[open]").await;
    ann.press("\u{e00c}").await;
    ann.gone("#confirm[open]").await;
    ann.press("o").await;
    ann.see("#facts").await;

    ann.press("g").await;
    ann.press("a").await;
    ann.at("/activity").await;
    ann.press("/").await;
    ann.see("#q:focus").await;
    ann.press("sign-in\u{e007}").await;
    ann.see("#rows tbody tr").await;
    ann.press("\u{e00c}").await;
    ann.gone("#q:focus").await;
    ann.press("g").await;
    ann.press("s").await;
    ann.at("/sessions").await;
    ann.leave();
    other.leave();
}
