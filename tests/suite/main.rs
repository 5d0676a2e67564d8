//! Rollcall from outside: every call of the API with its good and its bad answers, every command, and what
//! survives a `kill -9`. One binary, because each more would link the web server and the index once more.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "in a test what was not expected ends it, with the line where it happened"
)]

mod accounts;
mod activity;
mod address;
mod binding;
mod bodies;
mod browser;
mod care;
mod clients;
mod clock;
mod cloudtrail;
mod commands;
mod crash;
mod doors;
mod durability;
mod evidence;
mod examples;
mod export;
mod full_disk;
mod fuzz;
mod gate;
mod guessing;
mod hooks;
mod house;
mod http;
mod ingest;
mod leaks;
mod load;
mod logout;
mod looks;
mod metrics;
mod openapi;
mod outbound;
mod outlets;
mod passkeys;
mod programs;
mod proxies;
mod races;
mod refusals;
mod requests;
mod retention;
mod rules;
mod scarce;
mod seal;
mod second_factor;
mod server;
mod sessions;
mod shippers;
mod signin;
mod slow;
mod step_up;
mod stream;
mod syslog;
mod tail;
mod tls;
mod tokens;
mod told;
