//! How Rollcall is reached: pages for people, an API for programs.
//!
//! What is mounted where stands on this page; who may come in stands in each handler's signature, as one of
//! the guards of [`door`].

pub mod api;
mod assets;
pub mod door;
pub mod download;
pub mod draw;
mod failure;
pub mod front;
mod gate;
mod headers;
pub mod ingest;
mod looking;
mod measure;
mod noted;
mod openapi;
mod paced;
mod pages;
mod passage;
mod shippers;
pub mod syslog;
mod tail;
pub mod unread;
pub mod views;
mod watch;
pub mod wire;

use std::{net::SocketAddr, path::Path};

use rocket::{
    Build, Request, Rocket, catch, catchers,
    config::{Ident, LogLevel, Shutdown},
    data::{Limits, ToByteUnit},
    figment::Figment,
    http::Status,
    shield::Shield,
};

use self::failure::Failure;
use crate::domain::App;

/// The web server over `app`, not yet launched. `folder` takes uploads on their way in. Where there is a front in the
/// settings, that is what listens at `listen`.
pub fn rocket(app: App, settings: door::Settings, listen: SocketAddr, folder: &Path) -> Rocket<Build> {
    let arrivals = settings.front.as_ref().map(|front| front.arrivals.clone());
    let listen = if arrivals.is_some() { front::PRIVATE } else { listen };
    // Everything is said here: no Rocket.toml and no ROCKET_ variable of somebody else's is read.
    let config = rocket::Config {
        address: listen.ip(),
        port: listen.port(),
        // Rocket would believe X-Real-IP from anybody.
        ip_header: None,
        ident: Ident::none(),
        log_level: LogLevel::Off,
        cli_colors: false,
        temp_dir: folder.to_owned().into(),
        limits: Limits::new().limit("file", 512.mebibytes()).limit("data-form", 513.mebibytes()),
        // The caller listens for signals: there is more to stop than the web.
        shutdown: Shutdown { ctrlc: false, signals: [].into(), grace: 1, mercy: 1, ..Shutdown::default() },
        ..rocket::Config::default()
    };
    let watchman = watch::Watchman::new(settings.trusted_proxies.clone(), arrivals.clone());
    let rocket = rocket::custom(Figment::from(config))
        // Empty, in the place of the one that Rocket would attach by itself: our headers say more.
        .attach(Shield::new())
        .attach(passage::Passage { watchman, arrivals })
        .mount("/", assets::routes())
        .mount("/", pages::routes())
        .mount("/", api::health::routes())
        .mount("/", gate::routes())
        .mount("/api/v1", api::routes())
        .mount("/es", shippers::elastic::routes())
        .mount("/v1", shippers::otlp::routes())
        .register("/", catchers![refused]);
    door::close(rocket, app, settings)
}

/// What a guard refused, what no route takes, what broke. Only this is asked about a request by a method that Rocket does not
/// know: no fairing has seen it, and none sees its answer.
#[catch(default)]
async fn refused(status: Status, request: &Request<'_>) -> headers::Dressed<Result<gate::Told, Failure>> {
    if let Some(unread) = unread::refusal() {
        return headers::Dressed(Err(unread));
    }
    headers::Dressed(match gate::by_another_method(status, request).await {
        Some(told) => told,
        None => Err(Failure::recall(status, request)),
    })
}
