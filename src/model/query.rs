//! The grammar of the search box.

/// What was typed in the search box, understood.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Query {}
