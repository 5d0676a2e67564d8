//! The courier: takes what is due to the apps, several at once, and writes down what came of it.
//!
//! It goes to the addresses that administrators set and nowhere else: no redirect is followed, no proxy of the
//! environment is asked, and of an answer only the status is read. A try ends after [`PATIENCE`]; an app that is slow has
//! at most [`EACH`] tries in the air, and each app always has one of its own, so that those that hang hold up none of the others,
//! however many they are.

use std::{
    collections::{HashMap, HashSet},
    error::Error,
    time::Duration,
};

use http::Request;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::{
    select,
    task::{JoinSet, spawn_blocking},
    time::{sleep, timeout},
};

use super::message;
use crate::{
    domain::{App, live::Event},
    model::{
        hook::{Delivery, Try},
        id::SessionId,
        user::UserName,
    },
    store::{Hooks as _, Sessions as _, StoreError},
};

/// How long an app may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long it may take to be reached.
const REACH: Duration = Duration::from_secs(3);

/// How often the queue is looked at when nobody rings: tries that are due again are at most so late.
const LOOK: Duration = Duration::from_secs(1);

/// The most tries of one app in the air.
const EACH: usize = 4;

/// The most tries in the air besides one of each app, of which there are as many as an administrator has registered.
const ALL: usize = 32;

/// The most bytes of an answer's head that are read.
const HEAD: usize = 16 << 10;

/// What messages are sent with.
pub(in crate::domain) type Http = Client<HttpsConnector<HttpConnector>, String>;

/// Takes what is due to the apps.
pub struct Courier {
    app: App,
    http: Http,
    flying: JoinSet<Delivery>,
    /// What is in the air, by app and session.
    known: HashSet<(String, SessionId)>,
}

impl Courier {
    /// A courier with nothing in the air.
    pub fn new(app: App) -> Self {
        Self { app, http: client(), flying: JoinSet::new(), known: HashSet::new() }
    }

    /// Works until it is dropped.
    pub async fn run(mut self) {
        let app = self.app.clone();
        loop {
            if let Err(error) = self.send_off().await {
                log::error!("what apps are to be told could not be read: {error}");
            }
            select! {
                Some(landed) = self.flying.join_next() => match landed {
                    Ok(delivery) => drop(self.known.remove(&(delivery.app, delivery.session))),
                    Err(error) => {
                        log::error!("an app could not be told: {error}");
                        // Which one is not known: what is still in the air is at worst told twice.
                        self.known.clear();
                    }
                },
                () = app.0.bell.notified() => {}
                () = sleep(LOOK) => {}
            }
        }
    }

    /// Sends off what is due, as far as there is room.
    async fn send_off(&mut self) -> Result<(), StoreError> {
        let mut flying: HashMap<String, usize> = HashMap::new();
        for (app, _) in &self.known {
            *flying.entry(app.clone()).or_default() += 1;
        }
        let besides = self.known.len() - flying.len();
        let (app, room) = (self.app.clone(), ALL.saturating_sub(besides));
        let known = self.known.clone();
        let due = spawn_blocking(move || app.loads(&flying, &known, room)).await;
        for load in due.unwrap_or(Err(StoreError::Closed))? {
            self.known.insert((load.delivery.app.clone(), load.delivery.session));
            self.flying.spawn(load.carry(self.app.clone(), self.http.clone()));
        }
        Ok(())
    }
}

/// What messages are sent with. It trusts the certificates that the system trusts; where there are none, nothing is told over TLS.
pub(in crate::domain) fn client() -> Http {
    let mut connector = HttpConnector::new();
    connector.enforce_http(false);
    connector.set_connect_timeout(Some(REACH));
    let tls = HttpsConnectorBuilder::new();
    let tls = tls.with_native_roots().unwrap_or_else(|error| {
        log::warn!("the system has no certificates, so no webhook over https can be trusted: {error}");
        HttpsConnectorBuilder::new().with_tls_config(
            rustls::ClientConfig::builder()
                .with_root_certificates(rustls::RootCertStore::empty())
                .with_no_client_auth(),
        )
    });
    let connector = tls.https_or_http().enable_http1().wrap_connector(connector);
    Client::builder(TokioExecutor::new())
        .pool_max_idle_per_host(0)
        .http1_max_buf_size(HEAD)
        .retry_canceled_requests(false)
        .build(connector)
}

/// A message on its way.
struct Load {
    delivery: Delivery,
    request: Option<Request<String>>,
    user: Option<UserName>,
}

impl App {
    /// What is due now and not in the air: one of each app that has none there, and at most `room` besides.
    fn loads(
        &self,
        flying: &HashMap<String, usize>,
        known: &HashSet<(String, SessionId)>,
        mut room: usize,
    ) -> Result<Vec<Load>, StoreError> {
        let now = self.now();
        self.0.store.read(|read| {
            let mut loads = Vec::new();
            for hook in read.hooks()? {
                let in_the_air = flying.get(&hook.app).copied().unwrap_or_default();
                let own = usize::from(in_the_air == 0);
                let free = own + EACH.saturating_sub(in_the_air + own).min(room);
                if free == 0 {
                    continue;
                }
                let Some((_, secret)) = read.hook(&hook.app)? else { continue };
                let due = read.due_deliveries(&hook.app, now, EACH + in_the_air)?.into_iter();
                let due = due.filter(|due| !known.contains(&(due.app.clone(), due.session)));
                for (nth, delivery) in due.take(free).enumerate() {
                    room -= usize::from(nth >= own);
                    let session = read.session(delivery.session)?;
                    let request = session
                        .as_ref()
                        .and_then(|session| message::request(&hook.url, &secret, &delivery, session, now));
                    loads.push(Load { delivery, request, user: session.map(|session| session.user) });
                }
            }
            Ok(loads)
        })
    }
}

impl Load {
    /// Takes it there, and writes down what came of it.
    async fn carry(self, app: App, http: Http) -> Delivery {
        let Self { delivery, request, user } = self;
        let outcome = match request {
            None => Try::Refused("the session is not known any more".to_owned()),
            Some(request) => post(&http, request).await,
        };
        let before = delivery.clone();
        let after = delivery.clone().after(outcome, app.now());
        let written = app.0.store.write(app.now(), move |write| write.settle_tried(&before, &after));
        match written.done().await {
            Ok(_) => {}
            // It is due still, and will be told again; but not as fast as the disk can refuse.
            Err(error) => {
                log::error!("what came of telling {} could not be written down: {error}", delivery.app);
                sleep(PATIENCE).await;
            }
        }
        if let Some(user) = user {
            app.0.live.tell(Event::Told(user, delivery.session));
        }
        delivery
    }
}

pub(in crate::domain) async fn post(http: &Http, request: Request<String>) -> Try {
    match timeout(PATIENCE, http.request(request)).await {
        Err(_) => Try::Failed(format!("no answer within {} s", PATIENCE.as_secs())),
        Ok(Err(error)) => Try::Failed(cause(&error)),
        Ok(Ok(answer)) => match answer.status() {
            status if status.is_success() => Try::Taken,
            status if status.as_u16() == 410 => Try::Refused("answered 410".to_owned()),
            status if status.is_redirection() => {
                Try::Failed(format!("answered {}; redirects are not followed", status.as_u16()))
            }
            status => Try::Failed(format!("answered {}", status.as_u16())),
        },
    }
}

/// What lies at the bottom of an error, in so many words.
fn cause(error: &(dyn Error + 'static)) -> String {
    const LONGEST: usize = 200;
    let mut deepest = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    let mut text = deepest.to_string();
    text.truncate(text.floor_char_boundary(LONGEST));
    text
}
