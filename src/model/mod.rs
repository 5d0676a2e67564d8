//! The ground floor: plain values that know how to be parsed, compared and shown, and nothing else.
//!
//! No input or output, no clock, no serialisation, no framework. What is stored has its own form in
//! [`crate::store`], what is sent has its own in [`crate::web`].

pub mod activity;
pub mod app;
pub mod bond;
pub mod checkpoint;
pub mod country;
pub mod demand;
pub mod device;
pub mod facet;
pub mod filter;
pub mod hook;
pub mod horizon;
pub mod id;
pub mod inclusion;
pub mod index;
pub mod note;
pub mod noun;
pub mod onward;
pub mod passkey;
pub mod period;
pub mod place;
pub mod query;
pub mod retention;
pub mod seal;
pub mod secret;
pub mod session;
pub mod site;
pub mod token;
pub mod totp;
pub mod tree;
pub mod user;
