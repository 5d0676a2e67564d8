//! Made-up activities for measuring: as many as are asked for, spread over one year, the same ones every time.
//!
//! Five hundred people work in twelve programs, some much more than others; one action in three is `compare`. What they
//! leave behind is a line of words of which few are common and most are rare, with an object, often a file or a ticket,
//! and now and then one of ten phrases. Offices work by day, machines at night, and one line in twenty comes late.
//!
//! It needs nothing but the standard library, so that the numbers a benchmark prints do not move with a crate's version.

use std::{
    collections::HashSet,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

/// The year's first instant, 2025-01-01 in UTC, in milliseconds since 1970.
pub const YEAR_BEGINS: i64 = 1_735_689_600_000;

/// The first instants of its months and of the next year.
pub const MONTHS: [i64; 13] = {
    let days = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut starts = [YEAR_BEGINS; 13];
    let mut month = 0;
    while month < 12 {
        starts[month + 1] = starts[month] + days[month] * DAY;
        month += 1;
    }
    starts
};

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;
const HOURS: usize = 365 * 24;

/// One activity, as a program would send it.
#[derive(Clone, Debug)]
pub struct Event {
    /// Counted from 1.
    pub id: u64,
    /// Milliseconds since 1970.
    pub time: i64,
    pub user: String,
    pub app: String,
    pub action: String,
    pub detail: String,
    pub ip: IpAddr,
    pub user_agent: String,
    pub session: String,
    pub failed: bool,
}

impl Event {
    pub const fn outcome(&self) -> &'static str {
        if self.failed { "failure" } else { "success" }
    }
}

/// The commonest action, at 30 %.
pub const COMPARE: &str = "compare";

/// What else is done, the commonest first.
pub const ACTIONS: [&str; 59] = [
    "backup",
    "login",
    "replicate",
    "logout",
    "restore",
    "view",
    "search",
    "update",
    "export",
    "verify",
    "create",
    "download",
    "delete",
    "upload",
    "sync",
    "schedule",
    "approve",
    "archive",
    "rename",
    "import",
    "move",
    "share",
    "copy",
    "unlock",
    "lock",
    "grant",
    "enable",
    "revoke",
    "start",
    "disable",
    "restart",
    "stop",
    "rollback",
    "deploy",
    "clone",
    "snapshot",
    "split",
    "merge",
    "validate",
    "decrypt",
    "encrypt",
    "compress",
    "reindex",
    "sign",
    "audit",
    "assign",
    "reject",
    "comment",
    "escalate",
    "print",
    "notify",
    "mount",
    "scan",
    "migrate",
    "unmount",
    "purge",
    "failover",
    "impersonate",
    "promote",
];

const APPS: [&str; 12] = [
    "helpdesk",
    "crm",
    "ledgerbook",
    "fileshare",
    "backupd",
    "intranet",
    "wiki",
    "payments",
    "mailgate",
    "buildbot",
    "console",
    "registry",
];

const GIVEN: [&str; 25] = [
    "agnes", "boris", "carla", "dmitri", "elena", "fabio", "greta", "hanna", "igor", "janina", "kasper",
    "livia", "mirek", "noemi", "otto", "pavla", "quentin", "rosa", "stefan", "tereza", "ursula", "viktor",
    "wanda", "xenia", "yannick",
];

const FAMILY: [&str; 20] = [
    "adamski",
    "bergman",
    "castelli",
    "dvorsky",
    "eriksen",
    "fontaine",
    "gruber",
    "hudak",
    "ivanova",
    "jelinek",
    "kovacs",
    "lindqvist",
    "moravec",
    "nielsen",
    "okafor",
    "pereira",
    "quist",
    "romero",
    "sandoval",
    "tanaka",
];

const OBJECTS: [&str; 20] = [
    "Account",
    "Invoice",
    "Payroll",
    "Contract",
    "Dataset",
    "Customer",
    "Mailbox",
    "Volume",
    "Project",
    "Cluster",
    "Report",
    "Policy",
    "Server",
    "Queue",
    "Device",
    "Template",
    "Tenant",
    "Warehouse",
    "Calendar",
    "Certificate",
];

const FILES: [&str; 10] = [
    "invoices",
    "payroll",
    "minutes",
    "budget",
    "contacts",
    "inventory",
    "orders",
    "metrics",
    "snapshot",
    "accounts",
];

const ENDINGS: [&str; 7] = ["csv", "xlsx", "pdf", "docx", "json", "sql", "tar.gz"];

/// Sentences that log lines repeat.
pub const PHRASES: [&str; 10] = [
    "retention policy",
    "access denied",
    "checksum mismatch",
    "finished successfully",
    "connection timed out",
    "quota exceeded",
    "scheduled maintenance window",
    "permission changed",
    "nightly job",
    "differences found",
];

/// The commonest words.
const COMMON: [&str; 60] = [
    "the",
    "of",
    "to",
    "for",
    "with",
    "from",
    "on",
    "by",
    "and",
    "in",
    "record",
    "request",
    "completed",
    "data",
    "system",
    "started",
    "items",
    "new",
    "old",
    "remote",
    "local",
    "status",
    "source",
    "target",
    "manual",
    "automatic",
    "office",
    "finance",
    "storage",
    "node",
    "region",
    "north",
    "south",
    "review",
    "pending",
    "team",
    "week",
    "month",
    "daily",
    "weekly",
    "error",
    "warning",
    "retry",
    "transfer",
    "size",
    "table",
    "field",
    "value",
    "order",
    "batch",
    "token",
    "network",
    "address",
    "folder",
    "quarter",
    "draft",
    "final",
    "signed",
    "partner",
    "supplier",
];

/// How many words there are.
const WORDS: usize = 20_000;

/// Chance that can be repeated: `SplitMix64`.
struct Chance(u64);

impl Chance {
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Between 0 and 1.
    fn share(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn below(&mut self, end: usize) -> usize {
        ((u128::from(self.bits()) * end as u128) >> 64) as usize
    }

    /// True once in `times`.
    fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    fn one<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.below(of.len())]
    }
}

/// A draw in which the first lot is the likeliest: sums of weights, and a search in them.
struct Draw(Vec<f64>);

impl Draw {
    fn of(weights: impl Iterator<Item = f64>) -> Self {
        let mut sum = 0.0;
        Self(
            weights
                .map(|weight| {
                    sum += weight;
                    sum
                })
                .collect(),
        )
    }

    /// The lot of rank `k` weighs `k` to the power of `-steepness`.
    fn zipf(lots: usize, steepness: f64) -> Self {
        Self::of((1..=lots).map(|rank| (rank as f64).powf(-steepness)))
    }

    fn draw(&self, chance: &mut Chance) -> usize {
        let at = chance.share() * self.0[self.0.len() - 1];
        self.0.partition_point(|sum| *sum <= at)
    }
}

/// A year of activities.
pub struct Year {
    count: u64,
    made: u64,
    chance: Chance,
    words: Vec<String>,
    agents: Vec<String>,
    people: Vec<Person>,
    /// Where the weights of all hours up to each end.
    hours: Vec<f64>,
    hour: usize,
    by_word: Draw,
    by_person: Draw,
    by_app: Draw,
    by_action: Draw,
}

struct Person {
    name: String,
    addresses: Vec<IpAddr>,
    agents: Vec<usize>,
    session: String,
    address: usize,
    agent: usize,
}

impl Year {
    /// One of `count` activities.
    pub fn of(count: u64) -> Self {
        let mut chance = Chance(2025);
        let words = words(&mut chance);
        let agents = agents(&mut chance);
        let by_agent = Draw::zipf(agents.len(), 0.9);
        let people = names().map(|name| Person::new(name, &by_agent, &mut chance)).collect();
        let rest: f64 = (1..=ACTIONS.len()).map(|rank| (rank as f64).powf(-1.2)).sum();
        let others = (1..=ACTIONS.len()).map(|rank| 0.7 * (rank as f64).powf(-1.2) / rest);
        Self {
            count,
            made: 0,
            chance,
            by_word: Draw::zipf(words.len(), 1.0),
            words,
            agents,
            people,
            hours: Draw::of((0..HOURS).map(busy)).0,
            hour: 0,
            by_person: Draw::zipf(GIVEN.len() * FAMILY.len(), 0.9),
            by_app: Draw::zipf(APPS.len(), 0.8),
            by_action: Draw::of([0.3].into_iter().chain(others)),
        }
    }

    /// The words of the details, the commonest first: the word of rank `k` (from 1) is in about 0.75 / `k` of all lines.
    pub fn words() -> Vec<String> {
        words(&mut Chance(2025))
    }

    /// The names of the people, the busiest first.
    pub fn users() -> Vec<String> {
        names().collect()
    }

    fn time(&mut self) -> i64 {
        let place = (self.made as f64 + self.chance.share()) / self.count as f64 * self.hours[HOURS - 1];
        while self.hour + 1 < HOURS && self.hours[self.hour] <= place {
            self.hour += 1;
        }
        let before = if self.hour == 0 { 0.0 } else { self.hours[self.hour - 1] };
        let part = ((place - before) / (self.hours[self.hour] - before)).clamp(0.0, 0.999_999);
        let time = YEAR_BEGINS + ((self.hour as f64 + part) * HOUR as f64) as i64;
        let late = if self.chance.once_in(20) { self.chance.below(2000) as i64 } else { 0 };
        (time - late).max(YEAR_BEGINS)
    }

    fn detail(&mut self) -> String {
        let mut line = Vec::with_capacity(16);
        let length = 5 + self.chance.below(11);
        if self.chance.below(10) < 7 {
            line.push(format!("{}_{}", self.chance.one(&OBJECTS), 2010 + self.chance.below(16)));
        }
        if self.chance.below(10) < 3 {
            let (name, ending) = (self.chance.one(&FILES), self.chance.one(&ENDINGS));
            line.push(format!("{name}_{:04}.{ending}", self.chance.below(10_000)));
        }
        if self.chance.once_in(4) {
            line.push(format!("TK-{:06}", self.chance.below(400_000)));
        }
        if self.chance.once_in(5) {
            line.push(self.chance.one(&PHRASES).to_owned());
        }
        while line.len() < length {
            line.push(self.words[self.by_word.draw(&mut self.chance)].clone());
        }
        line.join(" ")
    }
}

impl Iterator for Year {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        if self.made == self.count {
            return None;
        }
        let time = self.time();
        self.made += 1;
        let detail = self.detail();
        let chance = &mut self.chance;
        let (app, action) = (self.by_app.draw(chance), self.by_action.draw(chance));
        let failed = chance.once_in(25);
        let person = &mut self.people[self.by_person.draw(chance)];
        if chance.once_in(60) {
            person.sign_in(chance);
        }
        Some(Event {
            id: self.made,
            time,
            user: person.name.clone(),
            app: APPS[app].to_owned(),
            action: action.checked_sub(1).map_or(COMPARE, |other| ACTIONS[other]).to_owned(),
            detail,
            ip: person.addresses[person.address],
            user_agent: self.agents[person.agents[person.agent]].clone(),
            session: person.session.clone(),
            failed,
        })
    }
}

impl Person {
    fn new(name: String, by_agent: &Draw, chance: &mut Chance) -> Self {
        let addresses = (0..=chance.below(4)).map(|_| address(chance)).collect();
        let agents = (0..=chance.below(3)).map(|_| by_agent.draw(chance)).collect();
        let mut person = Self { name, addresses, agents, session: String::new(), address: 0, agent: 0 };
        person.sign_in(chance);
        person
    }

    fn sign_in(&mut self, chance: &mut Chance) {
        const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
        self.session = (0..22).map(|_| char::from(LETTERS[chance.below(LETTERS.len())])).collect();
        self.address = chance.below(self.addresses.len());
        self.agent = chance.below(self.agents.len());
    }
}

fn names() -> impl Iterator<Item = String> {
    FAMILY.iter().flat_map(|family| GIVEN.iter().map(move |given| format!("{given}.{family}")))
}

/// How much happens in an hour of the year, which begins on a Wednesday.
fn busy(hour: usize) -> f64 {
    let weekend = matches!((hour / 24 + 2) % 7, 5 | 6);
    match (hour % 24, weekend) {
        (2 | 3, _) => 1.4,
        (0..=5, _) => 0.6,
        (_, true) => 0.3,
        (9..=11 | 14..=16, false) => 5.0,
        (8 | 12 | 13 | 17, false) => 3.5,
        (7 | 18, false) => 1.6,
        _ => 0.7,
    }
}

/// Real words first, then invented ones. None is also the name of a person, an app or an action, so that a word means the
/// same wherever it is looked for.
fn words(chance: &mut Chance) -> Vec<String> {
    const STARTS: [&str; 22] = [
        "b", "d", "f", "g", "h", "k", "l", "m", "n", "p", "r", "s", "t", "v", "z", "bl", "dr", "gl", "kr",
        "sk", "st", "tr",
    ];
    const MIDDLES: [&str; 8] = ["a", "e", "i", "o", "u", "au", "ei", "oo"];
    const ENDS: [&str; 8] = ["", "", "n", "k", "ld", "m", "rt", "s"];
    let names = GIVEN.iter().chain(&FAMILY).chain(&APPS).chain(&ACTIONS).chain(&COMMON);
    let mut taken: HashSet<String> = names.map(|name| (*name).to_owned()).collect();
    let mut words: Vec<String> = COMMON.iter().map(|word| (*word).to_owned()).collect();
    while words.len() < WORDS {
        let mut word = String::new();
        for _ in 0..2 + chance.below(3) {
            word.push_str(chance.one(&STARTS));
            word.push_str(chance.one(&MIDDLES));
        }
        word.push_str(chance.one(&ENDS));
        if taken.insert(word.clone()) {
            words.push(word);
        }
    }
    words
}

/// A public address; one in four is of the newer kind.
fn address(chance: &mut Chance) -> IpAddr {
    if chance.once_in(4) {
        let mut parts = [(); 8].map(|()| chance.below(1 << 16) as u16);
        parts[0] = [0x2001, 0x2600, 0x2a00, 0x2a02][chance.below(4)];
        return Ipv6Addr::from(parts).into();
    }
    loop {
        let address = Ipv4Addr::from(chance.bits() as u32);
        let [first, ..] = address.octets();
        let shared = first == 100 || first == 192 || first == 172;
        let odd = first == 0 || first >= 224 || shared;
        if !odd && !address.is_private() && !address.is_loopback() && !address.is_link_local() {
            return address.into();
        }
    }
}

/// Two hundred browsers and programs.
fn agents(chance: &mut Chance) -> Vec<String> {
    const SYSTEMS: [&str; 4] = [
        "Windows NT 10.0; Win64; x64",
        "Macintosh; Intel Mac OS X 10_15_7",
        "X11; Linux x86_64",
        "Linux; Android 10; K",
    ];
    let mut one = |kind: usize| {
        let (system, version, build) = (chance.one(&SYSTEMS), 118 + chance.below(24), chance.below(7000));
        let chrome = format!(
            "Mozilla/5.0 ({system}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{version}.0.{build}.0 Safari/537.36"
        );
        match kind % 10 {
            0..=4 => chrome,
            5 => format!("{chrome} Edg/{version}.0.{build}.0"),
            6 | 7 => format!("Mozilla/5.0 ({system}; rv:{version}.0) Gecko/20100101 Firefox/{version}.0"),
            8 => format!(
                "Mozilla/5.0 (iPhone; CPU iPhone OS 17_{0} like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.{0} Mobile/15E148 Safari/604.{1}",
                chance.below(7),
                1 + chance.below(40)
            ),
            _ => format!(
                "{}/{}.{}.{}",
                chance.one(&["curl", "okhttp", "python-requests", "backupd-agent"]),
                version / 10,
                build % 20,
                build % 7
            ),
        }
    };
    (0..200).map(&mut one).collect()
}
