//! What a command reads and writes on the side of whoever typed it: files, standard input and output, and
//! the progress bar.

use std::{
    fs::File,
    io::{self, BufWriter, IsTerminal, Read, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};

use super::args::{Activity, Command, Geo, GeoCommand, User};

/// The ends of a command.
pub(super) struct Files {
    pub(super) input: Box<dyn Read + Send>,
    pub(super) out: Box<dyn Write + Send>,
    pub(super) progress: Progress,
    /// Written under another name until it is whole.
    unfinished: Option<Unfinished>,
}

/// A file that is written under another name until it is whole. What is not finished is removed.
struct Unfinished {
    part: PathBuf,
    file: PathBuf,
}

impl Unfinished {
    fn finish(self) -> io::Result<()> {
        std::fs::rename(&self.part, &self.file)
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // Once it has its name there is nothing under this one.
        let _ = std::fs::remove_file(&self.part);
    }
}

impl Files {
    /// Opens what `command` names.
    pub(super) fn open(command: &Command) -> anyhow::Result<Self> {
        let mut bar = None;
        let input: Box<dyn Read + Send> = match command {
            Command::User(User::Add { .. } | User::Password { .. }) => Box::new(io::stdin()),
            Command::Activity(Activity::Import { file }) => {
                let length = std::fs::metadata(file).map_or(0, |metadata| metadata.len());
                let shown = if length > 0 { ProgressBar::new(length) } else { ProgressBar::new_spinner() };
                shown.set_style(style(length > 0)?);
                let input: Box<dyn Read + Send> =
                    if file == Path::new("-") { Box::new(io::stdin()) } else { Box::new(read(file)?) };
                let wrapped = shown.wrap_read(input);
                bar = Some(shown);
                Box::new(wrapped)
            }
            Command::Geo(Geo { update: Some(GeoCommand::Update { file }), .. }) => Box::new(read(file)?),
            _ => Box::new(io::empty()),
        };
        let mut unfinished = None;
        let out: Box<dyn Write + Send> = match command {
            Command::Activity(Activity::Export { output: Some(file), .. }) => {
                let mut part = file.clone().into_os_string();
                part.push(".part");
                let part = PathBuf::from(part);
                let made =
                    File::create(&part).with_context(|| format!("{} could not be made", part.display()))?;
                unfinished = Some(Unfinished { part, file: file.clone() });
                let shown = ProgressBar::new_spinner();
                shown.set_style(style(false)?);
                bar = Some(shown);
                Box::new(BufWriter::with_capacity(1 << 18, made))
            }
            _ => Box::new(BufWriter::new(io::stdout())),
        };
        Ok(Self { input, out, progress: Progress { bar, rows: 0 }, unfinished })
    }

    /// Puts what was written in its place, if the command did its work.
    pub(super) fn finish(mut self, code: u8) -> io::Result<u8> {
        self.out.flush()?;
        drop(self.out);
        self.progress.clear();
        if let Some(unfinished) = self.unfinished.filter(|_| code == 0) {
            unfinished.finish()?;
        }
        Ok(code)
    }
}

fn read(file: &Path) -> anyhow::Result<File> {
    let opened = File::open(file).with_context(|| format!("{} could not be opened", file.display()))?;
    if opened.metadata()?.is_dir() {
        anyhow::bail!("{} is a folder; name a file", file.display());
    }
    Ok(opened)
}

fn style(known: bool) -> anyhow::Result<ProgressStyle> {
    let template = if known {
        "{bar:30} {percent:>3} % of {total_bytes}, {msg}, {eta} left"
    } else {
        "{spinner} {msg}, {elapsed}"
    };
    Ok(ProgressStyle::with_template(template)?)
}

/// How far a command is.
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    rows: u64,
}

impl Progress {
    /// Says how many activities are done.
    pub(super) fn rows(&mut self, rows: u64) {
        self.rows = rows;
        if let Some(bar) = self.bar.as_ref().filter(|_| io::stderr().is_terminal()) {
            bar.enable_steady_tick(Duration::from_millis(200));
            bar.set_message(format!("{rows} activities"));
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
    /// So many activities are done.
    fn rows(&mut self, rows: u64);
}

impl Watcher for Progress {
    fn rows(&mut self, rows: u64) {
        Self::rows(self, rows);
    }
}
