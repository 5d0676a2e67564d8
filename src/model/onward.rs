//! Where somebody goes on to once they are signed in, or signed out. Whoever made the link to the page that does it has named it.

use super::site::{Address, Site};

/// Where to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Onward {
    /// A page of this server, by its path.
    Page(String),
    /// An address of an app of this name.
    App(Address, String),
}

impl Onward {
    /// What `text` names: a path of this server, or an address of an app that `app_at` knows by its site. Nothing that is
    /// anybody else's.
    pub fn of(text: &str, app_at: impl FnOnce(&Site) -> Option<String>) -> Option<Self> {
        if let Some(path) = local(text) {
            return Some(Self::Page(path.to_owned()));
        }
        let address: Address = text.parse().ok()?;
        let app = app_at(&address.site)?;
        Some(Self::App(address, app))
    }

    /// As the form carries it.
    pub fn text(&self) -> String {
        match self {
            Self::Page(path) => path.clone(),
            Self::App(address, _) => address.to_string(),
        }
    }

    /// The app's name, if it is one.
    pub fn app(&self) -> Option<&str> {
        match self {
            Self::Page(_) => None,
            Self::App(_, name) => Some(name),
        }
    }

    /// Where a form that leads there must be allowed to.
    pub fn site(&self) -> Option<Site> {
        match self {
            Self::Page(_) => None,
            Self::App(address, _) => Some(address.site.clone()),
        }
    }
}

/// A path of this server that an address named; nothing that a browser could read as another server's, and nothing that no browser
/// sends: a header in which it stood would cost the whole answer.
pub fn local(path: &str) -> Option<&str> {
    let plain = path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    (plain && path.starts_with('/') && !path.starts_with("//")).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::local;

    #[test]
    fn a_way_back_stays_on_this_server() {
        assert_eq!(local("/activity?q=a"), Some("/activity?q=a"));
        for elsewhere in [
            "//evil",
            "/\\evil",
            "\\/evil",
            "https://evil",
            "https:evil",
            "javascript:1",
            "/a\tb",
            "/\u{1}",
            "/a b",
            "/ä",
            "",
            "evil",
        ] {
            assert_eq!(local(elsewhere), None, "{elsewhere}");
        }
    }
}
