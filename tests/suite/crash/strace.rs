//! `strace`: it makes system calls fail, and writes down which there were.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Instant,
};

use super::super::server::PATIENCE;

/// `strace` over a program: the tracer is a process beside it, so that the program is the test's own child.
pub(super) struct Strace(Vec<String>);

impl Strace {
    /// It stops the program at these calls only.
    pub(super) fn new(calls: &str) -> Self {
        let words = ["strace", "-D", "-f", "-q", "-y", "-I", "2", "--seccomp-bpf", "-e"];
        let mut words: Vec<String> = words.map(str::to_owned).into();
        words.push(format!("trace={calls}"));
        Self(words)
    }

    /// It can leave the program again. For that it stops it at every call, and is slower.
    pub(super) fn that_leaves(mut self) -> Self {
        self.0.retain(|word| word != "--seccomp-bpf");
        self
    }

    /// It looks at calls about this file only.
    pub(super) fn on(mut self, file: &Path) -> Self {
        self.0.extend(["-P".to_owned(), file.to_str().unwrap().to_owned()]);
        self
    }

    /// It answers calls instead of the system, as `strace -e inject` has it: each thread counts its own.
    pub(super) fn answering(mut self, how: &str) -> Self {
        self.0.extend(["-e".to_owned(), format!("inject={how}")]);
        self
    }

    /// Where it writes down what it saw.
    pub(super) fn into_file(mut self, file: &Path) -> Vec<String> {
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

/// `strace` at some threads of a process that runs, until it is dropped.
pub(super) struct Attached {
    tracer: Child,
    trace: PathBuf,
}

impl Attached {
    /// At the threads that are called so (the system keeps fifteen letters), where it answers these calls.
    pub(super) fn to(process: u32, names: &[&str], calls: &str, how: &str, trace: &Path) -> Self {
        let tasks = PathBuf::from(format!("/proc/{process}/task"));
        let called = |task: &PathBuf| {
            let name = fs::read_to_string(task.join("comm")).unwrap_or_default();
            names.contains(&name.trim_end())
        };
        let threads = fs::read_dir(&tasks).unwrap().map(|task| task.unwrap().path());
        let threads: Vec<PathBuf> = threads.filter(called).collect();
        assert!(!threads.is_empty(), "none of {names:?} is there");
        // What an earlier one wrote is none of this one's.
        fs::write(trace, "").unwrap();
        let mut command = Command::new("strace");
        command.args([
            "-q",
            "-y",
            "-I",
            "2",
            "-e",
            &format!("trace={calls}"),
            "-e",
            &format!("inject={how}"),
        ]);
        command.arg("-o").arg(trace).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        for thread in &threads {
            command.arg("-p").arg(thread.file_name().unwrap());
        }
        let attached = Self { tracer: command.spawn().unwrap(), trace: trace.to_owned() };
        let start = Instant::now();
        // One that has ended meanwhile needs no watching.
        let is_watched = |thread: &PathBuf| {
            fs::read_to_string(thread.join("status")).map_or(true, |status| !status.contains("TracerPid:\t0"))
        };
        while !threads.iter().all(is_watched) {
            assert!(start.elapsed() < PATIENCE, "strace does not come to {threads:?}");
        }
        attached
    }

    /// The calls that it has made fail.
    pub(super) fn failed(&self) -> Vec<Call> {
        failed(&self.trace)
    }
}

impl Drop for Attached {
    /// It has left them when this is done.
    fn drop(&mut self) {
        let _ = Command::new("kill").args(["-TERM", &self.tracer.id().to_string()]).status();
        let _ = self.tracer.wait();
    }
}

/// A call that a trace shows.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) thread: u32,
    pub(super) name: String,
    /// Its arguments, as far as they are told.
    pub(super) about: String,
    /// Where it stands in the trace, in bytes.
    pub(super) at: u64,
    /// Whether it was made to fail.
    pub(super) failed: bool,
}

/// All calls of a trace, in their order.
pub(super) fn calls(trace: &Path) -> Vec<Call> {
    let (mut calls, mut at): (Vec<Call>, u64) = (Vec::new(), 0);
    // Of each thread the call that it made last.
    let mut last = HashMap::new();
    for bytes in fs::read(trace).unwrap().split_inclusive(|byte| *byte == b'\n') {
        let here = at;
        at += bytes.len() as u64;
        // What it prints of others' bytes need not be text.
        let line = String::from_utf8_lossy(bytes);
        // Where there is one thread alone it is not named.
        let named = line.split_once(' ').and_then(|(thread, said)| Some((thread.parse().ok()?, said)));
        let (thread, said) = named.unwrap_or((0, &line));
        let failed = line.contains("(INJECTED)");
        match said.trim_start().split_once('(') {
            Some((name, about)) if name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') => {
                last.insert(thread, calls.len());
                let (name, about) = (name.to_owned(), about.trim_end().to_owned());
                calls.push(Call { thread, name, about, at: here, failed });
            }
            // The end of one that others came between.
            _ if failed => {
                if let Some(call) = last.get(&thread).and_then(|at| calls.get_mut(*at)) {
                    call.failed = true;
                }
            }
            _ => {}
        }
    }
    calls
}

/// Those that were made to fail.
pub(super) fn failed(trace: &Path) -> Vec<Call> {
    calls(trace).into_iter().filter(|call| call.failed).collect()
}
