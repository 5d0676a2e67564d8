//! Decides which files are good enough to answer: before anything is copied, and before anything is served.
//!
//! The checks are those that tell a usable database from others, not a proof: a full verification takes half a second
//! for the built-in database and refuses sound ones that have no description. What slips through costs a place,
//! never the server.

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    path::Path,
};

use super::{GeoError, database::Database};
use crate::model::place::Place;

/// The most bytes a database may have. Those of cities have 60 to 120 MB.
pub const MAX_BYTES: u64 = 512 << 20;

/// The metadata stand within so many bytes of the end (MaxMind DB format 2.0).
const METADATA_BYTES: u64 = 128 << 10;

const METADATA_MARKER: &[u8] = b"\xab\xcd\xefMaxMind.com";

/// How the files begin that makers pack their databases in: gzip, zip, zstd, xz, bzip2.
const COMPRESSED: [&[u8]; 5] = [b"\x1f\x8b", b"PK\x03\x04", b"\x28\xb5\x2f\xfd", b"\xfd7zXZ", b"BZh"];

/// Networks looked at in each of the 256 largest ones of IPv4 and of IPv6.
const SAMPLES: usize = 48;

/// Opens a file that may be a database, without waiting for anything that is none.
pub(super) fn open(candidate: &Path) -> Result<File, GeoError> {
    // Asked before it is opened: to open a pipe is to wait for its other end.
    if !candidate.metadata().map_err(GeoError::Unreadable)?.is_file() {
        return Err(GeoError::NotAFile);
    }
    let mut file = File::open(candidate).map_err(GeoError::Unreadable)?;
    sniff(&mut file)?;
    Ok(file)
}

/// Looks at the size and both ends of a file, and leaves it at its beginning.
pub(super) fn sniff(file: &mut File) -> Result<(), GeoError> {
    let size = file.metadata().map_err(GeoError::Unreadable)?.len();
    if size > MAX_BYTES {
        return Err(GeoError::TooLarge);
    }
    let mut read = |from: u64, bytes: u64| {
        let mut part = Vec::new();
        file.seek(SeekFrom::Start(from))?;
        file.by_ref().take(bytes).read_to_end(&mut part)?;
        file.rewind()?;
        Ok(part)
    };
    let head = read(0, 8).map_err(GeoError::Unreadable)?;
    if COMPRESSED.iter().any(|start| head.starts_with(start)) {
        return Err(GeoError::Compressed);
    }
    let tail = read(size.saturating_sub(METADATA_BYTES), METADATA_BYTES).map_err(GeoError::Unreadable)?;
    if !tail.windows(METADATA_MARKER.len()).any(|window| window == METADATA_MARKER) {
        return Err(GeoError::NotADatabase);
    }
    Ok(())
}

/// Looks addresses up all over the database: each answer must be legible, and one of them must be a place.
pub(super) fn vet(database: &Database) -> Result<(), GeoError> {
    let mut has_place = false;
    for start in starts(database.knows_ipv6()) {
        let mut next = Some(start);
        for _ in 0..SAMPLES {
            let Some(ip) = next else { break };
            let found = database.find(ip)?;
            has_place |= found.place != Place::default();
            next = after(ip, found.prefix).filter(|next| first_octet(*next) == first_octet(start));
        }
    }
    if has_place { Ok(()) } else { Err(GeoError::NoPlaces(database.database_type().to_owned())) }
}

/// The first address of each network of eight bits.
fn starts(ipv6: bool) -> impl Iterator<Item = IpAddr> {
    let of_v4 = (0..=255).map(|octet| Ipv4Addr::new(octet, 0, 0, 0).into());
    let of_v6 = (0..=255).map(|octet: u8| Ipv6Addr::from(u128::from(octet) << 120).into());
    of_v4.chain(of_v6.filter(move |_| ipv6))
}

/// The first address after the network of `prefix` bits that holds `ip`; IPv4 in a database of IPv6 may be told
/// the prefix of the IPv6 network around all of IPv4, after which there is nothing.
fn after(ip: IpAddr, prefix: u8) -> Option<IpAddr> {
    match ip {
        IpAddr::V4(ip) => {
            let size = 1_u32.checked_shl(32_u32.checked_sub(prefix.into())?)?;
            (ip.to_bits() & !(size - 1)).checked_add(size).map(|next| Ipv4Addr::from(next).into())
        }
        IpAddr::V6(ip) => {
            let size = 1_u128.checked_shl(128_u32.checked_sub(prefix.into())?)?;
            (ip.to_bits() & !(size - 1)).checked_add(size).map(|next| Ipv6Addr::from(next).into())
        }
    }
}

fn first_octet(ip: IpAddr) -> u8 {
    match ip {
        IpAddr::V4(ip) => ip.octets()[0],
        IpAddr::V6(ip) => ip.octets()[0],
    }
}
