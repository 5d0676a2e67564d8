//! What people see at the gate: the pages that say why not, and the ways to the sign-in, to the sign-out and back.

use serde_json::json;

use super::{
    super::house::{Caller, House, PASSWORD},
    DENIED, PROXY, PUBLIC, ask, house, location, proxied,
};

#[test]
fn whoever_may_not_open_an_app_is_told_so_by_the_sign_in_and_not_asked_for_a_password() {
    let house = House::new().with_admin("ada");
    assert!(house.signed_in("ada").get("/signin").text().contains("password"));
    let house = self::house();
    let ada = house.signed_in("ada");
    for nobodys in ["a,b", "", "a\nb"] {
        let closed = json!({"name": "closed", "url": "https://closed.example.com", "groups": [nobodys]});
        assert_eq!(ada.post("/api/v1/apps", &closed).refusal(), "400 bad_field groups", "{nobodys:?}");
    }
    assert_eq!(ada.patch("/api/v1/apps/shop", &json!({"groups": ["staff"]})).status, 204);
    let ann = house.signed_in("ann");
    for address in ["https%3A%2F%2Fshop.example.com%2F", "https%3A%2F%2Fvault.example.org%3A8443%2F"] {
        let page = ann.get(&format!("/signin?rd={address}"));
        assert_eq!(page.status, 403, "{address}");
        assert!(page.text().contains(DENIED) && page.text().contains("switch=1"), "{}", page.text());
        let switch = ann.get(&format!("/signin?rd={address}&switch=1"));
        assert!(switch.status == 200 && switch.text().contains("name=\"password\""), "another may sign in");
    }
    // It is told behind the answer.
    house.sweep();
    assert!(!house.log("action=access-denied&user=ann").is_empty());
}

#[test]
fn what_goes_wrong_at_an_apps_own_address_is_said_by_a_page_that_needs_no_other_file() {
    let house = house();
    let ann = house.signed_in("ann");
    let page = proxied(&house.stranger(), "https://shop.example.com/");
    let page = page.get("/.rollcall/callback?code=x&rd=%2F");
    assert_eq!(page.status, 403, "{}", page.text());
    let text = page.text();
    assert!(text.contains("<style>") && !text.contains("href=\"/") && !text.contains("src="), "{text}");
    assert!(text.contains(PUBLIC), "{text}");
    let lost = proxied(&ann, "https://nowhere.example.com/").get("/.rollcall/start?rd=%2F");
    assert!(
        lost.text().contains("no app is registered") || lost.text().contains("No app is registered"),
        "{}",
        lost.text()
    );
}

#[test]
fn what_nginx_fetches_for_an_app_needs_no_other_file_and_leads_to_rollcall_itself() {
    let house = house();
    let ann = house.signed_in("ann");
    let fetched = |browser: &Caller<'_>, address: &str| {
        browser.at(PROXY).with("X-Original-URL", address).with("Accept", "text/html").get("/auth/denied")
    };
    // An app that nobody registered, and one that opens by now.
    for (address, said) in [
        ("https://nowhere.example.org/x", "is not open yet"),
        ("https://wiki.example.org/x", "would pass now; try again"),
    ] {
        let page = fetched(&ann, address);
        let text = page.text();
        assert!(page.status == 403 && text.contains(said), "{} {text}", page.status);
        assert!(text.contains("<style>") && !text.contains("href=\"/") && !text.contains("src="), "{text}");
        assert!(text.contains(PUBLIC), "{text}");
        assert!(page.header("Content-Security-Policy").unwrap().contains("style-src 'sha256-"));
    }
    let lost = ann.at(PROXY).with("X-Original-URL", "https://nowhere.example.org/x").get("/auth/denied");
    assert_eq!(lost.refusal(), "403 no_such_app");
    // Who has been signed out meanwhile.
    let stranger = house.stranger();
    let led = fetched(&stranger, "https://vault.example.org:8443/x");
    let back = "https%3A%2F%2Fvault.example.org%3A8443%2Fx";
    assert_eq!((led.status, location(&led)), (303, format!("{PUBLIC}/signin?rd={back}").as_str()));
    let script = stranger.at(PROXY).with("X-Original-URL", "https://vault.example.org:8443/x");
    for script in
        [script.clone(), script.with("Accept", "text/html").with("X-Requested-With", "XMLHttpRequest")]
    {
        assert_eq!(script.get("/auth/denied").refusal(), "401 not_signed_in");
    }
}

#[test]
fn an_app_leads_to_the_sign_out_which_asks_first_and_leads_on_to_registered_apps_alone() {
    let house = house();
    let (wiki, encoded) =
        ("https://wiki.example.org/bye?a=b", "https%3A%2F%2Fwiki.example.org%2Fbye%3Fa%3Db");
    let ann = house.signed_in("ann");
    assert_eq!(ask(&ann, wiki).status, 200);
    let page = ann.with("Sec-Fetch-Site", "same-site").get(&format!("/signout?rd={encoded}"));
    let text = page.text();
    assert_eq!(page.status, 200, "{text}");
    let field = format!("name=\"rd\" value=\"{wiki}\"");
    for shown in ["Sign out", "ann", "<li>wiki</li>", "action=\"/signout\"", &field] {
        assert!(text.contains(shown), "{shown}: {text}");
    }
    let policy = page.header("Content-Security-Policy").unwrap();
    assert!(policy.contains("form-action 'self' https://wiki.example.org;"), "{policy}");
    assert!(ann.is_in() && ask(&ann, wiki).status == 200, "looking ends nothing");
    let out = ann.form("/signout", &[("rd", wiki)]);
    assert_eq!((out.status, location(&out)), (303, wiki));
    assert!(!ann.is_in());
    assert_eq!(ask(&ann, wiki).status, 302, "and what it had opened is closed");
    let again = ann.get(&format!("/signout?rd={encoded}"));
    assert_eq!((again.status, location(&again)), (303, wiki), "who is out already is led on");
    for (nowhere, encoded) in [
        ("https://evil.example.com/", "https%3A%2F%2Fevil.example.com%2F"),
        (
            "https://wiki.example.org@evil.example.com/",
            "https%3A%2F%2Fwiki.example.org%40evil.example.com%2F",
        ),
        ("//evil.example.com", "%2F%2Fevil.example.com"),
        ("/\\evil.example.com", "%2F%5Cevil.example.com"),
        ("javascript:1", "javascript%3A1"),
        ("", ""),
    ] {
        let (ann, stranger) = (house.signed_in("ann"), house.stranger());
        let address = format!("/signout?rd={encoded}");
        let page = ann.get(&address);
        assert!(page.status == 200 && !page.text().contains("name=\"rd\""), "{nowhere}: {}", page.text());
        let said = page.text().contains("no app of this organisation");
        assert_eq!(said, !nowhere.is_empty(), "{nowhere}: {}", page.text());
        let out = ann.form("/signout", &[("rd", nowhere)]);
        for reply in [out, stranger.get(&address)] {
            assert_eq!((reply.status, location(&reply)), (303, "/signin?done=signed-out"), "{nowhere}");
        }
    }
}

#[test]
fn a_sign_in_leads_back_to_registered_apps_alone() {
    let house = house();
    let stranger = house.stranger();
    let sign_in = |rd: &str| {
        let fields = [("user", "ann"), ("password", PASSWORD), ("next", rd)];
        stranger.form("/signin", &fields)
    };
    let reply = sign_in("https://wiki.example.org/page?a=b");
    assert_eq!((reply.status, location(&reply)), (303, "https://wiki.example.org/page?a=b"));
    for evil in [
        "//evil",
        "/\\evil",
        "\\/evil",
        "https:evil",
        "https://wiki.example.org@evil",
        "https://wiki.example.org.evil",
        "javascript:alert(1)",
        "\t//evil",
        "https://wiki.example.org\r\nX: y",
        "https://evil#wiki.example.org",
        "http://wiki.example.org/",
        "https://wiki.example.org:444/",
        "https://wiki.example.org\\@evil",
    ] {
        let reply = sign_in(evil);
        assert_eq!((reply.status, location(&reply)), (303, "/sessions"), "{evil:?}");
    }
    let page = stranger.get("/signin?rd=https%3A%2F%2Fwiki.example.org%2Fpage");
    assert!(page.text().contains("to open wiki") && page.text().contains("https://wiki.example.org/page"));
    let policy = page.header("Content-Security-Policy").unwrap();
    assert!(policy.contains("form-action 'self' https://wiki.example.org;"), "{policy}");
    let page = stranger.get("/signin?rd=https%3A%2F%2Fevil.example%2F");
    assert!(page.text().contains("no app of this organisation") && !page.text().contains("evil.example"));
}
