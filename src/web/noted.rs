//! What is noted of a request while it is here, in one place.
//!
//! The framework keeps one thing of each type with a request: each costs an allocation, and each look at it a look-up by its
//! type. Whatever is noted of every request therefore stands in one thing, made by whoever notes first.

use std::{
    sync::{Mutex, OnceLock},
    time::Instant,
};

use rocket::Request;

use super::{
    door::{Lease, Out, Source},
    watch::Answering,
};

/// What is noted of one request.
pub(super) struct Noted {
    /// When it came.
    pub(super) came: Instant,
    /// That somebody is being answered, until the answer is handed out.
    pub(super) answering: Mutex<Option<Answering>>,
    /// That its peer has shown a token of a proxy.
    pub(super) vouched: OnceLock<()>,
    /// Where it comes from, once that is found out; none where it has not come over a connection.
    pub(super) source: OnceLock<Option<Source>>,
    /// The right to be answered, where it came with one.
    pub(super) lease: OnceLock<Lease>,
    /// That its answer is on its way out: it is gone when the framework lets go of the request, which is when the connection has
    /// the last of it.
    pub(super) out: OnceLock<Out>,
}

impl Noted {
    /// What is noted of this request.
    pub(super) fn of<'r>(request: &'r Request<'_>) -> &'r Self {
        request.local_cache(|| Self {
            came: Instant::now(),
            answering: Mutex::default(),
            vouched: OnceLock::new(),
            source: OnceLock::new(),
            lease: OnceLock::new(),
            out: OnceLock::new(),
        })
    }
}
