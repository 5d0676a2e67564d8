//! The tail of the log: what comes in, for those who watch.
//!
//! One task reads what is new, once for all who follow, and hands it around; while nobody follows there is no such task.
//! What was handed around last is kept for a moment. Who is slower than that, or comes back to where they were, reads on
//! from the log by number until they have caught up: the log is the buffer, and nobody's slowness costs memory. Each
//! batch says behind which activity it begins, so a follower knows by itself whether it has missed one.

use std::{
    fmt,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{
        Semaphore,
        broadcast::{
            self,
            error::RecvError::{Closed, Lagged},
        },
    },
    time::sleep,
};

use super::App;
use crate::{
    model::{
        activity::Activity,
        filter::Filter,
        id::ActivityId,
        query::{Candidate, Matcher},
        session::Scope,
    },
    store::{
        Horizons, Log, Store,
        index::{Source as _, SourceError},
    },
};

/// How many activities are read and handed around at once, at most.
const BATCH: usize = 256;

/// How much text such a batch has at most, in bytes, unless a single activity has more.
const WEIGHT: usize = 256 * 1024;

/// How many batches are kept for those who are a little slow: with [`WEIGHT`], 8 MiB of text at most.
const KEPT: usize = 32;

/// How many who are far behind read from the log at the same time. The others wait for their turn.
const READERS: usize = 4;

/// The pause after each batch that was not a full one: what comes in meanwhile goes around together.
const GATHER: Duration = Duration::from_millis(50);

/// The pause after the log could not be read.
const PAUSE: Duration = Duration::from_secs(1);

/// An activity that was handed around.
pub struct News {
    candidate: Candidate,
    written: OnceLock<Box<str>>,
}

impl News {
    /// The activity.
    pub const fn activity(&self) -> &Activity {
        self.candidate.activity()
    }

    /// The activity as it is sent: written once, by the first who sends it. All must write it alike.
    pub fn written(&self, write: impl FnOnce(&Activity) -> String) -> &str {
        self.written.get_or_init(|| write(self.activity()).into_boxed_str())
    }
}

impl fmt::Debug for News {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.activity().id, f)
    }
}

/// All activities behind one number up to another, but for those that no search finds any more.
#[derive(Debug)]
struct Batch {
    after: ActivityId,
    last: ActivityId,
    /// Whether there may be more behind it.
    full: bool,
    /// In the order of their ids.
    news: Vec<Arc<News>>,
}

impl Batch {
    /// What comes behind `after`; none if nothing does. Blocks.
    fn read(store: &Store, after: ActivityId) -> Result<Option<Self>, SourceError> {
        let mut read = store.log().read(after, BATCH)?;
        let mut weight = 0;
        let fits = |activity: &Activity| {
            weight += activity.text();
            weight <= WEIGHT
        };
        let light = read.iter().map(fits).take_while(|fits| *fits).count();
        let full = read.len() == BATCH || light < read.len();
        read.truncate(light.max(1));
        let Some(last) = read.last().map(|last| last.id) else { return Ok(None) };
        let horizon = store.read(Horizons::horizon).map_err(|error| SourceError(error.into()))?;
        let left = read.into_iter().filter(|activity| !horizon.hides(activity));
        let news =
            |activity: Activity| Arc::new(News { candidate: activity.into(), written: OnceLock::new() });
        Ok(Some(Self { after, last, full, news: left.map(news).collect() }))
    }

    /// What of it comes behind `seen` and is looked for.
    fn hits(&self, matcher: &Matcher, seen: ActivityId) -> Vec<Arc<News>> {
        let new = self.news.iter().filter(|news| news.activity().id > seen);
        new.filter(|news| matcher.matches(&news.candidate)).cloned().collect()
    }
}

/// Where news is handed around.
pub(super) struct Tail {
    feed: broadcast::Sender<Arc<Batch>>,
    /// Whether the task runs that reads what is new.
    running: Arc<Mutex<bool>>,
    readers: Arc<Semaphore>,
}

impl Default for Tail {
    fn default() -> Self {
        let (feed, _) = broadcast::channel(KEPT);
        Self { feed, running: Arc::default(), readers: Arc::new(Semaphore::new(READERS)) }
    }
}

impl Tail {
    /// What is handed around from now on.
    fn subscribe(&self, store: &Store) -> broadcast::Receiver<Arc<Batch>> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let feed = self.feed.subscribe();
        if !*running {
            *running = true;
            // From here, not from where the log is when the task begins: whoever came in between waits for it.
            let at = store.log().last();
            tokio::spawn(hand_around(store.clone(), at, self.feed.clone(), Arc::clone(&self.running)));
        }
        feed
    }

    fn follow(&self, store: &Store, matcher: Matcher, after: Option<ActivityId>) -> Follower {
        let feed = self.subscribe(store);
        let log = store.log();
        // Asked for only now, so that nothing falls between the two. A log that was put back to an older state may be
        // shorter than somebody remembers it.
        let last = log.last();
        let seen = after.map_or(last, |after| after.min(last));
        let (matcher, readers) = (Arc::new(matcher), Arc::clone(&self.readers));
        Follower { store: store.clone(), log, matcher, feed, readers, seen, behind: seen < last }
    }
}

/// Reads what is new behind `at` and hands it around, as long as somebody follows.
async fn hand_around(
    store: Store,
    mut at: ActivityId,
    feed: broadcast::Sender<Arc<Batch>>,
    running: Arc<Mutex<bool>>,
) {
    let mut newest = store.log().watch();
    loop {
        let grown = tokio::select! {
            () = feed.closed() => false,
            grown = newest.wait_for(|newest| *newest > at.0) => grown.is_ok(),
        };
        if !grown {
            let mut running = running.lock().unwrap_or_else(PoisonError::into_inner);
            // Somebody may have come since.
            if feed.receiver_count() == 0 || newest.has_changed().is_err() {
                *running = false;
                return;
            }
            continue;
        }
        match apart(&store, move |store| Batch::read(store, at)).await {
            Ok(Some(batch)) => {
                at = batch.last;
                let full = batch.full;
                // The last to follow may just have left.
                let _ = feed.send(Arc::new(batch));
                if !full {
                    sleep(GATHER).await;
                }
            }
            // The newest has been removed before it was read.
            Ok(None) => at = at.max(ActivityId(*newest.borrow())),
            Err(error) => {
                log::error!("what is new cannot be shown to those who watch: {error}");
                sleep(PAUSE).await;
            }
        }
    }
}

/// Does something slow with the store where it holds up nobody.
async fn apart<T: Send + 'static>(
    store: &Store,
    work: impl FnOnce(&Store) -> Result<T, SourceError> + Send + 'static,
) -> Result<T, SourceError> {
    let store = store.clone();
    let done = tokio::task::spawn_blocking(move || work(&store)).await;
    done.unwrap_or_else(|error| Err(SourceError(error.into())))
}

/// Somebody who watches what comes in, of what they look for and may see.
pub struct Follower {
    store: Store,
    log: Log,
    matcher: Arc<Matcher>,
    feed: broadcast::Receiver<Arc<Batch>>,
    readers: Arc<Semaphore>,
    seen: ActivityId,
    /// Whether what comes next may have to be read from the log.
    behind: bool,
}

impl App {
    /// Follows what comes in, within `scope`: behind the activity `after`, or from now on. The period of `filter` counts
    /// like the rest of it. Must be called within the runtime.
    pub fn follow(&self, scope: &Scope, filter: &Filter, after: Option<ActivityId>) -> Follower {
        self.0.tail.follow(&self.0.store, Matcher::new(filter, scope), after)
    }
}

impl Follower {
    /// Everything up to here has been looked at, and handed out if it was looked for.
    pub const fn seen(&self) -> ActivityId {
        self.seen
    }

    /// How many activities of the log, of whatever kind, there may still be to look at.
    pub fn left(&self) -> u64 {
        self.log.last().0.saturating_sub(self.seen.0)
    }

    /// Waits for what is looked for; at least one, in the order of their ids. May be given up at any moment and asked
    /// again: nothing is lost.
    pub async fn next(&mut self) -> Result<Vec<Arc<News>>, SourceError> {
        loop {
            let hits = if self.behind { self.read_on().await? } else { self.listen().await? };
            if !hits.is_empty() {
                return Ok(hits);
            }
        }
    }

    /// What was handed around next.
    async fn listen(&mut self) -> Result<Vec<Arc<News>>, SourceError> {
        match self.feed.recv().await {
            Ok(batch) if batch.last <= self.seen => {}
            Ok(batch) if batch.after <= self.seen => {
                let hits = batch.hits(&self.matcher, self.seen);
                self.seen = batch.last;
                return Ok(hits);
            }
            Ok(_) | Err(Lagged(_)) => self.behind = true,
            Err(Closed) => return Err(SourceError("nobody reads it any more".into())),
        }
        Ok(Vec::new())
    }

    /// What is next in the log. At its end, what is handed around goes on without a gap: it began before this reading.
    async fn read_on(&mut self) -> Result<Vec<Arc<News>>, SourceError> {
        let turn = Arc::clone(&self.readers).acquire_owned().await;
        let turn = turn.map_err(|error| SourceError(error.into()))?;
        let (matcher, seen) = (Arc::clone(&self.matcher), self.seen);
        let read = apart(&self.store, move |store| {
            // The turn is over when the reading is, also where nobody waits for it any more.
            let _turn = turn;
            let batch = Batch::read(store, seen)?;
            Ok(batch.map(|batch| (batch.last, batch.hits(&matcher, seen))))
        });
        let Some((last, hits)) = read.await? else {
            self.behind = false;
            return Ok(Vec::new());
        };
        self.seen = last;
        Ok(hits)
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::{
        model::{
            activity::{NewActivity, limits},
            horizon::Horizon,
        },
        store::Store,
    };

    fn store() -> Store {
        Store::in_memory(Timestamp::UNIX_EPOCH, || [7; 16]).unwrap()
    }

    async fn append(store: &Store, count: usize, detail: String) {
        let activity = NewActivity::new("ann", "count", "app").saying(detail);
        let change = store.write(Timestamp::UNIX_EPOCH, move |write| {
            write.append_all(std::iter::repeat_n(&activity, count)).map(drop)
        });
        change.done().await.unwrap();
    }

    fn all(tail: &Tail, store: &Store, after: Option<ActivityId>) -> Follower {
        tail.follow(store, Matcher::new(&Filter::default(), &Scope::All), after)
    }

    /// The numbers of so many activities.
    async fn numbers(follower: &mut Follower, count: usize) -> Vec<u64> {
        let mut numbers = Vec::new();
        while numbers.len() < count {
            let news = follower.next().await.unwrap();
            numbers.extend(news.iter().map(|news| news.activity().id.0));
        }
        numbers
    }

    #[tokio::test]
    async fn who_is_too_slow_reads_on_from_the_log_and_goes_on_live() {
        let (store, tail) = (store(), Tail::default());
        let (mut quick, mut slow) = (all(&tail, &store, None), all(&tail, &store, None));
        let many = BATCH * (KEPT + 8);
        append(&store, many, String::new()).await;
        let expected: Vec<u64> = (1..=many as u64).collect();
        assert_eq!(numbers(&mut quick, many).await, expected);
        assert!(slow.feed.len() > KEPT, "more has been handed around than is kept");
        assert_eq!(numbers(&mut slow, many).await, expected);
        append(&store, 1, String::new()).await;
        assert_eq!(numbers(&mut slow, 1).await, [many as u64 + 1]);
        assert_eq!(slow.left(), 0);
    }

    #[tokio::test]
    async fn what_is_handed_around_is_limited_in_bytes_but_for_a_single_activity() {
        let (store, tail) = (store(), Tail::default());
        append(&store, 100, "x".repeat(limits::DETAIL)).await;
        let batch = Batch::read(&store, ActivityId(0)).unwrap().unwrap();
        assert_eq!(batch.last, ActivityId(3), "a fourth would weigh too much");
        let mut follower = all(&tail, &store, Some(ActivityId(0)));
        assert_eq!(numbers(&mut follower, 100).await, (1..=100).collect::<Vec<_>>());
        let mut heavy = NewActivity::new("ann", "count", "app");
        heavy.attributes =
            (0..64).map(|number| (number.to_string(), "x".repeat(limits::ATTRIBUTE_VALUE))).collect();
        let change = store.write(Timestamp::UNIX_EPOCH, move |write| write.append(&heavy).map(drop));
        change.done().await.unwrap();
        assert_eq!(numbers(&mut follower, 1).await, [101]);
    }

    #[tokio::test]
    async fn what_lies_behind_the_horizon_is_not_told() {
        let (store, tail) = (store(), Tail::default());
        let mut follower = all(&tail, &store, None);
        let now = Timestamp::from_millisecond(5).unwrap();
        let change = store.write(now, |write| {
            write.set_horizon(&Horizon::new(Vec::new(), 1))?;
            let new = NewActivity::new("ann", "count", "app");
            let old = NewActivity { time: Some(Timestamp::UNIX_EPOCH), ..new.clone() };
            write.append_all([&old, &new]).map(drop)
        });
        change.done().await.unwrap();
        assert_eq!(numbers(&mut follower, 1).await, [2]);
        assert_eq!(numbers(&mut all(&tail, &store, Some(ActivityId(0))), 1).await, [2]);
    }

    #[tokio::test]
    async fn nothing_is_read_while_nobody_follows() {
        let (store, tail) = (store(), Tail::default());
        let running = || *tail.running.lock().unwrap();
        for round in 1..=3 {
            assert!(!running());
            let mut follower = all(&tail, &store, None);
            assert!(running());
            append(&store, 1, String::new()).await;
            assert_eq!(numbers(&mut follower, 1).await, [round]);
            drop(follower);
            let gone = async {
                while running() {
                    tokio::task::yield_now().await;
                }
            };
            tokio::time::timeout(Duration::from_secs(10), gone).await.expect("the task ends");
        }
    }
}
