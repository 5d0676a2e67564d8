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
use tokio::{select, sync::broadcast::error::RecvError};

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

#[get("/sessions/stream")]
fn sessions(caller: Caller<'_, SessionRead>, mut shutdown: Shutdown) -> EventStream![Message] {
    let scope = caller.scope();
    let own = caller.live().cloned();
    let mut events = caller.app.watch_sessions();
    let stream = EventStream! {
        // The first word tells the page that it is connected.
        yield Message::comment("connected");
        loop {
            if own.as_ref().is_some_and(|live| live.refused()) {
                break;
            }
            let event = select! {
                event = events.recv() => event,
                () = &mut shutdown => break,
            };
            match event {
                Ok(event) if scope.covers(event.user()) => {
                    let current = own.as_ref().map(|live| live.id);
                    let ends = matches!(&event, Event::Ended(session) if Some(session.id) == current);
                    yield message(event, current);
                    if ends {
                        break;
                    }
                }
                Ok(_) => {}
                // Too much happened to tell all of it: the page looks for itself.
                Err(RecvError::Lagged(_)) => yield Message::data("{}").event("session"),
                Err(RecvError::Closed) => break,
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
