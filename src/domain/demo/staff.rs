//! The people of the organisation at their desks: everything about somebody that stays the same all year.

use jiff::{Timestamp, tz::TimeZone};

use super::{
    people::{PEOPLE, Person},
    seats::Seats,
    work::{self, Task},
};
use crate::{
    domain::geo::Geo,
    model::user::{BadUserName, User, UserName},
};

/// Somebody, ready to work.
pub(super) struct Colleague {
    pub(super) person: &'static Person,
    pub(super) name: UserName,
    pub(super) seats: Seats,
    pub(super) zone: TimeZone,
    pub(super) tasks: Vec<(&'static str, &'static Task)>,
    /// When they last signed in so far.
    pub(super) last_sign_in: Option<Timestamp>,
}

impl Colleague {
    /// Whether they have an account that works on the `day`th day.
    pub(super) fn works_on(&self, day: i64) -> bool {
        self.person.joined < day && self.person.left.is_none_or(|left| day < left)
    }

    /// Their account, made at `created`.
    pub(super) fn user(&self, created: Timestamp) -> User {
        User {
            name: self.name.clone(),
            role: self.person.role,
            full_name: self.person.full_name.to_owned(),
            email: format!("{}@example.org", self.person.name),
            groups: self.person.groups.split(' ').map(str::to_owned).collect(),
            disabled: self.person.left.is_some(),
            created,
            last_sign_in: self.last_sign_in,
        }
    }
}

/// The first `most` people.
pub(super) fn hire(geo: &Geo, most: usize) -> Result<Vec<Colleague>, BadUserName> {
    let colleague = |(index, person): (usize, &'static Person)| {
        Ok(Colleague {
            person,
            name: person.name.parse()?,
            seats: Seats::of(geo, index, person),
            zone: TimeZone::get(person.zone).unwrap_or(TimeZone::UTC),
            tasks: work::tasks_of(person.role, person.groups),
            last_sign_in: None,
        })
    };
    PEOPLE.iter().take(most).enumerate().map(colleague).collect()
}
