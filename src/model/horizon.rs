//! Behind the horizon lies what retention has taken out of the log: nobody finds it any more.

use super::{activity::Activity, query::fold_value};

/// What is gone, by the time it happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Horizon {
    /// Classes with a moment of their own, in milliseconds since 1970. Of those that an activity belongs to, the latest moment
    /// counts.
    pub classes: Vec<(Class, i64)>,
    /// The moment for activities of none of them.
    pub all: i64,
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
        Self { classes: Vec::new(), all: i64::MIN }
    }
}

impl Class {
    /// Whether an activity belongs to it.
    pub fn has(&self, activity: &Activity) -> bool {
        match self {
            Self::App(app) => fold_value(app) == fold_value(&activity.app),
            Self::Action(action) => fold_value(action) == fold_value(&activity.action),
        }
    }
}

impl Horizon {
    /// The moment before which an activity like this one is gone.
    pub fn of(&self, activity: &Activity) -> i64 {
        let own = self.classes.iter().filter(|(class, _)| class.has(activity)).map(|(_, moment)| *moment);
        own.max().unwrap_or(self.all)
    }

    /// Whether an activity is gone.
    pub fn hides(&self, activity: &Activity) -> bool {
        activity.time.as_millisecond() < self.of(activity)
    }

    /// The horizon `wanted`, as far as it brings nothing back: what is gone stays gone, whatever rules come later.
    #[must_use]
    pub fn advanced_to(&self, wanted: &Self) -> Self {
        let all = self.all.max(wanted.all);
        let before =
            |class: &Class| self.classes.iter().find(|(known, _)| known == class).map(|(_, moment)| *moment);
        let mut classes: Vec<(Class, i64)> = wanted
            .classes
            .iter()
            .map(|(class, moment)| (class.clone(), before(class).unwrap_or(self.all).max(*moment)))
            .collect();
        // A class that has no moment of its own any more keeps one until nothing of it could come back.
        let earliest = classes.iter().map(|(_, moment)| *moment).fold(all, i64::min);
        for (class, moment) in self.classes.iter().filter(|(_, moment)| *moment > earliest) {
            if !wanted.classes.iter().any(|(known, _)| known == class) {
                classes.push((class.clone(), all.max(*moment)));
            }
        }
        Self { classes, all }
    }

    /// Nothing that happened from this moment on is gone.
    pub fn latest(&self) -> i64 {
        self.classes.iter().map(|(_, moment)| *moment).fold(self.all, i64::max)
    }

    /// Everything that happened before this moment is gone.
    pub fn earliest(&self) -> i64 {
        self.classes.iter().map(|(_, moment)| *moment).fold(self.all, i64::min)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn activity(app: &str, action: &str, time: i64) -> Activity {
        let mut activity = Activity::default();
        (activity.app, activity.action) = (app.to_owned(), action.to_owned());
        activity.time = jiff::Timestamp::from_millisecond(time).unwrap();
        activity
    }

    #[test]
    fn a_class_has_a_moment_of_its_own_and_of_two_the_later_counts() {
        let horizon = Horizon {
            classes: vec![(Class::Action("sign-in".into()), 10), (Class::App("Wiki".into()), 50)],
            all: 30,
        };
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
            Horizon { classes: own.collect(), all }
        })
    }

    proptest! {
        #[test]
        fn a_horizon_never_brings_back_what_is_gone(steps in prop::collection::vec(horizon(), 1..5)) {
            let mut now = Horizon::default();
            for wanted in steps {
                let next = now.advanced_to(&wanted);
                for time in 0..9 {
                    for (app, action) in [("a", "x"), ("a", "z"), ("b", "y"), ("c", "x"), ("c", "z")] {
                        let one = activity(app, action, time);
                        prop_assert!(next.hides(&one) || !now.hides(&one), "{now:?} {wanted:?} {next:?}");
                        prop_assert!(next.hides(&one) || !wanted.hides(&one), "{now:?} {wanted:?} {next:?}");
                    }
                }
                now = next;
            }
        }
    }
}
