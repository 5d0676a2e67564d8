//! Makes databases that nobody ships: every address has the one record given.

/// A database of `ip_version` 4 or 6 that calls itself `database_type`.
pub(super) fn database(database_type: &str, ip_version: u8, record: &[u8]) -> Vec<u8> {
    // One node; both its records lead to the start of the data: 1 node, 16 bytes between.
    let tree = [0, 0, 17, 0, 0, 17];
    let number = |kind: u8, value: u8| match kind {
        0..8 => vec![(kind << 5) | 1, value],
        _ => vec![1, kind - 7, value],
    };
    let metadata = map(&[
        ("binary_format_major_version", number(5, 2)),
        ("binary_format_minor_version", number(5, 0)),
        ("build_epoch", number(9, 1)),
        ("database_type", text(database_type)),
        ("description", map::<&str>(&[])),
        ("ip_version", number(5, ip_version)),
        ("languages", array(&[])),
        ("node_count", number(6, 1)),
        ("record_size", number(5, 24)),
    ]);
    [&tree, &[0; 16][..], record, b"\xab\xcd\xefMaxMind.com", &metadata].concat()
}

pub(super) fn text(text: &str) -> Vec<u8> {
    [head(2, text.len()), text.as_bytes().to_vec()].concat()
}

pub(super) fn double(value: f64) -> Vec<u8> {
    [head(3, 8), value.to_be_bytes().to_vec()].concat()
}

pub(super) fn float(value: f32) -> Vec<u8> {
    [head(15, 4), value.to_be_bytes().to_vec()].concat()
}

pub(super) fn map<K: AsRef<str>>(entries: &[(K, Vec<u8>)]) -> Vec<u8> {
    let entries: Vec<_> =
        entries.iter().flat_map(|(key, value)| [text(key.as_ref()), value.clone()]).collect();
    [head(7, entries.len() / 2), entries.concat()].concat()
}

pub(super) fn array(items: &[Vec<u8>]) -> Vec<u8> {
    [head(11, items.len()), items.concat()].concat()
}

/// A pointer to a place in the data, in its longest form.
pub(super) fn pointer(at: u32) -> Vec<u8> {
    [vec![0x38], at.to_be_bytes().to_vec()].concat()
}

/// Type and size; sizes as in the format's own text: up to 28, then in one, two or three bytes more.
fn head(kind: u8, size: usize) -> Vec<u8> {
    let (short, rest) = match size {
        0..29 => (u8::try_from(size).unwrap(), vec![]),
        29..285 => (29, vec![u8::try_from(size - 29).unwrap()]),
        285..65_821 => (30, u16::try_from(size - 285).unwrap().to_be_bytes().to_vec()),
        _ => (31, u32::try_from(size - 65_821).unwrap().to_be_bytes()[1..].to_vec()),
    };
    match kind {
        0..8 => [vec![(kind << 5) | short], rest].concat(),
        _ => [vec![short, kind - 7], rest].concat(),
    }
}
