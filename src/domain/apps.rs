//! Apps of the organisation, as administrators register them.

use super::{
    App as Rollcall, Gone,
    accounts::{TEXT, are_groups},
    ingest::is_own,
    live::Live,
};
use crate::{
    model::{
        activity::action,
        app::{App, AppChange, GivenApp, HeaderFamily, called},
        site::{NotASite, Site},
        user::{Actor, UserName, unseen},
    },
    store::{Apps, StoreError},
};

/// The longest name of an app, in bytes.
pub const LONGEST: usize = 64;

/// What would be called so has no page: `/apps/add` is another one, and browsers take dots out of addresses.
const RESERVED: [&str; 3] = ["add", ".", ".."];

/// Why an app could not be registered, changed or removed.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The name cannot be one.
    #[error("an app's name has 1 to {LONGEST} bytes, no slash and nothing that cannot be seen")]
    Name,
    /// The name stands for something else.
    #[error("an app cannot be called {0}: the name has a meaning of its own here")]
    Reserved(String),
    /// A group is one that nobody can be in.
    #[error("groups are at most 100, each of 1 to {TEXT} bytes without commas and control characters")]
    Groups,
    /// The address is not one.
    #[error(transparent)]
    Url(#[from] NotASite),
    /// Another app is there already.
    #[error("the app {1} is registered at {0} already")]
    Taken(Site, String),
    /// One of this name is there already.
    #[error(
        "there is an app {0} already; change that one instead, on its page, by `rollcall app set` or the API"
    )]
    Known(String),
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

    /// The name that an app which is called so is registered by; as it is, where none is.
    pub fn app_name(&self, name: String) -> String {
        self.0.apps.called(&name).map_or(name, |app| app.name)
    }

    /// Whether an app is registered that is called so. Sessions and activities may name others: a program that signs its users in by
    /// itself needs no more than a token.
    pub fn is_registered(&self, name: &str) -> bool {
        self.0.apps.called(name).is_some()
    }

    /// Whether two names are those of one app: in upper and lower case they are the same, unless an app is registered under each.
    pub fn are_one_app(&self, one: &str, other: &str) -> bool {
        let registered = |name| self.0.apps.called(name).map(|app| app.name);
        one == other || UserName::fold(one) == UserName::fold(other) && registered(one) == registered(other)
    }

    /// Whether an app was opened in a live session, which may name it as it was not yet registered.
    pub fn has_opened(&self, live: &Live, app: &str) -> bool {
        live.has_opened(app) || live.apps().iter().any(|opened| self.are_one_app(opened, app))
    }

    /// Registers an app, as it is returned. Fails where one of its name is there.
    pub async fn add_app(&self, by: &Actor, app: App) -> Result<App, AppError> {
        let name = new_name(&app.name)?;
        self.put_app(by, name, move |known| match known {
            Some(known) => Err(AppError::Known(known.name)),
            None => Ok(app.clone()),
        })
        .await
    }

    /// Registers an app, or changes the one of that name, of which what is not given stays: an app that is open to some is opened to
    /// everybody only by whoever says so, with groups that are none.
    pub async fn set_app(&self, by: &Actor, given: GivenApp) -> Result<(), AppError> {
        let (name, now) = (new_name(&given.name)?, self.now());
        self.put_app(by, name, move |known| {
            let GivenApp { name, url, groups, headers } = given.clone();
            let (had, family, created) = known.map_or_else(
                || (Vec::new(), HeaderFamily::default(), now),
                |known| (known.groups, known.headers, known.created),
            );
            let (groups, headers) = (groups.unwrap_or(had), headers.unwrap_or(family));
            Ok(App { name, url, groups, headers, created })
        })
        .await?;
        Ok(())
    }

    /// Changes an app that is there. Its sessions, its webhook and its activities stay its own.
    pub async fn change_app(&self, by: &Actor, name: &str, change: AppChange) -> Result<(), AppError> {
        let unknown = name.to_owned();
        self.put_app(by, name.to_owned(), move |known| {
            let app = known.ok_or_else(|| AppError::Unknown(unknown.clone()))?;
            let AppChange { url, groups, headers } = change.clone();
            Ok(App {
                url: url.unwrap_or(app.url),
                groups: groups.unwrap_or(app.groups),
                headers: headers.unwrap_or(app.headers),
                ..app
            })
        })
        .await?;
        Ok(())
    }

    /// Puts what `make` makes of the app of this name, which is returned.
    async fn put_app(
        &self,
        by: &Actor,
        name: String,
        make: impl Fn(Option<App>) -> Result<App, AppError> + Send + 'static,
    ) -> Result<App, AppError> {
        let (added, changed) = (self.did(by, action::APP_ADDED), self.did(by, action::APP_CHANGED));
        let put = self.change(by, move |write| {
            let apps = write.apps()?;
            let known = called(apps.iter(), &name).cloned();
            let name = known.as_ref().map_or_else(|| name.clone(), |known| known.name.clone());
            let told = if known.is_some() { &changed } else { &added };
            let app = make(known)?;
            if !are_groups(&app.groups) {
                return Err(AppError::Groups);
            }
            let site: Site = app.url.parse()?;
            let app = App { name, url: site.to_string(), ..app };
            if let Some(other) = apps.into_iter().find(|other| other.url == app.url && other.name != app.name)
            {
                return Err(AppError::Taken(site, other.name));
            }
            let open_to = if app.groups.is_empty() { "everybody".to_owned() } else { app.groups.join(", ") };
            let told = told.clone().to(&app.name).saying(format!("{}, open to {open_to}", app.url));
            write.put_app(&app)?;
            write.append(&told)?;
            Ok(app)
        });
        let app = put.done().await?;
        self.0.apps.refresh(&self.0.store)?;
        Ok(app)
    }

    /// Removes an app. Its activities stay.
    pub async fn remove_app(&self, by: &Actor, name: &str) -> Result<(), AppError> {
        let (told, name) = (self.did(by, action::APP_REMOVED), name.to_owned());
        let removed = self.change(by, move |write| {
            let apps = write.apps()?;
            let Some(app) = called(apps.iter(), &name) else {
                return Err(AppError::Unknown(name.clone()));
            };
            write.remove_app(&app.name)?;
            write.remove_hook(&app.name, write.now())?;
            write.append(&told.clone().to(&app.name))?;
            Ok(())
        });
        removed.done().await?;
        Ok(self.0.apps.refresh(&self.0.store)?)
    }
}

/// Whether an app that is not registered, or not yet, can be called so.
pub fn can_be_called(name: &str) -> bool {
    !name.is_empty() && name.len() <= LONGEST && !name.chars().any(unseen) && !is_own(name)
}

/// A name as a new app may have it.
fn new_name(name: &str) -> Result<String, AppError> {
    let name = name.trim();
    if name.is_empty() || name.len() > LONGEST || name.chars().any(|c| c == '/' || unseen(c)) {
        return Err(AppError::Name);
    }
    if is_own(name) || RESERVED.contains(&UserName::fold(name).as_str()) {
        return Err(AppError::Reserved(name.to_owned()));
    }
    Ok(name.to_owned())
}
