//! On what somebody was: what a browser says of itself, as far as it can be believed.

use std::{fmt, str::FromStr};

/// What a user agent was found to be. The raw text is kept beside it, because a guess may be wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Device {
    /// What sort of thing it is; it decides the icon.
    pub kind: Kind,
    /// The Device Details column: `Computer`, `iPhone`, `Pixel 8`; empty when unknown.
    pub device: String,
    /// The OS Details column: `Windows 11`, `macOS 14.5`; empty when unknown.
    pub os: String,
    /// The Browser Details column: `Firefox 127`; empty when unknown.
    pub browser: String,
}

/// The sorts of device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A desktop or laptop computer.
    Desktop,
    /// A telephone.
    Phone,
    /// A tablet.
    Tablet,
    /// A program: a crawler, a script, an agent.
    Bot,
    /// A television, a console, an appliance.
    Appliance,
    /// Nothing is known.
    #[default]
    Unknown,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 6] =
        [Self::Desktop, Self::Phone, Self::Tablet, Self::Bot, Self::Appliance, Self::Unknown];

    /// The kind's name, which is also its icon's.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Desktop => "desktop",
            Self::Phone => "phone",
            Self::Tablet => "tablet",
            Self::Bot => "bot",
            Self::Appliance => "appliance",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Kind {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or(())
    }
}

/// What a request says of its sender: the `User-Agent` and the client hints beside it (W3C User-Agent Client
/// Hints). Every value is as it came, cut to [`Agent::MAX_BYTES`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Agent {
    /// `User-Agent`.
    pub user_agent: String,
    /// `Sec-CH-UA`: brands with their major versions.
    pub brands: Option<String>,
    /// `Sec-CH-UA-Full-Version-List`: brands with their full versions.
    pub full_versions: Option<String>,
    /// `Sec-CH-UA-Platform`: `"Windows"`.
    pub platform: Option<String>,
    /// `Sec-CH-UA-Platform-Version`: `"15.0.0"`.
    pub platform_version: Option<String>,
    /// `Sec-CH-UA-Model`: `"Pixel 8"`.
    pub model: Option<String>,
    /// `Sec-CH-UA-Mobile`: `?1` is true.
    pub mobile: Option<bool>,
}

impl Agent {
    /// The most bytes of any header that are kept.
    pub const MAX_BYTES: usize = 512;

    /// An agent of which only the `User-Agent` is known.
    pub fn of(user_agent: &str) -> Self {
        Self { user_agent: Self::cut(user_agent).to_owned(), ..Self::default() }
    }

    /// What is said here, and what `known` says of the rest.
    #[must_use]
    pub fn or(&self, known: &Self) -> Self {
        let or = |new: &Option<String>, old: &Option<String>| new.clone().or_else(|| old.clone());
        Self {
            user_agent: self.user_agent.clone(),
            brands: or(&self.brands, &known.brands),
            full_versions: or(&self.full_versions, &known.full_versions),
            platform: or(&self.platform, &known.platform),
            platform_version: or(&self.platform_version, &known.platform_version),
            model: or(&self.model, &known.model),
            mobile: self.mobile.or(known.mobile),
        }
    }

    /// Whether [`Agent::or`] would say no more than `known` does.
    pub fn adds_nothing_to(&self, known: &Self) -> bool {
        let pairs = [
            (&self.brands, &known.brands),
            (&self.full_versions, &known.full_versions),
            (&self.platform, &known.platform),
            (&self.platform_version, &known.platform_version),
            (&self.model, &known.model),
        ];
        self.user_agent == known.user_agent
            && pairs.iter().all(|(new, known)| new.is_none() || new == known)
            && (self.mobile.is_none() || self.mobile == known.mobile)
    }

    /// `text`, cut at a character's boundary so that it has at most [`Agent::MAX_BYTES`] bytes.
    pub fn cut(text: &str) -> &str {
        &text[..text.floor_char_boundary(Self::MAX_BYTES)]
    }
}
