//! Proving the log: what the command says of it.

use std::{
    fs::File,
    io::{BufReader, Read, Write},
    path::Path,
};

use anyhow::Context as _;
use serde_json::{Value, json};

use super::{
    args::Verify,
    files::Files,
    run::{Io, NO, No},
    throwaway::Throwaway,
};
use crate::{
    domain::{
        App,
        clock::Clock,
        evidence::{Fault, Standing, Verdict, VerifyError, verify_backup},
    },
    model::{checkpoint::Checkpoint, note::Note, user::Actor},
    store::{BackupError, StoreError},
    web::wire::time,
};

/// The most bytes of checkpoints that are read: a year of them, one a minute, has some 200 MB.
const LARGEST: u64 = 1 << 30;

/// The most faults that are listed.
const LISTED: usize = 100;

/// Proves the log of `app`.
pub(super) fn verify(app: &App, command: &Verify, io: &mut Io<'_>) -> anyhow::Result<u8> {
    let outside = outside(command, io.input)?;
    let progress = &mut *io.progress;
    let verdict = app.verify(&Actor::console(), outside, &mut |done, all| progress.rows(done, Some(all)))?;
    tell(&verdict, command, io.out)
}

/// Proves the log in a backup, for which no data folder is needed: it is unpacked among the temporary files.
pub(super) fn verify_file(file: &Path, command: &Verify, files: &mut Files) -> anyhow::Result<u8> {
    let outside = outside(command, &mut files.input)?;
    let mut backup =
        BufReader::new(File::open(file).with_context(|| format!("{} could not be opened", file.display()))?);
    let staging = Throwaway::make().context("a folder to unpack it in could not be made")?;
    let progress = &mut files.progress;
    let mut told = |done, all| progress.rows(done, all);
    let verdict = verify_backup(&mut backup, staging.path(), Clock::system().now(), outside, &mut told);
    let verdict = verdict.map_err(|error| match &error {
        VerifyError::Backup(BackupError::Foreign) => {
            anyhow::anyhow!("{}: {error}; verify takes what `rollcall backup` has written", file.display())
        }
        VerifyError::Backup(BackupError::Damaged(..)) | VerifyError::Store(StoreError::Damaged(_)) => {
            No(format!("{}: {error}", file.display())).into()
        }
        _ => error.into(),
    })?;
    tell(&verdict, command, &mut files.out)
}

/// The checkpoints that were kept elsewhere.
fn outside(command: &Verify, input: &mut dyn Read) -> anyhow::Result<Vec<Note>> {
    let Some(file) = &command.checkpoint else { return Ok(Vec::new()) };
    let (mut text, name) = (String::new(), file.display());
    input.take(LARGEST).read_to_string(&mut text).with_context(|| format!("{name} could not be read"))?;
    Note::read_all(&text).with_context(|| format!("{name} holds no checkpoint"))
}

fn tell(verdict: &Verdict, command: &Verify, out: &mut dyn Write) -> anyhow::Result<u8> {
    if command.json {
        serde_json::to_writer_pretty(&mut *out, &as_json(verdict))?;
        writeln!(out)?;
    } else {
        say(verdict, out)?;
    }
    Ok(if verdict.whole() { 0 } else { NO })
}

fn say(verdict: &Verdict, out: &mut dyn Write) -> std::io::Result<()> {
    let proof = &verdict.proof;
    for fault in proof.faults.iter().take(LISTED) {
        writeln!(out, "{fault}")?;
    }
    if proof.faults.len() > LISTED {
        writeln!(out, "and {} more", proof.faults.len() - LISTED)?;
    }
    let removed = proof.size.saturating_sub(proof.present);
    match proof.faults.first() {
        Some(first) => writeln!(out, "Records      NOT INTACT: {first}")?,
        None => writeln!(
            out,
            "Records      intact: {} activities, each as it was written; {removed} of {} were removed by retention",
            proof.present, proof.size
        )?,
    }
    let of = |checkpoint: &Checkpoint| format!("checkpoint {} of {}", checkpoint.size, time(checkpoint.time));
    match (verdict.broken.first(), &verdict.newest) {
        (Some(broken), _) => writeln!(out, "Checkpoints  NOT CONSISTENT with its own {}", of(broken))?,
        (None, Some(newest)) => {
            writeln!(out, "Checkpoints  consistent with its own, the newest {}", of(newest))?;
        }
        (None, None) => writeln!(out, "Checkpoints  none was signed yet")?,
    }
    for (checkpoint, standing) in &verdict.outside {
        let of = of(checkpoint);
        match standing {
            Standing::Consistent => writeln!(out, "Outside      consistent with {of}"),
            Standing::Shorter => writeln!(
                out,
                "Outside      NOT CONSISTENT with {of}: the log has only {} activities, the newest are gone",
                proof.size
            ),
            Standing::Other => {
                writeln!(out, "Outside      NOT CONSISTENT with {of}: it is not the log that was signed")
            }
            Standing::Foreign => {
                writeln!(out, "Outside      NOT CONSISTENT with {of}: it is not signed by this log's key")
            }
            Standing::Untold => {
                writeln!(out, "Outside      NOT CONSISTENT with {of}: what was changed stands before it")
            }
        }?;
    }
    match verdict.unprotected() {
        Some(behind) => writeln!(
            out,
            "Unprotected  {behind} activities came after the last checkpoint from outside; the loss of those would not be seen"
        )?,
        None => writeln!(
            out,
            "Unprotected  without a checkpoint from outside (--checkpoint FILE) it cannot be excluded that the newest are missing, or that all was made anew"
        )?,
    }
    writeln!(out, "Key          {}", verdict.key)
}

fn as_json(verdict: &Verdict) -> Value {
    let proof = &verdict.proof;
    let checkpoint = |checkpoint: &Checkpoint| json!({"size": checkpoint.size, "time": time(checkpoint.time), "root": checkpoint.root.to_string()});
    let fault =
        |fault: &Fault| json!({"first": fault.first, "last": fault.last, "trouble": fault.to_string()});
    let standing = |(outside, standing): &(Checkpoint, Standing)| {
        let word = match standing {
            Standing::Consistent => "consistent",
            Standing::Shorter => "newest_missing",
            Standing::Other => "not_consistent",
            Standing::Foreign => "another_key",
            Standing::Untold => "changed_before",
        };
        json!({"checkpoint": checkpoint(outside), "standing": word})
    };
    json!({
        "whole": verdict.whole(),
        "size": proof.size,
        "root": proof.root.to_string(),
        "present": proof.present,
        "faults": proof.faults.iter().take(LISTED).map(fault).collect::<Vec<_>>(),
        "fault_count": proof.faults.len(),
        "newest_checkpoint": verdict.newest.as_ref().map(checkpoint),
        "broken_checkpoints": verdict.broken.iter().map(checkpoint).collect::<Vec<_>>(),
        "outside": verdict.outside.iter().map(standing).collect::<Vec<_>>(),
        "unprotected": verdict.unprotected(),
        "key": verdict.key.to_string(),
    })
}
