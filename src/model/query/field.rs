//! The fields of the search box and all the names they go by.

use std::fmt;

use super::lex;

/// Where to look.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Field {
    /// Action, detail, user, app, target, attributes.
    Anywhere,
    /// Who did it.
    User,
    /// What was done.
    Action,
    /// In which program.
    App,
    /// How it went.
    Outcome,
    /// In which session.
    Session,
    /// From which address.
    Ip,
    /// The city's name.
    City,
    /// ISO 3166-1 alpha-2.
    Country,
    /// The Device Details column.
    Device,
    /// The OS Details column.
    Os,
    /// The Browser Details column.
    Browser,
    /// To what or whom.
    Target,
    /// A sentence, a path, a document.
    Detail,
    /// The attribute of this name, which is in lower case.
    Attribute(String),
}

/// Every name of a field: the contract's first, then those of ECS and of neighbours.
const NAMES: &[(Field, &[&str])] = &[
    (Field::User, &["user", "user.name", "user.id", "user.email", "actor"]),
    (Field::Action, &["action", "event.action", "activity"]),
    (Field::App, &["app", "service.name", "application", "event.provider"]),
    (Field::Outcome, &["outcome", "event.outcome"]),
    (Field::Session, &["session", "session.id"]),
    (Field::Ip, &["ip", "source.ip", "client.ip", "source.address", "client.address"]),
    (Field::City, &["city", "client.geo.city_name", "source.geo.city_name", "geo.city_name"]),
    (
        Field::Country,
        &[
            "country",
            "client.geo.country_iso_code",
            "source.geo.country_iso_code",
            "geo.country_iso_code",
            "client.geo.country_name",
            "source.geo.country_name",
            "geo.country_name",
        ],
    ),
    (Field::Device, &["device", "user_agent.device.name"]),
    (Field::Os, &["os", "user_agent.os.name", "user_agent.os.full"]),
    (Field::Browser, &["browser", "user_agent.name"]),
    (Field::Target, &["target", "user.target.name"]),
    (Field::Detail, &["detail", "message", "event.reason"]),
];

/// In front of an attribute's name.
const ATTRIBUTES: [&str; 3] = ["attr.", "labels.", "attributes."];

impl Field {
    /// The field of this name, in any case.
    pub(super) fn named(name: &str) -> Option<Self> {
        let name = name.to_lowercase();
        if let Some(attribute) = ATTRIBUTES.iter().find_map(|front| name.strip_prefix(front)) {
            return (!attribute.is_empty()).then(|| Self::Attribute(attribute.to_owned()));
        }
        NAMES.iter().find(|(_, names)| names.contains(&name.as_str())).map(|(field, _)| field.clone())
    }

    /// Whether the name of an attribute comes behind this, in quotes.
    pub(super) fn is_attributes_front(text: &str) -> bool {
        ATTRIBUTES.contains(&text.to_lowercase().as_str())
    }

    /// The name of a field that somebody may have meant by `name`.
    pub(super) fn nearest(name: &str) -> Option<&'static str> {
        let name = name.to_lowercase();
        if name.starts_with("user_agent") {
            return Some("browser");
        }
        let all = NAMES.iter().flat_map(|(_, names)| names.iter().copied());
        let (distance, nearest) = all.map(|known| (distance(&name, known), known)).min()?;
        (distance <= 1 + name.chars().count() / 4).then_some(nearest)
    }

    /// Whether the whole value is compared, rather than its words.
    pub fn is_whole(&self) -> bool {
        matches!(self, Self::User | Self::Action | Self::App | Self::Session | Self::Country)
    }

    /// The contract's name; none for [`Field::Anywhere`].
    pub const fn name(&self) -> Option<&'static str> {
        Some(match self {
            Self::Anywhere => return None,
            Self::User => "user",
            Self::Action => "action",
            Self::App => "app",
            Self::Outcome => "outcome",
            Self::Session => "session",
            Self::Ip => "ip",
            Self::City => "city",
            Self::Country => "country",
            Self::Device => "device",
            Self::Os => "os",
            Self::Browser => "browser",
            Self::Target => "target",
            Self::Detail => "detail",
            Self::Attribute(_) => "attr",
        })
    }
}

/// The field as it stands in front of a value, its colon included.
impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Attribute(name)
                if name.contains(|c: char| c == ':' || lex::is_end(c) || lex::is_quote(c)) =>
            {
                f.write_str("attr.")?;
                lex::quote(name, f)?;
                f.write_str(":")
            }
            Self::Attribute(name) => write!(f, "attr.{name}:"),
            other => other.name().map_or(Ok(()), |name| write!(f, "{name}:")),
        }
    }
}

/// Levenshtein's distance in characters.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, &y) in b.iter().enumerate() {
            let above = row[j + 1];
            row[j + 1] = (diagonal + usize::from(x != y)).min(above + 1).min(row[j] + 1);
            diagonal = above;
        }
    }
    row[b.len()]
}
