//! Rollcall tells who is signed in, from where and on what, ends any session at once, and finds and exports
//! what anybody did.

pub mod cli;
pub mod config;
pub mod domain;
pub mod model;
pub mod store;
pub mod web;
