//! From the text behind a field's colon to what it means.

use std::net::{IpAddr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net};

use super::{Fault, Field, Value, limits, words};
use crate::model::country;

/// The meaning of `text` in `field`; with `prefix`, of anything that begins with it.
pub(super) fn value(field: &Field, text: &str, prefix: bool) -> Result<Value, Fault> {
    match field {
        Field::Outcome if prefix => Err(Fault::NotAnOutcome),
        Field::Outcome => text.parse().map(Value::Outcome).map_err(|_| Fault::NotAnOutcome),
        Field::Ip if prefix => Err(Fault::NotAnAddress),
        Field::Ip => network(text).map(Value::Network).ok_or(Fault::NotAnAddress),
        Field::Country if !prefix => whole(country::code(text).unwrap_or(text), false),
        field if field.is_whole() => whole(text, prefix),
        _ => words(text, prefix),
    }
}

fn whole(text: &str, prefix: bool) -> Result<Value, Fault> {
    if text.trim().is_empty() {
        return Err(if prefix { Fault::LoneStar } else { Fault::NoWord });
    }
    Ok(wrap(text, prefix))
}

fn words(text: &str, prefix: bool) -> Result<Value, Fault> {
    let asked = words::asked(text, prefix);
    if asked.is_empty() {
        return Err(if prefix { Fault::LoneStar } else { Fault::NoWord });
    }
    if asked.len() > limits::PHRASE {
        return Err(Fault::PhraseTooLong);
    }
    if prefix && !words::ends_in_word(text) {
        return Err(Fault::StarAfterSeparator);
    }
    Ok(wrap(text, prefix))
}

fn wrap(text: &str, prefix: bool) -> Value {
    if prefix { Value::Prefix(text.to_owned()) } else { Value::Text(text.to_owned()) }
}

/// A network, or an address as the network of that one address. IPv4 inside IPv6 is taken for the IPv4 it is.
fn network(text: &str) -> Option<IpNet> {
    let net = match text.parse::<IpNet>() {
        Ok(net) => net.trunc(),
        Err(_) => IpNet::from(text.parse::<IpAddr>().ok()?),
    };
    let mapped: Ipv6Addr = Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0);
    match net {
        IpNet::V6(v6) if v6.prefix_len() >= 96 && v6.network().segments()[..6] == mapped.segments()[..6] => {
            let v4 = v6.network().to_ipv4_mapped()?;
            Ipv4Net::new(v4, v6.prefix_len() - 96).ok().map(IpNet::V4)
        }
        other => Some(other),
    }
}

/// A query that shows how the field is used.
pub(super) const fn example(field: &Field) -> &'static str {
    match field {
        Field::Anywhere => "backup",
        Field::User => "user:ann",
        Field::Action => "action:sign-in",
        Field::App => "app:wiki",
        Field::Outcome => "outcome:failure",
        Field::Session => "session:5f2a",
        Field::Ip => "ip:192.0.2.0/24",
        Field::City => "city:Oslo",
        Field::Country => "country:NO",
        Field::Device => "device:iPhone",
        Field::Os => "os:\"Windows 11\"",
        Field::Browser => "browser:Firefox",
        Field::Target => "target:invoices",
        Field::Detail => "detail:\"access denied\"",
        Field::Attribute(_) => "attr.region:north",
    }
}
