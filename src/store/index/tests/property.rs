//! Random activities, filters and scopes: every operation must say what a plain scan says.

use std::{collections::HashMap, net::IpAddr, sync::Arc};

use proptest::{prelude::*, strategy::ValueTree};
use tantivy::{ReloadPolicy, directory::RamDirectory};

use super::{
    super::{Bucket, Deadline, Searcher, document::Document, schema, segment::Snapshot},
    log::activity,
    plain::LEAVES,
};
use crate::model::{
    activity::{Activity, Outcome},
    device::Device,
    facet::FacetField,
    filter::{Cursor, Filter, Order},
    horizon::{Class, Horizon},
    id::ActivityId,
    period::Range,
    place::Place,
    query::{Candidate, Matcher, Query, fold},
    session::Scope,
};

#[derive(Clone, Debug)]
enum Tree {
    Leaf(usize),
    And(Box<Tree>, Box<Tree>),
    Or(Box<Tree>, Box<Tree>),
    Not(Box<Tree>),
}

impl Tree {
    fn write(&self) -> String {
        match self {
            Self::Leaf(leaf) => LEAVES[*leaf].0.to_owned(),
            Self::And(a, b) => format!("({}) ({})", a.write(), b.write()),
            Self::Or(a, b) => format!("{} OR {}", a.write(), b.write()),
            Self::Not(a) => format!("-({})", a.write()),
        }
    }

    fn hits(&self, activity: &Activity) -> bool {
        match self {
            Self::Leaf(leaf) => LEAVES[*leaf].1(activity),
            Self::And(a, b) => a.hits(activity) && b.hits(activity),
            Self::Or(a, b) => a.hits(activity) || b.hits(activity),
            Self::Not(a) => !a.hits(activity),
        }
    }
}

fn tree() -> impl Strategy<Value = Tree> {
    (0..LEAVES.len()).prop_map(Tree::Leaf).prop_recursive(3, 6, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| Tree::And(a.into(), b.into())),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| Tree::Or(a.into(), b.into())),
            inner.prop_map(|a| Tree::Not(a.into())),
        ]
    })
}

/// A question: the query, what else narrows it, and who asks.
#[derive(Clone, Debug)]
struct Question {
    tree: Option<Tree>,
    user: Option<&'static str>,
    app: Option<&'static str>,
    action: Option<&'static str>,
    outcome: Option<Outcome>,
    net: bool,
    from: Option<i64>,
    to: Option<i64>,
    own: Option<&'static str>,
    limit: usize,
}

impl Question {
    fn filter(&self) -> Filter {
        let at =
            |time: Option<i64>, open| time.map_or(open, |ms| jiff::Timestamp::from_millisecond(ms).unwrap());
        Filter {
            query: self
                .tree
                .as_ref()
                .map_or_else(Query::default, |tree| Query::parse(&tree.write()).unwrap()),
            user: self.user.map(str::to_owned),
            app: self.app.map(str::to_owned),
            action: self.action.map(str::to_owned),
            outcome: self.outcome,
            session: None,
            ip: self.net.then(|| "10.0.0.0/8".parse().unwrap()),
            range: Range { from: at(self.from, Range::ALL.from), to: at(self.to, Range::ALL.to) },
        }
    }

    fn scope(&self) -> Scope {
        self.own.map_or(Scope::All, |user| Scope::Own(user.parse().unwrap()))
    }

    fn hits(&self, activity: &Activity) -> bool {
        let same = |value: &str, asked: Option<&str>| {
            asked.is_none_or(|asked| value.to_lowercase() == asked.to_lowercase())
        };
        let time = activity.time.as_millisecond();
        self.tree.as_ref().is_none_or(|tree| tree.hits(activity))
            && same(&activity.user, self.user)
            && same(&activity.app, self.app)
            && same(&activity.action, self.action)
            && same(&activity.user, self.own)
            && self.outcome.is_none_or(|outcome| outcome == activity.outcome)
            && (!self.net || matches!(activity.ip, Some(IpAddr::V4(ip)) if ip.octets()[0] == 10))
            && self.from.is_none_or(|from| time >= from)
            && self.to.is_none_or(|to| time < to)
    }
}

const USERS: &[&str] = &["Ann", "ann", "bob", "Ann Lee"];
const APPS: &[&str] = &["vault", "Wiki", ""];
const ACTIONS: &[&str] = &["backup", "sign-in", "sign-in-failed", "CreateBucket", "Restore"];
const TEXTS: &[&str] = &[
    "",
    "the backup of Account_2024.csv",
    "backup the INC-4711 of Kraków",
    "Restore the the backups INC-4712",
    "DescribeDBInstances 10.248.16.43 Account2025",
    "東京都 backup",
    "京都 bob of ann",
    "the CreateBucket of the north",
];

fn question() -> impl Strategy<Value = Question> {
    let narrow = (
        prop::option::weighted(0.2, prop::sample::select(USERS)),
        prop::option::weighted(0.1, prop::sample::select(&APPS[..2])),
        prop::option::weighted(0.1, prop::sample::select(ACTIONS)),
        prop::option::weighted(0.1, prop::sample::select(&Outcome::ALL[..])),
        prop::bool::weighted(0.1),
    );
    let end = || prop::option::weighted(0.4, 0..120_i64);
    let own = prop::option::weighted(0.3, prop::sample::select(&["ann", "bob", "eve"][..]));
    (prop::option::weighted(0.85, tree()), narrow, end(), end(), own, 1..40_usize).prop_map(
        |(tree, (user, app, action, outcome, net), from, to, own, limit)| Question {
            tree,
            user,
            app,
            action,
            outcome,
            net,
            from,
            to,
            own,
            limit,
        },
    )
}

/// An activity without an id. Times are few, so that many are the same.
fn generated() -> impl Strategy<Value = Activity> {
    let who = (prop::sample::select(USERS), prop::sample::select(APPS), prop::sample::select(ACTIONS));
    let texts = (
        prop::sample::select(TEXTS),
        prop::option::weighted(0.3, prop::sample::select(TEXTS)),
        prop::option::weighted(
            0.3,
            (prop::sample::select(&["region", "bob"][..]), prop::sample::select(TEXTS)),
        ),
    );
    let origin = (
        prop::option::of(prop::sample::select(
            &["10.1.2.3", "10.9.9.9", "192.0.2.1", "2001:db8::1", "::1"][..],
        )),
        prop::option::of(prop::sample::select(&[("New York", "US"), ("Kraków", "PL")][..])),
        prop::sample::select(&["", "Windows 11", "Windows 10"][..]),
        prop::sample::select(&["", "Chrome 127"][..]),
        prop::option::of(prop::sample::select(&["S1", "S2"][..])),
    );
    (0..100_i64, prop::sample::select(&Outcome::ALL[..]), who, texts, origin).prop_map(
        |(
            time,
            outcome,
            (user, app, action),
            (detail, target, attribute),
            (ip, place, os, browser, session),
        )| {
            Activity {
                user: user.into(),
                action: action.into(),
                detail: detail.into(),
                app: app.into(),
                outcome,
                session: session.map(Into::into),
                ip: ip.map(|ip| ip.parse().unwrap()),
                place: Place {
                    city: place.map(|(city, _)| city.into()),
                    country: place.map(|(_, country)| country.into()),
                    ..Place::default()
                },
                device: Device { os: os.into(), browser: browser.into(), ..Device::default() },
                target: target.map(Into::into),
                attributes: attribute.map(|(name, value)| (name.into(), value.into())).into_iter().collect(),
                ..activity(0, time)
            }
        },
    )
}

/// An index in memory of the activities, a commit after each group, the first half of the segments merged.
pub(super) fn index(groups: &[Vec<Activity>]) -> Searcher {
    let index = schema::create(RamDirectory::create()).unwrap();
    let (_, fields) = schema::schema();
    let mut writer = index.writer_with_num_threads(1, 15_000_000).unwrap();
    writer.set_merge_policy(Box::new(tantivy::merge_policy::NoMergePolicy));
    for (number, group) in groups.iter().enumerate() {
        for activity in group {
            writer.add_document(Document::of(&fields, activity)).unwrap();
        }
        writer.commit().unwrap();
        if number == groups.len() / 2 {
            let ids = index.searchable_segment_ids().unwrap();
            if ids.len() > 1 {
                writer.merge(&ids).wait().unwrap();
            }
        }
    }
    let reader = index.reader_builder().reload_policy(ReloadPolicy::Manual).try_into().unwrap();
    let snapshot = Snapshot::new(reader.searcher().segment_readers(), None, fields, ActivityId(0)).unwrap();
    Searcher::new(Arc::new(snapshot), Arc::default())
}

/// Classes in any case, one of them of activities without an app, one that nothing belongs to, and some twice.
fn horizon() -> impl Strategy<Value = Horizon> {
    let class = prop_oneof![
        prop::sample::select(&["VAULT", "wiki", "", "none"][..]).prop_map(|app| Class::App(app.into())),
        prop::sample::select(&["backup", "Sign-In", "restore"][..])
            .prop_map(|action| Class::Action(action.into())),
    ];
    let moment = || prop_oneof![2 => 0..110_i64, 1 => Just(i64::MIN)];
    let rules = (prop::collection::vec((class, moment()), 0..4), moment())
        .prop_map(|(classes, all)| Horizon::new(classes, all));
    // Every other one has others behind it.
    prop::collection::vec(rules, 1..4)
        .prop_map(|rules| rules.iter().fold(Horizon::default(), |horizon, rules| horizon.advanced_to(rules)))
}

fn value(field: FacetField, activity: &Activity) -> &str {
    match field {
        FacetField::User => &activity.user,
        FacetField::App => &activity.app,
        FacetField::Action => &activity.action,
        FacetField::Outcome => activity.outcome.as_str(),
        FacetField::Country => activity.place.country.as_deref().unwrap_or_default(),
        FacetField::City => activity.place.city.as_deref().unwrap_or_default(),
        FacetField::Device => &activity.device.device,
        FacetField::Os => &activity.device.os,
        FacetField::Browser => &activity.device.browser,
    }
}

/// The values of `field`, the most frequent first, each with its spellings' total.
fn tally<'a>(field: FacetField, hits: impl Iterator<Item = &'a Activity>) -> Vec<(String, u64)> {
    let mut counts: HashMap<String, u64> = HashMap::new();
    for activity in hits {
        *counts.entry(value(field, activity).to_lowercase()).or_default() += 1;
    }
    counts.remove("");
    let mut counts: Vec<(String, u64)> = counts.into_iter().collect();
    counts.sort_by(|(a, x), (b, y)| y.cmp(x).then_with(|| a.cmp(b)));
    counts
}

/// The pages, the walks, the count and the histogram of a search must be those of `hits`.
pub(super) fn compare(
    searcher: &Searcher,
    hits: &[&Activity],
    (filter, scope): (&Filter, &Scope),
    (page, chunk): (usize, usize),
) -> Result<(), TestCaseError> {
    let deadline = Deadline::never();
    let search = searcher.search(filter, scope);
    let mut expected: Vec<Cursor> =
        hits.iter().map(|hit| Cursor { time: hit.time.as_millisecond(), id: hit.id }).collect();
    expected.sort_unstable();

    for order in [Order::Asc, Order::Desc] {
        let mut found = Vec::new();
        let mut after = None;
        loop {
            let found_now = search.page(order, after, page, &deadline).unwrap();
            prop_assert!(found_now.len() <= page);
            let Some(last) = found_now.last() else { break };
            after = Some(*last);
            found.extend(found_now);
        }
        prop_assert_eq!(&found, &expected, "{:?}", order);
        expected.reverse();
        let walk = searcher.search(filter, scope);
        let walked: Vec<Cursor> =
            walk.walk(order, None, chunk, deadline.clone()).flat_map(Result::unwrap).collect();
        prop_assert_eq!(walked, found);
    }
    prop_assert_eq!(search.count(&deadline).unwrap(), expected.len() as u64);
    let again = searcher.search(filter, scope).count_within(&deadline).unwrap();
    prop_assert_eq!(again, (expected.len() as u64, true), "as it was kept");

    let edges = [10, 20, 21, 50, 90, 100, 3000, 6500];
    let buckets: Vec<Bucket> = edges
        .windows(2)
        .map(|edge| {
            let inside = hits.iter().filter(|hit| (edge[0]..edge[1]).contains(&hit.time.as_millisecond()));
            let failures = inside.clone().filter(|hit| hit.outcome == Outcome::Failure).count() as u64;
            Bucket { total: inside.count() as u64, failures }
        })
        .collect();
    prop_assert_eq!(search.histogram(&edges, &deadline).unwrap(), buckets);
    Ok(())
}

fn check(
    searcher: &Searcher,
    (activities, horizon): (&[Activity], &Horizon),
    question: &Question,
) -> Result<(), TestCaseError> {
    let deadline = Deadline::never();
    let (filter, scope) = (question.filter(), question.scope());
    let left = || activities.iter().filter(|activity| !horizon.hides(activity));
    let hits: Vec<&Activity> = left().filter(|activity| question.hits(activity)).collect();
    let matcher = Matcher::new(&filter, &scope);
    for activity in activities {
        let found = matcher.matches(&Candidate::from(activity.clone()));
        prop_assert_eq!(found, question.hits(activity), "the matcher, of {:?}", activity);
    }
    compare(searcher, &hits, (&filter, &scope), (question.limit, 7))?;
    let search = searcher.search(&filter, &scope);

    for field in FacetField::ALL {
        let facets = search.facets(field, 100, &deadline).unwrap();
        let found: Vec<(String, u64)> =
            facets.iter().map(|facet| (facet.value.to_lowercase(), facet.count)).collect();
        prop_assert_eq!(found, tally(field, hits.iter().copied()), "{:?}", field);
        for facet in facets {
            prop_assert!(hits.iter().any(|hit| value(field, hit) == facet.value), "{:?}", facet);
        }
    }

    let seen = left().filter(|a| question.own.is_none_or(|own| a.user.to_lowercase() == own));
    let begun = seen.filter(|activity| fold(&activity.user).starts_with("an"));
    let suggested = searcher.suggest(FacetField::User, "AN", &scope, 100, &deadline).unwrap();
    let suggested: Vec<_> =
        suggested.into_iter().map(|facet| (facet.value.to_lowercase(), facet.count)).collect();
    prop_assert_eq!(suggested, tally(FacetField::User, begun));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_answer_is_that_of_a_plain_scan(
        activities in prop::collection::vec(generated(), 0..400),
        groups in 1..8_usize,
        questions in prop::collection::vec(question(), 40),
        horizons in prop::collection::vec(horizon(), 1..4),
    ) {
        let mut activities = activities;
        for (activity, id) in activities.iter_mut().zip(1..) {
            activity.id = ActivityId(id);
        }
        let size = activities.len().div_ceil(groups).max(1);
        let groups: Vec<Vec<Activity>> = activities.chunks(size).map(<[Activity]>::to_vec).collect();
        let searcher = index(&groups);
        let horizons: Vec<Horizon> = [Horizon::default()].into_iter().chain(horizons).collect();
        let searchers: Vec<Searcher> = horizons.iter().map(|horizon| searcher.before(horizon)).collect();
        for (question, turn) in questions.iter().zip((0..horizons.len()).cycle()) {
            let horizon = &horizons[turn];
            check(&searchers[turn], (&activities, horizon), question).map_err(|error| {
                let query = question.filter().query;
                TestCaseError::fail(format!("{query}\n{question:?}\n{horizon:?}\n{error}"))
            })?;
        }
    }
}

#[test]
fn every_kind_of_question_is_asked_alone_too() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let activities = prop::collection::vec(generated(), 300).new_tree(&mut runner).unwrap().current();
    let activities: Vec<Activity> =
        activities.into_iter().zip(1..).map(|(a, id)| Activity { id: ActivityId(id), ..a }).collect();
    let searcher = index(&activities.chunks(90).map(<[Activity]>::to_vec).collect::<Vec<_>>());
    for (leaf, (text, hits)) in LEAVES.iter().enumerate() {
        let question = Question {
            tree: Some(Tree::Leaf(leaf)),
            user: None,
            app: None,
            action: None,
            outcome: None,
            net: false,
            from: None,
            to: None,
            own: None,
            limit: 10,
        };
        check(&searcher, (&activities, &Horizon::default()), &question)
            .unwrap_or_else(|error| panic!("{text}: {error}"));
        assert!(*text == "nowhere" || activities.iter().any(hits), "{text} finds nothing: it tests nothing");
    }
}
