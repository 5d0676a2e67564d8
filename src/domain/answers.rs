//! Answers on their way out: a logout is answered behind all of them.
//!
//! Whoever is answered is looked at twice, when their request comes and when nothing is left to do but to send the answer. From
//! that second look until the connection has the answer a little time goes by, in which the session may be refused, its end be
//! written and even the logout be answered. So whoever lets an answer out says so here first, and whoever has refused a session
//! waits until it is gone.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use tokio::time::{sleep, timeout};

/// How long is waited for answers that are on their way: those of a client that takes nothing must not hold a logout up.
const PATIENCE: Duration = Duration::from_secs(1);

/// How often it is looked whether they are gone. What a connection was handed it writes down in a task of its own, which has its
/// turn meanwhile.
const LOOK: Duration = Duration::from_millis(1);

/// How many answers in a session, or by a token, are on their way out.
#[derive(Debug, Default)]
pub struct Answers(AtomicU32);

impl Answers {
    /// Says that one is on its way. To be said *before* the last look at whether it may be sent at all: either that look finds the
    /// session refused, or whoever refused it finds this.
    pub fn begin(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    /// Says that one is gone: its connection has it, or it is not sent after all.
    pub fn end(&self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }

    fn any(&self) -> bool {
        self.0.load(Ordering::SeqCst) > 0
    }
}

/// What had answers on their way out when it was refused.
#[must_use = "whoever refused it is answered behind these"]
pub(super) struct Outgoing<T>(Vec<Arc<T>>);

impl<T: AsRef<Answers>> Outgoing<T> {
    /// Those of `refused`; to be asked once they are.
    pub(super) fn of<'a>(refused: impl IntoIterator<Item = &'a Arc<T>>) -> Self
    where
        T: 'a,
    {
        Self(refused.into_iter().filter(|one| (***one).as_ref().any()).cloned().collect())
    }

    /// These and those.
    pub(super) fn and(mut self, those: Self) -> Self {
        self.0.extend(those.0);
        self
    }

    /// Waits until none is on its way any more, for a second at most.
    pub(super) async fn gone(self) {
        if self.0.is_empty() {
            return;
        }
        let all = async {
            loop {
                sleep(LOOK).await;
                if !self.0.iter().any(|one| (**one).as_ref().any()) {
                    return;
                }
            }
        };
        if timeout(PATIENCE, all).await.is_err() {
            log::debug!("an answer is not taken, and was not waited for any longer");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, time::Instant};

    use super::*;

    struct Session(Answers);

    impl AsRef<Answers> for Session {
        fn as_ref(&self) -> &Answers {
            &self.0
        }
    }

    #[tokio::test]
    async fn whoever_refused_a_session_waits_for_its_answers_and_not_for_ever() {
        let [busy, idle] = [(); 2].map(|()| Arc::new(Session(Answers::default())));
        assert!(Outgoing::of([&busy, &idle]).0.is_empty());
        busy.0.begin();
        let order = RefCell::new(Vec::new());
        let logout = async {
            let outgoing = Outgoing::of([&busy, &idle]);
            assert_eq!(outgoing.0.len(), 1);
            outgoing.gone().await;
            order.borrow_mut().push("logout");
        };
        let answer = async {
            sleep(LOOK * 10).await;
            order.borrow_mut().push("answer");
            busy.0.end();
        };
        tokio::join!(logout, answer);
        assert_eq!(order.into_inner(), ["answer", "logout"]);
        // Whoever takes nothing is waited for, and then no longer.
        busy.0.begin();
        let asked = Instant::now();
        Outgoing::of([&busy]).gone().await;
        assert!(busy.0.any() && asked.elapsed() >= PATIENCE);
    }
}
