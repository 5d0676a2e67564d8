//! Settings of the server: as they are written, and as they are meant.
//!
//! What stands on the command line counts before the environment (`ROLLCALL_…`), that before
//! `rollcall.toml` in the data folder, and that before the defaults. All faults are told at once, each by the name of its setting.

mod rules;
mod written;

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use figment::{Figment, providers::Serialized};
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use self::{
    rules::{cookie_domain, host_name, networks, origin, outlets, plain_http, this_machine, tls},
    written::{FILE, of_environment, of_file},
};
use crate::{
    domain::{care::forbids, evidence::Outlet, password::Cost, sessions::Limits},
    model::bond::Binding,
    web::{
        door::{self, SetIn},
        front, syslog,
    },
};

/// The settings as they are written: everything may be left out, and nothing is understood yet.
#[derive(Clone, Debug, Default, Serialize, Deserialize, clap::Args)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Raw {
    /// Address and port to listen at [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR:PORT")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listen: Option<String>,
    /// The certificate to speak TLS with, and those that vouch for it, in PEM
    #[arg(long, value_name = "F", requires = "tls_key")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_cert: Option<PathBuf>,
    /// Its private key, in PEM
    #[arg(long, value_name = "F", requires = "tls_cert")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_key: Option<PathBuf>,
    /// Speak TLS with a certificate that Rollcall makes itself and keeps in the data folder
    #[arg(long, conflicts_with_all = ["tls_cert", "tls_key"])]
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub tls_self_signed: bool,
    /// Listen beyond this machine without TLS and without a proxy that has it: passwords can be read on the way
    #[arg(long)]
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub insecure_http: bool,
    /// A proxy whose word on the client's address is believed; may be repeated
    #[arg(long, value_name = "CIDR")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trusted_proxy: Option<Vec<String>>,
    /// The one header its word is looked for in: x-forwarded-for or forwarded [default: whichever comes, the former first]
    #[arg(long, value_name = "HEADER")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_header: Option<String>,
    /// The address people type, if it is not the one listened at
    #[arg(long, value_name = "URL")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public_url: Option<String>,
    /// The domain whose apps a sign-in opens at once; the public address lies in it
    #[arg(long, value_name = "DOMAIN")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cookie_domain: Option<String>,
    /// A city database in MaxMind's format, instead of the built-in one
    #[arg(long, value_name = "F.mmdb")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub geo: Option<PathBuf>,
    /// A session that is not used for so long ends [default: 1h]
    #[arg(long, value_name = "TIME")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_idle: Option<String>,
    /// A session ends so long after its start at the latest [default: 24h]
    #[arg(long, value_name = "TIME")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_max: Option<String>,
    /// How long after a sign-in, or after being asked again, nobody is asked for their password again [default: 30m]
    #[arg(long, value_name = "TIME")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ask_again_after: Option<String>,
    /// How many sessions a user may have at once; the oldest end [default: any number]
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sessions_per_user: Option<usize>,
    /// End a session that is used from another network or on another device: network, device or both [default: none]
    #[arg(long, value_name = "WHAT")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bind_sessions: Option<String>,
    /// MiB of memory that the hash of a password takes, from 19 to 1024 [default: 19]
    #[arg(long, value_name = "MIB")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_memory: Option<u32>,
    /// How often that memory is gone through, from 2 to 16 [default: 2]
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_passes: Option<u32>,
    /// Address and port to take syslog at, over UDP and TCP
    #[arg(long, value_name = "ADDR:PORT")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub syslog: Option<String>,
    /// A network whose syslog is taken; may be repeated [default: this machine]
    #[arg(long, value_name = "CIDR")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub syslog_from: Option<Vec<String>>,
    /// A file, best on another disk, to which a checkpoint of the log is appended once a minute while anything is written
    #[arg(long, value_name = "FILE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkpoint_file: Option<PathBuf>,
    /// A syslog server that is sent the same, over UDP
    #[arg(long, value_name = "ADDR:PORT")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkpoint_syslog: Option<String>,
    /// An address that the same is posted to
    #[arg(long, value_name = "URL")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkpoint_webhook: Option<String>,
}

/// The settings as they are meant.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Where the certificate comes from, if Rollcall speaks TLS itself.
    pub tls: Option<front::Source>,
    /// What the door must know.
    pub door: door::Settings,
    /// The city database, if not the one an administrator put in or the built-in one.
    pub geo: Option<PathBuf>,
    /// How long sessions last.
    pub limits: Limits,
    /// Where syslog is taken, if it is.
    pub syslog: Option<syslog::Settings>,
    /// Where checkpoints of the log go.
    pub checkpoints: Vec<Outlet>,
    /// What was said, wherever it was: each setting by its name, as text. What was not said is not there.
    pub said: BTreeMap<String, String>,
}

/// Settings that were not understood: a sentence each.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.join("; "))]
pub struct BadConfig(Vec<String>);

impl Config {
    /// Reads the settings that hold in the data folder `folder`, under those of the command line.
    pub fn read(folder: &Path, command_line: &Raw) -> Result<Self, BadConfig> {
        Self::read_from(folder, |name| std::env::var(name).ok(), command_line)
    }

    /// The same, in this environment.
    fn read_from(
        folder: &Path,
        variable: impl Fn(&str) -> Option<String>,
        command_line: &Raw,
    ) -> Result<Self, BadConfig> {
        let mut faults = Vec::new();
        let written = of_file(&folder.join(FILE), &mut faults);
        let around = of_environment(variable, &mut faults);
        if !faults.is_empty() {
            return Err(BadConfig(faults));
        }
        let from = |name: &str, on_command_line: bool| match () {
            () if on_command_line => SetIn::CommandLine,
            () if around.contains_key(name) => SetIn::Environment,
            () if written.contains_key(name) => SetIn::File,
            () => SetIn::Nowhere,
        };
        let trusted_proxies_from = from("trusted-proxy", command_line.trusted_proxy.is_some());
        let client_header_from = from("client-header", command_line.client_header.is_some());
        let raw = Figment::from(Serialized::defaults(written))
            .merge(Serialized::defaults(around))
            .merge(Serialized::defaults(command_line));
        // Each has the form of its setting by now.
        let mut config = Self::meant(raw.extract().map_err(|error| BadConfig(vec![error.to_string()]))?)?;
        config.door = door::Settings { trusted_proxies_from, client_header_from, ..config.door };
        // What is appended to one of our own files spoils it, and whoever can change the folder can change what lies there.
        let files = config.checkpoints.iter().filter_map(|outlet| match outlet {
            Outlet::File(file) => Some(file),
            _ => None,
        });
        let forbidden: Vec<String> = files
            .filter_map(|file| forbids(folder, file))
            .map(|why| format!("checkpoint-file: {why}"))
            .collect();
        if forbidden.is_empty() { Ok(config) } else { Err(BadConfig(forbidden)) }
    }

    fn meant(raw: Raw) -> Result<Self, BadConfig> {
        let (mut faults, said) = (Vec::new(), said(&raw));
        let mut fault = |sentence: String| faults.push(sentence);
        let listen = raw.listen.as_deref().unwrap_or("127.0.0.1:8080");
        let listen: Option<SocketAddr> = listen.parse().ok();
        if listen.is_none() {
            fault(format!(
                "listen: {:?} is not an address with a port, like 127.0.0.1:8080 or [::]:8080",
                raw.listen.unwrap_or_default()
            ));
        }
        let trusted_proxies = networks("trusted-proxy", raw.trusted_proxy, "believe", &mut fault);
        let client_header = raw.client_header.and_then(|text| {
            text.parse().map_err(|error| fault(format!("client-header: {error}, not {text:?}"))).ok()
        });
        let from = networks("syslog-from", raw.syslog_from, "hear", &mut fault);
        let syslog = raw.syslog.and_then(|text| {
            let listen = text.parse().ok();
            if listen.is_none() {
                fault(format!("syslog: {text:?} is not an address with a port, like 0.0.0.0:514"));
            }
            Some(syslog::Settings { listen: listen?, from: from.unwrap_or_else(this_machine) })
        });
        let checkpoints =
            outlets(raw.checkpoint_file, raw.checkpoint_syslog, raw.checkpoint_webhook, &mut fault);
        let public_url = raw.public_url.map(|url| origin(&url, &mut fault));
        let files = (raw.tls_cert, raw.tls_key);
        let tls = tls(files, raw.tls_self_signed, listen, public_url.as_deref(), &mut fault);
        let plain = match tls {
            Some(_) => None,
            None => plain_http(
                listen,
                trusted_proxies.as_ref(),
                public_url.as_deref(),
                raw.insecure_http,
                &mut fault,
            ),
        };
        let cookie_domain = cookie_domain(raw.cookie_domain, public_url.as_deref(), &mut fault);
        let mut lasts = |name: &str, text: Option<String>, default: Duration| {
            let Some(text) = text else { return default };
            let time = text.parse::<SignedDuration>().ok().and_then(|time| Duration::try_from(time).ok());
            time.filter(|time| *time >= Duration::from_secs(1)).unwrap_or_else(|| {
                faults.push(format!("{name}: {text:?} is not a time like 30m, 1h or 24h"));
                default
            })
        };
        let defaults = Limits::default();
        let idle = lasts("session-idle", raw.session_idle, defaults.idle);
        let absolute = lasts("session-max", raw.session_max, defaults.absolute);
        let proof = lasts("ask-again-after", raw.ask_again_after, defaults.proof);
        if raw.sessions_per_user == Some(0) {
            faults.push("sessions-per-user: a user needs at least one session".to_owned());
        }
        let binding = raw.bind_sessions.map_or(Ok(Binding::default()), |text| {
            text.parse().map_err(|error| faults.push(format!("bind-sessions: {error}, not {text:?}")))
        });
        let hash = Cost {
            memory_kib: raw.password_memory.unwrap_or(19).saturating_mul(1024),
            passes: raw.password_passes.unwrap_or(Cost::LEAST.passes),
        };
        if !(Cost::LEAST.memory_kib..=Cost::MOST.memory_kib).contains(&hash.memory_kib) {
            faults.push("password-memory: a number of MiB from 19 to 1024".to_owned());
        }
        if !(Cost::LEAST.passes..=Cost::MOST.passes).contains(&hash.passes) {
            faults.push("password-passes: a number from 2 to 16".to_owned());
        }
        let limits = Limits {
            idle,
            absolute,
            proof,
            per_user: raw.sessions_per_user,
            binding: binding.unwrap_or_default(),
            hash,
            names: defaults.names.into_iter().chain(public_url.clone()).chain(host_name()).collect(),
        };
        match listen {
            Some(listen) if faults.is_empty() => Ok(Self {
                listen,
                door: door::Settings {
                    secure: tls.is_some()
                        || public_url.as_ref().is_some_and(|url| url.starts_with("https://")),
                    front: None,
                    plain,
                    cookie_domain,
                    public_url,
                    trusted_proxies: trusted_proxies.unwrap_or_default(),
                    trusted_proxies_from: SetIn::default(),
                    client_header,
                    client_header_from: SetIn::default(),
                },
                tls,
                geo: raw.geo,
                limits,
                syslog,
                checkpoints,
                said,
            }),
            _ => Err(BadConfig(faults)),
        }
    }
}

/// Each setting that was said, as text. Of an address that is posted to, what is behind its question mark may be a secret.
fn said(raw: &Raw) -> BTreeMap<String, String> {
    let Ok(serde_json::Value::Object(said)) = serde_json::to_value(raw) else { return BTreeMap::new() };
    let text = |value: serde_json::Value| match value {
        serde_json::Value::String(text) => text.split('?').next().unwrap_or_default().to_owned(),
        serde_json::Value::Bool(_) => "yes".to_owned(),
        serde_json::Value::Array(list) => {
            list.iter().filter_map(serde_json::Value::as_str).collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    };
    said.into_iter().map(|(name, value)| (name, text(value))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::door::Plain;

    #[test]
    fn every_fault_is_told_at_once() {
        let raw = Raw {
            listen: Some("8080".into()),
            trusted_proxy: Some(vec!["0.0.0.0/0".into(), "proxy".into()]),
            public_url: Some("rollcall".into()),
            session_idle: Some("soon".into()),
            sessions_per_user: Some(0),
            password_memory: Some(1),
            password_passes: Some(1),
            ..Raw::default()
        };
        let faults = Config::meant(raw).unwrap_err().0;
        assert_eq!(faults.len(), 8, "{faults:?}");
    }

    #[test]
    fn beyond_this_machine_it_listens_behind_a_trusted_proxy_or_where_the_operator_insists() {
        let beyond = |proxy: Option<&str>, insecure_http| {
            let listen = Some("0.0.0.0:8080".to_owned());
            let trusted_proxy = proxy.map(|proxy| vec![proxy.to_owned()]);
            Config::meant(Raw { listen, insecure_http, trusted_proxy, ..Raw::default() })
        };
        let refused = beyond(None, false).unwrap_err().to_string();
        assert!(refused.contains("--insecure-http") && refused.contains("--trusted-proxy"), "{refused}");
        assert_eq!(beyond(None, true).unwrap().door.plain, Some(Plain::Here));
        assert!(beyond(Some("10.0.0.2"), false).is_ok());
        let here = Raw { insecure_http: true, ..Raw::default() };
        assert_eq!(
            Config::meant(here).unwrap().door.plain,
            None,
            "nobody else is on the way in this machine"
        );
    }

    #[test]
    fn a_proxy_that_may_speak_plain_http_to_browsers_is_warned_of() {
        let plain = |listen: &str, proxies: &[&str], url: &str| {
            let trusted_proxy = Some(proxies.iter().map(|&proxy| proxy.to_owned()).collect());
            let public_url = Some(url.to_owned()).filter(|url| !url.is_empty());
            let listen = Some(listen.to_owned());
            Config::meant(Raw { listen, trusted_proxy, public_url, ..Raw::default() }).unwrap().door.plain
        };
        let (here, beyond) = ("127.0.0.1:8080", "0.0.0.0:8080");
        for (listen, proxies, url) in [
            (beyond, &["10.0.0.2"][..], ""),
            (beyond, &["127.0.0.1"], ""),
            (beyond, &["10.0.0.2"], "http://rollcall.example.org"),
            (here, &["127.0.0.1", "10.0.0.2"], ""),
            (here, &["127.0.0.1"], "http://rollcall.example.org"),
            (here, &[], "http://rollcall.example.org"),
        ] {
            assert_eq!(
                plain(listen, proxies, url),
                Some(Plain::BeforeTheProxy),
                "{listen} {proxies:?} {url}"
            );
        }
        for (listen, proxies, url) in [
            (here, &["127.0.0.1"][..], "https://rollcall.example.org"),
            (beyond, &["10.0.0.2"], "https://rollcall.example.org"),
            (here, &["127.0.0.1", "::1"], ""),
            (here, &["127.0.0.1"], "http://localhost:8080"),
            (here, &[], "http://[::1]:8080"),
            (here, &[], ""),
        ] {
            assert_eq!(plain(listen, proxies, url), None, "{listen} {proxies:?} {url}");
        }
    }

    #[test]
    fn a_network_of_anybody_is_refused_however_it_is_written() {
        let with = |networks: &str| {
            let trusted_proxy = Some(vec![networks.to_owned()]);
            Config::meant(Raw { trusted_proxy, ..Raw::default() }).map_err(|error| error.to_string())
        };
        for anybody in [
            "0.0.0.0/0",
            "::/0",
            "0.0.0.0/1,128.0.0.0/1",
            "::/1, 8000::/1",
            "0.0.0.0/2,64.0.0.0/2,128.0.0.0/2,192.0.0.0/2",
            "10.0.0.0/7",
            "10.0.0.0/8,11.0.0.0/8",
            "2000::/3",
        ] {
            let refused = with(anybody).unwrap_err();
            assert!(refused.contains("would believe anybody; name"), "{anybody}: {refused}");
        }
        for own in ["10.0.0.0/8,172.16.0.0/12,192.168.0.0/16", "fc00::/7", "fd00::/8", "2001:db8::/32,::1"] {
            assert!(with(own).is_ok(), "{own}");
        }
    }

    #[test]
    fn a_domain_that_is_everybodys_gets_no_cookie() {
        let with = |domain: &str| {
            let public_url = Some(format!("https://rollcall.{}", domain.trim_matches('.')));
            let raw = Raw { cookie_domain: Some(domain.to_owned()), public_url, ..Raw::default() };
            Config::meant(raw).map_err(|error| error.to_string())
        };
        for everybodys in ["co.uk", ".co.uk", "CO.UK", "com.au", "or.at", "ac.jp", "github.io", "duckdns.org"]
        {
            assert!(with(everybodys).unwrap_err().contains("anybody may have a name"), "{everybodys}");
        }
        for none in ["uk", "org", "localhost", "10.0.0.1", ""] {
            assert!(with(none).unwrap_err().contains("is not a domain like"), "{none}");
        }
        for own in ["example.org", "example.co.uk", "co.example.org", "mine.duckdns.org", "home.arpa"] {
            assert!(with(own).is_ok(), "{own}");
        }
    }

    #[test]
    fn without_settings_it_listens_on_this_machine_alone() {
        let config = Config::meant(Raw::default()).unwrap();
        assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
        assert!(!config.door.secure && config.door.trusted_proxies.0.is_empty());
    }

    #[test]
    fn the_file_counts_less_than_the_command_line_and_knows_no_other_names() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("rollcall.toml");
        std::fs::write(&file, "listen = \"127.0.0.1:1\"\nsession-idle = \"30m\"\n").unwrap();
        let line = Raw { listen: Some("127.0.0.1:2".into()), ..Raw::default() };
        let config = Config::read(folder.path(), &line).unwrap();
        assert_eq!((config.listen.port(), config.limits.idle), (2, Duration::from_mins(30)));
        std::fs::write(&file, "lisen = \"x\"\n").unwrap();
        let error = Config::read(folder.path(), &line).unwrap_err().to_string();
        assert!(error.contains("lisen"), "{error}");
    }

    #[test]
    fn of_the_settings_that_advice_is_given_on_it_is_remembered_where_they_come_from() {
        let folder = tempfile::tempdir().unwrap();
        let read = |file: &str, variable: Option<&str>, line: Option<&str>| {
            std::fs::write(folder.path().join(FILE), file).unwrap();
            let around = |name: &str| variable.filter(|_| name.starts_with("ROLLCALL_TRUSTED"));
            let trusted_proxy = line.map(|line| vec![line.to_owned()]);
            let line = Raw { trusted_proxy, ..Raw::default() };
            let door =
                Config::read_from(folder.path(), |name| around(name).map(str::to_owned), &line).unwrap().door;
            (door.trusted_proxies.to_string(), door.trusted_proxies_from, door.client_header_from)
        };
        let file = "trusted-proxy = \"10.0.0.2\"\nclient-header = \"forwarded\"\n";
        let (line, variable) = (Some("10.0.0.4"), Some("10.0.0.3"));
        let said = |proxy: &str, from, header| (format!("[{proxy}]"), from, header);
        assert_eq!(read(file, variable, line), said("\"10.0.0.4\"", SetIn::CommandLine, SetIn::File));
        assert_eq!(read("", variable, None), said("\"10.0.0.3\"", SetIn::Environment, SetIn::Nowhere));
        assert_eq!(read(file, None, None), said("\"10.0.0.2\"", SetIn::File, SetIn::File));
        assert_eq!(read("", None, None), said("", SetIn::Nowhere, SetIn::Nowhere));
    }

    #[test]
    fn what_may_be_said_several_times_is_a_list_and_what_is_switched_is_true_or_false() {
        let folder = tempfile::tempdir().unwrap();
        let read = |settings: &str| {
            std::fs::write(folder.path().join(FILE), settings).unwrap();
            Config::read(folder.path(), &Raw::default())
        };
        for proxies in ["[\"10.0.0.2\", \"10.1.0.0/16\"]", "\"10.0.0.2, 10.1.0.0/16\""] {
            let config =
                read(&format!("trusted-proxy = {proxies}\ninsecure-http = true\nsession-max = \"2h\""));
            assert_eq!(config.unwrap().door.trusted_proxies.0.len(), 2, "{proxies}");
        }
        assert_eq!(read("sessions-per-user = 3").unwrap().limits.per_user, Some(3));
        for (settings, wrong) in [
            ("insecure-http = \"yes\"", "rollcall.toml: insecure-http: true or false, not \"yes\""),
            ("insecure-http = []", "rollcall.toml: insecure-http: true or false, not a list"),
            ("listen = true", "rollcall.toml: listen: one text, not true or false"),
            (
                "trusted-proxy = [1]",
                "rollcall.toml: trusted-proxy: a list of texts, like [\"10.0.0.2\", \"10.1.0.0/16\"]",
            ),
            ("sessions-per-user = -1", "rollcall.toml: sessions-per-user: a whole number, not \"-1\""),
            ("sessions-per-user = 1.5", "rollcall.toml: sessions-per-user: a whole number, not a fraction"),
        ] {
            assert_eq!(read(settings).unwrap_err().to_string(), wrong);
        }
        let broken = read("listen = \"a\"\nlisten").unwrap_err().to_string();
        assert!(broken.starts_with("rollcall.toml: line 2") && broken.lines().count() == 1, "{broken}");
    }

    #[test]
    fn the_environment_says_lists_with_commas_and_nothing_where_it_is_empty() {
        let mut faults = Vec::new();
        let variable = |name: &str| {
            let text = match name {
                "ROLLCALL_TRUSTED_PROXY" => "10.0.0.2,10.0.0.3",
                "ROLLCALL_TLS_SELF_SIGNED" => "1",
                "ROLLCALL_SESSIONS_PER_USER" => "many",
                "ROLLCALL_LISTEN" => "",
                _ => return None,
            };
            Some(text.to_owned())
        };
        let said = of_environment(variable, &mut faults);
        assert_eq!(said.keys().collect::<Vec<_>>(), ["tls-self-signed", "trusted-proxy"]);
        assert_eq!(faults, ["ROLLCALL_SESSIONS_PER_USER: a whole number, not \"many\""]);
    }
}
