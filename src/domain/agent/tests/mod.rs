//! What is held against the recognition of devices: woothee's own rows, today's senders, and hostile ones.

mod hinted;
mod limits;
mod today;
mod woothee;

use super::device;
use crate::model::device::{Agent, Device};

/// A fixture's text.
fn fixture(path: &str) -> String {
    let path = format!("{}/tests/fixtures/{path}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn of(user_agent: &str) -> Device {
    device(&Agent::of(user_agent))
}
