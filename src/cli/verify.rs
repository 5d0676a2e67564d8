//! Proving the log: what the command says of it.

use std::{
    fs::{self, File},
    io::{BufReader, Read, Write},
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use serde_json::{Value, json};

use super::{
    args::Verify,
    files::{self, Files},
    run::{Io, NO, No},
    shown,
    throwaway::Throwaway,
};
use crate::{
    domain::{
        App,
        clock::Clock,
        evidence::{Fault, Standing, Verdict, VerifyError, verify_backup, verify_folder},
    },
    model::{
        checkpoint::Checkpoint,
        inclusion::{self, Inclusion},
        note::{Note, VerifyingKey},
        noun::activities,
        seal::{self, Statement},
        user::Actor,
    },
    store::{self, BackupError, OpenError, StoreError},
    web::{
        download::proof::{self, Held, ProofError, Said},
        wire::time,
    },
};

/// The most bytes of checkpoints that are read: a year of them, one a minute, has some 200 MB.
const LARGEST: u64 = 1 << 30;

/// The most faults that are listed.
const LISTED: usize = 100;

/// Proves the log of `app`.
pub(super) fn verify(app: &App, command: &Verify, io: &mut Io<'_>) -> anyhow::Result<u8> {
    let (outside, broken) = outside(command, io.input)?;
    let progress = &mut *io.progress;
    let verdict = app.verify(&Actor::console(), outside, &mut |done, all| progress.rows(done, Some(all)));
    let verdict = verdict.map_err(|error| match &error {
        VerifyError::Store(StoreError::Damaged(_)) => No(error.to_string()).into(),
        _ => anyhow::Error::from(error),
    })?;
    tell(&verdict, broken, command, io.out)
}

/// What a file is that is to be proven.
enum Kind {
    Backup,
    DataFile,
    /// A file with a seal.
    Export(PathBuf),
}

impl Kind {
    /// Tells by how it begins. An export begins with whatever there is, so its seal must be there.
    fn of(file: &Path, seal: Option<&Path>) -> anyhow::Result<Self> {
        if let Some(seal) = seal {
            return Ok(Self::Export(seal.to_owned()));
        }
        let mut start = Vec::new();
        opened(file)?.take(32).read_to_end(&mut start)?;
        let beside = files::sealed(file);
        // One whose beginning is damaged is known by its name.
        if start.starts_with(store::MAGIC) || file.extension().is_some_and(|ending| ending == "redb") {
            Ok(Self::DataFile)
        } else if beside.exists() {
            Ok(Self::Export(beside))
        } else if start.starts_with(b"{") || start.starts_with(b"Time,User,") {
            anyhow::bail!(
                "{} has no seal beside it; name the seal that was written with it: --seal FILE",
                file.display()
            )
        } else {
            Ok(Self::Backup)
        }
    }
}

fn opened(file: &Path) -> anyhow::Result<BufReader<File>> {
    Ok(BufReader::new(File::open(file).with_context(|| format!("{} could not be opened", file.display()))?))
}

/// Proves what is in a file: the log in a backup or in a copy of a data file, or the rows of an export. No data folder is
/// needed: a log is unpacked among the temporary files.
pub(super) fn verify_file(file: &Path, command: &Verify, files: &mut Files) -> anyhow::Result<u8> {
    let kind = Kind::of(file, command.seal.as_deref())?;
    if let Kind::Export(seal) = kind {
        return verify_export(file, &seal, command, files);
    }
    let (outside, broken) = outside(command, &mut files.input)?;
    let staging = Throwaway::make().context("a folder to unpack it in could not be made")?;
    let progress = &mut files.progress;
    let mut told = |done, all| progress.rows(done, all);
    let now = Clock::system().now();
    let verdict = if matches!(kind, Kind::DataFile) {
        if fs::metadata(file).is_ok_and(|file| file.len() == 0) {
            return Err(No(format!("{} is empty", file.display())).into());
        }
        fs::copy(file, staging.path().join(store::FILE))
            .with_context(|| format!("{} could not be copied", file.display()))?;
        verify_folder(staging.path(), now, outside, &mut told)
    } else {
        verify_backup(&mut opened(file)?, staging.path(), now, outside, &mut told)
    };
    let verdict = verdict.map_err(|error| match &error {
        VerifyError::Backup(BackupError::Foreign) => anyhow::anyhow!(
            "{}: {error}; verify takes a backup, a data file, or an export with its seal beside it",
            file.display()
        ),
        VerifyError::Backup(BackupError::Open(OpenError::Damaged(why))) => No(format!(
            "{} is damaged ({why}); of a file that a server writes take a copy with `rollcall backup`",
            file.display()
        ))
        .into(),
        VerifyError::Backup(
            BackupError::Damaged(..)
            | BackupError::Store(StoreError::Damaged(_))
            | BackupError::Open(OpenError::Store(StoreError::Damaged(_))),
        )
        | VerifyError::Store(StoreError::Damaged(_)) => No(format!("{}: {error}", file.display())).into(),
        _ => error.into(),
    })?;
    tell(&verdict, broken, command, &mut files.out)
}

/// Holds an exported file against its seal.
fn verify_export(file: &Path, seal: &Path, command: &Verify, files: &mut Files) -> anyhow::Result<u8> {
    let key: Option<VerifyingKey> = command.key.as_deref().map(str::parse).transpose()?;
    let (outside, broken) = outside(command, &mut files.input)?;
    let no = |error: ProofError| match error {
        ProofError::Io(_) => anyhow::Error::from(error).context(format!("{}", file.display())),
        error => No(format!("{}: {error}", seal.display())).into(),
    };
    let said = proof::statement(&mut opened(seal)?).map_err(|error| match error {
        ProofError::Io(_) => anyhow::Error::from(error).context(format!("{}", seal.display())),
        error => no(error),
    })?;
    let foreign = key.as_ref().is_some_and(|key| *key != said.statement.key);
    let outside = Outside::of(outside, &said)?;
    let progress = &mut files.progress;
    let mut told = |done, all| progress.rows(done, Some(all));
    let held = proof::hold(&mut opened(file)?, &mut opened(seal)?, said, &mut told).map_err(no)?;
    // Whoever has the key can sign a seal of any day; only the log says of when it is.
    let placed = held.said.place.is_some();
    let whole = held.whole() && placed && !foreign && outside.as_ref().is_none_or(Outside::stands);
    let known = key.is_some() && !foreign;
    let judged = Judged { held, known, foreign, outside, outside_broken: broken, whole };
    if command.json {
        shown::json(&mut *files.out, &judged.as_json(), true)?;
    } else {
        judged.say(&mut files.out)?;
    }
    Ok(if whole { 0 } else { NO })
}

/// How checkpoints that were kept elsewhere stand to the one that a seal is proven under.
enum Outside {
    /// This one is the same.
    Same(Checkpoint),
    /// This one was signed of a log of the same length, and it is another log.
    Other(Checkpoint),
    /// This one is signed by another key, or not as it was signed.
    Foreign(Checkpoint),
    /// None of so many has the size of that one.
    Untold(usize),
}

impl Outside {
    /// None where no checkpoints were given.
    fn of(notes: Vec<Note>, said: &Said) -> anyhow::Result<Option<Self>> {
        let (mut same, count) = (None, notes.len());
        for note in notes {
            let checkpoint: Checkpoint = note.text().parse()?;
            if !note.is_of(&said.statement.key) || checkpoint.origin != said.statement.key.name() {
                return Ok(Some(Self::Foreign(checkpoint)));
            }
            match &said.place {
                Some((_, sealed)) if sealed.size == checkpoint.size => {
                    if sealed.root != checkpoint.root {
                        return Ok(Some(Self::Other(checkpoint)));
                    }
                    same = Some(Self::Same(checkpoint));
                }
                _ => {}
            }
        }
        Ok(same.or((count > 0).then_some(Self::Untold(count))))
    }

    const fn stands(&self) -> bool {
        matches!(self, Self::Same(_))
    }

    fn say(&self, out: &mut dyn Write) -> std::io::Result<()> {
        match self {
            Self::Same(kept) => writeln!(
                out,
                "Outside      {}, which was kept elsewhere, is the one it is proven under",
                of(kept)
            ),
            Self::Other(kept) => writeln!(
                out,
                "Outside      NOT CONSISTENT with {}: the log that names the seal is not the log that was signed",
                of(kept)
            ),
            Self::Foreign(kept) => writeln!(
                out,
                "Outside      NOT CONSISTENT with {}: it is not signed by the key of the seal",
                of(kept)
            ),
            Self::Untold(count) => writeln!(
                out,
                "Outside      NOT TOLD: none of the {count} given is of the size that the seal is proven under; have the seal again under one of them (/api/v1/activity/ID/seal?checkpoint=SIZE), or give the seal to `rollcall verify --checkpoint` where the log is"
            ),
        }
    }
}

fn of(checkpoint: &Checkpoint) -> String {
    format!("checkpoint {} of {}", checkpoint.size, time(checkpoint.time))
}

/// What is to be said of an export.
struct Judged {
    held: Held,
    /// Whether the key was given and is the one that signed.
    known: bool,
    /// Whether it was given and is another one.
    foreign: bool,
    outside: Option<Outside>,
    /// How many pieces of the file from outside are no whole checkpoint.
    outside_broken: usize,
    whole: bool,
}

impl Judged {
    fn say(&self, out: &mut dyn Write) -> std::io::Result<()> {
        let Held { said, rows, head_changed, anew, faults, more } = &self.held;
        for fault in faults.iter().take(LISTED) {
            writeln!(out, "{fault}")?;
        }
        let others = faults.len().saturating_sub(LISTED) as u64 + more;
        if others > 0 {
            writeln!(out, "and {others} more")?;
        }
        if *head_changed {
            writeln!(out, "Head         NOT INTACT: the names of the columns are not what was sealed")?;
        }
        match faults.first() {
            Some(first) => writeln!(out, "Rows         NOT INTACT: {first}")?,
            None if *anew > 0 => writeln!(
                out,
                "Rows         NOT AS WRITTEN: all {rows} say what was sealed, but {anew} lines are written in another way"
            )?,
            None => writeln!(out, "Rows         intact: {rows}, each as it was sealed")?,
        }
        if self.held.resaved() {
            writeln!(
                out,
                "File         it looks as if a spreadsheet or another program had saved it anew, which writes quotes, line ends and numbers in its own way: verify it as it was exported"
            )?;
        }
        let Statement { time: at, asked, key, .. } = &said.statement;
        writeln!(out, "Export       of {}: {}", time(*at), shown::plain(asked))?;
        match &said.place {
            Some((id, checkpoint)) => writeln!(
                out,
                "Log          names this seal in activity {} (id {id}), proven under {}",
                id.0,
                of(checkpoint)
            )?,
            None => writeln!(
                out,
                "Log          NOT PROVEN: the seal ends without the proof that the log names it, so nothing says of when it is; have it again from the activity that tells of the export (Seals, or /api/v1/activity/ID/seal)"
            )?,
        }
        if let Some(outside) = &self.outside {
            outside.say(out)?;
        }
        say_broken(self.outside_broken, out)?;
        match (self.known, self.foreign) {
            (true, _) => writeln!(out, "Key          {key}, the one that was given"),
            (_, true) => {
                writeln!(out, "Key          NOT THE ONE that was given: the seal is signed by {key}")
            }
            (false, false) => writeln!(
                out,
                "Key          {key}; that it is yours was not looked at: Settings shows yours, and --key KEY holds the seal against it"
            ),
        }
    }

    fn as_json(&self) -> Value {
        let Held { said, rows, head_changed, anew, faults, more } = &self.held;
        let Said { statement, place } = said;
        let fault = |fault: &proof::Fault| json!({"row": fault.row, "activity": fault.id.map(|id| id.to_string()), "trouble": fault.to_string()});
        let outside = self.outside.as_ref().map(|outside| match outside {
            Outside::Same(_) => "consistent",
            Outside::Other(_) => "not_consistent",
            Outside::Foreign(_) => "another_key",
            Outside::Untold(_) => "not_told",
        });
        json!({
            "whole": self.whole,
            "rows": rows,
            "sealed_rows": statement.contents.rows,
            "head_changed": head_changed,
            "written_anew": anew,
            "faults": faults.iter().take(LISTED).map(fault).collect::<Vec<_>>(),
            "fault_count": faults.len() as u64 + more,
            "time": time(statement.time),
            "asked": statement.asked,
            "activity": place.as_ref().map(|(id, _)| id.to_string()),
            "checkpoint": place.as_ref().map(|(_, checkpoint)| as_checkpoint(checkpoint)),
            "outside": outside,
            "outside_broken": self.outside_broken,
            "key": statement.key.to_string(),
            "key_known": self.known,
        })
    }
}

fn as_checkpoint(checkpoint: &Checkpoint) -> Value {
    json!({"size": checkpoint.size, "time": time(checkpoint.time), "root": checkpoint.root.to_string()})
}

/// The checkpoints that were kept elsewhere, and how many pieces of their file are no whole one.
fn outside(command: &Verify, input: &mut dyn Read) -> anyhow::Result<(Vec<Note>, usize)> {
    let Some(file) = &command.checkpoint else { return Ok((Vec::new(), 0)) };
    let (mut bytes, name) = (Vec::new(), file.display());
    input.take(LARGEST).read_to_end(&mut bytes).with_context(|| format!("{name} could not be read"))?;
    // One byte that a disk lost is one checkpoint's, and must not cost the others.
    let text = String::from_utf8_lossy(&bytes);
    if text.starts_with(seal::MAGIC) {
        // The one that an export's seal is proven under.
        let proof = text.find(inclusion::MAGIC).and_then(|at| text[at..].parse::<Inclusion>().ok());
        return Ok((vec![proof.with_context(|| format!("the seal {name} holds no checkpoint"))?.note], 0));
    }
    let nothing = || format!("{name} holds no checkpoint");
    let (notes, mut broken) = Note::read_all(&text).with_context(nothing)?;
    let (damaged, notes): (Vec<Note>, Vec<Note>) = notes.into_iter().partition(is_damaged);
    broken += damaged.len();
    anyhow::ensure!(!notes.is_empty(), nothing());
    Ok((notes, broken))
}

/// Whether a note has what was put in the place of bytes that are no text. No checkpoint ever says that.
fn is_damaged(note: &Note) -> bool {
    note.to_string().contains(char::REPLACEMENT_CHARACTER)
}

fn tell(verdict: &Verdict, broken: usize, command: &Verify, out: &mut dyn Write) -> anyhow::Result<u8> {
    let key: Option<VerifyingKey> = command.key.as_deref().map(str::parse).transpose()?;
    let known = key.map(|key| key == verdict.key);
    if command.json {
        shown::json(out, &as_json(verdict, known, broken), true)?;
    } else {
        say(verdict, known, broken, out)?;
    }
    Ok(if is_whole(verdict, known) { 0 } else { NO })
}

/// Whether nothing speaks against the log, nor against whose it is, where a key was given.
fn is_whole(verdict: &Verdict, known: Option<bool>) -> bool {
    verdict.whole() && known != Some(false)
}

fn say(verdict: &Verdict, known: Option<bool>, broken: usize, out: &mut dyn Write) -> std::io::Result<()> {
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
            "Records      intact: {}, each as it was written; {removed} of {} were removed by retention",
            activities(proof.present),
            proof.size
        )?,
    }
    for (broken, standing) in verdict.broken.iter().take(LISTED) {
        let why =
            if *standing == Standing::Foreign { ": it is not as this log's key has signed it" } else { "" };
        writeln!(out, "Checkpoints  NOT CONSISTENT with its own {}{why}", of(broken))?;
    }
    if verdict.broken.len() > LISTED {
        writeln!(out, "Checkpoints  and {} more", verdict.broken.len() - LISTED)?;
    }
    match &verdict.newest {
        _ if !verdict.broken.is_empty() => {}
        Some(newest) => writeln!(out, "Checkpoints  consistent with its own, the newest {}", of(newest))?,
        None => writeln!(out, "Checkpoints  none was signed yet")?,
    }
    for (checkpoint, standing) in &verdict.outside {
        let of = of(checkpoint);
        match standing {
            Standing::Consistent => writeln!(out, "Outside      consistent with {of}"),
            Standing::Shorter => writeln!(
                out,
                "Outside      NOT CONSISTENT with {of}: the log has only {}, the newest are gone",
                activities(proof.size)
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
    say_broken(broken, out)?;
    match verdict.unprotected() {
        Some(behind) => writeln!(
            out,
            "Unprotected  {} came after the last checkpoint from outside; the loss of those would not be seen",
            activities(behind)
        )?,
        None => writeln!(
            out,
            "Unprotected  without a checkpoint from outside (--checkpoint FILE) it cannot be excluded that the newest are missing, or that all was made anew"
        )?,
    }
    match known {
        None => writeln!(out, "Key          {}", verdict.key),
        Some(true) => writeln!(out, "Key          {}, the one that was given", verdict.key),
        Some(false) => {
            writeln!(out, "Key          NOT THE ONE that was given: the log is signed by {}", verdict.key)
        }
    }
}

fn say_broken(broken: usize, out: &mut dyn Write) -> std::io::Result<()> {
    if broken == 0 {
        return Ok(());
    }
    let pieces = if broken == 1 { "1 piece" } else { &format!("{broken} pieces") };
    writeln!(
        out,
        "Outside      {pieces} of the file left out: not a whole checkpoint, as where a crash broke off its end"
    )
}

/// The word of a standing in `--json`.
const fn word(standing: Standing) -> &'static str {
    match standing {
        Standing::Consistent => "consistent",
        Standing::Shorter => "newest_missing",
        Standing::Other => "not_consistent",
        Standing::Foreign => "another_key",
        Standing::Untold => "changed_before",
    }
}

fn as_json(verdict: &Verdict, known: Option<bool>, broken: usize) -> Value {
    let proof = &verdict.proof;
    let fault =
        |fault: &Fault| json!({"first": fault.first, "last": fault.last, "trouble": fault.to_string()});
    let outside = |(checkpoint, standing): &(Checkpoint, Standing)| json!({"checkpoint": as_checkpoint(checkpoint), "standing": word(*standing)});
    let broken_own = |(checkpoint, standing): &(Checkpoint, Standing)| {
        let mut shown = as_checkpoint(checkpoint);
        shown["standing"] = word(*standing).into();
        shown
    };
    json!({
        "whole": is_whole(verdict, known),
        "size": proof.size,
        "root": proof.root.to_string(),
        "present": proof.present,
        "faults": proof.faults.iter().take(LISTED).map(fault).collect::<Vec<_>>(),
        "fault_count": proof.faults.len(),
        "newest_checkpoint": verdict.newest.as_ref().map(as_checkpoint),
        "broken_checkpoints": verdict.broken.iter().map(broken_own).collect::<Vec<_>>(),
        "outside": verdict.outside.iter().map(outside).collect::<Vec<_>>(),
        "outside_broken": broken,
        "unprotected": verdict.unprotected(),
        "key": verdict.key.to_string(),
        "key_known": known.unwrap_or(false),
    })
}
