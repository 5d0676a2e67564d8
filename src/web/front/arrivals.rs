//! Who is on the other end of the front's connections to Rocket.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use rocket::Request;

use crate::web::failure::Failure;

/// The clients by the address that their connection has within this machine.
#[derive(Clone, Debug, Default)]
pub(in crate::web) struct Arrivals(Arc<Mutex<HashMap<SocketAddr, SocketAddr>>>);

impl Arrivals {
    /// Says that what comes from `private` is `client`'s, until the answer is dropped.
    pub(super) fn announce(&self, private: SocketAddr, client: SocketAddr) -> Announced {
        self.table().insert(private, client);
        Announced { arrivals: self.clone(), private }
    }

    /// Whose connection it is that comes from `private`.
    pub(in crate::web) fn client(&self, private: SocketAddr) -> Option<SocketAddr> {
        self.table().get(&private).copied()
    }

    /// Gives a request its client's address; one that has not come through the front is led to nowhere.
    pub(in crate::web) fn introduce(&self, request: &mut Request<'_>) {
        let client = request.remote().and_then(|private| self.client(private));
        if let Some(client) = client {
            request.set_remote(client);
        } else {
            Failure::not_through_the_front().turn_away(request);
        }
    }

    fn table(&self) -> MutexGuard<'_, HashMap<SocketAddr, SocketAddr>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection of the front's.
pub(super) struct Announced {
    arrivals: Arrivals,
    private: SocketAddr,
}

impl Drop for Announced {
    fn drop(&mut self) {
        self.arrivals.table().remove(&self.private);
    }
}
