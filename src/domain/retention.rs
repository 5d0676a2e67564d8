//! Retention: how long the log is kept, and what is taken out of it.
//!
//! Where the horizon is, who moved it and why are written in one transaction; from its commit on nobody finds what lies
//! behind it. The disk gets its room back afterwards, in the background.
//!
//! A clock that jumps ahead must not cost the log. So the hourly run removes at most a tenth of it by itself because of its age, or a few;
//! more has to be agreed to by an administrator, on the Settings page. What is too much does not wait: no clock says how large the
//! log is.

use std::sync::{Arc, PoisonError};

use jiff::{SignedDuration, Timestamp};

use super::{
    App, Gone,
    activity::{LookError, PATIENCE},
};
use crate::{
    model::{
        activity::{NewActivity, OWN_APP, action},
        filter::Filter,
        horizon::{Class, Horizon},
        noun::activities,
        period::Range,
        retention::Retention,
        secret::Token,
        session::Scope,
        user::Actor,
    },
    store::{
        Horizons, Settings as _, StoreError, Write,
        index::{Deadline, SearchError, Searcher},
    },
};

/// The setting it is kept in.
const SETTING: &str = "retention";

/// One in so many activities may go because of its age without being asked about, and [`FEW`] in any case.
const SHARE: u64 = 10;

/// See [`SHARE`].
const FEW: u64 = 20;

/// How long is kept what apps were told of the ends of sessions, once they were told or given up on: a month.
const TOLD: SignedDuration = SignedDuration::from_hours(30 * 24);

/// How many rows are looked through in one transaction of a few milliseconds.
const SLICE: usize = 500;

/// What rules would do now.
#[derive(Clone, Debug)]
pub struct Outlook {
    /// How many activities would be gone.
    pub removes: u64,
    /// How many there are.
    pub of: u64,
    /// Where the horizon would be.
    horizon: Horizon,
}

/// The room that the log and its index take on the disk, in bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Room {
    /// All of it.
    pub all: u64,
    /// What of it stays of activities that retention took out, so that the log can be proven without them. A limit of the log's
    /// size leaves it out: removing more would make it no smaller.
    pub gone: u64,
}

/// Why the log was not tended to.
#[derive(Debug, thiserror::Error)]
pub enum RetentionError {
    /// Too much is too old for nobody to have been asked.
    #[error(
        "retention waits: it would remove {removes} of {} because of their age; look at Settings > Retention and agree to it, or mend the clock",
        activities(*.of)
    )]
    Much {
        /// How many activities would go.
        removes: u64,
        /// How many there are.
        of: u64,
    },
    /// The one who asked has been signed out.
    #[error(transparent)]
    Gone(#[from] Gone),
    /// The index could not count.
    #[error(transparent)]
    Look(#[from] LookError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<SearchError> for RetentionError {
    fn from(error: SearchError) -> Self {
        Self::Look(error.into())
    }
}

impl Outlook {
    /// Whether it is more than may go because of its age without being asked about.
    const fn much(&self) -> bool {
        self.removes > FEW && self.removes > self.of / SHARE
    }

    /// Whether nothing has a time of its own.
    pub const fn only_by_age(&self) -> bool {
        self.horizon.classes.is_empty()
    }

    /// The moment before which nothing is left but classes with a longer time; none if nothing goes by its age alone.
    pub fn moment(&self) -> Option<Timestamp> {
        Timestamp::from_millisecond(self.horizon.all).ok().filter(|_| self.horizon.all != i64::MIN)
    }
}

impl App {
    /// How long the log is kept.
    pub fn retention(&self) -> Result<Retention, StoreError> {
        let set = self.0.store.read(|read| read.setting_as(SETTING))?;
        Ok(set.unwrap_or_default())
    }

    /// What the log and its index take.
    pub fn room(&self) -> Result<Room, StoreError> {
        let (log, gone) = self
            .0
            .store
            .read(|read| Ok::<_, StoreError>((read.log_bytes()?, read.bytes_of_what_is_gone()?)))?;
        Ok(Room { all: log + self.0.index.bytes(), gone })
    }

    /// What rules would remove if they were applied now. Blocks.
    pub fn outlook(&self, retention: &Retention) -> Result<Outlook, RetentionError> {
        self.outlook_from(retention.horizon(self.now()), retention.size)
    }

    /// The same, for somebody who is to agree to it: nothing where the index lacks some of what would go. Blocks.
    pub fn exact_outlook(&self, retention: &Retention) -> Result<Outlook, RetentionError> {
        self.all_counted()?;
        self.outlook(retention)
    }

    /// What waits for an administrator, because more is too old by these rules than may go without being asked about. Blocks.
    pub fn waiting(&self, retention: &Retention) -> Result<Option<Outlook>, RetentionError> {
        let by_age = self.up_to(&retention.horizon(self.now()))?;
        Ok(Some(by_age).filter(Outlook::much))
    }

    /// What goes by this horizon and by the size that the log may have. That leaves out what has a time that is yet to come: it is
    /// never the oldest, so all that is true would go in its place.
    fn outlook_from(&self, mut wanted: Horizon, size: Option<u64>) -> Result<Outlook, RetentionError> {
        if let Some(most) = size {
            let Some(moment) = self.too_much(most)? else { return self.up_to(&wanted) };
            wanted.all = wanted.all.max(moment);
            for (_, own) in &mut wanted.classes {
                *own = moment.max(*own);
            }
        }
        self.up_to(&wanted)
    }

    /// Refuses where the index, in which what is removed is counted, has not all of it.
    fn all_counted(&self) -> Result<(), RetentionError> {
        self.behind().map_or(Ok(()), |behind| Err(LookError::Behind(behind).into()))
    }

    /// The moment before which so much happened that without it the log takes less than `most` bytes; none if it does so with it.
    /// What an activity takes is between a hundred bytes and hundreds of kilobytes, so each stretch of the log counts with what it takes
    /// itself, and the index, the hashes and the keys in proportion to it.
    fn too_much(&self, most: u64) -> Result<Option<i64>, RetentionError> {
        let come = self.0.sure.now().as_millisecond();
        let (takes, all, mut weights) = self.0.store.read(|read| {
            let takes = read.log_bytes()?.saturating_sub(read.bytes_of_what_is_gone()?);
            let gone = read.horizon()?.earliest();
            let (mut all, mut weights) = (0, Vec::new());
            read.weigh(|time, bytes| {
                all += bytes;
                // What retention hides may be on the disk still, and is not to be held against what is left.
                if (gone..come).contains(&time) {
                    weights.push((time, bytes));
                }
            })?;
            Ok::<_, StoreError>((takes + self.0.index.bytes(), all, weights))
        })?;
        let weigh = |bytes: u64| u128::from(bytes) * u128::from(takes) / u128::from(all.max(1));
        let bytes: u128 = weights.iter().map(|(_, bytes)| weigh(*bytes)).sum();
        let most = u128::from(most);
        if bytes <= most {
            return Ok(None);
        }
        // A twentieth more than needed, so that it is not the same again in an hour.
        let mut spare = bytes - (most - most / 20);
        weights.sort_unstable();
        for (time, bytes) in weights {
            let bytes = weigh(bytes);
            if bytes >= spare {
                return Ok(Some(time.saturating_add(1).min(come)));
            }
            spare -= bytes;
        }
        Ok(Some(come))
    }

    /// Keeps an outlook that is shown to somebody, who is to agree to it; what fetches it again within five minutes.
    pub fn ask_to_agree(&self, retention: &Retention, outlook: &Outlook) -> Token {
        self.0.agreements.keep((retention.clone(), outlook.clone()), 1, self.0.clock.read())
    }

    /// The outlook of these rules that was shown under this token.
    pub fn agreed(&self, token: &str, retention: &Retention) -> Option<Outlook> {
        let shown = self.0.agreements.try_shown(token, self.0.clock.read());
        shown.filter(|(rules, _)| rules == retention).map(|(_, outlook)| outlook)
    }

    /// Sets the rules and applies them as far as `agreed` goes, in the name of `by`, who has seen it. How many activities are
    /// gone. The room they took comes back later: see [`App::clear_away`]. Blocks.
    pub fn set_retention(
        &self,
        by: &Actor,
        retention: &Retention,
        agreed: &Outlook,
    ) -> Result<u64, RetentionError> {
        let text = retention.to_string();
        let told = self.did(by, action::SETTING_CHANGED).to(SETTING).saying(retention.said());
        let _one = self.0.retaining.lock().unwrap_or_else(PoisonError::into_inner);
        self.all_counted()?;
        let outlook = self.up_to(&agreed.horizon)?;
        let removed = self.move_horizon(by, outlook, move |write| {
            write.put_setting(SETTING, &text)?;
            write.append(&told).map(drop)
        })?;
        self.0.metrics.retention_waits(0);
        Ok(removed)
    }

    /// Applies the rules that are set, as is done every hour, and takes away what they leave behind. How many activities
    /// are gone. Blocks.
    pub fn retain(&self) -> Result<u64, RetentionError> {
        self.take_over_horizon()?;
        let removed = self.apply_rules();
        self.clear_away()?;
        removed
    }

    fn apply_rules(&self) -> Result<u64, RetentionError> {
        let retention = self.retention()?;
        if retention.keeps_all() {
            self.0.metrics.retention_waits(0);
            return Ok(0);
        }
        let _one = self.0.retaining.lock().unwrap_or_else(PoisonError::into_inner);
        self.all_counted()?;
        let outlook = match self.waiting(&retention)? {
            None => self.outlook(&retention)?,
            Some(_) => self.outlook_from(Horizon::default(), retention.size)?,
        };
        let removed = self.move_horizon(&Actor::system(), outlook, |_| Ok(()))?;
        // Of what was too old, some may have gone as too much.
        let waits = self.waiting(&retention)?;
        self.0.metrics.retention_waits(waits.as_ref().map_or(0, |waits| waits.removes));
        match waits {
            None => Ok(removed),
            Some(Outlook { removes, of, .. }) => Err(RetentionError::Much { removes, of }),
        }
    }

    /// What goes if the horizon moves so far and no further. It never moves to where nothing can have happened yet: what comes
    /// in then would be gone before it is there, and a horizon goes back no more.
    fn up_to(&self, wanted: &Horizon) -> Result<Outlook, RetentionError> {
        let searcher = self.0.index.searcher();
        let of = count(&searcher, Timestamp::MAX)?;
        let wanted = wanted.clone().no_later_than(self.0.sure.now());
        let horizon = self.0.store.read(Horizons::horizon)?.advanced_to(&wanted);
        let left = count(&searcher.before(&horizon), Timestamp::MAX)?;
        Ok(Outlook { removes: of.saturating_sub(left), of, horizon })
    }

    /// Moves the horizon, one at a time: two would count the same activities twice.
    fn move_horizon(
        &self,
        by: &Actor,
        Outlook { removes, horizon, .. }: Outlook,
        mut besides: impl FnMut(&mut Write<'_>) -> Result<(), StoreError> + Send + 'static,
    ) -> Result<u64, RetentionError> {
        let moved = horizon.clone();
        self.change(by, move |write| {
            besides(write)?;
            if removes > 0 {
                write.set_horizon(&moved)?;
                write.append(&tell(&moved, removes))?;
            }
            Ok::<_, RetentionError>(())
        })
        .wait()?;
        if removes > 0 {
            self.0.index.forget(horizon);
            self.forget_users();
        }
        Ok(removes)
    }

    /// Has searches keep to the horizon that is on disk, unless somebody moves it just now; then the next hour sees to it.
    pub(super) fn take_over_horizon(&self) -> Result<(), StoreError> {
        if let Ok(_one) = self.0.retaining.try_lock() {
            self.0.index.forget(self.0.store.read(Horizons::horizon)?);
        }
        Ok(())
    }

    /// Takes what lies behind the horizon off the disk: activities, and sessions that ended before it, of which nothing that was
    /// done in them is left. What apps were told goes [a month](TOLD) later. It may take minutes, and others go on meanwhile. Blocks.
    pub fn clear_away(&self) -> Result<(), StoreError> {
        let horizon = self.0.store.read(Horizons::horizon)?;
        let earliest = horizon.earliest();
        if horizon != Horizon::default() {
            self.0.store.remove_behind(horizon)?;
        }
        self.in_slices(move |write, after| write.forget_ended(earliest, after, SLICE))?;
        let month_ago = self.now().saturating_sub(TOLD).unwrap_or(Timestamp::MIN);
        self.in_slices(move |write, after| write.forget_deliveries(month_ago, after, SLICE))
    }

    /// Goes over something in transactions of a few milliseconds, each from where the one before has come to.
    fn in_slices<C: Clone + Send + 'static>(
        &self,
        step: impl Fn(&mut Write<'_>, Option<C>) -> Result<Option<C>, StoreError> + Send + Sync + 'static,
    ) -> Result<(), StoreError> {
        let step = Arc::new(step);
        let mut after = None;
        loop {
            let (step, from) = (Arc::clone(&step), after);
            after = self.0.store.write(self.now(), move |write| step(write, from.clone())).wait()?;
            if after.is_none() {
                return Ok(());
            }
        }
    }
}

/// How many activities happened before a moment.
fn count(searcher: &Searcher, before: Timestamp) -> Result<u64, SearchError> {
    let filter = Filter { range: Range { from: Timestamp::MIN, to: before }, ..Filter::default() };
    searcher.search(&filter, &Scope::All).count(&Deadline::within(PATIENCE))
}

/// The activity that tells what was removed.
fn tell(horizon: &Horizon, removes: u64) -> NewActivity {
    let moment = |moment: i64| Timestamp::from_millisecond(moment).ok().filter(|_| moment != i64::MIN);
    let mut parts = Vec::new();
    parts.extend(moment(horizon.all).map(|all| format!("before {all:.0}")));
    for (class, own) in &horizon.classes {
        let name = match class {
            Class::App(name) => format!("app {name}"),
            Class::Action(name) => format!("action {name}"),
        };
        parts.push(
            moment(*own)
                .map_or_else(|| format!("none of {name}"), |own| format!("of {name} before {own:.0}")),
        );
    }
    let mut told = NewActivity::new(OWN_APP, action::RETENTION, OWN_APP);
    told.detail = format!("{} removed: {}", activities(removes), parts.join(", "));
    told.attributes.push(("removed".to_owned(), removes.to_string()));
    told
}
