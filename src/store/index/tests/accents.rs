//! Names with accents: found and proposed without them, and kept only while they are few.

use super::{
    super::{Deadline, SearchError, Searcher, dictionary::Dictionary},
    log::activity,
    property::index,
};
use crate::model::{
    activity::Activity,
    facet::FacetField,
    filter::{Filter, Order},
    query::Query,
    session::Scope,
};

/// An index of one segment in which each of `users` did something.
fn of(users: impl Iterator<Item = String>) -> Searcher {
    let did = |(id, user)| Activity { user, ..activity(id, 0) };
    index(&[(1..).zip(users).map(did).collect()])
}

fn users(searcher: &Searcher) -> &Dictionary {
    searcher.snapshot.segments[0].inverted(searcher.snapshot.fields.user).unwrap()
}

fn found(searcher: &Searcher, query: &str) -> Vec<u64> {
    let filter = Filter { query: Query::parse(query).unwrap(), ..Filter::default() };
    let looked = searcher.search(&filter, &Scope::All);
    let page = looked.page(Order::Asc, None, 10_000, &Deadline::never()).unwrap();
    page.into_iter().map(|hit| hit.id.0).collect()
}

#[test]
fn names_with_accents_are_found_without_them_however_many_there_are_and_few_are_kept() {
    for many in [3_u64, 3000] {
        let searcher =
            of((1..=many).map(|n| format!("Žofie{n}")).chain(["Łukasz", "lukasz"].map(Into::into)));
        let both = vec![many + 1, many + 2];
        for query in ["user:lukasz", "user:ŁUKASZ", "user:luk*", "user:lukasz"] {
            assert_eq!(found(&searcher, query), both, "{query} among {many}");
        }
        assert_eq!(found(&searcher, "user:zofie3"), [3]);
        assert_eq!(found(&searcher, "user:zof*"), (1..=many).collect::<Vec<_>>());
        let kept = users(&searcher).accented(&Deadline::never()).unwrap().map(<[_]>::len);
        assert_eq!(kept, (many == 3).then_some(4), "of {many}");
        let suggest = |prefix: &str| -> Vec<String> {
            let never = Deadline::never();
            let found = searcher.suggest(FacetField::User, prefix, &Scope::All, 10, &never).unwrap();
            found.into_iter().map(|facet| facet.value).collect()
        };
        assert_eq!(suggest("LU"), ["lukasz", "Łukasz"]);
        assert_eq!(suggest("łuk"), ["lukasz", "Łukasz"]);
        assert_eq!(suggest("zofie3").first().map(String::as_str), Some("Žofie3"));
    }
}

#[test]
fn whoever_looks_for_names_with_accents_goes_on_where_the_time_of_another_was_over() {
    let searcher = of((0..2500).map(|n| format!("user{n:04}")).chain(["Łukasz".to_owned()]));
    let users = users(&searcher);
    let over = Deadline::never();
    over.stop();
    assert!(matches!(users.accented(&over), Err(SearchError::TooSlow)));
    assert!(matches!(users.accented(&over), Err(SearchError::TooSlow)));
    let found = users.accented(&over).unwrap().unwrap();
    assert_eq!(found.iter().map(|known| known.value.as_str()).collect::<Vec<_>>(), ["lukasz"]);
}
