//! Passes of live sessions: what opens apps in a session's name. Only their hashes are kept, and they go when it ends or gets
//! another token.

use redb::ReadableTable;

use super::{
    Sessions as _, StoreError, View, Write,
    codec::{self, Row},
    tables::SESSION_PASSES,
};
use crate::model::{id::SessionId, secret::TokenHash, site::Realm};

const TABLE: &str = "the table of passes";

/// How many passes a session has at once, which is more hosts than one opens. Where there would be more, any others give
/// way: whoever still needs one is handed another.
const MOST: usize = 64;

/// Questions about passes.
pub trait Passes: View {
    /// Every pass with the session it belongs to.
    fn passes(&self) -> Result<Vec<(SessionId, TokenHash, Realm)>, StoreError> {
        let passes = self.table(SESSION_PASSES)?;
        let mut all = Vec::new();
        for row in passes.iter().map_err(StoreError::file)? {
            let (key, realm) = row.map_err(StoreError::file)?;
            let (id, hash) = key.value();
            let realm = codec::open_text(TABLE, Row::of(SESSION_PASSES, (id, hash)), realm.value())?;
            all.push((SessionId::from_bytes(*id), TokenHash(*hash), Realm::from(realm)));
        }
        Ok(all)
    }
}

impl<V: View> Passes for V {}

impl Write<'_> {
    /// Writes a pass of a live session, asked for with what opens that: those that gave way to it. None if the session has ended,
    /// or has another token by now.
    pub fn put_pass(
        &mut self,
        id: SessionId,
        token: TokenHash,
        hash: TokenHash,
        realm: &Realm,
    ) -> Result<Option<Vec<TokenHash>>, StoreError> {
        if !self.opens(token, id)? {
            return Ok(None);
        }
        let mut surplus = self.passes_of(id)?;
        surplus.truncate((surplus.len() + 1).saturating_sub(MOST));
        let mut passes = self.edit(SESSION_PASSES)?;
        for surplus in &surplus {
            passes.remove((id.as_bytes(), &surplus.0)).map_err(StoreError::file)?;
        }
        let key = (id.as_bytes(), &hash.0);
        let bytes = codec::seal_plain(Row::of(SESSION_PASSES, key), realm.to_string().as_bytes());
        passes.insert(key, bytes.as_slice()).map_err(StoreError::file)?;
        Ok(Some(surplus))
    }

    /// Removes every pass of a session.
    pub(super) fn drop_passes(&mut self, id: SessionId) -> Result<(), StoreError> {
        for hash in self.passes_of(id)? {
            self.edit(SESSION_PASSES)?.remove((id.as_bytes(), &hash.0)).map_err(StoreError::file)?;
        }
        Ok(())
    }

    fn passes_of(&self, id: SessionId) -> Result<Vec<TokenHash>, StoreError> {
        let passes = self.table(SESSION_PASSES)?;
        let all = (id.as_bytes(), &[0; 32])..=(id.as_bytes(), &[u8::MAX; 32]);
        let range = passes.range(all).map_err(StoreError::file)?;
        range.map(|row| Ok(TokenHash(*row.map_err(StoreError::file)?.0.value().1))).collect()
    }
}
