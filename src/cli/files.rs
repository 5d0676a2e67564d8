//! What a command reads and writes on the side of whoever typed it: files, standard input and output, and
//! the progress bar.

use std::{
    fs::{File, Permissions},
    io::{self, BufReader, BufWriter, IsTerminal, Read, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};

use super::args::{Activity, Command, Geo, GeoCommand, User, Verify};
use crate::store;

/// How much of an export is written at a time, in bytes.
const BUFFER: usize = 256 << 10;

/// What is said where the answer to a command cannot be written down.
pub(super) const UNWRITTEN: &str = "what came could not be written";

/// The ends of a command.
pub(super) struct Files {
    pub(super) input: Box<dyn Read + Send>,
    pub(super) out: Box<dyn Write + Send>,
    /// The seal of an export, beside it.
    pub(super) seal: Box<dyn Write + Send>,
    pub(super) progress: Progress,
    /// Written under other names until they are whole.
    unfinished: Vec<Unfinished>,
}

/// A file that is written under another name until it is whole. What is not finished is removed.
struct Unfinished {
    part: PathBuf,
    file: PathBuf,
}

impl Unfinished {
    /// Begins what will be `file`, in the same folder under a name of its own. What was there under that name is
    /// left as it is until then.
    fn begin(file: &Path, mode: u32) -> anyhow::Result<(Self, File)> {
        // Behind a symbolic link stands what is meant.
        let file = std::fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
        let before = std::fs::metadata(&file).ok().map(|metadata| metadata.permissions().mode());
        if let Some(place) = file.parent().filter(|place| *place != Path::new("") && !place.is_dir()) {
            anyhow::bail!("there is no folder {}; make it, or name another place", place.display());
        }
        let mut part = file.clone().into_os_string();
        part.push(format!(".{}.part", std::process::id()));
        let part = PathBuf::from(part);
        // Left by a process of this number that was killed.
        let _ = std::fs::remove_file(&part);
        // Whoever could not read what was there may not read what replaces it; nor may anybody who could, if it is only for its
        // owner. The owner, whose it is, always may.
        let rights = before.map(|before| before & mode | 0o600);
        let mode = rights.unwrap_or(mode);
        let begun = File::options().write(true).create_new(true).mode(mode).open(&part);
        let begun = begun.with_context(|| format!("{} could not be made", part.display()))?;
        if let Some(rights) = rights {
            // What the process takes from every file it makes is nothing that was taken from this one.
            begun.set_permissions(Permissions::from_mode(rights))?;
        }
        Ok((Self { part, file }, begun))
    }

    /// Gives all of them their names, in their order. Under a name there is never less than the whole, whatever happens to the machine,
    /// and once this has returned it is there for good.
    fn finish(all: &[Self]) -> anyhow::Result<()> {
        let each = |keep: fn(&Self) -> io::Result<()>| {
            all.iter().try_for_each(|one| {
                keep(one).with_context(|| format!("{} could not be kept", one.file.display()))
            })
        };
        each(|one| File::open(&one.part)?.sync_all())?;
        each(|one| std::fs::rename(&one.part, &one.file))?;
        each(|one| sync_folder(&one.file))
    }
}

/// Makes sure that after a power cut the folder still knows the file by its name.
fn sync_folder(file: &Path) -> io::Result<()> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    match File::open(folder.unwrap_or(Path::new("."))).and_then(|folder| folder.sync_all()) {
        // There are file systems whose folders are not synced, and folders that one may write into and not look into. The file is there.
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported | io::ErrorKind::PermissionDenied
            ) =>
        {
            Ok(())
        }
        synced => synced,
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // Once it has its name there is nothing under this one.
        let _ = std::fs::remove_file(&self.part);
    }
}

impl Files {
    /// Opens what `command` names. What it writes must not lie in the data folder `folder`.
    pub(super) fn open(command: &Command, folder: &Path) -> anyhow::Result<Self> {
        let mut bar = None;
        let input: Box<dyn Read + Send> = match command {
            Command::User(User::Add { .. } | User::Password { .. }) => Box::new(io::stdin()),
            Command::Activity(Activity::Import { file }) => {
                let length = std::fs::metadata(file).map_or(0, |metadata| metadata.len());
                let shown = if length > 0 { ProgressBar::new(length) } else { ProgressBar::new_spinner() };
                shown.set_style(style((length > 0).then_some(Unit::Bytes))?);
                let input: Box<dyn Read + Send> =
                    if file == Path::new("-") { Box::new(io::stdin()) } else { Box::new(read(file)?) };
                let wrapped = shown.wrap_read(input);
                bar = Some(shown);
                Box::new(wrapped)
            }
            Command::Verify(Verify { checkpoint, .. }) => {
                let shown = ProgressBar::new_spinner();
                shown.set_style(style(None)?);
                bar = Some(shown);
                match checkpoint {
                    None => Box::new(io::empty()),
                    Some(file) if file == Path::new("-") => Box::new(io::stdin()),
                    Some(file) => Box::new(read(file)?),
                }
            }
            Command::Restore { file } => Box::new(BufReader::new(read(file)?)),
            Command::Geo(Geo { update: Some(GeoCommand::Update { file }), .. }) => Box::new(read(file)?),
            _ => Box::new(io::empty()),
        };
        let mut unfinished = Vec::new();
        let mut seal: Box<dyn Write + Send> = Box::new(io::sink());
        let out: Box<dyn Write + Send> = match command {
            Command::Activity(Activity::Export { output, .. }) => {
                if output.is_some() || !io::stdout().is_terminal() {
                    let shown = ProgressBar::new_spinner();
                    shown.set_style(style(None)?);
                    bar = Some(shown);
                }
                match output {
                    None => Box::new(BufWriter::with_capacity(BUFFER, io::stdout())),
                    // As the commands that read take it for standard input.
                    Some(file) if file == Path::new("-") => {
                        Box::new(BufWriter::with_capacity(BUFFER, io::stdout()))
                    }
                    Some(file) if is_special(file) => special(file)?,
                    Some(file) if file.is_dir() => return Err(is_folder(file)),
                    Some(file) => {
                        allow(folder, file)?;
                        allow(folder, &sealed(file))?;
                        // The seal last: where the machine stops in between, there is a whole file without one, and not a seal that
                        // accuses the file of before, or speaks of none.
                        let (begun, part) = Unfinished::begin(file, 0o666)?;
                        unfinished.push(begun);
                        let (begun, beside) = Unfinished::begin(&sealed(file), 0o666)?;
                        unfinished.push(begun);
                        seal = Box::new(BufWriter::with_capacity(BUFFER, beside));
                        Box::new(BufWriter::with_capacity(BUFFER, part))
                    }
                }
            }
            Command::Backup { file } if file.is_dir() => return Err(is_folder(file)),
            // Whoever reads it there sees by itself that it was cut off, where it was.
            Command::Backup { file } if is_special(file) => {
                allow(folder, file)?;
                special(file)?
            }
            Command::Backup { file } => {
                allow(folder, file)?;
                // All that is known of everybody is in it.
                let (begun, part) = Unfinished::begin(file, 0o600)?;
                unfinished.push(begun);
                Box::new(BufWriter::with_capacity(BUFFER, part))
            }
            _ => Box::new(BufWriter::new(io::stdout())),
        };
        let mut unit = Unit::Activities;
        if matches!(
            command,
            Command::Backup { .. } | Command::Restore { .. } | Command::Check | Command::Reindex
        ) {
            let shown = ProgressBar::new_spinner();
            shown.set_style(style(None)?);
            bar = Some(shown);
            if matches!(command, Command::Backup { .. } | Command::Restore { .. }) {
                unit = Unit::Records;
            }
        }
        Ok(Self { input, out, seal, progress: Progress { bar, total: None, unit }, unfinished })
    }

    /// Puts what was written in its place, if the command did its work.
    pub(super) fn finish(mut self, code: u8) -> anyhow::Result<u8> {
        self.out.flush().and_then(|()| self.seal.flush()).context(UNWRITTEN)?;
        drop((self.out, self.seal));
        self.progress.clear();
        if code == 0 {
            Unfinished::finish(&self.unfinished)?;
        }
        Ok(code)
    }
}

/// Where the seal of an exported file stands: beside it.
pub(super) fn sealed(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".seal");
    name.into()
}

/// Whether a seal can stand beside what is written there: beside a file, not beside standard output, a device or a pipe.
pub(super) fn has_a_place_beside(file: &Path) -> bool {
    file != Path::new("-") && !is_special(file)
}

fn read(file: &Path) -> anyhow::Result<File> {
    let opened = File::open(file).with_context(|| format!("{} could not be opened", file.display()))?;
    if opened.metadata()?.is_dir() {
        return Err(is_folder(file));
    }
    Ok(opened)
}

/// Refuses what would write over the data: a folder that is named twice in one command is a slip, and would cost everything.
fn allow(folder: &Path, file: &Path) -> anyhow::Result<()> {
    match store::forbids(folder, file) {
        Some(why) => anyhow::bail!(why),
        None => Ok(()),
    }
}

fn is_folder(file: &Path) -> anyhow::Error {
    anyhow::anyhow!("{} is a folder; name a file", file.display())
}

/// Whether it is there and no file: a device or a pipe, which is written to and never replaced.
fn is_special(file: &Path) -> bool {
    std::fs::metadata(file).is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir())
}

/// Writes to what is there and no file.
fn special(file: &Path) -> anyhow::Result<Box<dyn Write + Send>> {
    let opened = File::options().write(true).open(file);
    let opened = opened.with_context(|| format!("{} could not be opened", file.display()))?;
    Ok(Box::new(BufWriter::with_capacity(BUFFER, opened)))
}

/// What the length of a bar counts.
#[derive(Clone, Copy)]
enum Unit {
    Bytes,
    Activities,
    Records,
}

fn style(known: Option<Unit>) -> anyhow::Result<ProgressStyle> {
    let template = match known {
        Some(Unit::Bytes) => "{bar:30} {percent:>3} % of {total_bytes}, {msg}, {eta} left",
        Some(Unit::Activities) => "{bar:30} {percent:>3} % of {len} activities, {eta} left",
        Some(Unit::Records) => "{bar:30} {percent:>3} % of {len} records, {eta} left",
        None => "{spinner} {msg}, {elapsed}",
    };
    Ok(ProgressStyle::with_template(template)?)
}

/// How far a command is. It is shown where standard error is a terminal.
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    /// How many activities there will be, once that is known.
    total: Option<u64>,
    unit: Unit,
}

impl Progress {
    /// Says how many activities are done, and of how many, if that is known.
    pub(super) fn rows(&mut self, rows: u64, total: Option<u64>) {
        let Some(bar) = self.bar.as_ref().filter(|_| io::stderr().is_terminal()) else { return };
        bar.enable_steady_tick(Duration::from_millis(200));
        if let Some(total) = total {
            if self.total != Some(total)
                && let Ok(style) = style(Some(self.unit))
            {
                bar.set_style(style);
                bar.set_length(total);
                self.total = Some(total);
            }
            bar.set_position(rows);
        } else {
            let what = if matches!(self.unit, Unit::Records) { "records" } else { "activities" };
            bar.set_message(format!("{rows} {what}"));
        }
    }

    fn clear(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Whoever is told how far a command is.
pub(super) trait Watcher {
    /// So many activities are done, of so many if that is known.
    fn rows(&mut self, rows: u64, total: Option<u64>);
}

impl Watcher for Progress {
    fn rows(&mut self, rows: u64, total: Option<u64>) {
        Self::rows(self, rows, total);
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, slice};

    use super::*;

    #[test]
    fn a_seal_gets_its_name_only_once_what_it_seals_has_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("log.csv");
        let begin = |file: &Path| {
            let (begun, mut part) = Unfinished::begin(file, 0o666).unwrap();
            part.write_all(b"new").unwrap();
            begun
        };
        let both = [begin(&file), begin(&sealed(&file))];
        // Nothing takes the place of a folder.
        fs::create_dir(&file).unwrap();
        assert!(Unfinished::finish(&both).is_err());
        assert!(!sealed(&file).exists());
        fs::remove_dir(&file).unwrap();
        let one = begin(&file);
        Unfinished::finish(slice::from_ref(&one)).unwrap();
        drop((one, both));
        assert_eq!(fs::read(&file).unwrap(), b"new");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "and nothing is left beside");
    }
}
