#![doc = include_str!("ARCHITECTURE.md")]

pub mod cli;
pub mod config;
pub mod domain;
pub mod model;
pub mod store;
pub mod web;
