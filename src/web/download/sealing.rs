//! The seal of a download, as what comes down.

use super::{Format, Writes};
use crate::{
    domain::evidence::{SealError, Sealed},
    model::{
        activity::Activity,
        seal::{Contents, Sealer},
        tree::Hash,
    },
};

/// Writes the lines of a seal instead of the rows, and at the end what is signed.
pub(super) struct Pen<S> {
    format: Format,
    sealer: Sealer,
    /// The first line, until it is written.
    first: String,
    sign: S,
}

impl<S> Pen<S> {
    pub(super) fn new(format: Format, sign: S) -> Self {
        let (sealer, first) = Sealer::begin();
        Self { format, sealer, first, sign }
    }
}

impl<S: FnOnce(Contents) -> Result<Sealed, SealError> + Send + 'static> Writes for Pen<S> {
    fn head(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.first).into_bytes()
    }

    fn rows(&mut self, activities: &[Activity]) -> Vec<u8> {
        let mut lines = String::new();
        self.format.write_each(activities, |id, row| lines.extend(self.sealer.row(id, row)));
        lines.into_bytes()
    }

    fn end(self) -> Result<Vec<u8>, SealError> {
        let (last, rows, lines) = self.sealer.finish();
        let (form, head) = (self.format.form(), Hash::leaf([&self.format.head()[..]]));
        let sealed = (self.sign)(Contents { form, rows, head, lines })?;
        Ok(format!("{}{sealed}", last.unwrap_or_default()).into_bytes())
    }
}
