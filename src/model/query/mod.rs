//! The grammar of the search box: what was typed, understood.
//!
//! A [`Query`] is only made by parsing, which keeps the limits: nothing behind the parser needs to fear a deep,
//! long or wide one. What the parts mean:
//!
//! - Words side by side must all be found; `OR` stands between alternatives and binds weaker than standing side by
//!   side; `-` (or `NOT`) in front excludes; parentheses group.
//! - A word is found in action, detail, user, app, target and attributes, whole or as a part of an identifier.
//!   A compound (`INC-4711`) and a text in quotes are phrases: their words one behind the other in one field.
//! - `user:`, `app:`, `outcome:`, `session:` and `country:` ask for the whole value in any case, `user:` also without its
//!   accents and `country:` by the name or the code, whichever the record has; `action:` for the whole value or, if it is a single word, for one of its words; the other fields for words as
//!   above.
//! - A `*` at the end asks for anything that begins so.

mod error;
mod field;
mod fold;
mod highlight;
mod lex;
mod matches;
mod parse;
#[cfg(test)]
mod tests;
mod value;
pub mod words;
mod write;

use ipnet::IpNet;

use super::activity::Outcome;

pub use error::{Fault, QueryError};
pub use field::Field;
pub use fold::fold;
pub use highlight::{has_words, highlight};
pub use matches::{Candidate, Matcher, attribute_key, is_attribute};

/// The most a query may hold (catalogue SQ-02).
pub mod limits {
    /// Characters.
    pub const CHARS: usize = 512;
    /// Words, phrases and fields together.
    pub const TERMS: usize = 32;
    /// Parentheses within parentheses.
    pub const DEPTH: usize = 8;
    /// Words in one phrase.
    pub const PHRASE: usize = 16;
}

/// What was typed in the search box, understood.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Query {
    root: Option<Node>,
}

/// A part of a query. It is at most [`limits::DEPTH`] groups deep, so that walking and dropping it may recurse.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Node {
    /// All of these; two or more, none of them `All`.
    All(Vec<Node>),
    /// At least one of these; two or more, none of them `Any`.
    Any(Vec<Node>),
    /// Everything but this, which is not itself a `Not`.
    Not(Box<Node>),
    /// What has this.
    Term(Term),
}

/// One thing to look for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Term {
    /// Where.
    pub field: Field,
    /// What.
    pub value: Value,
}

/// What a field is compared with.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Value {
    /// This text, as it was typed.
    Text(String),
    /// Anything that begins with this text.
    Prefix(String),
    /// An address in this network, IPv4 never written as IPv6; only with [`Field::Ip`].
    Network(IpNet),
    /// This outcome; only with [`Field::Outcome`].
    Outcome(Outcome),
}

impl Query {
    /// Understands what was typed; nothing but spaces stands for everything.
    pub fn parse(text: &str) -> Result<Self, QueryError> {
        parse::parse(text, false).map(|root| Self { root })
    }

    /// Understands what is being typed: the last word, if it is not finished by a space, a quote or a parenthesis,
    /// stands for all that begins so.
    pub fn parse_typing(text: &str) -> Result<Self, QueryError> {
        parse::parse(text, true).map(|root| Self { root })
    }

    /// What is being typed, in the words that ask for the same once nobody types any more: with a star behind the last word
    /// where that stands for all that begins so.
    pub fn finished(text: &str) -> String {
        let starred = format!("{text}*");
        let meant = Self::parse_typing(text);
        if meant.is_ok() && Self::parse(&starred) == meant { starred } else { text.to_owned() }
    }

    /// Whether all that it finds is found too with a star behind its last word: unless that word excludes.
    pub fn grows_with_a_star(&self) -> bool {
        let mut last = self.root();
        while let Some(Node::All(nodes) | Node::Any(nodes)) = last {
            last = nodes.last();
        }
        matches!(last, Some(Node::Term(_)))
    }

    /// The whole of it; none stands for everything.
    pub fn root(&self) -> Option<&Node> {
        self.root.as_ref()
    }

    /// Whether it narrows nothing.
    pub fn is_everything(&self) -> bool {
        self.root.is_none()
    }
}

/// The form in which values that count as a whole (a user, an action, an app ...) are compared: NFKC, lower case,
/// without surrounding spaces.
pub fn fold_value(text: &str) -> String {
    super::user::UserName::fold(text)
}
