//! Apps of the organisation, as administrators register them.

use super::{App as Rollcall, Gone};
use crate::{
    model::{
        activity::{OWN_APP, action},
        app::App,
        site::{NotASite, Site},
        user::{Actor, UserName, unseen},
    },
    store::{Apps, StoreError},
};

/// The longest name of an app, in bytes.
pub(super) const LONGEST: usize = 64;

/// What would be called so could not be told from Rollcall in the log, or has no page: `/apps/add` is another one, and browsers
/// take dots out of addresses.
const RESERVED: [&str; 4] = [OWN_APP, "add", ".", ".."];

/// Why an app could not be registered or removed.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The name cannot be one.
    #[error("an app's name has 1 to {LONGEST} bytes, no slash and nothing that cannot be seen")]
    Name,
    /// The name stands for something else.
    #[error("an app cannot be called {0}: the name has a meaning of its own here")]
    Reserved(String),
    /// The address is not one.
    #[error(transparent)]
    Url(#[from] NotASite),
    /// Another app is there already.
    #[error("the app {1} is registered at {0} already")]
    Taken(Site, String),
    /// There is no such app.
    #[error("there is no app {0}")]
    Unknown(String),
    /// The one who asked has been signed out.
    #[error(transparent)]
    Gone(#[from] Gone),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Rollcall {
    /// Every app, sorted by name.
    pub fn apps(&self) -> Result<Vec<App>, StoreError> {
        self.0.store.read(Apps::apps)
    }

    /// Registers an app, or changes one.
    pub async fn put_app(&self, by: &Actor, app: App) -> Result<(), AppError> {
        let name = app.name.trim().to_owned();
        if name.is_empty() || name.len() > LONGEST || name.chars().any(|c| c == '/' || unseen(c)) {
            return Err(AppError::Name);
        }
        if RESERVED.contains(&UserName::fold(&name).as_str()) {
            return Err(AppError::Reserved(name));
        }
        let site: Site = app.url.parse()?;
        let app = App { name, url: site.to_string(), ..app };
        let told = self.did(by, action::APP_ADDED).to(&app.name).saying(&app.url);
        let put = self.change(by, move |write| {
            let there =
                write.apps()?.into_iter().find(|other| other.url == app.url && other.name != app.name);
            if let Some(other) = there {
                return Err(AppError::Taken(site.clone(), other.name));
            }
            write.put_app(&app)?;
            write.append(&told)?;
            Ok(())
        });
        put.done().await?;
        Ok(self.0.apps.refresh(&self.0.store)?)
    }

    /// Removes an app. Its activities stay.
    pub async fn remove_app(&self, by: &Actor, name: &str) -> Result<(), AppError> {
        let (told, name) = (self.did(by, action::APP_REMOVED).to(name), name.to_owned());
        let removed = self.change(by, move |write| {
            if !write.remove_app(&name)? {
                return Err(AppError::Unknown(name.clone()));
            }
            write.remove_hook(&name, write.now())?;
            write.append(&told)?;
            Ok(())
        });
        removed.done().await?;
        Ok(self.0.apps.refresh(&self.0.store)?)
    }
}
