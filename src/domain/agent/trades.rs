//! What programs do for a living, and which programs are known to do it.

/// A trade; its word is what the device column says, because a program has no device that one could know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trade {
    /// Fetches pages for a search engine, a model, a preview.
    Crawler,
    /// Somebody's code: an HTTP library or a cloud's kit for developers.
    Script,
    /// A tool that somebody or a pipeline calls by name.
    Command,
    /// A browser without a window, driven by a program.
    Headless,
    /// Runs beside other programs, collects and ships what they say.
    Collector,
    /// Asks whether something is still there.
    Monitor,
    /// A cloud's own service, acting for somebody.
    Service,
    /// Reads feeds.
    Reader,
    /// All that is known of it is its name.
    Program,
}

impl Trade {
    /// The word in the device column.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Crawler => "Crawler",
            Self::Script => "Script",
            Self::Command => "Command line",
            Self::Headless => "Headless browser",
            Self::Collector => "Collector",
            Self::Monitor => "Monitor",
            Self::Service => "Cloud service",
            Self::Reader => "Feed reader",
            Self::Program => "Program",
        }
    }
}

/// The trade of the program whose name begins with an entry of [`LEADING`].
pub(super) fn of_name(name: &str) -> Option<Trade> {
    let lower = name.to_ascii_lowercase();
    let begins = |known: &str| {
        let rest = lower.strip_prefix(known);
        rest.is_some_and(|rest| known.ends_with('-') || !rest.starts_with(|c: char| c.is_ascii_alphabetic()))
    };
    LEADING.iter().find(|(names, _)| names.iter().any(|known| begins(known))).map(|(_, trade)| *trade)
}

/// Programs that do not stand first in their text, or that stand in a browser's: the first that is there is it.
pub(super) const ANYWHERE: &[(&str, Trade)] = &[
    ("Terraform", Trade::Command),
    ("OpenTofu", Trade::Command),
    ("Pulumi", Trade::Command),
    ("amazon-ssm-agent", Trade::Collector),
    ("WindowsPowerShell", Trade::Command),
    ("PowerShell", Trade::Command),
    ("aiohttp", Trade::Script),
    ("HeadlessChrome", Trade::Headless),
    ("PhantomJS", Trade::Headless),
    ("Cypress", Trade::Headless),
    ("Chrome-Lighthouse", Trade::Headless),
    ("DatadogSynthetics", Trade::Monitor),
    ("StatusCake", Trade::Monitor),
    ("Site24x7", Trade::Monitor),
    ("PTST", Trade::Monitor),
    ("NewRelicSynthetics", Trade::Monitor),
    ("NewRelicPinger", Trade::Monitor),
    ("UptimeRobot", Trade::Monitor),
    ("Better Uptime Bot", Trade::Monitor),
    ("Pingdom.com_bot_version_1.4_", Trade::Monitor),
    ("ChatGPT-User", Trade::Crawler),
    ("Claude-User", Trade::Crawler),
    ("Claude-Web", Trade::Crawler),
    ("anthropic-ai", Trade::Crawler),
    ("Perplexity-User", Trade::Crawler),
    ("MistralAI-User", Trade::Crawler),
    ("cohere-ai", Trade::Crawler),
    ("meta-externalagent", Trade::Crawler),
    ("meta-externalfetcher", Trade::Crawler),
    ("facebookexternalhit", Trade::Crawler),
    ("GoogleOther", Trade::Crawler),
    ("Google-InspectionTool", Trade::Crawler),
    ("Google-Read-Aloud", Trade::Crawler),
    ("Google-Safety", Trade::Crawler),
    ("Google-Site-Verification", Trade::Crawler),
    ("Google-PageRenderer", Trade::Crawler),
    ("Google-CloudVertexBot", Trade::Crawler),
    ("Mediapartners-Google", Trade::Crawler),
    ("BingPreview", Trade::Crawler),
    ("SkypeUriPreview", Trade::Crawler),
    ("Screaming Frog SEO Spider", Trade::Crawler),
    ("Bytespider", Trade::Crawler),
    ("Baiduspider", Trade::Crawler),
];

/// Programs by how their name begins, in lower case, up to something that is no letter: `git` is not `GitHub`.
const LEADING: &[(&[&str], Trade)] = &[
    (SERVICES, Trade::Service),
    (COLLECTORS, Trade::Collector),
    (MONITORS, Trade::Monitor),
    (COMMANDS, Trade::Command),
    (READERS, Trade::Reader),
    (SCRIPTS, Trade::Script),
    (CRAWLERS, Trade::Crawler),
];

const SERVICES: &[&str] =
    &["aws internal", "amazon cloudfront", "google-cloud-tasks", "google-cloud-scheduler", "apigee"];

// Words, many to a line: a line for each would bury the tables above.
#[rustfmt::skip]
const COLLECTORS: &[&str] = &[
    "elastic-", "filebeat", "metricbeat", "auditbeat", "winlogbeat", "packetbeat", "heartbeat", "logstash",
    "fluent-bit", "fluentd", "fluent-", "vector", "telegraf", "opentelemetry", "otel", "grafanaalloy",
    "alloy", "grafana-agent", "promtail", "datadog-agent", "datadog agent", "splunk", "syslog-ng",
    "rsyslog", "nxlog", "amazon-ssm-agent", "cloudwatch", "amazon-cloudwatch", "wazuh", "osquery",
    "newrelic-", "crowdstrike",
];

#[rustfmt::skip]
const MONITORS: &[&str] = &[
    "kube-probe", "googlehc", "elb-healthchecker", "prometheus", "blackbox", "nagios", "check_http",
    "zabbix", "uptime-kuma", "pingdom", "statuscake", "datadog", "consul health check", "haproxy", "icinga",
    "better uptime", "betterstack", "site24x7", "gatus", "checkly", "amazon-route53-health-check",
];

#[rustfmt::skip]
const COMMANDS: &[&str] = &[
    "curl", "wget", "httpie", "aws-cli", "awscli", "kubectl", "kubelet", "kube-", "helm", "terraform",
    "opentofu", "pulumi", "ansible", "packer", "vault", "consul", "docker", "containerd", "podman",
    "buildkit", "git", "gh", "glab", "npm", "pnpm", "yarn", "pip", "uv", "cargo", "go-getter", "rclone",
    "restic", "s3cmd", "gsutil", "gcloud", "google-cloud-sdk", "azurecli", "azure-cli", "az", "azcopy",
    "openssl", "nmap", "sqlmap", "nikto", "gobuster", "ffuf", "hydra", "masscan", "zgrab", "nuclei",
    "apachebench", "wrk", "hey", "k6", "vegeta", "siege", "jmeter", "rollcall", "xh", "aria2", "lftp",
    "svn", "debian apt", "apt", "dnf", "libdnf", "yum", "homebrew", "argo-cd", "argocd", "argocd-", "flux",
    "skopeo", "steampipe", "prowler", "stratus-red-team",
];

const READERS: &[&str] =
    &["feedly", "feedbin", "miniflux", "freshrss", "newsblur", "inoreader", "tiny tiny rss", "netnewswire"];

const CRAWLERS: &[&str] = &[
    "whatsapp",
    "telegrambot",
    "twitterbot",
    "ia_archiver",
    "scrapy",
    "nutch",
    "heritrix",
    "iframely",
    "embedly",
];

#[rustfmt::skip]
const SCRIPTS: &[&str] = &[
    "python", "aiohttp", "httpx", "urllib", "requests", "boto", "botocore", "aws-sdk", "s3fs",
    "azsdk", "azure-", "google-api", "google-auth", "grpc", "go-http-client", "go", "go-resty",
    "req", "resty", "fasthttp", "okhttp", "java", "apache-httpclient", "apache-httpasyncclient", "jakarta",
    "jersey", "reactornetty", "spring", "ktor", "akka", "unirest", "postmanruntime",
    "insomnia", "bruno", "node", "nodejs", "undici", "axios", "got", "superagent", "request", "deno",
    "bun", "ruby", "faraday", "rest-client", "httparty", "typhoeus", "php", "guzzlehttp", "symfony",
    "wordpress", "cakephp", "pukiwiki", "pear", "pecl", "http_request", "libwww-perl", "lwp",
    "www-mechanize", "perl", "mojolicious", "rust", "reqwest", "hyper", "ureq", "dart", "restsharp",
    "dotnet", ".net", "csharp", "winhttp", "libcurl", "lua-resty", "elixir", "hackney", "erlang",
    "httr", "julia", "twisted", "feedzirra", "indy",
];
