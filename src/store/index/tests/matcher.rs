//! The matcher of `model::query`, which looks at one activity, against the index: texts as wild as senders send them.

use proptest::prelude::*;

use super::{
    super::{Deadline, Searcher},
    log::activity,
    property::index,
};
use crate::model::{
    activity::{Activity, Outcome},
    device::Device,
    filter::{Filter, Order},
    id::ActivityId,
    place::Place,
    query::{Candidate, Matcher, Query},
    session::Scope,
};

/// Pieces that are cut, folded and joined in every way there is.
const PIECES: &[&str] = &[
    "a",
    "b",
    "B",
    "Ab",
    "aB",
    "1",
    "22",
    "ß",
    "İ",
    "É",
    "e\u{301}",
    "ﬁ",
    "Ａ",
    "東",
    "京",
    "都",
    "가",
    "が",
    "か\u{3099}",
    " ",
    " ",
    "-",
    "_",
    ".",
    "\0",
    "\u{ad}",
    "&",
    "ς",
    "rollcall",
    "search",
    "x_y-1",
];

/// A text of some of them.
fn text() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(PIECES), 0..6).prop_map(|pieces| pieces.concat())
}

fn wild() -> impl Strategy<Value = Activity> {
    let names = (text(), text(), text(), prop::option::of(text()), prop::option::of(text()));
    let looks = (prop::option::of(text()), prop::option::of(text()), text(), text(), text());
    let attributes = prop::collection::vec((prop::sample::select(&["k", "K", "É\0"][..]), text()), 0..4);
    let ip = prop::option::of(any::<std::net::IpAddr>());
    (names, text(), looks, attributes, ip, prop::sample::select(&Outcome::ALL[..])).prop_map(
        |(
            (user, action, app, session, target),
            detail,
            (city, country, kind, os, browser),
            attributes,
            ip,
            outcome,
        )| Activity {
            user,
            action,
            app,
            detail,
            session,
            target,
            place: Place { city, country, ..Place::default() },
            device: Device { device: kind, os, browser, ..Device::default() },
            attributes: attributes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
            ip,
            outcome,
            ..activity(0, 0)
        },
    )
}

/// What to ask: of a field or of all, a text, a beginning, or everything but that; and narrowed beside the query.
fn question() -> impl Strategy<Value = (String, Filter)> {
    let fields = [
        "", "", "", "user:", "action:", "app:", "session:", "city:", "country:", "device:", "os:",
        "browser:", "target:", "detail:", "attr.k:", "attr.É:", "action:", "detail:",
    ];
    let term = (prop::sample::select(fields.to_vec()), text(), any::<bool>(), prop::bool::weighted(0.2))
        .prop_map(|(field, text, star, not)| {
            format!("{}{field}\"{text}\"{}", if not { "-" } else { "" }, if star { "*" } else { "" })
        });
    let net = (any::<std::net::IpAddr>(), 0..20_u8)
        .prop_map(|(ip, length)| format!("ip:{}", ipnet::IpNet::new(ip, length).expect("a length")));
    let given = |share| prop::option::weighted(share, text());
    let narrow = (given(0.1), given(0.1), given(0.1), given(0.1));
    (prop_oneof![12 => term, 1 => net], narrow).prop_map(|(query, (user, app, action, session))| {
        let filter = Filter { user, app, action, session, ..Filter::default() };
        (query, filter)
    })
}

fn found(searcher: &Searcher, filter: &Filter, scope: &Scope) -> Vec<ActivityId> {
    let mut found: Vec<ActivityId> = searcher
        .search(filter, scope)
        .page(Order::Asc, None, 10_000, &Deadline::never())
        .expect("an index in memory")
        .into_iter()
        .map(|hit| hit.id)
        .collect();
    found.sort_unstable();
    found
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_matcher_says_what_the_index_finds(
        activities in prop::collection::vec(wild(), 1..60),
        questions in prop::collection::vec((question(), prop::option::weighted(0.2, text())), 60),
    ) {
        let activities: Vec<Activity> =
            activities.into_iter().zip(1..).map(|(activity, id)| Activity { id: ActivityId(id), ..activity }).collect();
        let candidates: Vec<Candidate> = activities.iter().cloned().map(Candidate::from).collect();
        let searcher = index(&[activities]);
        for ((query, filter), own) in questions {
            let Ok(query) = Query::parse(&query) else { continue };
            let filter = Filter { query, ..filter };
            let scope = own.and_then(|own| own.parse().ok()).map_or(Scope::All, Scope::Own);
            let matcher = Matcher::new(&filter, &scope);
            let matched: Vec<ActivityId> = candidates
                .iter()
                .filter(|candidate| matcher.matches(candidate))
                .map(|candidate| candidate.activity().id)
                .collect();
            prop_assert_eq!(matched, found(&searcher, &filter, &scope), "{:?} {:?}", filter, scope);
        }
    }
}
