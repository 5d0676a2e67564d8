//! How a session comes to its apps: by a cookie of the domain that they share, and by a code to those of another.

use rocket::http::Method;
use rollcall::web::door::{Networks, Settings};
use serde_json::json;

use super::{
    super::{
        house::{Caller, House, PASSWORD},
        http::Reply,
    },
    PROXY, PUBLIC, ask, cookies, house, location, proxied,
};

#[test]
fn a_sign_in_opens_the_apps_of_the_domain_by_a_cookie_that_opens_nothing_else() {
    let house = house();
    let reply = house.stranger().sign_in("ann", PASSWORD);
    let lines: Vec<_> =
        reply.headers.iter().filter(|(name, _)| name == "set-cookie" || name == "Set-Cookie").collect();
    let line = lines.iter().find(|(_, line)| line.starts_with("__Secure-rollcall-apps=rcp_")).unwrap();
    assert!(line.1.ends_with("; Domain=example.org; Path=/; Secure; HttpOnly; SameSite=Lax"), "{}", line.1);
    let pass = cookies(&reply).into_iter().find(|cookie| cookie.starts_with("__Secure")).unwrap();
    let browser = house.stranger().with("Cookie", &pass);
    assert_eq!(ask(&browser, "https://wiki.example.org/").status, 200);
    assert_eq!(ask(&browser, "https://shop.example.com/").status, 302, "it is not in the domain");
    assert_eq!(browser.get("/api/v1/me").status, 401, "it opens nothing of ours");
    let own = cookies(&reply).into_iter().find(|cookie| cookie.starts_with("__Host-rollcall=")).unwrap();
    let token = own.split_once('=').unwrap().1;
    let forged = house.stranger().with("Cookie", &format!("__Secure-rollcall-apps={token}"));
    assert_eq!(ask(&forged, "https://wiki.example.org/").status, 302, "a token of the session is no pass");
    let out = house.stranger().with("Cookie", &own).with("Content-Type", "application/json");
    let reply = out.send(Method::Post, "/api/v1/signout", b"");
    assert_eq!(reply.status, 204);
    assert!(
        reply.headers.iter().any(|(_, line)| line.starts_with("__Secure-rollcall-apps=; Domain=example.org"))
    );
    assert_eq!(ask(&browser, "https://wiki.example.org/").status, 302);
}

/// A browser's way to the shop, which is on another domain: what it holds at the shop's host in the end.
fn hand_over<'h>(house: &'h House, ann: &Caller<'_>) -> (Caller<'h>, String) {
    let browser = house.stranger();
    let led = ask(&browser, "https://shop.example.com/cart?x=1");
    let portal = location(&led).strip_prefix(PUBLIC).unwrap().to_owned();
    let start = ann.get(&portal);
    assert_eq!(start.status, 303, "whoever is signed in goes on at once: {}", start.text());
    let start = location(&start);
    assert_eq!(start, "https://shop.example.com/.rollcall/start?rd=%2Fcart%3Fx%3D1");
    let start = start.strip_prefix("https://shop.example.com").unwrap();
    let started = proxied(&browser, "https://shop.example.com/").get(start);
    let nonce = started.cookie();
    assert!(nonce.starts_with("__Host-rollcall-handover="), "{nonce}");
    let over = ann.get(location(&started).strip_prefix(PUBLIC).unwrap());
    let callback = location(&over).strip_prefix("https://shop.example.com").unwrap().to_owned();
    (browser.with("Cookie", &nonce), callback)
}

#[test]
fn a_session_is_handed_over_to_an_app_on_another_domain_and_ends_there_too() {
    let house = house();
    let ann = house.signed_in("ann");
    let (browser, callback) = hand_over(&house, &ann);
    let done = proxied(&browser, "https://shop.example.com/").get(&callback);
    assert_eq!((done.status, location(&done)), (303, "https://shop.example.com/cart?x=1"), "{}", done.text());
    let pass = cookies(&done).into_iter().find(|cookie| cookie.starts_with("__Host-rollcall-app=")).unwrap();
    let browser = house.stranger().with("Cookie", &pass);
    assert_eq!(ask(&browser, "https://shop.example.com/").header("Remote-User"), Some("ann"));
    let elsewhere =
        house.stranger().with("Cookie", &pass.replace("__Host-rollcall-app", "__Secure-rollcall-apps"));
    assert_eq!(ask(&elsewhere, "https://wiki.example.org/").status, 302, "it is good at its own host alone");
    let ada = house.signed_in("ada");
    assert_eq!(ada.delete(&format!("/api/v1/sessions/{}", ann.session())).status, 204);
    assert_eq!(ask(&browser, "https://shop.example.com/").status, 302);
}

#[test]
fn a_new_password_closes_the_apps_to_whatever_was_got_with_the_cookie_of_before() {
    const NEW: &str = "another horse battery staple";
    let house = house();
    let holding = |cookie: &str| house.stranger().with("Cookie", cookie);
    let [wiki, shop] = ["https://wiki.example.org/", "https://shop.example.com/"];
    let pass_of = |reply: &Reply, name: &str| {
        cookies(reply).into_iter().find(|cookie| cookie.starts_with(name)).expect("a pass")
    };
    let signed_in = house.stranger().sign_in("ann", PASSWORD);
    let ann = holding(&signed_in.cookie());
    let of_the_domain = pass_of(&signed_in, "__Secure-rollcall-apps=");
    let (browser, callback) = hand_over(&house, &ann);
    let at_the_shop = pass_of(&proxied(&browser, shop).get(&callback), "__Host-rollcall-app=");
    let on_its_way = hand_over(&house, &ann);
    assert_eq!(ask(&holding(&of_the_domain), wiki).status, 200);
    assert_eq!(ask(&holding(&at_the_shop), shop).status, 200);

    let body = json!({"current": PASSWORD, "password": NEW});
    let changed = ann.post("/api/v1/me/password", &body);
    assert_eq!(changed.status, 200, "{}", changed.text());
    assert_eq!(ask(&holding(&of_the_domain), wiki).status, 302);
    assert_eq!(ask(&holding(&at_the_shop), shop).status, 302);
    let (browser, callback) = on_its_way;
    assert_eq!(proxied(&browser, shop).get(&callback).status, 403, "a code of before is worth nothing");
    // Whoever has changed it goes on, here and in the apps.
    let new = pass_of(&changed, "__Secure-rollcall-apps=");
    assert_ne!(new, of_the_domain);
    assert_eq!(ask(&holding(&new), wiki).header("Remote-User"), Some("ann"));
    let ann = holding(&changed.cookie());
    assert!(ann.is_in());
    let (browser, callback) = hand_over(&house, &ann);
    assert_eq!(proxied(&browser, shop).get(&callback).status, 303);

    // A page does so too.
    let again = ann.form("/profile/password", &[("current", NEW), ("password", PASSWORD)]);
    assert_eq!(again.status, 303, "{}", again.text());
    assert_eq!(ask(&holding(&new), wiki).status, 302);
    assert_eq!(ask(&holding(&pass_of(&again, "__Secure-rollcall-apps=")), wiki).status, 200);
}

#[test]
fn a_code_hands_over_once_soon_and_in_the_same_browser() {
    let house = house();
    let ann = house.signed_in("ann");
    let at_shop = |browser: &Caller<'_>, callback: &str| {
        proxied(browser, "https://shop.example.com/").get(callback).status
    };
    let (browser, callback) = hand_over(&house, &ann);
    assert_eq!(at_shop(&browser, &callback), 303);
    assert_eq!(at_shop(&browser, &callback), 403, "it was used");
    let (browser, callback) = hand_over(&house, &ann);
    let (other, _) = hand_over(&house, &ann);
    assert_eq!(at_shop(&other, &callback), 403, "it is another browser's");
    assert_eq!(at_shop(&browser, &callback), 403, "and was tried");
    let (browser, callback) = hand_over(&house, &ann);
    assert_eq!(proxied(&browser, "https://wiki.example.org/").get(&callback).status, 403, "another app");
    let (browser, callback) = hand_over(&house, &ann);
    house.later(jiff::SignedDuration::from_secs(60));
    assert_eq!(at_shop(&browser, &callback), 403, "it is too old");
    let (browser, callback) = hand_over(&house, &ann);
    let ada = house.signed_in("ada");
    assert_eq!(ada.delete(&format!("/api/v1/sessions/{}", ann.session())).status, 204);
    assert_eq!(at_shop(&browser, &callback), 403, "the session has ended");
}

/// The start of a browser's way to a page of the shop: the cookie that it holds from then on, and where it is to come back to.
fn start_at_the_shop(browser: &Caller<'_>, ann: &Caller<'_>, page: &str) -> (String, String) {
    let start = format!("/.rollcall/start?rd={page}");
    let started = proxied(browser, "https://shop.example.com/").get(&start);
    let over = ann.get(location(&started).strip_prefix(PUBLIC).unwrap());
    let callback = location(&over).strip_prefix("https://shop.example.com").unwrap().to_owned();
    (started.cookie(), callback)
}

#[test]
fn several_tabs_of_an_app_that_are_opened_at_once_are_all_let_in() {
    let house = house();
    let (ann, browser) = (house.signed_in("ann"), house.stranger());
    let shop = "https://shop.example.com/";
    let back = |cookies: &str, callback: &str| proxied(&browser.with("Cookie", cookies), shop).get(callback);
    let (cookie, first) = start_at_the_shop(&browser, &ann, "/t1");
    let (cookie, second) = start_at_the_shop(&browser.with("Cookie", &cookie), &ann, "/t2");
    let done = back(&cookie, &first);
    assert_eq!((done.status, location(&done)), (303, "https://shop.example.com/t1"), "{}", done.text());
    let pass = cookies(&done).into_iter().find(|cookie| cookie.starts_with("__Host-rollcall-app=")).unwrap();
    // The nonces are gone with the first; what it was given opens the second too, which gets nothing of its own, and so does going back.
    for (callback, page) in [(&second, "/t2"), (&first, "/t1")] {
        let on = back(&pass, callback);
        assert_eq!((on.status, location(&on)), (303, format!("https://shop.example.com{page}").as_str()));
        assert!(cookies(&on).is_empty(), "{:?}", on.headers);
    }
    // Not to another site, whatever is asked for, nor where it may not go on.
    for rd in ["https://evil.test/", "//evil.test/", "/\\evil.test", "@evil.test"] {
        let rd: String = form_urlencoded::byte_serialize(rd.as_bytes()).collect();
        let on = back(&pass, &format!("/.rollcall/callback?code=x&rd={rd}"));
        assert!(on.status == 303 && location(&on).starts_with(shop), "{}", location(&on));
    }
    let ada = house.signed_in("ada");
    assert_eq!(ada.delete(&format!("/api/v1/sessions/{}", ann.session())).status, 204);
    let page = back(&pass, &second);
    assert_eq!(page.status, 403);
    assert!(page.text().contains("href=\"https://shop.example.com/t2\""), "it leads on: {}", page.text());
}

#[test]
fn each_way_to_an_app_has_a_nonce_of_its_own_and_a_browser_holds_a_few() {
    let house = house();
    let (ann, browser) = (house.signed_in("ann"), house.stranger());
    let shop = "https://shop.example.com/";
    // What was put there by somebody else proves nothing of a way that begins later.
    let (planted, _) = start_at_the_shop(&browser, &ann, "/planted");
    let (held, callback) = start_at_the_shop(&browser.with("Cookie", &planted), &ann, "/x");
    assert_ne!(held, planted);
    let thief = proxied(&browser.with("Cookie", &planted), shop).get(&callback);
    assert_eq!((thief.status, cookies(&thief).len()), (403, 0));
    // The oldest go, and what is no nonce is not kept.
    let mut cookie = "__Host-rollcall-handover=rcx_x.rcp_y..".to_owned();
    let mut ways = Vec::new();
    for way in 0..5 {
        let (next, callback) = start_at_the_shop(&browser.with("Cookie", &cookie), &ann, &format!("/{way}"));
        cookie = next;
        ways.push(callback);
    }
    assert_eq!(cookie.matches("rcx_").count(), 4, "{cookie}");
    let statuses = ways.iter().map(|way| proxied(&browser.with("Cookie", &cookie), shop).get(way).status);
    assert_eq!(statuses.collect::<Vec<_>>(), [403, 303, 303, 303, 303]);
}

#[test]
fn a_look_at_where_a_code_leads_does_not_use_it_up() {
    let house = house();
    let ann = house.signed_in("ann");
    let (browser, callback) = hand_over(&house, &ann);
    let shop = "https://shop.example.com/";
    let look = proxied(&browser, shop).send(Method::Head, &callback, b"");
    assert_eq!((look.status, cookies(&look).len()), (204, 0));
    assert_eq!(proxied(&browser, shop).get(&callback).status, 303);
    assert_eq!(browser.send(Method::Head, &callback, b"").status, 403, "nobody but a proxy looks");
}

#[test]
fn an_app_of_another_scheme_is_handed_its_session_as_no_cookie_of_ours_opens_it() {
    for (public, secure, app) in [
        ("http://rollcall.example.org", false, "https://wiki.example.org"),
        ("https://rollcall.example.org", true, "http://wiki.example.org"),
        ("http://rollcall.example.org", false, "https://rollcall.example.org:8443"),
    ] {
        let settings = Settings {
            public_url: Some(public.to_owned()),
            secure,
            trusted_proxies: Networks([Networks::parse(PROXY).unwrap()].to_vec()),
            cookie_domain: Some("example.org".to_owned()),
            ..Settings::default()
        };
        let house = House::with_settings(settings).with_admin("ada").with_member("ann");
        let wiki = json!({"name": "wiki", "url": app});
        assert_eq!(house.signed_in("ada").post("/api/v1/apps", &wiki).status, 201);
        let ann = house.signed_in("ann");
        let led = ask(&house.stranger(), &format!("{app}/x"));
        let start = ann.get(location(&led).strip_prefix(public).unwrap());
        assert_eq!(location(&start), format!("{app}/.rollcall/start?rd=%2Fx"), "from {public}");
        // And by that way the browser gets there.
        let started = proxied(&house.stranger(), &format!("{app}/")).get("/.rollcall/start?rd=%2Fx");
        let over = ann.get(location(&started).strip_prefix(public).unwrap());
        let callback = location(&over).strip_prefix(app).unwrap().to_owned();
        let browser = house.stranger().with("Cookie", &started.cookie());
        let handed = proxied(&browser, &format!("{app}/")).get(&callback);
        let pass = cookies(&handed).into_iter().find(|cookie| cookie.contains("=rcp_")).expect("a pass");
        let reply = ask(&house.stranger().with("Cookie", &pass), &format!("{app}/x"));
        assert_eq!((reply.status, reply.header("Remote-User")), (200, Some("ann")), "{public} and {app}");
    }
}

#[test]
fn passes_that_are_over_do_not_stand_in_the_way_of_the_one_that_lives() {
    let house = house();
    let pass = |user: &str| {
        let signed_in = house.stranger().sign_in(user, PASSWORD);
        cookies(&signed_in).into_iter().find(|cookie| cookie.starts_with("__Secure")).unwrap()
    };
    let (anns, adas) = (pass("ann"), pass("ada"));
    let dead = format!("__Secure-rollcall-apps=rcp_{}", "A".repeat(43));
    let shown = |cookies: &str| {
        let reply = ask(&house.stranger().with("Cookie", cookies), "https://wiki.example.org/");
        (reply.status, reply.header("Remote-User").unwrap_or_default().to_owned())
    };
    let as_ann = || (200, "ann".to_owned());
    assert_eq!(shown(&format!("{dead}; {anns}")), as_ann());
    assert_eq!(shown(&format!("{anns}; {dead}; {anns}")), as_ann());
    // Whose the browser is nobody knows then, and one of them may have been put there by somebody else.
    assert_eq!(shown(&format!("{anns}; {adas}")).0, 302);
}

#[test]
fn a_proxy_that_does_not_send_the_callback_here_is_named_instead_of_a_loop() {
    let house = house();
    let ann = house.signed_in("ann");
    let reply = ann.get("/signin?rd=https%3A%2F%2Fshop.example.com%2F.rollcall%2Fstart%3Frd%3D%252F");
    assert_eq!(reply.status, 409);
    assert!(reply.text().contains("does not send /.rollcall/"), "{}", reply.text());
}

#[test]
fn a_path_that_no_uri_may_hold_and_browsers_send_is_come_back_to_all_the_same() {
    let house = house();
    let (ann, browser) = (house.signed_in("ann"), house.stranger());
    let portal = |address: &str| location(&ask(&browser, address)).strip_prefix(PUBLIC).unwrap().to_owned();
    let wiki = "https://wiki.example.org/find|this^that?q={a}";
    let on = ann.get(&portal(wiki));
    assert_eq!((on.status, location(&on)), (303, wiki));
    let shop = "https://shop.example.com/find|this^that?q={a}";
    let at_shop = |browser: &Caller<'_>, reply: &Reply| {
        proxied(browser, "https://shop.example.com/")
            .get(location(reply).strip_prefix("https://shop.example.com").unwrap())
    };
    let started = at_shop(&browser, &ann.get(&portal(shop)));
    let over = ann.get(location(&started).strip_prefix(PUBLIC).unwrap());
    let done = at_shop(&browser.with("Cookie", &started.cookie()), &over);
    assert_eq!((done.status, location(&done)), (303, shop), "{}", done.text());
}
