//! A volume: a long stretch of the log, and what its activities have in common.
//!
//! Users, places, devices, sessions and words come again and again, and not only among neighbours: a volume keeps each
//! once, in dictionaries of its own, and the rows of its blocks refer to them. A user, a session, an address and a device mostly come
//! together, so together they have one number, their origin; and so have app, action, outcome and the names of the
//! attributes, their kind. What occurs once stands in its row.
//!
//! A volume is written once and removed with its last block. It needs no other volume.

use serde::{Deserialize, Serialize};

use super::{
    bytes::{Input, damaged, put, put_slice},
    dictionary::{Codes, Dictionary, Tally},
    record::{outcome, outcome_code},
    text,
};
use crate::{
    model::activity::Activity,
    store::{
        StoreError,
        codec::{DeviceRecord, IpRecord, PlaceRecord},
    },
};

/// How many activities a volume has at most. With fewer the dictionaries weigh more, with more the log's open end does.
pub(super) const LENGTH: usize = 1 << 17;

/// The most entries of a dictionary other than that of words.
const MOST: usize = 1 << 16;

/// How hard the dictionaries are compressed: they are written once.
const LEVEL: i32 = 12;

/// The most bytes the dictionaries of a volume may have, unpacked; a larger one was never written.
const LARGEST: usize = 256 << 20;

const TABLE: &str = "the log";

/// The dictionaries of a volume, to read with.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Volume {
    words: Dictionary,
    users: Dictionary,
    places: Dictionary,
    agents: Dictionary,
    origins: Dictionary,
    kinds: Dictionary,
}

/// What was done, without when, by whom and to what exactly.
#[derive(Serialize, Deserialize)]
struct KindRecord<'a> {
    app: &'a str,
    action: &'a str,
    outcome: u8,
    target: bool,
    #[serde(borrow)]
    attributes: Vec<&'a str>,
}

/// On what.
#[derive(Serialize, Deserialize)]
struct AgentRecord<'a> {
    #[serde(borrow)]
    user_agent: Option<&'a str>,
    device: DeviceRecord,
}

impl Volume {
    /// Unpacks the dictionaries.
    pub(super) fn read(packed: &[u8]) -> Result<Self, StoreError> {
        let bytes = zstd::bulk::Decompressor::upper_bound(packed)
            .filter(|size| *size <= LARGEST)
            .and_then(|size| zstd::bulk::decompress(packed, size).ok())
            .ok_or_else(damaged)?;
        let input = &mut Input(&bytes);
        let mut next = || Dictionary::read(input);
        Ok(Self {
            words: next()?,
            users: next()?,
            places: next()?,
            agents: next()?,
            origins: next()?,
            kinds: next()?,
        })
    }

    /// What it takes in memory, in bytes.
    pub(super) fn size(&self) -> usize {
        [&self.words, &self.users, &self.places, &self.agents, &self.origins, &self.kinds]
            .map(Dictionary::size)
            .iter()
            .sum()
    }

    /// Reads what a row says of an activity beside its id and times.
    pub(super) fn fill<'a>(&'a self, mut row: Input<'a>, activity: &mut Activity) -> Result<(), StoreError> {
        let kind: KindRecord<'_> = parse(entry(&self.kinds, &mut row)?)?;
        kind.app.clone_into(&mut activity.app);
        kind.action.clone_into(&mut activity.action);
        activity.outcome = outcome(kind.outcome);
        match row.number()? {
            0 => self.origin(&mut row, activity)?,
            known => {
                let known = usize::try_from(known - 1).map_err(|_| damaged())?;
                let bytes = self.origins.get(known).ok_or_else(damaged)?;
                self.origin(&mut Input(bytes), activity)?;
            }
        }
        let words = |bytes| text::read(&self.words, Input(bytes));
        if kind.target {
            activity.target = Some(words(row.slice()?)?);
        }
        for name in kind.attributes {
            activity.attributes.push((name.to_owned(), words(row.slice()?)?));
        }
        activity.detail = words(row.rest())?;
        Ok(())
    }

    fn origin<'a>(&'a self, input: &mut Input<'a>, activity: &mut Activity) -> Result<(), StoreError> {
        utf8(entry(&self.users, input)?)?.clone_into(&mut activity.user);
        let (ip, place): (IpRecord, PlaceRecord) = parse(entry(&self.places, input)?)?;
        activity.ip = ip;
        activity.place = place.into();
        let agent: AgentRecord<'_> = parse(entry(&self.agents, input)?)?;
        activity.user_agent = agent.user_agent.map(str::to_owned);
        activity.device = agent.device.into();
        activity.session = match input.size()? {
            0 => None,
            length => Some(utf8(input.take(length - 1)?)?.to_owned()),
        };
        Ok(())
    }
}

/// An entry of a dictionary by its number, or one that stands here as it is.
fn entry<'a>(dictionary: &'a Dictionary, input: &mut Input<'a>) -> Result<&'a [u8], StoreError> {
    match input.size()? {
        0 => input.slice(),
        known => dictionary.get(known - 1).ok_or_else(damaged),
    }
}

fn put_entry(codes: &Codes, entry: &[u8], out: &mut Vec<u8>) {
    if let Some(known) = codes.number(entry) {
        put(out, u64::from(known) + 1);
    } else {
        put(out, 0);
        put_slice(out, entry);
    }
}

fn parse<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, StoreError> {
    crate::store::codec::parse(TABLE, bytes)
}

fn utf8(bytes: &[u8]) -> Result<&str, StoreError> {
    std::str::from_utf8(bytes).map_err(|_| damaged())
}

/// A volume in the making: what its activities have in common is counted first.
#[derive(Default)]
pub(super) struct Draft {
    chunks: Tally,
    users: Tally,
    places: Tally,
    agents: Tally,
    origins: Tally,
    kinds: Tally,
    parts: Parts,
}

/// An activity, cut up as the dictionaries hold it.
#[derive(Default)]
struct Parts {
    place: Vec<u8>,
    agent: Vec<u8>,
    kind: Vec<u8>,
    /// User, place, agent and session, each behind its length.
    origin: Vec<u8>,
}

impl Parts {
    fn of(&mut self, activity: &Activity) {
        for part in [&mut self.place, &mut self.agent, &mut self.kind, &mut self.origin] {
            part.clear();
        }
        let ip: IpRecord = activity.ip;
        append(&mut self.place, &(ip, PlaceRecord::from(&activity.place)));
        let user_agent = activity.user_agent.as_deref();
        append(&mut self.agent, &AgentRecord { user_agent, device: (&activity.device).into() });
        let kind = KindRecord {
            app: &activity.app,
            action: &activity.action,
            outcome: outcome_code(activity.outcome),
            target: activity.target.is_some(),
            attributes: activity.attributes.iter().map(|(name, _)| name.as_str()).collect(),
        };
        append(&mut self.kind, &kind);
        put_slice(&mut self.origin, activity.user.as_bytes());
        put_slice(&mut self.origin, &self.place);
        put_slice(&mut self.origin, &self.agent);
        put_session(&mut self.origin, activity.session.as_deref().map(str::as_bytes));
    }
}

fn append<T: Serialize>(bytes: &mut Vec<u8>, record: &T) {
    match postcard::to_extend(record, std::mem::take(bytes)) {
        Ok(extended) => *bytes = extended,
        Err(error) => unreachable!("a record could not be encoded: {error}"),
    }
}

/// A session: its length and one more, so that none is not the empty one.
fn put_session(out: &mut Vec<u8>, session: Option<&[u8]>) {
    put(out, session.map_or(0, |session| session.len() as u64 + 1));
    out.extend_from_slice(session.unwrap_or_default());
}

impl Draft {
    /// Counts what an activity is made of.
    pub(super) fn count(&mut self, activity: &Activity) {
        self.parts.of(activity);
        self.users.see(activity.user.as_bytes());
        self.places.see(&self.parts.place);
        self.agents.see(&self.parts.agent);
        self.origins.see(&self.parts.origin);
        self.kinds.see(&self.parts.kind);
        text::count(&mut self.chunks, &activity.detail);
        for text in activity.target.iter().chain(activity.attributes.iter().map(|(_, value)| value)) {
            text::count(&mut self.chunks, text);
        }
    }

    /// The volume of what was counted.
    pub(super) fn finish(self) -> Scribe {
        let rank = |tally: &Tally| tally.rank(MOST, |_, count| count > 1);
        let mut scribe = Scribe {
            words: text::words(&self.chunks),
            users: rank(&self.users),
            places: rank(&self.places),
            agents: rank(&self.agents),
            origins: Codes::default(),
            kinds: rank(&self.kinds),
            parts: self.parts,
        };
        let mut origins = rank(&self.origins);
        origins.rewrite(|origin, out| scribe.put_origin(origin, out));
        scribe.origins = origins;
        scribe
    }
}

/// The dictionaries of a volume, to write with.
pub(super) struct Scribe {
    words: Codes,
    users: Codes,
    places: Codes,
    agents: Codes,
    origins: Codes,
    kinds: Codes,
    parts: Parts,
}

impl Scribe {
    /// Appends what a row says of an activity beside its id and times; [`Volume::fill`] reads it.
    pub(super) fn write(&mut self, activity: &Activity, out: &mut Vec<u8>) {
        self.parts.of(activity);
        put_entry(&self.kinds, &self.parts.kind, out);
        if let Some(known) = self.origins.number(&self.parts.origin) {
            put(out, u64::from(known) + 1);
        } else {
            put(out, 0);
            self.put_origin(&self.parts.origin, out);
        }
        let mut coded = Vec::new();
        for text in activity.target.iter().chain(activity.attributes.iter().map(|(_, value)| value)) {
            coded.clear();
            text::write(&self.words, text, &mut coded);
            put_slice(out, &coded);
        }
        text::write(&self.words, &activity.detail, out);
    }

    /// Appends an origin, with those of its parts by number that have one.
    fn put_origin(&self, origin: &[u8], out: &mut Vec<u8>) {
        let mut parts = Input(origin);
        for codes in [&self.users, &self.places, &self.agents] {
            // What was put there a moment ago is there.
            put_entry(codes, parts.slice().unwrap_or_default(), out);
        }
        out.extend_from_slice(parts.rest());
    }

    /// The dictionaries, packed to be kept; [`Volume::read`] unpacks them.
    pub(super) fn pack(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for codes in [&self.words, &self.users, &self.places, &self.agents, &self.origins, &self.kinds] {
            codes.dictionary.write(&mut bytes);
        }
        // From memory into memory: nothing there can fail.
        zstd::bulk::compress(&bytes, LEVEL).unwrap_or_default()
    }
}
