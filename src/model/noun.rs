//! Nouns behind numbers.

/// The noun for so many: one activity, no activities, two activities.
pub const fn noun<'a>(number: u64, one: &'a str, many: &'a str) -> &'a str {
    if number == 1 { one } else { many }
}

/// So many activities, in words.
pub fn activities(number: u64) -> String {
    format!("{number} {}", noun(number, "activity", "activities"))
}

/// So many sessions, in words.
pub fn sessions(number: usize) -> String {
    format!("{number} {}", noun(number as u64, "session", "sessions"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_not_many() {
        assert_eq!([0, 1, 2].map(activities), ["0 activities", "1 activity", "2 activities"]);
        assert_eq!([0, 1, 2].map(sessions), ["0 sessions", "1 session", "2 sessions"]);
    }
}
