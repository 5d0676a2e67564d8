//! That somebody looked at what others did is an activity too: one for each view.
//!
//! A view is a question to the log by one asker. Turning its pages, counting and charting it, following it live, looking
//! closer at a part of its period or at the whole word of which the beginning was asked for, asking on for what has come since, and
//! asking the same again within [`VIEW`] are the same view; so the log does not fill with its own reading. A single activity that is read
//! by its number is a part of any view that shows it, and otherwise a look at whoever did it. While somebody types, the view is what
//! stands there when they pause for [`PAUSE`].
//!
//! The activity is handed to the writer behind the answer, which does not wait for it. Whether it was written is looked at
//! in the next sweep, and said in the server's log if it was not.

use std::{
    collections::HashMap,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::Timestamp;

use super::{App, later::HandedIn};
use crate::model::{
    activity::{Activity, NewActivity, action, limits},
    filter::{Asked, Filter},
    id::SessionId,
    period::Range,
    query::{Candidate, Matcher},
    session::Scope,
    user::{Actor, UserName},
};

/// How long the same question by the same asker is the same view.
const VIEW: Duration = Duration::from_mins(10);

/// How long nothing more is typed until what was typed counts as looked at. The sweep comes by every three seconds, so it
/// may be that much more.
const PAUSE: Duration = Duration::from_secs(3);

/// How many views of one asker are remembered at most: some more than anybody has in ten minutes.
const VIEWS: usize = 256;

/// Who looks: somebody in a session, a program or the console, both by their names.
type Asker = (Option<SessionId>, String);

/// What was looked at lately, and what is on its way into the log.
#[derive(Default)]
pub(super) struct Looks(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    askers: HashMap<Asker, Lately>,
    written: Vec<HandedIn>,
}

/// What one asker looked at lately.
#[derive(Default)]
struct Lately {
    told: Vec<View>,
    /// What is being typed, since when it stands there, and what is to be told of it.
    typed: Option<(View, NewActivity)>,
}

/// A question, in which period, and when it was asked.
#[derive(Clone)]
struct View {
    question: u64,
    /// The question that it was while its last word was typed.
    begun: u64,
    /// Which activities it shows, in whatever period.
    shows: Arc<Matcher>,
    range: Range,
    at: Timestamp,
}

impl View {
    /// A look that goes up to now goes on: a program that asks again and again until the moment that it asks at follows the
    /// log, and what is new each time had not happened when it began. Its clock need not be ours.
    fn new(question: u64, begun: u64, filter: &Filter, at: Timestamp) -> Self {
        let (range, lately) = (filter.range, at.checked_sub(VIEW).unwrap_or(Timestamp::MIN));
        let to = if range.to >= lately { Timestamp::MAX } else { range.to };
        let everywhen = Filter { range: Range::ALL, ..filter.clone() };
        let shows = Arc::new(Matcher::new(&everywhen, &Scope::All));
        Self { question, begun, shows, range: Range { to, ..range }, at }
    }

    fn shows(&self, one: &Candidate, now: Timestamp) -> bool {
        let Range { from, to } = self.range;
        self.lasts(now) && (from..to).contains(&one.activity().time) && self.shows.matches(one)
    }

    fn age(&self, now: Timestamp) -> Option<Duration> {
        // A clock that was set back makes no view last longer.
        Duration::try_from(now.duration_since(self.at)).ok()
    }

    fn lasts(&self, now: Timestamp) -> bool {
        self.age(now).is_some_and(|age| age < VIEW)
    }

    fn stands(&self, now: Timestamp) -> bool {
        self.age(now).is_none_or(|age| age >= PAUSE)
    }

    fn holds(&self, other: &Self) -> bool {
        (self.question == other.question || self.question == other.begun)
            && self.range.holds(&other.range)
            && self.lasts(other.at)
    }
}

impl Lately {
    fn knows(&self, view: &View) -> bool {
        self.told.iter().any(|told| told.holds(view))
    }

    fn tell(&mut self, view: View) {
        self.told.retain(|told| told.lasts(view.at));
        if self.told.len() == VIEWS {
            self.told.remove(0);
        }
        self.told.push(view);
    }
}

impl Looks {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl App {
    /// Takes note that `by` looked at the log through `filter`, `asked` for in these words; `typing` while they are still
    /// writing it. It counts where they see what others did and did not look for themselves alone. Does not wait.
    pub fn note_look(&self, by: &Actor, scope: &Scope, filter: &Filter, asked: &Asked, typing: bool) {
        let own = filter.user.as_deref().is_some_and(|user| UserName::fold(user) == UserName::fold(&by.name));
        if own || *scope != Scope::All {
            return;
        }
        let question = asked.fingerprint();
        let begun = if filter.query.grows_with_a_star() { asked.begun().fingerprint() } else { question };
        let view = View::new(question, begun, filter, self.now());
        let mut looks = self.0.looks.lock();
        let lately = looks.askers.entry(asker(by)).or_default();
        if lately.knows(&view) {
            lately.typed = None;
            return;
        }
        let told = self.did_look(by, action::SEARCH, filter, asked);
        if typing {
            // Its stream, its count and its chart are no other look.
            if !lately.typed.as_ref().is_some_and(|(typed, _)| typed.holds(&view)) {
                lately.typed = Some((view, told));
            }
            return;
        }
        lately.typed = None;
        lately.tell(view);
        let written = self.hand_in(vec![told]);
        looks.written.push(written);
    }

    /// Takes note that `by` read this one activity: where none of their views shows it, they looked at whoever did it. Does not wait.
    pub fn note_one(&self, by: &Actor, scope: &Scope, one: &Activity) {
        let (seen, now) = (Candidate::from(one.clone()), self.now());
        let shown = |lately: &Lately| lately.told.iter().any(|told| told.shows(&seen, now));
        if self.0.looks.lock().askers.get(&asker(by)).is_some_and(shown) {
            return;
        }
        let asked = Asked(vec![("user", one.user.clone())]);
        self.note_look(
            by,
            scope,
            &Filter { user: Some(one.user.clone()), ..Filter::default() },
            &asked,
            false,
        );
    }

    /// What `by` has typed counts as looked at: one of the rows was opened. Does not wait.
    pub fn settle_look(&self, by: &Actor) {
        let mut looks = self.0.looks.lock();
        let Some(lately) = looks.askers.get_mut(&asker(by)) else { return };
        let Some((view, told)) = lately.typed.take() else { return };
        lately.tell(view);
        let written = self.hand_in(vec![told]);
        looks.written.push(written);
    }

    /// Hands in what was typed and then stood, or all that was typed; forgets old views; and sees to it that what was handed
    /// in is on disk.
    pub(super) async fn write_looks(&self, all: bool) {
        let now = self.now();
        let written = {
            let mut looks = self.0.looks.lock();
            let mut settled = Vec::new();
            looks.askers.retain(|_, lately| {
                if let Some((view, told)) = lately.typed.take_if(|(view, _)| all || view.stands(now)) {
                    lately.tell(view);
                    settled.push(told);
                }
                lately.typed.is_some() || lately.told.iter().any(|told| told.lasts(now))
            });
            if !settled.is_empty() {
                let settled = self.hand_in(settled);
                looks.written.push(settled);
            }
            mem::take(&mut looks.written)
        };
        self.see_in(written).await;
    }

    /// The activity that tells of a look: at whom, if it was at somebody, and through which filter.
    pub(super) fn did_look(&self, by: &Actor, action: &str, filter: &Filter, asked: &Asked) -> NewActivity {
        let mut told = self.did(by, action).saying(cut(&asked.to_string(), limits::DETAIL));
        told.target = filter.user.as_deref().map(|user| cut(user, limits::NAME));
        let attribute =
            |(name, value): &(&str, String)| ((*name).to_owned(), cut(value, limits::ATTRIBUTE_VALUE));
        told.attributes = asked.0.iter().map(attribute).collect();
        told
    }
}

fn asker(by: &Actor) -> Asker {
    (by.session, by.name.clone())
}

/// As much of a text as so many bytes hold.
fn cut(text: &str, most: usize) -> String {
    text[..text.floor_char_boundary(most)].to_owned()
}
