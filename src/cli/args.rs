//! The commands and their options.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use serde::{Deserialize, Serialize};

use crate::config::Raw;

/// Who is signed in, from where and on what; ends any session at once; finds and exports what anybody did.
#[derive(Parser)]
#[command(name = "rollcall", version, after_help = "Example: rollcall serve --listen 127.0.0.1:8080")]
pub(super) struct Cli {
    /// The data folder
    #[arg(long, global = true, env = "ROLLCALL_DATA", default_value = "./rollcall-data", value_name = "DIR")]
    pub(super) data: PathBuf,
    #[command(subcommand)]
    pub(super) command: Option<Command>,
}

#[derive(Clone, Debug, Subcommand, Serialize, Deserialize)]
pub(super) enum Command {
    /// Run the server (what rollcall does when told nothing else)
    #[command(
        after_help = "Example: rollcall serve --listen 0.0.0.0:8080 --public-url https://rollcall.example.org --trusted-proxy 10.0.0.2"
    )]
    Serve(Box<Serve>),
    /// Accounts
    #[command(subcommand, after_help = "Example: rollcall user list")]
    User(User),
    /// Sessions
    #[command(subcommand, after_help = "Example: rollcall session logout --user ann")]
    Session(Session),
    /// API tokens
    #[command(subcommand, after_help = "Example: rollcall token add backup-server --scope activity:write")]
    Token(Token),
    /// Apps of the organisation
    #[command(subcommand, after_help = "Example: rollcall app list")]
    App(App),
    /// The log
    #[command(subcommand, after_help = "Example: rollcall activity search backup --period 1m")]
    Activity(Activity),
    /// Prove that the log is what was written, against what was kept of it elsewhere
    #[command(
        after_help = "Examples: rollcall verify\n          rollcall verify --checkpoint /mnt/usb/checkpoints.txt\n          rollcall verify rollcall-2026-11-25.backup\n          rollcall verify backups.csv --key rollcall/…"
    )]
    Verify(Verify),
    /// Write everything into one file, while the server runs or not
    #[command(after_help = "Example: rollcall backup rollcall-2026-11-25.backup")]
    Backup { file: PathBuf },
    /// Put a backup in the place of what is there, which is kept beside; all sessions end
    #[command(after_help = "Example: rollcall restore rollcall-2026-11-25.backup")]
    Restore { file: PathBuf },
    /// Look at every record, and hold the search index against the log
    #[command(after_help = "Example: rollcall check")]
    Check,
    /// Make the search index anew from the log
    #[command(after_help = "Example: rollcall reindex")]
    Reindex,
    /// Where addresses are
    #[command(
        after_help = "Examples: rollcall geo 81.2.69.142\n          rollcall geo update GeoLite2-City.mmdb",
        args_conflicts_with_subcommands = true
    )]
    Geo(Geo),
}

impl Command {
    pub(super) fn serve() -> Self {
        Self::Serve(Box::new(Serve { raw: Raw::default(), demo: false }))
    }

    /// Whether the command may begin a new data folder.
    pub(super) const fn makes_a_folder(&self) -> bool {
        matches!(
            self,
            Self::User(User::Add { .. })
                | Self::Activity(Activity::Import { .. })
                | Self::Geo(_)
                | Self::Restore { .. }
        )
    }
}

#[derive(Clone, Debug, Args, Serialize, Deserialize)]
pub(super) struct Serve {
    #[command(flatten)]
    pub(super) raw: Raw,
    /// Fill a throw-away folder with a believable organisation
    #[arg(long)]
    pub(super) demo: bool,
}

#[derive(Clone, Debug, Subcommand, Serialize, Deserialize)]
pub(super) enum User {
    /// Make an account; the password is read from standard input
    #[command(
        after_help = "Example: echo 'correct horse battery staple' | rollcall user add ann --role admin --password-stdin"
    )]
    Add {
        name: String,
        #[command(flatten)]
        details: Details,
        /// Read the password from standard input
        #[arg(long, required = true)]
        password_stdin: bool,
    },
    /// List the accounts
    #[command(after_help = "Example: rollcall user list")]
    List,
    /// Change what is said of a user
    #[command(after_help = "Example: rollcall user set ann --role auditor --groups finance,it")]
    Set {
        name: String,
        #[command(flatten)]
        details: Details,
        /// Remove the second factor, because it is lost: the password alone lets the user in again
        #[arg(long)]
        reset_second_factor: bool,
    },
    /// Give a user a new password; all their sessions end
    #[command(
        after_help = "Example: echo 'correct horse battery staple' | rollcall user password ann --password-stdin"
    )]
    Password {
        name: String,
        /// Read the password from standard input
        #[arg(long, required = true)]
        password_stdin: bool,
    },
    /// Stop a user from signing in; all their sessions end
    #[command(after_help = "Example: rollcall user disable ann")]
    Disable { name: String },
    /// Let a user sign in again
    #[command(after_help = "Example: rollcall user enable ann")]
    Enable { name: String },
    /// Demand a second factor of nobody, administrators or everyone; or show of whom it is
    #[command(after_help = "Example: rollcall user second-factor administrators")]
    SecondFactor {
        /// nobody, administrators or everyone
        #[arg(value_name = "WHOM")]
        of: Option<String>,
    },
    /// Remove an account; all its sessions end, what it did stays
    #[command(after_help = "Example: rollcall user remove ann")]
    Remove { name: String },
}

#[derive(Clone, Debug, Args, Serialize, Deserialize)]
pub(super) struct Details {
    /// admin, auditor or member [default for a new user: member]
    #[arg(long)]
    pub(super) role: Option<String>,
    /// E-mail address
    #[arg(long, value_name = "E")]
    pub(super) email: Option<String>,
    /// The name as people write it
    #[arg(long, value_name = "N")]
    pub(super) full_name: Option<String>,
    /// Groups of the organisation, with commas between them
    #[arg(long, value_name = "a,b", value_delimiter = ',')]
    pub(super) groups: Option<Vec<String>>,
}

#[derive(Clone, Debug, Subcommand, Serialize, Deserialize)]
pub(super) enum Session {
    /// List the live sessions
    #[command(after_help = "Example: rollcall session list --user ann --json")]
    List {
        /// Of this user only
        #[arg(long, value_name = "U")]
        user: Option<String>,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// End sessions: the next request of each is refused
    #[command(after_help = "Example: rollcall session logout --user ann")]
    #[group(required = true, multiple = false, args = ["ids", "user", "all"])]
    Logout {
        /// Their ids
        #[arg(value_name = "ID")]
        ids: Vec<String>,
        /// All of this user
        #[arg(long, value_name = "U")]
        user: Option<String>,
        /// All there are
        #[arg(long)]
        all: bool,
    },
}

#[derive(Clone, Debug, Subcommand, Serialize, Deserialize)]
pub(super) enum Token {
    /// Make a token and print it, once
    #[command(after_help = "Example: rollcall token add backup-server --scope activity:write --expires 90d")]
    Add {
        name: String,
        /// activity:write, activity:read, session:read, session:write, auth:check or metrics; may be repeated
        #[arg(long, required = true, num_args = 1.., value_delimiter = ',', value_name = "S")]
        scope: Vec<String>,
        /// The app that the program is: what it writes is that app's, whatever it says [default: any]
        #[arg(long, value_name = "APP")]
        app: Option<String>,
        /// When it stops working: a date, a time, or a while like 90d, 6m or 1y [default: never]
        #[arg(long, value_name = "T")]
        expires: Option<String>,
    },
    /// List the tokens
    #[command(after_help = "Example: rollcall token list")]
    List,
    /// Revoke a token: the next call with it is refused
    #[command(after_help = "Example: rollcall token revoke backup-server")]
    Revoke { name: String },
}

#[derive(Clone, Debug, Subcommand, Serialize, Deserialize)]
pub(super) enum App {
    /// Register an app, or change one, of which what is not named stays
    #[command(
        after_help = "Examples: rollcall app add wiki --url https://wiki.example.org --groups staff\n          rollcall app add wiki --url https://wiki.example.org --groups ''   open to everybody"
    )]
    Add {
        name: String,
        /// Scheme, host and, if unusual, port
        #[arg(long)]
        url: String,
        /// Groups that may open it; a new app is open to everybody if none are named
        #[arg(long, value_name = "a,b", value_delimiter = ',')]
        groups: Option<Vec<String>>,
        /// Identity headers besides Remote-…: remote, x-auth-request, x-forwarded or x-webauth
        #[arg(long)]
        headers: Option<String>,
    },
    /// Change what is named of an app; the rest of it stays
    #[command(
        after_help = "Examples: rollcall app set wiki --groups staff,it\n          rollcall app set wiki --groups ''   open to everybody"
    )]
    Set {
        name: String,
        /// Scheme, host and, if unusual, port
        #[arg(long, required_unless_present_any = ["groups", "headers"])]
        url: Option<String>,
        /// All groups that may open it from now on
        #[arg(long, value_name = "a,b", value_delimiter = ',')]
        groups: Option<Vec<String>>,
        /// Identity headers besides Remote-…: remote, x-auth-request, x-forwarded or x-webauth
        #[arg(long)]
        headers: Option<String>,
    },
    /// Set the webhook of an app and print its secret, once; or show it
    #[command(
        after_help = "Examples: rollcall app hook wiki --url https://wiki.example.org/rollcall\n          rollcall app hook wiki\n          rollcall app hook wiki --remove"
    )]
    Hook {
        name: String,
        /// Where the app takes a POST; the secret is a new one each time
        #[arg(long, conflicts_with_all = ["remove", "retry"])]
        url: Option<String>,
        /// Tell the app no longer
        #[arg(long, conflicts_with = "retry")]
        remove: bool,
        /// Tell now what is waiting, instead of when the next tries are due, and once more what was given up
        #[arg(long)]
        retry: bool,
    },
    /// List the apps
    #[command(after_help = "Example: rollcall app list")]
    List,
    /// Remove an app
    #[command(after_help = "Example: rollcall app remove wiki")]
    Remove { name: String },
}

#[derive(Clone, Debug, Subcommand, Serialize, Deserialize)]
pub(super) enum Activity {
    /// Read activities from a file: NDJSON or CSV, packed with gzip or zstd or not
    #[command(after_help = "Example: rollcall activity import cloudtrail.ndjson.gz")]
    Import {
        /// The file; - is standard input
        #[arg(value_name = "FILE|-")]
        file: PathBuf,
    },
    /// Search the log
    #[command(
        after_help = "Example: rollcall activity search 'bucket outcome:failure' --user ann --period 1m"
    )]
    Search {
        /// What to look for, in the grammar of the search box
        #[arg(default_value = "")]
        query: String,
        #[command(flatten)]
        narrow: Narrow,
        /// As JSON, one activity a line
        #[arg(long)]
        json: bool,
        /// At most so many
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
        limit: u32,
    },
    /// Write every activity of a search into a file
    #[command(
        after_help = "Example: rollcall activity export backup --period 1y --format csv -o backups.csv"
    )]
    Export {
        /// What to look for, in the grammar of the search box
        #[arg(default_value = "")]
        query: String,
        #[command(flatten)]
        narrow: Narrow,
        /// The form of the file
        #[arg(long, value_enum, default_value_t = Form::Csv)]
        format: Form,
        /// Newest first or oldest first
        #[arg(long, value_enum, default_value_t = Sequence::Desc)]
        order: Sequence,
        /// The file, beside which FILE.seal is written; standard output, and no seal, if none is named or it is `-`
        #[arg(short, value_name = "FILE")]
        output: Option<PathBuf>,
    },
}

#[derive(Clone, Debug, Args, Serialize, Deserialize)]
pub(super) struct Narrow {
    /// Of this user only
    #[arg(long, value_name = "U")]
    pub(super) user: Option<String>,
    /// 24h, 7d, 1m, 3m, 6m, 1y or all
    #[arg(long, value_name = "P", conflicts_with_all = ["from", "to"])]
    pub(super) period: Option<String>,
    /// From this date or time on
    #[arg(long, value_name = "T")]
    pub(super) from: Option<String>,
    /// Until this date, or before this time
    #[arg(long, value_name = "T")]
    pub(super) to: Option<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum, Serialize, Deserialize)]
pub(super) enum Form {
    Csv,
    Ndjson,
}

#[derive(Clone, Copy, Debug, ValueEnum, Serialize, Deserialize)]
pub(super) enum Sequence {
    Desc,
    Asc,
}

#[derive(Clone, Debug, Args, Serialize, Deserialize)]
pub(super) struct Verify {
    /// A backup, a copy of a data file, or an export (whose seal is FILE.seal), to be proven instead of the log
    #[arg(value_name = "FILE")]
    pub(super) file: Option<PathBuf>,
    /// The seal of an export, where it is not FILE.seal
    #[arg(long, value_name = "FILE", requires = "file")]
    pub(super) seal: Option<PathBuf>,
    /// The key that must have signed the seal or the log in FILE, as Settings shows it under Evidence
    #[arg(long, value_name = "KEY", requires = "file")]
    pub(super) key: Option<String>,
    /// A file with one checkpoint or more that was kept elsewhere, or a seal with the one it is proven under; - is standard input
    #[arg(long, value_name = "FILE|-")]
    pub(super) checkpoint: Option<PathBuf>,
    /// As JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Clone, Debug, Args, Serialize, Deserialize)]
pub(super) struct Geo {
    /// The address to look up
    #[arg(value_name = "IP")]
    pub(super) ip: Option<std::net::IpAddr>,
    #[command(subcommand)]
    pub(super) update: Option<GeoCommand>,
}

#[derive(Clone, Debug, Subcommand, Serialize, Deserialize)]
pub(super) enum GeoCommand {
    /// Put another city database in use, without a restart
    #[command(after_help = "Example: rollcall geo update GeoLite2-City.mmdb")]
    Update {
        #[arg(value_name = "FILE.mmdb")]
        file: PathBuf,
    },
}
