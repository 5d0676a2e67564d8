//! What people's browsers say of themselves, as of the end of 2025.

use crate::model::device::Agent;

/// The headers of one browser: `User-Agent`, and the client hints of those that send them.
pub(super) struct Headers {
    user_agent: &'static str,
    /// `Sec-CH-UA-Full-Version-List`, `-Platform`, `-Platform-Version` and `-Model`.
    hints: Option<[&'static str; 4]>,
}

impl Headers {
    pub(super) fn agent(&self) -> Agent {
        let mut agent = Agent::of(self.user_agent);
        if let Some([full_versions, platform, platform_version, model]) = self.hints {
            let quoted = |hint: &str| Some(format!("\"{hint}\""));
            agent.full_versions = Some(full_versions.to_owned());
            agent.platform = quoted(platform);
            agent.platform_version = quoted(platform_version);
            agent.model = quoted(model);
        }
        agent
    }
}

const fn plain(user_agent: &'static str) -> Headers {
    Headers { user_agent, hints: None }
}

const fn hinted(user_agent: &'static str, hints: [&'static str; 4]) -> Headers {
    Headers { user_agent, hints: Some(hints) }
}

const CHROME: &str = r#""Chromium";v="142.0.7444.163", "Google Chrome";v="142.0.7444.163""#;
const EDGE: &str = r#""Chromium";v="142.0.7444.163", "Microsoft Edge";v="142.0.3595.80""#;

/// Desktops and laptops.
pub(super) const COMPUTERS: &[Headers] = &[
    hinted(
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
        [CHROME, "Windows", "15.0.0", ""],
    ),
    plain(
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.1 Safari/605.1.15",
    ),
    hinted(
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36 Edg/142.0.0.0",
        [EDGE, "Windows", "19.0.0", ""],
    ),
    plain("Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"),
    hinted(
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
        [CHROME, "macOS", "15.7.1", ""],
    ),
    plain("Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0"),
    plain("Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:145.0) Gecko/20100101 Firefox/145.0"),
    hinted(
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
        [CHROME, "Windows", "10.0.0", ""],
    ),
];

/// Telephones.
pub(super) const PHONES: &[Headers] = &[
    plain(
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.1 Mobile/15E148 Safari/604.1",
    ),
    hinted(
        "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile Safari/537.36",
        [CHROME, "Android", "16.0.0", "Pixel 9"],
    ),
    plain(
        "Mozilla/5.0 (Linux; Android 14; SAMSUNG SM-S921B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/29.0 Chrome/136.0.0.0 Mobile Safari/537.36",
    ),
    hinted(
        "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile Safari/537.36",
        [CHROME, "Android", "15.0.0", "SM-A556B"],
    ),
    plain("Mozilla/5.0 (Android 15; Mobile; rv:145.0) Gecko/145.0 Firefox/145.0"),
];

/// Tablets.
pub(super) const TABLETS: &[Headers] = &[
    plain(
        "Mozilla/5.0 (iPad; CPU OS 17_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.7 Mobile/15E148 Safari/604.1",
    ),
    hinted(
        "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
        [CHROME, "Android", "15.0.0", "SM-X710"],
    ),
];

/// What runs at night.
pub(super) const MACHINE: Headers = plain("curl/8.17.0");
