//! Where a request comes from, what sent it, and at which address it has us.

use std::net::SocketAddr;

use rocket::Request;

use super::{
    address,
    cookie::Jar,
    door,
    lines::{Line, lines},
};
use crate::{
    domain::{passkeys::Party, sessions::Origin},
    model::device::Agent,
};

pub(super) fn origin_of(request: &Request<'_>) -> Origin {
    Origin {
        ip: address::source(request).map(|source| source.client),
        agent: agent_in(&lines(request, AGENT)),
        familiar: Jar::of(request).mark(door(request).settings.secure),
    }
}

/// In which headers a client says what it is.
pub(super) const AGENT: [&str; 7] = [
    "User-Agent",
    "Sec-CH-UA",
    "Sec-CH-UA-Full-Version-List",
    "Sec-CH-UA-Platform",
    "Sec-CH-UA-Platform-Version",
    "Sec-CH-UA-Model",
    "Sec-CH-UA-Mobile",
];

/// What the client says of itself in these lines, which are those of [`AGENT`].
pub(super) fn agent_in(said: &[Line<'_>; AGENT.len()]) -> Agent {
    let [user_agent, brands, full_versions, platform, platform_version, model, mobile] =
        said.each_ref().map(|line| line.first);
    let cut = |value: Option<&str>| value.map(|value| Agent::cut(value).to_owned());
    Agent {
        user_agent: cut(user_agent).unwrap_or_default(),
        brands: cut(brands),
        full_versions: cut(full_versions),
        platform: cut(platform),
        platform_version: cut(platform_version),
        model: cut(model),
        mobile: mobile.map(|value| value == "?1"),
    }
}

/// The address people type, if that is set; otherwise this machine by its name, which is no other wherever one looks at it.
pub(super) fn party_of(request: &Request<'_>) -> Option<Party> {
    if let Some(url) = &door(request).settings.public_url {
        return Party::at(url);
    }
    let host = request.headers().get_one("Host")?;
    let here = host.split(':').next() == Some("localhost");
    let scheme = if door(request).settings.secure { "https" } else { "http" };
    here.then(|| Party::at(&format!("{scheme}://{host}"))).flatten()
}

/// The address of Rollcall itself: the one that people type, or the one it listens at.
pub(in crate::web) fn own_address(request: &Request<'_>) -> String {
    let settings = &door(request).settings;
    settings.public_url.clone().unwrap_or_else(|| {
        if let Some(front) = &settings.front {
            return format!("https://{}", front.address);
        }
        let config = request.rocket().config();
        let scheme = if settings.secure { "https" } else { "http" };
        format!("{scheme}://{}", SocketAddr::new(config.address, config.port))
    })
}
