//! Who works in the made-up organisation, where they live, and where else they turn up.
//!
//! Nobody here exists. The addresses do: they were picked from the built-in city database, one or two networks a
//! city, so that the map has something to show.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::model::user::Role::{self, Admin, Auditor, Member};

/// Somebody.
pub(super) struct Person {
    /// What they sign in with.
    pub(super) name: &'static str,
    /// As people write it.
    pub(super) full_name: &'static str,
    pub(super) role: Role,
    /// With spaces between them.
    pub(super) groups: &'static str,
    /// The zone of their working hours.
    pub(super) zone: &'static str,
    /// Where their computer is.
    pub(super) home: IpAddr,
    /// The address of their telephone's network.
    pub(super) mobile: IpAddr,
    /// The day of the year on which their account was made.
    pub(super) joined: i64,
    /// The day of the year on which it was disabled.
    pub(super) left: Option<i64>,
}

const fn v4(a: u8, b: u8, c: u8, d: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(a, b, c, d))
}

const fn v6(head: [u16; 3], tail: u16) -> IpAddr {
    IpAddr::V6(Ipv6Addr::new(head[0], head[1], head[2], 0, 0, 0, 0, tail))
}

const fn person(
    (name, full_name): (&'static str, &'static str),
    role: Role,
    groups: &'static str,
    zone: &'static str,
    home: IpAddr,
    mobile: IpAddr,
) -> Person {
    Person { name, full_name, role, groups, zone, home, mobile, joined: 0, left: None }
}

impl Person {
    const fn since(self, joined: i64) -> Self {
        Self { joined, ..self }
    }

    const fn until(self, left: i64) -> Self {
        Self { left: Some(left), ..self }
    }
}

/// Everybody. Whoever needs fewer takes the first: administrators and auditors come before the others.
#[rustfmt::skip]
pub(super) const PEOPLE: &[Person] = &[
    person(("amara", "Amara Okafor"), Admin, "it", "Africa/Lagos", v4(105, 124, 8, 9), v4(102, 94, 7, 31)),
    person(("jonas", "Jonas Lindqvist"), Auditor, "audit finance", "Europe/Stockholm", v4(86, 112, 9, 44), v4(2, 252, 8, 7)),
    person(("lucia", "Lucía Fernández"), Member, "sales", "Europe/Madrid", v4(79, 113, 7, 20), v4(80, 37, 40, 9)),
    person(("kenji", "Kenji Watanabe"), Admin, "it", "Asia/Tokyo", v4(219, 103, 98, 20), v4(126, 12, 4, 9)),
    person(("niamh", "Niamh Byrne"), Auditor, "audit", "Europe/Dublin", v4(108, 128, 2, 17), v4(108, 128, 40, 3)),
    person(("anna", "Anna Gruber"), Member, "finance", "Europe/Vienna", v4(46, 220, 17, 84), v4(161, 110, 9, 201)),
    person(("tiago", "Tiago Moreira"), Member, "engineering", "Europe/Lisbon", v4(80, 172, 31, 66), v6([0x2a14, 0x3840, 0], 0x51)),
    person(("grace", "Grace Tremblay"), Member, "support", "America/Toronto", v4(142, 140, 77, 12), v4(142, 8, 201, 33)),
    person(("weiling", "Tan Wei Ling"), Member, "engineering", "Asia/Singapore", v4(118, 200, 41, 70), v4(18, 140, 90, 3)),
    person(("rafael", "Rafael Souza"), Member, "support", "America/Sao_Paulo", v4(189, 100, 44, 8), v4(189, 100, 61, 90)),
    person(("wanjiru", "Wanjiru Kamau"), Member, "sales", "Africa/Nairobi", v4(105, 166, 30, 44), v4(197, 176, 5, 91)),
    person(("olivia", "Olivia Hughes"), Member, "sales", "Australia/Sydney", v4(1, 120, 33, 7), v4(54, 252, 7, 61)).since(33),
    person(("max", "Max Schreiber"), Member, "engineering", "Europe/Berlin", v4(89, 14, 60, 7), v4(77, 183, 20, 4)),
    person(("camille", "Camille Laurent"), Member, "people", "Europe/Paris", v4(82, 248, 19, 4), v6([0x2a01, 0xd000, 0], 0x51)),
    person(("oliver", "Oliver Whitfield"), Member, "finance", "Europe/London", v4(81, 2, 69, 142), v4(86, 128, 7, 7)),
    person(("dana", "Dana Rosen"), Member, "sales", "America/New_York", v4(72, 229, 5, 52), v4(108, 30, 7, 9)),
    person(("miguel", "Miguel Ángel Reyes"), Member, "support", "America/Mexico_City", v4(189, 184, 9, 4), v4(201, 136, 8, 77)),
    person(("sofia", "Sofía Benítez"), Member, "engineering", "America/Argentina/Buenos_Aires", v4(186, 58, 7, 40), v4(186, 142, 90, 6)).since(64),
    person(("thandi", "Thandiwe Nkosi"), Member, "support", "Africa/Johannesburg", v4(41, 4, 9, 70), v4(105, 248, 61, 8)),
    person(("omar", "Omar El-Sayed"), Member, "engineering", "Africa/Cairo", v4(41, 91, 8, 7), v4(156, 173, 40, 9)),
    person(("elif", "Elif Yıldız"), Member, "sales", "Europe/Istanbul", v4(176, 91, 66, 7), v4(176, 239, 9, 20)),
    person(("priya", "Priya Nair"), Member, "engineering it", "Asia/Kolkata", v4(103, 21, 124, 70), v4(65, 0, 9, 8)),
    person(("minseo", "Kim Min-seo"), Member, "finance", "Asia/Seoul", v4(42, 32, 8, 10), v4(42, 28, 9, 7)).since(121),
    person(("dewi", "Dewi Lestari"), Member, "support", "Asia/Jakarta", v4(39, 224, 8, 30), v4(120, 168, 7, 9)),
    person(("aroha", "Aroha Ngata"), Member, "people", "Pacific/Auckland", v4(122, 60, 9, 80), v4(182, 154, 7, 70)),
    person(("piotr", "Piotr Wiśniewski"), Member, "engineering", "Europe/Warsaw", v4(178, 180, 7, 8), v4(77, 255, 9, 4)),
    person(("eleni", "Eleni Papadaki"), Member, "sales", "Europe/Athens", v4(37, 32, 130, 80), v4(83, 212, 100, 9)).since(190),
    person(("aino", "Aino Korhonen"), Member, "engineering", "Europe/Helsinki", v4(85, 78, 9, 40), v4(85, 77, 60, 8)),
    person(("matias", "Matías Rojas"), Member, "support", "America/Santiago", v4(190, 91, 8, 90), v4(191, 124, 7, 3)),
    person(("victor", "Victor Hale"), Member, "sales", "America/Los_Angeles", v4(162, 100, 3, 19), v4(13, 108, 4, 70)).until(311),
];

/// Where people turn up when they travel.
pub(super) const ELSEWHERE: &[IpAddr] = &[
    v4(130, 60, 7, 9),
    v4(82, 92, 7, 80),
    v4(85, 161, 9, 8),
    v4(172, 32, 9, 8),
    v4(166, 28, 9, 7),
    v4(142, 174, 9, 8),
    v4(190, 24, 8, 7),
    v4(45, 200, 193, 9),
    v4(94, 200, 9, 8),
    v4(47, 56, 9, 8),
    v4(89, 48, 9, 8),
    v4(165, 142, 9, 8),
    v4(82, 221, 193, 8),
    v4(105, 189, 9, 8),
    v4(46, 131, 130, 8),
    v4(154, 168, 9, 8),
    v4(133, 3, 9, 8),
    v4(14, 251, 9, 8),
    v4(83, 116, 9, 8),
    v4(89, 94, 193, 8),
];

/// The address that the organisation's own network gives to its user number `index`.
pub(super) fn inside(index: usize) -> IpAddr {
    v4(10, 8, 0, u8::try_from(index % 200).unwrap_or(0) + 20)
}

/// Where the machines are.
pub(super) const MACHINES: IpAddr = v4(10, 20, 0, 5);
