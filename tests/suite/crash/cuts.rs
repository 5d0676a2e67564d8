//! The power is cut under a whole server: its disk is a file, and a copy of that file, made in an instant, is what a disk
//! has on it when the power is back. Whatever was acknowledged before must be on it.
//!
//! The copy is instant because the file lies on a file system that shares blocks (XFS); the disk in it is ext4, behind a loop
//! device that does not cache. It takes root, loop devices, `mkfs.xfs`, `mkfs.ext4` and `strace`; without them this says so.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::Ordering,
    thread,
};

use tempfile::TempDir;

use super::{
    super::{
        house::{PASSWORD, loudly},
        server::Folder,
    },
    Life, how_often,
    oracle::{Oracle, judge},
    strace::Strace,
    with_token,
};

/// How often the power is cut. Set `ROLLCALL_CUTS` for more.
const CUTS: u32 = 50;

/// How often without syncs, to see that this would be noticed.
const CONTROL: u32 = 5;

/// What a command that did its work said.
fn does(program: &str, args: &[&Path]) -> Option<String> {
    let output = Command::new(program).args(args).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// A file system that is mounted, until it is dropped.
struct Mounted {
    at: PathBuf,
    device: PathBuf,
}

impl Mounted {
    /// Mounts the file system in `image` at `at`, past every cache of ours.
    fn mount(image: &Path, at: &Path) -> Option<Self> {
        std::fs::create_dir_all(at).ok()?;
        let options = ["--direct-io=on", "--find", "--show"].map(Path::new);
        let device = PathBuf::from(does("losetup", &[&options[..], &[image]].concat())?);
        let mounted = Self { at: at.to_owned(), device };
        does("mount", &[&mounted.device, at]).map(|_| mounted)
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        does("umount", &[&self.at]);
        does("losetup", &[Path::new("--detach"), &self.device]);
    }
}

/// A file of this size with a file system in it. Blocks are what the device below has, or it could not be mounted again.
fn image(path: &Path, megabytes: u64, mkfs: &str, block: &str) -> Option<()> {
    File::create(path).ok()?.set_len(megabytes << 20).ok()?;
    does(mkfs, &[Path::new("-q"), Path::new("-b"), Path::new(block), path]).map(drop)
}

/// The disks, the inner one in a file on the outer one. The first to be made is the last to go.
struct Disks {
    inner: Mounted,
    outer: Mounted,
    folder: TempDir,
}

impl Disks {
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let outer_image = folder.path().join("outer.img");
        image(&outer_image, 2048, "mkfs.xfs", "size=4096")?;
        let outer = Mounted::mount(&outer_image, &folder.path().join("outer"))?;
        let disk = outer.at.join("disk.img");
        image(&disk, 512, "mkfs.ext4", "4096")?;
        let inner = Mounted::mount(&disk, &folder.path().join("inner"))?;
        Some(Self { inner, outer, folder })
    }

    /// What is on the disk at this moment, as it is found when the power is back.
    fn cut(&self) -> Option<Mounted> {
        let (disk, cut) = (self.outer.at.join("disk.img"), self.outer.at.join("cut.img"));
        let _ = std::fs::remove_file(&cut);
        does("cp", &[Path::new("--reflink=always"), &disk, &cut]).expect("a copy that shares its blocks");
        Mounted::mount(&cut, &self.folder.path().join("cut"))
    }
}

/// Cuts the power so often. What was lost, for each time that something was, and what was done in all.
fn lost(disks: &Disks, cuts: u32, without_syncs: bool) -> (Vec<String>, Oracle) {
    let (folder, token) = with_token(Folder::inside(&disks.inner.at));
    let name = folder.path().strip_prefix(&disks.inner.at).unwrap().to_owned();
    does("sync", &[Path::new("--file-system"), &disks.inner.at])
        .expect("what is there before is on the disk");
    let server = if without_syncs {
        folder.serve_under(&Strace::new("fsync,fdatasync").answering("fsync,fdatasync:retval=0").command())
    } else {
        folder.serve()
    };
    let mut oracle = Oracle::default();
    let life = Life::of(&server, &token, &mut oracle);
    let mut lost = Vec::new();
    thread::scope(|scope| {
        let workers = [
            scope.spawn(|| life.work(|| life.write_activities(20))),
            scope.spawn(|| life.work(|| life.write_and_find())),
            scope.spawn(|| {
                let ada = life.sign_in("ada", PASSWORD).unwrap().unwrap();
                thread::scope(|scope| {
                    scope.spawn(|| life.work(|| life.retain(&ada)));
                    life.work(|| life.sign_in_and_out());
                });
            }),
        ];
        for _ in 0..cuts {
            // Something was done since the last one.
            let so_far = life.oracle().activities.len() + 200;
            while life.oracle().activities.len() < so_far
                && !workers.iter().any(thread::ScopedJoinHandle::is_finished)
            {
                thread::yield_now();
            }
            // Acknowledged before the cut: it must be there.
            let mut before: Oracle = life.oracle().clone();
            let Some(mounted) = disks.cut() else {
                lost.push("the disk could not be mounted any more".to_owned());
                continue;
            };
            // The others wait meanwhile: they would only take the time of whoever looks.
            let now = life.oracle();
            // Whoever asked to end since may have ended.
            before.taking |= now.taking;
            let sessions = &mut before.sessions;
            sessions.open.retain(|cookie| now.sessions.open.contains(cookie));
            sessions.open.drain(..sessions.open.len().saturating_sub(20));
            sessions.shut.drain(..sessions.shut.len().saturating_sub(20));
            lost.extend(found(&Folder::at(&mounted.at.join(&name)), &token, &before).err());
            drop(now);
        }
        life.over.store(true, Ordering::SeqCst);
    });
    drop(server);
    (lost, oracle)
}

/// Whether a folder that was found after a cut is whole.
fn found(folder: &Folder, token: &str, before: &Oracle) -> Result<(), String> {
    // While nobody has it open, every page is held against its sum, too.
    let checked = folder.run(&["check"]);
    if checked.code != 0 {
        return Err(checked.err);
    }
    judge(folder, &folder.serve(), token, before)
}

#[test]
fn a_power_cut_under_the_server_loses_nothing_that_was_acknowledged() {
    let Some(disks) = Disks::mount() else {
        return loudly("no power was cut: that takes root, loop devices, mkfs.xfs and mkfs.ext4");
    };
    let cuts = how_often("ROLLCALL_CUTS", CUTS);
    let (lost_ones, oracle) = lost(&disks, cuts, false);
    assert_eq!(lost_ones, Vec::<String>::new());
    loudly(&format!("the power was cut {cuts} times and nothing was lost of {}", oracle.sum()));
    if !Strace::is_there() {
        return loudly("that a loss would be noticed was not tested: that takes strace");
    }
    let (lost_ones, _) = lost(&disks, CONTROL, true);
    assert!(lost_ones.len() >= 3, "without syncs something is lost each time: {lost_ones:?}");
}
