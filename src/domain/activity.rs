//! The log as it is looked at: pages, counts, histograms, and the answers to who did what.

use std::{
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use jiff::Timestamp;

pub use super::searches::SearchTurn;
use super::{
    App,
    sessions::{Origin, fill_session},
    turns::who,
};
use crate::{
    model::{
        activity::{Activity, NewActivity, OWN_APP},
        facet::{Facet, FacetField},
        filter::{Cursor, Filter, NotACursor, Order},
        id::ActivityId,
        index::Behind,
        period::Range,
        session::Scope,
        user::Actor,
    },
    store::{
        Health, Horizons as _, Log, StoreError,
        index::{Bucket, Deadline, SearchError, Source as _, Standstill},
    },
};

/// How long a search may take before it is given up.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// How long rows wait for their count: what takes longer comes after them.
pub const SOON: Duration = Duration::from_millis(50);

/// How long it is remembered who did most, where it took long to find out: who is new among them is offered a little later.
const REMEMBERED: Duration = Duration::from_mins(1);

/// What takes no longer is found out each time, so that in most logs whoever has just done something is offered at once.
const QUICK: Duration = Duration::from_millis(5);

/// Who did most, and when that was found out.
pub(super) type Busiest = Mutex<Option<(Instant, Arc<[String]>)>>;

/// How much text a page may have before it ends early, in bytes: a thousand rows of the longest there may be would be a quarter of a gigabyte,
/// several times over while they are written out. It is looked at every [`ROWS`], which may be sixteen megabytes more.
pub const TEXT: usize = 4 << 20;

/// How many rows of a page are read at a time.
const ROWS: usize = 64;

/// How long somebody waits for their turn to search, where others search for long.
pub const TURN: Duration = Duration::from_secs(2);

/// Why a search has no answer.
#[derive(Debug, thiserror::Error)]
pub enum LookError {
    /// Too many searches run already.
    #[error("too many searches are running; try again in a few seconds")]
    Busy,
    /// The cursor is of another search.
    #[error(transparent)]
    Cursor(#[from] NotACursor),
    /// Its time was over, or nobody waits for it.
    #[error("{}", SearchError::TooSlow)]
    TooSlow,
    /// The index has not all of the log, or does not know whether it has, so nothing is exact.
    #[error("{0}, so this would not be whole; {remedy}", remedy = .0.remedy())]
    Behind(Behind),
    /// The index has not all of the log, and comes no further for this reason.
    #[error("{0} and does not go on: {1}; it catches up by itself once it can")]
    Stands(Behind, String),
    /// The index could not answer.
    #[error(transparent)]
    Index(SearchError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<SearchError> for LookError {
    fn from(error: SearchError) -> Self {
        match error {
            SearchError::TooSlow => Self::TooSlow,
            error @ (SearchError::Index(_) | SearchError::Nonsense) => Self::Index(error),
        }
    }
}

/// A page of activities.
#[derive(Clone, Debug)]
pub struct Page {
    /// The activities, in the order asked for.
    pub items: Vec<Arc<Activity>>,
    /// Where the next page begins, if there is one.
    pub next: Option<String>,
}

/// Activities over time.
#[derive(Clone, Debug)]
pub struct Histogram {
    /// What it covers.
    pub range: Range,
    /// The buckets, oldest first: the start of each, and what is in it.
    pub buckets: Vec<(Timestamp, Bucket)>,
}

impl App {
    /// A turn of `by` to search, for which nobody waits longer than [`TURN`]. It goes along to the thread that searches: who
    /// hangs up has it until the search ends, so that no more run than may.
    pub async fn turn_to_search(&self, by: &Actor) -> Result<SearchTurn, LookError> {
        let turn = tokio::time::timeout(TURN, self.0.searches.turn(who(by))).await;
        turn.map_err(|_| LookError::Busy)?.map_err(|_| LookError::Busy)
    }

    /// An activity of Rollcall's own that `by` does now, with where and on what.
    pub(super) fn did(&self, by: &Actor, action: &str) -> NewActivity {
        let mut activity = NewActivity::new(&by.name, action, OWN_APP);
        activity.session = by.session.map(|id| id.to_string());
        match by.session.and_then(|id| self.0.live.by_id(id)) {
            Some(live) => {
                fill_session(&mut activity, &live.session());
                // By now the session may be used from elsewhere too.
                if by.ip.is_some() {
                    self.fill_ip(&mut activity, by.ip);
                }
            }
            None => self.fill_ip(&mut activity, by.ip),
        }
        activity
    }

    /// Says of an activity where and on what a request came from.
    pub(super) fn fill_origin(&self, activity: &mut NewActivity, origin: &Origin) {
        self.fill_ip(activity, origin.ip);
        activity.device = super::agent::device(&origin.agent);
        let agent = &origin.agent.user_agent;
        activity.user_agent = (!agent.is_empty()).then(|| agent.clone());
    }

    pub(super) fn fill_ip(&self, activity: &mut NewActivity, ip: Option<IpAddr>) {
        activity.ip = ip;
        activity.place = ip.map(|ip| self.0.geo.place(ip)).unwrap_or_default();
    }

    /// The activity of this id, if `scope` covers it and retention does not hide it, be it on disk still or not.
    pub fn activity(&self, scope: &Scope, id: ActivityId) -> Result<Option<Activity>, StoreError> {
        let (found, horizon) =
            self.0.store.read(|read| Ok::<_, StoreError>((read.activity(id)?, read.horizon()?)))?;
        Ok(found.filter(|activity| covers(scope, activity) && !horizon.hides(activity)))
    }

    /// A page of at most `limit` activities behind `cursor`; of fewer where they are long (see [`TEXT`]), and `next` goes on behind them.
    pub fn search(
        &self,
        scope: &Scope,
        filter: &Filter,
        order: Order,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page, LookError> {
        let search = filter.fingerprint(scope, order);
        let after = cursor.map(|text| Cursor::read(text, search)).transpose()?;
        let looked = self.0.index.searcher().search(filter, scope);
        let mut found = looked.page(order, after, limit + 1, &Deadline::within(PATIENCE))?;
        let mut more = found.len() > limit;
        found.truncate(limit);
        let (mut items, mut read, mut bytes) = (Vec::with_capacity(found.len()), 0, 0);
        for part in found.chunks(ROWS) {
            if bytes > TEXT {
                more = true;
                break;
            }
            let ids: Vec<ActivityId> = part.iter().map(|hit| hit.id).collect();
            let rows = self.0.store.page(&ids)?;
            bytes += rows.iter().map(|row| row.text()).sum::<usize>();
            read += part.len();
            items.extend(rows);
        }
        let next = found[..read].last().filter(|_| more).map(|last| last.write(search));
        if items.len() < read {
            // Retention may have taken some of them out meanwhile; or the index says what never was.
            self.0.index.doubt();
        }
        Ok(Page { items, next })
    }

    /// Why searches may lack some of the log: while the index is verified or made anew, after it fell far
    /// behind, or where it cannot go on. None in normal running, in which what is new is found within a second. Whoever says that
    /// an answer is exact asks before it and after it.
    pub fn behind(&self) -> Option<Behind> {
        self.0.index.lacks(self.log().last())
    }

    /// How many activities the index has, exactly.
    pub fn count(&self, scope: &Scope, filter: &Filter) -> Result<u64, LookError> {
        Ok(self.0.index.searcher().search(filter, scope).count(&Deadline::within(PATIENCE))?)
    }

    /// How activities spread over time, in `buckets` equal parts. An open start is the oldest there is; an open end is now, so
    /// that one activity with a clock that runs ahead does not press all the others together: it is in the last part.
    pub fn histogram(&self, scope: &Scope, filter: &Filter, buckets: usize) -> Result<Histogram, LookError> {
        self.histogram_by(scope, filter, buckets, &Deadline::within(PATIENCE))
    }

    /// How many activities there are, and how they spread over time: what of it can be told within [`SOON`].
    pub fn overview(
        &self,
        scope: &Scope,
        filter: &Filter,
        buckets: usize,
    ) -> Result<(Option<u64>, Option<Histogram>), LookError> {
        let deadline = Deadline::within(SOON);
        let count =
            soon(self.0.index.searcher().search(filter, scope).count(&deadline).map_err(LookError::from))?;
        Ok((count, soon(self.histogram_by(scope, filter, buckets, &deadline))?))
    }

    /// How many activities there are, exactly, if that can be told within [`SOON`].
    pub fn count_soon(&self, scope: &Scope, filter: &Filter) -> Result<Option<u64>, LookError> {
        let looked = self.0.index.searcher().search(filter, scope);
        soon(looked.count(&Deadline::within(SOON)).map_err(LookError::from))
    }

    fn histogram_by(
        &self,
        scope: &Scope,
        filter: &Filter,
        buckets: usize,
        deadline: &Deadline,
    ) -> Result<Histogram, LookError> {
        let looked = self.0.index.searcher().search(filter, scope);
        let end = |order| -> Result<Option<i64>, SearchError> {
            Ok(looked.page(order, None, 1, deadline)?.first().map(|hit| hit.time))
        };
        let now = self.now().as_millisecond();
        let Range { from, to } = filter.range;
        let open = to == Timestamp::MAX;
        let from =
            if from == Timestamp::MIN { end(Order::Asc)?.unwrap_or(now) } else { from.as_millisecond() };
        let to = if !open {
            to.as_millisecond()
        } else if from < now {
            now
        } else {
            // All of it is yet to come.
            end(Order::Desc)?.map_or(now, |newest| newest.saturating_add(1))
        };
        let to = to.max(from.saturating_add(1));
        let width = i128::from(to) - i128::from(from);
        // Times are whole milliseconds: a part shorter than that would begin where the next does.
        let parts = i128::try_from(buckets).unwrap_or(width).clamp(1, width);
        let edges: Vec<i64> = (0..=parts)
            .map(|part| i64::try_from(i128::from(from) + width * part / parts).unwrap_or(to))
            .collect();
        let mut counted_to = edges.clone();
        if let Some(last) = counted_to.last_mut().filter(|_| open) {
            *last = i64::MAX;
        }
        let counted = looked.histogram(&counted_to, deadline)?;
        let time = |millis| Timestamp::from_millisecond(millis).unwrap_or(Timestamp::UNIX_EPOCH);
        Ok(Histogram {
            range: Range { from: time(from), to: time(to) },
            buckets: edges.iter().map(|edge| time(*edge)).zip(counted).collect(),
        })
    }

    /// The commonest values of a field among what is looked for, with how many activities have each.
    pub fn facets(
        &self,
        scope: &Scope,
        filter: &Filter,
        field: FacetField,
        limit: usize,
    ) -> Result<Vec<Facet>, LookError> {
        let looked = self.0.index.searcher().search(filter, scope);
        Ok(looked.facets(field, limit, &Deadline::within(PATIENCE))?)
    }

    /// At most `limit` users who did most, as it is or was within the last minute; none where that cannot be told within [`SOON`].
    pub fn busiest_users(&self, limit: usize) -> Result<Option<Arc<[String]>>, LookError> {
        if let Some(known) = self.known_users() {
            return Ok(Some(known));
        }
        let began = Instant::now();
        let looked = self.0.index.searcher().search(&Filter::default(), &Scope::All);
        let found = looked.facets(FacetField::User, limit, &Deadline::within(SOON)).map_err(LookError::from);
        let Some(found) = soon(found)? else { return Ok(None) };
        let found: Arc<[String]> = found.into_iter().map(|facet| facet.value).collect();
        self.remember_users(&found, began.elapsed());
        Ok(Some(found))
    }

    fn remember_users(&self, found: &Arc<[String]>, took: Duration) {
        if took > QUICK {
            *self.busiest() = Some((Instant::now(), Arc::clone(found)));
        }
    }

    /// What [`App::busiest_users`] found within the last minute, where that took long.
    pub fn known_users(&self) -> Option<Arc<[String]>> {
        let known = self.busiest();
        known.as_ref().filter(|(since, _)| since.elapsed() < REMEMBERED).map(|(_, known)| Arc::clone(known))
    }

    /// Has it found out anew: some of them may have done nothing that is left.
    pub(super) fn forget_users(&self) {
        *self.busiest() = None;
    }

    fn busiest(&self) -> MutexGuard<'_, Option<(Instant, Arc<[String]>)>> {
        // Nothing is left half written in it.
        self.0.busiest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Values of a field that begin with `prefix`, the commonest first.
    pub fn suggest(
        &self,
        scope: &Scope,
        field: FacetField,
        prefix: &str,
        limit: usize,
    ) -> Result<Vec<Facet>, LookError> {
        let searcher = self.0.index.searcher();
        Ok(searcher.suggest(field, prefix, scope, limit, &Deadline::within(PATIENCE))?)
    }

    /// Waits until everything that is in the log now can be found, at most for so long; whether it can. Blocks.
    pub fn catch_up(&self, at_most: Duration) -> bool {
        self.0.index.wait_for(self.log().last(), at_most)
    }

    /// Waits until everything that is in the log now can be found, as long as the index goes on and at most for so long. Blocks.
    pub fn caught_up(&self, at_most: Duration) -> Result<(), LookError> {
        self.followed_to(self.log().last(), at_most)
    }

    /// The same of all up to `last`.
    pub(super) fn followed_to(&self, last: ActivityId, at_most: Duration) -> Result<(), LookError> {
        match self.0.index.follows_to(last, at_most) {
            Ok(true) => Ok(()),
            Ok(false) => Err(LookError::Behind(self.behind().unwrap_or(Behind::Lacks(0)))),
            Err(why) => Err(self.stands(why)),
        }
    }

    /// What is said where the index comes no further.
    pub(super) fn stands(&self, why: Standstill) -> LookError {
        let lacks = self.log().last().0.saturating_sub(self.0.index.status().indexed.0);
        let full = self.0.store.health() == Health::Full;
        LookError::Stands(Behind::Lacks(lacks), if full { "the disk is full".to_owned() } else { why.0 })
    }

    /// The log, for those who follow it within a scope of their own.
    pub fn log(&self) -> Log {
        self.0.store.log()
    }
}

/// What was told in time, if it was.
fn soon<T>(told: Result<T, LookError>) -> Result<Option<T>, LookError> {
    match told {
        Ok(told) => Ok(Some(told)),
        Err(LookError::TooSlow) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether an activity may be seen.
pub fn covers(scope: &Scope, activity: &Activity) -> bool {
    match scope {
        Scope::All => true,
        Scope::Own(name) => crate::model::user::UserName::fold(&activity.user) == name.as_str(),
    }
}

#[cfg(test)]
mod tests {
    use std::iter;

    use tempfile::TempDir;

    use super::*;
    use crate::domain::{clock::Clock, sessions::Limits};

    #[test]
    fn who_did_most_is_remembered_for_a_while_where_it_takes_long_to_find_out() {
        let folder = TempDir::new().unwrap();
        let cities = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/mmdb/GeoLite2-City-Test.mmdb");
        let clock = Clock::fixed("2026-03-15T12:00:00Z".parse().unwrap());
        let app = App::open(folder.path(), Some(cities.as_ref()), clock, Limits::default()).unwrap();
        for user in ["ann", "bob"] {
            let done = NewActivity::new(user, "tick", "t");
            app.0.store.write(app.now(), move |write| write.append(&done)).wait().unwrap();
        }
        assert!(app.catch_up(Duration::from_mins(1)));
        let users = || {
            // A machine that is busy has no answer at once.
            let mut told = iter::repeat_with(|| app.busiest_users(500).unwrap()).flatten();
            told.next().unwrap()
        };
        let then: Arc<[String]> = Arc::new(["ann".to_owned()]);
        app.remember_users(&then, QUICK);
        assert_eq!(app.known_users(), None);
        assert_eq!(*users(), ["ann", "bob"]);
        app.remember_users(&then, QUICK + Duration::from_millis(1));
        assert_eq!(app.known_users().as_ref(), Some(&then));
        assert_eq!(users(), then);
        app.forget_users();
        assert_eq!(*users(), ["ann", "bob"]);
    }
}
