//! A stream of what comes in: how long it goes on, how it sounds while nothing happens, and how it is written.
//!
//! The text is our own rather than Rocket's `EventStream`: that sends each line of each event as a piece of its own, and a
//! thousand activities a second to a hundred readers are too many pieces. Here a batch is one.

use std::{fmt::Write, sync::Arc, time::Duration};

use rocket::{
    Request, Shutdown,
    futures::Stream,
    http::ContentType,
    response::{self, Responder, Response, stream::ByteStream},
};
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::{
    door::{Lease, Out, Params},
    failure::Failure,
};
use crate::{
    domain::{
        streams::Seat,
        tail::{Follower, News},
    },
    model::{id::ActivityId, session::Scope},
};

/// How often a stream that has nothing to say shows that it is there: a reader that has gone is noticed by it, and one
/// that comes back need not look through what was none of theirs.
const BEAT: Duration = Duration::from_secs(10);

/// How often a stream looks whether its session or token is over, besides before all that it says.
const LOOK: Duration = Duration::from_millis(250);

/// The largest piece handed to the connection at once, in bytes.
const PIECE: usize = 64 * 1024;

/// Somebody who watches, for as long as they may.
pub(super) struct Watch {
    pub(super) follower: Follower,
    lease: Lease,
    _seat: Seat,
    shutdown: Shutdown,
    look: Interval,
    beat: Interval,
    /// Whether it shows what everybody does.
    whole: bool,
}

/// What there is to say.
pub(super) enum Turn {
    /// These have come in.
    News(Vec<Arc<News>>),
    /// Nothing has, for a while.
    Beat,
}

impl Watch {
    pub(super) fn new(
        follower: Follower,
        scope: &Scope,
        lease: Lease,
        seat: Seat,
        shutdown: Shutdown,
    ) -> Self {
        let every = |time| {
            let mut interval = interval(time);
            interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
            interval
        };
        let mut beat = every(BEAT);
        beat.reset();
        Self {
            follower,
            lease,
            _seat: seat,
            shutdown,
            look: every(LOOK),
            beat,
            whole: matches!(scope, Scope::All),
        }
    }

    /// Waits for something to say; none when the stream is over: the session or token has ended, the server stops, or
    /// the log cannot be read. May be given up and asked again.
    pub(super) async fn turn(&mut self) -> Option<Turn> {
        loop {
            let turn = tokio::select! {
                news = self.follower.next() => match news {
                    Ok(news) => Turn::News(news),
                    Err(error) => {
                        log::error!("a stream of activities ends: {error}");
                        return None;
                    }
                },
                _ = self.look.tick() => if self.lease.over() { return None } else { continue },
                _ = self.beat.tick() => Turn::Beat,
                () = &mut self.shutdown => return None,
            };
            return if self.lease.over() { None } else { Some(turn) };
        }
    }

    /// The last look before something is said, which is on its way out until what is returned is dropped; none when the stream is over.
    pub(super) fn let_out(&self) -> Option<Out> {
        self.lease.let_out()
    }

    /// A comment, and the number from which a reader who loses the connection now goes on. It is no event: nobody is
    /// told of it.
    pub(super) fn connected(&self) -> String {
        format!(":connected\nid:{}\n\n", self.follower.seen())
    }

    /// The same for a beat; but who sees their own alone is not told how far the log has come by what others did.
    pub(super) fn beat(&self) -> String {
        if self.whole { format!(":\nid:{}\n\n", self.follower.seen()) } else { ":\n\n".to_owned() }
    }
}

/// One event. Its data may have several lines, but must not be empty: browsers drop an event without any.
pub(super) fn event(name: &str, id: ActivityId, data: &str) -> String {
    let mut text = format!("event:{name}\nid:{id}\n");
    // A carriage return ends a line here as well; what stands behind one in a log must not become a field.
    for line in data.trim_end().split(['\n', '\r']) {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "data:{line}");
    }
    text.push('\n');
    text
}

/// Where a reader was: the last event that they got, as browsers say when they come back, or as anybody may in the
/// address. Browsers repeat the address as it was, so what they add counts.
pub(super) fn resumed(request: &LastEvent<'_>, params: &Params) -> Result<Option<ActivityId>, Failure> {
    const NAME: &str = "last_event_id";
    let Some(text) = request.0.or_else(|| params.get(NAME)) else { return Ok(None) };
    let id = text.parse().map_err(|_| {
        Failure::field(
            NAME,
            "this is not the id of an activity; leave it out to begin with what comes in now",
        )
    })?;
    Ok(Some(id))
}

/// The header `Last-Event-ID`.
pub(super) struct LastEvent<'r>(Option<&'r str>);

#[rocket::async_trait]
impl<'r> rocket::request::FromRequest<'r> for LastEvent<'r> {
    type Error = std::convert::Infallible;

    async fn from_request(request: &'r Request<'_>) -> rocket::request::Outcome<Self, Self::Error> {
        let header = request.headers().get_one("Last-Event-ID");
        rocket::outcome::Outcome::Success(Self(header.filter(|text| !text.is_empty())))
    }
}

/// An answer that no proxy gathers before it passes it on: what it says is of now.
pub(super) struct AsItComes<R>(pub(super) R);

impl<'r, 'o: 'r, R: Responder<'r, 'o>> Responder<'r, 'o> for AsItComes<R> {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'o> {
        Response::build_from(self.0.respond_to(request)?).raw_header("X-Accel-Buffering", "no").ok()
    }
}

/// An answer that goes on: pieces of `text/event-stream`.
pub(super) struct Events<S>(pub(super) S);

impl<'r, S: Stream<Item = String> + Send + 'r> Responder<'r, 'r> for Events<S> {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'r> {
        Response::build_from(AsItComes(ByteStream(self.0)).respond_to(request)?)
            .header(ContentType::EventStream)
            .max_chunk_size(PIECE)
            .ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_a_log_cannot_leave_its_line() {
        let text = event("rows", ActivityId(1), "<tr>a\r\nid:x\revent:ended\ndata:y</tr>\n");
        let expected = "event:rows\nid:0000000000002\ndata:<tr>a\ndata:\ndata:id:x\ndata:event:ended\ndata:data:y</tr>\n\n";
        assert_eq!(text, expected);
    }
}
