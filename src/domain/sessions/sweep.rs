//! What is done about live sessions every few seconds: what was used is written down, and what is due ends.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;

use super::SessionError;
use crate::{
    domain::{
        App,
        live::{Event, Live, Unflushed},
    },
    model::{id::SessionId, session::EndedBy, user::Actor},
};

impl App {
    /// Writes last accesses down, ends what is due, and finishes the ends that could not be written. To be
    /// called every [`SWEEP`](super::SWEEP), and once at the end.
    pub async fn sweep(&self) -> Result<(), SessionError> {
        let now = self.now();
        let mut due: BTreeMap<&'static str, Vec<SessionId>> = BTreeMap::new();
        let mut used = Vec::new();
        for live in self.0.live.all() {
            match self.due(&live, now) {
                Some(reason) => due.entry(reason).or_default().push(live.id),
                None => used.extend(live.unflushed().map(|change| (live, change))),
            }
        }
        let flushed = self.flush(now, used).await;
        let unfinished: Vec<SessionId> = self.0.live.ending().iter().map(|live| live.id).collect();
        due.insert("was refused, and its end could not be written down at the time", unfinished);
        for (reason, ids) in due {
            self.end(&Actor::system(), &ids, self.ending(EndedBy::Policy, None, reason)).await?;
        }
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
