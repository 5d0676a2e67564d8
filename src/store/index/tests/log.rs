//! A log in memory for the index to follow.

use std::{
    sync::{
        Condvar, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;

use super::super::{Source, SourceError};
use crate::model::{
    activity::{Activity, Outcome},
    device::Device,
    id::ActivityId,
    place::Place,
};

#[derive(Default)]
pub(super) struct Log {
    activities: Mutex<Vec<Activity>>,
    grown: Condvar,
    /// Reading fails while this is set.
    pub(super) broken: AtomicBool,
    /// The first and last id of what is damaged.
    pub(super) damaged: Mutex<Option<(u64, u64)>>,
}

impl Log {
    pub(super) fn of(activities: Vec<Activity>) -> Self {
        Self { activities: Mutex::new(activities), ..Self::default() }
    }

    pub(super) fn append(&self, activity: Activity) {
        self.activities.lock().unwrap().push(activity);
        self.grown.notify_all();
    }
}

impl Source for Log {
    fn last(&self) -> ActivityId {
        self.activities.lock().unwrap().last().map_or(ActivityId(0), |last| last.id)
    }

    fn read(&self, after: ActivityId, max: usize) -> Result<Vec<Activity>, SourceError> {
        if self.broken.load(Ordering::SeqCst) {
            return Err(SourceError("broken for the test".into()));
        }
        let activities = self.activities.lock().unwrap();
        let start = activities.partition_point(|activity| activity.id <= after);
        let end = self.damaged.lock().unwrap().filter(|(_, last)| after.0 < *last);
        let readable = |activity: &&Activity| end.is_none_or(|(first, _)| activity.id.0 < first);
        let read: Vec<_> = activities[start..].iter().take(max).take_while(readable).cloned().collect();
        if read.is_empty() && start < activities.len() {
            Err(SourceError("damaged".into()))
        } else {
            Ok(read)
        }
    }

    fn damaged_behind(&self, after: ActivityId) -> Result<Option<ActivityId>, SourceError> {
        if self.broken.load(Ordering::SeqCst) {
            return Ok(None);
        }
        let damaged =
            self.damaged.lock().unwrap().filter(|(first, last)| (*first..=*last).contains(&(after.0 + 1)));
        Ok(damaged.map(|(_, last)| ActivityId(last)))
    }

    fn wait(&self, after: ActivityId, at_most: Duration) -> ActivityId {
        let activities = self.activities.lock().unwrap();
        let quiet = |activities: &mut Vec<Activity>| activities.last().is_none_or(|last| last.id <= after);
        let (activities, _) = self.grown.wait_timeout_while(activities, at_most, quiet).unwrap();
        activities.last().map_or(ActivityId(0), |last| last.id)
    }
}

/// An activity of which only what every test needs is set.
pub(super) fn activity(id: u64, time: i64) -> Activity {
    Activity {
        id: ActivityId(id),
        time: Timestamp::from_millisecond(time).unwrap(),
        received: Timestamp::from_millisecond(time).unwrap(),
        user: "ann".into(),
        action: "backup".into(),
        detail: String::new(),
        app: "vault".into(),
        outcome: Outcome::Success,
        session: None,
        ip: None,
        place: Place::default(),
        device: Device::default(),
        user_agent: None,
        target: None,
        attributes: Vec::new(),
    }
}
