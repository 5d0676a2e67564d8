//! What the server itself tells the log: that it started, that it was stopped, and that its disk was full.

use std::sync::atomic::Ordering;

use super::App;
use crate::{
    model::{
        activity::{NewActivity, Outcome, action},
        user::Actor,
    },
    store::{Health, StoreError},
};

impl App {
    /// Tells that the server has started.
    pub async fn tell_of_start(&self) -> Result<(), StoreError> {
        let version = concat!("version ", env!("CARGO_PKG_VERSION"));
        self.tell(self.did(&Actor::system(), action::SERVER_STARTED).saying(version)).await
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
