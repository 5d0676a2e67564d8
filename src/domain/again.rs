//! Records that come again, under an id that their sender gave before.
//!
//! The id makes a record idempotent, so what comes under one that is known is not written. Whether it is the same record is asked
//! of the log then, and only then: a sender who is told that another one is known would take it for kept.

use std::collections::{BTreeSet, HashMap};

use super::{
    App,
    ingest::{Entry, SESSION_USER},
};
use crate::{
    model::{
        activity::{Activity, Finding, NewActivity},
        device::Device,
        id::ActivityId,
        place::Place,
    },
    store::Appended,
};

/// How many known records are looked at at once: each may have 256 KiB.
const AT_ONCE: usize = 64;

impl App {
    /// What became of the records that were `sent`, of which `appended` says which were known by their ids. Reads those from the
    /// disk.
    pub(super) fn tell_apart(&self, sent: &[NewActivity], appended: &[Appended]) -> Vec<Entry> {
        let mut entries: Vec<Entry> = appended.iter().copied().map(Entry::from).collect();
        let mut again: Vec<(&NewActivity, &mut Entry)> =
            sent.iter().zip(&mut entries).filter(|(_, entry)| matches!(entry, Entry::Again(_))).collect();
        for some in again.chunks_mut(AT_ONCE) {
            let ids: BTreeSet<ActivityId> = some.iter().map(|(_, entry)| entry.id()).collect();
            // What retention has removed can be held against nothing, nor can what is damaged, which is told elsewhere: by its id it
            // is the same.
            let known = self.0.store.read(|read| read.activities(ids)).unwrap_or_default();
            let known: HashMap<ActivityId, Activity> =
                known.into_iter().map(|known| (known.id, known)).collect();
            for (sent, entry) in some {
                let id = entry.id();
                if known.get(&id).is_some_and(|known| !is_same(sent, known)) {
                    **entry = Entry::Other(id);
                }
            }
        }
        entries
    }
}

/// Whether a record says what the known one does. Nothing is held against that which was found out and not said: a session has
/// moved since, or another database knows the places; nor what this one does not say.
fn is_same(sent: &NewActivity, known: &Activity) -> bool {
    let NewActivity {
        time,
        user,
        action,
        detail,
        app,
        outcome,
        session,
        ip,
        place,
        device,
        user_agent,
        target,
        attributes,
        key: _,
        found,
    } = sent;
    *user == known.user
        && *action == known.action
        && *detail == known.detail
        && *app == known.app
        && *outcome == known.outcome
        && *session == known.session
        && *target == known.target
        && (found.place == Finding::OfSession || ip.is_none() || *ip == known.ip)
        && (found.device == Finding::OfSession || user_agent.is_none() || *user_agent == known.user_agent)
        && time.is_none_or(|time| time.as_millisecond() == known.time.as_millisecond())
        && (found.place != Finding::Nothing || *place == Place::default() || *place == place_of(known))
        && (found.device != Finding::Nothing || *device == Device::default() || *device == known.device)
        && said(attributes) == said(&known.attributes)
}

/// The place of a known record. Codes of countries were kept as they came once.
fn place_of(known: &Activity) -> Place {
    known.place.clone().with_code_in_upper_case()
}

/// Attributes as they were said, in one order. Whose the session is, was found out.
fn said(attributes: &[(String, String)]) -> Vec<(&str, &str)> {
    let pairs = attributes.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let mut said: Vec<_> = pairs.filter(|(name, _)| *name != SESSION_USER).collect();
    said.sort_unstable();
    said
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::activity::{Found, Outcome};

    fn known() -> Activity {
        Activity {
            id: ActivityId(7),
            time: "2026-01-02T03:04:05.678Z".parse().unwrap(),
            user: "ann".to_owned(),
            action: "backup".to_owned(),
            app: "vault".to_owned(),
            outcome: Outcome::Success,
            ip: "10.0.0.1".parse().ok(),
            place: Place { city: Some("Oslo".to_owned()), ..Place::default() },
            user_agent: Some("curl/8".to_owned()),
            attributes: vec![("a".to_owned(), "1".to_owned()), ("b".to_owned(), "2".to_owned())],
            ..Activity::default()
        }
    }

    fn sent() -> NewActivity {
        let mut sent = NewActivity::new("ann", "backup", "vault");
        sent.ip = "10.0.0.1".parse().ok();
        sent.user_agent = Some("curl/8".to_owned());
        sent.place.city = Some("Oslo".to_owned());
        sent.attributes = vec![("b".to_owned(), "2".to_owned()), ("a".to_owned(), "1".to_owned())];
        sent
    }

    #[test]
    fn a_record_is_the_same_in_another_order_and_where_it_says_less_of_when_and_where() {
        let changes: [fn(&mut NewActivity); 8] = [
            |_| {},
            |sent| sent.time = "2026-01-02T03:04:05.6789Z".parse().ok(),
            |sent| sent.attributes.push((SESSION_USER.to_owned(), "bob".to_owned())),
            |sent| (sent.ip, sent.user_agent) = (None, None),
            |sent| sent.place = Place::default(),
            |sent| {
                sent.ip = "10.0.0.2".parse().ok();
                sent.found.place = Finding::OfSession;
            },
            |sent| {
                sent.user_agent = Some("curl/9".to_owned());
                sent.found.device = Finding::OfSession;
            },
            |sent| {
                sent.place.city = Some("Bergen".to_owned());
                sent.found = Found { place: Finding::LookedUp, ..Found::default() };
            },
        ];
        for (at, change) in changes.iter().enumerate() {
            let mut sent = sent();
            change(&mut sent);
            assert!(is_same(&sent, &known()), "{at}: {sent:?}");
        }
    }

    #[test]
    fn a_record_is_the_same_whose_country_was_kept_in_small_letters_once() {
        let (mut sent, mut known) = (sent(), known());
        sent.place.country = Some("NO".to_owned());
        known.place.country = Some("no".to_owned());
        assert!(is_same(&sent, &known));
        known.place.country = Some("se".to_owned());
        assert!(!is_same(&sent, &known));
    }

    #[test]
    fn a_record_is_another_one_whatever_it_says_otherwise() {
        let changes: [fn(&mut NewActivity); 12] = [
            |sent| sent.time = "2026-01-02T03:04:05.679Z".parse().ok(),
            |sent| sent.user = "bob".to_owned(),
            |sent| sent.action = "restore".to_owned(),
            |sent| sent.detail = "all".to_owned(),
            |sent| sent.app = "wiki".to_owned(),
            |sent| sent.outcome = Outcome::Failure,
            |sent| sent.session = Some("s".to_owned()),
            |sent| sent.target = Some("t".to_owned()),
            |sent| sent.ip = "10.0.0.2".parse().ok(),
            |sent| sent.user_agent = Some("curl/9".to_owned()),
            |sent| sent.place.city = Some("Bergen".to_owned()),
            |sent| sent.attributes.truncate(1),
        ];
        for (at, change) in changes.iter().enumerate() {
            let mut sent = sent();
            change(&mut sent);
            assert!(!is_same(&sent, &known()), "{at}: {sent:?}");
        }
    }
}
