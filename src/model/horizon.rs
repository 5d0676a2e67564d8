//! Behind the horizon lies what retention has taken out of the log: nobody finds it any more.

use super::{activity::Activity, query::fold_value};

/// What is gone, by the time it happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Horizon {
    /// Classes with a moment of their own, in milliseconds since 1970. The first that an activity belongs to counts.
    pub classes: Vec<(Class, i64)>,
    /// The moment for all others.
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
        self.classes.iter().find(|(class, _)| class.has(activity)).map_or(self.all, |(_, moment)| *moment)
    }

    /// Whether an activity is gone.
    pub fn hides(&self, activity: &Activity) -> bool {
        activity.time.as_millisecond() < self.of(activity)
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
    use super::*;

    fn activity(app: &str, action: &str, time: i64) -> Activity {
        let mut activity = Activity::default();
        (activity.app, activity.action) = (app.to_owned(), action.to_owned());
        activity.time = jiff::Timestamp::from_millisecond(time).unwrap();
        activity
    }

    #[test]
    fn the_first_class_that_fits_decides_and_none_means_all() {
        let horizon = Horizon {
            classes: vec![(Class::Action("sign-in".into()), 10), (Class::App("Wiki".into()), 50)],
            all: 30,
        };
        assert!(
            !horizon.hides(&activity("wiki", "Sign-In", 10))
                && horizon.hides(&activity("wiki", "sign-in", 9))
        );
        assert!(
            !horizon.hides(&activity("WIKI", "edit", 50)) && horizon.hides(&activity("wiki", "edit", 49))
        );
        assert!(!horizon.hides(&activity("crm", "edit", 30)) && horizon.hides(&activity("crm", "edit", 29)));
        assert_eq!((horizon.earliest(), horizon.latest()), (10, 50));
        assert!(!Horizon::default().hides(&activity("crm", "edit", 0)));
    }
}
