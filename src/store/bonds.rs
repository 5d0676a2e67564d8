//! What live sessions are bound to. It goes when the session ends.

use redb::ReadableTable;
use serde::{Deserialize, Serialize};

use super::{
    Sessions as _, StoreError, View, Write,
    codec::{self, Row},
    tables::SESSION_BONDS,
};
use crate::model::{
    bond::{Bond, Family},
    id::SessionId,
};

const TABLE: &str = "the table of what sessions are bound to";
const VERSION: u8 = 1;

#[derive(Serialize, Deserialize)]
struct Record {
    v4: Option<[u8; 3]>,
    v6: Option<[u8; 6]>,
    device: Option<FamilyRecord>,
}

#[derive(Serialize, Deserialize)]
struct FamilyRecord {
    os: String,
    browser: Option<String>,
}

/// Questions about what sessions are bound to.
pub trait Bonds: View {
    /// Every session of which that was written down.
    fn bonds(&self) -> Result<Vec<(SessionId, Bond)>, StoreError> {
        let bonds = self.table(SESSION_BONDS)?;
        let mut all = Vec::new();
        for row in bonds.iter().map_err(StoreError::file)? {
            let (id, bytes) = row.map_err(StoreError::file)?;
            let Record { v4, v6, device } =
                codec::open(TABLE, Row::of(SESSION_BONDS, id.value()), VERSION, bytes.value())?;
            let device = device.map(|family| Family { os: family.os, browser: family.browser });
            all.push((SessionId::from_bytes(*id.value()), Bond { v4, v6, device }));
        }
        Ok(all)
    }
}

impl<V: View> Bonds for V {}

impl Write<'_> {
    /// Writes down what a session is bound to; nothing if it has ended.
    pub fn put_bond(&mut self, id: SessionId, bond: &Bond) -> Result<(), StoreError> {
        if self.session(id)?.is_none_or(|session| session.ending.is_some()) {
            return Ok(());
        }
        let device = bond.device.as_ref();
        let device =
            device.map(|family| FamilyRecord { os: family.os.clone(), browser: family.browser.clone() });
        let bytes = codec::seal(
            Row::of(SESSION_BONDS, id.as_bytes()),
            VERSION,
            &Record { v4: bond.v4, v6: bond.v6, device },
        );
        self.edit(SESSION_BONDS)?.insert(id.as_bytes(), bytes.as_slice()).map_err(StoreError::file)?;
        Ok(())
    }

    /// Lets go of what a session is bound to.
    pub fn drop_bond(&mut self, id: SessionId) -> Result<(), StoreError> {
        self.edit(SESSION_BONDS)?.remove(id.as_bytes()).map_err(StoreError::file)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::{
        model::{
            device::Device,
            place::Place,
            secret::TokenHash,
            session::{EndedBy, Ending, Session},
        },
        store::Store,
    };

    #[test]
    fn what_a_session_is_bound_to_goes_with_it() {
        let now = Timestamp::UNIX_EPOCH;
        let store = Store::in_memory(now, || [7; 16]).unwrap();
        let [id, other] = [1, 2].map(|number| SessionId::from_bytes([number; 16]));
        let session = Session {
            id,
            user: "ann".parse().unwrap(),
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
        let device = Some(Family { os: "Linux".into(), browser: None });
        let bond = Bond { v4: Some([1, 2, 3]), v6: Some([1, 2, 3, 4, 5, 6]), device };
        let kept = bond.clone();
        let written = store.write(now, move |write| {
            write.put_session(&session, TokenHash([1; 32]))?;
            write.put_bond(id, &kept)?;
            write.put_bond(other, &kept)
        });
        written.wait().unwrap();
        assert_eq!(store.read(Bonds::bonds).unwrap(), [(id, bond.clone())], "no session, no bond");
        store.snapshot().unwrap().check(&mut |_| {}).unwrap();
        let written = store.write(now, move |write| {
            let ending = Ending { at: now, by: EndedBy::Policy, by_user: None, reason: String::new() };
            write.end_session(id, None, ending)?;
            write.put_bond(id, &bond)
        });
        written.wait().unwrap();
        assert_eq!(store.read(Bonds::bonds).unwrap(), [], "nor of one that has ended");
        store.snapshot().unwrap().check(&mut |_| {}).unwrap();
    }
}
