//! Work that nobody waits for, and that steps aside for work that somebody does.

/// How far it steps aside, in steps of `nice(2)`: each takes a fifth of a thread's share. Five leave it a third beside a thread that
/// somebody waits for, so that it gets on however long that takes, and all of what nobody else wants.
#[cfg(target_os = "linux")]
const NICE: i32 = 5;

/// Puts the calling thread, and the threads that it begins from now on, behind all others of the process where they want the same
/// core. Elsewhere than on Linux it does nothing: there it is the process as a whole that steps aside.
pub(super) fn step_aside() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, NICE) {
        // What somebody waits for then takes longer, and all the rest is as it was.
        log::debug!("a thread cannot step aside: {error}");
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_thread_steps_aside_with_those_it_begins_and_no_other_does() {
        let nice = || rustix::process::getpriority_process(None).unwrap();
        let before = nice();
        let aside = std::thread::spawn(move || {
            step_aside();
            (nice(), std::thread::spawn(nice).join().unwrap())
        });
        assert_eq!(aside.join().unwrap(), (NICE, NICE));
        assert_eq!(nice(), before);
    }
}
