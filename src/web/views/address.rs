//! Where the very request for a page comes from, and how that was found out.

use askama::Template;

use super::frame::Frame;

/// The page `/settings/address`.
#[derive(Clone, Debug, Template)]
#[template(path = "address.html")]
pub struct ClientAddress {
    /// What stands around it.
    pub frame: Frame,
    /// The address chosen; empty where the request has not come over a connection.
    pub client: String,
    /// Where that is.
    pub place: String,
    /// Why this one, in a sentence.
    pub why: String,
    /// The way the request came, nearest first.
    pub hops: Vec<Hop>,
    /// The headers that say something of it.
    pub headers: Vec<Header>,
    /// What would mend it; may be none.
    pub advice: Vec<Advice>,
    /// How many requests had a header that could not be read, since the server started.
    pub garbled: String,
}

/// One address on the way.
#[derive(Clone, Debug)]
pub struct Hop {
    /// As it was written, or as the connection has it.
    pub written: String,
    /// Where it was read.
    pub from: String,
    /// What it was taken for.
    pub taken_for: &'static str,
    /// Whether it was chosen.
    pub chosen: bool,
}

/// One header that came.
#[derive(Clone, Debug)]
pub struct Header {
    /// Its name.
    pub name: &'static str,
    /// Its value, one line of several.
    pub value: String,
    /// Whether it was read, or why not.
    pub verdict: &'static str,
}

/// What can be done about it.
#[derive(Clone, Debug)]
pub struct Advice {
    /// When this is the right thing to do, in a sentence.
    pub when: String,
    /// Where that is said: `In`, `On the command line of`.
    pub place: &'static str,
    /// The file or program.
    pub file: &'static str,
    /// What is said there.
    pub line: String,
}
