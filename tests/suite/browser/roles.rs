//! What each role sees, and what it does not.

use super::{Chromium, House};

const EVERYBODY: [&str; 3] = ["ann:admin", "ben:member", "olga:auditor"];

#[tokio::test]
async fn a_member_sees_only_what_is_theirs() {
    let Some(chromium) = Chromium::start() else { return };
    let house = House::of(&EVERYBODY);
    let ann = chromium.browser(&house).await;
    ann.sign_in("ann").await;
    let ben = chromium.browser(&house).await;
    ben.sign_in("ben").await;
    ben.count("#logout tbody tr", 1).await;
    assert_eq!(ben.texts("tbody .user").await, ["ben"]);
    let pages = ben.texts(".menu nav a").await;
    assert!(!pages.iter().any(|page| page == "Users" || page == "Settings"), "{pages:?}");
    ben.find("/activity?period=all", "#rows tbody tr").await;
    assert!(ben.texts("#rows tbody .user").await.iter().all(|user| user == "ben"));
    ben.open("/activity?period=all&q=user:ann").await;
    ben.see(".nothing").await;
    for closed in ["/users", "/settings", "/tokens"] {
        ben.open(closed).await;
        assert_eq!(ben.text(".failure .status").await, "403", "{closed}");
    }
    ben.leave_after_a_refusal();
    ann.leave();
}

#[tokio::test]
async fn an_auditor_sees_everything_and_ends_nothing_of_others() {
    let Some(chromium) = Chromium::start() else { return };
    let house = House::of(&EVERYBODY);
    let ben = chromium.browser(&house).await;
    ben.sign_in("ben").await;
    let olga = chromium.browser(&house).await;
    olga.sign_in("olga").await;
    olga.count("#logout tbody tr", 2).await;
    assert_eq!(olga.texts("tbody tr:has(.box input) .user").await, ["olga"]);
    olga.find("/activity?period=all&user=ben", "#rows tbody tr").await;
    assert_eq!(olga.texts("#rows tbody .user").await, ["ben"]);
    let pages = olga.texts(".menu nav a").await;
    assert!(!pages.iter().any(|page| page == "Users" || page == "Settings"), "{pages:?}");
    olga.leave();
}
