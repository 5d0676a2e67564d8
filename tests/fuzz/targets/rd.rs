//! Where somebody asks to be led to after the sign-in, held against how browsers read addresses.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rollcall::{
    model::{
        onward::Onward,
        site::{Address, Site},
    },
    web::door::Params,
};
use url::{Origin, Url};

/// The page that leads on.
const HERE: &str = "https://rollcall.example.org/signin?rd=x";

/// The apps that are known.
const APPS: [&str; 4] =
    ["https://wiki.example.org", "http://10.0.0.7:3000", "https://shop.example.com:8443", "http://[fe80::1]"];

fuzz_target!(|input: &str| {
    leads_home_or_to_an_app(input);
    if let Ok(params) = Params::parse(input)
        && let Some(text) = params.get("rd").or_else(|| params.get("next"))
    {
        leads_home_or_to_an_app(text);
    }
    is_whose_it_seems(input);
});

fn known(site: &Site) -> Option<String> {
    APPS.contains(&site.as_str()).then(|| site.to_string())
}

fn origin(text: &str) -> Origin {
    Url::parse(text).unwrap_or_else(|error| panic!("{text}: {error}")).origin()
}

fn leads_home_or_to_an_app(text: &str) {
    let Some(onward) = Onward::of(text, known) else { return };
    let to = onward.text();
    assert!(to.bytes().all(|byte| byte.is_ascii_graphic()), "{to:?} is to stand in a header");
    assert_eq!(Onward::of(&to, known).as_ref(), Some(&onward), "it goes through a form on the way");
    let here = Url::parse(HERE).expect("it is one");
    let there = here.join(&to).unwrap_or_else(|error| panic!("{to}: {error}"));
    assert!(there.username().is_empty() && there.password().is_none(), "{there}");
    match onward.app() {
        None => assert_eq!(there.origin(), here.origin(), "{text:?} leads to {there}"),
        Some(app) => {
            assert_eq!(there.origin(), origin(app), "{text:?} leads to {there}");
            assert_eq!(onward.site().map(|site| site.to_string()).as_deref(), Some(app));
        }
    }
}

/// An address is its site's to browsers too, whatever stands behind the site.
fn is_whose_it_seems(text: &str) {
    if let Ok(address) = text.parse::<Address>() {
        assert_eq!(address.to_string().parse().as_ref(), Ok(&address), "it has one form");
        // A host that browsers refuse is nobody's; and with a dot at the end it is the same, which we leave out.
        if let Ok(mut read) = Url::parse(text) {
            if let Some(host) = read.host_str().and_then(|host| host.strip_suffix('.')).map(str::to_owned) {
                read.set_host(Some(&host)).expect("it was one with the dot");
            }
            assert_eq!(read.origin(), origin(address.site.as_str()), "{text:?}");
            assert_eq!(read.origin(), origin(&address.to_string()), "{text:?}");
        }
    }
    for app in APPS {
        let Ok(site) = app.parse::<Site>() else { panic!("{app} is a site") };
        let back = Address::on(site.clone(), text);
        assert_eq!(origin(&back.to_string()), origin(app), "{text:?} on {app}");
        // On the way of a session to an app on another domain the rest of the address is a parameter.
        let rest: String = form_urlencoded::byte_serialize(back.rest.as_bytes()).collect();
        let params = Params::parse(&format!("rd={rest}")).expect("it is UTF-8");
        assert_eq!(Address::on(site, params.text("rd")), back);
    }
}
