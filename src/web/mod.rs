//! How Rollcall is reached: pages and what is drawn on them.

pub mod draw;
pub mod views;
