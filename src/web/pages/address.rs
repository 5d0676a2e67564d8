//! Settings > Client address: for this very request, who is believed to have sent it, and why.

use rocket::{get, routes};

use super::{Html, inside, show};
use crate::web::{
    door::{Admin, Finding, HOPS, Naming, Networks, Params, SetIn, Settings, Why},
    failure::Failure,
    views::{
        Page,
        address::{Advice, ClientAddress, Header, Hop},
        parts::Where,
        text::{counted, grouped},
    },
};

/// Headers that say something of an address, here or elsewhere.
const TELLING: [&str; 8] = [
    "X-Forwarded-For",
    "Forwarded",
    "X-Real-IP",
    "True-Client-IP",
    "CF-Connecting-IP",
    "X-Client-IP",
    "X-Forwarded-Host",
    "Via",
];

/// The longest value that is shown, in characters.
const SHOWN: usize = 200;

#[get("/settings/address")]
fn address(admin: Admin<'_>, params: Params) -> Result<Html, Failure> {
    let garbled = match admin.garbled() {
        0 => "Since the server started every such header from a trusted proxy could be read.".to_owned(),
        count => format!(
            "Since the server started, {} came through a trusted proxy with a header that could not be read; the proxy's own address stands in the log for them.",
            counted(usize::try_from(count).unwrap_or(usize::MAX), "request", "requests")
        ),
    };
    let frame = inside(&admin, Page::Settings, &params);
    let Some(found) = admin.finding() else {
        let why = "This request has not come over a network connection.".to_owned();
        let (client, place) = (String::new(), String::new());
        let (hops, headers, advice) = (Vec::new(), Vec::new(), Vec::new());
        return show(&ClientAddress { frame, client, place, why, hops, headers, advice, garbled });
    };
    let client = found.source.client;
    let place = Where::of(&admin.app.geo().place(client), Some(client));
    let names = [place.city, place.location];
    let told = |naming: Naming| admin.header(naming.as_str()).any(|line| !line.trim().is_empty());
    show(&ClientAddress {
        frame,
        client: client.to_string(),
        place: names.into_iter().filter(|name| !name.is_empty()).collect::<Vec<_>>().join(", "),
        why: why(&found),
        hops: hops(&found),
        headers: headers(&admin, &found),
        advice: advice(&found, admin.way_in(), &told),
        garbled,
    })
}

/// Why the client is who it is.
fn why(found: &Finding) -> String {
    let (peer, header) = (found.source.peer, found.source.read.map_or("", Naming::as_str));
    match found.source.why {
        Why::Peer => format!(
            "The connection comes from {peer}, which is no trusted proxy, so that no header is believed and {peer} is the client."
        ),
        Why::Silent => format!(
            "The connection comes from the trusted proxy {peer}, which does not say for whom it asks, so that the proxy itself is taken for the client."
        ),
        Why::Client => format!(
            "The connection comes from the trusted proxy {peer}, and {} is the first address in {header}, read from its end, that is no trusted proxy.",
            found.source.client
        ),
        Why::OnlyProxies => format!(
            "Every address in {header} is a trusted proxy, so that the furthest of them is taken for the client."
        ),
        Why::Garbled => format!(
            "The connection comes from the trusted proxy {peer}, but {header} could not be read, so that the proxy itself is taken for the client."
        ),
    }
}

fn hops(found: &Finding) -> Vec<Hop> {
    let client = found.source.client;
    let taken_for = |trusted, last| match (trusted, last) {
        (true, false) => "a trusted proxy",
        (true, true) => "a trusted proxy, and the client",
        (false, true) => "the client",
        (false, false) => "not an address",
    };
    let peer_chosen = found.hops.is_empty() || found.source.why == Why::Garbled;
    let peer = Hop {
        written: found.source.peer.to_string(),
        from: "the connection".to_owned(),
        taken_for: taken_for(found.source.peer_trusted, peer_chosen),
        chosen: peer_chosen,
    };
    let read = found.hops.iter().enumerate().map(|(at, hop)| {
        let chosen = !peer_chosen && at + 1 == found.hops.len() && hop.ip == Some(client);
        Hop {
            written: cut(&hop.written),
            from: found.source.read.map_or("", Naming::as_str).to_owned(),
            taken_for: taken_for(hop.trusted, chosen),
            chosen,
        }
    });
    std::iter::once(peer).chain(read).collect()
}

fn headers(admin: &Admin<'_>, found: &Finding) -> Vec<Header> {
    let verdict = |name: &str| match found.source.read {
        Some(read) if read.as_str() == name => "read",
        _ if Naming::ALL.iter().all(|naming| naming.as_str() != name) => "never",
        Some(_) => "no, only one of the two is read",
        None if found.source.peer_trusted => "no, the other one is set to be read",
        None => "no, it comes from no trusted proxy",
    };
    let lines = TELLING.into_iter().flat_map(|name| admin.header(name).map(move |line| (name, line)));
    lines.map(|(name, line)| Header { name, value: cut(line), verdict: verdict(name) }).collect()
}

/// What would mend it, if this is not the client.
fn advice(found: &Finding, settings: &Settings, told: &dyn Fn(Naming) -> bool) -> Vec<Advice> {
    let trust_all = |when: String, all: &Networks| trusting(when, all, settings.trusted_proxies_from);
    let trust = |when: String, ip| {
        let mut all = settings.trusted_proxies.clone();
        all.0.push(ip);
        trust_all(when, &all)
    };
    let both = Naming::ALL.into_iter().all(told);
    let other = |read| if read == Naming::Forwarded { Naming::XForwardedFor } else { Naming::Forwarded };
    let pin = |when: String, naming| pinning(when, naming, settings.client_header_from);
    let mut advice = Vec::new();
    match found.source.why {
        Why::Peer if Naming::ALL.into_iter().any(told) => advice.push(trust(
            format!("If {} is your proxy, say so; nobody else should be named here.", found.source.peer),
            found.source.peer.into(),
        )),
        Why::Peer | Why::OnlyProxies => {}
        Why::Silent => match Naming::ALL.into_iter().find(|naming| told(*naming)) {
            Some(naming) => {
                advice.push(pin(format!("If the proxy says it in {naming}, have that header read."), naming));
            }
            None => advice.push(Advice {
                when: "Have the proxy say it.".to_owned(),
                place: "In",
                file: "nginx.conf (other proxies say it by themselves)",
                line: "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;".to_owned(),
            }),
        },
        Why::Client => advice.push(trust(
            format!("If {} is another proxy of yours, and not you, say so.", found.source.client),
            found.source.client.into(),
        )),
        Why::Garbled => advice.push(Advice {
            when: format!(
                "Have the proxy write addresses alone, at most {} of them; nginx does with this line.",
                grouped(HOPS as u64)
            ),
            place: "In",
            file: "nginx.conf",
            line: "proxy_set_header X-Forwarded-For $remote_addr;".to_owned(),
        }),
    }
    if let Some(read) = found.source.read.filter(|_| both) {
        let other = other(read);
        let when = format!(
            "Both {read} and {other} came, and {read} was read. If your proxy writes {other}, have that one read: the client may have sent the other."
        );
        advice.push(pin(when, other));
    }
    if found.source.why == Why::OnlyProxies {
        let when = "If people sit in a network that is named as a whole, name the proxies in it alone, each by its address.";
        advice.push(trust_all(when.to_owned(), &Networks(vec![found.source.peer.into()])));
    }
    advice
}

/// To trust just these proxies, said where it counts.
fn trusting(when: String, all: &Networks, from: SetIn) -> Advice {
    let line = match from {
        SetIn::CommandLine => {
            all.names().map(|name| format!("--trusted-proxy {name}")).collect::<Vec<_>>().join(" ")
        }
        SetIn::Environment => {
            format!("ROLLCALL_TRUSTED_PROXY={}", all.names().collect::<Vec<_>>().join(","))
        }
        SetIn::File | SetIn::Nowhere => format!("trusted-proxy = {all}"),
    };
    said(when, from, line)
}

/// To read this header, said where it counts.
fn pinning(when: String, naming: Naming, from: SetIn) -> Advice {
    let name = naming.as_str().to_ascii_lowercase();
    let line = match from {
        SetIn::CommandLine => format!("--client-header {name}"),
        SetIn::Environment => format!("ROLLCALL_CLIENT_HEADER={name}"),
        SetIn::File | SetIn::Nowhere => format!("client-header = \"{name}\""),
    };
    said(when, from, line)
}

/// A setting is changed where it was set: the command line counts before the environment, and that before the file, so what
/// is said in a lower place than before is said in vain. What was set nowhere is said in the file.
fn said(when: String, from: SetIn, line: String) -> Advice {
    let (place, file) = match from {
        SetIn::CommandLine => ("On the command line of", "rollcall serve"),
        SetIn::Environment => ("In the environment of", "rollcall serve"),
        SetIn::File | SetIn::Nowhere => ("In", "rollcall.toml"),
    };
    Advice { when, place, file, line }
}

/// A value that is not too long to be shown.
fn cut(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{} …", &text[..end]),
        None => text.to_owned(),
    }
}

pub(super) fn routes() -> Vec<rocket::Route> {
    routes![address]
}
