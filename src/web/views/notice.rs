//! What is said instead of a page: that something cannot be done, or that it is about to be.

use askama::Template;

use super::{frame::Frame, parts::Link};

/// An error as a page: what happened, and what to do.
#[derive(Clone, Debug, Template)]
#[template(path = "failure.html")]
pub struct Failure {
    /// What stands around it.
    pub frame: Frame,
    /// The HTTP status.
    pub status: u16,
    /// What happened, in a few words.
    pub title: String,
    /// What happened, in a sentence.
    pub happened: String,
    /// What to do.
    pub advice: String,
    /// Where to go from here.
    pub way_out: Link,
}

impl Failure {
    /// The page for a status, in the words that fit any cause of it.
    pub fn of(status: u16, frame: Frame) -> Self {
        let (title, happened, advice) = words(status);
        let way_out = match (status, &frame.who) {
            (401, _) | (_, None) => Link::new("Sign in", "/signin"),
            _ => Link::new("Session Information", "/sessions"),
        };
        Self { frame, status, title: title.into(), happened: happened.into(), advice: advice.into(), way_out }
    }

    /// The same page with a sentence that names the cause.
    #[must_use]
    pub fn because(self, happened: impl ToString) -> Self {
        Self { happened: happened.to_string(), ..self }
    }
}

/// What happened in a few words and in a sentence, and what to do.
const fn words(status: u16) -> (&'static str, &'static str, &'static str) {
    match status {
        400 => (
            "Not understood",
            "Something in this request could not be read.",
            "Go back and check what you typed, or start again from the page's own form.",
        ),
        401 => (
            "Signed out",
            "You are not signed in, or your session has ended.",
            "Sign in again; nothing you had saved is lost.",
        ),
        403 => (
            "Not allowed",
            "Your account may not see or do this.",
            "Ask an administrator if you need it. If you came here from an old form, reload that page and try again.",
        ),
        404 => (
            "Not here",
            "There is nothing at this address, or you may not see it.",
            "Check the address, or look for it from the pages above.",
        ),
        405 => (
            "Not this way",
            "This address does not take requests of this kind.",
            "Open the page it belongs to and use the button there.",
        ),
        410 => (
            "Already ended",
            "This has ended and will not come back.",
            "Look for it under Ended, or in the Activity Log.",
        ),
        413 => (
            "Too large",
            "What was sent is larger than Rollcall takes.",
            "Send less at a time; large files are best read in with the command rollcall activity import.",
        ),
        422 => (
            "Not accepted",
            "What was sent could be read but not accepted.",
            "Go back, correct what is marked, and send it again.",
        ),
        429 => (
            "Too many attempts",
            "There were too many attempts from here in a short time.",
            "Wait a minute, then try again.",
        ),
        503 => (
            "Not just now",
            "Rollcall cannot answer this at the moment; it may be starting, catching up or out of disk space.",
            "Try again in a minute. If it stays like this, look at the server's own output.",
        ),
        _ => (
            "Something went wrong",
            "Rollcall could not do this, and that is not your fault.",
            "Try again. If it happens again, tell your administrator the time and what you were doing.",
        ),
    }
}

/// What is about to be done, and the button that does it: for browsers without JavaScript.
#[derive(Clone, Debug, Template)]
#[template(path = "confirm.html")]
pub struct Confirm {
    /// What stands around it.
    pub frame: Frame,
    /// The page's title: `Log out 3 sessions?`
    pub title: String,
    /// What will happen, in a sentence.
    pub line: String,
    /// Who or what it will happen to, one line each.
    pub items: Vec<String>,
    /// How many more there are than `items` names.
    pub more: usize,
    /// Where the form goes.
    pub action: String,
    /// What it carries besides `csrf`, `confirmed` and the reason.
    pub hidden: Vec<(String, String)>,
    /// Whether a reason is asked for, as the field `reason`.
    pub asks_reason: bool,
    /// The words of the button: `Log out 3 sessions`.
    pub button: String,
    /// Where to go instead.
    pub back: String,
}
