//! The first day: the code from the terminal, the first administrator, the first sign-in.

use super::{Browser, Chromium, House, PASSWORD};

async fn make_the_administrator(ann: &Browser<'_>, address: &str) {
    ann.open(address).await;
    ann.fill("user", "ann").await;
    ann.fill("full_name", "Ann Archer").await;
    ann.fill("password", PASSWORD).await;
    ann.click("main form button.primary").await;
}

#[tokio::test]
async fn whoever_reads_the_terminal_becomes_the_first_administrator() {
    let Some(chromium) = Chromium::start() else { return };
    let house = House::of(&[]);
    let ann = chromium.browser(&house).await;
    ann.fits("/setup").await;
    make_the_administrator(&ann, "/setup?code=0000-0000-0000").await;
    ann.see("#code-error").await;
    assert!(!house.rollcall(&["user", "list"], "").contains("ann"), "a guess was enough");

    let printed = house.setup.as_deref().unwrap();
    make_the_administrator(&ann, printed.strip_prefix(&house.address).unwrap()).await;
    ann.at("/signin").await;
    ann.fits("/signin").await;
    ann.sign_in_with("ann", "a long walk along the lake").await;
    ann.see(".line.bad").await;
    ann.sign_in("ann").await;
    assert_eq!(ann.text(".self .name").await, "Ann Archer");
    ann.see("tr.own").await;
    let pages = ann.texts(".menu nav a").await;
    assert_eq!(pages, ["Sessions", "Activity", "Apps", "Users", "Settings"]);
    ann.open("/setup").await;
    assert_eq!(ann.text(".failure .status").await, "404");
    ann.fits("/sessions").await;
    ann.click(".self form button").await;
    ann.at("/signin").await;
    ann.open("/sessions").await;
    ann.at("/signin").await;
    ann.leave_after_a_refusal();
}
