//! Proving the log: what the command says of it.

use std::io::{Read as _, Write};

use anyhow::Context as _;
use serde_json::{Value, json};

use super::{
    args::Verify,
    run::{Io, NO},
};
use crate::{
    domain::{
        App,
        evidence::{Standing, Verdict},
    },
    model::{checkpoint::Checkpoint, note::Note, user::Actor},
    web::wire::time,
};

/// The most bytes of checkpoints that are read: a year of them, one a minute, is 200 MB; the newest say all.
const LARGEST: u64 = 16 << 20;

/// The most faults that are listed.
const LISTED: usize = 100;

/// Proves the log of `app`.
pub(super) fn verify(app: &App, command: &Verify, io: &mut Io<'_>) -> anyhow::Result<u8> {
    let outside = match &command.checkpoint {
        None => Vec::new(),
        Some(file) => {
            let mut text = String::new();
            let name = file.display();
            io.input
                .take(LARGEST)
                .read_to_string(&mut text)
                .with_context(|| format!("{name} could not be read"))?;
            Note::read_all(&text).with_context(|| format!("{name} holds no checkpoint"))?
        }
    };
    let progress = &mut *io.progress;
    let verdict = app.verify(&Actor::console(), outside, &mut |done, all| progress.rows(done, Some(all)))?;
    if command.json {
        serde_json::to_writer_pretty(&mut *io.out, &as_json(&verdict))?;
        writeln!(io.out)?;
    } else {
        say(&verdict, io.out)?;
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
            writeln!(out, "Checkpoints  consistent with its own, the newest {}", of(newest))?
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
    let fault = |fault: &crate::domain::evidence::Fault| json!({"first": fault.first, "last": fault.last, "trouble": fault.to_string()});
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
