//! Profile: the way to Session Information, and a new password.

use super::{Chromium, House, PASSWORD};

#[tokio::test]
async fn the_profile_leads_to_session_information_and_changes_the_password() {
    let Some(chromium) = Chromium::start() else { return };
    let house = House::of(&["ben:member"]);
    let (here, there) = (chromium.browser(&house).await, chromium.browser(&house).await);
    here.sign_in("ben").await;
    there.sign_in("ben").await;
    here.fits("/profile").await;
    here.says("a", "Session Information").await.click().await.unwrap();
    here.at("/sessions").await;
    here.count("#logout tbody tr", 2).await;

    let new = "a short walk along the shore";
    here.open("/profile").await;
    here.fill("current", PASSWORD).await;
    here.fill("password", new).await;
    here.click("form[action='/profile/password'] button").await;
    here.see("#notice .line").await;
    there.at("/signin").await;
    there.sign_in_with("ben", PASSWORD).await;
    there.see(".line.bad").await;
    there.sign_in_with("ben", new).await;
    there.at("/sessions").await;
    here.leave();
}
