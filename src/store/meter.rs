//! What the writer measures of itself.

use prometheus::{Histogram, HistogramOpts, IntCounter};

/// How long commits take, and how often they fail. A handle: cloning it is cheap, and all clones count together.
#[derive(Clone, Debug)]
pub struct Meter {
    /// Seconds from the end of the changes to the end of the sync.
    pub commits: Histogram,
    /// Commits that did not reach the disk.
    pub failed: IntCounter,
}

impl Meter {
    #[expect(clippy::expect_used, reason = "the names are written here, and are good ones")]
    pub(super) fn new() -> Self {
        let seconds = HistogramOpts::new(
            "rollcall_commit_seconds",
            "How long a transaction took to reach the disk, syncs and all.",
        )
        .buckets(vec![0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0]);
        let failed = IntCounter::new(
            "rollcall_commits_failed_total",
            "Transactions that did not reach the disk; they are tried again.",
        );
        Self {
            commits: Histogram::with_opts(seconds).expect("a good name"),
            failed: failed.expect("a good name"),
        }
    }
}
