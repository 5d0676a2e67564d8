//! A year of the organisation, day by day: busy on working days, quiet at the weekend, machines at night.

use std::collections::VecDeque;

use jiff::{SignedDuration, Timestamp, ToSpan as _, civil::Date, civil::Weekday, tz::TimeZone};

use super::{
    Size,
    dice::Dice,
    seats::Seat,
    staff::Colleague,
    stay::{Frame, Stay},
    work::JOBS,
};
use crate::{
    domain::sessions::Limits,
    model::{
        activity::{NewActivity, Outcome},
        session::{EndedBy, Ending, Session},
    },
};

/// How many days are made up: all before today.
pub(super) const DAYS: i64 = 365;

/// Local days begin and end up to so much beside those of UTC, and a session lasts into the next.
const SLACK: SignedDuration = SignedDuration::from_hours(48);

/// What administrators write who end somebody's session.
const REASONS: &[&str] = &[
    "laptop reported lost",
    "left at a shared computer",
    "unknown address, user does not recognise it",
    "contract ended",
];

/// The year in the making.
pub(super) struct Year {
    now: Timestamp,
    limits: Limits,
    pub(super) staff: Vec<Colleague>,
    people: Vec<&'static str>,
    machines: Seat,
    dice: Dice,
    /// How many activities there are on each day that is still to come.
    quotas: VecDeque<u64>,
    day: i64,
    /// What was done on days that may still be added to.
    unsettled: Vec<NewActivity>,
}

/// What is known of one more day: sessions that have ended, and activities in the order of their times.
pub(super) struct Day {
    pub(super) sessions: Vec<Session>,
    pub(super) activities: Vec<NewActivity>,
}

impl Year {
    /// The year before `now`. What `told` tells of is part of it; `live` sessions are at its end.
    pub(super) fn new(
        now: Timestamp,
        limits: Limits,
        staff: Vec<Colleague>,
        machines: Seat,
        size: &Size,
        told: Vec<NewActivity>,
    ) -> (Self, Vec<Session>) {
        let people = staff.iter().map(|colleague| colleague.person.name).collect();
        let dice = Dice::new(20);
        let quotas = VecDeque::new();
        let mut year = Self { now, limits, staff, people, machines, dice, quotas, day: 0, unsettled: told };
        let live = (0..size.sessions).filter_map(|index| year.live(index)).collect();
        let rest = size.activities.saturating_sub(year.unsettled.len() as u64);
        year.quotas = year.share(rest);
        (year, live)
    }

    /// Somebody who is at work now.
    fn live(&mut self, index: usize) -> Option<Session> {
        let here: Vec<usize> = self.present(DAYS);
        let who = *here.get(index % here.len().max(1))?;
        let idle = millis(self.limits.idle);
        let longest = (millis(self.limits.absolute) - idle).max(idle) / 2;
        // Of four people one does something this minute.
        let idle_for = if self.dice.one_in(4) {
            self.dice.between(0, 50_000)
        } else {
            self.dice.between(0, idle * 4 / 5)
        };
        let last_access = before(self.now, idle_for);
        let started = before(last_access, self.dice.between(longest / 20, longest));
        let count = 6 + self.dice.below(14);
        let frame = Frame { started, last_access, lasts: self.lasts(), ending: None };
        Some(self.stay(who, frame, count, index < here.len()))
    }

    /// How many of `total` activities there are on each day.
    fn share(&mut self, total: u64) -> VecDeque<u64> {
        let weights: Vec<u64> = (0..DAYS)
            .map(|day| match self.date(day).weekday() {
                Weekday::Saturday | Weekday::Sunday => 90 + self.dice.below(60),
                // The organisation grows by a third.
                _ => 860 + self.dice.below(280) + u64::try_from(day).unwrap_or(0),
            })
            .collect();
        let whole: u64 = weights.iter().sum();
        let mut passed = 0;
        let shares = weights.iter().map(|weight| {
            let before = total * passed / whole;
            passed += weight;
            total * passed / whole - before
        });
        shares.collect()
    }

    /// One more day, until the year is over. The last one is what remains.
    pub(super) fn next_day(&mut self) -> Option<Day> {
        let Some(quota) = self.quotas.pop_front() else {
            let mut activities = std::mem::take(&mut self.unsettled);
            activities.sort_by_key(|activity| activity.time);
            return (!activities.is_empty()).then_some(Day { sessions: Vec::new(), activities });
        };
        let sessions = self.work(quota);
        self.day += 1;
        let settled = midnight(self.date(self.day)) - SLACK;
        let (mut activities, unsettled): (Vec<_>, Vec<_>) = std::mem::take(&mut self.unsettled)
            .into_iter()
            .partition(|activity| activity.time < Some(settled));
        self.unsettled = unsettled;
        activities.sort_by_key(|activity| activity.time);
        Some(Day { sessions, activities })
    }

    /// A day on which `quota` things are done.
    fn work(&mut self, quota: u64) -> Vec<Session> {
        let jobs = if quota < 8 { quota } else { quota.min(40) / 8 * 2 };
        for _ in 0..jobs {
            self.job();
        }
        let mut left = quota - jobs;
        let mut here = self.present(self.day);
        let mut sessions = Vec::new();
        let mut turn = 0;
        while left > 0 {
            if turn % here.len().max(1) == 0 {
                self.dice.shuffle(&mut here);
            }
            let Some(&who) = here.get(turn % here.len().max(1)) else {
                // Nobody has an account yet: the machines do it all.
                self.job();
                left -= 1;
                continue;
            };
            turn += 1;
            let wanted = 14 + self.dice.below(23);
            let count = if left < wanted + 8 { left } else { wanted };
            left -= count;
            let frame = self.frame(who);
            sessions.push(self.stay(who, frame, count, false));
        }
        sessions
    }

    /// A session of colleague number `who`; its activities are kept for their day.
    fn stay(&mut self, who: usize, frame: Frame, count: u64, at_home: bool) -> Session {
        let colleague = &mut self.staff[who];
        colleague.last_sign_in = colleague.last_sign_in.max(Some(frame.started));
        let seat = if at_home { colleague.seats.home() } else { colleague.seats.pick(&mut self.dice) };
        let Stay { session, did } = Stay::new(colleague, seat, frame, count, &self.people, &mut self.dice);
        self.unsettled.extend(did);
        session
    }

    /// When and how somebody works on this day.
    fn frame(&mut self, who: usize) -> Frame {
        let date = self.date(self.day);
        let weekend = matches!(date.weekday(), Weekday::Saturday | Weekday::Sunday);
        let dice = &mut self.dice;
        // Twice half of the spread, so that the middle is commoner than the ends.
        let (begins, minutes) = if weekend {
            (dice.between(8 * 60, 20 * 60), dice.between(5, 90))
        } else {
            (
                7 * 60 + dice.between(0, 210) + dice.between(0, 210),
                dice.between(40, 200) + dice.between(0, 160),
            )
        };
        let longest = millis(self.limits.absolute) * 9 / 10;
        let length = (minutes * 60_000 + dice.between(0, 60_000)).min(longest);
        let zone = self.staff[who].zone.clone();
        let begins = date.at(0, 0, 0, 0) + begins.minutes() + dice.between(0, 60_000).milliseconds();
        let started = zone.to_timestamp(begins).unwrap_or_else(|_| midnight(date));
        // Where it is still yesterday, today is not over.
        let latest = before(self.now, length + 60_000);
        let started = if started < latest { started } else { before(latest, 24 * 3_600_000) };
        let last_access = before(started, -length);
        let ending = self.ending(who, last_access);
        Frame { started, last_access, lasts: self.lasts(), ending: Some(ending) }
    }

    /// How a session ended that was last used at `last_access`, and where somebody sat who ended it.
    fn ending(&mut self, who: usize, last_access: Timestamp) -> (Ending, Seat) {
        let own = (Some(self.people[who].to_owned()), self.staff[who].seats.home().clone());
        let soon = before(last_access, -self.dice.between(1_000, 50_000));
        let expired = before(last_access, -millis(self.limits.idle));
        let ((by_user, seat), at, by, reason) = match self.dice.below(100) {
            0..25 if expired < self.now => {
                ((None, own.1), expired, EndedBy::Policy, "was not used for too long")
            }
            25..28 if who != 0 => {
                let admin = (Some(self.people[0].to_owned()), self.staff[0].seats.home().clone());
                (admin, soon, EndedBy::Admin, self.dice.pick(REASONS))
            }
            28..33 => (own, soon, EndedBy::User, "signed in again"),
            _ => (own, soon, EndedBy::User, ""),
        };
        (Ending { at, by, by_user, reason: reason.to_owned() }, seat)
    }

    /// Something a machine does at night.
    fn job(&mut self) {
        let (app, user, task) = self.dice.pick(JOBS);
        let date = self.date(self.day);
        let mut job = NewActivity::new(user, task.action, app);
        job.time = Some(before(midnight(date), -self.dice.between(0, 5 * 3_600_000)));
        let (detail, target) = task.write(date.year(), &self.people, &mut self.dice);
        (job.detail, job.target) = (detail, Some(target));
        job.outcome = if self.dice.one_in(25) { Outcome::Failure } else { Outcome::Success };
        job.attributes.push(("duration_ms".to_owned(), self.dice.between(300, 90_000).to_string()));
        self.machines.fill(&mut job);
        self.unsettled.push(job);
    }

    fn present(&self, day: i64) -> Vec<usize> {
        (0..self.staff.len()).filter(|who| self.staff[*who].works_on(day)).collect()
    }

    fn lasts(&self) -> SignedDuration {
        SignedDuration::from_millis(millis(self.limits.absolute))
    }

    fn date(&self, day: i64) -> Date {
        date(self.now, day)
    }
}

/// The date of a day of the year that ended yesterday.
pub(super) fn date(now: Timestamp, day: i64) -> Date {
    let today = now.to_zoned_datetime(TimeZone::UTC).date();
    today.checked_add((day - DAYS).days()).unwrap_or(today)
}

pub(super) fn midnight(date: Date) -> Timestamp {
    TimeZone::UTC.to_timestamp(date.at(0, 0, 0, 0)).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// So many milliseconds earlier.
fn before(at: Timestamp, millis: i64) -> Timestamp {
    at.checked_sub(SignedDuration::from_millis(millis)).unwrap_or(at)
}

/// A limit in milliseconds; a month stands for all that are longer.
fn millis(limit: std::time::Duration) -> i64 {
    const MONTH: i64 = 30 * 24 * 3_600_000;
    i64::try_from(limit.as_millis()).unwrap_or(MONTH).min(MONTH)
}
