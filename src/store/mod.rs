//! Where everything is kept.

pub mod index;
