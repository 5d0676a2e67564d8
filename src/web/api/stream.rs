//! What happens to sessions, as it happens: Server-Sent Events.
//!
//! A stream ends with its session, with the server, and with whoever reads it. A client that must not come
//! back is answered 204, or it would try again for ever.

use std::{sync::Arc, time::Duration};

use rocket::{
    Shutdown, get,
    response::stream::{Event as Message, EventStream},
    routes,
};
use tokio::{select, sync::broadcast::error::RecvError, time::interval};

use crate::{
    domain::live::Event,
    model::id::SessionId,
    web::{
        door::{Caller, SessionRead},
        wire::SessionWire,
    },
};

/// How often a comment is sent: a client that has gone is noticed by it.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// How often a stream looks whether it may go on, besides being told. It ends with the second look that says no: a
/// session is refused some milliseconds before its end is on disk and told of, and its reader is to hear of it.
const LOOK: Duration = Duration::from_millis(500);

#[get("/sessions/stream")]
fn sessions(caller: Caller<'_, SessionRead>, mut shutdown: Shutdown) -> EventStream![Message] {
    let scope = caller.scope();
    let lease = caller.lease();
    let current = caller.live().map(|live| live.id);
    let mut look = interval(LOOK);
    let mut over = false;
    let mut events = caller.app.watch_sessions();
    let stream = EventStream! {
        // The first word tells the page that it is connected.
        yield Message::comment("connected");
        loop {
            let event = select! {
                event = events.recv() => event,
                _ = look.tick() => if over { break } else { over = lease.over(); continue },
                () = &mut shutdown => break,
            };
            match event {
                Ok(event) if scope.covers(event.user()) => {
                    let ends = matches!(&event, Event::Ended(session) if Some(session.id) == current);
                    yield message(event, current);
                    if ends {
                        break;
                    }
                }
                Ok(_) => {}
                // Too much happened to tell all of it: the reader comes back and looks for itself.
                Err(RecvError::Lagged(_) | RecvError::Closed) => break,
            }
        }
    };
    stream.heartbeat(HEARTBEAT)
}

fn message(event: Event, current: Option<SessionId>) -> Message {
    let (name, session) = match event {
        Event::Session(live) => ("session", live.session()),
        Event::Ended(session) => ("ended", Arc::unwrap_or_clone(session)),
    };
    let current = Some(session.id) == current;
    // Strings and numbers: nothing there can fail.
    let data = serde_json::to_string(&SessionWire::new(session, current)).unwrap_or_default();
    Message::data(data).event(name)
}

pub(super) fn routes() -> Vec<rocket::Route> {
    routes![sessions]
}
