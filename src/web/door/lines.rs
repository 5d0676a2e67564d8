//! Headers by their names, found in one walk over all that came.
//!
//! The framework's table hashes a name letter by letter at each look-up. A check of forward-auth asks for some twenty headers,
//! most of which did not come, and that was a third of what it took; a walk compares lengths, and hardly ever letters.

use std::borrow::Cow;

use rocket::Request;

/// What stands under a name.
#[derive(Clone, Copy, Debug)]
pub(in crate::web) struct Line<'r> {
    pub(in crate::web) name: &'static str,
    /// The value of the first line of this name, if there is one.
    pub(in crate::web) first: Option<&'r str>,
    /// Whether there are more.
    pub(in crate::web) again: bool,
}

impl<'r> Line<'r> {
    /// The values of all lines of this name, in their order.
    pub(in crate::web) fn all(self, request: &'r Request<'_>) -> impl Iterator<Item = &'r str> {
        let more = if self.again { Some(request.headers().get(self.name).skip(1)) } else { None };
        self.first.into_iter().chain(more.into_iter().flatten())
    }
}

/// The lines of these names, each in its place.
pub(in crate::web) fn lines<'r, const N: usize>(
    request: &'r Request<'_>,
    names: [&'static str; N],
) -> [Line<'r>; N] {
    let headers = request.headers();
    let mut lines = names.map(|name| Line { name, first: None, again: false });
    for header in headers.iter() {
        let Some(line) = lines.iter_mut().find(|line| header.name() == line.name) else { continue };
        line.again = line.first.is_some();
        if line.first.is_none() {
            line.first = match header.value {
                Cow::Borrowed(value) => Some(value),
                Cow::Owned(_) => headers.get_one(line.name),
            };
        }
    }
    lines
}
