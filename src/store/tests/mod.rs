//! What is on disk when the disk fails: a script of changes over a file that is cut off, that fails or that is damaged, and
//! an oracle of what was acknowledged.

mod damage;
pub(crate) mod faults;
mod flips;
mod power;
mod slow;

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{Sessions as _, Settings as _, Store, StoreError, Write, disk::Disk, disk::backend::Medium};
use crate::model::{
    activity::{Activity, NewActivity, SenderKey},
    id::{ActivityId, SessionId},
    secret::TokenHash,
    session::{EndedBy, Ending, Session},
};

fn now() -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap()
}

fn open(medium: Medium) -> Result<Store, super::OpenError> {
    over(medium, now(), || [7; 16])
}

/// A store over something that is no file.
pub(crate) fn over(medium: Medium, now: Timestamp, random: super::Random) -> Result<Store, super::OpenError> {
    Store::over(Disk::over(medium)?, now, random)
}

/// Random numbers that are the same for the same seed (`SplitMix64`).
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}

/// One change.
#[derive(Clone, Debug)]
enum Step {
    /// Activities of these numbers, in one transaction; every other one has a sender's key.
    Append(std::ops::Range<u64>),
    Start(u8),
    End(u8),
    Set(u64),
}

/// Steps as a seed has them.
fn script(random: &mut Random, length: usize) -> Vec<Step> {
    let (mut next, mut started, mut live) = (0, 0, Vec::new());
    let steps = (0..length).map(|at| match random.below(10) {
        0..=4 => {
            let first = next;
            next += 1 + random.below(40);
            Step::Append(first..next)
        }
        5..=6 => {
            live.push(started);
            started += 1;
            Step::Start(started - 1)
        }
        7..=8 if !live.is_empty() => {
            let which = usize::try_from(random.below(live.len() as u64)).unwrap();
            Step::End(live.swap_remove(which))
        }
        _ => Step::Set(at as u64),
    });
    steps.collect()
}

/// What must be there, and what may be: the step that was under way.
#[derive(Debug, Default)]
struct Oracle {
    appended: Vec<u64>,
    /// Live or ended, with everything that was acknowledged.
    sessions: BTreeMap<u8, bool>,
    setting: Option<u64>,
    /// What was tried and refused: it may have come to the disk all the same, whole.
    open: Vec<Step>,
}

impl Oracle {
    /// Does a step, and takes down what is said of it.
    fn take(&mut self, store: &Store, step: Step) -> Result<(), StoreError> {
        let outcome = perform(store, &step);
        match (&outcome, step) {
            (Ok(()), Step::Append(numbers)) => self.appended.extend(numbers),
            (Ok(()), Step::Start(session)) => drop(self.sessions.insert(session, true)),
            (Ok(()), Step::End(session)) => drop(self.sessions.insert(session, false)),
            (Ok(()), Step::Set(value)) => self.setting = Some(value),
            (Err(_), step) => self.open.push(step),
        }
        outcome
    }

    /// Holds a file against it. The first thing that is wrong.
    fn judge(&self, store: &Store) -> Result<(), String> {
        let say = |error: StoreError| error.to_string();
        let read = store.snapshot().map_err(say)?;
        let found: Vec<Activity> = read.activities_after(ActivityId(0), usize::MAX).map_err(say)?;
        let mut ids: Vec<u64> = found.iter().map(|activity| activity.id.0).collect();
        ids.dedup();
        let expected: Vec<u64> = (1..=found.len() as u64).collect();
        if ids != expected {
            return Err(format!("the numbers of the log have gaps: {ids:?}"));
        }
        let mut found: Vec<u64> = found.iter().filter_map(|activity| activity.detail.parse().ok()).collect();
        found.sort_unstable();
        let mut may: Vec<Vec<u64>> = Vec::new();
        for step in &self.open {
            if let Step::Append(numbers) = step {
                may.push(numbers.clone().collect());
            }
        }
        for batch in may {
            // Whole or not at all.
            let there = batch.iter().filter(|number| found.contains(number)).count();
            if there == batch.len() {
                found.retain(|number| !batch.contains(number));
            } else if there != 0 {
                return Err(format!("{there} of the {} of {batch:?} are there", batch.len()));
            }
        }
        if found != self.appended {
            return Err(format!("acknowledged were {:?}, and there are {found:?}", self.appended));
        }
        let live: Vec<SessionId> =
            read.live_sessions().map_err(say)?.into_iter().map(|(_, session)| session.id).collect();
        for (session, lives) in &self.sessions {
            let is_live = live.contains(&id(*session));
            let may_have_ended =
                self.open.iter().any(|step| matches!(step, Step::End(ended) if ended == session));
            if is_live && !lives {
                return Err(format!("session {session}, which had ended, is back"));
            }
            if !is_live && *lives && !may_have_ended {
                return Err(format!("session {session} is lost"));
            }
            let stored = read.session(id(*session)).map_err(say)?;
            if stored.is_none_or(|stored| stored.ending.is_none() != is_live) {
                return Err(format!("session {session} is neither live nor ended"));
            }
        }
        let setting = read.setting("step").map_err(say)?.and_then(|text| text.parse().ok());
        let may_be = self.open.iter().any(|step| matches!(step, Step::Set(value) if Some(*value) == setting));
        if setting != self.setting && !may_be {
            return Err(format!("the setting is {setting:?} instead of {:?}", self.setting));
        }
        Ok(())
    }
}

fn id(session: u8) -> SessionId {
    SessionId::from_bytes([session; 16])
}

fn perform(store: &Store, step: &Step) -> Result<(), StoreError> {
    match step.clone() {
        Step::Append(numbers) => {
            let activities: Vec<NewActivity> = numbers.map(activity).collect();
            let append = move |write: &mut Write<'_>| write.append_all(&activities).map(drop);
            store.write_bulk(now(), append).wait()
        }
        Step::Start(number) => store
            .write(now(), move |write| {
                write.put_session(&session(number), TokenHash([number; 32]))?;
                write.append(&told("sign-in")).map(drop)
            })
            .wait(),
        Step::End(number) => store
            .write(now(), move |write| {
                let ending = Ending { at: now(), by: EndedBy::Admin, by_user: None, reason: String::new() };
                write.end_session(id(number), None, ending)?;
                write.append(&told("logout")).map(drop)
            })
            .wait(),
        Step::Set(value) => {
            store.write(now(), move |write| write.put_setting("step", &value.to_string())).wait()
        }
    }
}

fn activity(number: u64) -> NewActivity {
    let mut activity = NewActivity::new("ann", "backup", "vault");
    activity.detail = number.to_string();
    activity.target = Some("x".repeat(usize::try_from(number * 37 % 400).unwrap()));
    activity.key = number.is_multiple_of(2).then(|| SenderKey { sender: "t".into(), id: number.to_string() });
    activity
}

fn told(action: &str) -> NewActivity {
    NewActivity::new("ann", action, "rollcall")
}

fn session(number: u8) -> Session {
    Session {
        id: id(number),
        user: "ann".parse().unwrap(),
        registered_by: None,
        ip: None,
        place: crate::model::place::Place::default(),
        device: crate::model::device::Device::default(),
        user_agent: String::new(),
        started: now(),
        last_access: now(),
        expires: now(),
        apps: Vec::new(),
        mfa: false,
        ending: None,
    }
}
