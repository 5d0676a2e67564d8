//! What proxies write of the addresses before them: `X-Forwarded-For`, and `Forwarded` of RFC 7239.

/// The hops of the lines of an `X-Forwarded-For`, as they are written, nearest first.
pub(super) fn for_list<'a>(lines: &[&'a str]) -> impl Iterator<Item = &'a str> {
    lines.iter().rev().flat_map(|line| line.rsplit(',')).map(str::trim)
}

/// The `for=` of every element of a `Forwarded`, as it is written but for the quotes, nearest first. An element that says
/// nothing of it, or says it twice, is an empty text: a hop that nobody knows. None where a quote is never closed, because
/// then nobody can tell where an element ends.
pub(super) fn for_elements<'a>(lines: &[&'a str]) -> Option<Vec<&'a str>> {
    let mut hops = Vec::new();
    for line in lines {
        for element in split(line, ',')? {
            let mut named = split(element, ';')?.into_iter().filter_map(|pair| {
                let (name, value) = pair.split_once('=')?;
                name.trim().eq_ignore_ascii_case("for").then(|| bare(value.trim()))
            });
            let (first, second) = (named.next(), named.next());
            hops.push(first.filter(|_| second.is_none()).unwrap_or_default());
        }
    }
    hops.reverse();
    Some(hops)
}

/// Cuts a text at every `at` that stands outside quotes.
fn split(text: &str, at: char) -> Option<Vec<&str>> {
    let (mut parts, mut start, mut quoted, mut escaped) = (Vec::new(), 0, false, false);
    for (index, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ if c == at && !quoted => {
                parts.push(&text[start..index]);
                start = index + c.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    (!quoted).then_some(parts)
}

/// A value without its quotes. An address has nothing to escape, so what is escaped is left as it is and is none.
fn bare(value: &str) -> &str {
    value.strip_prefix('"').and_then(|inside| inside.strip_suffix('"')).unwrap_or(value)
}
