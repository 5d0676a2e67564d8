//! System calls fail while a server starts that has much to do: to make everything, or to bring a folder of the first released
//! format up to the format of now. It may say that it cannot; the next one begins, and has all that was there.

use std::{collections::BTreeMap, fs, sync::Mutex};

use serde_json::json;

use super::{
    super::{
        house::{fixture, loudly},
        server::{Folder, Server},
    },
    calls::{CALLS, counted, each_of, side_by_side, some_of_each, with_errors, writes},
    strace::{self, Strace},
};

/// What of a folder a call is about, as far as these are told apart.
const PARTS: [&str; 7] =
    ["rollcall.redb.new", "rollcall.redb", "/index", "/reserve", "/geo", "/uploads", "/data"];

/// Calls that each thread counts for itself: the so manieth of this name in any of them.
type Fault = (String, usize);

/// The calls that write of one start, each with what it is about, and whether it was made to fail.
fn made(folder: &Folder, trace: &std::path::Path) -> Vec<(&'static str, Fault, bool)> {
    let mut counts: BTreeMap<(u32, String), usize> = BTreeMap::new();
    let calls = strace::calls(trace);
    let main = calls.first().map(|call| call.thread);
    let inside = folder.path().to_str().unwrap();
    let calls = calls.into_iter().filter_map(|call| {
        let nth = counts.entry((call.thread, call.name.clone())).or_default();
        *nth += 1;
        // Others than the first thread open few files, and the first as many libraries; and who writes may as well wake somebody.
        let told_apart = call.name != "write" && (call.name != "openat" || Some(call.thread) == main);
        let at = call.about.find(inside).filter(|_| told_apart && writes(&call))?;
        let part = PARTS.into_iter().find(|part| call.about[at..].contains(part))?;
        Some((part, (call.name, *nth), call.failed))
    });
    calls.collect()
}

/// Starts a server under `strace`, and ends it as soon as it is ready. What it made, and what it said where it did not come to that.
fn start(folder: &Folder, strace: Strace) -> (Vec<(&'static str, Fault, bool)>, Option<String>) {
    let (trace, complaints) = (folder.beside("trace"), folder.beside("complaints"));
    let refused = match folder.try_serve_under(&strace.into_file(&trace), &[], &complaints) {
        Ok(server) => {
            server.kill();
            None
        }
        Err(said) => Some(said),
    };
    let said = fs::read_to_string(complaints).unwrap();
    assert!(!said.contains("fault of Rollcall's own") && !said.contains("panicked at"), "{said}");
    (made(folder, &trace), refused)
}

/// Whether the last line says why there is no server, and of what; that it was a fault of the disk, which no backup mends.
pub(super) fn says_why(said: &str, how: &str) {
    let last = said.lines().last().unwrap_or_default();
    let why =
        last.strip_prefix("rollcall: ").filter(|why| !why.starts_with("warn") && !why.contains("damaged"));
    let bare = ["Input/output error (os error 5)", "No space left on device (os error 28)"];
    assert!(why.is_some_and(|why| !why.is_empty() && !bare.contains(&why)), "{how}: {said}");
}

/// Has each of some calls fail at the start of a server over such a folder; `judge` looks at what the next one has.
fn fail(what: &str, folder: impl Fn() -> Folder + Sync, judge: impl Fn(&Folder, &Server) + Sync) {
    if !Strace::is_there() {
        return loudly(&format!("{what} was not made to fail: that takes strace, and the right to trace"));
    }
    let each = each_of();
    let (known, _) = start(&folder(), Strace::new(CALLS));
    let cells = known.iter().map(|(part, fault, _)| ((*part, fault.0.clone()), fault.clone()));
    let mut chosen = some_of_each(cells, each);
    chosen.sort();
    chosen.dedup();
    let (failed, refused) = (Mutex::new(Vec::new()), Mutex::new(0));
    side_by_side(with_errors(chosen, each), |((name, nth), error)| {
        let how = format!("{name}:error={error}:when={nth}");
        let folder = folder();
        let (made, said) = start(&folder, Strace::new(&name).answering(&how));
        if let Some(said) = said {
            *refused.lock().unwrap() += 1;
            says_why(&said, &how);
        }
        let server = folder.serve();
        judge(&folder, &server);
        assert_eq!(server.stop(), Some(0), "{how}");
        let made = made.into_iter().filter(|(.., failed)| *failed);
        failed
            .lock()
            .unwrap()
            .extend(made.map(|(part, (name, _), _)| format!("{name} of {}", part.trim_start_matches('/'))));
    });
    let (failed, refused) = (failed.into_inner().unwrap(), refused.into_inner().unwrap());
    loudly(&format!(
        "{} of {} calls of {what} failed and nothing was lost; it began all the same but {refused} times: {}",
        failed.len(),
        known.len(),
        counted(failed.clone())
    ));
    for name in ["pwrite64", "fdatasync", "openat", "rename"] {
        assert!(failed.iter().any(|what| what.starts_with(&format!("{name} of"))), "no {name} failed");
    }
}

#[test]
fn whatever_fails_at_the_first_start_the_next_one_begins() {
    fail("the first start", Folder::new, |folder, server| {
        assert!(server.stranger().get("/signin").status < 400);
        folder.run(&["check"]).ok();
    });
}

#[test]
fn whatever_fails_while_a_folder_of_the_first_released_format_is_upgraded_it_keeps_what_it_had() {
    const TOKEN: &str = "rct_Q0YFestj5VilxZ6S1s3Juz9C7W4s3tjIVF7dRTx8WE8";
    let packed = fs::read(fixture("folders/format2.redb.zst")).unwrap();
    let data = zstd::decode_all(packed.as_slice()).unwrap();
    let folder = || {
        let folder = Folder::new();
        fs::write(folder.path().join(rollcall::store::FILE), &data).unwrap();
        folder
    };
    fail("an upgrade", folder, |folder, server| {
        for proof in ["check", "verify"] {
            folder.run(&[proof]).ok();
        }
        let ada = server.signed_in("ada");
        let count = |query: &str| {
            ada.get(&format!("/api/v1/activity?limit=1&q={query}")).ok()["total"]["value"].as_u64().unwrap()
        };
        assert_eq!((count("bucket"), count("user:bob%20action:backup%20app:vault")), (56, 3));
        // The sender's key is known from before.
        let again = json!({"user": "bob", "action": "backup", "app": "vault", "id": "k2"});
        assert_eq!(server.bearer(TOKEN).post("/api/v1/activity", &again).ok()["duplicates"], 1);
    });
}
