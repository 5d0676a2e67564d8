//! The form of a stored record: a version, a checksum, and the fields in postcard's encoding.
//!
//! ```text
//! byte 0       version of the record's form
//! bytes 1..9   the first eight bytes of SHA-256 over the version and the payload
//! bytes 9..    payload
//! ```
//!
//! redb does not check what it reads: of random bit flips in its file two in three gave wrong data without a
//! word. So every record carries a checksum of its own, which is held against it on every read. A new form
//! gets a new version, and the reader of the old one stays.

use std::net::IpAddr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};

use super::StoreError;
use crate::model::{
    device::{Device, Kind},
    place::Place,
};

const HEAD: usize = 9;

/// Encodes a record.
pub(super) fn seal<T: Serialize>(version: u8, record: &T) -> Vec<u8> {
    let start = vec![version, 0, 0, 0, 0, 0, 0, 0, 0];
    let mut bytes = postcard::to_extend(record, start).unwrap_or_else(|error| {
        // Our records hold nothing that postcard cannot write, and a vector does not run full.
        unreachable!("a record could not be encoded: {error}")
    });
    let sum = checksum(version, &bytes[HEAD..]);
    bytes[1..HEAD].copy_from_slice(&sum);
    bytes
}

/// Decodes a record of `table` whose form is `version`.
pub(super) fn open<T: DeserializeOwned>(
    table: &'static str,
    version: u8,
    bytes: &[u8],
) -> Result<T, StoreError> {
    parse(table, check(table, version, bytes)?)
}

/// The payload of a record of `table` whose form is `version`, if it is as it was written.
pub(super) fn check<'a>(table: &'static str, version: u8, bytes: &'a [u8]) -> Result<&'a [u8], StoreError> {
    if bytes.len() < HEAD || bytes[0] != version || bytes[1..HEAD] != checksum(version, &bytes[HEAD..]) {
        return Err(StoreError::Damaged(table));
    }
    Ok(&bytes[HEAD..])
}

/// The record that a payload holds; it may borrow from it.
pub(super) fn parse<'a, T: Deserialize<'a>>(table: &'static str, payload: &'a [u8]) -> Result<T, StoreError> {
    postcard::from_bytes(payload).map_err(|_| StoreError::Damaged(table))
}

fn checksum(version: u8, payload: &[u8]) -> [u8; 8] {
    let digest = Sha256::new().chain_update([version]).chain_update(payload).finalize();
    let mut sum = [0; 8];
    sum.copy_from_slice(&digest[..8]);
    sum
}

/// Milliseconds since 1970, as every time is stored.
pub(super) fn millis(at: Timestamp) -> i64 {
    at.as_millisecond()
}

/// A stored time. What lies outside the calendar was never written by us.
pub(super) fn time(table: &'static str, millis: i64) -> Result<Timestamp, StoreError> {
    Timestamp::from_millisecond(millis).map_err(|_| StoreError::Damaged(table))
}

/// A place as it is stored.
#[derive(Serialize, Deserialize)]
pub(super) struct PlaceRecord {
    city: Option<String>,
    region: Option<String>,
    country: Option<String>,
    position: Option<(f64, f64)>,
}

impl From<&Place> for PlaceRecord {
    fn from(place: &Place) -> Self {
        Self {
            city: place.city.clone(),
            region: place.region.clone(),
            country: place.country.clone(),
            position: place.latitude.zip(place.longitude),
        }
    }
}

impl From<PlaceRecord> for Place {
    fn from(record: PlaceRecord) -> Self {
        Self {
            city: record.city,
            region: record.region,
            country: record.country,
            latitude: record.position.map(|(latitude, _)| latitude),
            longitude: record.position.map(|(_, longitude)| longitude),
        }
    }
}

/// A device as it is stored.
#[derive(Serialize, Deserialize)]
pub(super) struct DeviceRecord {
    kind: u8,
    device: String,
    os: String,
    browser: String,
}

impl From<&Device> for DeviceRecord {
    fn from(device: &Device) -> Self {
        let kind = match device.kind {
            Kind::Unknown => 0,
            Kind::Desktop => 1,
            Kind::Phone => 2,
            Kind::Tablet => 3,
            Kind::Bot => 4,
            Kind::Appliance => 5,
        };
        Self { kind, device: device.device.clone(), os: device.os.clone(), browser: device.browser.clone() }
    }
}

impl From<DeviceRecord> for Device {
    fn from(record: DeviceRecord) -> Self {
        let kind = match record.kind {
            1 => Kind::Desktop,
            2 => Kind::Phone,
            3 => Kind::Tablet,
            4 => Kind::Bot,
            5 => Kind::Appliance,
            _ => Kind::Unknown,
        };
        Self { kind, device: record.device, os: record.os, browser: record.browser }
    }
}

/// An address as it is stored: 4 or 16 bytes behind a tag.
pub(super) type IpRecord = Option<IpAddr>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flipped_bit_is_noticed_wherever_it_is() {
        let sealed = seal(1, &("ann", 42_u64));
        assert_eq!(open::<(String, u64)>("t", 1, &sealed).unwrap(), ("ann".to_owned(), 42));
        for bit in 0..sealed.len() * 8 {
            let mut damaged = sealed.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(open::<(String, u64)>("t", 1, &damaged).is_err(), "bit {bit}");
        }
        assert!(open::<(String, u64)>("t", 1, &sealed[..8]).is_err());
        assert!(open::<(String, u64)>("t", 2, &sealed).is_err());
    }
}
