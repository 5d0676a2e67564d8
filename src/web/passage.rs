//! Where every request comes in and every answer goes out: what is done with each of them, in one order.
//!
//! One fairing, and no more: the framework boxes a future for each that it asks, at every request, and the checks of forward-auth,
//! which come before each request to every app, are hardly more work than that.

use rocket::{
    Data, Orbit, Request, Response, Rocket,
    fairing::{Fairing, Info, Kind},
};

use super::{
    door,
    front::Arrivals,
    headers::{dress, hold},
    measure::measure,
    unread,
    watch::Watchman,
};

/// What every request and answer passes.
pub(super) struct Passage {
    pub(super) watchman: Watchman,
    /// Where there is a front: who came through it.
    pub(super) arrivals: Option<Arrivals>,
}

#[rocket::async_trait]
impl Fairing for Passage {
    fn info(&self) -> Info {
        Info { name: "passage", kind: Kind::Liftoff | Kind::Request | Kind::Response | Kind::Shutdown }
    }

    async fn on_liftoff(&self, rocket: &Rocket<Orbit>) {
        self.watchman.start(rocket);
    }

    async fn on_shutdown(&self, rocket: &Rocket<Orbit>) {
        self.watchman.see_out(rocket).await;
    }

    async fn on_request(&self, request: &mut Request<'_>, data: &mut Data<'_>) {
        // First, as it knows connections by the address they have here.
        self.watchman.begins(request);
        if let Some(arrivals) = &self.arrivals {
            arrivals.introduce(request);
        }
        hold(request, data).await;
        // Last, as what it has to say comes first.
        unread::refuse(request);
    }

    async fn on_response<'r>(&self, request: &'r Request<'_>, response: &mut Response<'r>) {
        Watchman::ends(request, response);
        // Before these, so that what it puts in the place of an answer is counted and gets its headers too.
        door::recheck(request, response);
        measure(request, response);
        dress(request, response);
    }
}
