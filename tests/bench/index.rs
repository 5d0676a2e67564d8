//! Measures the index alone, on as many activities as there are: how fast it is built, how large it becomes, how soon it
//! is open, and how long a first page, a count, a histogram and facets take for each class of queries.
//!
//! ```sh
//! cargo bench --bench index                     # a million activities
//! cargo bench --bench index -- 10000000
//! cargo bench --bench index -- 10000000 FOLDER  # keeps the index there, and uses it again
//! ```

#![expect(clippy::print_stdout, clippy::cast_precision_loss, reason = "it prints what it measured")]

#[allow(dead_code, unreachable_pub, clippy::pedantic, reason = "benches share it, and none uses all of it")]
mod data;
#[allow(dead_code, unreachable_pub, clippy::pedantic, reason = "benches share it, and none uses all of it")]
mod questions;

use std::{
    collections::{BTreeMap, HashMap},
    env, fs,
    path::{Path, PathBuf},
    sync::{
        Arc, Condvar, Mutex, OnceLock, PoisonError,
        mpsc::{Receiver, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use rollcall::{
    domain::{agent, geo::Geo},
    model::{
        activity::{Activity, Outcome},
        device::{Agent, Device},
        facet::FacetField,
        filter::{Filter, Order},
        id::ActivityId,
        period::Range,
        place::Place,
        query::Query,
        session::Scope,
    },
    store::index::{Deadline, Index, Search, Source, SourceError},
};

use self::{
    data::{Event, Year},
    questions::Question,
};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> anyhow::Result<()> {
    let mut args = env::args().skip(1).filter(|arg| arg != "--bench");
    let count = args.next().map_or(Ok(1_000_000), |count| count.parse())?;
    let own = tempfile::tempdir()?;
    let folder = args.next().map_or_else(|| own.path().to_owned(), PathBuf::from);
    let index = folder.join(format!("index-{count}"));
    fs::create_dir_all(&folder)?;
    if !index.exists() {
        build(&index, &folder, count)?;
    }
    let index = open(&index, count)?;
    ask(&index, &questions::own())?;
    println!("\nresident: {}", resident());
    index.stop();
    Ok(())
}

fn build(index: &Path, folder: &Path, count: u64) -> anyhow::Result<()> {
    let made = Arc::new(Made::of(folder, count)?);
    let start = Instant::now();
    let built = Index::open(index, made)?;
    while !built.wait_for(ActivityId(count), Duration::from_secs(10)) {
        println!("{} after {:.0?}; {}", built.status().indexed.0, start.elapsed(), resident());
    }
    let took = start.elapsed();
    built.stop();
    let index_time = processor("/proc/self/stat") - *MAKING.get().unwrap_or(&0.0);
    let per = |seconds: f64| count as f64 / seconds;
    println!(
        "built in {took:.1?}: {:.0}/s, {:.0} a second of processor time; {}",
        per(took.as_secs_f64()),
        per(index_time),
        resident()
    );
    sizes(index, count)
}

fn sizes(index: &Path, count: u64) -> anyhow::Result<()> {
    let mut sizes: BTreeMap<String, u64> = BTreeMap::new();
    let mut segments = 0;
    for entry in fs::read_dir(index)? {
        let entry = entry?;
        let ending = entry.path().extension().map(|ending| ending.to_string_lossy().into_owned());
        segments += u64::from(ending.as_deref() == Some("idx"));
        *sizes.entry(ending.unwrap_or_default()).or_default() += entry.metadata()?.len();
    }
    let total: u64 = sizes.values().sum();
    println!("{segments} segments, {:.1} bytes an activity:", total as f64 / count as f64);
    for (ending, size) in sizes {
        println!("  {ending:6} {:.2}", size as f64 / count as f64);
    }
    Ok(())
}

fn open(index: &Path, count: u64) -> anyhow::Result<Index> {
    let start = Instant::now();
    let index = Index::open(index, Arc::new(Made::none(count)))?;
    let opened = start.elapsed();
    let found = index.searcher().search(&Filter::default(), &Scope::All);
    let first = found.page(Order::Desc, None, 50, &Deadline::never())?.len();
    println!("open after {opened:.1?}, the first {first} after {:.1?}; {}", start.elapsed(), resident());
    index.wait_for(ActivityId(count), Duration::from_secs(100));
    println!("verified after {:.1?}; {}", start.elapsed(), resident());
    Ok(index)
}

fn filter(question: &Question) -> anyhow::Result<Filter> {
    let at = Timestamp::from_millisecond;
    Ok(Filter {
        query: Query::parse(&question.query())?,
        user: question.user.clone(),
        range: Range { from: at(question.from)?, to: at(question.to)? },
        ..Filter::default()
    })
}

/// Kinds of questions that the query set does not have.
fn more(period: (i64, i64)) -> impl Iterator<Item = Question> {
    [
        ("i_not", "compare -the"),
        ("i_not", "-compare"),
        ("i_not", "backup -nightly"),
        ("j_or", "backup OR replicate"),
        ("j_or", "invoices OR payroll OR quota"),
        ("k_network", "ip:10.0.0.0/8"),
        ("k_network", "ip:81.0.0.0/8"),
        ("l_compound_prefix", "TK-1*"),
        ("l_compound_prefix", "\"retention pol\"*"),
        ("m_short_prefix", "a*"),
        ("m_short_prefix", "TK*"),
        ("n_field", "outcome:failure"),
        ("n_field", "browser:chrome"),
        ("n_field", "detail:compare"),
        ("n_field", "detail:acco*"),
        ("n_field", "outcome:failure action:login"),
    ]
    .into_iter()
    .map(move |(class, query)| Question {
        class: class.into(),
        from: period.0,
        to: period.1,
        // The words stand there as they are typed, whatever they are.
        terms: vec![query.into()],
        ..Question::default()
    })
}

#[derive(Default)]
struct Times {
    page: Vec<Duration>,
    count: Vec<Duration>,
    histogram: Vec<Duration>,
    facets: Vec<Duration>,
    found: u64,
    buckets: u64,
}

fn ask(index: &Index, questions: &[Question]) -> anyhow::Result<()> {
    let only = env::var("ONLY").unwrap_or_default();
    let period = questions.first().map_or((0, 0), |question| (question.from, question.to));
    let more: Vec<Question> = more(period).collect();
    let mut classes: BTreeMap<&str, Times> = BTreeMap::new();
    for question in questions.iter().chain(&more).filter(|question| question.class.starts_with(&only)) {
        let filter = filter(question)?;
        let never = Deadline::never();
        let search = || index.searcher().search(&filter, &Scope::All);
        let mut after = None;
        for page in search().walk(Order::Desc, None, 1000, never.clone()).take(question.offset / 1000) {
            after = page?.last().copied();
        }
        let times = classes.entry(&question.class).or_default();
        time(&mut times.page, 40, search, |search| search.page(Order::Desc, after, 50, &never))?;
        let found = time(&mut times.count, 5, search, |search| search.count(&never))?;
        let step = (question.to - question.from) / 60;
        let edges: Vec<i64> = (0..=60).map(|edge| question.from + edge * step).collect();
        let buckets = time(&mut times.histogram, 5, search, |search| search.histogram(&edges, &never))?;
        time(&mut times.facets, 3, search, |search| search.facets(FacetField::Action, 10, &never))?;
        times.found += found;
        times.buckets += buckets.iter().map(|bucket| bucket.total + bucket.failures).sum::<u64>();
        if env::var("EACH").is_ok() {
            println!(
                "{:20} {:?} {found} {:?} {:?}",
                question.class,
                filter.query.to_string(),
                times.page.last(),
                times.count.last()
            );
        }
    }
    println!("\np50/p99 in ms; found and bucketed are sums to compare one build with another by");
    println!(
        "| class | page | count | histogram | facets | found | bucketed |\n|---|---|---|---|---|---|---|"
    );
    for (class, times) in classes {
        let [page, count, histogram, facets] =
            [times.page, times.count, times.histogram, times.facets].map(summary);
        println!(
            "| {class} | {page} | {count} | {histogram} | {facets} | {} | {} |",
            times.found, times.buckets
        );
    }
    Ok(())
}

/// Times `ask` on a fresh search, after a first one that warms up.
fn time<T, E>(
    times: &mut Vec<Duration>,
    rounds: usize,
    search: impl Fn() -> Search,
    ask: impl Fn(Search) -> Result<T, E>,
) -> Result<T, E> {
    let mut answer = ask(search())?;
    for _ in 0..rounds {
        let start = Instant::now();
        answer = ask(search())?;
        times.push(start.elapsed());
    }
    Ok(answer)
}

fn summary(mut times: Vec<Duration>) -> String {
    times.sort_unstable();
    let at = |percent: usize| times[(times.len() * percent / 100).min(times.len() - 1)].as_secs_f64() * 1e3;
    format!("{:.3}/{:.3}", at(50), at(99))
}

/// Activities of a made-up year, completed on a thread of their own.
struct Made {
    count: u64,
    batches: Mutex<Option<Receiver<Vec<Activity>>>>,
    idle: Condvar,
}

impl Made {
    /// A log whose activities are all indexed already.
    fn none(count: u64) -> Self {
        Self { count, batches: Mutex::new(None), idle: Condvar::new() }
    }

    fn of(folder: &Path, count: u64) -> anyhow::Result<Self> {
        let (sender, batches) = sync_channel(64);
        let geo = Geo::open(&folder.join("geo"), None)?;
        thread::Builder::new().name("made".into()).spawn(move || {
            let mut complete = Complete { geo, places: HashMap::new(), devices: HashMap::new() };
            let mut batch = Vec::new();
            for event in Year::of(count) {
                batch.push(complete.activity(event));
                if batch.len() == 1000 && sender.send(std::mem::take(&mut batch)).is_err() {
                    return;
                }
            }
            let _ = MAKING.set(processor("/proc/thread-self/stat"));
            let _ = sender.send(batch);
        })?;
        Ok(Self { count, batches: Mutex::new(Some(batches)), idle: Condvar::new() })
    }
}

struct Complete {
    geo: Geo,
    places: HashMap<std::net::IpAddr, Place>,
    devices: HashMap<String, Device>,
}

impl Complete {
    fn activity(&mut self, event: Event) -> Activity {
        let Self { geo, places, devices } = self;
        let time = Timestamp::from_millisecond(event.time).expect("a time of the year");
        let device = match devices.get(&event.user_agent) {
            Some(device) => device.clone(),
            None => devices
                .entry(event.user_agent.clone())
                .or_insert_with(|| {
                    agent::device(&Agent { user_agent: event.user_agent.clone(), ..Agent::default() })
                })
                .clone(),
        };
        Activity {
            id: ActivityId(event.id),
            time,
            received: time,
            user: event.user,
            action: event.action,
            detail: event.detail,
            app: event.app,
            outcome: if event.failed { Outcome::Failure } else { Outcome::Success },
            session: Some(event.session),
            ip: Some(event.ip),
            place: places.entry(event.ip).or_insert_with(|| geo.place(event.ip)).clone(),
            device,
            user_agent: Some(event.user_agent),
            target: None,
            attributes: Vec::new(),
        }
    }
}

impl Source for Made {
    fn last(&self) -> ActivityId {
        ActivityId(self.count)
    }

    fn read(&self, _: ActivityId, _: usize) -> Result<Vec<Activity>, SourceError> {
        let batches = self.batches.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(batches.as_ref().and_then(|batches| batches.recv().ok()).unwrap_or_default())
    }

    fn damaged_behind(&self, _: ActivityId) -> Result<Option<ActivityId>, SourceError> {
        Ok(None)
    }

    fn wait(&self, _: ActivityId, at_most: Duration) -> ActivityId {
        let guard = self.batches.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.idle.wait_timeout(guard, at_most));
        self.last()
    }
}

/// Resident memory, in all and what of it is files.
fn resident() -> String {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let value = |key: &str| {
        let line = status.lines().find(|line| line.starts_with(key)).unwrap_or_default();
        line.split_whitespace().nth(1).and_then(|kb| kb.parse::<u64>().ok()).unwrap_or(0) / 1024
    };
    format!(
        "{} MB resident, {} of them files, at most {}",
        value("VmRSS:"),
        value("RssFile:"),
        value("VmHWM:")
    )
}

/// How long the thread that makes activities kept a processor.
static MAKING: OnceLock<f64> = OnceLock::new();

/// Processor seconds of this process or a thread of it.
fn processor(stat: &str) -> f64 {
    let stat = fs::read_to_string(stat).unwrap_or_default();
    let Some((_, rest)) = stat.rsplit_once(')') else { return 0.0 };
    // A tick is a hundredth of a second.
    rest.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>()
        / 100.0
}
