//! The thread that keeps the index up with the log.
//!
//! It reads what is new, adds it, and commits when something waits and a fifth of a second has passed, so that an
//! answered write can be found within a second; far behind, it commits less often. Whatever goes wrong, a full disk
//! included, it begins again from its last commit after a pause, and what is indexed stays searchable.

use std::{
    panic::{self, AssertUnwindSafe},
    path::PathBuf,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use tantivy::{FutureResult, IndexWriter, SegmentMeta, TantivyError, indexer::IndexWriterOptions};

use super::{
    OpenError, SourceError, brief,
    document::Document,
    folder::{Folder, payload},
    merge::Neighbours,
    purge::Purge,
    search::SearchError,
    source::Source,
    status::{FAR, Shared, Stop},
    sums::Rounds,
};
use crate::{
    model::{
        id::ActivityId,
        index::{Behind, State},
    },
    store::{aside::step_aside, map},
};

/// How often it is said how far an index has come that was far behind.
const SAY: Duration = Duration::from_secs(10);

/// How many activities are read at once.
const BATCH: usize = 1000;
/// How long something waits to be found, at least: a commit costs 10 to 15 ms.
const SOON: Duration = Duration::from_millis(200);
/// How often progress is committed while far behind.
const BEHIND: Duration = Duration::from_secs(3);
/// How long a wait for the log may keep the thread from ending.
const TICK: Duration = Duration::from_millis(100);
/// How often what was read of the files is let go, where it has become much: a search reads tens of megabytes in that time.
const LET_GO: Duration = Duration::from_millis(100);
/// How often finished merges are looked for while nothing happens.
const TIDY: Duration = Duration::from_secs(1);
/// The first pause after a failure; each further one is twice as long, up to the last.
const PAUSE: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(4));
/// How many times as long as a verification takes nothing leads to another, so that doubts can have no more than a twentieth of the
/// follower's time.
const AGAIN: u32 = 20;
/// Memory for the words of what is not committed yet, in bytes; more of them make another segment.
const MEMORY: usize = 64_000_000;

pub(super) struct Follower {
    folder: Folder,
    source: Arc<dyn Source>,
    shared: Arc<Shared>,
    /// When the files were verified last, and how long that took.
    verified: (Instant, Duration),
}

/// Why the follower could not go on.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Index(#[from] TantivyError),
    #[error(transparent)]
    Search(#[from] SearchError),
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error("it came upon something impossible")]
    Panic,
}

impl Follower {
    pub(super) fn new(folder: Folder, source: Arc<dyn Source>, shared: Arc<Shared>) -> Self {
        Self { folder, source, shared, verified: (Instant::now(), Duration::ZERO) }
    }

    /// Follows until it is told to stop.
    pub(super) fn run(mut self) {
        step_aside();
        let mut whole = self.is_whole();
        let mut pause = PAUSE.0;
        while self.shared.stopping().is_none() {
            let before = self.shared.snapshot().indexed;
            if whole && self.doubts() {
                whole = self.is_whole();
            }
            whole = whole && !self.shared.is_to_begin_anew();
            // Files that are damaged in a way that nobody thought of must not end the following.
            let attempt = || if whole { self.follow() } else { self.start_over() };
            let followed = panic::catch_unwind(AssertUnwindSafe(attempt)).unwrap_or(Err(Failure::Panic));
            whole |= followed.is_ok();
            if let Err(failure) = followed {
                let failure = brief(&failure);
                log::error!("the search index waits: {failure}");
                self.shared.failed(failure);
                // Files that can no longer be believed are not tried again.
                whole = whole && self.first_damaged().is_none();
                if self.shared.snapshot().indexed > before {
                    pause = PAUSE.0;
                }
                self.shared.pause(pause);
                pause = (pause * 2).min(PAUSE.1);
            }
        }
        self.shared.set_state(State::Stopped);
    }

    /// Verifies the files, while nobody takes an answer for whole.
    fn is_whole(&mut self) -> bool {
        self.shared.set_state(State::Checking);
        let began = Instant::now();
        let damaged = self.first_damaged();
        self.verified = (Instant::now(), began.elapsed());
        self.shared.doubt.settle();
        damaged.is_none()
    }

    fn first_damaged(&self) -> Option<PathBuf> {
        let damaged = self.folder.first_damaged(|| self.shared.stopping().is_none());
        if let Some(file) = &damaged {
            log::warn!("{} is not as it was written", file.display());
        }
        damaged
    }

    /// Whether the files are to be verified, because something that was found cannot be. Where they were found whole just now it may
    /// be no fault of theirs, and who asks the same again and again must not keep the follower busy.
    fn doubts(&self) -> bool {
        let (at, took) = self.verified;
        self.shared.doubt.is_raised() && at.elapsed() >= took * AGAIN
    }

    fn start_over(&mut self) -> Result<(), Failure> {
        if !self.shared.is_to_begin_anew() {
            log::warn!("the search index is damaged; it is built anew");
        }
        self.folder = self.folder.start_over()?;
        self.shared.lose_everything(self.source.last());
        self.shared.publish(self.folder.snapshot()?);
        self.shared.has_begun_anew();
        Ok(())
    }

    /// Follows from the last commit on, until it is told to stop or something fails.
    fn follow(&self) -> Result<(), Failure> {
        let options = IndexWriterOptions::builder()
            .num_worker_threads(1)
            .num_merge_threads(1)
            .memory_budget_per_thread(MEMORY)
            .build();
        let writer: IndexWriter<Document> = self.folder.index.writer_with_options(options)?;
        writer.set_merge_policy(Box::new(Neighbours::new(self.folder.index.clone())));
        let indexed = self.folder.indexed()?.unwrap_or(ActivityId(0));
        let left_out = self.folder.left_out()?;
        self.shared.set_left_out(left_out);
        self.shared.set_state(State::Following);
        let now = Instant::now();
        let session = Session {
            follower: self,
            writer,
            read: indexed,
            left_out,
            waiting: None,
            let_go: now,
            tidied: now,
            rewriting: None,
            purge_from: now,
            rounds: Rounds::new(now),
            behind: None,
        };
        session.run()
    }
}

/// The time between two failures, in which one writer is open.
struct Session<'a> {
    follower: &'a Follower,
    writer: IndexWriter<Document>,
    /// The last activity that was added.
    read: ActivityId,
    /// How many before it the log could not read any more.
    left_out: u64,
    /// Since when something waits for its commit.
    waiting: Option<Instant>,
    /// When files were last let go of the memory of this process.
    let_go: Instant,
    /// When merges and what is gone were last looked for.
    tidied: Instant,
    /// A segment being written again without what is gone.
    rewriting: Option<FutureResult<Option<SegmentMeta>>>,
    /// When segments may next be looked through for what is gone.
    purge_from: Instant,
    /// The rounds through the files.
    rounds: Rounds,
    /// Where the index was far behind the log when this began and has not caught up: when that was, and when it was said last.
    behind: Option<(Instant, Instant)>,
}

impl Session<'_> {
    fn run(mut self) -> Result<(), Failure> {
        let Follower { source, shared, .. } = self.follower;
        let (last, now) = (source.last(), Instant::now());
        if last.0.saturating_sub(self.read.0) > FAR {
            log::warn!(
                "the search index has {} of {} activities and is brought up to the log",
                self.read.0,
                last.0
            );
            self.behind = Some((now, now));
        }
        loop {
            match shared.stopping() {
                Some(Stop::Leave) => return Ok(()),
                Some(Stop::Keep) => return if self.waiting.is_some() { self.commit() } else { Ok(()) },
                None if shared.is_to_begin_anew() || self.follower.doubts() => return Ok(()),
                None => {}
            }
            self.let_go();
            let added = self.read_batch()?;
            let last = source.last();
            shared.heard_of(last);
            let patience = if last.0.saturating_sub(self.read.0) > FAR { BEHIND } else { SOON };
            let waited = self.waiting.map(|since| since.elapsed());
            if waited.is_some_and(|waited| waited >= patience) {
                self.commit()?;
                self.say_how_far(last);
                self.tidy()?;
            } else if added == 0 {
                if waited.is_none() {
                    self.tidy()?;
                }
                let at_most = waited.map_or(TICK, |waited| SOON.saturating_sub(waited).min(TICK));
                source.wait(self.read, at_most);
            }
        }
    }

    /// Says how far an index has come that was far behind, every ten seconds, and when it is there.
    fn say_how_far(&mut self, last: ActivityId) {
        let Some((began, said)) = self.behind else { return };
        if last.0.saturating_sub(self.read.0) <= FAR {
            log::warn!("the search index has caught up after {:.1} s", began.elapsed().as_secs_f64());
            self.behind = None;
        } else if said.elapsed() >= SAY {
            log::warn!("the search index has {} of {} activities", self.read.0, last.0);
            self.behind = Some((began, Instant::now()));
        }
    }

    /// Adds some of what is new, and says how much.
    fn read_batch(&mut self) -> Result<usize, Failure> {
        let Follower { source, folder, .. } = self.follower;
        let batch = match source.read(self.read, BATCH) {
            Ok(batch) => batch,
            Err(error) => {
                let last = source.damaged_behind(self.read)?.ok_or(error)?;
                self.leave_out(last);
                return Ok(1);
            }
        };
        for activity in &batch {
            // A source that repeats itself must not make an activity be found twice.
            if activity.id > self.read {
                self.writer.add_document(Document::of(&folder.fields, activity))?;
                self.read = activity.id;
            }
        }
        if !batch.is_empty() {
            self.waiting.get_or_insert_with(Instant::now);
        }
        Ok(batch.len())
    }

    /// Goes on behind activities that are damaged, up to `last`: what comes after them is found, and no answer is called whole.
    fn leave_out(&mut self, last: ActivityId) {
        log::error!(
            "the activities {} to {} of the log are damaged, and cannot be read or found; {}",
            self.read.0 + 1,
            last.0,
            Behind::Damaged(0).remedy()
        );
        self.left_out += last.0.saturating_sub(self.read.0);
        self.read = last;
        self.follower.shared.set_left_out(self.left_out);
        self.waiting.get_or_insert_with(Instant::now);
    }

    fn commit(&mut self) -> Result<(), Failure> {
        let mut commit = self.writer.prepare_commit()?;
        commit.set_payload(&payload(self.read, self.left_out));
        commit.commit()?;
        self.waiting = None;
        self.publish()
    }

    fn publish(&self) -> Result<(), Failure> {
        let Follower { folder, shared, .. } = self.follower;
        let snapshot = folder.snapshot_after(Some(&shared.snapshot()))?;
        shared.publish(snapshot);
        Ok(())
    }

    fn let_go(&mut self) {
        if self.let_go.elapsed() >= LET_GO {
            map::tend();
            self.let_go = Instant::now();
        }
    }

    /// Now and then, while nothing waits for its commit.
    fn tidy(&mut self) -> Result<(), Failure> {
        if self.tidied.elapsed() < TIDY {
            return Ok(());
        }
        self.tidied = Instant::now();
        if self.follower.folder.look_on(&mut self.rounds, self.tidied).is_some() {
            self.follower.shared.doubt.raise();
            return Ok(());
        }
        self.take_over_merges()?;
        self.purge()
    }

    /// Searches move on to merged segments, and the files of the old ones go.
    fn take_over_merges(&self) -> Result<(), Failure> {
        let Follower { folder, shared, .. } = self.follower;
        let now = folder.index.searchable_segment_ids()?;
        let snapshot = shared.snapshot();
        if now.len() == snapshot.segments.len() && snapshot.segments.iter().all(|s| now.contains(&s.id())) {
            return Ok(());
        }
        drop(snapshot);
        self.publish()?;
        self.writer.garbage_collect_files().wait()?;
        Ok(())
    }

    /// Removes some of what lies behind the horizon: in the background, and one large segment after the other.
    fn purge(&mut self) -> Result<(), Failure> {
        if let Some(rewriting) = &mut self.rewriting {
            match Pin::new(rewriting).poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Pending => return Ok(()),
                Poll::Ready(Ok(_)) => self.rewriting = None,
                Poll::Ready(Err(error)) => {
                    // Another merge may have been faster; or there is no room.
                    log::warn!(
                        "what retention removed still takes room in the search index: {}",
                        brief(&error)
                    );
                    self.rewriting = None;
                    self.purge_from = Instant::now() + PAUSE.1;
                }
            }
            self.take_over_merges()?;
        }
        if Instant::now() < self.purge_from {
            return Ok(());
        }
        let purge = Purge::of(&self.follower.shared.snapshot())?;
        if purge.is_empty() {
            return Ok(());
        }
        purge.delete(&self.writer)?;
        self.commit()?;
        if !purge.rewritten().is_empty() {
            self.rewriting = Some(self.writer.merge(purge.rewritten()));
        }
        Ok(())
    }
}
