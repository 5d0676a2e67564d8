//! What was done, found again.
