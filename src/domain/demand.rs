//! A second factor may be demanded of administrators or of everyone. Whoever is signed in without one and has none sets one
//! up before anything else: no page, no call and no app is open to them until then.
//!
//! Who signed in by passkey has shown two factors. A password beside passkeys is one alone, so that whoever has no
//! authenticator is led to one when they sign in by it.

use std::{
    collections::HashSet,
    sync::{PoisonError, RwLock},
};

use super::{App, accounts::AccountError, live::Live};
use crate::{
    model::{
        activity::action,
        demand::Demand,
        user::{Actor, UserName},
    },
    store::{Factors as _, Read, Settings as _, Store, StoreError},
};

/// The setting it is kept in.
const SETTING: &str = "second factor";

/// What is demanded, and who has a second factor, in memory: a guard asks on each request.
pub(super) struct Demands(RwLock<Inner>);

struct Inner {
    demand: Demand,
    having: HashSet<UserName>,
}

impl Inner {
    fn load(store: &Read) -> Result<Self, StoreError> {
        Ok(Self { demand: kept(store)?, having: store.with_second_factor()?.into_iter().collect() })
    }
}

/// What is demanded, by what is on disk. What cannot be understood is damage, and not taken for nothing.
pub(super) fn kept(store: &Read) -> Result<Demand, StoreError> {
    Ok(store.setting_as(SETTING)?.unwrap_or_default())
}

impl Demands {
    pub(super) fn load(store: &Read) -> Result<Self, StoreError> {
        Inner::load(store).map(|inner| Self(RwLock::new(inner)))
    }

    /// Takes over what is on disk, in whatever order several changes are told.
    pub(super) fn refresh(&self, store: &Store) -> Result<(), StoreError> {
        // The lock is held over the look: whoever looks last has seen everything.
        let mut inner = self.0.write().unwrap_or_else(PoisonError::into_inner);
        *inner = store.read(Inner::load)?;
        Ok(())
    }
}

impl App {
    /// Of whom a second factor is demanded.
    pub fn demand(&self) -> Demand {
        self.0.demands.0.read().unwrap_or_else(PoisonError::into_inner).demand
    }

    /// Whether a second factor is demanded of whoever is in this session, who has shown none and has none.
    pub fn owes_factor(&self, live: &Live) -> bool {
        let demands = self.0.demands.0.read().unwrap_or_else(PoisonError::into_inner);
        // Apps that sign their users in by themselves see to their factors too.
        demands.demand != Demand::Nobody
            && !demands.having.contains(&live.user)
            && live.is_own()
            && !live.second_factor()
            && self.user(&live.user).is_some_and(|user| demands.demand.is_of(user.role))
    }

    /// Demands a second factor of these. Whoever is signed in meets it at the next request.
    pub async fn set_demand(&self, by: &Actor, demand: Demand) -> Result<(), AccountError> {
        let told = self.did(by, action::SETTING_CHANGED).to(SETTING).saying(demand.as_str());
        let set = self.change(by, move |write| {
            write.put_setting(SETTING, demand.as_str())?;
            write.append(&told)?;
            Ok::<_, AccountError>(())
        });
        set.done().await?;
        self.0.demands.refresh(&self.0.store)?;
        Ok(())
    }
}
