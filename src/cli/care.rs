//! Care of the data folder: backups, their way back, and checks.

use std::{
    io::{self, Write},
    path::Path,
};

use super::{
    files::Files,
    run::{Io, No},
    shown,
};
use crate::{
    domain::{
        App,
        care::{self, CareError},
        clock::Clock,
        returned::{Closed, Returned},
    },
    model::{noun, user::Actor},
    store::{self, BackupError, OpenError},
};

pub(super) fn backup(app: &App, io: &mut Io<'_>) -> anyhow::Result<u8> {
    let Io { out, progress, .. } = io;
    app.backup(&Actor::console(), *out, &mut |rows, total| progress.rows(rows, total))?;
    Ok(0)
}

/// What a server says that is asked to replace what it works with.
pub(super) fn refuse_restore() -> anyhow::Result<u8> {
    anyhow::bail!("a server runs on this folder; stop it, restore, and start it again")
}

pub(super) fn check(app: &App, io: &mut Io<'_>) -> anyhow::Result<u8> {
    let Io { out, progress, .. } = io;
    let checked = app.inspect(&mut |rows, total| progress.rows(rows, total)).map_err(no)?;
    let care::Checked { activities, found } = checked;
    writeln!(
        out,
        "all is as it was written: {} in the log, {found} of them to be found",
        noun::activities(activities)
    )?;
    Ok(0)
}

/// Holds the pages of the file against their sums, which only works while nobody has it open.
pub(super) fn check_file(folder: &Path) -> anyhow::Result<()> {
    store::check_file(folder).map_err(|error| match error {
        OpenError::Damaged(_) => No(error.to_string()).into(),
        error => error.into(),
    })
}

pub(super) fn reindex(app: &App, io: &mut Io<'_>) -> anyhow::Result<u8> {
    let Io { out, progress, .. } = io;
    let count = app.reindex(&mut |rows, total| progress.rows(rows, total))?;
    writeln!(out, "the search index has been made anew: {}", noun::activities(count))?;
    Ok(0)
}

/// Puts a backup in the place of the data in `folder`.
pub(super) fn restore(folder: &Path, mut files: Files) -> anyhow::Result<u8> {
    let Files { input, progress, .. } = &mut files;
    let clock = Clock::system();
    let restored = care::restore(folder, input, &clock, &mut |rows, total| progress.rows(rows, total));
    let restored = restored.map_err(no)?;
    let care::Restored { activities, users, ended, returned, foreign, made, aside } = restored;
    writeln!(
        files.out,
        "restored {} and {users} {}; {} ended",
        noun::activities(activities),
        noun::noun(users as u64, "user", "users"),
        noun::sessions(ended)
    )?;
    if let Some(made) = made {
        writeln!(
            files.out,
            "its last activity is of {made:.0}: what was done after that is not in it, password changes and revocations among it"
        )?;
    }
    if foreign {
        writeln!(
            files.out,
            "this backup is of another installation: its log is signed by another key than the one that was there, and no checkpoint or seal of that one is of this log"
        )?;
    }
    say_returned(&returned, &mut files.out)?;
    if let Some(aside) = aside {
        writeln!(files.out, "what was there is kept as {}", aside.display())?;
    }
    files.finish(0)
}

/// Says what opens something again, and with which command it is closed.
fn say_returned(returned: &Returned, out: &mut dyn Write) -> io::Result<()> {
    let Returned { tokens, since } = returned;
    if !tokens.is_empty() {
        let more = if since.is_none() { ", also such as were revoked since" } else { "" };
        writeln!(out, "these tokens work{more}: {}", tokens.join(", "))?;
    }
    let Some(since) = since else {
        return writeln!(
            out,
            "there is no telling what was taken away since: look through `rollcall user list`, `rollcall app list` and `rollcall token list`"
        );
    };
    for (what, names) in since {
        let (said, command) = match what {
            Closed::Tokens => ("tokens that worked no more, and do", "token revoke NAME"),
            Closed::Users => {
                ("users who were removed or disabled since, and can sign in", "user disable NAME")
            }
            Closed::Roles => {
                ("users who had another role since, and have that of then", "user set NAME --role R")
            }
            Closed::Groups => {
                ("users who were taken from groups since, and are in them", "user set NAME --groups …")
            }
            Closed::Passwords => {
                ("users who had another password since, and have that of then", "user password NAME")
            }
            Closed::Factors => (
                "users whose second factor or recovery codes were others since, and are those of then",
                "user set NAME --reset-second-factor, and have them set one up",
            ),
            Closed::Passkeys => (
                "passkeys that were removed since, and let in",
                "user disable NAME, or have them removed under Profile",
            ),
            Closed::Demand => ("second factors were demanded since, and are not", "user second-factor WHOM"),
            Closed::Apps => ("apps that were removed since, and are there", "app remove NAME"),
            Closed::AppGroups => {
                ("apps that were closed to these since, and are open to them", "app set NAME --groups …")
            }
        };
        let names = shown::plain(&names.join(", "));
        writeln!(out, "{said}: {names}; to undo it: rollcall {command}")?;
    }
    Ok(())
}

/// What is not whole is an answer; everything else is a fault.
fn no(error: CareError) -> anyhow::Error {
    use crate::store::StoreError::Damaged;
    let answer = matches!(
        &error,
        CareError::Index(_)
            | CareError::IndexFile(_)
            | CareError::Evidence(_)
            | CareError::Checkpoint(_)
            | CareError::Nobody
            | CareError::Store(Damaged(_))
            | CareError::Backup(
                BackupError::Foreign
                    | BackupError::Damaged(..)
                    | BackupError::Store(Damaged(_))
                    | BackupError::Open(OpenError::Damaged(_))
            )
    );
    if answer { No(error.to_string()).into() } else { error.into() }
}
