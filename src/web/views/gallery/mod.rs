//! Every page in every state: rendered by the tests, and written to a folder to be looked at when the environment
//! names one: `ROLLCALL_GALLERY=/tmp/gallery cargo test --lib gallery`. The pages ask for their assets under
//! `/assets/preview`.

mod fragments;
mod sample;

use std::{fs, path::Path};

use askama::Template;

use crate::{
    model::{session::State, user::Role},
    web::draw::{map::Map, qr::Qr},
};

use super::{
    Page, Tone,
    access::{Setup, SignIn},
    account::{PasskeyRow, Profile},
    activity::{Fault, Total},
    address::{Advice, ClientAddress, Header, Hop},
    apps::{AppForm, AppRow, Apps, Unregistered},
    help::Help,
    hook::{DeliveryRow, HookFacts, HookPage},
    notice::{Confirm, Failure},
    parts::{Choice, Fact, Input, Link, Moment},
    record::{Field, RecordPage},
    search::Search,
    second_factor::{RecoveryCodes, SetUp},
    session::SessionPage,
    settings::{Evidence, Geo, Index, Retention, Settings, Tls},
    step_up::StepUp,
    tokens::{TokenForm, TokenRow, Tokens},
    told::Told,
    users::{UserForm, UserPage, UserRow, Users},
};
use sample::{
    activities, activity_page, activity_row, frame, long_session, now, sessions, sessions_page, stranger,
};

/// The pages by the name of their file.
fn pages() -> Vec<(String, String)> {
    let mut pages = Vec::new();
    let mut page =
        |name: &str, html: askama::Result<String>| pages.push((name.to_owned(), html.expect(name)));
    for (name, count) in [("none", 0), ("three", 3), ("many", 60), ("ten-thousand", 10_000)] {
        page(
            &format!("sessions-{name}"),
            sessions_page(Role::Admin, State::Active, sessions(count)).render(),
        );
    }
    page("sessions-ended", sessions_page(Role::Admin, State::Ended, sessions(40)).render());
    page("sessions-ended-none", sessions_page(Role::Admin, State::Ended, Vec::new()).render());
    page("sessions-member", sessions_page(Role::Member, State::Active, sessions(1)).render());
    page(
        "sessions-long",
        sessions_page(Role::Admin, State::Active, vec![long_session(), sessions(1).remove(0)]).render(),
    );
    let mut narrowed = sessions_page(Role::Admin, State::Active, Vec::new());
    (narrowed.q, narrowed.found) = ("windows vista".into(), 0);
    narrowed.place = Some(Link::new("Oslo, NO", "/sessions"));
    page("sessions-no-match", narrowed.render());
    page("session", session_page(false).render());
    page("session-long", session_page(true).render());
    activity_pages(&mut page);
    account_pages(&mut page);
    token_pages(&mut page);
    admin_pages(&mut page);
    hook_pages(&mut page);
    door_pages(&mut page);
    pages
}

fn session_page(long: bool) -> SessionPage {
    let session = if long { long_session() } else { sessions(3).remove(1) };
    let place = session.place.line();
    SessionPage {
        frame: frame(Page::Sessions, Role::Admin),
        full_name: "Ada Lovelace".into(),
        user_agent: "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:127.0) Gecko/20100101 Firefox/127.0".into(),
        apps: vec!["wiki".into(), "tickets".into()],
        unregistered: if long { "tickets".into() } else { String::new() },
        mfa: true,
        registered_by: String::new(),
        coordinates: "59.91, 10.75".into(),
        map: Some(Map::around(&sample::spot(&place, "NO", 59.91, 10.75, 1))),
        told: long.then(|| Told {
            line: String::new(),
            good: false,
            apps: vec![
                ("wiki".into(), "told 12 ms after the end".into()),
                ("tickets".into(), "retry in 20 s; answered 500, tried 2 times".into()),
            ],
        }),
        rows: activities(if long { 0 } else { 14 }).iter().map(activity_row).collect(),
        newer: None,
        older: (!long).then(|| "/sessions/x?cursor=y".into()),
        all: "/activity?session=x&period=all".into(),
        row: session,
    }
}

fn activity_pages(page: &mut impl FnMut(&str, askama::Result<String>)) {
    page("activity-many", activity_page(Role::Admin, 50).render());
    page("activity-none", activity_page(Role::Admin, 0).render());
    page("activity-member", activity_page(Role::Member, 3).render());
    let mut empty = activity_page(Role::Admin, 0);
    empty.any = false;
    page("activity-first", empty.render());
    let mut fault = activity_page(Role::Admin, 0);
    fault.search.q = "user:ada (backup OR".into();
    fault.fault = Some(Fault::at(&fault.search.q, 17, "OR needs something on its right side"));
    page("activity-fault", fault.render());
    let mut late = activity_page(Role::Admin, 50);
    (late.total, late.chart) = (None::<Total>, None);
    late.search = Search {
        q: "backup".into(),
        from: "2026-01-31T08:00:00Z".into(),
        to: "2026-02-28T08:00:00Z".into(),
        ..Search::default()
    };
    late.narrowed =
        vec![Link::new("app: salesforce", "/activity"), Link::new("outcome: failure", "/activity")];
    page("activity-late", late.render());
    let activity = activities(3).remove(2);
    let record = RecordPage {
        frame: frame(Page::Activity, Role::Admin),
        action: activity.action.clone(),
        user: activity.user.clone(),
        time: Moment::new(activity.time, &now()),
        outcome: activity.outcome,
        seal: "/api/v1/activity/0000000000003/seal".into(),
        fields: Field::all(&activity, &sample::search(), &now()),
        back: sample::search().href("/activity"),
    };
    page("record", record.render());
}

fn account_pages(page: &mut impl FnMut(&str, askama::Result<String>)) {
    let profile = Profile {
        frame: frame(Page::Profile, Role::Member),
        groups: "staff, editors".into(),
        full_name: Input::refused("Ada", "a full name has at most 256 bytes and no control characters"),
        email: "ada@example.com".into(),
        current: Input::default(),
        password: Input::default(),
        factor: None,
        passkeys: Some(vec![PasskeyRow {
            id: "x".into(),
            name: "Ada's telephone".into(),
            created: Moment::new(now().at, &now()),
            used: None,
        }]),
        factor_current: Input::default(),
        others: 2,
        last_sign_in: Some(Moment::new(now().at, &now())),
    };
    page("profile", profile.render());
    let profile = Profile { factor: Some((Moment::new(now().at, &now()), 7)), ..profile };
    page("profile-factor", profile.render());
    let set_up = SetUp {
        frame: frame(Page::Profile, Role::Member),
        demanded: false,
        qr: Qr::of("otpauth://totp/Rollcall:ada?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Rollcall"),
        secret: "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ".into(),
        pending: String::new(),
        code: Input::default(),
    };
    page("second-factor", set_up.render());
    let codes = RecoveryCodes {
        frame: frame(Page::Profile, Role::Member),
        title: "The second factor is on".into(),
        codes: vec!["abcd-efgh-ijkl-mnop".into(); 10],
    };
    page("recovery-codes", codes.render());
    let step_up = StepUp {
        frame: frame(Page::Door, Role::Admin),
        factor: true,
        proof: Input::refused("", "that is not your current password"),
        then: "/tokens/add".into(),
        hidden: vec![("name".into(), "backup".into())],
    };
    page("step-up", step_up.render());
    let user = |name: &str, full: &str, role, sessions| UserRow {
        factor: true,
        name: name.into(),
        full_name: full.into(),
        email: format!("{name}@example.com"),
        role,
        groups: "staff, finance".into(),
        disabled: name == "grace",
        sessions,
        last_sign_in: (sessions > 0).then(|| Moment::new(now().at, &now())),
        own: name == "ada",
    };
    let rows = vec![
        user("ada", "Ada Lovelace", Role::Admin, 2),
        user("blaise", "Blaise Pascal", Role::Auditor, 1),
        user("grace", "Grace Hopper", Role::Member, 0),
        user(
            "wolfeschlegelsteinhausenbergerdorff@subsidiary.example.com",
            "Hubert Blaine Wolfeschlegelsteinhausenbergerdorff Senior",
            Role::Member,
            14,
        ),
    ];
    let users = |form| Users { frame: frame(Page::Users, Role::Admin), rows: rows.clone(), form };
    page("users", users(None).render());
    let refused = UserForm {
        name: Input::refused("a b", "a user name is written without spaces, commas and invisible characters"),
        password: Input::refused(
            "",
            "a password needs at least 15 characters; a few words in a row are easy to remember",
        ),
        ..UserForm::default()
    };
    page("users-add", users(Some(refused)).render());
    let edit = UserPage {
        frame: frame(Page::Users, Role::Admin),
        row: rows[1].clone(),
        form: UserForm { full_name: Input::of("Blaise Pascal"), role: Role::Auditor, ..UserForm::default() },
        created: Moment::new("2025-01-02T03:04:05Z".parse().expect("a time"), &now()),
    };
    page("user", edit.render());
}

fn choice(value: &str, hint: &str) -> Choice {
    Choice { value: value.into(), label: value.into(), hint: hint.into(), chosen: value == "remote" }
}

fn at(time: &str) -> Moment {
    Moment::new(time.parse().expect("a time"), &now())
}

fn token_pages(page: &mut impl FnMut(&str, askama::Result<String>)) {
    let token = |name: &str, scopes: &[&str], used| TokenRow {
        name: name.into(),
        scopes: scopes.iter().map(|scope| (*scope).into()).collect(),
        app: None,
        created: at("2026-03-01T08:00:00Z"),
        by: "ada".into(),
        stopped: false,
        expires: None,
        expired: false,
        used,
    };
    let expired = Some(at("2026-03-20T23:00:00Z"));
    let rows = vec![
        TokenRow { expires: expired, expired: true, ..token("trial", &["session:write"], None) },
        TokenRow { stopped: true, by: "bob".into(), ..token("nightly", &["activity:read"], None) },
        token("backup-runner", &["activity:write"], Some(at("2026-03-29T11:58:00Z"))),
        token("siem", &["activity:read", "session:read", "metrics"], None),
    ];
    let form = TokenForm {
        scopes: vec![
            choice("activity:write", "send activities"),
            choice("activity:read", "search and export them"),
        ],
        scopes_error: "choose at least one".into(),
        ..TokenForm::default()
    };
    let tokens =
        |form, made| Tokens { frame: frame(Page::Settings, Role::Admin), rows: rows.clone(), form, made };
    page("address", client_address().render());
    page("tokens", tokens(None, None).render());
    page("tokens-add", tokens(Some(form), None).render());
    page(
        "tokens-made",
        tokens(
            None,
            Some(("backup-runner".into(), "rca_q8Yt0mJ3bW6uZ1xK9vN4cR7eL2sA5dF0gH8jP6oT3iQ".into())),
        )
        .render(),
    );
}

fn client_address() -> ClientAddress {
    let hop = |written: &str, from: &str, taken_for, chosen| Hop {
        written: written.into(),
        from: from.into(),
        taken_for,
        chosen,
    };
    let header = |name, value: &str, verdict| Header { name, value: value.into(), verdict };
    ClientAddress {
        frame: frame(Page::Settings, Role::Admin),
        client: "2001:db8:cafe:17:4b1d:9f00:aa10:77".into(),
        place: "Oslo, Oslo County, Norway".into(),
        why: "The connection comes from the trusted proxy 10.0.0.2, and 2001:db8:cafe:17:4b1d:9f00:aa10:77 is the first address in X-Forwarded-For, read from its end, that is no trusted proxy.".into(),
        hops: vec![
            hop("10.0.0.2", "the connection", "a trusted proxy", false),
            hop("2001:db8:cafe:17:4b1d:9f00:aa10:77", "X-Forwarded-For", "the client", true),
        ],
        headers: vec![
            header("X-Forwarded-For", "6.6.6.6, 2001:db8:cafe:17:4b1d:9f00:aa10:77", "read"),
            header("X-Real-IP", "6.6.6.6", "never"),
        ],
        advice: vec![Advice {
            when: "If 2001:db8:cafe:17:4b1d:9f00:aa10:77 is another proxy of yours, and not you, say so.".into(),
            line: "trusted-proxy = [\"10.0.0.0/8\", \"2001:db8:cafe:17:4b1d:9f00:aa10:77\"]".into(),
            place: "In",
            file: "rollcall.toml",
        }],
        garbled: "Since the server started every such header from a trusted proxy could be read.".into(),
    }
}

fn hook_pages(page: &mut impl FnMut(&str, askama::Result<String>)) {
    let row = |state, line: &str| DeliveryRow {
        session: "3p8m1c9h0t5v7k2d4f6g8j0n2q".into(),
        ended: at("2026-03-29T11:58:00Z"),
        state,
        line: line.into(),
    };
    let rows = vec![
        row("waiting", "retry in 20 s; answered 500, tried 2 times"),
        row("told", "told 12 ms after the end"),
        row("given up", "given up; invalid peer certificate: UnknownIssuer, tried 10 times"),
    ];
    let facts = HookFacts {
        url: "https://wiki.example.com/a/rather/long/path/to/the/webhook?from=rollcall".into(),
        created: at("2026-03-01T08:00:00Z"),
        by: "ada".into(),
    };
    let hook = |hook: Option<HookFacts>, made: Option<&str>, rows: Vec<DeliveryRow>| HookPage {
        frame: frame(Page::Apps, Role::Admin),
        app: "wiki".into(),
        url: hook.as_ref().map(|hook| Input::of(&hook.url)).unwrap_or_default(),
        hook,
        made: made.map(Into::into),
        waiting: rows.len() as u64,
        rows,
    };
    page("hook-none", hook(None, None, Vec::new()).render());
    page("hook", hook(Some(facts.clone()), None, rows).render());
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo=";
    page("hook-made", hook(Some(facts), Some(secret), Vec::new()).render());
}

fn admin_pages(page: &mut impl FnMut(&str, askama::Result<String>)) {
    let app = |name: &str, url: &str, groups: &str| AppRow {
        name: name.into(),
        url: url.into(),
        groups: groups.into(),
        headers: "remote".into(),
        hook: if groups.is_empty() { "set" } else { "3 waiting" }.into(),
        sessions: 12,
        created: at("2026-03-01T08:00:00Z"),
    };
    let rows = vec![
        app("wiki", "https://wiki.example.com", ""),
        app("tickets", "https://tickets.example.com/a/rather/long/path/to/the/queue", "support, engineering"),
    ];
    let form = AppForm {
        headers: vec![
            choice("remote", "Remote-User, Remote-Groups ..."),
            choice("x-forwarded", "X-Forwarded-User ..."),
        ],
        ..AppForm::default()
    };
    let apps = |rows: &[AppRow], form, names: &[&str]| Apps {
        frame: frame(Page::Apps, Role::Admin),
        rows: rows.to_vec(),
        form,
        others: names
            .iter()
            .map(|name| Unregistered { name: (*name).into(), sessions: "3 sessions".into() })
            .collect(),
        more: names.len() / 2,
    };
    page("apps-none", apps(&[], None, &[]).render());
    page("apps", apps(&rows, None, &["salesforce", "a shop with <b>a name</b>"]).render());
    let change =
        AppForm { known: Some("wiki".into()), url: Input::of("https://wiki.example.com"), ..form.clone() };
    let open = |form| apps(&rows, Some(form), &[]);
    page("apps-add", open(form).render());
    page("apps-change", open(change).render());
    let settings = |error: &str, progress| {
        Settings {
        frame: frame(Page::Settings, Role::Admin),
        geo: Geo {
            facts: vec![
                Fact::new("Database", "DB-IP City Lite"),
                Fact::new("Built", "1 Mar 2026 (28 days ago)"),
                Fact::new("From", "built in"),
            ],
            replaced: true,
            error: error.into(),
        },
        tls: (!error.is_empty()).then(|| Tls {
            facts: vec![
                Fact::new("Certificate", "/etc/ssl/rollcall.pem"),
                Fact::new("Holds until", "2026-05-01T00:00:00Z"),
                Fact::new("For", "rollcall.example.org"),
                Fact::new("SHA-256", "0F:A3:".repeat(16).trim_end_matches(':').to_owned()),
            ],
            problem: "the key in /etc/ssl/rollcall.key is not that of the first certificate in /etc/ssl/rollcall.pem. The certificate from before is still shown.".into(),
        }),
        limits: vec![Fact::new("Idle", "12 hours"), Fact::new("At most", "7 days")],
        evidence: Evidence {
            checkpoint: "rollcall/0123456789abcdef\n4711\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\ntime 2026-03-29T11:58:00.000Z\nremovals 0 AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\n\u{2014} rollcall/0123456789abcdef AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n".into(),
            key: "rollcall/0123456789abcdef+0123abcd+AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA".into(),
            sent: vec![Fact::new("/mnt/keep/checkpoints.txt", "that of 4,711 activities, at 2026-03-29T11:58:00Z")],
        },
        demands: vec![("nobody", "Nobody", true), ("everyone", "Everyone", false)],
        retention: Retention {
            keep: Input::of("1y"),
            size: if error.is_empty() {
                Input::of("20")
            } else {
                Input::refused("20 GB", "20 GB: write a size in GB, as 20 or 0.5")
            },
            rules: Input::of("app wiki 90d\naction sign-in 2y"),
            takes: "1.2 GB".into(),
            left: if error.is_empty() { String::new() } else { "38.1 MB".into() },
            waits: if error.is_empty() {
                String::new()
            } else {
                "Retention waits: it would remove 812,004 of 1,204,880 activities. Save to agree to it."
                    .into()
            },
        },
        index: Index { line: "Everything in the log can be searched.".into(), progress },
        about: vec![
            Fact::new("Version", "0.1.0"),
            Fact::new("Data folder", "/var/lib/rollcall"),
            Fact::new("Activities", "12,408,112"),
        ],
    }
    };
    page("settings", settings("", None).render());
    page(
        "settings-busy",
        settings("this is not a MaxMind database: it has no metadata at its end", Some((120, 400))).render(),
    );
    page(
        "help",
        Help { frame: frame(Page::Help, Role::Admin), idle: "12 hours".into(), absolute: "7 days".into() }
            .render(),
    );
}

fn door_pages(page: &mut impl FnMut(&str, askama::Result<String>)) {
    let signin = |message: &str, failed, user: &str| SignIn {
        frame: stranger(),
        user: user.into(),
        half: None,
        passkeys: true,
        message: message.into(),
        failed,
        next: String::new(),
        for_app: String::new(),
    };
    page("signin", signin("", false, "").render());
    page("signin-failed", signin("Wrong user or password. Check both and try again.", true, "ada").render());
    let mut second = signin("", false, "ada");
    second.half = Some("rch_x".into());
    page("signin-code", second.render());
    page("signin-ended", signin("Your session was ended. Sign in again to go on.", false, "").render());
    let setup = Setup {
        frame: stranger(),
        code: Input::refused("XXXX", "this is not the code that stands in the terminal"),
        user: Input::of("ada"),
        full_name: Input::default(),
        password: Input::default(),
    };
    page("setup", setup.render());
    for status in [400, 401, 403, 404, 405, 410, 413, 422, 429, 500, 503] {
        page(&format!("failure-{status}"), Failure::of(status, frame(Page::Door, Role::Admin)).render());
    }
    page("failure-stranger", Failure::of(404, stranger()).render());
    let confirm = Confirm {
        frame: frame(Page::Door, Role::Admin),
        title: "Log out 3 sessions?".into(),
        line: "Their next request is refused.".into(),
        items: sessions(3)
            .iter()
            .map(|row| format!("{} · {}, {}", row.user, row.on(), row.place.line()))
            .collect(),
        more: 2,
        action: "/sessions/logout".into(),
        hidden: vec![("session".into(), "abc".into())],
        asks_reason: true,
        button: "Log out 3 sessions".into(),
        back: "/sessions".into(),
    };
    page("confirm", confirm.render());
    let mut told = sessions_page(Role::Admin, State::Active, sessions(3));
    told.frame.notice = Some(super::Notice { tone: Tone::Good, text: "2 sessions have ended.".into() });
    told.frame.insecure = Some("This connection is not encrypted: passwords can be read on the way. Use https, or sign in on the server itself.".into());
    page("sessions-told", told.render());
}

#[test]
fn every_page_renders_in_every_state() {
    let folder = std::env::var_os("ROLLCALL_GALLERY");
    for (name, html) in pages() {
        assert!(html.trim_start().starts_with("<!doctype html>"), "{name} is a whole page");
        assert!(html.trim_end().ends_with("</html>"), "{name} ends");
        if let Some(folder) = &folder {
            fs::create_dir_all(folder).expect("a folder to write to");
            fs::write(Path::new(folder).join(format!("{name}.html")), html).expect("a page to write");
        }
    }
}

#[test]
fn every_form_that_changes_something_carries_the_token_of_its_session() {
    for (name, html) in pages() {
        if name.starts_with("signin") || name.starts_with("setup") {
            continue;
        }
        for form in html.split("<form").skip(1).map(|rest| rest.split("</form>").next().unwrap_or(rest)) {
            let posts = form.split('>').next().is_some_and(|head| head.contains("method=\"post\""));
            assert!(
                !posts || form.contains("name=\"csrf\" value=\"csrf-of-this-session\""),
                "{name}: {form}"
            );
        }
    }
}

#[test]
fn a_row_among_ten_thousand_is_lean() {
    let html = sessions_page(Role::Admin, State::Active, sessions(10_000)).render().expect("a page");
    assert!(html.len() < 10_000 * 1300, "{} bytes a row", html.len() / 10_000);
}
