//! What can be asked for.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

/// Compares Rollcall with PostgreSQL and SQLite on the same activities
#[derive(Parser)]
#[command(about, after_help = "Example: compare --folder /var/tmp/compare --start-postgres --count 10000000")]
pub struct Args {
    /// Where everything goes, and stays for the next run
    #[arg(long, value_name = "DIR")]
    pub folder: PathBuf,
    /// How many activities
    #[arg(long, default_value_t = 1_000_000)]
    pub count: u64,
    /// Activities from this file instead of made-up ones, a JSON object a line
    #[arg(long, value_name = "FILE", requires = "queries")]
    pub ndjson: Option<PathBuf>,
    /// The questions to ask of that file
    #[arg(long, value_name = "FILE", requires = "ndjson")]
    pub queries: Option<PathBuf>,
    /// A PostgreSQL to compare with, as `postgresql://…` or `host=… user=…`
    #[arg(long, value_name = "WHERE", conflicts_with = "start_postgres")]
    pub postgres: Option<String>,
    /// Make a PostgreSQL of one's own in the folder, with the programs of this machine
    #[arg(long)]
    pub start_postgres: bool,
    /// How often a question of each class is asked, at most
    #[arg(long, default_value_t = 200)]
    pub rounds: usize,
    /// How long an engine may take for all rounds of a class; two are always made, one where that takes over five seconds
    #[arg(long, default_value_t = 2.0)]
    pub seconds: f64,
    /// Only these parts
    #[arg(long, value_enum, value_delimiter = ',')]
    pub only: Vec<Part>,
    /// How many activities are taken in by each while that is measured
    #[arg(long, default_value_t = 200_000)]
    pub intake: u64,
    /// Ask nobody but Rollcall in this process: to see where its time goes
    #[arg(long)]
    pub alone: bool,
    /// Only the questions of the classes whose names begin so, as `a`, `c2`
    #[arg(long, value_name = "NAME", default_value = "")]
    pub class: String,
    /// Another build of Rollcall to serve with, instead of the one in this program
    #[arg(long, value_name = "FILE")]
    pub binary: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// First pages, counts, histograms
    Search,
    /// First pages of a tenth of the activities beside those of all
    Growth,
    /// Everything as CSV
    Export,
    /// From the start to the first answer
    Start,
    /// A thousand a second, while others search
    Steady,
    /// To verify, to index anew, to remove half
    Care,
    /// Batches of a thousand
    Intake,
    /// Many clients with one activity each
    Clients,
}

impl Args {
    pub fn does(&self, part: Part) -> bool {
        self.only.is_empty() || self.only.contains(&part)
    }
}
