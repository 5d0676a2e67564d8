//! What the product does: it knows what is kept, and nothing of how it is reached.

pub mod agent;
