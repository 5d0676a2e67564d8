//! `kill -9` at random moments while everything is going on: sign-ins, logouts, activities, retention, backups, commits of
//! the index. What was acknowledged is there afterwards, what had ended stays ended, and the index is equal to the log.

use std::{
    sync::atomic::Ordering,
    thread,
    time::{Duration, Instant},
};

use super::{
    super::{
        house::{PASSWORD, loudly},
        server::{Folder, Server},
    },
    Life, Random, backup_of, how_often,
    oracle::{Oracle, judge, ticks},
    with_token,
};

/// How often the server is killed. Set `ROLLCALL_KILLS` for more.
const KILLS: u32 = 50;

/// Whether everything has been acknowledged so often that the kills have said something about it. On a slow machine less is
/// done in a life, and there are more of them.
fn enough(oracle: &Oracle) -> bool {
    let told = ["sign-in", "sign-out", "retention", "backup"].map(|action| oracle.told(action));
    oracle.found >= 5 && told.iter().all(|times| *times >= 5)
}

/// Lets the server live until `ends`, and kills it.
fn live(folder: &Folder, server: Server, token: &str, oracle: &mut Oracle, lasts: Duration) {
    let life = Life::of(&server, token, oracle);
    thread::scope(|scope| {
        scope.spawn(|| life.work(|| life.write_activities(200)));
        scope.spawn(|| life.work(|| life.write_and_find()));
        scope.spawn(|| {
            if let Ok(Some(ada)) = life.sign_in("ada", PASSWORD) {
                thread::scope(|scope| {
                    scope.spawn(|| life.work(|| life.retain(&ada)));
                    life.work(|| life.sign_in_and_out());
                });
            }
        });
        scope.spawn(|| life.work(|| life.back_up(folder)));
        // The moment is what is random about it, so it is waited for and not raced to.
        let start = Instant::now();
        while start.elapsed() < lasts {
            thread::park_timeout(lasts.saturating_sub(start.elapsed()));
        }
        server.kill_now();
        life.over.store(true, Ordering::SeqCst);
    });
}

#[test]
fn whenever_it_is_killed_what_was_acknowledged_is_there() {
    let kills = how_often("ROLLCALL_KILLS", KILLS);
    let (folder, token) = with_token(Folder::with_admin());
    let mut oracle = Oracle::default();
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    let mut killed = 0;
    while killed < kills || (killed < 4 * kills && !enough(&oracle)) {
        let server = folder.serve();
        // Not after each: a look takes longer than a life.
        if killed % 10.max(kills / 20) == 9 {
            judge(&folder, &server, &token, &oracle).unwrap();
            // Looking at all of them takes longer with each life.
            let sessions = &mut oracle.sessions;
            sessions.shut.drain(..sessions.shut.len().saturating_sub(20));
            sessions.open.drain(..sessions.open.len().saturating_sub(200));
        }
        let lasts = Duration::from_millis(20 + random.below(1000));
        live(&folder, server, &token, &mut oracle, lasts);
        killed += 1;
    }
    let server = folder.serve();
    judge(&folder, &server, &token, &oracle).unwrap();
    server.kill();
    // The last backup that was finished is proven, and has what was acknowledged before it was asked for.
    let backup = backup_of(&folder);
    let backup = backup.to_str().unwrap();
    folder.run(&["verify", backup]).ok();
    let other = Folder::new();
    other.run(&["restore", backup]).ok();
    other.run(&["check"]).ok();
    let server = other.serve();
    assert!(oracle.backed_up.is_subset(&ticks(&server.bearer(&token)).unwrap()));
    loudly(&format!("killed {killed} times and nothing was lost of {}", oracle.sum()));
    assert!(enough(&oracle), "too little was done between the kills: {}", oracle.sum());
}
