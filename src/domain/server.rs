//! What the server itself tells the log: that it started, that it was stopped, and that its disk was full.

use std::{collections::BTreeMap, sync::atomic::Ordering};

use super::App;
use crate::{
    model::{
        activity::{NewActivity, Outcome, action},
        user::Actor,
    },
    store::{Health, Settings as _, StoreError},
};

/// Under which name it is kept what the server was started with.
const SAID: &str = "said at the start";

impl App {
    /// Tells that the server has started, and which of its settings are others than when it was started last: those that
    /// were `said`, by their names. Who changed them nobody can know here; the first start has nothing to compare them with.
    pub async fn tell_of_start(&self, said: BTreeMap<String, String>) -> Result<(), StoreError> {
        let version = concat!("version ", env!("CARGO_PKG_VERSION"));
        let started = self.did(&Actor::system(), action::SERVER_STARTED).saying(version);
        let changed = self.did(&Actor::system(), action::SETTING_CHANGED);
        let written = self.0.store.write(self.now(), move |write| {
            write.append(&started)?;
            let known = write.setting(SAID)?.and_then(|text| serde_json::from_str(&text).ok());
            let known: BTreeMap<String, String> = known.unwrap_or_else(|| said.clone());
            for name in known.keys().chain(said.keys().filter(|name| !known.contains_key(*name))) {
                let [before, now] =
                    [&known, &said].map(|all| all.get(name).map_or("the default", String::as_str));
                if before != now {
                    write.append(&changed.clone().to(name).saying(format!("{now}, instead of {before}")))?;
                }
            }
            write.put_setting(SAID, &serde_json::to_string(&said).unwrap_or_default())?;
            Ok::<_, StoreError>(())
        });
        written.done().await
    }

    /// Tells that the server is being stopped.
    pub async fn tell_of_stop(&self) -> Result<(), StoreError> {
        self.tell(self.did(&Actor::system(), action::SERVER_STOPPED)).await
    }

    /// Tells that the disk is full, for which there is room still in the reserve, and that it is so no more. To be called again and
    /// again.
    pub(super) async fn tell_of_the_disk(&self) -> Result<(), StoreError> {
        let full = match self.0.store.health() {
            Health::Full => true,
            Health::Good => false,
            // It can be told when it is over.
            Health::Failing(_) => return Ok(()),
        };
        if self.0.full.load(Ordering::Relaxed) == full {
            return Ok(());
        }
        let told = self.did(&Actor::system(), action::DISK_FULL);
        let told = if full {
            NewActivity {
                outcome: Outcome::Failure,
                ..told.saying("no activities are taken until there is room")
            }
        } else {
            told.saying("there is room again, and activities are taken")
        };
        self.tell(told).await?;
        self.0.full.store(full, Ordering::Relaxed);
        Ok(())
    }

    async fn tell(&self, told: NewActivity) -> Result<(), StoreError> {
        let written = self.0.store.write(self.now(), move |write| {
            write.append(&told)?;
            Ok::<_, StoreError>(())
        });
        written.done().await
    }
}
