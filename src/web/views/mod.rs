//! What the pages show: one struct per page with values that are ready to be displayed, and the template that
//! displays them. Nothing here asks a database, a clock or a request.
//!
//! A page renders whole with `render()`; each of its named blocks renders alone with `as_name().render()`, and
//! that is the answer to a request with the header `Fragment: name`.

pub mod access;
pub mod account;
pub mod activity;
pub mod address;
pub mod apps;
pub mod frame;
pub mod help;
pub mod hook;
pub mod marks;
pub mod notice;
pub mod parts;
pub mod record;
pub mod reference;
pub mod search;
pub mod second_factor;
pub mod session;
pub mod sessions;
pub mod settings;
pub mod step_up;
pub mod text;
pub mod tokens;
pub mod told;
pub mod users;

#[cfg(test)]
mod gallery;
#[cfg(test)]
mod rules;

pub use frame::{Frame, Notice, Page, Tone, Who};
