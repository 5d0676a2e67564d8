//! What can be wrong with a query, where, and what to do about it.

use super::limits;

/// A query that was not understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{fault}")]
pub struct QueryError {
    /// Where the piece that was not understood begins: the first character is 1.
    pub column: usize,
    /// How many characters it has.
    pub length: usize,
    /// What is wrong with it.
    pub fault: Fault,
}

/// Said to whom no field can be proposed.
const KNOWN: &str = "there are user, action, app, outcome, session, ip, city, country, device, os, browser, target, detail and attr.NAME";

/// What can be wrong with a piece of a query. Its text is the sentence shown under the box.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's sentence says it")]
pub enum Fault {
    #[error("a search can have at most {} characters; shorten it", limits::CHARS)]
    TooLong,
    #[error("a search can have at most {} words and fields; leave some out", limits::TERMS)]
    TooManyTerms,
    #[error("parentheses can be nested at most {} deep", limits::DEPTH)]
    TooDeep,
    #[error("a phrase can have at most {} words; shorten it", limits::PHRASE)]
    PhraseTooLong,
    #[error("this quotation mark has no partner; add the closing one")]
    UnclosedQuote,
    #[error("put a space behind the closing quotation mark")]
    GluedQuote,
    #[error("put a space before the quotation mark, or the whole in quotation marks")]
    QuoteInWord,
    #[error("this parenthesis is never closed; add a )")]
    UnclosedParenthesis,
    #[error("this ) closes nothing; remove it or add a (")]
    StrayParenthesis,
    #[error("there is nothing between these parentheses")]
    EmptyGroup,
    #[error(
        "{0} needs something to its left and to its right; to search for the word itself, put it in quotes"
    )]
    Dangling(&'static str),
    #[error("NOT needs something behind it; to search for the word itself, put it in quotes")]
    DanglingNot,
    #[error("a - excludes what follows it directly; write -word, or remove it")]
    LoneMinus,
    #[error("one - is enough to exclude; to search for the dashes, put the word in quotes")]
    DoubleMinus,
    #[error("this is not the - of the keyboard; write -word to exclude, or put the word in quotes")]
    OtherDash,
    #[error("write -word to exclude; to search for the exclamation mark's word, put it in quotes")]
    Exclamation,
    #[error(
        "a range like [a TO b] is not understood; choose the time beside the search box, or put the words in quotes"
    )]
    Range,
    #[error("a * needs the beginning of a word before it")]
    LoneStar,
    #[error("a * can only stand at the end of a word; to search for the rest, leave it out")]
    MisplacedStar,
    #[error("put a letter or a digit directly before the *")]
    StarAfterSeparator,
    #[error("there is no letter and no digit to search for in this")]
    NoWord,
    #[error("{field} needs a value directly behind the colon, as in {example}")]
    NoValue { field: String, example: &'static str },
    #[error("name one value per field; write ({field}a OR {field}b) for several")]
    GroupAsValue { field: String },
    #[error(
        "there is no field {name:?}; {}; to search for the text itself, put it in quotes",
        nearest.map_or_else(|| KNOWN.to_owned(), |near| format!("did you mean {near}:"))
    )]
    UnknownField { name: String, nearest: Option<&'static str> },
    #[error("name the attribute, as in attr.region:north or attr.\"cost centre\":north")]
    UnnamedAttribute,
    #[error("an outcome is success, failure or unknown")]
    NotAnOutcome,
    #[error("this is not an address; write 192.0.2.7, 2001:db8::7, or a network as 192.0.2.0/24")]
    NotAnAddress,
}
