//! Who has the file: the process whose lock keeps others from it, as the system lists it.

use std::{fmt, fs, os::unix::fs::MetadataExt, path::Path};

use nix::sys::stat::{major, minor};

/// The process that has the file. It is not known where the system does not say: in a container it may be outside, and some file
/// systems number their devices in two ways.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Holder(pub Option<u32>);

impl Holder {
    /// Who has the file at `path`.
    pub fn of(path: &Path) -> Self {
        let lock = || {
            let file = fs::metadata(path).ok()?;
            let place = format!("{:02x}:{:02x}:{}", major(file.dev()), minor(file.dev()), file.ino());
            in_list(&fs::read_to_string("/proc/locks").ok()?, &place)
        };
        Self(lock())
    }
}

impl fmt::Display for Holder {
    /// To stand behind what it is called.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |process| write!(f, " (process {process})"))
    }
}

/// Which process has locked the whole of the file that stands at `place`.
fn in_list(locks: &str, place: &str) -> Option<u32> {
    locks.lines().find_map(|line| {
        // Those that wait have an arrow before the kind.
        match line.split_whitespace().collect::<Vec<_>>()[..] {
            [_, "FLOCK", _, _, process, at, ..] if at == place => {
                process.parse().ok().filter(|process| *process > 0)
            }
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_process_that_has_locked_a_file_is_found_in_the_list() {
        let locks = "1: POSIX  ADVISORY  WRITE 7 fd:01:131 0 EOF\n\
                     2: FLOCK  ADVISORY  WRITE 8 fd:02:131 0 EOF\n\
                     3: FLOCK  ADVISORY  WRITE 9 fd:01:131 0 EOF\n\
                     3: -> FLOCK  ADVISORY  WRITE 10 fd:01:131 0 EOF\n\
                     4: FLOCK  ADVISORY  WRITE -1 fd:01:132 0 EOF\n";
        let has = |place| in_list(locks, place);
        assert_eq!((has("fd:01:131"), has("fd:02:131")), (Some(9), Some(8)));
        assert_eq!((has("fd:01:132"), has("fd:01:13")), (None, None));
        assert_eq!(
            (Holder(Some(9)).to_string(), Holder(None).to_string()),
            (" (process 9)".into(), String::new())
        );
    }
}
