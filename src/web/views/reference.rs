//! The manual of the API: what the `OpenAPI` document says, for people.

use askama::Template;

use super::frame::Frame;

/// The page `/help/api`.
#[derive(Debug, Template)]
#[template(path = "reference.html")]
pub struct Reference {
    /// What stands around it.
    pub frame: Frame,
    /// The document, as it is shown.
    pub manual: &'static Manual,
}

/// The whole of it.
#[derive(Debug)]
pub struct Manual {
    /// What holds for all calls, a paragraph each.
    pub about: Vec<String>,
    /// The calls, under their headings.
    pub parts: Vec<Part>,
    /// The records that calls take and give.
    pub records: Vec<Record>,
}

/// Calls of a kind.
#[derive(Debug)]
pub struct Part {
    /// What it is called in the document, and in an address.
    pub name: String,
    /// The heading.
    pub title: String,
    /// In a sentence.
    pub about: String,
    /// The calls.
    pub calls: Vec<Call>,
}

/// One call.
#[derive(Debug)]
pub struct Call {
    /// `GET` and so on.
    pub method: &'static str,
    /// Its address, with placeholders in braces.
    pub path: String,
    /// Its name in the document.
    pub id: String,
    /// In a sentence.
    pub summary: String,
    /// And more, if there is more to say.
    pub about: String,
    /// What opens it; empty where nothing is needed.
    pub opened_by: Vec<String>,
    /// What it takes in its address and headers.
    pub parameters: Vec<Field>,
    /// What it takes as a body, by content type.
    pub bodies: Vec<Body>,
    /// What it answers.
    pub answers: Vec<Answer>,
}

/// A body, or one of those that are taken.
#[derive(Debug)]
pub struct Body {
    /// The content type.
    pub media: String,
    /// What is in it.
    pub kind: Kind,
    /// For instance.
    pub example: String,
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: String,
    /// What it means.
    pub about: String,
    /// What comes with it.
    pub bodies: Vec<Body>,
}

/// Something with a name: a parameter, or a field of a record.
#[derive(Debug)]
pub struct Field {
    /// The name.
    pub name: String,
    /// Whether it must or will be there.
    pub required: bool,
    /// What it is.
    pub kind: Kind,
    /// In words.
    pub about: String,
}

/// What a value is: words, and the record that it is, if it is one.
#[derive(Clone, Debug, Default)]
pub struct Kind {
    /// In words: `text`, `number, 1 to 1000`, `list of`.
    pub words: String,
    /// The name of a record.
    pub record: String,
}

/// A record.
#[derive(Debug)]
pub struct Record {
    /// Its name in the document.
    pub name: String,
    /// In words.
    pub about: String,
    /// Its fields.
    pub fields: Vec<Field>,
    /// The words that it may be, or what else it is, where it has no fields.
    pub kind: Kind,
    /// For instance.
    pub example: String,
}
