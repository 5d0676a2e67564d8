//! The plain scan that the index is compared with. It knows nothing of tokenizers: texts are made of atoms whose words
//! are written down here by hand.

use std::{net::IpAddr, str::FromStr};

use crate::model::activity::{Activity, Outcome};

/// Pieces of text, and at each of their positions the words they are found by.
pub(super) const ATOMS: &[(&str, &[&[&str]])] = &[
    ("backup", &[&["backup"]]),
    ("backups", &[&["backups"]]),
    ("the", &[&["the"]]),
    ("of", &[&["of"]]),
    ("Restore", &[&["restore"]]),
    ("CreateBucket", &[&["createbucket", "create", "bucket"]]),
    (
        "DescribeDBInstances",
        &[&["describedbinstances", "describe", "db", "instances", "describedb", "dbinstances"]],
    ),
    ("Account_2024.csv", &[&["account"], &["2024"], &["csv"]]),
    ("Account2025", &[&["account2025", "account", "2025"]]),
    ("INC-4711", &[&["inc"], &["4711"]]),
    ("INC-4712", &[&["inc"], &["4712"]]),
    ("sign-in", &[&["sign"], &["in"]]),
    ("sign-in-failed", &[&["sign"], &["in"], &["failed"]]),
    ("Kraków", &[&["krakow"]]),
    ("10.248.16.43", &[&["10"], &["248"], &["16"], &["43"]]),
    ("東京都", &[&["東京"], &["京都"], &["都"]]),
    ("京都", &[&["京都"], &["都"]]),
    ("Ann", &[&["ann"]]),
    ("ann", &[&["ann"]]),
    ("bob", &[&["bob"]]),
    ("Lee", &[&["lee"]]),
    ("vault", &[&["vault"]]),
    ("Wiki", &[&["wiki"]]),
    ("region", &[&["region"]]),
    ("north", &[&["north"]]),
    ("New", &[&["new"]]),
    ("York", &[&["york"]]),
    ("Windows", &[&["windows"]]),
    ("11", &[&["11"]]),
    ("10", &[&["10"]]),
    ("Chrome", &[&["chrome"]]),
    ("127", &[&["127"]]),
];

/// The words of a text made of atoms, by position.
fn words(text: &str) -> Vec<&'static [&'static str]> {
    text.split(' ')
        .filter(|atom| !atom.is_empty())
        .flat_map(|atom| ATOMS.iter().find(|(written, _)| *written == atom).expect(atom).1.iter().copied())
        .collect()
}

/// Whether `phrase` stands in `text`; a word that ends in a star is the beginning of one.
fn has(text: &str, phrase: &[&str]) -> bool {
    let words = words(text);
    let fits = |word: &str, asked: &str| {
        asked.strip_suffix('*').map_or(word == asked, |beginning| word.starts_with(beginning))
    };
    (0..words.len()).any(|start| {
        phrase.iter().enumerate().all(|(offset, asked)| {
            words.get(start + offset).is_some_and(|here| here.iter().any(|word| fits(word, asked)))
        })
    })
}

fn anywhere(activity: &Activity, phrase: &[&str]) -> bool {
    let mut texts = vec![&activity.action, &activity.detail, &activity.user, &activity.app];
    texts.extend(&activity.target);
    texts.extend(activity.attributes.iter().map(|(_, value)| value));
    texts.into_iter().any(|text| has(text, phrase))
}

fn is(value: &str, asked: &str) -> bool {
    value.to_lowercase() == asked
}

fn attribute(activity: &Activity, asked: &str, phrase: &[&str]) -> bool {
    activity.attributes.iter().any(|(name, value)| name == asked && has(value, phrase))
}

fn within(activity: &Activity, low: &str, high: &str) -> bool {
    let number = |ip: IpAddr| match ip {
        IpAddr::V4(v4) => u128::from(v4.to_bits()),
        IpAddr::V6(v6) => v6.to_bits(),
    };
    let ip = |text| IpAddr::from_str(text).unwrap();
    activity.ip.is_some_and(|at| {
        at.is_ipv4() == ip(low).is_ipv4() && (number(ip(low))..=number(ip(high))).contains(&number(at))
    })
}

/// What is typed, and which activities it means.
pub(super) type Leaf = (&'static str, fn(&Activity) -> bool);

pub(super) const LEAVES: &[Leaf] = &[
    ("backup", |a| anywhere(a, &["backup"])),
    ("BACKUP*", |a| anywhere(a, &["backup*"])),
    ("bucket", |a| anywhere(a, &["bucket"])),
    ("createbucket", |a| anywhere(a, &["createbucket"])),
    ("DBInstances", |a| anywhere(a, &["dbinstances"])),
    ("account", |a| anywhere(a, &["account"])),
    ("acc*", |a| anywhere(a, &["acc*"])),
    ("Account_2024.csv", |a| anywhere(a, &["account", "2024", "csv"])),
    ("INC-4711", |a| anywhere(a, &["inc", "4711"])),
    ("inc-47*", |a| anywhere(a, &["inc", "47*"])),
    ("\"the backup of\"", |a| anywhere(a, &["the", "backup", "of"])),
    ("\"the the\"", |a| anywhere(a, &["the", "the"])),
    ("\"restore the\"*", |a| anywhere(a, &["restore", "the*"])),
    ("krakow", |a| anywhere(a, &["krakow"])),
    ("10.248.16.43", |a| anywhere(a, &["10", "248", "16", "43"])),
    ("東京", |a| anywhere(a, &["東京"])),
    ("東京都", |a| anywhere(a, &["東京", "京都"])),
    ("都", |a| anywhere(a, &["都*"])),
    ("nowhere", |_| false),
    ("ann", |a| anywhere(a, &["ann"])),
    ("\"of ann\"", |a| anywhere(a, &["of", "ann"])),
    ("detail:\"of ann\"", |a| has(&a.detail, &["of", "ann"])),
    ("user:ann", |a| is(&a.user, "ann")),
    ("user:\"ann lee\"", |a| is(&a.user, "ann lee")),
    ("user.name:AN*", |a| a.user.to_lowercase().starts_with("an")),
    ("app:wiki", |a| is(&a.app, "wiki")),
    ("action:sign-in", |a| is(&a.action, "sign-in")),
    ("action:sign", |a| has(&a.action, &["sign"])),
    ("action:bucket", |a| has(&a.action, &["bucket"])),
    ("action:sign-*", |a| a.action.starts_with("sign-")),
    ("action:buck*", |a| has(&a.action, &["buck*"])),
    ("event.action:backup", |a| is(&a.action, "backup")),
    ("outcome:failure", |a| a.outcome == Outcome::Failure),
    ("event.outcome:unknown", |a| a.outcome == Outcome::Unknown),
    ("session:s1", |a| a.session.as_deref() == Some("S1")),
    ("session:s*", |a| a.session.is_some()),
    ("ip:10.0.0.0/8", |a| within(a, "10.0.0.0", "10.255.255.255")),
    ("source.ip:10.1.2.3", |a| within(a, "10.1.2.3", "10.1.2.3")),
    ("ip:2001:db8::/32", |a| within(a, "2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff")),
    ("ip:::/0", |a| within(a, "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")),
    ("ip:::/80", |a| within(a, "::", "::ffff:ffff:ffff")),
    ("ip:0.0.0.0/0", |a| within(a, "0.0.0.0", "255.255.255.255")),
    ("city:york", |a| a.place.city.as_deref() == Some("New York")),
    ("city:\"new york\"", |a| a.place.city.as_deref() == Some("New York")),
    ("city:krakow", |a| a.place.city.as_deref() == Some("Kraków")),
    ("country:us", |a| a.place.country.as_deref() == Some("US")),
    ("country:Poland", |a| a.place.country.as_deref() == Some("PL")),
    ("os:windows", |a| has(&a.device.os, &["windows"])),
    ("os:\"windows 11\"", |a| has(&a.device.os, &["windows", "11"])),
    ("browser:chr*", |a| has(&a.device.browser, &["chr*"])),
    ("target:account", |a| a.target.as_deref().is_some_and(|text| has(text, &["account"]))),
    ("target:INC-47*", |a| a.target.as_deref().is_some_and(|text| has(text, &["inc", "47*"]))),
    ("detail:backup", |a| has(&a.detail, &["backup"])),
    ("detail:back*", |a| has(&a.detail, &["back*"])),
    ("detail:\"the backup\"", |a| has(&a.detail, &["the", "backup"])),
    ("message:inc-47*", |a| has(&a.detail, &["inc", "47*"])),
    ("attr.region:north", |a| attribute(a, "region", &["north"])),
    ("labels.region:\"the n\"*", |a| attribute(a, "region", &["the", "n*"])),
    ("attr.bob:backup", |a| attribute(a, "bob", &["backup"])),
];
