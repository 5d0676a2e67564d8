//! A syslog message, RFC 5424 or 3164, as a record.
//!
//! Structured data and a body that is JSON (alone, or behind `@cee:`) are read like any other document. A message that
//! names no user is the machine's own, and one that names no action is its program's: nobody is there to be told that it
//! was refused, and a log that drops what every device sends is of no use.

use std::{borrow::Cow, mem, net::IpAddr, ops::RangeInclusive};

use chrono::{Datelike as _, TimeDelta};
use jiff::Timestamp;
use serde_json::{Value, de::StrRead};
use syslog_loose::{Message, Protocol, Variant, decompose_pri};

use super::{
    Record,
    document::{ACTION, APP, DETAIL, Document, Key, USER, cut, is_known, replace},
    halves,
    json::Twice,
    numbers,
};
use crate::{
    domain::ingest::{CLAIMED, is_own},
    model::activity::NewActivity,
};

/// What structured data is called that could not be read, by the Elastic Common Schema.
const STRUCTURED: &str = "log.syslog.structured_data";

/// Structured data of these names says something of the message, not of what happened.
const OF_THE_MESSAGE: [&str; 3] = ["timeQuality", "origin", "meta"];

/// The months of a date of RFC 3164.
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// The highest priority: facility 23, severity 7.
const PRIORITY: u8 = 191;

/// The longest name of a program, in bytes, as RFC 5424 has it. RFC 3164 has 32, and many senders have more.
const PROGRAM: usize = 48;

/// Reads a message that `from` sent and that came at `now`. What is no UTF-8 is taken for Latin-1, as old devices send
/// it.
pub fn message(bytes: &[u8], from: IpAddr, now: Timestamp) -> Record {
    let latin = || bytes.iter().map(|byte| char::from(*byte)).collect();
    let text = std::str::from_utf8(bytes).map_or_else(|_| latin(), str::to_owned);
    let text = text.trim_matches(['\0', '\r', '\n', ' ', '\u{feff}']);
    if text.is_empty() {
        return Err("the message is empty".to_owned());
    }
    let (text, finer) = dated(text);
    let year = |(month, ..): (u32, u32, u32, u32, u32)| year_of(month, now);
    let mut message = syslog_loose::parse_message_with_year(&text, year, Variant::Either);
    mend(&text, &mut message);
    message.timestamp = message.timestamp.map(|at| at.checked_add_signed(finer).unwrap_or(at));
    Ok(read(&text, &message, from))
}

/// Writes the date of a message of RFC 3164 as the parser reads it, and tells how much later it was: devices write the year behind the
/// time too, and parts of a second. The parser takes the one for the host, and the other for the beginning of the text.
fn dated(text: &str) -> (Cow<'_, str>, TimeDelta) {
    let rest = priority(text).map_or(text, |(_, rest)| rest);
    let head = &text[..text.len() - rest.len()];
    let Some((day, time, behind)) = date(rest) else { return (Cow::Borrowed(text), TimeDelta::zero()) };
    let (part, behind) = match behind.strip_prefix('.').map(|rest| digits(rest, 1..=9)) {
        Some(Some((part, behind))) => (part, behind),
        _ => ("", behind),
    };
    let is_year = |year: &str| ("1970"..="2261").contains(&year);
    let known = day.rsplit(' ').next().is_some_and(|last| last.len() == 4);
    let year = behind.strip_prefix(' ').filter(|_| !known).and_then(|rest| digits(rest, 4..=4));
    let year = year.filter(|(year, behind)| is_year(year) && behind.starts_with([' ', ':']));
    let (year, behind) = year.map_or(("", behind), |(year, behind)| (year, behind));
    if part.is_empty() && year.is_empty() {
        return (Cow::Borrowed(text), TimeDelta::zero());
    }
    let gap = if year.is_empty() { "" } else { " " };
    let nanoseconds = format!("{part:0<9}").parse().unwrap_or_default();
    (format!("{head}{day}{gap}{year} {time}{behind}").into(), TimeDelta::nanoseconds(nanoseconds))
}

/// The date that a text begins with: month and day (and the year, if it stands there), the time, and what stands behind it.
fn date(text: &str) -> Option<(&str, &str, &str)> {
    let month = text.get(..3).filter(|month| MONTHS.iter().any(|known| known.eq_ignore_ascii_case(month)))?;
    let (_, rest) = digits(text[month.len()..].strip_prefix(' ')?.trim_start(), 1..=2)?;
    // Of a date that has its year in the middle just the parts of a second are to be taken out.
    let rest = digits(rest.trim_start(), 4..=4).map_or(rest, |(_, rest)| rest);
    let day = &text[..text.len() - rest.len()];
    let from = rest.strip_prefix(' ')?.trim_start();
    let (_, rest) = digits(from, 1..=2)?;
    let (_, rest) = digits(rest.strip_prefix(':')?, 2..=2)?;
    let (_, rest) = digits(rest.strip_prefix(':')?, 2..=2)?;
    Some((day, &from[..from.len() - rest.len()], rest))
}

/// As many digits as may be, and what stands behind them.
fn digits(text: &str, many: RangeInclusive<usize>) -> Option<(&str, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    many.contains(&end).then(|| text.split_at(end))
}

/// Puts right what the parser takes for something else. Of a message of RFC 3164 that has no date it reads nothing at all, and a program
/// without a host before it, it takes for the host.
fn mend<'t>(text: &'t str, message: &mut Message<&'t str>) {
    if message.msg.len() == text.len() {
        let Some((priority, rest)) = priority(text) else { return };
        (message.facility, message.severity) = decompose_pri(priority);
        message.msg = rest;
        if let Some((program, process, rest)) = tag(rest) {
            (message.appname, message.procid, message.msg) = (Some(program), process.map(Into::into), rest);
        }
    } else if let (Protocol::RFC3164, Some(host), None) =
        (&message.protocol, message.hostname, message.appname)
    {
        let behind = host.as_ptr().addr() + host.len() - text.as_ptr().addr();
        if text[behind..].starts_with(':') && host.parse::<IpAddr>().is_err() {
            (message.hostname, message.appname) = (None, Some(host));
        }
    }
}

/// The priority that a message begins with, and what stands behind it.
fn priority(text: &str) -> Option<(u8, &str)> {
    let (digits, rest) = text.strip_prefix('<')?.split_once('>')?;
    let plain = (1..=3).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    let priority = digits.parse().ok().filter(|priority| plain && *priority <= PRIORITY)?;
    Some((priority, rest.trim_start()))
}

/// The program that a text begins with, `name:` or `name[process]:`, the process, and what stands behind it. What is no name of a program,
/// or has behind its colon what makes another thing of it (`https://`, `CEF:0`, `fe80::1`), is a part of the text.
fn tag(text: &str) -> Option<(&str, Option<&str>, &str)> {
    let of_a_name = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    let (name, rest) = text.split_at(text.find(|c| !of_a_name(c))?);
    let (process, rest) = match rest.strip_prefix('[') {
        Some(rest) => rest.split_once(']').map(|(process, rest)| (Some(process), rest))?,
        None => (None, rest),
    };
    let rest = rest.strip_prefix(':')?;
    let is_name = name.len() <= PROGRAM && name.starts_with(|c: char| !c.is_ascii_digit());
    let is_process =
        process.is_none_or(|process| !process.is_empty() && !process.contains(char::is_whitespace));
    let is_other = rest.starts_with(|c: char| c.is_ascii_digit() || "/\\:=".contains(c));
    (is_name && is_process && !is_other).then(|| (name, process, rest.trim_start()))
}

/// The year of a date that names none: the one that puts it nearest to now, for December comes in January too.
fn year_of(month: u32, now: Timestamp) -> i32 {
    let today = chrono::DateTime::from_timestamp_millis(now.as_millisecond()).unwrap_or_default();
    match (month, today.month()) {
        (12, 1) => today.year() - 1,
        (1, 12) => today.year() + 1,
        _ => today.year(),
    }
}

fn read(text: &str, message: &Message<&str>, from: IpAddr) -> NewActivity {
    let body = message.msg.trim_start_matches('\u{feff}').trim();
    let json = body.strip_prefix("@cee:").unwrap_or(body).trim_start();
    let mut document = document_of(json).unwrap_or_else(|| {
        let mut document = Document::default();
        if !body.is_empty() {
            document.set(DETAIL[0], body);
        }
        document
    });
    let mut whole = true;
    for element in &message.structured_data {
        for (name, value) in element.params() {
            let own = !OF_THE_MESSAGE.contains(&element.id) && is_known(name) && !document.has(name);
            let name = if own { (*name).to_owned() } else { format!("{}.{name}", element.id) };
            whole &= document.add(name, value.into()).is_ok();
        }
    }
    let written = structured(text, message);
    if !whole || !written.is_empty() && written != as_read(message) {
        document.set(STRUCTURED, written);
    }
    let host =
        message.hostname.filter(|host| !host.is_empty()).map_or_else(|| from.to_string(), str::to_owned);
    let program = message.appname.filter(|name| !name.is_empty());
    document.suggest(APP, program.unwrap_or("syslog"));
    document.suggest(ACTION, message.msgid.filter(|id| !id.is_empty()).or(program).unwrap_or("syslog"));
    document.suggest(USER, host.clone());
    // A device whose clock is wrong beyond all bounds is heard as of now.
    if let Some(at) = message.timestamp.filter(|at| (1970..=9999).contains(&at.year())) {
        document.suggest_time(at.to_rfc3339());
    }
    let others = [
        ("host.name", Some(host)),
        ("process.pid", message.procid.as_ref().map(ToString::to_string)),
        ("log.source.address", Some(from.to_string())),
        ("log.syslog.facility.name", message.facility.map(|facility| facility.as_str().to_owned())),
        ("log.syslog.severity.name", message.severity.map(|severity| severity.as_str().to_owned())),
    ];
    for (name, value) in others {
        if let Some(value) = value
            && !document.has(name)
        {
            document.set(name, Value::String(value));
        }
    }
    // Numbered by whoever sent it, and for its address alone.
    let mut record = document.judge(&format!("syslog {from}"), Key::Foreign);
    if is_own(&record.app) {
        // The lines of our own server among them; but they are the machine's word, not ours.
        let claimed = mem::replace(&mut record.app, "syslog".to_owned());
        record.mark(CLAIMED, claimed);
    }
    replace(&mut record);
    cut(&mut record);
    record
}

/// A body that is JSON, if it is. Half a character costs it nothing, nor does a name that stands there twice.
fn document_of(json: &str) -> Option<Document> {
    let json = json.starts_with('{').then(|| halves::replaced(json, "\\ufffe"))?;
    let Ok(Value::Object(fields)) = Twice::Numbered.read(StrRead::new(&numbers::kept(&json))) else {
        return None;
    };
    Document::of(fields).ok()
}

/// The structured data of a message of RFC 5424 as it was written; empty where there is none. Of what is not written as it should be
/// the parser reads as much as it can and passes over the rest.
fn structured<'t>(text: &'t str, message: &Message<&str>) -> &'t str {
    let Protocol::RFC5424(_) = message.protocol else { return "" };
    // The message is the end of the text, but for spaces of all kinds that the parser takes from it. Before the data stand six words:
    // priority and version, time, host, program, process and id.
    let begins =
        if message.msg.is_empty() { text.len() } else { message.msg.as_ptr().addr() - text.as_ptr().addr() };
    let head = &text[..begins];
    let data = (0..6).fold(head, |rest, _| {
        let rest = rest.trim_start();
        &rest[rest.find(char::is_whitespace).unwrap_or(rest.len())..]
    });
    data.trim().trim_matches('-')
}

/// Structured data as the parser read it; elements that say nothing are none of it.
fn as_read(message: &Message<&str>) -> String {
    let elements = message.structured_data.iter().filter(|element| !element.params.is_empty());
    elements.map(ToString::to_string).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{domain::ingest::check, model::activity::limits};

    fn at(now: &str, text: &[u8]) -> Record {
        message(text, "10.0.0.9".parse().unwrap(), now.parse().unwrap())
    }

    fn one(text: &str) -> NewActivity {
        at("2026-03-15T12:00:00Z", text.as_bytes()).unwrap()
    }

    #[test]
    fn structured_data_says_who_did_what() {
        let record = one(
            "<86>1 2026-01-02T03:04:05.678Z web1 shop 77 paid [audit@32473 user=\"ann\" source.ip=\"10.1.1.1\" order=\"a\\\"9\\\"\"][origin ip=\"10.0.0.9\"] three books",
        );
        assert_eq!(
            (&*record.user, &*record.action, &*record.app, &*record.detail),
            ("ann", "paid", "shop", "three books")
        );
        assert_eq!(record.ip.unwrap().to_string(), "10.1.1.1");
        assert_eq!(record.time.unwrap().to_string(), "2026-01-02T03:04:05.678Z");
        let pairs: Vec<_> =
            record.attributes.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let expected = [
            ("audit@32473.order", "a\"9\""),
            ("host.name", "web1"),
            ("log.source.address", "10.0.0.9"),
            ("log.syslog.facility.name", "authpriv"),
            ("log.syslog.severity.name", "info"),
            ("origin.ip", "10.0.0.9"),
            ("process.pid", "77"),
        ];
        assert_eq!(pairs, expected);
    }

    #[test]
    fn a_message_that_names_nobody_is_the_machines_own() {
        let record = one("<38>Mar 15 11:59:00 web1 sshd[42]: Accepted password for ann");
        assert_eq!((&*record.user, &*record.action, &*record.app), ("web1", "sshd", "sshd"));
        assert_eq!(record.detail, "Accepted password for ann");
        assert!(record.time.is_some());
        let bare = one("hello");
        assert_eq!((&*bare.user, &*bare.app, &*bare.detail), ("10.0.0.9", "syslog", "hello"));
    }

    #[test]
    fn of_a_message_without_a_date_the_priority_and_the_program_are_read() {
        for (text, app, process, detail) in [
            ("<14>pyudp one\0", "syslog", None, "pyudp one"),
            ("<14>myapp:pyudp one\0", "myapp", None, "pyudp one"),
            ("<14>myapp: pyudp one\0", "myapp", None, "pyudp one"),
            ("<14>myapp[55]: one", "myapp", Some("55"), "one"),
            ("<14>postfix/smtpd[7]: one", "postfix/smtpd", Some("7"), "one"),
            ("<14> root: x", "root", None, "x"),
            (
                "<14>29: *Mar  1 18:46:11: %SYS-5-CONFIG_I: x",
                "syslog",
                None,
                "29: *Mar  1 18:46:11: %SYS-5-CONFIG_I: x",
            ),
            (
                "<14>date=2026-03-15 time=11:59:00 user=\"ann\"",
                "syslog",
                None,
                "date=2026-03-15 time=11:59:00 user=\"ann\"",
            ),
            ("<14>https://wiki.example.org/ is down", "syslog", None, "https://wiki.example.org/ is down"),
            ("<14>CEF:0|a|b", "syslog", None, "CEF:0|a|b"),
            ("<14>fe80::1 is up", "syslog", None, "fe80::1 is up"),
            ("<14>", "syslog", None, ""),
        ] {
            let record = one(text);
            assert_eq!((&*record.app, &*record.action, &*record.detail), (app, app, detail), "{text}");
            assert_eq!(record.user, "10.0.0.9", "{text}");
            let kept = |name: &str| {
                record.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| &**value)
            };
            assert_eq!(kept("log.syslog.facility.name"), Some("user"), "{text}");
            assert_eq!(kept("log.syslog.severity.name"), Some("info"), "{text}");
            assert_eq!(kept("process.pid"), process, "{text}");
        }
        let document = one(r#"<14>myapp: {"user":"ann","action":"paid"}"#);
        assert_eq!((&*document.user, &*document.action, &*document.app), ("ann", "paid", "myapp"));
        // What is no priority is text, and so is what stands behind it.
        for text in ["<192>a: b", "<999>a: b", "<>a: b", "<+1>a: b", "<0013>a: b", "a: b"] {
            let record = one(text);
            assert_eq!((&*record.app, &*record.detail), ("syslog", text));
        }
    }

    #[test]
    fn what_stands_alone_before_a_colon_is_the_program_and_not_the_host() {
        for (text, user, app, detail) in [
            ("<13>Mar 15 11:59:00 sudo: ann : TTY=pts/0", "10.0.0.9", "sudo", "ann : TTY=pts/0"),
            (
                "<191>Mar 15 2026 11:59:00: %ASA-6-605005: Login permitted",
                "10.0.0.9",
                "%ASA-6-605005",
                "Login permitted",
            ),
            ("<13>Mar 15 11:59:00 crond[55]: x", "10.0.0.9", "crond", "x"),
            ("<13>Mar 15 11:59:00 web1 : x", "web1", "syslog", "x"),
            ("<13>Mar 15 11:59:00 web1 sudo: x", "web1", "sudo", "x"),
            ("<13>Mar 15 11:59:00 10.0.0.7: x", "10.0.0.7", "syslog", "x"),
        ] {
            let record = one(text);
            assert_eq!((&*record.user, &*record.app, &*record.detail), (user, app, detail), "{text}");
            assert!(record.attributes.contains(&("host.name".to_owned(), user.to_owned())), "{record:?}");
            assert!(record.time.is_some(), "{text}");
        }
    }

    #[test]
    fn a_date_with_its_year_behind_or_with_parts_of_a_second_is_a_date_and_no_host() {
        for (text, user, app, detail, time) in [
            (
                "<143>Mar 14 22:14:15 2026 10.1.1.2 authmgr[5412]: user ann",
                "10.1.1.2",
                "authmgr",
                "user ann",
                "2026-03-14T22:14:15Z",
            ),
            (
                "<30>Mar 14 22:14:15.123 router1 mgd[123]: UI_LOGIN_EVENT: x",
                "router1",
                "mgd",
                "UI_LOGIN_EVENT: x",
                "2026-03-14T22:14:15.123Z",
            ),
            (
                "<189>Mar 14 22:14:15.123: %SYS-5-CONFIG_I: Configured",
                "10.0.0.9",
                "%SYS-5-CONFIG_I",
                "Configured",
                "2026-03-14T22:14:15.123Z",
            ),
            (
                "<189>Mar  4 2025 22:14:15.98765: %SYS-5-CONFIG_I: Configured",
                "10.0.0.9",
                "%SYS-5-CONFIG_I",
                "Configured",
                "2025-03-04T22:14:15.987Z",
            ),
            ("<30> mar  4 02:14:15.5 2025 router1 mgd: x", "router1", "mgd", "x", "2025-03-04T02:14:15.5Z"),
            // What is no year is a host.
            ("<13>Mar 14 22:14:15 8080 shop: x", "8080", "shop", "x", "2026-03-14T22:14:15Z"),
            ("<13>Mar 14 22:14:15 2026a shop: x", "2026a", "shop", "x", "2026-03-14T22:14:15Z"),
        ] {
            let record = one(text);
            assert_eq!((&*record.user, &*record.app, &*record.detail), (user, app, detail), "{text}");
            // The hour is that of the machine's own zone.
            let read = record.time.unwrap().to_string();
            assert_eq!((&read[..4], &read[17..]), (&time[..4], &time[17..]), "{text}");
        }
        for text in ["Mar 14 22:14:15.", "Mar 14 22:14", "Mar", "Mär 14 22:14:15.5", "<13>Mar 14 22:14:15."]
        {
            assert_eq!(dated(text), (Cow::Borrowed(text), TimeDelta::zero()), "{text}");
        }
    }

    #[test]
    fn a_message_without_text_has_no_detail_and_no_attribute_in_its_place() {
        let record = one("<13>1 - web1 shop - paid -");
        assert_eq!(record.detail, "");
        assert!(!record.attributes.iter().any(|(name, _)| name == "detail"), "{record:?}");
    }

    #[test]
    fn a_body_of_json_is_a_document() {
        for body in [r#"@cee: {"user":{"name":"ann"},"event.action":"x"}"#, r#"{"user":"ann","action":"x"}"#]
        {
            let record = one(&format!("<13>1 - web1 shop - - - {body}"));
            assert_eq!((&*record.user, &*record.action, &*record.app), ("ann", "x", "shop"), "{body}");
        }
        assert_eq!(one("<13>1 - web1 shop - - - {not json").detail, "{not json");
    }

    #[test]
    fn no_field_costs_a_message_and_nobody_speaks_in_our_name() {
        for (text, meant) in [
            (
                r#"<13>1 - web1 shop - paid [a ip="web1" time="12:00" outcome="OK"] x"#,
                ("web1", "paid", "shop"),
            ),
            (
                r#"<13>1 - web1 shop - - - @cee:{"user":"ann","action":"x","outcome":"failed","time":12}"#,
                ("ann", "x", "shop"),
            ),
            (
                r#"<13>1 - web1 shop - - - {"user":{"name":"ann"},"user.name":"bob","action":"x"}"#,
                ("ann", "x", "shop"),
            ),
            (r#"<13>1 - web1 shop - - - {"user":["a","b"],"action":false}"#, ("web1", "shop", "shop")),
            (r#"<13>1 - web1 shop - - - {"user":" ","action":true}"#, ("web1", "shop", "shop")),
            ("<13>1 - web1 rollcall - started - x", ("web1", "started", "syslog")),
            ("<13>1 - web1 RoIlcall\u{200b} - started - x", ("web1", "started", "syslog")),
        ] {
            let record = one(text);
            assert_eq!((&*record.user, &*record.action, &*record.app), meant, "{text}");
        }
        let long = format!("<13>1 - {} shop - - [a b=\"{}\"] x", "w".repeat(2000), "v".repeat(9000));
        let record = one(&long);
        assert_eq!(record.user.len(), limits::NAME);
        assert!(record.attributes.contains(&("cut".to_owned(), "true".to_owned())));
        let long =
            format!(r#"<13>1 - web1 shop - - - {{"action":"x","city":"{0}","os":"{0}"}}"#, "w".repeat(2000));
        let record = one(&long);
        assert_eq!((record.place.city.unwrap().len(), record.device.os.len()), (limits::NAME, limits::NAME));
        let late = one(r#"<13>1 2026-01-02T03:04:05Z web1 shop - - - {"time":"12:00","action":"x"}"#);
        assert_eq!(
            late.time.unwrap().to_string(),
            "2026-01-02T03:04:05Z",
            "the header's, where there is none"
        );
        assert!(late.attributes.contains(&("time 2".to_owned(), "12:00".to_owned())), "{late:?}");
        let full: Vec<String> = (0..64).map(|n| format!(r#""a{n}":1"#)).collect();
        let record = one(&format!("<13>1 - web1 rollcall - - - {{{}}}", full.join(",")));
        assert_eq!((record.attributes.len(), &*record.app), (limits::ATTRIBUTES, "syslog"));
        let many: Vec<String> = (0..2000).map(|n| format!(r#""a{n}":1"#)).collect();
        let record = one(&format!("<13>1 - web1 shop - - - {{{}}}", many.join(",")));
        assert!(record.detail.starts_with("{\"a0\":1"), "more fields than a document has: it is text");
    }

    #[test]
    fn structured_data_that_cannot_be_read_is_kept_as_it_was_written() {
        let kept = |text: &str| {
            let record = one(text);
            let kept = record.attributes.iter().find(|(name, _)| name == STRUCTURED);
            (record.detail.clone(), kept.map(|(_, written)| written.clone()))
        };
        for (data, written) in [
            ("-", None),
            (r#"[a b="c"][d e="\]\"" f="g"]"#, None),
            (r#"[a b="c"][d e=]"#, Some(r#"[a b="c"][d e=]"#)),
            (r"[a b='c']", Some(r"[a b='c']")),
            ("[marked]", Some("[marked]")),
        ] {
            let read = kept(&format!("<13>1 2026-01-02T03:04:05Z web1 shop 77 paid {data} three books"));
            assert_eq!(read, ("three books".to_owned(), written.map(str::to_owned)), "{data}");
        }
        assert_eq!(kept("<13>1 - web1 shop - - -"), (String::new(), None));
        // The parser takes spaces of all kinds from the end, so that the message is not all of the rest.
        let data = "[d e=]";
        let read = kept(&format!("<13>1 - web1 shop - - {data} x\u{85}y\u{85}"));
        assert_eq!(read, ("x\u{85}y".to_owned(), Some(data.to_owned())));
        assert_eq!(kept("<13>Mar 15 11:59:00 web1 shop: [a b=] x"), ("[a b=] x".to_owned(), None));
        let twice = one(r#"<13>1 - web1 shop - - [origin ip="10.0.0.1" ip="10.0.0.2"] x"#);
        let addresses = ["10.0.0.1", "10.0.0.2"].map(str::to_owned);
        let named = twice.attributes.iter().filter(|(name, _)| name.starts_with("origin.ip"));
        assert_eq!(
            named.map(|(_, value)| value.clone()).collect::<Vec<_>>(),
            addresses,
            "a name may come again"
        );
        let many: Vec<String> = (0..40).map(|n| format!(r#"ip="10.0.0.{n}""#)).collect();
        let data = format!("[origin {}]", many.join(" "));
        assert_eq!(kept(&format!("<13>1 - web1 shop - - {data} x")).1, Some(data), "but not without end");
    }

    #[test]
    fn a_date_without_a_year_is_the_nearest() {
        let year = |now: &str, text: &str| {
            at(now, text.as_bytes()).unwrap().time.unwrap().to_string()[..4].to_owned()
        };
        assert_eq!(year("2026-01-01T00:10:00Z", "<13>Dec 31 23:59:59 h a: x"), "2025");
        assert_eq!(year("2026-12-31T23:59:00Z", "<13>Jan  1 00:00:01 h a: x"), "2027");
        assert_eq!(year("2026-06-01T00:00:00Z", "<13>May 31 12:00:00 h a: x"), "2026");
    }

    #[test]
    fn a_clock_that_is_wrong_beyond_all_bounds_costs_no_message() {
        for time in ["1969-12-30T00:00:00Z", "0000-01-01T00:00:00Z"] {
            assert_eq!(one(&format!("<13>1 {time} h a - - - x")).time, None, "{time}");
        }
    }

    #[test]
    fn what_is_no_utf_8_is_latin() {
        assert_eq!(at("2026-03-15T12:00:00Z", b"<13>1 - h a - - - caf\xe9\n\0").unwrap().detail, "café");
        assert!(at("2026-03-15T12:00:00Z", b"\0\n").is_err());
    }

    #[test]
    fn what_the_log_does_not_take_costs_no_message() {
        let kept = |record: &NewActivity, name: &str| {
            record.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
        };
        for text in ["<13>1 - web1 shop - - - cut\0off", "<13>1 - web1 shop - - - cut\u{fffe}off"] {
            let record = one(text);
            assert_eq!(record.detail, "cut\u{fffd}off");
            assert_eq!(kept(&record, "replaced").as_deref(), Some("true"));
        }
        let body = r#"{"user":"ann","action":"x","msg":"a\u0000 \ud83d","level":"info","level":"warn"}"#;
        let record = one(&format!("<13>1 - web1 shop - - - {body}"));
        assert_eq!((&*record.user, &*record.action, &*record.detail), ("ann", "x", "a\u{fffd} \u{fffd}"));
        let levels = ["level", "level 2", "replaced"].map(|name| kept(&record, name).unwrap());
        assert_eq!(levels, ["info", "warn", "true"]);
        assert_eq!(kept(&one("<13>1 - web1 shop - - - x"), "replaced"), None);
    }

    fn pieces() -> impl Strategy<Value = Vec<u8>> {
        let known = proptest::sample::select(vec![
            "<13>",
            "<999>",
            "<14>myapp:",
            "1 ",
            "- ",
            " ",
            "Mar 15 11:59:00",
            "Feb 30 25:61:61",
            "Mar 31 02:30:00 2026",
            "Mar 31 02:30:00.123",
            "Dec 31 262142 23:59:59",
            "2026-13-99T99:99:99Z",
            "2026-01-02T03:04:05.678Z",
            "[a b=\"c\"]",
            "[a b=\"\\\"]",
            "[",
            "]",
            "\"",
            "@cee:",
            "{\"user\":{}}",
            "web1",
            "sshd[42]:",
            ": ",
            "\u{feff}",
            "ż",
            "\0",
            "\n",
        ]);
        let piece = prop_oneof![4 => known.prop_map(|text| text.as_bytes().to_vec()), 1 => any::<[u8; 3]>().prop_map(|bytes| bytes.to_vec())];
        proptest::collection::vec(piece, 0..16).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn no_message_is_the_end_of_the_others(bytes in pieces()) {
            let read = at("2026-03-15T12:00:00Z", &bytes);
            if let Ok(record) = read {
                prop_assert!(!record.app.is_empty());
                prop_assert!(check(&record).is_ok(), "it can be kept: {record:?}");
            }
        }
    }
}
