//! Whose turn it is to search.
//!
//! Each search takes a thread, and what is more than the cores can do only makes all of them slower and keeps sign-ins and checks
//! waiting; so a number of them run at once, and no more. A caller has at most half of them, and callers who wait are served one after
//! the other, however many searches each of them sends: whoever asks for much waits for themselves.

use std::{
    collections::{HashMap, VecDeque},
    num::NonZero,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::oneshot;

use super::turns::Who;

/// How many searches run at once for each core.
const EACH_CORE: usize = 2;

/// The searches that run now, and those that wait.
pub(super) struct Searches(Arc<Mutex<Line>>);

#[derive(Debug)]
struct Line {
    /// How many more may run.
    free: usize,
    /// How many of one caller may run.
    own: usize,
    running: HashMap<Who, usize>,
    /// Callers who wait, the next one first, each with their searches in order. Whoever was served goes behind the others.
    waiting: VecDeque<(Who, VecDeque<oneshot::Sender<SearchTurn>>)>,
}

/// Somebody's turn to search; it is over when this is dropped.
#[derive(Debug)]
pub struct SearchTurn {
    line: Arc<Mutex<Line>>,
    who: Who,
}

impl Default for Searches {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(2, NonZero::get);
        Self::of(EACH_CORE * cores)
    }
}

impl Searches {
    /// So many at once: two or more.
    fn of(most: usize) -> Self {
        let line = Line { free: most, own: most / 2, running: HashMap::new(), waiting: VecDeque::new() };
        Self(Arc::new(Mutex::new(line)))
    }

    /// A turn for `who`, once there is one. Who waits no more lets the receiver go.
    pub(super) fn turn(&self, who: Who) -> oneshot::Receiver<SearchTurn> {
        let (sender, receiver) = oneshot::channel();
        lock(&self.0).stand(who, sender);
        serve(&self.0);
        receiver
    }
}

impl Line {
    /// Takes a place behind one's own.
    fn stand(&mut self, who: Who, sender: oneshot::Sender<SearchTurn>) {
        let Some((_, own)) = self.waiting.iter_mut().find(|(waits, _)| *waits == who) else {
            self.waiting.push_back((who, VecDeque::from([sender])));
            return;
        };
        own.retain(|sender| !sender.is_closed());
        own.push_back(sender);
    }

    /// The next whose turn it is, who has it from now on.
    fn next(&mut self) -> Option<(Who, oneshot::Sender<SearchTurn>)> {
        while self.free > 0 {
            // Who has the fewest comes first, and of those the one who has waited longest.
            let running = |who: &Who| self.running.get(who).copied().unwrap_or_default();
            let those = self.waiting.iter().map(|(who, _)| running(who)).enumerate();
            let (at, _) = those.filter(|(_, runs)| *runs < self.own).min_by_key(|(_, runs)| *runs)?;
            let (who, mut own) = self.waiting.remove(at)?;
            let next = std::iter::from_fn(|| own.pop_front()).find(|sender| !sender.is_closed());
            if !own.is_empty() {
                self.waiting.push_back((who.clone(), own));
            }
            if let Some(next) = next {
                self.free -= 1;
                *self.running.entry(who.clone()).or_default() += 1;
                return Some((who, next));
            }
        }
        None
    }

    /// Takes a turn back.
    fn over(&mut self, who: &Who) {
        self.free += 1;
        if let Some(running) = self.running.get_mut(who) {
            *running -= 1;
            if *running == 0 {
                self.running.remove(who);
            }
        }
    }
}

/// Gives out the turns that are free.
fn serve(line: &Arc<Mutex<Line>>) {
    loop {
        // Not held while a turn is handed over: whoever has just gone drops it, which takes it back.
        let next = lock(line).next();
        let Some((who, sender)) = next else { return };
        let _ = sender.send(SearchTurn { line: Arc::clone(line), who });
    }
}

impl Drop for SearchTurn {
    fn drop(&mut self) {
        lock(&self.line).over(&self.who);
        serve(&self.line);
    }
}

fn lock(line: &Mutex<Line>) -> MutexGuard<'_, Line> {
    line.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> Who {
        (true, name.to_owned())
    }

    /// Whose turns have come of those that wait.
    fn come(waiting: &mut Vec<oneshot::Receiver<SearchTurn>>) -> Vec<SearchTurn> {
        let mut come = Vec::new();
        waiting.retain_mut(|one| one.try_recv().map(|turn| come.push(turn)).is_err());
        come
    }

    #[test]
    fn one_caller_has_half_of_the_turns_and_those_who_wait_are_served_one_after_the_other() {
        let searches = Searches::of(4);
        let ask = |name, times| -> Vec<_> { (0..times).map(|_| searches.turn(named(name))).collect() };
        let names = |turns: &[SearchTurn]| turns.iter().map(|turn| turn.who.1.clone()).collect::<Vec<_>>();
        let mut waiting = ask("ann", 60);
        let mut running = come(&mut waiting);
        assert_eq!(names(&running), ["ann", "ann"], "the others have the other half");
        waiting.extend(ask("bob", 3));
        waiting.extend(ask("cleo", 1));
        running.extend(come(&mut waiting));
        assert_eq!(names(&running), ["ann", "ann", "bob", "bob"]);
        let mut next = |running: &mut Vec<SearchTurn>, over: &str| {
            let at = running.iter().position(|turn| turn.who.1 == over).unwrap();
            drop(running.remove(at));
            let come = come(&mut waiting);
            let names = names(&come);
            running.extend(come);
            names
        };
        // Cleo has sent one, behind sixty of others.
        assert_eq!(next(&mut running, "bob"), ["cleo"]);
        assert_eq!(next(&mut running, "ann"), ["ann"]);
        assert_eq!(next(&mut running, "cleo"), ["bob"]);
        assert_eq!(
            next(&mut running, "bob"),
            Vec::<String>::new(),
            "ann has her half, and nobody else waits"
        );
        assert_eq!(next(&mut running, "ann"), ["ann"]);
    }

    #[test]
    fn who_waits_no_more_takes_no_turn_and_nobody_is_remembered() {
        let searches = Searches::of(2);
        let ann = searches.turn(named("ann")).try_recv().unwrap();
        let gone = searches.turn(named("ann"));
        let mut stays = searches.turn(named("ann"));
        drop(gone);
        assert!(stays.try_recv().is_err());
        drop(ann);
        let stays = stays.try_recv().unwrap();
        // Handed over, and never taken up.
        let late = searches.turn(named("bob"));
        drop(late);
        drop(searches.turn(named("ann")));
        drop(stays);
        let line = lock(&searches.0);
        assert_eq!((line.free, line.running.len(), line.waiting.len()), (2, 0, 0));
    }
}
