//! Exports: every activity of a filter, of any number, in constant memory and as of one moment.

use std::time::Duration;

use super::{
    App, Gone,
    activity::{LookError, PATIENCE},
};
use crate::{
    model::{
        activity::{Activity, action},
        filter::{Filter, Order},
        session::Scope,
        user::Actor,
    },
    store::{
        Read, StoreError,
        index::{Deadline, Walk},
    },
};

/// How many activities are read at a time.
const CHUNK: usize = 1000;

/// How long an export waits for the index at most; then it holds what can be found.
const CATCH_UP: Duration = Duration::from_secs(2);

/// Why an export did not begin.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The one who asked has been signed out.
    #[error(transparent)]
    Gone(#[from] Gone),
    /// The search failed.
    #[error(transparent)]
    Look(#[from] LookError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// An export under way: the index and the log as they were when it began.
pub struct Export {
    hits: Walk,
    store: Read,
    rows: u64,
}

impl App {
    /// Begins an export of all that is in the log now, and tells the log of it. Blocks.
    pub fn export(
        &self,
        by: &Actor,
        scope: &Scope,
        filter: &Filter,
        order: Order,
        described: &str,
    ) -> Result<Export, ExportError> {
        // What was answered before the export was asked for belongs into it.
        self.catch_up(CATCH_UP);
        let looked = self.0.index.searcher().search(filter, scope);
        let rows = looked.count(&Deadline::within(PATIENCE)).map_err(LookError::from)?;
        let store = self.0.store.snapshot()?;
        let mut told = self.did(by, action::EXPORT).saying(described);
        told.attributes.push(("rows".to_owned(), rows.to_string()));
        self.change(by, move |write| {
            write.append(&told)?;
            Ok::<_, ExportError>(())
        })
        .wait()?;
        Ok(Export { hits: looked.walk(order, None, CHUNK, Deadline::never()), store, rows })
    }
}

impl Export {
    /// How many activities it holds.
    pub const fn rows(&self) -> u64 {
        self.rows
    }

    /// The next activities; none when all were handed out.
    pub fn next_chunk(&mut self) -> Result<Option<Vec<Activity>>, LookError> {
        match self.hits.next() {
            None => Ok(None),
            Some(found) => Ok(Some(self.store.activities(found?.iter().map(|hit| hit.id))?)),
        }
    }
}
