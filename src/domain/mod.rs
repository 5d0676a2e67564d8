//! What the product does. It knows the store and the model, and nothing of how it is reached.

pub mod agent;
pub mod geo;
