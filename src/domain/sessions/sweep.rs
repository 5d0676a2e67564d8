//! What is done about live sessions every few seconds: what was used is written down, and what is due ends.

use std::sync::Arc;

use jiff::Timestamp;

use super::SessionError;
use crate::{
    domain::{
        App,
        live::{Event, Live, Unflushed},
    },
    model::{session::EndedBy, user::Actor},
};

impl App {
    /// Writes last accesses down, ends what is due, and finishes the ends that could not be written. To be
    /// called every [`SWEEP`](super::SWEEP), and once at the end.
    pub async fn sweep(&self) -> Result<(), SessionError> {
        let now = self.now();
        let mut due = Vec::new();
        let mut used = Vec::new();
        for live in self.0.live.all() {
            match self.due(&live, now) {
                Some(ending) => due.push((live.id, ending)),
                None => used.extend(live.unflushed().map(|change| (live, change))),
            }
        }
        let flushed = self.flush(now, used).await;
        let late = "was refused, and its end could not be written down at the time";
        let late = self.ending(EndedBy::Policy, None, late);
        due.extend(self.0.live.ending().iter().map(|live| (live.id, late.clone())));
        self.end(&Actor::system(), due).await?;
        self.write_looks(false).await;
        self.tell_of_brakes().await?;
        flushed
    }

    /// Writes down what has changed of sessions that were used.
    async fn flush(&self, now: Timestamp, used: Vec<(Arc<Live>, Unflushed)>) -> Result<(), SessionError> {
        if used.is_empty() {
            return Ok(());
        }
        let changes: Vec<Unflushed> = used.iter().map(|(_, change)| change.clone()).collect();
        let written = self.0.store.write(now, move |write| {
            for change in &changes {
                match change {
                    Unflushed::Access(id, at) => write.touch_session(*id, *at)?,
                    Unflushed::All(session) => drop(write.update_session(session)?),
                }
            }
            Ok::<_, SessionError>(())
        });
        let written = written.done().await;
        for (live, _) in used {
            if written.is_err() {
                live.unflush();
            }
            self.0.live.tell(Event::Session(live));
        }
        written
    }
}
