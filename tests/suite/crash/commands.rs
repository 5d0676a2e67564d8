//! System calls fail under commands: one that takes a backup of a running server, and one that puts a backup in the place of the data.

use std::{fs, path::Path};

use super::{
    super::{
        house::loudly,
        server::{Done, Folder},
    },
    backup_of,
    calls::{CALLS, counted, each_of, side_by_side, some_of_each, with_errors, writes},
    oracle::{judge, ticks},
    script::Beginning,
    starts::says_why,
    strace::{self, Strace},
};

/// Runs a command while the `nth` call of a name fails, in each of its threads.
fn under(folder: &Folder, strace: Strace, args: &[&str]) -> Done {
    let trace = folder.beside("trace");
    // What hangs is ended, and says so by its code.
    let program = ["timeout".to_owned(), "20".to_owned()].into_iter().chain(strace.into_file(&trace));
    folder.run_under(&program.collect::<Vec<_>>(), args)
}

/// Some of the calls that write of a command that was run: of each name, about each kind of file.
fn some(folder: &Folder) -> Vec<(String, usize)> {
    let mut counts = std::collections::BTreeMap::new();
    let beside = folder.path().parent().unwrap().to_str().unwrap().to_owned();
    let calls = strace::calls(&folder.beside("trace")).into_iter().filter_map(|call| {
        let nth = counts.entry((call.thread, call.name.clone())).or_insert(0);
        *nth += 1;
        let at = call.about.find(&beside).filter(|_| writes(&call))?;
        // Names that differ each time differ in their numbers.
        let about: String = call.about[at..]
            .chars()
            .take_while(|c| !"\">".contains(*c))
            .filter(|c| !c.is_ascii_digit())
            .collect();
        let about = if about.contains("/index") { "the index".to_owned() } else { about };
        Some(((call.name.clone(), about), (call.name, *nth)))
    });
    let mut some = some_of_each(calls, each_of());
    some.sort();
    some.dedup();
    some
}

/// The names of the calls that failed.
fn failed(folder: &Folder) -> Vec<String> {
    strace::failed(&folder.beside("trace")).into_iter().map(|call| call.name).collect()
}

/// A command that did not do its work says so, and why.
fn is_told(done: &Done, how: &str) {
    assert_eq!(done.code, 2, "{how}: {}{}", done.out, done.err);
    says_why(&done.err, how);
}

#[test]
fn whichever_call_of_a_backup_fails_what_is_said_to_be_whole_is_whole_and_what_was_there_stays() {
    if !Strace::is_there() {
        return loudly("no backup was made to fail: that takes strace, and the right to trace");
    }
    let beginning = Beginning::small();
    let folder = beginning.copy();
    let mut server = folder.serve();
    let file = backup_of(&folder);
    let args = ["backup", file.to_str().unwrap()];
    under(&folder, Strace::new(CALLS), &args).ok();
    let (mut failures, mut refused) = (Vec::new(), 0);
    for ((name, nth), error) in with_errors(some(&folder), each_of()) {
        let how = format!("{name}:error={error}:when={nth}");
        let before = fs::read(&file).unwrap();
        let done = under(&folder, Strace::new(&name).answering(&how), &args);
        let failed = failed(&folder);
        if done.code == 0 {
            assert_ne!(fs::read(&file).unwrap(), before, "{how}: it was not put there");
        } else {
            refused += 1;
            is_told(&done, &how);
            let left = fs::read_dir(file.parent().unwrap()).unwrap().map(|entry| entry.unwrap().file_name());
            let left: Vec<_> =
                left.filter(|name| Path::new(name).extension().is_some_and(|kind| kind == "part")).collect();
            assert!(left.is_empty() || name.starts_with("unlink"), "{how}: {left:?} is left");
        }
        folder.run(&["verify", file.to_str().unwrap()]).ok();
        failures.extend(failed);
    }
    assert!(server.is_running());
    let other = Folder::new();
    other.run(&["restore", file.to_str().unwrap()]).ok();
    assert!(beginning.oracle.activities.is_subset(&ticks(&other.serve().bearer(&beginning.token)).unwrap()));
    loudly(&format!(
        "{} calls of a backup failed, {refused} were told, and each backup was whole: {}",
        failures.len(),
        counted(failures.clone())
    ));
    for name in ["openat", "write", "fsync", "rename"] {
        assert!(failures.iter().any(|failed| failed == name), "no {name} failed");
    }
}

#[test]
fn whichever_call_of_a_restore_fails_there_is_what_was_there_or_what_is_restored() {
    if !Strace::is_there() {
        return loudly("no restore was made to fail: that takes strace, and the right to trace");
    }
    let beginning = Beginning::small();
    let source = beginning.copy();
    let file = backup_of(&source);
    let backup = ["backup", file.to_str().unwrap()];
    source.run(&backup).ok();
    let args = ["restore", file.to_str().unwrap()];
    let known = beginning.copy();
    under(&known, Strace::new(CALLS), &args).ok();
    let counts = std::sync::Mutex::new((Vec::new(), 0));
    // Who writes may as well wake somebody.
    let chosen = some(&known).into_iter().filter(|(name, _)| name != "write").collect();
    side_by_side(with_errors(chosen, each_of()), |((name, nth), error)| {
        let how = format!("{name}:error={error}:when={nth}");
        let folder = beginning.copy();
        let done = under(&folder, Strace::new(&name).answering(&how), &args);
        if done.code != 0 {
            counts.lock().unwrap().1 += 1;
            is_told(&done, &how);
        }
        counts.lock().unwrap().0.extend(failed(&folder));
        let server = folder.serve();
        judge(&folder, &server, &beginning.token, &beginning.oracle)
            .unwrap_or_else(|why| panic!("{how}: {why}"));
        assert_eq!(server.stop(), Some(0), "{how}");
        // Nothing that is left of it is in the way of another one.
        folder.run(&args).ok();
    });
    let (failures, refused) = counts.into_inner().unwrap();
    loudly(&format!(
        "{} calls of a restore failed, {refused} were told, and nothing was lost: {}",
        failures.len(),
        counted(failures.clone())
    ));
    for name in ["pwrite64", "fdatasync", "fsync", "rename"] {
        assert!(failures.iter().any(|failed| failed == name), "no {name} failed");
    }
}
