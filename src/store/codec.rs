//! The form of a stored record: a version, a checksum, and the fields in postcard's encoding.
//!
//! ```text
//! byte 0       version of the record's form
//! bytes 1..9   the first eight bytes of SHA-256 over the row, the version and the payload
//! bytes 9..    payload
//! ```
//!
//! redb does not check what it reads: of random bit flips in its file two in three gave wrong data without a
//! word. So every record carries a checksum of its own, which is held against it on every read. It is over the
//! table and the key too, so that a record under another name than it was written is damaged like one that says
//! something else. A new form gets a new version, and the reader of the old one stays.
//!
//! What has no checksum can be told from what has: lists by something else than what they list (of ended sessions, of tokens by
//! their hashes, of what waits for apps) are held against the record that they lead to, and the log's own tables have sums and a
//! tree of their own.

use std::{borrow::Borrow, net::IpAddr};

use jiff::Timestamp;
use redb::{Key, TableDefinition, Value};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};

use super::StoreError;
use crate::model::{
    device::{Device, Kind},
    place::Place,
};

const HEAD: usize = 9;

/// The version of what is kept as it is, without an encoding: a text, or bytes.
const PLAIN: u8 = 1;

/// The row that a record stands in.
#[derive(Clone)]
pub(super) struct Row(Sha256);

impl Row {
    /// That of a key in a table.
    pub(super) fn of<'k, K: Key + 'static, V: Value + 'static>(
        table: TableDefinition<'_, K, V>,
        key: impl Borrow<K::SelfType<'k>>,
    ) -> Self {
        use redb::TableHandle as _;
        let key = K::as_bytes(key.borrow());
        let key = key.as_ref();
        // No two rows are the same bytes: names have no zero in them, and keys may be of any length.
        let sum = Sha256::new().chain_update(table.name()).chain_update([0]);
        Self(sum.chain_update((key.len() as u64).to_be_bytes()).chain_update(key))
    }
}

/// Encodes the record of a row.
pub(super) fn seal<T: Serialize>(row: Row, version: u8, record: &T) -> Vec<u8> {
    let start = vec![version, 0, 0, 0, 0, 0, 0, 0, 0];
    let mut bytes = postcard::to_extend(record, start).unwrap_or_else(|error| {
        // Our records hold nothing that postcard cannot write, and a vector does not run full.
        unreachable!("a record could not be encoded: {error}")
    });
    sign(row.0, version, &mut bytes);
    bytes
}

/// Keeps a text or bytes as they are, as the record of a row.
pub(super) fn seal_plain(row: Row, payload: &[u8]) -> Vec<u8> {
    seal_payload(row, PLAIN, payload)
}

fn seal_payload(row: Row, version: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = [&[version, 0, 0, 0, 0, 0, 0, 0, 0], payload].concat();
    sign(row.0, version, &mut bytes);
    bytes
}

fn sign(row: Sha256, version: u8, bytes: &mut [u8]) {
    let sum = checksum(row, version, &bytes[HEAD..]);
    bytes[1..HEAD].copy_from_slice(&sum);
}

/// Decodes the record of a row in `table` whose form is `version`.
pub(super) fn open<T: DeserializeOwned>(
    table: &'static str,
    row: Row,
    version: u8,
    bytes: &[u8],
) -> Result<T, StoreError> {
    parse(table, check(table, row.0, version, bytes)?)
}

/// The bytes that were kept as they are in a row of `table`.
pub(super) fn open_plain<'a>(table: &'static str, row: Row, bytes: &'a [u8]) -> Result<&'a [u8], StoreError> {
    check(table, row.0, PLAIN, bytes)
}

/// The text that was kept as it is in a row of `table`.
pub(super) fn open_text<'a>(table: &'static str, row: Row, bytes: &'a [u8]) -> Result<&'a str, StoreError> {
    str::from_utf8(open_plain(table, row, bytes)?).map_err(|_| StoreError::Damaged(table))
}

/// The payload of a record that knows nothing of its row, as all did in the fifth format.
pub(super) fn open_loose<'a>(
    table: &'static str,
    version: u8,
    bytes: &'a [u8],
) -> Result<&'a [u8], StoreError> {
    check(table, Sha256::new(), version, bytes)
}

/// A value of the fifth format, where it had a checksum that did not cover its row (`sealed`) or none at all, in the form of now.
/// One that is damaged stays so, and is refused when it is read as it was before.
pub(super) fn bind(row: Row, sealed: bool, bytes: &[u8]) -> Vec<u8> {
    let version = bytes.first().copied().unwrap_or_default();
    if check("", row.0.clone(), version, bytes).is_ok() {
        return bytes.to_vec();
    }
    if !sealed {
        return seal_plain(row, bytes);
    }
    match open_loose("", version, bytes) {
        Ok(payload) => seal_payload(row, version, payload),
        Err(_) => bytes.to_vec(),
    }
}

fn check<'a>(table: &'static str, row: Sha256, version: u8, bytes: &'a [u8]) -> Result<&'a [u8], StoreError> {
    if bytes.len() < HEAD || bytes[0] != version || bytes[1..HEAD] != checksum(row, version, &bytes[HEAD..]) {
        return Err(StoreError::Damaged(table));
    }
    Ok(&bytes[HEAD..])
}

/// The record that a payload holds; it may borrow from it.
pub(super) fn parse<'a, T: Deserialize<'a>>(table: &'static str, payload: &'a [u8]) -> Result<T, StoreError> {
    postcard::from_bytes(payload).map_err(|_| StoreError::Damaged(table))
}

fn checksum(row: Sha256, version: u8, payload: &[u8]) -> [u8; 8] {
    let digest = row.chain_update([version]).chain_update(payload).finalize();
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
    use crate::store::tables::{APPS, USERS};

    #[test]
    fn a_flipped_bit_is_noticed_wherever_it_is() {
        let row = || Row::of(USERS, "ann");
        let read = |row, version, bytes: &[u8]| open::<(String, u64)>("t", row, version, bytes);
        let sealed = seal(row(), 1, &("ann", 42_u64));
        assert_eq!(read(row(), 1, &sealed).unwrap(), ("ann".to_owned(), 42));
        for bit in 0..sealed.len() * 8 {
            let mut damaged = sealed.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(read(row(), 1, &damaged).is_err(), "bit {bit}");
        }
        assert!(read(row(), 1, &sealed[..8]).is_err());
        assert!(read(row(), 2, &sealed).is_err());
        assert!(read(Row::of(USERS, "cnn"), 1, &sealed).is_err(), "under another key");
        assert!(read(Row::of(APPS, "ann"), 1, &sealed).is_err(), "in another table");
    }

    #[test]
    fn what_is_of_the_fifth_format_is_bound_to_its_row_once_and_what_is_damaged_stays_so() {
        let row = || Row::of(USERS, "ann");
        let loose = {
            let mut bytes = seal(row(), 1, &7_u64);
            sign(Sha256::new(), 1, &mut bytes);
            bytes
        };
        assert!(open::<u64>("t", row(), 1, &loose).is_err());
        let bound = bind(row(), true, &loose);
        assert_eq!(open::<u64>("t", row(), 1, &bound).unwrap(), 7);
        assert_eq!(bind(row(), true, &bound), bound);
        let mut damaged = loose;
        damaged[HEAD] ^= 1;
        assert!(open::<u64>("t", row(), 1, &bind(row(), true, &damaged)).is_err());
        let text = bind(row(), false, b"90d");
        assert_eq!(open_text("t", row(), &text).unwrap(), "90d");
        assert_eq!(bind(row(), false, &text), text);
    }
}
