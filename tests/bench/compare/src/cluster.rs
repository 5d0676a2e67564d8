//! A PostgreSQL of one's own, made with the programs of this machine and stopped at the end.

use std::{
    fs, io,
    os::unix::{fs::chown, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, ensure};

use crate::machine;

/// A running cluster; dropping it stops it.
pub struct Cluster {
    programs: PathBuf,
    folder: PathBuf,
    account: Option<Account>,
}

/// PostgreSQL refuses to run as root, so root runs it as somebody else.
#[derive(Clone, Copy)]
struct Account {
    user: u32,
    group: u32,
}

impl Cluster {
    /// Starts the cluster in a folder, and makes it there first if need be; none if this machine has no PostgreSQL.
    pub fn start(folder: &Path) -> anyhow::Result<Option<Self>> {
        let Some(programs) = programs() else { return Ok(None) };
        fs::create_dir_all(folder)?;
        let account = if is_root()? { Some(account()?) } else { None };
        if let Some(Account { user, group }) = account {
            chown(folder, Some(user), Some(group))?;
        }
        let cluster = Self { programs, folder: folder.to_owned(), account };
        if !folder.join("PG_VERSION").exists() {
            let options = ["--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C.UTF-8"];
            cluster.run("initdb", &options)?;
        }
        fs::write(folder.join("postgresql.auto.conf"), settings(folder))?;
        let log = folder.join("log");
        cluster.run("pg_ctl", &["start", "--wait", "--timeout=600", &format!("--log={}", log.display())])?;
        Ok(Some(cluster))
    }

    /// How it is reached: over a socket in its folder.
    pub fn address(&self) -> String {
        format!("host='{}' user=postgres dbname=postgres", self.folder.display())
    }

    fn run(&self, program: &str, args: &[&str]) -> anyhow::Result<()> {
        let mut command = Command::new(self.programs.join(program));
        command.arg("--pgdata").arg(&self.folder).args(args).current_dir(&self.folder);
        // Not a pipe: the server that is started would keep it open.
        command.stdin(Stdio::null()).stdout(Stdio::null());
        if let Some(Account { user, group }) = self.account {
            command.uid(user).gid(group);
        }
        ensure!(command.status()?.success(), "{program} failed; see {}", self.folder.join("log").display());
        Ok(())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Err(error) = self.run("pg_ctl", &["stop", "--wait", "--mode=fast"]) {
            eprintln!("compare: PostgreSQL still runs: {error:#}");
        }
    }
}

/// The settings of a machine that has other things to do as well: an eighth of its memory for pages, everything durable.
fn settings(folder: &Path) -> String {
    let megabytes = machine::memory() >> 20;
    format!(
        "listen_addresses = ''\n\
         unix_socket_directories = '{}'\n\
         shared_buffers = {}MB\n\
         effective_cache_size = {}MB\n\
         work_mem = 64MB\n\
         maintenance_work_mem = 1GB\n\
         max_wal_size = 4GB\n\
         checkpoint_timeout = 15min\n\
         random_page_cost = 1.1\n\
         max_parallel_workers_per_gather = 1\n\
         jit = off\n\
         synchronous_commit = on\n\
         max_connections = 100\n",
        folder.display(),
        megabytes / 8,
        megabytes / 2,
    )
}

fn programs() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    // Where Debian keeps those that are not for everybody; the newest first.
    let mut versions: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path().join("bin"))
        .collect();
    versions.sort();
    folders.extend(versions.into_iter().rev());
    folders.into_iter().find(|folder| folder.join("initdb").exists() && folder.join("pg_ctl").exists())
}

fn is_root() -> io::Result<bool> {
    Ok(fs::read_to_string("/proc/self/status")?.lines().any(|line| line.starts_with("Uid:\t0\t")))
}

fn account() -> anyhow::Result<Account> {
    let accounts = fs::read_to_string("/etc/passwd")?;
    let of = |name: &str| {
        let line = accounts.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut numbers = line.split(':').skip(2).map_while(|number| number.parse().ok());
        Some(Account { user: numbers.next()?, group: numbers.next()? })
    };
    of("postgres").or_else(|| of("nobody")).context("there is nobody to run PostgreSQL as")
}
