//! Facets: which values a field of the activities has, and how often.

/// What activities can be told apart by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields of an activity")]
pub enum FacetField {
    User,
    App,
    Action,
    Outcome,
    Country,
    City,
    Device,
    Os,
    Browser,
}

impl FacetField {
    /// Every field.
    pub const ALL: [Self; 9] = [
        Self::User,
        Self::App,
        Self::Action,
        Self::Outcome,
        Self::Country,
        Self::City,
        Self::Device,
        Self::Os,
        Self::Browser,
    ];
}

/// A value and how often it occurs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facet {
    /// In its most frequent spelling.
    pub value: String,
    /// How many activities have it, in any case.
    pub count: u64,
}
