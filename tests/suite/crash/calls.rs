//! System calls that write and sync fail under the whole server, made to by `strace`: nothing that was acknowledged is lost,
//! everybody is answered, and the server goes on by itself when they work again.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use super::{
    super::{
        house::loudly,
        server::{Folder, PATIENCE},
    },
    Life, Oracle, how_often, judge, with_token,
};

/// How long anybody may wait for an answer, whatever fails.
const HANG: Duration = Duration::from_secs(5);

/// Which calls of the script fail: each of so many. Set `ROLLCALL_CALLS=1` for every one.
const EACH: u32 = 12;

/// `strace` over a server: the tracer is a process beside it, so that the server is the test's own child.
pub(super) struct Strace(Vec<String>);

impl Strace {
    /// It stops the server at these calls only.
    pub(super) fn new(calls: &str) -> Self {
        let words = ["strace", "-D", "-f", "-q", "-I", "2", "--seccomp-bpf", "-e"];
        let mut words: Vec<String> = words.map(str::to_owned).into();
        words.push(format!("trace={calls}"));
        Self(words)
    }

    /// It can leave the server again. For that it stops it at every call, and is slower.
    fn that_leaves(mut self) -> Self {
        self.0.retain(|word| word != "--seccomp-bpf");
        self
    }

    /// It looks at calls about this file only.
    fn on(mut self, file: &Path) -> Self {
        self.0.extend(["-P".to_owned(), file.to_str().unwrap().to_owned()]);
        self
    }

    /// It answers calls instead of the system, as `strace -e inject` has it.
    pub(super) fn answering(mut self, how: &str) -> Self {
        self.0.extend(["-e".to_owned(), format!("inject={how}")]);
        self
    }

    /// Where it writes down what it saw.
    fn into_file(mut self, file: &Path) -> Vec<String> {
        self.0.extend(["-o".to_owned(), file.to_str().unwrap().to_owned()]);
        self.0
    }

    pub(super) fn command(self) -> Vec<String> {
        self.into_file(Path::new("/dev/null"))
    }

    /// Whether it may trace here.
    pub(super) fn is_there() -> bool {
        let tried = Command::new("strace").args(["-f", "-o", "/dev/null", "true"]).output();
        tried.is_ok_and(|tried| tried.status.success())
    }
}

/// What the calls of the data file are.
const CALLS: [&str; 3] = ["pwrite64", "fdatasync", "ftruncate"];

/// A folder to begin with; each failure gets a copy of it.
struct Beginning {
    folder: Folder,
    token: String,
}

impl Beginning {
    fn new() -> Self {
        let (folder, token) = with_token(Folder::with_admin());
        // What a first start makes is made: the index, its first commit, the room set aside.
        assert_eq!(folder.serve().stop(), Some(0));
        Self { folder, token }
    }

    fn copy(&self) -> Folder {
        let copy = Folder::new();
        let from = format!("{}/.", self.folder.path().display());
        let copied = Command::new("cp").args(["-a", "--sparse=always", &from]).arg(copy.path()).status();
        assert!(copied.unwrap().success());
        copy
    }
}

/// The same few changes each time, whatever becomes of them.
fn script(life: &Life<'_>) {
    for step in 0..12 {
        let start = Instant::now();
        let answered = match step % 3 {
            0 => life.write_activities(1),
            1 => life.sign_in_and_out(),
            _ => life.write_activities(30),
        };
        answered.expect("the server is there");
        assert!(start.elapsed() < HANG, "step {step} took {:?}", start.elapsed());
    }
}

/// How often the server makes a call over its data file from its start to the end of the script.
fn count(beginning: &Beginning, call: &str) -> u32 {
    let folder = beginning.copy();
    let trace = folder.path().join("trace");
    let strace = Strace::new(call).on(&folder.path().join(rollcall::store::FILE)).into_file(&trace);
    let server = folder.serve_under(&strace);
    script(&Life::of(&server, &beginning.token, &mut Oracle::default()));
    assert_eq!(server.stop(), Some(0));
    lines(&trace, &format!("{call}("))
}

fn lines(trace: &PathBuf, with: &str) -> u32 {
    let trace = std::fs::read_to_string(trace).unwrap();
    u32::try_from(trace.lines().filter(|line| line.contains(with)).count()).unwrap()
}

#[test]
fn whichever_call_fails_once_nothing_acknowledged_is_lost_and_everybody_is_answered() {
    if !Strace::is_there() {
        return loudly("no call was made to fail: that takes strace, and the right to trace");
    }
    let each = usize::try_from(how_often("ROLLCALL_CALLS", EACH)).unwrap().max(1);
    let beginning = Beginning::new();
    let (mut failed, mut refused) = (0, 0);
    for call in CALLS {
        let calls = count(&beginning, call);
        for (at, error) in (1..=calls).step_by(each).flat_map(|at| ["EIO", "ENOSPC"].map(|error| (at, error)))
        {
            let folder = beginning.copy();
            let trace = folder.path().join("trace");
            let strace = Strace::new(call)
                .on(&folder.path().join(rollcall::store::FILE))
                .answering(&format!("{call}:error={error}:when={at}"))
                .into_file(&trace);
            let mut oracle = Oracle::default();
            // One that comes before the server is ready may keep it from starting, and nothing else.
            match folder.try_serve_under(&strace) {
                Err(said) => {
                    refused += 1;
                    assert!(
                        said.contains("data file") || said.contains("disk"),
                        "{call} {at} {error}: {said}"
                    );
                }
                Ok(mut server) => {
                    script(&Life::of(&server, &beginning.token, &mut oracle));
                    server.stranger().get_until("/readyz", |reply| reply.status == 200);
                    assert!(server.is_running(), "{call} {at} {error}");
                    server.kill();
                }
            }
            failed += lines(&trace, "(INJECTED)").min(1);
            let server = folder.serve();
            judge(&folder, &server, &beginning.token, &oracle)
                .unwrap_or_else(|why| panic!("{call} {at} {error}: {why}"));
        }
    }
    loudly(&format!("{failed} calls failed and nothing was lost; {refused} of them kept it from starting"));
    assert!(failed > 20, "only {failed} calls failed");
}

#[test]
fn while_every_write_fails_it_says_that_it_is_not_ready_and_it_recovers_when_they_work_again() {
    if !Strace::is_there() {
        return loudly("no disk was made to fail: that takes strace, and the right to trace");
    }
    let beginning = Beginning::new();
    for (calls, error) in
        [("pwrite64", "EIO"), ("fdatasync", "EIO"), ("pwrite64,ftruncate", "ENOSPC"), ("fdatasync", "ENOSPC")]
    {
        let folder = beginning.copy();
        let strace = Strace::new(calls)
            .that_leaves()
            .on(&folder.path().join(rollcall::store::FILE))
            .answering(&format!("{calls}:error={error}:when=30+"))
            .command();
        let mut server = folder.serve_under(&strace);
        let mut oracle = Oracle::default();
        let life = Life::of(&server, &beginning.token, &mut oracle);
        // Until the disk fails, and then some more.
        let start = Instant::now();
        let mut refusals = 0;
        while refusals < 5 {
            let asked = Instant::now();
            refusals += u32::from(!life.write_activities(3).unwrap());
            assert!(asked.elapsed() < HANG, "{calls} {error}: {:?}", asked.elapsed());
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

#[test]
fn whatever_fails_at_the_first_start_the_next_one_begins() {
    /// How many of each call are tried: the first are those that make the file.
    const TRIED: u32 = 5;
    if !Strace::is_there() {
        return loudly("no first start was made to fail: that takes strace, and the right to trace");
    }
    let mut refused = 0;
    for (call, at) in CALLS.into_iter().flat_map(|call| (1..=TRIED).map(move |at| (call, at))) {
        let folder = Folder::new();
        let strace = Strace::new(call).answering(&format!("{call}:error=ENOSPC:when={at}"));
        match folder.try_serve_under(&strace.command()) {
            Ok(server) => server.kill(),
            Err(said) => {
                refused += 1;
                assert!(said.contains("the disk is full"), "{call} {at}: {said}");
            }
        }
        assert_eq!(folder.serve().stop(), Some(0), "{call} {at}");
    }
    loudly(&format!("the first start failed {refused} times, and the next one began"));
    assert!(refused > 5, "only {refused} failed");
}
