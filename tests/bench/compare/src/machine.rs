//! What this machine is, and what is going on in it.

use std::{fs, os::unix::fs::MetadataExt as _, path::Path, process::Command, thread};

use anyhow::{Context as _, ensure};

/// Resident memory of a process, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    pub resident: u64,
    /// What of it are mapped files, which the system takes back when it likes.
    pub files: u64,
    /// The most that was ever resident.
    pub peak: u64,
}

impl Memory {
    pub fn of(process: u32) -> anyhow::Result<Self> {
        let status = fs::read_to_string(format!("/proc/{process}/status"))?;
        let value = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let kilobytes = line.and_then(|line| line.split_whitespace().next());
            let kilobytes: u64 = kilobytes.context("no such line")?.parse()?;
            anyhow::Ok(kilobytes << 10)
        };
        Ok(Self { resident: value("VmRSS:")?, files: value("RssFile:")?, peak: value("VmHWM:")? })
    }
}

/// The machine in a sentence.
pub fn described() -> String {
    let processors = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = processors.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    let model = model.map_or("an unknown processor", |(_, model)| model.trim());
    let cores = thread::available_parallelism().map_or(1, usize::from);
    format!("{cores} cores of {model}, {} GB of memory, {}", memory() >> 30, said("uname", &["-sr"], "."))
}

/// How much memory there is, in bytes.
pub fn memory() -> u64 {
    let lines = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let total = lines
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:")?.split_whitespace().next()?.parse().ok());
    total.map_or(0, |kilobytes: u64| kilobytes << 10)
}

/// The commit that this program was built of, with a `+` where the sources were not it.
pub const COMMIT: &str = env!("COMPARE_COMMIT");

/// The profile it was built with.
pub const PROFILE: &str = env!("COMPARE_PROFILE");

fn said(program: &str, args: &[&str], folder: &str) -> String {
    let output = Command::new(program).args(args).current_dir(folder).output();
    output.map_or_else(|_| String::new(), |output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Sends a signal to a process of one's own.
pub fn signal(process: u32, signal: &str) -> anyhow::Result<()> {
    let sent = Command::new("kill").arg(format!("-{signal}")).arg(process.to_string()).status()?;
    ensure!(sent.success(), "process {process} could not be told to end");
    Ok(())
}

/// What a file or folder really takes on the disk, in bytes, but for entries of these names.
pub fn bytes(path: &Path, but: &[&str]) -> anyhow::Result<u64> {
    let about = fs::symlink_metadata(path)?;
    let mut sum = about.blocks() * 512;
    if about.is_dir() {
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            if !but.iter().any(|name| entry.file_name() == *name) {
                sum += bytes(&entry.path(), but)?;
            }
        }
    }
    Ok(sum)
}

/// Copies a folder of files.
pub fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    if to.exists() {
        fs::remove_dir_all(to)?;
    }
    let copied = Command::new("cp").args(["-a", "--reflink=auto"]).arg(from).arg(to).status()?;
    ensure!(copied.success(), "{} could not be copied", from.display());
    Ok(())
}
