//! Activities on their way in, format by format.

pub mod body;
pub mod bulk;
pub mod cloudevents;
pub mod csv;
mod document;
mod halves;
pub mod json;
pub mod lines;
mod numbers;
pub mod otlp;
pub mod syslog;
pub mod take;

use std::io;

use crate::model::activity::NewActivity;

/// What the tools of Windows write before UTF-8. It is no part of what they say.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// A record that was read, or why it could not be.
pub type Record = Result<NewActivity, String>;

/// Reads records one after the other, with the line each begins in, counted from 1.
pub trait Records {
    /// The next record; none at the end.
    fn next_record(&mut self) -> io::Result<Option<(u64, Record)>>;
}
