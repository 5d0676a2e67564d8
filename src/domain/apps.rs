//! Apps of the organisation, as administrators register them.

use super::{App as Rollcall, Gone};
use crate::{
    model::{activity::action, app::App, user::Actor},
    store::{Apps, StoreError},
};

/// Why an app could not be registered or removed.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The name cannot be one.
    #[error("an app's name has 1 to 64 characters, and none that cannot be seen")]
    Name,
    /// The address is not one.
    #[error(
        "an app's address is http:// or https://, a host and, if needed, a port: https://wiki.example.org"
    )]
    Url,
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
        let app = App { url: origin(&app.url).ok_or(AppError::Url)?, ..app };
        let told = self.did(by, action::APP_ADDED).to(&app.name).saying(&app.url);
        self.change(by, move |write| {
            write.put_app(&app)?;
            write.append(&told)?;
            Ok(())
        })
        .done()
        .await
    }

    /// Removes an app. Its activities stay.
    pub async fn remove_app(&self, by: &Actor, name: &str) -> Result<(), AppError> {
        let (told, name) = (self.did(by, action::APP_REMOVED).to(name), name.to_owned());
        self.change(by, move |write| {
            if !write.remove_app(&name)? {
                return Err(AppError::Unknown(name.clone()));
            }
            write.remove_hook(&name, write.now())?;
            write.append(&told)?;
            Ok(())
        })
        .done()
        .await
    }
}

/// Scheme, host and port of an address, in lower case and without a trailing slash; none where there is more
/// or less than that.
fn origin(url: &str) -> Option<String> {
    let url = url.trim().to_ascii_lowercase();
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"))?;
    let host = rest.strip_suffix('/').unwrap_or(rest);
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']');
    (!host.is_empty() && host.len() <= 255 && host.chars().all(good) && host.starts_with(|c| c != ':'))
        .then(|| url.strip_suffix('/').unwrap_or(&url).to_owned())
}

#[cfg(test)]
mod tests {
    use super::origin;

    #[test]
    fn an_address_is_scheme_host_and_port() {
        assert_eq!(origin("https://Wiki.example.org/").as_deref(), Some("https://wiki.example.org"));
        assert_eq!(origin("http://10.0.0.7:3000").as_deref(), Some("http://10.0.0.7:3000"));
        for bad in
            ["wiki", "ftp://wiki", "https://", "https://wiki/path", "https://a@wiki", "javascript:alert(1)"]
        {
            assert_eq!(origin(bad), None, "{bad}");
        }
    }
}
