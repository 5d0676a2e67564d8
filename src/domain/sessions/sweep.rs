//! What is done about live sessions every few seconds: what was used is written down, and what is due ends.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError},
};

use jiff::{SignedDuration, Timestamp};

use super::SessionError;
use crate::{
    domain::{
        App,
        live::{Event, Live, Unflushed},
    },
    model::{activity::action, id::SessionId, session::EndedBy, user::Actor},
};

/// By how much a clock is put right without anybody being told.
const JUMP: SignedDuration = SignedDuration::from_mins(5);

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
        self.tell_of_a_jump().await?;
        flushed
    }

    /// Tells the log where the clock shows much more or less than has passed since it was last looked at: somebody set it, or
    /// the machine slept. Whoever reads the log later wonders about its times.
    async fn tell_of_a_jump(&self) -> Result<(), SessionError> {
        let at = (self.now(), self.0.clock.run());
        let before = self.0.seen.lock().unwrap_or_else(PoisonError::into_inner).replace(at);
        let Some(before) = before else { return Ok(()) };
        let (shown, passed) = (at.0.duration_since(before.0), at.1 - before.1);
        let jump = shown - passed;
        if jump.abs() < JUMP {
            return Ok(());
        }
        let way = if jump.is_positive() { "ahead" } else { "back" };
        let said = format!(
            "the clock went {way} by {} s, from {:.3} to {:.3}",
            jump.abs().as_secs(),
            before.0,
            at.0
        );
        let told = self.did(&Actor::system(), action::CLOCK_JUMPED).saying(said);
        log::warn!("{}", told.detail);
        let written = self.0.store.write(at.0, move |write| {
            write.append(&told)?;
            Ok::<_, SessionError>(())
        });
        written.done().await
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
