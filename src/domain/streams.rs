//! Streams that stand open. Each is a connection and a task for as long as it lasts, so nobody has any number of them.

use super::{
    App,
    turns::{Turn, Who, who},
};
use crate::model::user::Actor;

/// How many somebody may have: a user has a tab for each, and a program one for each filter.
pub const OWN: u32 = 128;

/// How many there may be. One costs some 40 KB.
pub const ALL: u32 = 1024;

/// Why a stream was not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StreamError {
    /// The one who asked has as many as one may have.
    #[error("{OWN} of your streams are open; close one of them first")]
    Own,
    /// There are as many as there may be.
    #[error("{ALL} streams are open, and this server holds no more; try again later")]
    All,
}

/// The place of an open stream, until it is dropped.
#[derive(Debug)]
pub struct Seat {
    _own: Turn<Option<Who>>,
    _all: Turn<Option<Who>>,
}

impl App {
    /// A place for a stream of somebody's. To be taken before it is opened.
    pub fn stream_seat(&self, by: &Actor) -> Result<Seat, StreamError> {
        let streams = &self.0.streams;
        let own = streams.take(Some(who(by)), OWN).ok_or(StreamError::Own)?;
        let all = streams.take(None, ALL).ok_or(StreamError::All)?;
        Ok(Seat { _own: own, _all: all })
    }

    /// How many streams are open.
    pub fn open_streams(&self) -> u32 {
        self.0.streams.taken(&None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{clock::Clock, sessions::Limits},
        model::user::{ActorKind, Role},
    };

    #[test]
    fn there_is_an_end_for_each_and_for_all_and_a_place_that_is_left_can_be_taken() {
        let folder = tempfile::tempdir().unwrap();
        let app = App::open(folder.path(), None, Clock::system(), Limits::default()).unwrap();
        let named = |kind, name: &str| Actor { name: name.to_owned(), kind, ..Actor::console() };
        let mut taken = Vec::new();
        for n in 0..ALL / OWN {
            let actor = named(ActorKind::User(Role::Member), &format!("user{n}"));
            taken.extend((0..OWN).map(|_| app.stream_seat(&actor).unwrap()));
            let more = app.stream_seat(&actor);
            assert_eq!(more.unwrap_err(), StreamError::Own);
        }
        let program = named(ActorKind::Token, "user0");
        assert_eq!(app.stream_seat(&program).unwrap_err(), StreamError::All);
        taken.truncate(100);
        assert_eq!(app.open_streams(), 100);
        assert!(app.stream_seat(&program).is_ok(), "a program is nobody's namesake");
        assert_eq!(app.open_streams(), 100);
    }
}
