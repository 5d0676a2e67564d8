//! What is counted, for those who watch over the server.
//!
//! The registry is the application's own: two of them in one process do not count into each other. What can be asked for at any
//! time (how many sessions there are, how far the index is) is asked when somebody looks; everything else is counted when it
//! happens, by adding to a number.

use std::time::Duration;

use prometheus::{
    Encoder as _, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    TextEncoder, process_collector::ProcessCollector,
};

use super::{App, gate::Decision};
use crate::{
    model::{id::ActivityId, session::EndedBy},
    store::{Health, Meter, Store, StoreError, index::Index},
};

/// The parts of the server that requests are counted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Pages and their files.
    Pages,
    /// The API.
    Api,
    /// What proxies ask.
    Gate,
    /// What log shippers send.
    Shippers,
    /// Health and metrics.
    Watch,
}

impl Part {
    const ALL: [Self; 5] = [Self::Pages, Self::Api, Self::Gate, Self::Shippers, Self::Watch];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Pages => "pages",
            Self::Api => "api",
            Self::Gate => "gate",
            Self::Shippers => "shippers",
            Self::Watch => "watch",
        }
    }
}

/// The first digits of a status: 1 to 5.
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// What is counted of one part of the server.
struct Requests {
    by_class: [IntCounter; CLASSES.len()],
    seconds: Histogram,
}

/// Everything that is counted.
pub(super) struct Metrics {
    registry: Registry,
    requests: [Requests; Part::ALL.len()],
    passed: IntCounter,
    led: IntCounter,
    forbidden: IntCounter,
    unknown: IntCounter,
    signed_in: IntCounter,
    failed: IntCounter,
    held_back: IntCounter,
    /// In the order of [`EndedBy::ALL`].
    ended: [IntCounter; EndedBy::ALL.len()],
    accepted: IntCounter,
    duplicate: IntCounter,
    rejected: IntCounter,
    retention_waits: IntGauge,
    now: Now,
}

/// What is asked for when somebody looks.
struct Now {
    sessions: IntGauge,
    streams: IntGauge,
    writable: IntGauge,
    behind: IntGauge,
    behind_seconds: IntGauge,
    bytes: IntGaugeVec,
    last: IntGauge,
}

impl Metrics {
    #[expect(clippy::expect_used, reason = "the names are written here, each once, and are good ones")]
    pub(super) fn new(meter: &Meter, hashing: &IntCounter) -> Self {
        let registry = Registry::new();
        let counters = |name: &str, help: &str, label: &str| {
            let counters = IntCounterVec::new(Opts::new(name, help), &[label]).expect("a good name");
            registry.register(Box::new(counters.clone())).expect("a new name");
            counters
        };
        let gauge = |name: &str, help: &str| {
            let gauge = IntGauge::new(name, help).expect("a good name");
            registry.register(Box::new(gauge.clone())).expect("a new name");
            gauge
        };
        let requests = IntCounterVec::new(
            Opts::new(
                "rollcall_http_requests_total",
                "Requests answered, by the part of the server and the class of the status.",
            ),
            &["part", "status"],
        )
        .expect("a good name");
        registry.register(Box::new(requests.clone())).expect("a new name");
        let seconds = prometheus::HistogramVec::new(
            HistogramOpts::new(
                "rollcall_http_request_seconds",
                "From a request's head to the head of its answer.",
            )
            .buckets(vec![
                0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0,
            ]),
            &["part"],
        )
        .expect("a good name");
        registry.register(Box::new(seconds.clone())).expect("a new name");
        let checks = counters(
            "rollcall_checks_total",
            "Requests that proxies asked about, by what they were told.",
            "decision",
        );
        let sign_ins =
            counters("rollcall_sign_ins_total", "Tries to sign in, by what came of them.", "outcome");
        let taken = counters(
            "rollcall_activities_received_total",
            "Activities that programs sent, by what became of them.",
            "result",
        );
        let bytes = IntGaugeVec::new(
            Opts::new(
                "rollcall_data_bytes",
                "Room on the disk: what the log and its index take, and what is free.",
            ),
            &["part"],
        )
        .expect("a good name");
        registry.register(Box::new(bytes.clone())).expect("a new name");
        registry.register(Box::new(meter.commits.clone())).expect("a new name");
        registry.register(Box::new(meter.failed.clone())).expect("a new name");
        registry.register(Box::new(hashing.clone())).expect("a new name");
        registry.register(Box::new(ProcessCollector::for_self())).expect("a new name");
        let ends = counters("rollcall_sessions_ended_total", "Sessions that ended, by whose decision.", "by");
        Self {
            requests: Part::ALL.map(|part| Requests {
                by_class: CLASSES.map(|class| requests.with_label_values(&[part.as_str(), class])),
                seconds: seconds.with_label_values(&[part.as_str()]),
            }),
            passed: checks.with_label_values(&["pass"]),
            led: checks.with_label_values(&["sign_in"]),
            forbidden: checks.with_label_values(&["forbidden"]),
            unknown: checks.with_label_values(&["no_app"]),
            signed_in: sign_ins.with_label_values(&["success"]),
            failed: sign_ins.with_label_values(&["failure"]),
            held_back: sign_ins.with_label_values(&["held_back"]),
            ended: EndedBy::ALL.map(|by| ends.with_label_values(&[by.as_str()])),
            accepted: taken.with_label_values(&["accepted"]),
            duplicate: taken.with_label_values(&["duplicate"]),
            rejected: taken.with_label_values(&["rejected"]),
            retention_waits: gauge(
                "rollcall_retention_waits_activities",
                "Activities that are too old by the rules, and more than go without an administrator's word; 0 if none wait.",
            ),
            now: Now {
                sessions: gauge("rollcall_sessions_live", "Sessions that are live."),
                streams: gauge("rollcall_streams_open", "Event streams that are open."),
                writable: gauge("rollcall_writable", "1 while what is sent can be written down, else 0."),
                behind: gauge(
                    "rollcall_index_behind_activities",
                    "Activities of the log that cannot be found yet.",
                ),
                behind_seconds: gauge(
                    "rollcall_index_behind_seconds",
                    "Age of the oldest activity that cannot be found yet; 0 if all can.",
                ),
                bytes,
                last: gauge("rollcall_log_last_id", "The number of the newest activity."),
            },
            registry,
        }
    }

    /// A request was answered.
    pub(super) fn answered(&self, part: Part, status: u16, took: Duration) {
        let requests = &self.requests[part as usize];
        let class = usize::from(status / 100).clamp(1, CLASSES.len()) - 1;
        requests.by_class[class].inc();
        requests.seconds.observe(took.as_secs_f64());
    }

    /// A proxy was told this.
    pub(super) fn decided(&self, decision: &Decision) {
        match decision {
            Decision::Pass { .. } => self.passed.inc(),
            Decision::SignIn(_) => self.led.inc(),
            Decision::Forbidden(..) => self.forbidden.inc(),
            Decision::NoApp => self.unknown.inc(),
        }
    }

    /// Somebody signed in.
    pub(super) fn signed_in(&self) {
        self.signed_in.inc();
    }

    /// Somebody could not show who they are.
    pub(super) fn sign_in_failed(&self) {
        self.failed.inc();
    }

    /// Somebody tried too often.
    pub(super) fn held_back(&self) {
        self.held_back.inc();
    }

    /// A session ended.
    pub(super) fn ended(&self, by: EndedBy) {
        self.ended[by as usize].inc();
    }

    /// Activities were written, others were known already, and others were not taken.
    pub(super) fn took(&self, accepted: usize, duplicate: usize, rejected: usize) {
        self.accepted.inc_by(accepted as u64);
        self.duplicate.inc_by(duplicate as u64);
        self.rejected.inc_by(rejected as u64);
    }

    /// So many activities are to go once an administrator agrees to it.
    pub(super) fn retention_waits(&self, activities: u64) {
        self.retention_waits.set(i64::try_from(activities).unwrap_or(i64::MAX));
    }
}

impl App {
    /// A request was answered.
    pub fn answered(&self, part: Part, status: u16, took: Duration) {
        self.0.metrics.answered(part, status, took);
    }

    /// A record was not taken.
    pub fn record_rejected(&self) {
        self.0.metrics.rejected.inc();
    }

    /// All that is counted, in the text format of Prometheus (version 0.0.4). Asks the disk.
    pub fn metrics(&self) -> Result<String, StoreError> {
        let metrics = &self.0.metrics;
        metrics.now.look(self, &self.0.store, &self.0.index)?;
        let mut text = Vec::new();
        if let Err(error) = TextEncoder::new().encode(&metrics.registry.gather(), &mut text) {
            log::error!("the metrics could not be written: {error}");
        }
        Ok(String::from_utf8_lossy(&text).into_owned())
    }
}

impl Now {
    fn look(&self, app: &App, store: &Store, index: &Index) -> Result<(), StoreError> {
        let set = |gauge: &IntGauge, value: u64| gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        set(&self.sessions, app.0.live.len() as u64);
        set(&self.streams, u64::from(app.open_streams()));
        set(&self.writable, u64::from(app.health() == Health::Good));
        let (last, indexed) = (*store.log().watch().borrow(), index.status().indexed);
        set(&self.last, last);
        set(&self.behind, last.saturating_sub(indexed.0));
        let snapshot = store.snapshot()?;
        let oldest = snapshot.activities_after(ActivityId(indexed.0), 1)?;
        let age = oldest.first().map_or(0, |activity| app.now().duration_since(activity.received).as_secs());
        self.behind_seconds.set(age.max(0));
        set(&self.bytes.with_label_values(&["log"]), snapshot.log_bytes()?);
        set(&self.bytes.with_label_values(&["index"]), index.bytes());
        if let Some(free) = store.free_bytes() {
            set(&self.bytes.with_label_values(&["free"]), free);
        }
        Ok(())
    }
}
