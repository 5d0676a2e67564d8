//! What of the log is held in memory, unpacked.

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
    /// That of the rows, to be asked before a moment begins.
    pub(in crate::store) fn epoch(&self) -> Epoch {
        self.rows.epoch()
    }
}
