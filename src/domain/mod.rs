//! What the product does. Knows the store and the model, never the web.

pub mod geo;
