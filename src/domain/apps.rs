//! Apps of the organisation, as administrators register them.

use super::{App as Rollcall, Gone};
use crate::{
    model::{
        activity::action,
        app::App,
        site::{NotASite, Site},
        user::Actor,
    },
    store::{Apps, StoreError},
};

/// Why an app could not be registered or removed.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The name cannot be one.
    #[error("an app's name has 1 to 64 characters, and none that cannot be seen")]
    Name,
    /// The address is not one.
    #[error("an app's {0}")]
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
        let name_ok = !app.name.trim().is_empty() && app.name.len() <= 64;
        if !name_ok || app.name.chars().any(char::is_control) || app.name.contains('/') {
            return Err(AppError::Name);
        }
        let site: Site = app.url.parse()?;
        let app = App { url: site.to_string(), ..app };
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
