//! What a live session takes in memory.

use std::fs;

use anyhow::Context as _;
use jiff::Timestamp;
use rollcall::{
    domain::{clock::Clock, live::LiveTable},
    model::{
        device::Device, id::SessionId, place::Place, secret::TokenHash, session::Session, user::UserName,
    },
};

/// Bytes of memory that a session without any text takes, in a table of so many.
pub(crate) fn of_a_session(count: u32) -> anyhow::Result<u64> {
    let user: UserName = "u".parse()?;
    let session = |n: u32| {
        let mut bits = [0; 32];
        bits[..4].copy_from_slice(&n.to_be_bytes());
        let now = Timestamp::UNIX_EPOCH;
        let session = Session {
            id: SessionId::from_bytes(bits[..16].try_into().unwrap_or_default()),
            user: user.clone(),
            registered_by: None,
            ip: None,
            place: Place::default(),
            device: Device::default(),
            user_agent: String::new(),
            started: now,
            last_access: now,
            expires: now,
            apps: Vec::new(),
            mfa: false,
            ending: None,
        };
        (TokenHash(bits), session)
    };
    let before = resident()?;
    let table = LiveTable::of((0..count).map(session), Clock::system());
    let after = resident()?;
    anyhow::ensure!(table.len() == count as usize, "the table does not hold them");
    Ok(after.saturating_sub(before) / u64::from(count))
}

/// The bytes of this process that are in memory.
fn resident() -> anyhow::Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? * 1024)
}
