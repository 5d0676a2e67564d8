//! Whether an activity is what somebody looks for, asked of the activity itself: for what has only just come in.
//!
//! It means exactly what the index finds (`store::index::compile`); the property test there holds the two against each
//! other. A [`Matcher`] is made once for each who asks, a [`Candidate`] once for each activity: its words are cut and its
//! values folded when the first asks for them, for all who come after.

use std::{
    net::IpAddr,
    ops::{Range, RangeInclusive},
    sync::OnceLock,
};

use ipnet::IpNet;

use super::{
    Field, Node, Term, Value, fold, fold_value,
    words::{self, Asked},
};
use crate::model::{
    activity::{Activity, Outcome},
    country,
    filter::Filter,
    period,
    session::Scope,
};

/// A filter within a scope, made ready.
#[derive(Clone, Debug)]
pub struct Matcher {
    range: period::Range,
    /// All of these must hold; what costs least comes first.
    tests: Vec<Test>,
}

impl Matcher {
    /// What `filter` is after and may be seen in `scope`.
    pub fn new(filter: &Filter, scope: &Scope) -> Self {
        let own = match scope {
            Scope::All => None,
            Scope::Own(user) => Some(user.as_str()),
        };
        let exact = [
            (Whole::User, own),
            (Whole::User, filter.user.as_deref()),
            (Whole::App, filter.app.as_deref()),
            (Whole::Action, filter.action.as_deref()),
            (Whole::Session, filter.session.as_deref()),
        ];
        let exact = exact.into_iter().filter_map(|(whole, text)| Some(Test::whole(whole, text?, false)));
        let tests = filter.outcome.map(Test::Outcome).into_iter();
        let tests = tests.chain(filter.ip.as_ref().map(Test::network)).chain(exact);
        Self { range: filter.range, tests: tests.chain(filter.query.root().map(Test::of)).collect() }
    }

    /// Whether it is.
    pub fn matches(&self, candidate: &Candidate) -> bool {
        let time = candidate.activity.time;
        self.range.from <= time && time < self.range.to && self.tests.iter().all(|test| test.holds(candidate))
    }
}

/// An activity that many may ask for.
#[derive(Debug)]
pub struct Candidate {
    activity: Activity,
    values: OnceLock<[String; 5]>,
    text: OnceLock<Text>,
    origin: OnceLock<Origin>,
}

impl From<Activity> for Candidate {
    fn from(activity: Activity) -> Self {
        Self { activity, values: OnceLock::new(), text: OnceLock::new(), origin: OnceLock::new() }
    }
}

impl Candidate {
    /// The activity.
    pub const fn activity(&self) -> &Activity {
        &self.activity
    }

    /// A value as it is compared; empty if there is none.
    fn value(&self, whole: Whole) -> &str {
        let Activity { user, app, action, session, place, .. } = &self.activity;
        let all = self.values.get_or_init(|| {
            let given = |text: &Option<String>| text.as_deref().map(key).unwrap_or_default();
            [key(user), key(app), key(action), given(session), given(&place.country)]
        });
        &all[whole as usize]
    }

    fn text(&self) -> &Text {
        self.text.get_or_init(|| Text::of(&self.activity))
    }

    fn origin(&self) -> &Origin {
        self.origin.get_or_init(|| Origin::of(&self.activity))
    }
}

/// The values that count as a whole, in the order in which a [`Candidate`] keeps them.
#[derive(Clone, Copy, Debug)]
enum Whole {
    User,
    App,
    Action,
    Session,
    Country,
}

/// A value that counts as a whole, as it is compared. A NUL is a space, as in the index, where it parts what a term is
/// made of.
fn key(text: &str) -> String {
    fold_value(text).replace('\0', " ")
}

/// Where words are looked for.
#[derive(Clone, Debug)]
enum Place {
    Anywhere,
    Detail,
    Action,
    Target,
    Attribute(String),
    City,
    Device,
    Os,
    Browser,
}

/// One thing that may hold of an activity.
#[derive(Clone, Debug)]
enum Test {
    All(Vec<Test>),
    Any(Vec<Test>),
    Not(Box<Test>),
    Whole {
        whole: Whole,
        key: String,
        prefix: bool,
    },
    /// A user's name without its accents, or the beginning of one.
    Person {
        plain: String,
        prefix: bool,
    },
    Words(Place, Vec<Asked>),
    Outcome(Outcome),
    From {
        v4: bool,
        net: RangeInclusive<[u8; 16]>,
    },
    Never,
}

impl Test {
    /// The depth of a query is limited by its parser.
    fn of(node: &Node) -> Self {
        match node {
            Node::All(nodes) => Self::All(nodes.iter().map(Self::of).collect()),
            Node::Any(nodes) => Self::Any(nodes.iter().map(Self::of).collect()),
            Node::Not(inner) => Self::Not(Box::new(Self::of(inner))),
            Node::Term(term) => Self::term(term),
        }
    }

    fn term(term: &Term) -> Self {
        let (text, prefix) = match &term.value {
            Value::Network(net) => return Self::network(net),
            Value::Outcome(outcome) => return Self::Outcome(*outcome),
            Value::Text(text) => (text.as_str(), false),
            Value::Prefix(text) => (text.as_str(), true),
        };
        let whole = |whole| Self::whole(whole, text, prefix);
        let words = |place| Self::Words(place, words::asked(text, prefix));
        match &term.field {
            Field::Anywhere => words(Place::Anywhere),
            Field::Target => words(Place::Target),
            Field::Attribute(name) => words(Place::Attribute(attribute_key(name))),
            Field::Detail => words(Place::Detail),
            Field::City => words(Place::City),
            Field::Device => words(Place::Device),
            Field::Os => words(Place::Os),
            Field::Browser => words(Place::Browser),
            Field::User => Self::Person { plain: fold(&key(text)), prefix },
            Field::App => whole(Whole::App),
            Field::Session => whole(Whole::Session),
            Field::Country => {
                let aliases = country::aliases(text, prefix).into_iter();
                let aliases = aliases.map(|alias| Self::whole(Whole::Country, &alias, false));
                Self::Any(aliases.chain([whole(Whole::Country)]).collect())
            }
            Field::Action if words::is_one_word(text) => {
                Self::Any(vec![whole(Whole::Action), words(Place::Action)])
            }
            Field::Action => whole(Whole::Action),
            // Both are understood by the parser, or refused.
            Field::Outcome | Field::Ip => Self::Never,
        }
    }

    fn whole(whole: Whole, text: &str, prefix: bool) -> Self {
        Self::Whole { whole, key: key(text), prefix }
    }

    fn network(net: &IpNet) -> Self {
        let v4 = net.network().to_canonical().is_ipv4();
        Self::From { v4, net: ordered(net.network())..=ordered(net.broadcast()) }
    }

    fn holds(&self, candidate: &Candidate) -> bool {
        match self {
            Self::All(tests) => tests.iter().all(|test| test.holds(candidate)),
            Self::Any(tests) => tests.iter().any(|test| test.holds(candidate)),
            Self::Not(test) => !test.holds(candidate),
            Self::Whole { whole, key, prefix } => {
                let value = candidate.value(*whole);
                // A value that is not there is nobody's, and begins with nothing.
                !value.is_empty() && (value == key || (*prefix && value.starts_with(key)))
            }
            Self::Person { plain, prefix } => {
                let value = fold(candidate.value(Whole::User));
                !candidate.value(Whole::User).is_empty()
                    && (value == *plain || (*prefix && value.starts_with(plain)))
            }
            Self::Words(place, asked) => place.has(asked, candidate),
            Self::Outcome(outcome) => candidate.activity.outcome == *outcome,
            Self::From { v4, net } => candidate
                .activity
                .ip
                .is_some_and(|ip| ip.to_canonical().is_ipv4() == *v4 && net.contains(&ordered(ip))),
            Self::Never => false,
        }
    }
}

impl Place {
    fn has(&self, asked: &[Asked], candidate: &Candidate) -> bool {
        match self {
            Self::Anywhere => candidate.text().has(&candidate.text().anywhere, asked),
            Self::Detail => candidate.text().has(&candidate.text().detail, asked),
            Self::Action => candidate.text().has(&candidate.text().action, asked),
            Self::Target => candidate.text().has(&candidate.text().target, asked),
            Self::Attribute(name) => {
                let text = candidate.text();
                text.attributes.iter().any(|(known, value)| known == name && text.has(value, asked))
            }
            Self::City => candidate.origin().city.have(asked),
            Self::Device => candidate.origin().device.have(asked),
            Self::Os => candidate.origin().os.have(asked),
            Self::Browser => candidate.origin().browser.have(asked),
        }
    }
}

/// An attribute's name as it is compared.
pub fn attribute_key(name: &str) -> String {
    name.to_lowercase().replace('\0', " ")
}

/// Whether an attribute of this name is the one of `key`.
pub fn is_attribute(name: &str, key: &str) -> bool {
    // Most names are of ASCII, and rows have many of them.
    let plain = name.is_ascii() && !name.contains('\0');
    if plain { name.eq_ignore_ascii_case(key) } else { attribute_key(name) == key }
}

/// An address as it is ordered: IPv4 as the IPv6 that stands for it.
fn ordered(ip: IpAddr) -> [u8; 16] {
    match ip.to_canonical() {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => v6.octets(),
    }
}

/// The words of one text or of several, in the order of their positions.
#[derive(Debug, Default)]
struct Cuts {
    /// The folded words, one behind the other.
    folded: String,
    /// Where in `folded` each of them stands, and its position.
    words: Vec<(Range<usize>, u32)>,
    /// The position of the next text's first word.
    next: u32,
}

impl Cuts {
    fn of(text: &str) -> Self {
        let mut cuts = Self::default();
        cuts.add(text);
        cuts
    }

    /// Adds the words of `text` behind a gap that no phrase crosses; which they are.
    fn add(&mut self, text: &str) -> Range<usize> {
        let first = self.words.len();
        let Self { folded, words, next } = self;
        let count = words::tokens(text, |token| {
            let start = folded.len();
            folded.push_str(token.text);
            words.push((start..folded.len(), *next + token.position));
        });
        *next += count + 1;
        first..words.len()
    }

    /// Whether the words of a phrase stand one behind the other.
    fn have(&self, asked: &[Asked]) -> bool {
        self.have_within(&(0..self.words.len()), asked)
    }

    fn have_within(&self, these: &Range<usize>, asked: &[Asked]) -> bool {
        let Some((first, rest)) = asked.split_first() else { return false };
        let words = &self.words[these.clone()];
        let fits = |place: &Range<usize>, asked: &Asked| {
            let word = &self.folded[place.clone()];
            word == asked.text || (asked.prefix && word.starts_with(&asked.text))
        };
        words.iter().enumerate().any(|(at, (place, start))| {
            fits(place, first)
                && rest.iter().all(|next| {
                    let position = start + (next.offset - first.offset);
                    let behind = words[at..].iter().skip_while(|(_, here)| *here < position);
                    behind.take_while(|(_, here)| *here == position).any(|(place, _)| fits(place, next))
                })
        })
    }
}

/// The words that are found anywhere, and which of them are whose.
#[derive(Debug)]
struct Text {
    cuts: Cuts,
    anywhere: Range<usize>,
    detail: Range<usize>,
    action: Range<usize>,
    target: Range<usize>,
    attributes: Vec<(String, Range<usize>)>,
}

impl Text {
    fn of(activity: &Activity) -> Self {
        let mut cuts = Cuts::default();
        // A search for a word must not find those who searched for it.
        let of_a_search = activity.tells_of_a_search();
        let detail = cuts.add(if of_a_search { "" } else { &activity.detail });
        let action = cuts.add(&activity.action);
        cuts.add(&activity.user);
        let app = cuts.add(&activity.app);
        let target = cuts.add(activity.target.as_deref().unwrap_or_default());
        let attributes = activity.attributes.iter();
        let attributes = attributes.map(|(name, value)| (attribute_key(name), cuts.add(value))).collect();
        let anywhere = 0..if of_a_search { app.end } else { cuts.words.len() };
        Self { cuts, anywhere, detail, action, target, attributes }
    }

    fn has(&self, part: &Range<usize>, asked: &[Asked]) -> bool {
        self.cuts.have_within(part, asked)
    }
}

/// The words of where it was done and on what.
#[derive(Debug)]
struct Origin {
    city: Cuts,
    device: Cuts,
    os: Cuts,
    browser: Cuts,
}

impl Origin {
    fn of(activity: &Activity) -> Self {
        let Activity { place, device, .. } = activity;
        Self {
            city: Cuts::of(place.city.as_deref().unwrap_or_default()),
            device: Cuts::of(&device.device),
            os: Cuts::of(&device.os),
            browser: Cuts::of(&device.browser),
        }
    }
}
