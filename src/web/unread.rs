//! Header lines that the framework drops: those that are no UTF-8, as one byte makes them (rwf2/Rocket 0.5, `Request::from_hyp`).
//!
//! Whoever looks for such a header afterwards finds none. A client behind a trusted proxy could so make away with the whole
//! `X-Forwarded-For`, also with what the proxy had put behind it, and be believed what it says elsewhere. All that is to be had
//! of it is the framework's own warning, which names the header and comes in the task of the request: the logger hands it on to
//! [`heard`], and [`refuse`], which is asked next in that task, turns the request away. A test holds the framework to it.

use std::sync::{
    LazyLock, Mutex, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

use lru::LruCache;
use rocket::Request;
use tokio::task;

use super::failure::Failure;

/// Who warns, and in which words.
const WARNS: &str = "rocket::request::request";
const WORDS: (&str, &str) = ("Header '", "' contains invalid UTF-8");

/// Headers of which it matters whether they came: in what they say of addresses and of what is asked for, a proxy is believed,
/// and the others are how people and programs are known. All that begin so, in lower case.
const BELIEVED: [&str; 14] = [
    "authorization",
    "content-encoding",
    "content-length",
    "content-type",
    "cookie",
    "forwarded",
    "host",
    "origin",
    "sec-fetch-",
    "transfer-encoding",
    "via",
    "x-forwarded-",
    "x-original-",
    "x-real-ip",
];

/// Of how many requests it is known before they are looked at. It is but one for each connection, of which there are fewer
/// (`watch::peers`), and whoever hangs up before a body has begun leaves one behind.
const MOST: usize = 65_536;

/// A header that was dropped, by the task that answers its request.
static DROPPED: LazyLock<Mutex<LruCache<task::Id, String>>> =
    LazyLock::new(|| Mutex::new(LruCache::unbounded()));

/// How many there are: nobody waits for the lock while there are none.
static COUNT: AtomicUsize = AtomicUsize::new(0);

/// Hears what the framework says. Whether it was of this, which whoever sends can be told and the server's log need not.
pub fn heard(record: &log::Record<'_>) -> bool {
    if record.target() != WARNS || record.level() != log::Level::Warn {
        return false;
    }
    let said = record.args().to_string();
    let name = said.strip_prefix(WORDS.0).and_then(|rest| rest.strip_suffix(WORDS.1));
    let (Some(name), Some(task)) = (name, task::try_id()) else { return false };
    let name = name.to_ascii_lowercase();
    if BELIEVED.iter().any(|believed| name.starts_with(believed)) {
        let mut dropped = DROPPED.lock().unwrap_or_else(PoisonError::into_inner);
        dropped.put(task, name);
        if dropped.len() > MOST {
            dropped.pop_lru();
        }
        COUNT.store(dropped.len(), Ordering::Relaxed);
    }
    true
}

/// Why the request of this task is refused, if a header of it was dropped that matters.
pub(super) fn refusal() -> Option<Failure> {
    // The warning came in this task: it sees its own count.
    if COUNT.load(Ordering::Relaxed) == 0 {
        return None;
    }
    let mut dropped = DROPPED.lock().unwrap_or_else(PoisonError::into_inner);
    let name = dropped.pop(&task::try_id()?)?;
    COUNT.store(dropped.len(), Ordering::Relaxed);
    // A person is shown that, and can do nothing about headers.
    let what = match name.as_str() {
        "cookie" => {
            "so none of its cookies can be read; delete the cookies of this site in your browser, and try again"
        }
        _ => "send it in ASCII, or percent-encoded",
    };
    Some(Failure::bad_request(format!("the header {name} is no UTF-8; {what}")))
}

/// Refuses a request of which a header that matters could not be read.
pub(super) fn refuse(request: &mut Request<'_>) {
    if let Some(failure) = refusal() {
        failure.turn_away(request);
    }
}
