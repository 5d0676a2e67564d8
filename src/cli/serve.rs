//! The server: everything assembled, until somebody stops it.

use std::{
    io::{self, Write},
    net::SocketAddr,
    panic::AssertUnwindSafe,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use rocket::{fairing::AdHoc, futures::FutureExt as _};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
    task::JoinSet,
    time::{interval, sleep, timeout},
};

use super::{args::Serve, prepare, remote::Server, throwaway::Throwaway};
use crate::{
    config::Config,
    domain::{
        App,
        clock::Clock,
        demo::{self, Size},
        evidence::{Attester, Outlet},
        hooks::Courier,
        sessions::SWEEP,
    },
    model::index::Behind,
    web::{
        self,
        front::{Certificate, Listener},
        syslog,
    },
};

/// How often the log is looked through for what is too old.
const HOUR: Duration = Duration::from_hours(1);

/// How long something that failed rests before it is begun anew, and what is waited for before it is looked at again.
const REST: Duration = Duration::from_secs(if cfg!(test) { 0 } else { 1 });

/// Serves the data in `folder`, or a made-up organisation in a folder that goes away again.
pub(super) fn serve(folder: &Path, command: &Serve) -> anyhow::Result<()> {
    // The first to be made is the last to go, when nothing is open in it any more.
    let throwaway = command.demo.then(Throwaway::make).transpose();
    let throwaway =
        throwaway.map_err(|error| anyhow::anyhow!("a folder for the demo could not be made: {error}"))?;
    let folder = throwaway.as_ref().map_or(folder, Throwaway::path);
    prepare(folder)?;
    let config = Config::read(folder, &command.raw)?;
    // Each connection is a file, and what shells and services are given at first is few.
    if let Ok((_, most)) = getrlimit(Resource::RLIMIT_NOFILE) {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, most, most);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    // From the beginning, which may take long where the index is made anew.
    let hangups = {
        let _inside = runtime.enter();
        signal(SignalKind::hangup())?
    };
    let app = App::open(folder, config.geo.as_deref(), Clock::system(), config.limits.clone())?;
    let served = runtime.block_on(run(folder, config, app, command.demo, hangups));
    // Somebody's name may still be looked up, which nothing can interrupt and nobody waits for any more.
    runtime.shutdown_timeout(Duration::from_secs(1));
    served
}

async fn run(folder: &Path, mut config: Config, app: App, demo: bool, hangups: Signal) -> anyhow::Result<()> {
    let mut stop = Stop::listen()?;
    let mut welcome = None;
    if demo {
        let size = Size::default();
        tokio::select! {
            told = demo::fill(&app, &size) => welcome = Some(told?.to_string()),
            () = stop.asked() => return Ok(()),
        }
    }
    let control = Server::start(folder, app.clone(), tokio::runtime::Handle::current());
    let control =
        control.map_err(|error| anyhow::anyhow!("the command socket could not be made: {error}"))?;
    if let Some(plain) = config.door.plain {
        log::warn!("{}", plain.warning());
    }
    if config.listen.ip().is_unspecified() && config.door.public_url.is_none() {
        log::warn!(
            "nobody says under which address people reach Rollcall, and no browser elsewhere opens {}: the links that lead here, as \
             from an app to the sign-in, will not work; say it with --public-url",
            config.listen.ip()
        );
    }
    let front = front(folder, &mut config).await?;
    let shown = config.door.front.as_ref().map(|front| front.certificate.clone());
    tokio::spawn(heed_hangups(hangups, shown));
    let syslog = syslog(config.syslog).await?;
    let heard = syslog.as_ref().and_then(|listener| listener.address().ok());
    let uploads = empty_uploads(folder)
        .map_err(|error| anyhow::anyhow!("the folder of uploads could not be made: {error}"))?;
    let public_url = config.door.public_url.clone();
    let outside = config.door.front.clone();
    let (ready, said) = (app.clone(), config.said);
    let (say_address, address) = watch::channel(String::new());
    let rocket = web::rocket(app.clone(), config.door, config.listen, &uploads)
        .attach(AdHoc::on_liftoff("ready", move |rocket| {
            let (address, port) = (rocket.config().address, rocket.config().port);
            let listening = SocketAddr::new(address, port);
            if let Some(front) = front.lock().ok().and_then(|mut front| front.take()) {
                let (front, shutdown) = (Arc::new(front), rocket.shutdown());
                tokio::spawn(keep_up("the front that speaks TLS", move || {
                    Arc::clone(&front).serve(listening, shutdown.clone())
                }));
            }
            let here = match &outside {
                Some(front) => format!("https://{}", front.address),
                None => format!("http://{listening}"),
            };
            let address = public_url.unwrap_or(here);
            let certificate = outside.as_ref().map(|front| &*front.certificate);
            announce(&address, &ready, certificate, heard, welcome.as_deref());
            say_address.send_replace(address);
            Box::pin(async move {
                if let Err(error) = ready.tell_of_start(said).await {
                    log::error!("the log could not be told of the start: {error}");
                }
            })
        }))
        .ignite()
        .await
        .map_err(|error| anyhow::anyhow!("the web server could not be assembled: {error}"))?;
    let shutdown = rocket.shutdown();
    tokio::spawn(async move {
        stop.asked().await;
        shutdown.notify();
    });
    let mut kept = keep_house(&app, address, config.checkpoints);
    let (hang_up, stopping) = watch::channel(false);
    let hearing = syslog.map(|listener| {
        let (listener, app) = (Arc::new(listener), app.clone());
        tokio::spawn(keep_up("what listens for syslog", move || {
            Arc::clone(&listener).serve(app.clone(), stopping.clone())
        }))
    });
    let served = rocket.launch().await;
    hang_up.send_replace(true);
    if let Some(hearing) = hearing {
        let _ = hearing.await;
    }
    kept.shutdown().await;
    drop(control);
    if served.is_ok()
        && let Err(error) = app.tell_of_stop().await
    {
        log::error!("the log could not be told of the stop: {error}");
    }
    app.close().await;
    match served {
        Ok(_) => {
            let _ = writeln!(io::stdout(), "Rollcall has stopped");
            Ok(())
        }
        Err(error) => {
            // Rocket's error complains when it is dropped unseen; this is the seeing.
            let why = error.kind().to_string();
            anyhow::bail!("{} could not be listened at: {why}", config.listen)
        }
    }
}

/// The folder of uploads on their way, for its owner alone. What a crash left in the middle of one is of no use.
fn empty_uploads(folder: &Path) -> io::Result<PathBuf> {
    use std::os::unix::fs::DirBuilderExt;
    let uploads = folder.join("uploads");
    let _ = std::fs::remove_dir_all(&uploads);
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&uploads)?;
    Ok(uploads)
}

/// Listens for syslog, where it is to.
async fn syslog(settings: Option<syslog::Settings>) -> anyhow::Result<Option<syslog::Listener>> {
    let Some(settings) = settings else { return Ok(None) };
    let at = settings.listen;
    let bound = syslog::Listener::bind(settings).await;
    bound.map(Some).map_err(|error| anyhow::anyhow!("syslog could not be listened for at {at}: {error}"))
}

/// Listens with TLS, where Rollcall speaks it itself, and tells the door. It is taken from there once the web server behind it
/// listens too.
async fn front(folder: &Path, config: &mut Config) -> anyhow::Result<Mutex<Option<Listener>>> {
    let Some(source) = config.tls.take() else { return Ok(Mutex::new(None)) };
    let (listen, url) = (config.listen, config.door.public_url.clone());
    let certificate = Certificate::open(source, folder, Clock::system());
    let certificate =
        Arc::new(certificate.map_err(|error| anyhow::anyhow!("TLS cannot be spoken: {error}"))?);
    let kept = certificate.clone();
    tokio::spawn(keep_up("what looks after the certificate", move || kept.clone().keep()));
    let listener = Listener::bind(listen, certificate, url).await;
    let listener = listener.map_err(|error| anyhow::anyhow!("{listen} could not be listened at: {error}"))?;
    config.door.front = Some(listener.front());
    Ok(Mutex::new(Some(listener)))
}

/// What a server does by itself, until this is dropped.
fn keep_house(app: &App, address: watch::Receiver<String>, checkpoints: Vec<Outlet>) -> JoinSet<()> {
    let mut kept = JoinSet::new();
    let own = app.clone();
    kept.spawn(keep_up("what writes last accesses down", move || sweep(own.clone(), address.clone())));
    let own = app.clone();
    kept.spawn(keep_up("retention", move || retain(own.clone())));
    let own = app.clone();
    kept.spawn(keep_up("what tells apps of ends", move || Courier::new(own.clone()).run()));
    let own = app.clone();
    let attester = move || Attester::new(own.clone(), checkpoints.clone()).run();
    kept.spawn(keep_up("what signs checkpoints", attester));
    kept
}

/// Keeps something up that the server cannot do without: where it fails, which is a fault of Rollcall's, that is told, and it is
/// begun anew after a rest. It is over when it has ended by itself, because it was asked to.
async fn keep_up<F: Future<Output = ()>>(what: &str, mut begin: impl FnMut() -> F) {
    while AssertUnwindSafe(async { begin().await }).catch_unwind().await.is_err() {
        log::error!("{what} failed, and is begun anew");
        sleep(REST).await;
    }
}

/// Whoever starts the server stops it: with Ctrl-C, or as services are stopped.
struct Stop {
    terminate: Signal,
    interrupt: Signal,
}

impl Stop {
    fn listen() -> io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn asked(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// SIGHUP asks for what the server has from files to be read anew, as those ask who exchange certificates; a terminal that is closed
/// sends it too. Neither ends the server.
async fn heed_hangups(mut hangups: Signal, certificate: Option<Arc<Certificate>>) {
    while hangups.recv().await.is_some() {
        let Some(certificate) = certificate.clone() else { continue };
        let _ = tokio::task::spawn_blocking(move || certificate.read_anew()).await;
    }
}

/// Says that the server is ready, how the first administrator is made while there is none, and whatever else
/// is to be said.
fn announce(
    address: &str,
    app: &App,
    certificate: Option<&Certificate>,
    syslog: Option<SocketAddr>,
    welcome: Option<&str>,
) {
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "Rollcall is ready at {address}");
    if let Some(certificate) = certificate.filter(|certificate| certificate.is_self_signed()) {
        let _ =
            writeln!(out, "Its certificate has the SHA-256 fingerprint {}", certificate.facts().fingerprint);
    }
    if let Some(syslog) = syslog {
        let _ = writeln!(out, "Syslog is taken at {syslog}, UDP and TCP");
    }
    if let Some(code) = app.setup_code() {
        let _ = writeln!(out, "{}", way_to_set_up(address, &code));
    }
    if let Some(welcome) = welcome {
        let _ = writeln!(out, "{welcome}");
    }
    let _ = out.flush();
}

fn way_to_set_up(address: &str, code: &str) -> String {
    format!("Make the first administrator at {address}/setup?code={code}")
}

/// Writes down what changes in memory, ends what is due, and says the code that makes the first administrator again when it
/// has to be another one.
async fn sweep(app: App, address: watch::Receiver<String>) {
    let mut tick = interval(SWEEP);
    let mut sweeps = 0_u32;
    loop {
        tick.tick().await;
        if let Err(error) = app.sweep().await {
            log::error!("last accesses could not be written down: {error}");
        }
        if let Some(code) = app.renew_setup_code() {
            let _ = writeln!(io::stdout(), "{}", way_to_set_up(&address.borrow(), &code));
        }
        sweeps = sweeps.wrapping_add(1);
        if sweeps.is_multiple_of(20)
            && let Err(error) = app.flush_tokens().await
        {
            log::error!("the last uses of tokens could not be written down: {error}");
        }
    }
}

/// Removes what is kept long enough, once an hour: for the first time as soon as the index knows what that is, or a server that is
/// started anew every hour would remove nothing.
async fn retain(app: App) {
    let mut tick = interval(HOUR);
    loop {
        tick.tick().await;
        let known = async {
            while matches!(app.behind(), Some(Behind::Unverified | Behind::Lacks(_))) {
                sleep(REST).await;
            }
        };
        // If it takes longer than that, it is said what it waits for.
        let _ = timeout(HOUR, known).await;
        let app = app.clone();
        match tokio::task::spawn_blocking(move || app.retain()).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => log::error!("{error}"),
            Err(error) => log::error!("retention failed: {error}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_fails_is_begun_anew_until_it_ends_by_itself() {
        let mut begun = 0;
        keep_up("this", || {
            begun += 1;
            async move { assert!(begun >= 3, "fails the {begun}. time") }
        })
        .await;
        assert_eq!(begun, 3);
    }
}
