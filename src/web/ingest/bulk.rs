//! Elasticsearch's bulk body: a line that says what to do, and the document in the next.

use std::ops::Range;

use memchr::memchr;
use serde_json::{Map, Value};

use super::{
    Record,
    document::{Key, cut},
    json, numbers,
};
use crate::model::activity::limits;

/// What is to be done with a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Keep it.
    Index,
    /// Keep it, and say so where it is there already.
    Create,
    /// Change it, which a log does not.
    Update,
    /// Remove it, which a log does not.
    Delete,
}

impl Operation {
    /// The word of the protocol.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Index => "index",
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }

    fn of(word: &str) -> Option<Self> {
        [Self::Index, Self::Create, Self::Update, Self::Delete]
            .into_iter()
            .find(|known| known.as_str() == word)
    }
}

/// One thing that is to be done.
#[derive(Clone, Debug)]
pub struct Item {
    /// What.
    pub operation: Operation,
    /// In which index, as the sender calls it.
    pub index: String,
    /// Under which id, if the sender gave one.
    pub id: Option<String>,
    /// Whether the sender named the index.
    named: bool,
    /// Where the document stands.
    source: Range<usize>,
}

/// The most that is to be done at once: clients send some thousands. What is answered takes a hundred bytes for each.
pub const ITEMS: usize = 100_000;

/// Why nothing of a body is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Broken {
    /// It holds more than [`ITEMS`].
    Many,
    /// The lines do not make pairs; where, and why.
    Line(String),
}

/// What an index is called that nobody has called anything.
const INDEX: &str = "activity";

/// Reads what is to be done; documents are read later, one by one. Where no index is named it is `index`, if that was in the address. Fails where
/// the lines do not make pairs: then nothing of the body can be trusted.
pub fn items(text: &str, index: Option<&str>) -> Result<Vec<Item>, Broken> {
    let mut items = Vec::new();
    let (mut at, mut number) = (0, 0_u64);
    let mut line = || {
        let from = at;
        let length = memchr(b'\n', text.get(from..)?.as_bytes());
        at = length.map_or(text.len() + 1, |length| from + length + 1);
        number += 1;
        (from < text.len()).then_some((number, from..length.map_or(text.len(), |length| from + length)))
    };
    while let Some((number, range)) = line() {
        let action = text[range].trim();
        if action.is_empty() {
            continue;
        }
        let (operation, mut about) = action_of(action).ok_or_else(|| {
            let why =
                format!("line {number}: this is no action like {{\"create\":{{}}}} or {{\"index\":{{}}}}");
            Broken::Line(why)
        })?;
        let source = if operation == Operation::Delete {
            0..0
        } else {
            let missing = || Broken::Line(format!("line {number}: the document of this action is missing"));
            line().ok_or_else(missing)?.1
        };
        if items.len() == ITEMS {
            return Err(Broken::Many);
        }
        let mut text_of = |name: &str| match about.remove(name) {
            Some(Value::String(text)) => Some(text),
            Some(Value::Number(number)) => Some(number.to_string()),
            _ => None,
        };
        let (named, id) = (text_of("_index"), text_of("_id"));
        let (index, named) = match (named, index) {
            (Some(index), _) => (index, true),
            (None, Some(index)) => (index.to_owned(), true),
            (None, None) => (INDEX.to_owned(), false),
        };
        items.push(Item { operation, index, id, named, source });
    }
    Ok(items)
}

fn action_of(line: &str) -> Option<(Operation, Map<String, Value>)> {
    let Value::Object(action) = serde_json::from_str(&numbers::kept(line)).ok()? else { return None };
    let mut pairs = action.into_iter();
    let (word, about) = pairs.next().filter(|_| pairs.next().is_none())?;
    let Value::Object(about) = about else { return None };
    Some((Operation::of(&word)?, about))
}

impl Item {
    /// The record it holds, of `text` in which it was found; its id is unique for `sender`.
    pub fn record(&self, text: &str, sender: &str) -> Record {
        if matches!(self.operation, Operation::Update | Operation::Delete) {
            return Err(format!(
                "{} is not taken: what is in the log stays as it is",
                self.operation.as_str()
            ));
        }
        let source = text.get(self.source.clone()).unwrap_or_default();
        if source.len() > limits::RECORD {
            return Err(json::too_long());
        }
        // An `_id` is one of its index. With the length of the name no two pairs are the same.
        let Self { index, id, .. } = self;
        let key = id.as_ref().map_or(Key::Foreign, |id| Key::Given(format!("{} {index} {id}", index.len())));
        let mut read = json::judged(json::foreign(source, sender, key));
        if let Ok(record) = &mut read {
            // The sender's own word for what it is, unless it said nothing.
            if self.named && record.attributes.len() < limits::ATTRIBUTES {
                record.attributes.push(("_index".to_owned(), self.index.clone()));
            }
            cut(record);
        }
        read
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_and_documents_come_in_pairs() {
        let text = "{\"index\":{\"_index\":\"a\",\"_id\":1}}\n{\"user\":\"ann\",\"action\":\"x\"}\r\n\n{\"create\":{}}\n{\"user.name\":\"bob\",\"event.action\":\"y\"}\n{\"delete\":{\"_id\":\"1\"}}\n{\"update\":{}}\n{}";
        let items = items(text, Some("logs")).unwrap();
        let seen: Vec<_> = items
            .iter()
            .map(|item| (item.operation.as_str(), item.index.as_str(), item.id.as_deref()))
            .collect();
        let expected = [
            ("index", "a", Some("1")),
            ("create", "logs", None),
            ("delete", "logs", Some("1")),
            ("update", "logs", None),
        ];
        assert_eq!(seen, expected);
        let users: Vec<_> =
            items.iter().map(|item| item.record(text, "x").map(|record| record.user)).collect();
        assert_eq!(users[..2], [Ok("ann".to_owned()), Ok("bob".to_owned())]);
        assert!(users[2..].iter().all(Result::is_err), "{users:?}");
    }

    #[test]
    fn more_than_is_done_at_once_is_refused_as_a_whole() {
        let text = "{\"index\":{}}\n{}\n".repeat(ITEMS);
        assert_eq!(items(&text, Some("logs")).unwrap().len(), ITEMS);
        assert_eq!(items(&(text + "{\"index\":{}}\n{}\n"), Some("logs")).unwrap_err(), Broken::Many);
    }

    #[test]
    fn where_the_pairs_do_not_match_nothing_is_taken() {
        for broken in [
            "{}",
            "{\"index\":{}}",
            "x\n{}",
            "{\"index\":1}\n{}",
            "{\"index\":{},\"create\":{}}\n{}",
            "{\"put\":{}}\n{}",
        ] {
            assert!(items(broken, Some("logs")).is_err(), "{broken}");
        }
        assert!(items("\n\n", None).unwrap().is_empty());
    }
}
