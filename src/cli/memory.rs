//! How soon the allocator gives memory back that nobody uses.

use std::{
    env,
    ffi::{CString, NulError, OsStr},
    os::unix::ffi::OsStrExt as _,
};

use nix::unistd::execve;

/// Where mimalloc looks, as it is loaded, for how long it keeps such memory, in milliseconds.
const VARIABLE: &str = "MIMALLOC_PURGE_DELAY";

/// By itself it is a second. With ten million activities that is 20 MB more at the most while they are searched and 50 MB while a
/// thousand a second are taken in, and nothing is faster for it (`compare --only search`, `--only steady`).
const SOON: &str = "10";

/// Begins this program anew in the same process, with the allocator told, unless somebody has told it already. There is no other
/// way without unsafe code, and it takes two milliseconds. Where the system has reasons against it, all goes on as it is.
pub(super) fn give_back_soon() {
    if env::var_os(VARIABLE).is_none() {
        // It comes back only where it failed.
        let _ = anew();
    }
}

fn anew() -> Result<(), Box<dyn std::error::Error>> {
    let program = text([env::current_exe()?.as_os_str()])?;
    let arguments = env::args_os().map(|argument| text([&argument])).collect::<Result<Vec<_>, _>>()?;
    let told = [(VARIABLE.into(), SOON.into())];
    let variables = env::vars_os()
        .chain(told)
        .map(|(name, value)| text([name.as_os_str(), OsStr::new("="), value.as_os_str()]))
        .collect::<Result<Vec<_>, _>>()?;
    match execve(&program, &arguments, &variables)? {}
}

/// These, one behind the other, as the system takes them.
fn text<const PARTS: usize>(parts: [&OsStr; PARTS]) -> Result<CString, NulError> {
    CString::new(parts.map(OsStr::as_bytes).concat())
}
