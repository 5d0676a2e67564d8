//! Where settings are written, and in which form: `rollcall.toml` and the environment.

use std::path::Path;

use figment::{
    Provider as _,
    providers::{Format as _, Toml},
    value::{Dict, Value},
};

/// Where settings are written in the data folder.
pub(super) const FILE: &str = "rollcall.toml";

/// The form in which a setting is written.
#[derive(Clone, Copy)]
enum Form {
    /// One text. A number is as good as its digits.
    Text,
    /// Several texts, or one with commas between them.
    List,
    /// `true` or `false`.
    Flag,
    /// A whole number.
    Number,
}

/// The settings by name; other variables that begin with `ROLLCALL_` are somebody else's.
const SETTINGS: [(&str, Form); 22] = [
    ("listen", Form::Text),
    ("tls-cert", Form::Text),
    ("tls-key", Form::Text),
    ("tls-self-signed", Form::Flag),
    ("insecure-http", Form::Flag),
    ("trusted-proxy", Form::List),
    ("client-header", Form::Text),
    ("public-url", Form::Text),
    ("cookie-domain", Form::Text),
    ("geo", Form::Text),
    ("session-idle", Form::Text),
    ("session-max", Form::Text),
    ("ask-again-after", Form::Text),
    ("sessions-per-user", Form::Number),
    ("bind-sessions", Form::Text),
    ("password-memory", Form::Number),
    ("password-passes", Form::Number),
    ("syslog", Form::Text),
    ("syslog-from", Form::List),
    ("checkpoint-file", Form::Text),
    ("checkpoint-syslog", Form::Text),
    ("checkpoint-webhook", Form::Text),
];

impl Form {
    /// A value in this form, or what is wrong with it.
    fn settle(self, value: Value) -> Result<Value, String> {
        let text = match &value {
            Value::String(_, text) => Some(text.trim().to_owned()),
            Value::Num(_, number) => number.to_i128().map(|number| number.to_string()),
            _ => None,
        };
        match (self, value, text) {
            (Self::Text, _, Some(text)) => Ok(text.into()),
            (Self::Text, value, None) => Err(format!("one text, not {}", kind(&value))),
            (Self::List, _, Some(text)) => {
                Ok(text.split(',').map(|one| one.trim().to_owned()).collect::<Vec<_>>().into())
            }
            (Self::List, Value::Array(_, list), None) if list.iter().all(|one| one.as_str().is_some()) => {
                Ok(list.into())
            }
            (Self::List, ..) => Err("a list of texts, like [\"10.0.0.2\", \"10.1.0.0/16\"]".to_owned()),
            (Self::Flag, yes @ Value::Bool(..), _) => Ok(yes),
            (Self::Flag, value, text) => match text.as_deref() {
                Some("true" | "1") => Ok(true.into()),
                Some("false" | "0") => Ok(false.into()),
                Some(text) => Err(format!("true or false, not {text:?}")),
                None => Err(format!("true or false, not {}", kind(&value))),
            },
            (Self::Number, value, text) => match text {
                Some(text) => {
                    let number = text.parse::<u32>().map(Value::from);
                    number.map_err(|_| format!("a whole number, not {text:?}"))
                }
                None => Err(format!("a whole number, not {}", kind(&value))),
            },
        }
    }
}

/// What a value is, for people.
const fn kind(value: &Value) -> &'static str {
    match value {
        Value::String(..) => "a text",
        Value::Bool(..) => "true or false",
        Value::Num(..) => "a fraction",
        Value::Char(..) | Value::Empty(..) => "that",
        Value::Dict(..) => "a table",
        Value::Array(..) => "a list",
    }
}

/// What the file says, setting by setting, each in its form.
pub(super) fn of_file(file: &Path, faults: &mut Vec<String>) -> Dict {
    if !file.exists() {
        return Dict::new();
    }
    let read = match Toml::file_exact(file).data() {
        Ok(profiles) => profiles.into_values().next().unwrap_or_default(),
        Err(error) => {
            faults.push(format!("{FILE}: {}", one_line(&error.to_string())));
            return Dict::new();
        }
    };
    let mut settled = Dict::new();
    for (name, value) in read {
        let Some((_, form)) = SETTINGS.iter().find(|(known, _)| *known == name) else {
            faults.push(format!("{FILE}: there is no setting {name}; `rollcall serve --help` shows them"));
            continue;
        };
        match form.settle(value) {
            Ok(value) => drop(settled.insert(name, value)),
            Err(wrong) => faults.push(format!("{FILE}: {name}: {wrong}")),
        }
    }
    settled
}

/// What the environment says. A variable that holds nothing says nothing.
pub(super) fn of_environment(variable: impl Fn(&str) -> Option<String>, faults: &mut Vec<String>) -> Dict {
    let mut settled = Dict::new();
    for (name, form) in SETTINGS {
        let called = format!("ROLLCALL_{}", name.to_ascii_uppercase().replace('-', "_"));
        let Some(text) = variable(&called).filter(|text| !text.trim().is_empty()) else { continue };
        match form.settle(text.into()) {
            Ok(value) => drop(settled.insert(name.to_owned(), value)),
            Err(wrong) => faults.push(format!("{called}: {wrong}")),
        }
    }
    settled
}

/// What the reader of TOML says in several lines, the middle of which show the place: where, and what.
fn one_line(error: &str) -> String {
    let mut lines = error.lines().map(str::trim).filter(|line| !line.is_empty());
    let first = lines.next().unwrap_or_default();
    let place = first.strip_prefix("TOML parse error at ").unwrap_or(first);
    match lines.next_back() {
        Some(last) => format!("{place}: {last}"),
        None => place.to_owned(),
    }
}
