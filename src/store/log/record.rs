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

/// The canonical bytes of an activity that is written at `received`, in milliseconds: the same ones wherever in the log it is
/// kept, and those a proof is about. Appended to `out`.
pub(super) fn write(new: &NewActivity, received: i64, out: &mut Vec<u8>) {
    append(
        out,
        &Record {
            time: new.time.map_or(received, codec::millis),
            received,
            user: &new.user,
            action: &new.action,
            detail: &new.detail,
            app: &new.app,
            outcome: outcome_code(new.outcome),
            session: new.session.as_deref(),
            ip: new.ip,
            place: (&new.place).into(),
            device: (&new.device).into(),
            user_agent: new.user_agent.as_deref(),
            target: new.target.as_deref(),
            attributes: borrowed(&new.attributes),
        },
    );
}

/// The same bytes of an activity that was read.
pub(super) fn write_again(activity: &Activity, out: &mut Vec<u8>) {
    append(
        out,
        &Record {
            time: codec::millis(activity.time),
            received: codec::millis(activity.received),
            user: &activity.user,
            action: &activity.action,
            detail: &activity.detail,
            app: &activity.app,
            outcome: outcome_code(activity.outcome),
            session: activity.session.as_deref(),
            ip: activity.ip,
            place: (&activity.place).into(),
            device: (&activity.device).into(),
            user_agent: activity.user_agent.as_deref(),
            target: activity.target.as_deref(),
            attributes: borrowed(&activity.attributes),
        },
    );
}

fn borrowed(attributes: &[(String, String)]) -> Vec<(&str, &str)> {
    attributes.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

fn append(out: &mut Vec<u8>, record: &Record<'_>) {
    match postcard::to_extend(record, std::mem::take(out)) {
        Ok(extended) => *out = extended,
        Err(error) => unreachable!("a record could not be encoded: {error}"),
    }
}

/// The activity whose canonical bytes these are.
pub(super) fn read(id: u64, bytes: &[u8]) -> Result<Activity, StoreError> {
    let record: Record<'_> = codec::parse(TABLE, bytes)?;
    Ok(Activity {
        id: ActivityId(id),
        time: codec::time(TABLE, record.time)?,
        received: codec::time(TABLE, record.received)?,
        user: record.user.to_owned(),
        action: record.action.to_owned(),
        detail: record.detail.to_owned(),
        app: record.app.to_owned(),
        outcome: outcome(record.outcome),
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

/// An outcome as it is stored.
pub(super) const fn outcome_code(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Unknown => 0,
        Outcome::Success => 1,
        Outcome::Failure => 2,
    }
}

/// The outcome that is stored so.
pub(super) const fn outcome(code: u8) -> Outcome {
    match code {
        1 => Outcome::Success,
        2 => Outcome::Failure,
        _ => Outcome::Unknown,
    }
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
        let mut bytes = Vec::new();
        write(&new, 1_800_000_000_000, &mut bytes);
        let read = read(7, &bytes).unwrap();
        assert_eq!(read.id, ActivityId(7));
        assert_eq!(Some(read.time), new.time);
        assert_eq!(read.received.as_millisecond(), 1_800_000_000_000);
        let mut again = Vec::new();
        write_again(&read, &mut again);
        assert_eq!(again, bytes);
        assert_eq!((read.ip, read.place, read.attributes), (new.ip, new.place, new.attributes));
    }

    #[test]
    fn the_form_of_a_record_never_changes() {
        // Whatever comes later must still read these bytes, and proofs are about them.
        let mut new = NewActivity::new("ann", "backup", "vault");
        new.detail = "nightly".into();
        let mut bytes = Vec::new();
        write(&new, 1_700_000_000_000, &mut bytes);
        insta::assert_snapshot!(data_encoding::HEXLOWER.encode(&bytes));
    }
}
