//! How soon the allocator gives memory back that nobody uses.

use std::{env, ffi::c_long};

use libmimalloc_sys::{mi_option_set, mi_option_t};

/// `mi_option_purge_delay` in mimalloc's `mimalloc.h`, which its crate does not name.
const PURGE_DELAY: mi_option_t = 15;

/// How long it keeps such memory, in milliseconds. By itself mimalloc keeps it for a second, and while ten million activities were
/// searched that was 20 MB more at the most, for pages and charts that were no faster (`compare --only search`).
const SOON: c_long = 10;

/// Lets the allocator give back soon what was let go, unless its own variable says otherwise. To be called before there are threads.
#[expect(unsafe_code, reason = "it is mimalloc's, which is set by a call of C")]
pub(super) fn give_back_soon() {
    if env::var_os("MIMALLOC_PURGE_DELAY").is_none() {
        // SAFETY: it stores a number, which mimalloc reads whenever it lets go; nothing else runs yet.
        unsafe { mi_option_set(PURGE_DELAY, SOON) };
    }
}

#[cfg(test)]
mod tests {
    use libmimalloc_sys::mi_option_get;

    use super::*;

    #[test]
    #[expect(unsafe_code, reason = "as above")]
    fn the_option_is_the_one_that_it_is_taken_for() {
        if env::var_os("MIMALLOC_PURGE_DELAY").is_none() {
            // SAFETY: it reads a number. No other of its options is a second by itself.
            assert_eq!(unsafe { mi_option_get(PURGE_DELAY) }, 1000);
        }
    }
}
