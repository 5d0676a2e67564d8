//! The command line.
//!
//! A command works while a server runs on the data folder and while none does. Where one runs it holds the
//! data file, and the command is sent to it over a socket in the folder ([`remote`]); where none does, the
//! folder is opened for as long as the command takes. Either way [`run::run`] does the work.

mod args;
mod care;
mod files;
pub mod import;
mod memory;
mod remote;
mod run;
mod serve;
mod shown;
mod table;
mod throwaway;
mod verify;

use std::{
    io::{self, Write},
    panic::{self, AssertUnwindSafe},
    path::Path,
    process::ExitCode,
};

use clap::Parser;
use nix::unistd::{AccessFlags, Uid, User, access};

use self::{
    args::{Activity, Cli, Command},
    run::{Io, No},
};
use crate::{
    config::{Config, Raw},
    domain::{App, StartError, clock::Clock},
    store::{OpenError, StoreError},
    web::unread,
};

/// Runs the command that this process was started with.
pub fn main() -> ExitCode {
    memory::give_back_soon();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() => {
            let text = error.to_string();
            let first = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
            let more: String = text
                .lines()
                .skip(1)
                .take_while(|line| line.starts_with("  "))
                .map(str::trim)
                .collect::<Vec<_>>()
                .join(" ");
            let said = [first, &more].join(" ");
            let said = shown::plain(&format!("{}; try --help", said.trim_end()));
            let _ = writeln!(io::stderr(), "rollcall: {said}");
            return ExitCode::from(run::WRONG);
        }
        Err(help) => help.exit(),
    };
    log_to_stderr();
    tell_of_panics();
    let command = cli.command.unwrap_or_else(Command::serve);
    let run = || match command {
        Command::Serve(serve) => serve::serve(&cli.data, &serve).map(|()| 0),
        command => execute(&cli.data, command),
    };
    let outcome = panic::catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| {
        anyhow::bail!(
            "this came upon something impossible; `rollcall check` looks whether the data is whole, and `rollcall restore FILE` puts a backup in its place"
        )
    });
    match outcome {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            // A reader that has had enough is no failure.
            let broken = |cause: &(dyn std::error::Error + 'static)| {
                cause
                    .downcast_ref::<io::Error>()
                    .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
            };
            if error.chain().any(broken) {
                return ExitCode::SUCCESS;
            }
            let _ = writeln!(io::stderr(), "rollcall: {}", shown::causes(&error));
            ExitCode::from(run::code(&error))
        }
    }
}

/// Runs a command in the server that holds the folder, or in this process.
fn execute(folder: &Path, mut command: Command) -> anyhow::Result<u8> {
    let mut files = files::Files::open(&command, folder)?;
    if let Command::Activity(Activity::Export { output, .. }) = &mut command
        && output.as_deref().is_some_and(|file| !files::has_a_place_beside(file))
    {
        // What it writes is open by now. The log tells of a seal only where somebody gets one.
        *output = None;
    }
    if let Command::Verify(verify) = &command
        && let Some(file) = &verify.file
    {
        let code = verify::verify_file(file, verify, &mut files)?;
        return files.finish(code);
    }
    if let Some(mut server) = remote::Client::connect(folder) {
        let code = server.execute(&command, &mut files)?;
        return files.finish(code);
    }
    let data = folder.join(crate::store::FILE);
    if !data.try_exists().map_err(|error| OpenError::of(folder, error))? && !command.makes_a_folder() {
        anyhow::bail!(
            "there is no data in {}; name the folder with --data DIR, or begin one with `rollcall serve` or `rollcall user add`",
            folder.display()
        );
    }
    prepare(folder)?;
    match command {
        Command::Restore { .. } => return care::restore(folder, files),
        Command::Check => care::check_file(folder)?,
        _ => {}
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let config = Config::read(folder, &Raw::default())?;
    let app = match App::open(folder, config.geo.as_deref(), Clock::system(), config.limits) {
        Err(StartError::Store(OpenError::Taken(holder))) => {
            anyhow::bail!(
                "another rollcall{holder} is busy with {}; try again when it is done",
                folder.display()
            )
        }
        // That it is damaged is an answer to whoever asks whether it is whole.
        Err(StartError::Store(
            error @ (OpenError::Damaged(_) | OpenError::Store(StoreError::Damaged(_))),
        )) if matches!(command, Command::Check | Command::Verify(_)) => {
            return Err(No(error.to_string()).into());
        }
        app => app?,
    };
    let _inside = runtime.enter();
    let code = {
        let mut io = Io {
            input: &mut files.input,
            out: &mut files.out,
            seal: &mut files.seal,
            progress: &mut files.progress,
        };
        run::run(&app, runtime.handle(), command, &mut io)
    };
    runtime.block_on(app.close());
    files.finish(code?)
}

/// Makes the data folder, for its owner alone.
fn prepare(folder: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|error| {
        anyhow::anyhow!(
            "the data folder {} could not be made: {error}; name one with --data DIR that the user that rollcall runs as may make",
            folder.display()
        )
    })?;
    let there = std::fs::metadata(folder)?;
    let (owner, us) = (Uid::from_raw(there.uid()), Uid::effective());
    if owner != us {
        // They could put another data file and other settings there; and what we make is ours, which their server could not open.
        let name = User::from_uid(owner).ok().flatten().map_or_else(|| owner.to_string(), |user| user.name);
        anyhow::bail!(
            "the data folder {} belongs to {name}, and this runs as another user: run it as {name}, or give the folder to the user that rollcall runs as, with `chown -R`",
            folder.display()
        );
    }
    let mut rights = there.permissions();
    if rights.mode() & 0o077 != 0 {
        rights.set_mode(0o700);
        std::fs::set_permissions(folder, rights).map_err(|error| OpenError::of(folder, error))?;
        log::warn!("the data folder could be read by others; now it is its owner's alone");
    }
    // Whatever is done needs to write there, be it the lock of the index; told here it is told once, and with what to do.
    access(folder, AccessFlags::W_OK | AccessFlags::X_OK)
        .map_err(|error| OpenError::of(folder, error.into()))?;
    Ok(())
}

/// A panic is a line of the server's log. What those panic over who read the files for us is damage, and is told by whoever asked
/// them, with what to do.
fn tell_of_panics() {
    panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        if ["/redb-", "/tantivy"].iter().any(|reader| place.contains(reader)) {
            return;
        }
        let said = panic.payload_as_str().unwrap_or("it says nothing");
        log::error!("a fault of Rollcall's own at {place}: {said}");
    }));
}

/// Whether something is said: warnings and errors of our own. Rocket warns of every guard that refuses a request, in the name of the
/// module in which the route stands with `::_` behind it, so that anybody could fill the log by being refused; its errors there
/// are faults of its own.
fn is_heard(metadata: &log::Metadata<'_>) -> bool {
    let (target, level) = (metadata.target(), metadata.level());
    let own = target == "rollcall" || target.starts_with("rollcall::");
    own && level <= if target.ends_with("::_") { log::Level::Error } else { log::Level::Warn }
}

/// Warnings and errors go to stderr, a line each.
fn log_to_stderr() {
    struct Stderr;

    impl log::Log for Stderr {
        fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
            is_heard(metadata)
        }

        fn log(&self, record: &log::Record<'_>) {
            if !unread::heard(record) && self.enabled(record.metadata()) {
                let text = shown::plain(&record.args().to_string());
                let _ =
                    writeln!(io::stderr(), "rollcall: {}: {text}", record.level().as_str().to_lowercase());
            }
        }

        fn flush(&self) {}
    }

    // Whoever comes second has one already.
    let _ = log::set_logger(&Stderr).map(|()| log::set_max_level(log::LevelFilter::Warn));
}

#[cfg(test)]
mod tests {
    use log::{Level, Metadata};

    use super::*;

    #[test]
    fn what_any_room_of_ours_complains_of_is_heard_and_no_guard_that_refuses() {
        let heard = |target: &str, level| is_heard(&Metadata::builder().target(target).level(level).build());
        for room in
            ["web::pages::activity", "web::pages::settings", "web::gate::check", "web", "store::health"]
        {
            let room = format!("rollcall::{room}");
            assert!(heard(&room, Level::Error) && heard(&room, Level::Warn), "{room}");
            assert!(!heard(&room, Level::Info), "{room}");
            let refused = format!("{room}::_");
            assert!(heard(&refused, Level::Error) && !heard(&refused, Level::Warn), "{refused}");
        }
        assert!(!heard("rocket::server", Level::Error) && !heard("rollcaller", Level::Error));
    }
}
