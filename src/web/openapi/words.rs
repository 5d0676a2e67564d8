//! Words of closed sets, as the document lists them.

use std::borrow::Cow;

use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        RefOr, Type,
        schema::{ObjectBuilder, Schema},
    },
};

use crate::model::{
    activity::Outcome,
    app::HeaderFamily,
    demand::Demand,
    filter::Order,
    period::Period,
    session::{EndedBy, State},
    token::TokenScope,
    user::Role,
};

/// A text that is one of these words.
pub(in crate::web) fn one_of(words: impl IntoIterator<Item = &'static str>) -> Schema {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words)).into()
}

macro_rules! words {
    ($($kind:ident: $all:expr, $about:literal;)*) => {$(
        impl PartialSchema for $kind {
            fn schema() -> RefOr<Schema> {
                let words = $all.into_iter().map(|word: Self| word.as_str());
                let schema = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words));
                schema.description(Some($about)).into()
            }
        }

        impl ToSchema for $kind {
            fn name() -> Cow<'static, str> {
                stringify!($kind).into()
            }
        }
    )*};
}

words! {
    Role: Self::ALL, "What a user may.";
    Demand: Self::ALL, "Of whom a second factor is demanded.";
    TokenScope: Self::ALL, "What a token opens.";
    Outcome: Self::ALL, "How an activity came out.";
    State: [Self::Active, Self::Ended], "Whether a session goes on.";
    EndedBy: Self::ALL, "What ended a session.";
    HeaderFamily: Self::ALL, "The names of the headers in which an app is told who is there.";
    Period: Self::ALL, "A stretch of time, in calendar months counted back from now.";
    Order: [Self::Desc, Self::Asc], "Newest first, or oldest first.";
}
