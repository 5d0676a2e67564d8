//! An activity as it is stored.

use serde::{Deserialize, Serialize};

use crate::{
    model::{
        activity::{Activity, NewActivity, Outcome},
        id::ActivityId,
    },
    store::{
        StoreError,
        codec::{self, DeviceRecord, IpRecord, PlaceRecord},
    },
};

const TABLE: &str = "the log";
const VERSION: u8 = 1;

#[derive(Serialize, Deserialize)]
struct Record<'a> {
    time: i64,
    received: i64,
    user: &'a str,
    action: &'a str,
    detail: &'a str,
    app: &'a str,
    outcome: u8,
    session: Option<&'a str>,
    ip: IpRecord,
    place: PlaceRecord,
    device: DeviceRecord,
    user_agent: Option<&'a str>,
    target: Option<&'a str>,
    #[serde(borrow)]
    attributes: Vec<(&'a str, &'a str)>,
}

/// Encodes a new activity that is written at `received`, both in milliseconds.
pub(super) fn encode(new: &NewActivity, received: i64) -> Vec<u8> {
    let record = Record {
        time: new.time.map_or(received, codec::millis),
        received,
        user: &new.user,
        action: &new.action,
        detail: &new.detail,
        app: &new.app,
        outcome: match new.outcome {
            Outcome::Unknown => 0,
            Outcome::Success => 1,
            Outcome::Failure => 2,
        },
        session: new.session.as_deref(),
        ip: new.ip,
        place: (&new.place).into(),
        device: (&new.device).into(),
        user_agent: new.user_agent.as_deref(),
        target: new.target.as_deref(),
        attributes: new.attributes.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect(),
    };
    codec::seal(VERSION, &record)
}

/// Decodes the activity that is stored under `id`.
pub(super) fn decode(id: u64, bytes: &[u8]) -> Result<Activity, StoreError> {
    let payload = codec::check(TABLE, VERSION, bytes)?;
    let record: Record<'_> = codec::parse(TABLE, payload)?;
    Ok(Activity {
        id: ActivityId(id),
        time: codec::time(TABLE, record.time)?,
        received: codec::time(TABLE, record.received)?,
        user: record.user.to_owned(),
        action: record.action.to_owned(),
        detail: record.detail.to_owned(),
        app: record.app.to_owned(),
        outcome: match record.outcome {
            1 => Outcome::Success,
            2 => Outcome::Failure,
            _ => Outcome::Unknown,
        },
        session: record.session.map(str::to_owned),
        ip: record.ip,
        place: record.place.into(),
        device: record.device.into(),
        user_agent: record.user_agent.map(str::to_owned),
        target: record.target.map(str::to_owned),
        attributes: record
            .attributes
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_activity_is_read_as_it_was_written() {
        let mut new = NewActivity::new("ann", "backup", "vault");
        new.time = Some("2026-01-02T03:04:05.678Z".parse().unwrap());
        new.ip = Some("2001:db8::1".parse().unwrap());
        new.place.city = Some("Linköping".into());
        new.place.latitude = Some(58.4);
        new.place.longitude = Some(15.6);
        new.attributes = vec![("k".into(), "=v\r\n".into())];
        let read = decode(7, &encode(&new, 1_800_000_000_000)).unwrap();
        assert_eq!(read.id, ActivityId(7));
        assert_eq!(Some(read.time), new.time);
        assert_eq!(read.received.as_millisecond(), 1_800_000_000_000);
        assert_eq!((read.ip, read.place, read.attributes), (new.ip, new.place, new.attributes));
    }

    #[test]
    fn the_first_form_of_a_record_never_changes() {
        // Bytes written by 0.1.0: whatever comes later must still read them.
        let mut new = NewActivity::new("ann", "backup", "vault");
        new.detail = "nightly".into();
        let hex = data_encoding::HEXLOWER.encode(&encode(&new, 1_700_000_000_000));
        insta::assert_snapshot!(hex);
    }
}
