//! Exports: every activity of a filter, of any number, in constant memory and as of one moment.
//!
//! How many it holds is said before the first, and kept: the index is looked at as it was when the export began, and says
//! which activities are in it. These are read from the log of now, a chunk at a time: an activity never changes, so the one
//! thing that can have become of it is that retention took it out, and then the export fails rather than ends. A moment of the
//! log that was held to the end would keep the file from using any page again, and somebody who reads slowly would let it grow
//! by all that is written meanwhile, many times over.

use std::{time::Duration, vec};

use jiff::Timestamp;

use super::{
    App, Gone,
    activity::{LookError, PATIENCE},
    turns::{Turn, Who, who},
};
use crate::{
    model::{
        activity::{Activity, OWN_APP, action},
        filter::{Asked, Cursor, Filter, Order},
        id::ActivityId,
        index::Behind,
        period::Range,
        seal::Form,
        session::Scope,
        user::{Actor, ActorKind},
    },
    store::{
        Appended, Horizons, Log, StoreError,
        index::{Deadline, Searcher, Source as _, Walk},
    },
};

/// How many activities the index is asked for at a time.
const FOUND: usize = 8000;

/// The most activities that are handed out at a time.
const CHUNK: usize = 256;

/// How many are handed out at first, while nothing is known of how long they are.
const FIRST: usize = 64;

/// How much text is handed out at a time, in bytes, as far as it can be told from what came before.
const TEXT: usize = 1 << 20;

/// How long an export waits for what is on its way into the index, and for an index that lacks more than that.
const CATCH_UP: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(2));

/// How many exports somebody may have under way.
const AT_ONCE: u32 = 2;

/// Why an export did not begin.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The one who asked has as many under way as one may have.
    #[error("{AT_ONCE} of your downloads are under way; wait until one of them has ended")]
    Busy,
    /// The one who asked has been signed out.
    #[error(transparent)]
    Gone(#[from] Gone),
    /// The search failed.
    #[error(transparent)]
    Look(#[from] LookError),
    /// What was exported cannot be had again as it was: some of it is gone.
    #[error(
        "{} of the {rows} rows of this export have been removed by retention since; its seal cannot be made any more",
        rows - left
    )]
    Removed {
        /// How many it had.
        rows: u64,
        /// How many are left.
        left: u64,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why an export did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum BrokenOff {
    /// The log could not be read.
    #[error(transparent)]
    Look(#[from] LookError),
    /// There were not as many as had been said, because some were removed meanwhile.
    #[error("{read} activities were read and {promised} were there when the export began; ask for it again")]
    Miscounted {
        /// How many were said to come.
        promised: u64,
        /// How many came before it was noticed.
        read: u64,
    },
}

impl From<StoreError> for BrokenOff {
    fn from(error: StoreError) -> Self {
        Self::Look(error.into())
    }
}

/// How what is exported is written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sheet {
    /// In which form.
    pub form: Form,
    /// Attributes that get a column each.
    pub columns: Vec<String>,
}

/// What the log says of an export: with it the same rows can be had again.
#[derive(Clone, Debug)]
pub struct Told {
    /// The activity that tells of it.
    pub id: ActivityId,
    /// When it was.
    pub time: Timestamp,
    /// What was looked for, in words.
    pub asked: String,
}

/// An export of the past, as the log tells of it.
#[derive(Clone, Debug)]
pub struct Past {
    /// The activity that tells of it.
    pub told: Activity,
    /// How it was written down.
    pub sheet: Sheet,
    /// Whose activities it was of.
    pub scope: Scope,
    /// Of which time.
    pub range: Range,
    rows: u64,
    /// No activity came into it that is newer than this one.
    until: ActivityId,
}

impl Past {
    /// Reads what an activity tells of an export; none if it tells of none, or of one by a version that told less.
    pub fn of(told: Activity) -> Option<Self> {
        if told.app != OWN_APP || told.action != action::EXPORT {
            return None;
        }
        let said = |name: &str| {
            let said = told.attributes.iter().find(|(known, _)| known == name);
            said.map(|(_, value)| value.as_str())
        };
        let columns = said("columns").map_or(Some(Vec::new()), |list| serde_json::from_str(list).ok())?;
        let sheet = Sheet { form: said("format")?.parse().ok()?, columns };
        let scope =
            if said("scope") == Some(EVERYBODY) { Scope::All } else { Scope::Own(told.user.parse().ok()?) };
        let range = said("range").map_or(Some(Range::ALL), Range::read)?;
        let (rows, until) = (said("rows")?.parse().ok()?, said("until")?.parse().ok()?);
        Some(Self { told, sheet, scope, range, rows, until })
    }
}

/// What an export of everybody's activities says of its scope.
const EVERYBODY: &str = "everybody";

/// An export under way: the index as it was when it began, and the log.
pub struct Export {
    hits: Walk,
    told: Told,
    /// Nothing that is newer comes into it.
    until: ActivityId,
    /// What the index has found and the log was not yet asked for.
    found: vec::IntoIter<Cursor>,
    log: Log,
    promised: u64,
    read: u64,
    /// How many activities make a chunk.
    chunk: usize,
    _turn: Option<Turn<Who>>,
}

impl App {
    /// Begins an export of all that is in the log now, which will be written down as `sheet` says, and tells the log of it.
    /// Blocks.
    ///
    /// Nobody has more than two under way; the console has as many as it likes.
    pub fn export(
        &self,
        by: &Actor,
        scope: &Scope,
        filter: &Filter,
        order: Order,
        asked: &Asked,
        sheet: &Sheet,
    ) -> Result<Export, ExportError> {
        let turn = match by.kind {
            ActorKind::Console => None,
            _ => Some(turn(self, by)?),
        };
        // What was answered before the export was asked for belongs into it.
        let patience = if self.behind().is_some() { CATCH_UP.1 } else { CATCH_UP.0 };
        if !self.catch_up(patience) {
            let lacks = self.log().last().0.saturating_sub(self.0.index.status().indexed.0);
            return Err(LookError::Behind(self.behind().unwrap_or(Behind::Lacks(lacks))).into());
        }
        // What is damaged would be lacking, and no later try has it.
        if let Some(damaged @ Behind::Damaged(_)) = self.behind() {
            return Err(LookError::Behind(damaged).into());
        }
        let searcher = self.searched_now()?;
        let looked = searcher.search(filter, scope);
        let promised = looked.count(&Deadline::within(PATIENCE)).map_err(LookError::from)?;
        let until = searcher.indexed();
        let mut told = self.did_look(by, action::EXPORT, filter, asked);
        let mut say = |name: &str, value: String| told.attributes.push((name.to_owned(), value));
        if order == Order::Asc && asked.0.iter().all(|(name, _)| *name != "order") {
            say("order", order.as_str().to_owned());
        }
        say("rows", promised.to_string());
        say("format", sheet.form.as_str().to_owned());
        if !sheet.columns.is_empty() {
            say("columns", serde_json::Value::from(sheet.columns.clone()).to_string());
        }
        if filter.range != Range::ALL {
            say("range", filter.range.write());
        }
        if *scope == Scope::All {
            say("scope", EVERYBODY.to_owned());
        }
        say("until", until.to_string());
        told.time = Some(self.now());
        let asked = told.detail.clone();
        let time = told.time.unwrap_or_default();
        let written = self.change(by, move |write| Ok::<_, ExportError>(write.append(&told)?));
        let (Appended::New(id) | Appended::Duplicate(id)) = written.wait()?;
        let told = Told { id, time, asked };
        Ok(Export {
            hits: looked.walk(order, None, FOUND, Deadline::never()),
            told,
            until,
            found: Vec::new().into_iter(),
            log: self.log(),
            promised,
            read: 0,
            chunk: FIRST,
            _turn: turn,
        })
    }

    /// Begins to read once more what an export of the past held: all of it, or none. `filter` and `order` are those that it was
    /// asked for with. The log is told nothing. Blocks.
    pub fn export_again(
        &self,
        by: &Actor,
        past: &Past,
        filter: &Filter,
        order: Order,
    ) -> Result<Export, ExportError> {
        let turn = turn(self, by)?;
        let searcher = self.searched_now()?;
        let filter = Filter { range: past.range, ..filter.clone() };
        let walk = |deadline| searcher.search(&filter, &past.scope).walk(order, None, FOUND, deadline);
        let mut left = 0;
        for found in walk(Deadline::within(PATIENCE)) {
            left += found.map_err(LookError::from)?.iter().filter(|hit| hit.id <= past.until).count() as u64;
        }
        if left != past.rows {
            return Err(ExportError::Removed { rows: past.rows.max(left), left });
        }
        Ok(Export {
            hits: walk(Deadline::never()),
            told: Told { id: past.told.id, time: past.told.time, asked: past.told.detail.clone() },
            until: past.until,
            found: Vec::new().into_iter(),
            log: self.log(),
            promised: past.rows,
            read: 0,
            chunk: FIRST,
            _turn: Some(turn),
        })
    }

    /// The index as it is now, without what the log no longer has.
    ///
    /// The index follows the log, so it is looked at first: the log has all that it knows, but for what retention has
    /// removed since. That lies behind the horizon of the log, and so the index is looked at before that horizon.
    fn searched_now(&self) -> Result<Searcher, ExportError> {
        let searcher = self.0.index.searcher();
        Ok(searcher.before(&self.0.store.read(Horizons::horizon)?))
    }
}

impl Export {
    /// How many activities it holds.
    pub const fn rows(&self) -> u64 {
        self.promised
    }

    /// What the log says of it.
    pub const fn told(&self) -> &Told {
        &self.told
    }

    /// The next activities; none when all were handed out, and as many as [`Export::rows`] had said.
    pub fn next_chunk(&mut self) -> Result<Option<Vec<Activity>>, BrokenOff> {
        while self.found.len() == 0 {
            match self.hits.next() {
                Some(found) => {
                    let mut found = found.map_err(LookError::from)?;
                    found.retain(|hit| hit.id <= self.until);
                    self.found = found.into_iter();
                }
                None if self.read == self.promised => return Ok(None),
                None => return Err(self.miscounted()),
            }
        }
        let ids = self.found.by_ref().take(self.chunk).map(|hit| hit.id);
        let asked = ids.len();
        let activities = self.log.activities(ids)?;
        self.read += activities.len() as u64;
        if activities.len() < asked || self.read > self.promised {
            return Err(self.miscounted());
        }
        let text: usize = activities.iter().map(Activity::text).sum();
        let fitting = TEXT / (text / asked.max(1)).max(1);
        // Those that come next may be longer: it grows step by step.
        self.chunk = fitting.min(4 * self.chunk).clamp(1, CHUNK);
        Ok(Some(activities))
    }

    const fn miscounted(&self) -> BrokenOff {
        BrokenOff::Miscounted { promised: self.promised, read: self.read }
    }
}

impl Iterator for Export {
    type Item = Result<Vec<Activity>, BrokenOff>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_chunk().transpose()
    }
}

/// The right to one export, until it is dropped.
fn turn(app: &App, by: &Actor) -> Result<Turn<Who>, ExportError> {
    app.0.exports.take(who(by), AT_ONCE).ok_or(ExportError::Busy)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use tempfile::TempDir;

    use super::*;
    use crate::{
        domain::{clock::Clock, sessions::Limits},
        model::{
            activity::{NewActivity, Outcome},
            horizon::Horizon,
            user::Role,
        },
    };

    /// Some thousands of activities, a second each.
    fn filled(detail: &str) -> (TempDir, App) {
        let folder = TempDir::new().unwrap();
        let cities = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/mmdb/GeoLite2-City-Test.mmdb");
        let clock = Clock::fixed("2026-03-15T12:00:00Z".parse().unwrap());
        let app = App::open(folder.path(), Some(cities.as_ref()), clock, Limits::default()).unwrap();
        let activity = |second| NewActivity {
            time: Timestamp::from_second(second).ok(),
            detail: detail.to_owned(),
            outcome: Outcome::Success,
            ..NewActivity::new("ann", "tick", "t")
        };
        append(&app, (1..=3217).map(activity).collect());
        assert!(app.catch_up(Duration::from_mins(1)));
        (folder, app)
    }

    fn append(app: &App, activities: Vec<NewActivity>) {
        app.0.store.write(app.now(), move |write| write.append_all(&activities)).wait().unwrap();
    }

    fn by(name: &str) -> Actor {
        Actor { name: name.to_owned(), kind: ActorKind::User(Role::Admin), ..Actor::console() }
    }

    fn filter() -> Filter {
        Filter { app: Some("t".to_owned()), ..Filter::default() }
    }

    fn sheet() -> Sheet {
        Sheet { form: Form::Csv, columns: vec!["note".to_owned(), "k,\"1".to_owned()] }
    }

    fn begin(app: &App, name: &str, order: Order) -> Result<Export, ExportError> {
        app.export(&by(name), &Scope::All, &filter(), order, &Asked::default(), &sheet())
    }

    fn read(export: Export) -> Vec<ActivityId> {
        export.flat_map(Result::unwrap).map(|activity| activity.id).collect()
    }

    #[test]
    fn an_export_of_the_past_is_had_again_as_it_was_or_not_at_all() {
        let (_folder, app) = filled("");
        for order in [Order::Desc, Order::Asc] {
            let export = begin(&app, "ann", order).unwrap();
            let id = export.told().id;
            let rows = read(export);
            let late =
                NewActivity { time: Timestamp::from_second(60).ok(), ..NewActivity::new("b", "late", "t") };
            append(&app, vec![late; 9_000]);
            assert!(app.catch_up(Duration::from_mins(1)));
            let told = app.activity(&Scope::All, id).unwrap().unwrap();
            let past = Past::of(told.clone()).unwrap();
            assert_eq!((&past.sheet, &past.scope, past.range), (&sheet(), &Scope::All, Range::ALL));
            let again = app.export_again(&by("ann"), &past, &filter(), order).unwrap();
            assert_eq!((again.rows(), again.told().id), (rows.len() as u64, id));
            assert_eq!(read(again), rows);
            assert!(Past::of(Activity { app: "t".into(), ..told.clone() }).is_none());
            assert!(Past::of(Activity { attributes: Vec::new(), ..told }).is_none());
        }
        let export = begin(&app, "ann", Order::Asc).unwrap();
        let past = Past::of(app.activity(&Scope::All, export.told().id).unwrap().unwrap()).unwrap();
        drop(export);
        app.0.store.write(app.now(), |write| write.set_horizon(&horizon())).wait().unwrap();
        let again = app.export_again(&by("ann"), &past, &filter(), Order::Asc);
        let gone = again.err().unwrap().to_string();
        assert!(gone.starts_with("19999 of the 21217 rows of this export have been removed"), "{gone}");
    }

    #[test]
    fn what_happens_while_an_export_is_read_does_not_show() {
        let (_folder, app) = filled("");
        for order in [Order::Desc, Order::Asc] {
            let mut export = begin(&app, "ann", order).unwrap();
            let promised = export.rows();
            let mut seen = export.next_chunk().unwrap().unwrap();
            let late =
                NewActivity { time: Timestamp::from_second(60).ok(), ..NewActivity::new("b", "late", "t") };
            append(&app, vec![late; 500]);
            assert!(app.catch_up(Duration::from_secs(30)));
            while let Some(more) = export.next_chunk().unwrap() {
                seen.extend(more);
            }
            assert_eq!(seen.len() as u64, promised);
            let sorted = seen.is_sorted_by_key(|activity| (activity.time, activity.id));
            assert!(if order == Order::Asc {
                sorted
            } else {
                seen.iter().rev().is_sorted_by_key(|activity| (activity.time, activity.id))
            });
        }
        assert_eq!(begin(&app, "ann", Order::Asc).unwrap().rows(), 3217 + 1000);
    }

    /// Some of what `filled` has made.
    fn horizon() -> Horizon {
        Horizon { all: 2_000_000, ..Horizon::default() }
    }

    #[test]
    fn what_was_removed_before_the_index_heard_of_it_is_not_promised() {
        let (_folder, app) = filled("");
        app.0.store.write(app.now(), |write| write.set_horizon(&horizon())).wait().unwrap();
        app.0.store.remove_behind(horizon()).unwrap();
        for order in [Order::Desc, Order::Asc] {
            let export = begin(&app, "ann", order).unwrap();
            assert_eq!(export.rows(), 1218);
            assert_eq!(export.map(|chunk| chunk.unwrap().len()).sum::<usize>(), 1218);
        }
    }

    #[test]
    fn what_retention_takes_out_of_an_export_under_way_breaks_it_off() {
        let (_folder, app) = filled("");
        for (order, removed) in [(Order::Desc, true), (Order::Asc, false)] {
            let mut export = begin(&app, "ann", order).unwrap();
            let promised = export.rows();
            let first = export.next_chunk().unwrap().unwrap().len() as u64;
            app.0.store.write(app.now(), |write| write.set_horizon(&horizon())).wait().unwrap();
            app.0.store.remove_behind(horizon()).unwrap();
            let end = loop {
                match export.next_chunk() {
                    Ok(Some(_)) => {}
                    Ok(None) => break None,
                    Err(error) => break Some(error),
                }
            };
            assert_eq!(end.is_some(), removed, "{first} of {promised}: {end:?}");
        }
    }

    #[test]
    fn an_export_that_nobody_reads_on_lets_the_file_use_its_pages_again() {
        use std::os::unix::fs::MetadataExt as _;
        let (folder, app) = filled("");
        let grown = || {
            let length = || std::fs::metadata(folder.path().join(crate::store::FILE)).unwrap().blocks() * 512;
            let before = length();
            for _ in 0..150 {
                append(&app, vec![NewActivity::new("b", "late", "t")]);
            }
            length() - before
        };
        let mut export = begin(&app, "ann", Order::Desc).unwrap();
        assert_eq!(export.next_chunk().unwrap().unwrap().len(), FIRST);
        let beside_an_export = grown();
        let moment = app.0.store.snapshot().unwrap();
        let beside_a_moment = grown();
        drop(moment);
        assert!(4 * beside_an_export < beside_a_moment, "{beside_an_export} and {beside_a_moment} bytes");
        assert_eq!(FIRST + read(export).len(), 3217);
    }

    #[test]
    fn an_export_that_lacks_what_it_promised_fails_rather_than_ends() {
        let (_folder, app) = filled("");
        // The log has lost what nobody was told of.
        app.0.store.remove_behind(horizon()).unwrap();
        for order in [Order::Desc, Order::Asc] {
            let mut export = begin(&app, "ann", order).unwrap();
            assert_eq!(export.rows(), 3217);
            let end = loop {
                match export.next_chunk() {
                    Ok(Some(_)) => {}
                    Ok(None) => break None,
                    Err(error) => break Some(error),
                }
            };
            assert!(matches!(end, Some(BrokenOff::Miscounted { promised: 3217, .. })), "{end:?}");
        }
    }

    #[test]
    fn everybody_has_two_exports_at_once_and_the_console_as_many_as_it_likes() {
        let (_folder, app) = filled("");
        let (one, two) = (begin(&app, "ann", Order::Asc), begin(&app, "ann", Order::Asc));
        assert!(matches!(begin(&app, "ann", Order::Asc), Err(ExportError::Busy)));
        assert!(begin(&app, "bob", Order::Asc).is_ok());
        drop(one);
        assert!(begin(&app, "ann", Order::Asc).is_ok());
        drop(two);
        assert!(app.0.exports.is_empty(), "nobody is remembered for nothing");
        let console = || {
            let (by, asked) = (Actor::console(), Asked::default());
            app.export(&by, &Scope::All, &Filter::default(), Order::Asc, &asked, &sheet())
        };
        let many: Vec<_> = (0..5).map(|_| console().unwrap()).collect();
        drop(many);
    }

    #[test]
    fn long_activities_are_handed_out_in_small_chunks() {
        let (_folder, app) = filled(&"x".repeat(10_000));
        let mut export = begin(&app, "ann", Order::Asc).unwrap();
        let first = export.next_chunk().unwrap().unwrap().len();
        assert_eq!(first, FIRST, "nothing is known of them yet");
        while let Some(chunk) = export.next_chunk().unwrap() {
            assert!(chunk.len() <= TEXT / 10_000, "{}", chunk.len());
        }
    }
}
