//! Sessions: who is signed in, ending them, and the sessions of apps that sign users in by themselves.

use std::{cmp::Reverse, net::IpAddr, time::Duration};

use data_encoding::BASE32_DNSSEC;
use rocket::{delete, get, http::Status, post};
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use utoipa::ToSchema;

use crate::{
    domain::{
        apps::{LONGEST, can_be_called},
        ingest::is_own,
        live::Live,
        sessions::{Origin, Registration},
    },
    model::{
        device::Agent,
        id::SessionId,
        place,
        secret::{Kind, Token},
        session::{Session, State},
        user::UserName,
    },
    web::{
        door::{
            Caller, Identity, Introspector, Json, MaybeJson, OpenForm, Params, Program, SessionRead,
            SessionWrite,
        },
        failure::{Failure, Refusal},
        looking::apart,
        openapi::described,
        wire::{Answer, Items, SessionWire, time},
    },
};

/// The most sessions on a page.
const LIMIT: usize = 1000;

/// Sessions that one may see.
///
/// Live ones by their start, ended ones by their end, the newest first.
#[utoipa::path(
    params(
        ("user" = Option<String>, Query, description = "Only this user's."),
        ("state" = inline(Option<State>), Query, description = "Live ones, unless `ended` is given."),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 1000, description = "How many on a page; 100 if not given."),
        ("cursor" = Option<String>, Query, description = "The `next` of the page before."),
    ),
    security(("session" = []), ("token" = ["session:read"])),
    responses(
        (status = 200, body = Items<SessionWire, u64>),
        (status = 400, body = Refusal)
    ),
)]
#[get("/sessions")]
async fn list(
    caller: Caller<'_, SessionRead>,
    params: Params,
) -> Result<Answer<Items<SessionWire, u64>>, Failure> {
    let user = params.parsed::<UserName>("user")?;
    let state = params.parsed::<State>("state")?.unwrap_or_default();
    let limit = params.number("limit", 100, (1, LIMIT))?;
    let after = params.get("cursor").map(read_cursor).transpose()?;
    let scope = caller.scope();
    let current = caller.live().map(|live| live.id);
    let wire = |session: Session| {
        let current = Some(session.id) == current;
        SessionWire::new(session, current)
    };
    if state == State::Active {
        let (mut page, total) = apart(caller.app, move |app| {
            let mut all = app.live_sessions(&scope, user.as_ref());
            // By what does not change while somebody turns pages: the last to sign in comes first.
            let key = |live: &Live| (live.started().as_millisecond(), live.id);
            all.sort_by_cached_key(|live| Reverse(key(live)));
            let behind = all.iter().filter(|live| after.is_none_or(|last| key(live) < last));
            let page: Vec<Session> = behind.take(limit + 1).map(|live| live.session()).collect();
            Ok::<_, Failure>((page, all.len() as u64))
        })
        .await?;
        let next = next_cursor(&mut page, limit, |session| session.started.as_millisecond());
        return Ok(Answer(Items { items: page.into_iter().map(wire).collect(), next, total }));
    }
    let (mut page, total) = apart(caller.app, move |app| {
        app.ended_sessions(&scope, user.as_ref().map(UserName::as_str), after, limit + 1)
    })
    .await?;
    let next = next_cursor(&mut page, limit, |session| {
        session.ending.as_ref().map_or(0, |ending| ending.at.as_millisecond())
    });
    Ok(Answer(Items { items: page.into_iter().map(wire).collect(), next, total }))
}

/// Cuts a page to its length; the cursor behind it if there is more.
fn next_cursor(page: &mut Vec<Session>, limit: usize, at: impl Fn(&Session) -> i64) -> Option<String> {
    if page.len() <= limit {
        return None;
    }
    page.truncate(limit);
    let last = page.last()?;
    Some(BASE32_DNSSEC.encode(&[&at(last).to_be_bytes()[..], last.id.as_bytes()].concat()))
}

fn read_cursor(text: &str) -> Result<(i64, SessionId), Failure> {
    let bad = || Failure::field("cursor", "this cursor does not belong to this list; start again without it");
    let bytes = BASE32_DNSSEC.decode(text.as_bytes()).map_err(|_| bad())?;
    let (at, id) = bytes.split_at_checked(8).ok_or_else(bad)?;
    let at = i64::from_be_bytes(at.try_into().map_err(|_| bad())?);
    Ok((at, SessionId::from_bytes(id.try_into().map_err(|_| bad())?)))
}

/// One session, live or ended.
#[utoipa::path(
    security(("session" = []), ("token" = ["session:read"])),
    responses(
        (status = 200, body = SessionWire),
        (status = 404, body = Refusal)
    ),
)]
#[get("/sessions/<id>")]
async fn one(caller: Caller<'_, SessionRead>, id: &str) -> Result<Answer<SessionWire>, Failure> {
    let session = find(&caller, id).await?;
    let current = caller.live().is_some_and(|live| live.id == session.id);
    Ok(Answer(SessionWire::new(session, current)))
}

async fn find<S: crate::web::door::Needs>(caller: &Caller<'_, S>, id: &str) -> Result<Session, Failure> {
    let unknown = || Failure::not_found("there is no such session");
    let id: SessionId = id.parse().map_err(|_| unknown())?;
    let scope = caller.scope();
    apart(caller.app, move |app| app.session(&scope, id)).await?.ok_or_else(unknown)
}

/// What a program is told that is after a session of another app than its token.
const NOT_ITS_APP: &str = "this token is made for one app, and this is no session in which that was opened";

/// End a session: it is refused from now on, and its end is on disk before the answer.
///
/// One that has ended already is answered the same. With the token that registered it, it is its user's signing out. Of a user whose
/// proof is old it is `step_up_required` at the second other session within ten minutes.
#[utoipa::path(
    security(("session" = []), ("token" = ["session:write"])),
    responses(
        (status = 204),
        (status = 404, body = Refusal)
    ),
)]
#[delete("/sessions/<id>")]
async fn end(caller: Caller<'_, SessionWrite>, id: &str) -> Result<Status, Failure> {
    let session = find(&caller, id).await?;
    if !caller
        .mandate()
        .covers(&session.user, |app| session.apps.iter().any(|opened| caller.app.are_one_app(opened, app)))
    {
        return Err(caller.forbidden(match caller.identity {
            Identity::User(_) => "you may end only your own sessions",
            Identity::Program(_) => NOT_ITS_APP,
        }));
    }
    let by = caller.actor();
    if let Some(own) = caller.live().filter(|live| live.id == session.id) {
        caller.app.sign_out(&by, own).await?;
    } else if let (Some(live), true) = (caller.app.live(session.id), caller.registered(&session)) {
        caller.app.sign_out_of_app(&by, &live).await?;
    } else {
        prove(&caller, &[session.id])?;
        caller.app.log_out(&by, &caller.mandate(), &[session.id], "").await?;
    }
    Ok(Status::NoContent)
}

/// Refuses whoever would end more than one other session, at once or one by one, and has not shown for a while who they are. Programs
/// show it each time.
fn prove(caller: &Caller<'_, SessionWrite>, ids: &[SessionId]) -> Result<(), Failure> {
    match &caller.identity {
        Identity::User(member) if member.app.takes_a_proof(&member.live, &member.mandate(), ids) => {
            member.must_be_fresh()
        }
        _ => Ok(()),
    }
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Logout, example = json!({"user": "ann", "reason": "laptop was stolen"}))]
struct Logout {
    /// These.
    sessions: Option<Vec<String>>,
    /// All of this user.
    user: Option<String>,
    /// All that are within one's reach.
    #[serde(default)]
    all: bool,
    /// But not the one at hand.
    #[serde(default)]
    except_current: bool,
    /// Why: it stands in the log.
    #[serde(default)]
    reason: String,
}

#[derive(Serialize, ToSchema)]
#[schema(as = LoggedOut)]
struct Ended {
    /// How many ended.
    ended: usize,
}

/// End several sessions.
///
/// Those that are listed, all of a user, or all: just one of the three. Of those that are listed, what is unknown or beyond
/// one's reach is passed over. Of a user whose proof is old several others are `step_up_required`.
#[utoipa::path(
    request_body = Logout,
    security(("session" = []), ("token" = ["session:write"])),
    responses(
        (status = 200, body = Ended)
    ),
)]
#[post("/sessions/logout", data = "<body>")]
async fn log_out(caller: Caller<'_, SessionWrite>, body: Json<Logout>) -> Result<Answer<Ended>, Failure> {
    let Logout { sessions, user, all, except_current, reason } = body.0;
    let mandate = caller.mandate();
    let current = caller.live().map(|live| live.id).filter(|_| except_current);
    let ids: Vec<SessionId> = match (sessions, user, all) {
        (Some(sessions), None, false) => sessions.iter().filter_map(|id| id.parse().ok()).collect(),
        (None, Some(user), false) => {
            let user: UserName = user.parse().map_err(|_| Failure::field("user", "there is no such user"))?;
            if !mandate.reaches(&user) {
                return Err(caller.forbidden("you may end only your own sessions"));
            }
            caller.app.reachable(&mandate, Some(&user))
        }
        (None, None, true) => caller.app.reachable(&mandate, None),
        _ => {
            return Err(Failure::bad_request(
                "say which sessions: \"sessions\", \"user\" or \"all\", and just one of them",
            ));
        }
    };
    let ids: Vec<SessionId> = ids.into_iter().filter(|id| Some(*id) != current).collect();
    prove(&caller, &ids)?;
    let ended = caller.app.log_out(&caller.actor(), &mandate, &ids, &reason).await?;
    Ok(Answer(Ended { ended: ended.len() }))
}

/// An address as apps have it: with a port or an interface behind it, and empty where they know none.
fn address<'de, D: Deserializer<'de>>(from: D) -> Result<Option<IpAddr>, D::Error> {
    let text = Option::<String>::deserialize(from)?.unwrap_or_default();
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let wanted = || D::Error::custom("give an IPv4 or IPv6 address like 203.0.113.7");
    place::address_on(text).map(Some).ok_or_else(wanted)
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewSession, example = json!({"user": "ann", "ip": "203.0.113.7", "user_agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "app": "wiki", "ttl_s": 3600}))]
struct Register {
    /// Who signed in; need not have an account here.
    user: String,
    /// From where, IPv4 or IPv6. A port or an interface behind it says nothing, and empty is as if it were not given.
    #[serde(default, deserialize_with = "address")]
    #[schema(value_type = Option<String>)]
    ip: Option<IpAddr>,
    /// On what, as the browser says it.
    #[serde(default)]
    user_agent: String,
    /// The app, at most 64 bytes; the token's name if not given.
    app: Option<String>,
    /// For how many seconds at most.
    #[schema(minimum = 1)]
    ttl_s: Option<u64>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = SessionRegistered, example = json!({"id": "8n1c5rd0m7k9g2qv4h6t3w1y5p", "token": "rcs_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"}))]
struct Registered {
    /// The id of the session.
    id: String,
    /// Its token; it is shown this once.
    token: String,
}

/// Register a session of an app that signs its users in itself.
///
/// It stands among the others, and ends after the same limits, or after `ttl_s` if that is sooner. Its token opens no page of
/// ours; `introspect` knows it.
#[utoipa::path(
    request_body = Register,
    security(("token" = ["session:write"])),
    responses(
        (status = 201, body = Registered),
        (status = 409, body = Refusal, description = "The user's account here is disabled.")
    ),
)]
#[post("/sessions", data = "<body>")]
async fn register(
    program: Program<'_, SessionWrite>,
    body: Json<Register>,
) -> Result<(Status, Answer<Registered>), Failure> {
    let Register { user, ip, user_agent, app, ttl_s } = body.0;
    let user: UserName = user
        .parse()
        .map_err(|error: crate::model::user::BadUserName| Failure::field("user", error.to_string()))?;
    if is_own(user.as_str()) {
        let message = "rollcall, and what looks like it, is nobody; give the name of whoever signed in";
        return Err(Failure::field("user", message));
    }
    let app = app.filter(|app| !app.is_empty()).map(|app| program.app.app_name(app));
    let of = program.voice().app;
    if let (Some(named), Some(of)) = (&app, &of)
        && !program.app.are_one_app(named, of)
    {
        return Err(Failure::field("app", "this token is another app's; give the name of its own, or none"));
    }
    let app = of.or(app).unwrap_or_else(|| program.name().to_owned());
    if is_own(&app) {
        let message =
            "rollcall, and what looks like it, is not yours to sign in to; give the name of your app";
        return Err(Failure::field("app", message));
    }
    if !can_be_called(&app) {
        let message = format!("an app's name has at most {LONGEST} bytes and nothing that cannot be seen");
        return Err(Failure::field("app", message));
    }
    if ttl_s == Some(0) {
        return Err(Failure::field("ttl_s", "ttl_s is a number of seconds, at least 1"));
    }
    let origin = Origin { ip: ip.map(|ip| ip.to_canonical()), agent: Agent::of(&user_agent), familiar: None };
    let token = program.name().to_owned();
    let registration = Registration { user, app, token, origin, ttl: ttl_s.map(Duration::from_secs) };
    let (session, token) = program.app.register_session(&program.actor(), registration).await?;
    Ok((Status::Created, Answer(Registered { id: session.id.to_string(), token: token.reveal() })))
}

#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SessionTouch, example = json!({"ip": "203.0.113.7"}))]
struct Touch {
    /// From where, if that may have changed; empty is as if it were not given.
    #[serde(default, deserialize_with = "address")]
    #[schema(value_type = Option<String>)]
    ip: Option<IpAddr>,
    /// On what, if that may have changed.
    user_agent: Option<String>,
}

/// Say that a registered session is being used.
///
/// The body may be left out where nothing has changed.
#[utoipa::path(
    request_body = Option<Touch>,
    security(("token" = ["session:write"])),
    responses(
        (status = 204),
        (status = 404, body = Refusal),
        (status = 410, body = Refusal, description = "It has ended, or ends with this because it is bound to another network or device: sign the user out.")
    ),
)]
#[post("/sessions/<id>/touch", data = "<body>")]
async fn touch(
    program: Program<'_, SessionWrite>,
    id: &str,
    body: MaybeJson<Touch>,
) -> Result<Status, Failure> {
    let unknown = || Failure::not_found("there is no such session");
    let id: SessionId = id.parse().map_err(|_| unknown())?;
    let Some(live) = program.app.live(id) else {
        let known =
            apart(program.app, move |app| app.session(&crate::model::session::Scope::All, id)).await?;
        return Err(known.map_or_else(unknown, |_| Failure::gone("this session has ended")));
    };
    if !program.mandate().covers(&live.user, |app| program.app.has_opened(&live, app)) {
        return Err(program.forbidden(NOT_ITS_APP));
    }
    if live.is_own() {
        return Err(program.forbidden("this session is of a browser here; only its own requests touch it"));
    }
    let (ip, agent) = (body.0.ip.map(|ip| ip.to_canonical()), body.0.user_agent.as_deref().map(Agent::of));
    if let Some(breach) = program.app.breach(&live, ip, agent.as_ref()) {
        program.app.break_off(&live, breach, ip, agent.as_ref()).await;
        return Err(Failure::gone("this session has ended"));
    }
    program.app.touch(&live, ip, agent.as_ref());
    Ok(Status::NoContent)
}

/// The form of RFC 7662.
#[derive(ToSchema)]
#[schema(example = json!({"token": "rcs_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"}))]
#[expect(dead_code, reason = "it is there for the document; the handler reads the form")]
struct Introspect {
    /// The token of a session.
    token: String,
    /// What kind of token it is thought to be (RFC 7662, section 2.1); it says nothing here.
    token_type_hint: Option<String>,
}

/// RFC 7662: what is not alive is `{"active":false}` and nothing more.
#[derive(Default, Serialize, ToSchema)]
#[schema(example = json!({
    "active": true, "sub": "ann", "username": "ann", "sid": "8n1c5rd0m7k9g2qv4h6t3w1y5p", "client_id": "wiki", "iat": 1_773_576_000,
    "exp": 1_773_579_600, "token_type": "session", "last_access": "2026-03-15T12:04:31.250Z"
}))]
struct Introspection {
    /// Whether it is alive. Where it is not, nothing else is said.
    active: bool,
    /// Whose session it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    sub: Option<String>,
    /// The same.
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<String>,
    /// The id of the session.
    #[serde(skip_serializing_if = "Option::is_none")]
    sid: Option<String>,
    /// The app that registered it, if one did.
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<String>,
    /// When it began, in seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    iat: Option<i64>,
    /// When it ends at the latest, in seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    exp: Option<i64>,
    /// `session`.
    #[serde(skip_serializing_if = "Option::is_none")]
    token_type: Option<&'static str>,
    /// When it was last used.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    last_access: Option<String>,
}

/// Ask whether a session's token is alive (RFC 7662). Asking is no use of it.
///
/// Whoever asks may show their own token as the password of `Basic` too, as OAuth's clients do; the user's name says nothing.
#[utoipa::path(
    request_body(content = Introspect, content_type = "application/x-www-form-urlencoded"),
    security(("token" = ["session:read"])),
    responses(
        (status = 200, body = Introspection)
    ),
)]
#[post("/introspect", data = "<form>")]
fn introspect(program: Introspector<'_>, form: OpenForm) -> Result<Answer<Introspection>, Failure> {
    let token = form
        .get("token")
        .ok_or_else(|| Failure::field("token", "token is missing"))?
        .parse::<Token>()
        .ok()
        .filter(|token| token.kind() == Kind::Session);
    let Some(live) = token.and_then(|token| program.app.check(&token)) else {
        return Ok(Answer(Introspection::default()));
    };
    let session = live.session();
    let user = session.user.to_string();
    Ok(Answer(Introspection {
        active: true,
        sub: Some(user.clone()),
        username: Some(user),
        sid: Some(session.id.to_string()),
        client_id: session.registered_by.and_then(|_| session.apps.into_iter().next()),
        iat: Some(session.started.as_second()),
        exp: Some(session.expires.as_second()),
        token_type: Some("session"),
        last_access: Some(time(session.last_access)),
    }))
}

described![list, one, end, log_out, register, touch, introspect];
