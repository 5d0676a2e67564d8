//! A passkey on a device that Chromium makes believe: added, shown at the sign-in, removed.

use super::{Chromium, House, PASSWORD};

#[tokio::test]
async fn a_passkey_signs_in_without_a_password_until_it_is_removed() {
    let Some(chromium) = Chromium::start() else { return };
    let mut house = House::of(&["ben:member"]);
    // Browsers have passkeys here and nowhere else without TLS.
    house.address = house.address.replace("127.0.0.1", "localhost");
    let ben = chromium.browser(&house).await;
    ben.plug_in_a_device();
    ben.sign_in("ben").await;
    ben.fits("/profile").await;
    ben.open("/profile").await;
    let type_in = async |css: &str, text: &str| ben.see(css).await.send_keys(text).await.unwrap();
    type_in("form[data-passkey=add] [name=name]", "a telephone").await;
    type_in("form[data-passkey=add] [name=current]", "not it").await;
    ben.click("form[data-passkey=add] button").await;
    ben.says("p", "That is not your current password.").await;
    type_in("form[data-passkey=add] [name=current]", &format!("\u{e009}a\u{e000}{PASSWORD}")).await;
    ben.click("form[data-passkey=add] button").await;
    ben.see("#notice .line.good").await;
    assert_eq!(ben.texts(".passkeys strong").await, ["a telephone"]);

    ben.click("form[action='/signout'] button").await;
    ben.at("/signin").await;
    ben.click("form[data-passkey=show] button").await;
    ben.at("/sessions").await;
    assert!(ben.fetch("/api/v1/me").await.contains(r#""mfa":true"#));

    ben.open("/profile").await;
    ben.click(".passkeys button").await;
    ben.click("#confirm button[value=yes]").await;
    ben.see("#notice .line.good").await;
    ben.gone(".passkeys").await;
    ben.click("form[action='/signout'] button").await;
    ben.at("/signin").await;
    ben.click("form[data-passkey=show] button").await;
    ben.says("p", "That passkey is not known here, or its user may not sign in.").await;
    ben.leave_after_a_refusal();
}
