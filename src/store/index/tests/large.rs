//! More activities than fit a block, a window or a step, and more terms than are read side by side.

use std::net::Ipv4Addr;

use jiff::Timestamp;

use super::{
    super::Deadline,
    log::activity,
    property::{compare, index},
};
use crate::model::{
    activity::{Activity, Outcome},
    filter::{Filter, Order},
    id::ActivityId,
    period::Range,
    query::Query,
    session::Scope,
};

/// What is typed, and the ids it means.
type Question = (&'static str, fn(u64) -> bool);

#[test]
fn long_lists_and_many_terms_are_walked_right() {
    let numbered = |id: u64| Activity {
        id: ActivityId(id),
        detail: format!(
            "item{id} {} {} {}",
            if id.is_multiple_of(2) { "even" } else { "odd" },
            if id.is_multiple_of(3) { "three" } else { "none" },
            if id.is_multiple_of(500) { "rare" } else { "usual" },
        ),
        target: id.is_multiple_of(5).then(|| "even item".to_owned()),
        outcome: if id.is_multiple_of(7) { Outcome::Failure } else { Outcome::Success },
        // Every address is another, so that a network is a set of very many terms.
        ip: Some(Ipv4Addr::from_bits(0x0a00_0000 | u32::try_from(id).unwrap()).into()),
        ..activity(id, i64::try_from(id % 7000).unwrap())
    };
    let activities: Vec<Activity> = (1..=12_000).map(numbered).collect();
    let searcher = index(&activities.chunks(5500).map(<[Activity]>::to_vec).collect::<Vec<_>>());
    let ask = |text: &str, hit: &dyn Fn(u64) -> bool, range: Range| {
        let inside = |time| range.from <= time && time < range.to;
        let hits: Vec<&Activity> =
            activities.iter().filter(|activity| inside(activity.time) && hit(activity.id.0)).collect();
        let filter = Filter { query: Query::parse(text).unwrap(), range, ..Filter::default() };
        compare(&searcher, &hits, (&filter, &Scope::All), (700, 1300))
            .unwrap_or_else(|error| panic!("{text} in {range:?}: {error}"));
    };
    let questions: &[Question] = &[
        ("", |_| true),
        ("even", |id| id % 2 == 0 || id % 5 == 0),
        ("even three", |id| (id % 2 == 0 || id % 5 == 0) && id % 3 == 0),
        ("even three usual", |id| (id % 2 == 0 || id % 5 == 0) && id % 3 == 0 && id % 500 != 0),
        ("three rare", |id| id % 1500 == 0),
        ("-three", |id| id % 3 != 0),
        ("three -even", |id| id % 3 == 0 && id % 2 != 0 && id % 5 != 0),
        ("three OR rare", |id| id % 3 == 0 || id % 500 == 0),
        ("ite*", |_| true),
        ("item1*", |id| id.to_string().starts_with('1')),
        ("item12*", |id| id.to_string().starts_with("12")),
        ("item1* three", |id| id.to_string().starts_with('1') && id % 3 == 0),
        ("\"even three\"", |id| id % 6 == 0),
        ("\"odd three us\"*", |id| id % 2 != 0 && id % 3 == 0 && id % 500 != 0),
        ("detail:even", |id| id % 2 == 0),
        ("detail:item2*", |id| id.to_string().starts_with('2')),
        ("target:\"even it\"*", |id| id % 5 == 0),
        ("ip:10.0.0.0/20", |id| id < 4096),
        ("-ip:10.0.16.0/20", |id| !(4096..8192).contains(&id)),
        ("ip:0.0.0.0/0", |_| true),
        ("ip:10.0.0.0/20 three", |id| id < 4096 && id % 3 == 0),
        ("ip:10.0.0.0/20 OR ip:10.0.32.0/19", |id| !(4096..8192).contains(&id)),
        ("item1* OR item2*", |id| ["1", "2"].iter().any(|begins| id.to_string().starts_with(begins))),
        ("item1* OR ip:10.0.16.0/20 OR rare", |id| {
            id.to_string().starts_with('1') || (4096..8192).contains(&id) || id % 500 == 0
        }),
        ("item12* OR ip:10.0.1.0/24 OR \"odd three\"", |id| {
            id.to_string().starts_with("12") || (256..512).contains(&id) || (id % 2 != 0 && id % 3 == 0)
        }),
    ];
    for (text, hit) in questions {
        ask(text, hit, Range::ALL);
    }
    // Any two of them, as all of both, as either and as one without the other, in periods that begin and end within the lists.
    let at = |ms| Timestamp::from_millisecond(ms).unwrap();
    let mut drawn = 1_u64;
    let mut next = |bound: i64| {
        // Knuth's generator (MMIX), so that each run asks the same.
        drawn = drawn.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        i64::try_from(drawn >> 33).unwrap() % bound
    };
    let several = i64::try_from(questions.len()).unwrap() - 1;
    for turn in 0..90 {
        let mut other = || &questions[1 + usize::try_from(next(several)).unwrap()];
        let ((a, hits_a), (b, hits_b)) = (other(), other());
        let range = Range { from: at(next(3500)), to: at(3500 + next(3600)) };
        let range = if turn % 2 == 0 { Range::ALL } else { range };
        match turn % 3 {
            0 => ask(&format!("({a}) ({b})"), &|id| hits_a(id) && hits_b(id), range),
            1 => ask(&format!("({a}) OR ({b})"), &|id| hits_a(id) || hits_b(id), range),
            _ => ask(&format!("-({a}) ({b})"), &|id| !hits_a(id) && hits_b(id), range),
        }
    }
}

#[test]
fn a_walk_through_activities_of_one_time_gives_each_once_and_looks_at_all_but_a_few_times() {
    let same = |id: u64| Activity {
        detail: if id.is_multiple_of(3) { "three".into() } else { String::new() },
        ..activity(id, if id.is_multiple_of(10) { 4000 } else { 5000 })
    };
    let activities: Vec<Activity> = (1..=6000).map(same).collect();
    let searcher = index(&activities.chunks(2500).map(<[Activity]>::to_vec).collect::<Vec<_>>());
    for (text, every) in [("", 1), ("three", 3)] {
        let hits: Vec<&Activity> =
            activities.iter().filter(|activity| activity.id.0.is_multiple_of(every)).collect();
        let filter = Filter { query: Query::parse(text).unwrap(), ..Filter::default() };
        compare(&searcher, &hits, (&filter, &Scope::All), (900, 7)).unwrap();
        let mut walk = searcher.search(&filter, &Scope::All).walk(Order::Desc, None, 7, Deadline::never());
        walk.by_ref().take(3).for_each(|chunk| assert_eq!(chunk.unwrap().len(), 7));
        assert!(walk.stride * 20 > hits.len(), "it takes {} at once", walk.stride);
    }
}
