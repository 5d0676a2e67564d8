//! What of the log is held in memory, unpacked.

use std::sync::Arc;

use super::{
    rows::{Epoch, Rows},
    volumes::Volumes,
};

/// The dictionaries of volumes and the rows of pages that were read last.
#[derive(Default)]
pub(in crate::store) struct Cache {
    pub(super) volumes: Volumes,
    pub(super) rows: Rows,
}

impl Cache {
    /// One for whoever reads much of the log once: it takes from `others` what is there, adds nothing to them, and holds little.
    pub(in crate::store) fn beside(others: &Arc<Self>) -> Arc<Self> {
        Arc::new(Self { volumes: Volumes::beside(Arc::clone(others)), rows: Rows::default() })
    }

    /// That of the rows, to be asked before a moment begins.
    pub(in crate::store) fn epoch(&self) -> Epoch {
        self.rows.epoch()
    }
}
