//! The binary: all it does stands in the library.

fn main() {}
