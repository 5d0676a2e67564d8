//! System calls that write, sync, make and rename fail under the whole server, made to by `strace`: nothing that was
//! acknowledged is lost, everybody is answered, and the server goes on by itself when they work again.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt, fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use super::{
    super::{
        house::loudly,
        server::{Folder, PATIENCE, Server},
    },
    backup_of, checkpoints_of, how_often,
    oracle::{Oracle, doors, judge},
    script::{Beginning, Step, play},
    starts::says_why,
    strace::{self, Attached, Call, Strace},
};

/// How long anybody may wait for an answer, whatever fails.
pub(super) const HANG: Duration = Duration::from_secs(5);

/// Which calls fail: of those of one name about one file in one step, one of so many, and one in any case. Set `ROLLCALL_CALLS=1`
/// for every one.
const EACH: u32 = 1000;

/// The calls that put something on a disk or change what is there. Others are made of these, or fail where these do.
pub(super) const CALLS: &str = "openat,write,pwrite64,ftruncate,fallocate,fsync,fdatasync,link,linkat,rename,renameat,renameat2,\
     unlink,unlinkat,mkdir,mkdirat";

/// How they fail.
pub(super) const ERRORS: [&str; 2] = ["EIO", "ENOSPC"];

pub(super) fn each_of() -> usize {
    usize::try_from(how_often("ROLLCALL_CALLS", EACH)).unwrap().max(1)
}

/// A file that the server writes under a name that is known before, but for those of the index and of cities.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Data,
    /// The file beside it that takes its place.
    Copy,
    Reserve,
    Checkpoints,
    /// The folder itself.
    Folder,
}

impl Place {
    const ALL: [Self; 5] = [Self::Data, Self::Copy, Self::Reserve, Self::Checkpoints, Self::Folder];

    fn path(self, folder: &Folder) -> PathBuf {
        let data = folder.path().join(rollcall::store::FILE);
        match self {
            Self::Data => data,
            Self::Copy => data.with_extension("redb.new"),
            Self::Reserve => folder.path().join("reserve"),
            Self::Checkpoints => checkpoints_of(folder),
            Self::Folder => folder.path().to_owned(),
        }
    }

    /// What a call is about, if it is one of them: the first file that it names.
    fn of(call: &Call, folder: &Folder) -> Option<Self> {
        let found = Self::ALL.into_iter().filter_map(|place| {
            let path = place.path(folder);
            let path = path.to_str().unwrap();
            // A file that is open stands between angles, a name between quotes.
            let named = [format!("<{path}>"), format!("\"{path}\"")];
            Some((named.iter().filter_map(|named| call.about.find(named)).min()?, place))
        });
        found.min().map(|(_, place)| place)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Data => "the data file",
            Self::Copy => "the file that takes its place",
            Self::Reserve => "the reserve",
            Self::Checkpoints => "the checkpoints outside",
            Self::Folder => "the folder",
        })
    }
}

/// Whether a call is one that writes: to open a file is to do so where it may make one.
pub(super) fn writes(call: &Call) -> bool {
    call.name != "openat" || call.about.contains("O_CREAT")
}

/// A call that is to fail: the so manieth of this name about this file, in whichever thread.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Fault {
    name: String,
    place: Place,
    nth: usize,
}

/// A call of a run, in its step.
struct Met {
    step: Step,
    fault: Fault,
    failed: bool,
}

/// The calls of a trace, each in the step that had begun before it.
fn met(trace: &Path, folder: &Folder, steps: &[(u64, Step)]) -> Vec<Met> {
    let mut counts: BTreeMap<(u32, String, Place), usize> = BTreeMap::new();
    let calls = strace::calls(trace).into_iter().filter_map(|call| {
        let place = Place::of(&call, folder)?;
        // What is opened to be read counts: `strace` counts it too.
        let nth = counts.entry((call.thread, call.name.clone(), place)).or_default();
        *nth += 1;
        let step =
            steps.iter().take_while(|(at, _)| *at <= call.at).last().map_or(Step::Start, |step| step.1);
        let fault = Fault { name: call.name.clone(), place, nth: *nth };
        writes(&call).then_some(Met { step, fault, failed: call.failed })
    });
    calls.collect()
}

/// Of the calls of one name about one file in one step, each of so many, and one in any case.
pub(super) fn some_of_each<K: Ord, T>(calls: impl IntoIterator<Item = (K, T)>, each: usize) -> Vec<T> {
    let mut groups: BTreeMap<K, Vec<T>> = BTreeMap::new();
    for (cell, call) in calls {
        groups.entry(cell).or_default().push(call);
    }
    let groups = groups.into_values().enumerate();
    let chosen = groups.flat_map(|(turn, calls)| {
        // Not always the first: in each at another place.
        let first = turn * 7 % calls.len().min(each);
        calls.into_iter().skip(first).step_by(each)
    });
    chosen.collect()
}

/// A server over a copy of the beginning, and what it did.
struct Run {
    folder: Folder,
    oracle: Oracle,
    complaints: PathBuf,
    met: Vec<Met>,
    /// What it said instead of beginning.
    refused: Option<String>,
}

impl Run {
    /// Plays the script while `fault` happens, and holds what the server has against what was acknowledged. It is stopped where
    /// that is what fails, or nothing, and killed otherwise.
    fn play(beginning: &Beginning, fault: Option<(&Fault, &str)>, stops: bool) -> Self {
        let folder = beginning.copy();
        let (trace, complaints) = (folder.beside("trace"), folder.beside("complaints"));
        let strace = match fault {
            None => Strace::new(CALLS),
            Some((Fault { name, place, nth }, error)) => Strace::new(name)
                .on(&place.path(&folder))
                .answering(&format!("{name}:error={error}:when={nth}")),
        };
        let (mut oracle, mut begun) = (beginning.oracle.clone(), Vec::new());
        let checkpoints = checkpoints_of(&folder);
        let options = ["--checkpoint-file", checkpoints.to_str().unwrap()];
        let refused = match folder.try_serve_under(&strace.into_file(&trace), &options, &complaints) {
            Err(said) => Some(said),
            Ok(mut server) => {
                let mut begins = |step| begun.push((fs::metadata(&trace).unwrap().len(), step));
                play(&beginning.life(&server, &mut oracle), &folder, &complaints, &mut begins)
                    .expect("the server is there");
                server.stranger().get_until("/readyz", |reply| reply.status == 200);
                // What memory holds is what the disk has; the log is looked at below, as the disk has it.
                doors(&server, &beginning.token, &oracle).unwrap_or_else(|why| panic!("{fault:?}: {why}"));
                assert!(server.is_running());
                begins(Step::Stop);
                end(server, stops);
                None
            }
        };
        let met = met(&trace, &folder, &begun);
        Self { folder, oracle, complaints, met, refused }
    }

    /// Holds what the next server finds against what was acknowledged.
    fn judge(&self, beginning: &Beginning) -> Result<(), String> {
        let said = fs::read_to_string(&self.complaints).unwrap();
        if said.contains("fault of Rollcall's own") || said.contains("panicked at") {
            return Err(format!("a panic: {said}"));
        }
        let Self { folder, oracle, .. } = self;
        let server = folder.serve();
        judge(folder, &server, &beginning.token, oracle)?;
        // What was announced to be removed, and hidden from then on, leaves the file too.
        let start = Instant::now();
        loop {
            let said = folder.run(&["check"]).ok().to_owned();
            let numbers = said.split(' ').filter_map(|word| word.parse::<u64>().ok());
            let [there, found] = numbers.collect::<Vec<_>>()[..] else { return Err(said) };
            if there == found {
                break;
            }
            assert!(start.elapsed() < PATIENCE, "what retention removed stays: {said}");
        }
        if oracle.told("backup") > 0 {
            let done = folder.run(&["verify", backup_of(folder).to_str().unwrap()]);
            if done.code != 0 {
                return Err(format!("the backup: {}{}", done.out, done.err));
            }
        }
        Ok(())
    }
}

/// Ends a server: by asking it to, which is done in time, or as hard as can be.
fn end(server: Server, stops: bool) {
    if stops {
        let asked = Instant::now();
        assert_eq!(server.stop(), Some(0));
        assert!(asked.elapsed() < HANG, "the stop took {:?}", asked.elapsed());
    } else {
        server.kill();
    }
}

/// Does all of it, twice as much at once as there are cores: half of it is waiting. What fails keeps nobody from the rest.
pub(super) fn side_by_side<T: Send>(work: Vec<T>, each: impl Fn(T) + Sync) {
    let lines = 2 * thread::available_parallelism().map_or(1, usize::from);
    let (queue, failures) = (Mutex::new(work.into_iter()), AtomicUsize::new(0));
    let next = || queue.lock().unwrap().next();
    thread::scope(|scope| {
        for _ in 0..lines {
            scope.spawn(|| {
                while let Some(work) = next() {
                    let done = catch_unwind(AssertUnwindSafe(|| each(work)));
                    failures.fetch_add(usize::from(done.is_err()), Ordering::SeqCst);
                }
            });
        }
    });
    let failures = failures.into_inner();
    assert_eq!(failures, 0, "that is how often something was wrong");
}

/// How often calls of each name failed.
pub(super) fn counted(names: impl IntoIterator<Item = String>) -> String {
    let mut counts: BTreeMap<String, u32> = BTreeMap::new();
    for name in names {
        *counts.entry(name).or_default() += 1;
    }
    counts.iter().map(|(name, count)| format!("{name} {count}")).collect::<Vec<_>>().join(", ")
}

/// How each call of a list is to fail: in every way where each is tried, or in one way after the other.
pub(super) fn with_errors<T: Clone>(calls: Vec<T>, each: usize) -> Vec<(T, &'static str)> {
    let pairs = calls.into_iter().enumerate().flat_map(|(turn, call)| {
        let errors: Vec<&str> = if each == 1 { ERRORS.into() } else { vec![ERRORS[turn % 2]] };
        errors.into_iter().map(move |error| (call.clone(), error))
    });
    pairs.collect()
}

#[test]
fn whichever_call_fails_once_nothing_acknowledged_is_lost_and_everybody_is_answered() {
    if !Strace::is_there() {
        return loudly("no call was made to fail: that takes strace, and the right to trace");
    }
    let each = each_of();
    let beginning = Beginning::large();
    let known = Run::play(&beginning, None, true);
    let steps: BTreeSet<Step> = known.met.iter().map(|met| met.step).collect();
    let all = known.met.len();
    // Where a call is the same for several threads, it is one.
    let cell = |met: &Met| (met.step, met.fault.place, met.fault.name.clone());
    let chosen = some_of_each(known.met.iter().map(|met| (cell(met), (met.step, met.fault.clone()))), each);
    let chosen: BTreeMap<Fault, Step> = chosen.into_iter().map(|(step, fault)| (fault, step)).collect();
    let (failed, refused, idle) = (Mutex::new(Vec::new()), Mutex::new(0), Mutex::new(0));
    side_by_side(with_errors(chosen.into_iter().collect(), each), |((fault, step), error)| {
        let run = Run::play(&beginning, Some((&fault, error)), step == Step::Stop);
        if let Some(said) = &run.refused {
            // One that comes before the server is ready may keep it from starting, and nothing else.
            *refused.lock().unwrap() += 1;
            says_why(said, &format!("{fault:?} {error}"));
        }
        run.judge(&beginning).unwrap_or_else(|why| panic!("{fault:?} {error}: {why}"));
        let met = run.met.into_iter().filter(|met| met.failed);
        let met: Vec<_> =
            met.map(|met| (met.step, format!("{} of {}", met.fault.name, met.fault.place))).collect();
        *idle.lock().unwrap() += usize::from(met.is_empty());
        failed.lock().unwrap().extend(met);
    });
    let (failed, refused, idle) =
        (failed.into_inner().unwrap(), refused.into_inner().unwrap(), idle.into_inner().unwrap());
    let table = steps.iter().map(|step| {
        let of_step = failed.iter().filter(|(of, _)| of == step).map(|(_, what)| what.clone());
        format!("\n    {step}: {}", counted(of_step))
    });
    loudly(&format!(
        "{} of {all} calls failed and nothing was lost; {refused} of them kept it from starting, {idle} never came:{}",
        failed.len(),
        table.collect::<String>()
    ));
    for name in ["pwrite64", "fdatasync", "ftruncate", "openat", "fallocate", "write", "rename", "fsync"] {
        assert!(failed.iter().any(|(_, what)| what.starts_with(&format!("{name} of"))), "no {name} failed");
    }
    let of: BTreeSet<_> = failed.iter().map(|(step, _)| step).collect();
    assert!(of.len() + 2 >= steps.len(), "in few steps did anything fail: {of:?}");
}

/// The threads that write the index: who follows the log, who makes a segment, who commits, who merges.
const INDEX: [&str; 4] = ["index", "thrd-tantivy-in", "segment_updater", "merge_thread_0"];

#[test]
fn whatever_fails_in_the_folder_of_the_index_no_write_does_and_all_is_found() {
    /// The calls, where those of one line are one and the same to whoever makes them.
    const LINES: [&str; 6] =
        ["openat", "write", "fdatasync", "rename,renameat,renameat2", "unlink,unlinkat", "mkdir,mkdirat"];
    /// So many of each line, and in how many commits each is waited for: as many as make a merge.
    const LAST: usize = 24;
    const COMMITS: usize = 8;
    if !Strace::is_there() {
        return loudly("no call of the index was made to fail: that takes strace, and the right to trace");
    }
    let each = each_of().min(8);
    let beginning = Beginning::small();
    let folder = beginning.copy();
    let (trace, complaints) = (folder.beside("trace"), folder.beside("complaints"));
    let mut oracle = beginning.oracle.clone();
    let mut server = folder.serve_saying(&complaints);
    let mut failed: Vec<String> = Vec::new();
    let life = beginning.life(&server, &mut oracle);
    let ready = || assert_eq!(server.stranger().get("/readyz").status, 200, "the log is written");
    let tried = (1..=LAST).step_by(each).flat_map(|nth| LINES.map(|line| (nth, line)));
    for ((nth, line), error) in with_errors(tried.collect(), each) {
        let how = format!("{line}:error={error}:when={nth}");
        let what = |call: &Call| {
            format!("{} of {}", call.name, if writes(call) { "the index" } else { "what is read" })
        };
        {
            let attached = Attached::to(server.process(), &INDEX, line, &how, &trace);
            for _ in 0..COMMITS {
                assert!(life.write_and_find().unwrap(), "{how}: a write failed");
                if !attached.failed().is_empty() {
                    break;
                }
            }
            failed.extend(attached.failed().iter().map(what));
        }
        ready();
        // All of it is made anew, from the log.
        {
            let attached = Attached::to(server.process(), &INDEX[..1], line, &how, &trace);
            assert!(folder.run(&["reindex"]).ok().contains("has been made anew"), "{how}");
            failed.extend(attached.failed().iter().map(what));
        }
        ready();
    }
    assert!(server.is_running());
    judge(&folder, &server, &beginning.token, &oracle).unwrap();
    server.kill();
    let said = fs::read_to_string(&complaints).unwrap();
    assert!(!said.contains("fault of Rollcall's own") && !said.contains("panicked at"), "{said}");
    judge(&folder, &folder.serve(), &beginning.token, &oracle).unwrap();
    loudly(&format!(
        "{} calls failed, all was written and all was found: {}",
        failed.len(),
        counted(failed.clone())
    ));
    for name in
        ["openat of the index", "write of the index", "fdatasync of the index", "rename", "unlink", "mkdir"]
    {
        assert!(failed.iter().any(|what| what.starts_with(name)), "no {name} failed");
    }
}

#[test]
fn while_every_write_fails_it_says_that_it_is_not_ready_and_it_recovers_when_they_work_again() {
    if !Strace::is_there() {
        return loudly("no disk was made to fail: that takes strace, and the right to trace");
    }
    let beginning = Beginning::small();
    for (calls, error) in
        [("pwrite64", "EIO"), ("fdatasync", "EIO"), ("pwrite64,ftruncate", "ENOSPC"), ("fdatasync", "ENOSPC")]
    {
        let folder = beginning.copy();
        let strace = Strace::new(calls)
            .that_leaves()
            .on(&Place::Data.path(&folder))
            .answering(&format!("{calls}:error={error}:when=30+"))
            .command();
        let mut server = folder.serve_under(&strace);
        let mut oracle = beginning.oracle.clone();
        let life = beginning.life(&server, &mut oracle);
        // Until the disk fails, and then some more.
        let start = Instant::now();
        let mut refusals = 0;
        while refusals < 5 {
            refusals += u32::from(!life.write_activities(3).unwrap());
            assert!(start.elapsed() < PATIENCE, "{calls} {error}: it does not fail");
        }
        let ready = server.stranger().get_until("/readyz", |reply| reply.status != 200);
        assert_eq!(ready.status, 503, "{calls} {error}");
        assert_eq!(server.stranger().get("/healthz").status, 200);
        // What is there can be looked at.
        assert!(server.bearer(&beginning.token).get("/api/v1/activity?limit=1").status == 200);
        server.lose_tracer();
        server.stranger().get_until("/readyz", |reply| reply.status == 200);
        assert!(life.write_activities(3).unwrap(), "{calls} {error}");
        assert!(server.is_running());
        judge(&folder, &server, &beginning.token, &oracle)
            .unwrap_or_else(|why| panic!("{calls} {error}: {why}"));
        server.kill();
        let server = folder.serve();
        judge(&folder, &server, &beginning.token, &oracle)
            .unwrap_or_else(|why| panic!("{calls} {error}: {why}"));
    }
}
