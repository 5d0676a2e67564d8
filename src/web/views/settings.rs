//! What an administrator sets, and how the house is doing.

use askama::Template;

use super::{
    frame::Frame,
    parts::{Fact, Input},
};

/// The page `/settings`.
#[derive(Clone, Debug, Template)]
#[template(path = "settings.html", blocks = ["index"])]
pub struct Settings {
    /// What stands around it.
    pub frame: Frame,
    /// The database that places come from.
    pub geo: Geo,
    /// The certificate; none where something else speaks TLS, or nothing.
    pub tls: Option<Tls>,
    /// The limits of sessions.
    pub limits: Vec<Fact>,
    /// Of whom a second factor can be demanded: the word, what the form says, and whether it is so.
    pub demands: Vec<(&'static str, &'static str, bool)>,
    /// How long the log is kept.
    pub retention: Retention,
    /// How the log can be proven.
    pub evidence: Evidence,
    /// The search index.
    pub index: Index,
    /// The version, the data folder, how much is in it.
    pub about: Vec<Fact>,
}

/// The database that places come from.
#[derive(Clone, Debug)]
pub struct Geo {
    /// Its type, build date, where it came from.
    pub facts: Vec<Fact>,
    /// Whether it was put in by somebody, so that the one that came with Rollcall can be had back.
    pub replaced: bool,
    /// Why the last file was refused; empty if none was.
    pub error: String,
}

/// The certificate that browsers are shown.
#[derive(Clone, Debug)]
pub struct Tls {
    /// Where it comes from, how long it holds, for which names, its fingerprint.
    pub facts: Vec<Fact>,
    /// Why another is not shown, or why browsers refuse this one; empty if all is well.
    pub problem: String,
}

/// How long the log is kept, as it was typed.
#[derive(Clone, Debug)]
pub struct Retention {
    /// A time like `1y`; empty for ever.
    pub keep: Input,
    /// Gigabytes; empty without a limit.
    pub size: Input,
    /// Rules of their own, one a line.
    pub rules: Input,
    /// What the log takes on the disk, in words.
    pub takes: String,
    /// What of that is left of activities that were removed, in words; empty where nothing is.
    pub left: String,
    /// Why nothing has been removed that should have been, and how much that is; empty where nothing waits.
    pub waits: String,
}

/// How the log can be proven.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// The newest checkpoint as it is to be kept; empty while none was signed.
    pub checkpoint: String,
    /// With what it is checked.
    pub key: String,
    /// Where checkpoints were sent to, and what became of it.
    pub sent: Vec<Fact>,
}

/// How far the search index is.
#[derive(Clone, Debug)]
pub struct Index {
    /// In one sentence.
    pub line: String,
    /// How far it is while it catches up: done and of how many.
    pub progress: Option<(u64, u64)>,
}
