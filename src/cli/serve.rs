//! The server: everything assembled, until somebody stops it.

use std::{
    io::{self, Write},
    path::Path,
};

use rocket::fairing::AdHoc;
use tokio::{
    signal::unix::{SignalKind, signal},
    time::interval,
};

use super::{args::Serve, prepare, remote::Server};
use crate::{
    config::Config,
    domain::{App, clock::Clock, sessions::SWEEP},
    web,
};

/// Serves the data in `folder`, or a made-up organisation in a folder that goes away again.
pub(super) fn serve(folder: &Path, command: &Serve) -> anyhow::Result<()> {
    prepare(folder)?;
    let config = Config::read(folder, &command.raw)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let app = App::open(folder, config.geo.as_deref(), Clock::system(), config.limits.clone())?;
    runtime.block_on(run(folder, config, app))
}

async fn run(folder: &Path, config: Config, app: App) -> anyhow::Result<()> {
    let control = Server::start(folder, app.clone(), tokio::runtime::Handle::current());
    let control =
        control.map_err(|error| anyhow::anyhow!("the command socket could not be made: {error}"))?;
    if !config.listen.ip().is_loopback() && !config.door.secure {
        log::warn!(
            "listening beyond this machine without TLS: passwords can be read on the way; put a proxy with TLS before it and name it with --public-url and --trusted-proxy"
        );
    }
    let uploads = folder.join("uploads");
    // What a crash left in the middle of an upload is of no use.
    let _ = std::fs::remove_dir_all(&uploads);
    std::fs::create_dir_all(&uploads)?;
    let public_url = config.door.public_url.clone();
    let ready = app.clone();
    let rocket = web::rocket(app.clone(), config.door, config.listen, &uploads)
        .attach(AdHoc::on_liftoff("ready", move |rocket| {
            let (address, port) = (rocket.config().address, rocket.config().port);
            let here = format!("http://{}", std::net::SocketAddr::new(address, port));
            Box::pin(async move { announce(&public_url.unwrap_or(here), &ready) })
        }))
        .ignite()
        .await
        .map_err(|error| anyhow::anyhow!("the web server could not be assembled: {error}"))?;
    let shutdown = rocket.shutdown();
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        shutdown.notify();
    });
    let sweeping = tokio::spawn(sweep(app.clone()));
    let served = rocket.launch().await;
    sweeping.abort();
    drop(control);
    app.close().await;
    match served {
        Ok(_) => Ok(()),
        Err(error) => {
            // Rocket's error complains when it is dropped unseen; this is the seeing.
            let why = error.kind().to_string();
            anyhow::bail!("{} could not be listened at: {why}", config.listen)
        }
    }
}

/// Says that the server is ready, and how the first administrator is made while there is none.
fn announce(address: &str, app: &App) {
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "Rollcall is ready at {address}");
    if let Some(code) = app.setup_code() {
        let _ = writeln!(out, "Make the first administrator at {address}/setup?code={code}");
    }
    let _ = out.flush();
}

/// Writes down what changes in memory, and ends what is due.
async fn sweep(app: App) {
    let mut tick = interval(SWEEP);
    let mut sweeps = 0_u32;
    loop {
        tick.tick().await;
        if let Err(error) = app.sweep().await {
            log::error!("last accesses could not be written down: {error}");
        }
        sweeps = sweeps.wrapping_add(1);
        if sweeps.is_multiple_of(20)
            && let Err(error) = app.flush_tokens().await
        {
            log::error!("the last uses of tokens could not be written down: {error}");
        }
    }
}
