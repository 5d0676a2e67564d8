//! Numbers turned into SVG: presentation attributes and classes only, so that the strict content policy holds.

pub mod chart;
pub mod map;
pub mod qr;
