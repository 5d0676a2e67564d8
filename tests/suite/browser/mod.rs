//! What people do, in real Chromium against the real program: each page's main path and each role.
//!
//! A journey ends with [`Browser::leave`]: the console must have stayed empty. Pages are measured at 360 px on the way.
//! Without chromedriver the journeys say so on stderr and are skipped; with `CI=true` they must run.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a journey that cannot go on fails, and says where")]

mod activity;
mod admin;
mod chromium;
mod first;
mod hostile;
mod house;
mod keyboard;
mod logout;
mod passkey;
mod plain;
mod profile;
mod roles;
mod sessions;

use chromium::{Browser, Chromium};
use house::{House, PASSWORD};
