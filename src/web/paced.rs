//! A body that must come at a pace: whoever sends less than a kibibyte a second holds on to what others need.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, ReadBuf},
    time::{Instant, Sleep, sleep_until},
};

use super::watch::Incoming;

/// How long may be waited for the next [`LEAST`] bytes.
const WINDOW: Duration = Duration::from_secs(10);

/// How many bytes come in that time at the least: a kibibyte a second.
const LEAST: usize = 10 << 10;

/// A body that is broken off with [`io::ErrorKind::TimedOut`] when it comes too slowly. Only the time counts for which it is
/// waited for, not what the reader takes for what has come.
pub(super) struct Paced<R> {
    body: R,
    /// How long was waited for the bytes of this window.
    waited: Duration,
    bytes: usize,
    waiting: Option<(Instant, Pin<Box<Sleep>>)>,
    /// Whoever is to know that it is waited for.
    seen_by: Option<Incoming>,
}

impl<R> Paced<R> {
    pub(super) const fn new(body: R) -> Self {
        Self { body, waited: Duration::ZERO, bytes: 0, waiting: None, seen_by: None }
    }

    /// The same, of which somebody is to know while it is waited for.
    pub(super) fn seen_by(self, seen_by: Option<Incoming>) -> Self {
        Self { seen_by, ..self }
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for Paced<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        if let Poll::Ready(read) = Pin::new(&mut self.body).poll_read(context, into) {
            if let Some((since, _)) = self.waiting.take() {
                self.waited += since.elapsed();
            }
            self.bytes += into.filled().len() - before;
            if self.bytes >= LEAST {
                (self.bytes, self.waited) = (0, Duration::ZERO);
            }
            return Poll::Ready(read);
        }
        if let Some(incoming) = &mut self.seen_by {
            incoming.is_waited_for(Instant::now().into_std());
        }
        let left = WINDOW.saturating_sub(self.waited);
        let (_, late) = self.waiting.get_or_insert_with(|| {
            let now = Instant::now();
            (now, Box::pin(sleep_until(now + left)))
        });
        late.as_mut().poll(context).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}
