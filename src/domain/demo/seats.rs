//! The places and devices that people work from. Each is looked up once, however often somebody sits there.

use std::net::IpAddr;

use super::{
    agents::{COMPUTERS, Headers, MACHINE, PHONES, TABLETS},
    dice::Dice,
    people::{self, ELSEWHERE, PEOPLE, Person},
};
use crate::{
    domain::{agent, geo::Geo},
    model::{activity::NewActivity, device::Device, place::Place, session::Session},
};

/// Where and on what somebody is.
#[derive(Clone)]
pub(super) struct Seat {
    pub(super) ip: IpAddr,
    pub(super) place: Place,
    pub(super) device: Device,
    pub(super) user_agent: String,
}

impl Seat {
    fn at(geo: &Geo, ip: IpAddr, headers: &Headers) -> Self {
        let agent = headers.agent();
        Self { ip, place: geo.place(ip), device: agent::device(&agent), user_agent: agent.user_agent }
    }

    /// Where the nightly jobs run.
    pub(super) fn of_machines(geo: &Geo) -> Self {
        Self::at(geo, people::MACHINES, &MACHINE)
    }

    /// Says of an activity that it was done here.
    pub(super) fn fill(&self, activity: &mut NewActivity) {
        activity.ip = Some(self.ip);
        activity.place = self.place.clone();
        activity.device = self.device.clone();
        activity.user_agent = Some(self.user_agent.clone());
    }

    /// Says of a session that it is here.
    pub(super) fn seat(&self, session: &mut Session) {
        session.ip = Some(self.ip);
        session.place = self.place.clone();
        session.device = self.device.clone();
        session.user_agent.clone_from(&self.user_agent);
    }
}

/// The seats of one person.
pub(super) struct Seats {
    home: Seat,
    mobile: Seat,
    inside: Seat,
    tablet: Seat,
    away: [Seat; 2],
}

impl Seats {
    /// The seats of `person`, who is number `index` of everybody.
    pub(super) fn of(geo: &Geo, index: usize, person: &Person) -> Self {
        let nth = |choices: &'static [Headers]| &choices[index % choices.len()];
        let (computer, phone) = (nth(COMPUTERS), nth(PHONES));
        let away = |step: usize| ELSEWHERE[(index + step) % ELSEWHERE.len()];
        Self {
            home: Seat::at(geo, person.home, computer),
            mobile: Seat::at(geo, person.mobile, phone),
            inside: Seat::at(geo, people::inside(index), computer),
            tablet: Seat::at(geo, person.home, nth(TABLETS)),
            away: [Seat::at(geo, away(0), computer), Seat::at(geo, away(PEOPLE.len() / 3), phone)],
        }
    }

    /// The desk at home.
    pub(super) const fn home(&self) -> &Seat {
        &self.home
    }

    /// One of them: mostly the desk, now and then the phone, seldom the tablet or another city.
    pub(super) fn pick(&self, dice: &mut Dice) -> &Seat {
        match dice.below(100) {
            0..50 => &self.home,
            50..66 => &self.mobile,
            66..75 => &self.inside,
            75..86 => &self.tablet,
            _ => &self.away[usize::from(dice.one_in(2))],
        }
    }
}
