//! The manual.

use askama::Template;

use super::frame::Frame;

/// The page `/help`.
#[derive(Clone, Debug, Template)]
#[template(path = "help.html")]
pub struct Help {
    /// What stands around it.
    pub frame: Frame,
    /// How long a session may lie idle, in words.
    pub idle: String,
    /// How long a session may last at all, in words.
    pub absolute: String,
}

/// How another program is set up: the tests run these texts as they are shown.
#[derive(Clone, Copy, Debug)]
pub struct Shipper {
    /// What it is called, and by which way it sends.
    pub name: &'static str,
    /// Its configuration.
    pub text: &'static str,
}

macro_rules! shippers {
    ($($name:literal: $file:literal),* $(,)?) => {
        [$(Shipper { name: $name, text: include_str!(concat!("../../../assets/shippers/", $file)) }),*]
    };
}

/// Every program that the manual shows.
pub const SHIPPERS: [Shipper; 10] = shippers![
    "rsyslog, as syslog": "rsyslog-forward.conf",
    "rsyslog, by the bulk protocol": "rsyslog-elasticsearch.conf",
    "logger": "logger.sh",
    "Filebeat": "filebeat.yml",
    "Fluent Bit": "fluent-bit.conf",
    "Vector": "vector.toml",
    "Python, elasticsearch": "elasticsearch.py",
    "OpenTelemetry collector": "collector.yaml",
    "OpenTelemetry SDK": "opentelemetry.py",
    "curl": "curl.sh",
];

/// How reverse proxies are set up to ask who may pass: the tests run them as they are shown, Traefik's through what stands in for it,
/// since no package of it is to be had.
pub const PROXIES: [Shipper; 10] = [
    Shipper { name: "nginx", text: include_str!("../../../assets/proxies/nginx.conf") },
    Shipper {
        name: "nginx, Rollcall itself",
        text: include_str!("../../../assets/proxies/rollcall.nginx.conf"),
    },
    Shipper { name: "Caddy", text: include_str!("../../../assets/proxies/Caddyfile") },
    Shipper {
        name: "Caddy, Rollcall itself",
        text: include_str!("../../../assets/proxies/rollcall.Caddyfile"),
    },
    Shipper { name: "HAProxy", text: include_str!("../../../assets/proxies/haproxy.cfg") },
    Shipper { name: "HAProxy, its script", text: include_str!("../../../assets/proxies/haproxy.lua") },
    Shipper { name: "Apache", text: include_str!("../../../assets/proxies/apache.conf") },
    Shipper { name: "Apache, its script", text: include_str!("../../../assets/proxies/apache.lua") },
    Shipper {
        name: "Apache, Rollcall itself",
        text: include_str!("../../../assets/proxies/rollcall.apache.conf"),
    },
    Shipper {
        name: "Traefik, which the tests do not run themselves",
        text: include_str!("../../../assets/proxies/traefik.yml"),
    },
];

/// Small apps with a sign-in of their own, which the tests run as they are shown.
pub const EXAMPLES: [Shipper; 2] = [
    Shipper { name: "Python", text: include_str!("../../../assets/examples/app.py") },
    Shipper { name: "Node", text: include_str!("../../../assets/examples/app.mjs") },
];

impl Help {
    /// The examples of apps that it shows.
    pub const fn examples(&self) -> &'static [Shipper] {
        &EXAMPLES
    }

    /// The reverse proxies that it shows.
    pub const fn proxies(&self) -> &'static [Shipper] {
        &PROXIES
    }

    /// The programs that it shows.
    pub const fn shippers(&self) -> &'static [Shipper] {
        &SHIPPERS
    }
}
