//! What happens to sessions, and what comes into the log, as it happens: Server-Sent Events.
//!
//! A stream ends with its session, with the server, and with whoever reads it. A client that must not come
//! back is answered 204, or it would try again for ever.

use std::{sync::Arc, time::Duration};

use rocket::{
    Shutdown,
    futures::Stream,
    get,
    response::stream::{Event as Message, EventStream, stream},
};
use tokio::{select, sync::broadcast::error::RecvError, time::interval};

use crate::{
    domain::{live::Event, tail::News},
    model::{
        activity::Activity,
        id::{ActivityId, SessionId},
    },
    web::{
        door::{ActivityRead, Caller, Params, SessionRead},
        failure::{Failure, Refusal},
        looking::Looking,
        openapi::{described, examples},
        tail::{AsItComes, Events, LastEvent, Turn, Watch, event, resumed},
        wire::{ActivityWire, SessionWire},
    },
};

/// How often a comment is sent: a client that has gone is noticed by it.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// How often a stream looks whether it may go on, besides being told. It ends with the second look that says no: a
/// session is refused some milliseconds before its end is on disk and told of, and its reader is to hear of it.
const LOOK: Duration = Duration::from_millis(500);

/// Sessions as they start, are used and end.
///
/// Events: `session` (it started or was used) and `ended`, each with the session; `told` with the `id` of a session of which an
/// app has been told. The stream ends with its session or token.
#[utoipa::path(
    security(("session" = []), ("token" = ["session:read"])),
    responses(
        (status = 200, content_type = "text/event-stream", body = String, example = session_event),
        (status = 429, body = Refusal)
    ),
)]
#[get("/sessions/stream")]
fn sessions(
    caller: Caller<'_, SessionRead>,
    mut shutdown: Shutdown,
) -> Result<AsItComes<EventStream![Message]>, Failure> {
    let seat = caller.app.stream_seat(&caller.actor())?;
    let scope = caller.scope();
    let lease = caller.lease();
    let current = caller.live().map(|live| live.id);
    let mut look = interval(LOOK);
    let mut over = false;
    let mut events = caller.app.watch_sessions();
    let stream = EventStream! {
        let _seat = seat;
        // The first word tells the page that it is connected.
        yield Message::comment("connected");
        loop {
            let event = select! {
                event = events.recv() => event,
                _ = look.tick() => if over || lease.renewed() { break } else { over = lease.over(); continue },
                () = &mut shutdown => break,
            };
            match event {
                // The last that it says is that its own session has ended.
                Ok(Event::Ended(session)) if Some(session.id) == current && !lease.renewed() => {
                    yield message(Event::Ended(session), current);
                    break;
                }
                Ok(event) if scope.covers(event.user()) => {
                    // It is gone when the next is asked for.
                    if let Some(_out) = lease.let_out() {
                        yield message(event, current);
                    }
                }
                Ok(_) => {}
                // Too much happened to tell all of it: the reader comes back and looks for itself.
                Err(RecvError::Lagged(_) | RecvError::Closed) => break,
            }
        }
    };
    Ok(AsItComes(stream.heartbeat(HEARTBEAT)))
}

fn message(event: Event, current: Option<SessionId>) -> Message {
    let (name, session) = match event {
        Event::Told(_, id) => return Message::data(format!(r#"{{"id":"{id}"}}"#)).event("told"),
        Event::Session(live) => ("session", live.session()),
        Event::Ended(session) => ("ended", Arc::unwrap_or_clone(session)),
    };
    let current = Some(session.id) == current;
    // Strings and numbers: nothing there can fail.
    let data = serde_json::to_string(&SessionWire::new(session, current)).unwrap_or_default();
    Message::data(data).event(name)
}

/// For the document: a session that was used.
fn session_event() -> String {
    format!("event:session\ndata:{}\n\n", examples::of::<SessionWire>())
}

/// What says nothing of what is yet to come. The page of the log and bookmarks have it in their address.
const IDLE: [&str; 5] = ["period", "tz", "order", "limit", "cursor"];

/// Activities of a search as they come into the log, whenever they happened.
///
/// Each event is an `activity`, and its `id` is the activity's; with `Last-Event-ID` everything behind that one comes first, without
/// a gap and without a repeat. `period`, `tz` and `order` say nothing of what is yet to come; `from` and `to` are refused.
#[utoipa::path(
    params(
        Looking,
        ("last_event_id" = Option<String>, Query, description = "The activity behind which to begin, where the header cannot be sent."),
        ("Last-Event-ID" = Option<String>, Header, description = "The last event that the reader got."),
    ),
    security(("session" = []), ("token" = ["activity:read"])),
    responses(
        (status = 200, content_type = "text/event-stream", body = String, example = activity_event),
        (status = 400, body = Refusal),
        (status = 429, body = Refusal)
    ),
)]
#[get("/activity/stream")]
fn activities(
    caller: Caller<'_, ActivityRead>,
    params: Params,
    last: LastEvent<'_>,
    shutdown: Shutdown,
) -> Result<Events<impl Stream<Item = String> + use<>>, Failure> {
    for end in ["from", "to"] {
        if params.get(end).is_some() {
            let message = "a stream tells what comes in from now on, whenever it happened; \
                           leave from and to out, or go on behind an activity with last_event_id";
            return Err(Failure::field(end, message));
        }
    }
    let asked: Vec<(&str, &str)> = params.iter().filter(|(name, _)| !IDLE.contains(name)).collect();
    let looking = Looking::read(&Params::of(&asked), caller.app.now())?;
    let (seat, scope) = (caller.app.stream_seat(&caller.actor())?, caller.scope());
    let follower = caller.app.follow(&scope, &looking.filter, resumed(&last, &params)?);
    looking.note(caller.app, &caller.actor(), &scope);
    let mut watch = Watch::new(follower, &scope, caller.lease(), seat, shutdown);
    Ok(Events(stream! {
        yield watch.connected();
        while let Some(turn) = watch.turn().await {
            // It is gone when the next is asked for.
            let Some(_out) = watch.let_out() else { return };
            yield match turn {
                Turn::Beat => watch.beat(),
                Turn::News(news) => news.iter().map(|news| written(news)).collect(),
            };
        }
    }))
}

fn written(news: &News) -> &str {
    news.written(|activity: &Activity| {
        // Strings and numbers: nothing there can fail.
        let data = serde_json::to_string(&ActivityWire::from(activity)).unwrap_or_default();
        event("activity", activity.id, &data)
    })
}

/// For the document: an activity that came in.
fn activity_event() -> String {
    let activity = examples::of::<ActivityWire<'_>>();
    let id = activity["id"].as_str().and_then(|id| id.parse().ok());
    event("activity", id.unwrap_or(ActivityId(0)), &activity.to_string())
}

described![sessions, activities];
