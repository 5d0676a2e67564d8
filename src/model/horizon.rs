//! Behind the horizon lies what retention has taken out of the log: nobody finds it any more.

use jiff::Timestamp;

use super::{activity::Activity, query::fold_value};

/// What is gone, by the time it happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Horizon {
    /// Classes with a moment of their own, in milliseconds since 1970. Of those that an activity belongs to, the latest moment
    /// counts.
    pub classes: Vec<(Class, i64)>,
    /// The moment for activities of none of them.
    pub all: i64,
    /// Where the horizon was under other rules: what was gone then stays gone.
    pub earlier: Vec<Self>,
}

/// Activities that are kept for a time of their own.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// Those of a program, in any case.
    App(String),
    /// Those of an action, in any case.
    Action(String),
}

impl Default for Horizon {
    /// Nothing is gone.
    fn default() -> Self {
        Self::new(Vec::new(), i64::MIN)
    }
}

impl Class {
    /// Whether what was done in an app belongs to it.
    fn has(&self, app: &str, action: &str) -> bool {
        match self {
            Self::App(own) => fold_value(own) == fold_value(app),
            Self::Action(own) => fold_value(own) == fold_value(action),
        }
    }
}

impl Horizon {
    /// A first one.
    pub const fn new(classes: Vec<(Class, i64)>, all: i64) -> Self {
        Self { classes, all, earlier: Vec::new() }
    }

    /// The same, but for what is later than this moment.
    #[must_use]
    pub fn no_later_than(mut self, moment: Timestamp) -> Self {
        let moment = moment.as_millisecond();
        self.all = self.all.min(moment);
        for (_, own) in &mut self.classes {
            *own = moment.min(*own);
        }
        self
    }

    /// Whether an activity is gone.
    pub fn hides(&self, activity: &Activity) -> bool {
        self.hides_what(activity.time, &activity.app, &activity.action)
    }

    /// The same of what was done in an app at a time.
    pub fn hides_what(&self, time: Timestamp, app: &str, action: &str) -> bool {
        let own = self.classes.iter().filter(|(class, _)| class.has(app, action)).map(|(_, moment)| *moment);
        time.as_millisecond() < own.max().unwrap_or(self.all)
            || self.earlier.iter().any(|earlier| earlier.hides_what(time, app, action))
    }

    /// What is gone already, and what is gone by `wanted` besides: no more and no less.
    #[must_use]
    pub fn advanced_to(&self, wanted: &Self) -> Self {
        let mut next = wanted.clone();
        let known =
            std::iter::once(Self::new(self.classes.clone(), self.all)).chain(self.earlier.iter().cloned());
        next.earlier.extend(known);
        let earlier = std::mem::take(&mut next.earlier);
        for one in earlier {
            if !next.covers(&one) && !next.earlier.iter().any(|other| other.covers(&one)) {
                next.earlier.push(one);
            }
        }
        next
    }

    /// Whether all that `other` hides by its own rules is surely hidden by those of this one.
    fn covers(&self, other: &Self) -> bool {
        let moment =
            |class: &Class| self.classes.iter().find(|(known, _)| known == class).map(|(_, moment)| *moment);
        let same = self.all >= other.all
            && self.classes.len() == other.classes.len()
            && other.classes.iter().all(|(class, theirs)| moment(class).is_some_and(|ours| ours >= *theirs));
        same || self.least() >= other.most()
    }

    /// The latest moment of its own rules.
    fn most(&self) -> i64 {
        self.classes.iter().map(|(_, moment)| *moment).fold(self.all, i64::max)
    }

    /// The earliest moment of its own rules.
    fn least(&self) -> i64 {
        self.classes.iter().map(|(_, moment)| *moment).fold(self.all, i64::min)
    }

    /// Nothing that happened from this moment on is gone.
    pub fn latest(&self) -> i64 {
        self.earlier.iter().map(Self::most).fold(self.most(), i64::max)
    }

    /// Everything that happened before this moment is gone.
    pub fn earliest(&self) -> i64 {
        self.earlier.iter().map(Self::least).fold(self.least(), i64::max)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn activity(app: &str, action: &str, time: i64) -> Activity {
        let mut activity = Activity::default();
        (activity.app, activity.action) = (app.to_owned(), action.to_owned());
        activity.time = Timestamp::from_millisecond(time).unwrap();
        activity
    }

    #[test]
    fn a_class_has_a_moment_of_its_own_and_of_two_the_later_counts() {
        let classes = vec![(Class::Action("sign-in".into()), 10), (Class::App("Wiki".into()), 50)];
        let horizon = Horizon::new(classes, 30);
        let gone = |app, action, time| horizon.hides(&activity(app, action, time));
        assert!(!gone("crm", "Sign-In", 10) && gone("crm", "sign-in", 9));
        assert!(!gone("WIKI", "sign-in", 50) && gone("wiki", "sign-in", 49));
        assert!(!gone("crm", "edit", 30) && gone("crm", "edit", 29));
        assert_eq!((horizon.earliest(), horizon.latest()), (10, 50));
        assert!(!Horizon::default().hides(&activity("crm", "edit", 0)));
    }

    fn horizon() -> impl Strategy<Value = Horizon> {
        let classes = || {
            [
                Class::App("a".into()),
                Class::App("b".into()),
                Class::Action("x".into()),
                Class::Action("y".into()),
            ]
        };
        (prop::collection::vec(prop::option::of(0..9_i64), 4), 0..9_i64).prop_map(move |(moments, all)| {
            let own = classes().into_iter().zip(moments).filter_map(|(class, moment)| Some((class, moment?)));
            Horizon::new(own.collect(), all)
        })
    }

    proptest! {
        #[test]
        fn a_horizon_brings_nothing_back_and_takes_no_more_than_its_rules(steps in prop::collection::vec(horizon(), 1..6)) {
            let mut now = Horizon::default();
            for wanted in steps {
                let next = now.advanced_to(&wanted);
                for time in 0..9 {
                    for (app, action) in [("a", "x"), ("a", "z"), ("b", "y"), ("c", "x"), ("c", "z")] {
                        let one = activity(app, action, time);
                        prop_assert_eq!(next.hides(&one), now.hides(&one) || wanted.hides(&one), "{:?} {:?}", now, wanted);
                        prop_assert!(time < next.latest() || !next.hides(&one));
                        prop_assert!(time >= next.earliest() || next.hides(&one));
                    }
                }
                prop_assert_eq!(&next.advanced_to(&wanted), &next, "to go nowhere changes nothing");
                now = next;
            }
        }
    }
}
