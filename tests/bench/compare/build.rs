//! Writes down of which commit and with which profile the program is built: what is measured is that, wherever the program lies later.

use std::{env, path::PathBuf, process::Command};

fn main() {
    let git = |args: &[&str]| {
        let said = Command::new("git").args(args).output().ok()?;
        said.status.success().then(|| String::from_utf8_lossy(&said.stdout).trim().to_owned())
    };
    let commit = git(&["rev-parse", "--short", "HEAD"]).unwrap_or_else(|| "an unknown commit".to_owned());
    let changed =
        git(&["status", "--porcelain", "--untracked-files=no"]).is_some_and(|changes| !changes.is_empty());
    println!("cargo::rustc-env=COMPARE_COMMIT={commit}{}", if changed { "+" } else { "" });
    // target/PROFILE/build/compare-…/out
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    let profile = out.ancestors().nth(3).and_then(|folder| folder.file_name());
    println!("cargo::rustc-env=COMPARE_PROFILE={}", profile.unwrap_or_default().to_string_lossy());
    // Whatever is compiled anew may be of another commit.
    println!("cargo::rerun-if-changed=../../../src");
    println!("cargo::rerun-if-changed=src");
    println!("cargo::rerun-if-changed=../../../.git/logs/HEAD");
}
