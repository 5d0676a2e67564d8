//! Sessions may be bound to the network that they are used from and to the device that they are used on (`--bind-sessions`; to
//! nothing unless it is set). One that is used otherwise ends: somebody else may have got hold of its token.
//!
//! A session is held against where and on what it *began*, and not against where it was last. As long as all addresses are
//! public and of one family that is the same, since the first that is elsewhere ends it. But what is not judged, a private
//! address or the first one of the other family, would else be a way around: whoever came by one of these would have moved the
//! session, and could take it anywhere.
//!
//! A use from the address and by the browser of the use before was judged then. So what a session is bound to is looked up only
//! where something is new, and held here only of sessions of which something once was; all others are bound to what the live
//! table shows of them. Where sessions are bound to nothing this costs a look at whether they are.

use std::{
    collections::HashMap,
    mem,
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;

use super::{SessionError, fill_session};
use crate::{
    domain::{App, agent, live::Live, settle},
    model::{
        activity::NewActivity,
        bond::{Binding, Bond, Breach, Family},
        device::{Agent, Device},
        id::SessionId,
        session::{EndedBy, Session},
        user::Actor,
    },
    store::{Bonds as _, Read, Sessions as _, Store, StoreError, Write},
};

/// What fetches films and sounds for browsers on Apple's systems, with their cookies.
const PLAYER: &str = "AppleCoreMedia/";

/// What live sessions are bound to.
pub(in crate::domain) struct Bonds {
    binding: Binding,
    held: Mutex<HashMap<SessionId, Held>>,
}

struct Held {
    bond: Bond,
    /// Whether it stands so on disk.
    kept: bool,
}

impl Bonds {
    /// What is known of the sessions on disk; none where they are bound to nothing.
    pub(in crate::domain) fn load(
        store: &Store,
        read: &Read,
        now: Timestamp,
        binding: Binding,
    ) -> Result<Option<Self>, StoreError> {
        let on_disk = read.bonds()?;
        if !binding.binds() {
            // Sessions go where they like from now on, and begin anew if they are bound once more.
            if !on_disk.is_empty() {
                let drop =
                    move |write: &mut Write<'_>| on_disk.iter().try_for_each(|(id, _)| write.drop_bond(*id));
                settle(store.write(now, drop))?;
            }
            return Ok(None);
        }
        let bonds = Self { binding, held: Mutex::default() };
        for (id, kept) in on_disk {
            let Some(session) = read.session(id)? else { continue };
            // It may be bound to more than it was, or to less.
            let mut bond = kept.clone();
            bond.within(binding);
            bonds.begin(&mut bond, session.ip, &session.user_agent);
            let kept = bond == kept;
            bonds.lock().insert(id, Held { bond, kept });
        }
        Ok(Some(bonds))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SessionId, Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Binds to what a session is used from and on, where it is not bound to anything else yet.
    fn begin(&self, bond: &mut Bond, ip: Option<IpAddr>, user_agent: &str) {
        if let Some(ip) = ip.filter(|_| self.binding.network) {
            bond.holds_address(ip);
        }
        if self.binding.device {
            bond.holds_device(&family(user_agent));
        }
    }

    fn judge(&self, live: &Live, ip: Option<IpAddr>, agent: Option<&Agent>) -> Option<Breach> {
        let moved = ip.filter(|ip| self.binding.network && live.ip() != Some(*ip));
        let other = agent.filter(|agent| self.binding.device && !live.calls_itself(&agent.user_agent));
        if moved.is_none() && other.is_none() {
            return None;
        }
        let other = other.map(|agent| family(&agent.user_agent));
        let mut held = self.lock();
        let held = held.entry(live.id).or_insert_with(|| {
            let Session { ip, user_agent, .. } = live.session();
            let mut bond = Bond::default();
            self.begin(&mut bond, ip, &user_agent);
            Held { bond, kept: false }
        });
        let before = held.bond.clone();
        let breach = if moved.is_some_and(|ip| !held.bond.holds_address(ip)) {
            Some(Breach::Network)
        } else {
            other.filter(|family| !held.bond.holds_device(family)).map(|_| Breach::Device)
        };
        held.kept &= held.bond == before;
        breach
    }

    /// What is not on disk of the sessions that are `live`; all others are forgotten.
    fn unkept(&self, live: impl Fn(SessionId) -> bool) -> Vec<(SessionId, Bond)> {
        let mut held = self.lock();
        held.retain(|id, _| live(*id));
        let unkept = |(id, held): (&SessionId, &mut Held)| {
            (!mem::replace(&mut held.kept, true)).then(|| (*id, held.bond.clone()))
        };
        held.iter_mut().filter_map(unkept).collect()
    }

    /// Takes back that these are on disk.
    fn unkeep(&self, these: &[(SessionId, Bond)]) {
        let mut held = self.lock();
        for (id, _) in these {
            held.entry(*id).and_modify(|held| held.kept = false);
        }
    }
}

impl App {
    /// Whether sessions are bound to anything.
    pub fn binds(&self) -> bool {
        self.0.bonds.is_some()
    }

    /// Whether a request from there and by that client breaks what a live session is bound to. What is not said is not judged.
    /// To be asked before anything is answered, and before [`App::touch`].
    pub fn breach(&self, live: &Live, ip: Option<IpAddr>, agent: Option<&Agent>) -> Option<Breach> {
        self.0.bonds.as_ref()?.judge(live, ip, agent)
    }

    /// Ends a session that was used so, and tells the log from where and on what. When it returns, the end is on disk; where it
    /// could not be written, the session is refused all the same, and the sweep tries again.
    pub async fn break_off(&self, live: &Live, breach: Breach, ip: Option<IpAddr>, agent: Option<&Agent>) {
        let before = live.session();
        let mut there = before.clone();
        if let Some(ip) = ip {
            (there.ip, there.place) = (Some(ip), self.0.geo.place(ip));
        }
        if let Some(agent) = agent {
            (there.device, there.user_agent) = (agent::device(agent), agent.user_agent.clone());
        }
        let mut last: Vec<(String, String)> = Vec::new();
        last.extend(before.ip.map(|ip| ("last-ip".to_owned(), ip.to_string())));
        last.push(("last-user-agent".to_owned(), before.user_agent));
        let ending = self.ending(EndedBy::Policy, None, breach.reason());
        let more = move |told: &mut NewActivity| {
            fill_session(told, &there);
            told.attributes.clone_from(&last);
        };
        if let Err(error) = self.end_telling(&Actor::system(), [(live.id, ending)], more).await {
            log::error!(
                "a session was {}, is refused, and could not be ended on disk: {error}",
                breach.reason()
            );
        }
    }

    /// Writes down what sessions are bound to, where that is new, and forgets those that have ended.
    pub(super) async fn keep_bonds(&self) -> Result<(), SessionError> {
        let Some(bonds) = &self.0.bonds else { return Ok(()) };
        let unkept = bonds.unkept(|id| self.0.live.by_id(id).is_some());
        if unkept.is_empty() {
            return Ok(());
        }
        let these = unkept.clone();
        let written = self.0.store.write(self.now(), move |write| {
            these.iter().try_for_each(|(id, bond)| write.put_bond(*id, bond))
        });
        let written = written.done().await;
        if written.is_err() {
            bonds.unkeep(&unkept);
        }
        written.map_err(|error: StoreError| error.into())
    }
}

/// The family of the client that calls itself so. By that text alone: hints come with some requests of a browser and not with
/// others, and would make two devices of it.
fn family(user_agent: &str) -> Family {
    let Device { os, browser, .. } = agent::device(&Agent::of(user_agent));
    let name =
        if browser.is_empty() { user_agent.split(['/', ' ']).next().unwrap_or_default() } else { &browser };
    let browser = (!user_agent.starts_with(PLAYER)).then(|| unversioned(name).to_owned());
    Family { os: system(&os).to_owned(), browser }
}

/// The family of a system. A telephone or tablet that asks for a page as computers see it calls itself a Mac, if it is Apple's, and
/// a Linux, if it is an Android: these are one family each, or that switch would end the session.
fn system(os: &str) -> &str {
    match os {
        _ if ["macOS", "Mac OS", "OS X", "iOS", "iPadOS"].iter().any(|name| os.contains(name)) => "Apple",
        _ if ["Android", "Linux"].iter().any(|name| os.contains(name)) => "Linux",
        _ if os.starts_with("Windows") && !os.starts_with("Windows Phone") => "Windows",
        _ => unversioned(os),
    }
}

/// A name without its version, and whatever stands behind that.
fn unversioned(name: &str) -> &str {
    let version = |(at, _): &(usize, &str)| name[at + 1..].starts_with(|c: char| c.is_ascii_digit());
    name.match_indices(' ').find(version).map_or(name, |(at, _)| &name[..at])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(user_agent: &str) -> (String, String) {
        let Family { os, browser } = family(user_agent);
        (os, browser.unwrap_or_else(|| "-".to_owned()))
    }

    fn is(user_agent: &str, os: &str, browser: &str) {
        assert_eq!(told(user_agent), (os.to_owned(), browser.to_owned()), "{user_agent}");
    }

    #[test]
    fn a_browser_is_of_one_family_in_whichever_version() {
        for version in ["115.0", "128.0", "140.0"] {
            let firefox =
                format!("Mozilla/5.0 (X11; Linux x86_64; rv:109.0) Gecko/20100101 Firefox/{version}");
            is(&firefox, "Linux", "Firefox");
            is(&firefox.replace("X11; Linux", "X11; Ubuntu; Linux"), "Linux", "Firefox");
            is(&firefox.replace("X11; Linux x86_64", "Windows NT 10.0; Win64; x64"), "Windows", "Firefox");
            is(&firefox.replace("X11; Linux x86_64", "Macintosh; Intel Mac OS X 10.15"), "Apple", "Firefox");
        }
        let edge = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36 Edg/126.0.0.0";
        is(edge, "Windows", "Edge");
        is(edge.trim_end_matches(" Edg/126.0.0.0"), "Windows", "Chrome");
    }

    #[test]
    fn a_telephone_that_asks_for_the_page_of_a_computer_is_the_same_device() {
        let chrome = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0";
        is(&format!("Mozilla/5.0 (Linux; Android 10; K) {chrome} Mobile Safari/537.36"), "Linux", "Chrome");
        is(&format!("Mozilla/5.0 (X11; Linux x86_64) {chrome} Safari/537.36"), "Linux", "Chrome");
        let safari = "AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5";
        is(
            &format!("Mozilla/5.0 (iPad; CPU OS 17_5 like Mac OS X) {safari} Mobile/15E148 Safari/604.1"),
            "Apple",
            "Safari",
        );
        is(
            &format!("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {safari} Safari/605.1.15"),
            "Apple",
            "Safari",
        );
    }

    #[test]
    fn what_a_system_fetches_for_its_browsers_is_of_its_system() {
        for system in ["iPhone; U; CPU OS 17_5_1 like Mac OS X", "Macintosh; U; Intel Mac OS X 14_5"] {
            is(&format!("AppleCoreMedia/1.0.0.21F90 ({system}; en_us)"), "Apple", "-");
        }
    }

    #[test]
    fn programs_are_told_apart_by_their_names() {
        is("curl/8.5.0", "", "curl");
        is("Wget/1.21.4", "", "Wget");
        is("x", "", "x");
        is("", "", "");
    }
}
