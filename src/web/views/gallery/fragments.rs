//! What the fragments say, word for word.
