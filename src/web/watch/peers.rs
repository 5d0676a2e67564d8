//! What is known of those on the other end, and who of them has let their time pass.

use std::{
    collections::HashMap,
    mem,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// How long things may take, and how many there may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// The head of a first request, from the connection on.
    pub(super) head: Duration,
    /// From an answer to the whole head of the next request.
    pub(super) idle: Duration,
    /// A client that takes nothing more of an answer.
    pub(super) stall: Duration,
    /// One that may be such: from here on it is looked how much it has not taken.
    pub(super) slow: Duration,
    /// All connections.
    pub(super) most: usize,
    /// Those of one address.
    pub(super) of_one: usize,
}

impl Limits {
    /// The most connections, where the system allows as many files.
    pub(super) const MOST: usize = 8192;
}

impl Default for Limits {
    fn default() -> Self {
        let [head, idle, stall, slow] = [10, 60, 30, 5].map(Duration::from_secs);
        Self { head, idle, stall, slow, most: Self::MOST, of_one: 512 }
    }
}

/// What is known of a peer.
struct Peer {
    /// How many of its requests are being answered.
    running: u32,
    /// Whether it has asked anything.
    asked: bool,
    /// When it came, asked, or was last answered.
    since: Instant,
    /// When a piece of an answer was handed out that the client has not yet made room behind, or when it took something since.
    handed_out: Option<Instant>,
    /// How many bytes it had not taken when that was looked at last.
    untaken: Option<u64>,
    /// Since when the rest of a body is waited for.
    sends: Option<Instant>,
}

impl Peer {
    const fn new(since: Instant) -> Self {
        Self { running: 0, asked: false, since, handed_out: None, untaken: None, sends: None }
    }

    /// Looks whether a slow client has taken anything. The system makes room for the next piece only when much of what it holds
    /// has gone, which over a thin line takes longer than anybody may take nothing.
    fn look_on(&mut self, limits: &Limits, now: Instant, untaken: impl FnOnce() -> Option<u64>) {
        let waits = self.handed_out.is_some_and(|at| now.duration_since(at) >= limits.slow);
        if self.running == 0 || !waits {
            return;
        }
        let untaken = untaken();
        if self.untaken.is_some() && self.untaken != untaken {
            self.handed_out = Some(now);
        }
        self.untaken = untaken;
    }

    fn overdue(&self, limits: &Limits, now: Instant) -> bool {
        if self.running > 0 {
            return self.handed_out.is_some_and(|at| now.duration_since(at) >= limits.stall);
        }
        now.duration_since(self.since) >= if self.asked { limits.idle } else { limits.head }
    }
}

/// All peers.
pub(super) struct Peers {
    limits: Limits,
    known: Mutex<HashMap<SocketAddr, Peer>>,
}

impl Peers {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, known: Mutex::default() }
    }

    fn known(&self) -> MutexGuard<'_, HashMap<SocketAddr, Peer>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A request of this peer's has begun; it is being answered until what is returned is dropped.
    pub(super) fn answering(this: &Arc<Self>, peer: SocketAddr, now: Instant) -> Answering {
        let peer = SocketAddr::new(peer.ip(), peer.port());
        let mut known = this.known();
        let entry = known.entry(peer).or_insert_with(|| Peer::new(now));
        entry.running += 1;
        (entry.asked, entry.since) = (true, now);
        drop(known);
        Answering { peers: this.clone(), peer }
    }

    /// Whether a request of this peer's is being answered.
    pub(super) fn is_answered(&self, peer: SocketAddr) -> bool {
        self.known().get(&peer).is_some_and(|known| known.running > 0)
    }

    /// Whose connections of those that are `open` are to be closed, where `untaken` says how many bytes one has yet to take: first those that have let their time pass, then, where
    /// there are too many of one `owner`'s or in all, those that have been idle the longest, and then those whose body has been waited for
    /// the longest: whoever sends slowly keeps its pace and would hold them all.
    pub(super) fn overdue(
        &self,
        open: impl Iterator<Item = SocketAddr>,
        owner: impl Fn(SocketAddr) -> Option<IpAddr>,
        mut untaken: impl FnMut(SocketAddr) -> Option<u64>,
        now: Instant,
    ) -> Vec<SocketAddr> {
        let (mut closed, mut spare, mut all) = (Vec::new(), Vec::new(), 0_usize);
        let mut of_one: HashMap<IpAddr, usize> = HashMap::new();
        let mut known = self.known();
        // A request may have come on a connection that was not yet there when the sockets were listed.
        let mut kept: HashMap<SocketAddr, Peer> =
            known.extract_if(|_, peer| now.duration_since(peer.since) < 2 * super::ROUND).collect();
        for peer in open {
            let fresh = || known.remove(&peer).unwrap_or_else(|| Peer::new(now));
            let entry = kept.entry(peer).or_insert_with(fresh);
            entry.look_on(&self.limits, now, || untaken(peer));
            if entry.overdue(&self.limits, now) {
                closed.push(peer);
                continue;
            }
            all += 1;
            let owner = owner(peer);
            if let Some(owner) = owner {
                *of_one.entry(owner).or_default() += 1;
            }
            if entry.running == 0 {
                spare.push((false, entry.since, peer, owner));
            } else if let Some(since) = entry.sends {
                spare.push((true, since, peer, owner));
            }
        }
        *known = kept;
        drop(known);
        spare.sort_unstable();
        let mut surplus = all.saturating_sub(self.limits.most);
        for (.., peer, owner) in spare {
            let own = owner.and_then(|owner| of_one.get_mut(&owner));
            let too_many = own.as_ref().is_some_and(|own| **own > self.limits.of_one);
            if surplus > 0 || too_many {
                surplus = surplus.saturating_sub(1);
                if let Some(own) = own {
                    *own -= 1;
                }
                closed.push(peer);
            }
        }
        closed
    }
}

/// Somebody is being answered, until this is dropped.
pub(in crate::web) struct Answering {
    peers: Arc<Peers>,
    peer: SocketAddr,
}

impl Answering {
    /// A piece of the answer was handed out then, and the next is not asked for before there is room for it; or, with none,
    /// the answer itself is waited for.
    pub(super) fn handed_out(&self, at: Option<Instant>) {
        if let Some(known) = self.peers.known().get_mut(&self.peer) {
            known.handed_out = at;
        }
    }

    /// The body that came with the request.
    pub(super) fn incoming(&self) -> Incoming {
        Incoming { peers: Arc::clone(&self.peers), peer: self.peer, waited_for: false }
    }
}

/// The body of a request, until this is dropped.
pub(in crate::web) struct Incoming {
    peers: Arc<Peers>,
    peer: SocketAddr,
    waited_for: bool,
}

impl Incoming {
    /// The rest of it is waited for. Most bodies come with their head, and never are.
    pub(in crate::web) fn is_waited_for(&mut self, now: Instant) {
        if !mem::replace(&mut self.waited_for, true)
            && let Some(known) = self.peers.known().get_mut(&self.peer)
        {
            known.sends = Some(now);
        }
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        if self.waited_for
            && let Some(known) = self.peers.known().get_mut(&self.peer)
        {
            known.sends = None;
        }
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        if let Some(known) = self.peers.known().get_mut(&self.peer) {
            known.running = known.running.saturating_sub(1);
            (known.since, known.handed_out) = (Instant::now(), None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(ip: &str, port: u16) -> SocketAddr {
        SocketAddr::new(ip.parse().unwrap(), port)
    }

    fn second(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    /// One peer of `peers`, looked at after so long.
    fn closed(peers: &Peers, one: SocketAddr, now: Instant) -> bool {
        !peers.overdue([one].into_iter(), |_| None, |_| None, now).is_empty()
    }

    #[test]
    fn a_head_has_ten_seconds_and_the_next_a_minute() {
        let peers = Arc::new(Peers::new(Limits::default()));
        let (start, one) = (Instant::now(), peer("10.0.0.1", 1));
        assert!(!closed(&peers, one, start));
        assert!(!closed(&peers, one, start + second(9)));
        assert!(closed(&peers, one, start + second(10)));
        drop(Peers::answering(&peers, one, start + second(9)));
        // When it was answered is by the real clock, a moment after the start.
        assert!(!closed(&peers, one, start + second(59)));
        assert!(closed(&peers, one, start + second(61)));
    }

    #[test]
    fn whoever_is_answered_has_all_the_time_while_it_is_us_who_are_waited_for() {
        let peers = Arc::new(Peers::new(Limits::default()));
        let (start, one) = (Instant::now(), peer("10.0.0.1", 1));
        let answering = Peers::answering(&peers, one, start);
        assert!(!closed(&peers, one, start + second(3600)), "an answer may take long");
        answering.handed_out(Some(start + second(3600)));
        assert!(!closed(&peers, one, start + second(3629)));
        assert!(closed(&peers, one, start + second(3630)), "a client that takes nothing may not");
        answering.handed_out(None);
        assert!(!closed(&peers, one, start + second(9999)), "a stream says something now and then");
    }

    #[test]
    fn a_client_that_takes_a_little_now_and_then_is_waited_for() {
        let peers = Arc::new(Peers::new(Limits::default()));
        let (start, one) = (Instant::now(), peer("10.0.0.1", 1));
        let answering = Peers::answering(&peers, one, start);
        answering.handed_out(Some(start));
        let closed = |at: u64, untaken: u64| {
            !peers.overdue([one].into_iter(), |_| None, |_| Some(untaken), start + second(at)).is_empty()
        };
        for at in 1..600 {
            assert!(!closed(at, 4_000_000 - at / 20), "a byte in twenty seconds");
        }
        // It took its last at 580.
        assert!((600..610).all(|at| !closed(at, 3_999_971)));
        assert!(closed(611, 3_999_971));
    }

    #[test]
    fn of_too_many_the_longest_idle_go_first_and_each_address_answers_for_itself() {
        let peers = Arc::new(Peers::new(Limits { most: 5, of_one: 2, ..Limits::default() }));
        let start = Instant::now();
        let greedy: Vec<_> = (1..=4).map(|port| peer("10.0.0.1", port)).collect();
        let other = peer("10.0.0.2", 1);
        let owner = |peer: SocketAddr| Some(peer.ip());
        // They come one after another.
        for (at, _) in greedy.iter().enumerate() {
            let now = start + Duration::from_millis(at as u64);
            peers.overdue(greedy[..=at].iter().copied(), |_| None, |_| None, now);
        }
        let all = || greedy.iter().copied().chain([other]);
        let closed = peers.overdue(all(), owner, |_| None, start + second(1));
        assert_eq!(closed, greedy[..2], "the first two of the one that has four");
        let here: Vec<_> = (1..=4).map(|port| peer("127.0.0.1", port)).collect();
        let closed = peers.overdue(all().chain(here), |_| None, |_| None, start + second(1));
        assert_eq!(closed, greedy[..4], "nine are four more than there may be");
    }

    #[test]
    fn of_too_many_that_send_slowly_those_go_that_have_done_so_the_longest_and_nobody_who_is_answered() {
        let peers = Arc::new(Peers::new(Limits { most: 7, of_one: 3, ..Limits::default() }));
        let (start, owner) = (Instant::now(), |peer: SocketAddr| Some(peer.ip()));
        let one = |port| peer("10.0.0.1", port);
        let answering: Vec<_> = (1..=5).map(|port| Peers::answering(&peers, one(port), start)).collect();
        let closed = |open: &[SocketAddr]| {
            peers.overdue(open.iter().copied(), owner, |_| None, start + Duration::from_millis(1))
        };
        let all: Vec<_> = (1..=5).map(one).collect();
        assert!(closed(&all).is_empty(), "all of them are answered");
        // The first two are answered; the others have sent no more than a part, one after another.
        let mut slow: Vec<_> = answering[2..].iter().rev().map(Answering::incoming).collect();
        for (at, incoming) in slow.iter_mut().enumerate() {
            incoming.is_waited_for(start + Duration::from_micros(at as u64));
        }
        assert_eq!(
            closed(&all),
            [one(5), one(4)],
            "two of five are too many, and the last has waited longest"
        );
        // Who is idle goes before.
        let with_idle: Vec<_> = (1..=6).map(one).collect();
        assert_eq!(closed(&with_idle), [one(6), one(5), one(4)]);
        drop(slow.pop());
        assert_eq!(closed(&all), [one(5), one(4)]);
        slow.clear();
        assert!(closed(&all).is_empty(), "their bodies are there, or are waited for no more");
    }
}
