//! API tokens by name, and by the hash of their secret.

use redb::ReadableTable;
use serde::{Deserialize, Serialize};

use super::{
    StoreError, View, Write,
    codec::{self, Row},
    tables::{TOKEN_HASHES, TOKENS},
};
use crate::model::{secret::TokenHash, token::ApiToken};

const TABLE: &str = "the table of tokens";
/// Of a token whose ids are kept by its name, as they once were of all; and of one that has its own, and may be an app's.
const BY_NAME: u8 = 1;
const VERSION: u8 = 2;

#[derive(Serialize, Deserialize)]
struct OwnRecord {
    app: Option<String>,
    record: Record,
}

#[derive(Serialize, Deserialize)]
struct Record {
    hash: [u8; 32],
    scopes: Vec<String>,
    created: i64,
    created_by: String,
    expires: Option<i64>,
    last_used: Option<i64>,
}

/// Questions about API tokens.
pub trait Tokens: View {
    /// The token of this name.
    fn token(&self, name: &str) -> Result<Option<ApiToken>, StoreError> {
        let tokens = self.table(TOKENS)?;
        let found = tokens.get(name).map_err(StoreError::file)?;
        found.map(|bytes| decode(name, bytes.value()).map(|(token, _)| token)).transpose()
    }

    /// Whether there is a token that is opened by what hashes to this.
    fn opens_a_token(&self, hash: TokenHash) -> Result<bool, StoreError> {
        Ok(self.table(TOKEN_HASHES)?.get(&hash.0).map_err(StoreError::file)?.is_some())
    }

    /// Every token with its hash, sorted by name.
    fn tokens(&self) -> Result<Vec<(TokenHash, ApiToken)>, StoreError> {
        let tokens = self.table(TOKENS)?;
        tokens
            .iter()
            .map_err(StoreError::file)?
            .map(|row| {
                let (name, bytes) = row.map_err(StoreError::file)?;
                decode(name.value(), bytes.value()).map(|(token, hash)| (hash, token))
            })
            .collect()
    }
}

impl<V: View> Tokens for V {}

impl Write<'_> {
    /// Writes a token that is opened by what hashes to `hash`.
    pub fn put_token(&mut self, token: &ApiToken, hash: TokenHash) -> Result<(), StoreError> {
        let record = Record {
            hash: hash.0,
            scopes: token.scopes.iter().map(ToString::to_string).collect(),
            created: codec::millis(token.created),
            created_by: token.created_by.clone(),
            expires: token.expires.map(codec::millis),
            last_used: token.last_used.map(codec::millis),
        };
        let row = Row::of(TOKENS, token.name.as_str());
        let bytes = if token.own_ids {
            codec::seal(row, VERSION, &OwnRecord { app: token.app.clone(), record })
        } else {
            codec::seal(row, BY_NAME, &record)
        };
        self.edit(TOKENS)?.insert(token.name.as_str(), bytes.as_slice()).map_err(StoreError::file)?;
        self.edit(TOKEN_HASHES)?.insert(&hash.0, token.name.as_str()).map_err(StoreError::file)?;
        Ok(())
    }

    /// Removes a token. False if there is none of this name.
    pub fn remove_token(&mut self, name: &str) -> Result<bool, StoreError> {
        let hash = {
            let tokens = self.table(TOKENS)?;
            let found = tokens.get(name).map_err(StoreError::file)?;
            found.map(|bytes| decode(name, bytes.value())).transpose()?.map(|(_, hash)| hash)
        };
        let Some(hash) = hash else { return Ok(false) };
        self.edit(TOKENS)?.remove(name).map_err(StoreError::file)?;
        self.edit(TOKEN_HASHES)?.remove(&hash.0).map_err(StoreError::file)?;
        Ok(true)
    }
}

fn decode(name: &str, bytes: &[u8]) -> Result<(ApiToken, TokenHash), StoreError> {
    let row = Row::of(TOKENS, name);
    let own_ids = bytes.first() == Some(&VERSION);
    let OwnRecord { app, record } = if own_ids {
        codec::open(TABLE, row, VERSION, bytes)?
    } else {
        OwnRecord { app: None, record: codec::open(TABLE, row, BY_NAME, bytes)? }
    };
    let scopes = record.scopes.iter().map(|scope| scope.parse().map_err(|_| StoreError::Damaged(TABLE)));
    let token = ApiToken {
        name: name.to_owned(),
        scopes: scopes.collect::<Result<_, _>>()?,
        app,
        own_ids,
        created: codec::time(TABLE, record.created)?,
        created_by: record.created_by,
        expires: record.expires.map(|millis| codec::time(TABLE, millis)).transpose()?,
        last_used: record.last_used.map(|millis| codec::time(TABLE, millis)).transpose()?,
    };
    Ok((token, TokenHash(record.hash)))
}
