//! Encodes values in the MaxMind DB format 2.0: a control byte of type and size, then the payload.

use rustc_hash::FxHashMap;

/// A data section that grows. What was written under a key once is pointed at from then on.
#[derive(Default)]
pub(crate) struct Data {
    pub(crate) bytes: Vec<u8>,
    written: FxHashMap<Vec<u8>, u32>,
}

/// Types of the format, by their numbers.
mod kind {
    pub(super) const POINTER: u8 = 1;
    pub(super) const STRING: u8 = 2;
    pub(super) const DOUBLE: u8 = 3;
    pub(super) const U16: u8 = 5;
    pub(super) const U32: u8 = 6;
    pub(super) const MAP: u8 = 7;
    pub(super) const U64: u8 = 9;
    pub(super) const ARRAY: u8 = 11;
}

impl Data {
    /// Appends a value and tells where it stands; a value that stands already is not written again.
    pub(crate) fn keep(&mut self, value: Vec<u8>) -> u32 {
        let next = u32::try_from(self.bytes.len()).expect("a data section has at most 2^32 bytes");
        match self.written.get(&value) {
            Some(at) => *at,
            None => {
                self.bytes.extend_from_slice(&value);
                self.written.insert(value, next);
                next
            }
        }
    }

    /// A pointer to a kept value, or the value itself where that is shorter.
    pub(crate) fn refer(&mut self, value: Vec<u8>) -> Vec<u8> {
        if value.len() <= 2 {
            return value;
        }
        let at = self.keep(value);
        pointer(at)
    }
}

pub(crate) fn string(text: &str) -> Vec<u8> {
    [control(kind::STRING, text.len()), text.as_bytes().to_vec()].concat()
}

pub(crate) fn double(value: f64) -> Vec<u8> {
    [control(kind::DOUBLE, 8), value.to_be_bytes().to_vec()].concat()
}

pub(crate) fn u16(value: u16) -> Vec<u8> {
    unsigned(kind::U16, value.into())
}

pub(crate) fn u32(value: u32) -> Vec<u8> {
    unsigned(kind::U32, value.into())
}

pub(crate) fn u64(value: u64) -> Vec<u8> {
    unsigned(kind::U64, value)
}

/// Keys and values that are encoded already.
pub(crate) fn map(entries: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = control(kind::MAP, entries.len());
    for (key, value) in entries {
        bytes.extend_from_slice(key);
        bytes.extend_from_slice(value);
    }
    bytes
}

pub(crate) fn array(items: &[Vec<u8>]) -> Vec<u8> {
    [control(kind::ARRAY, items.len()), items.concat()].concat()
}

/// Numbers are written without their leading zero bytes.
fn unsigned(kind: u8, value: u64) -> Vec<u8> {
    let bytes = value.to_be_bytes();
    let digits = &bytes[value.leading_zeros() as usize / 8..];
    [control(kind, digits.len()), digits.to_vec()].concat()
}

/// A pointer is shorter the nearer its target is to the start of the section.
fn pointer(at: u32) -> Vec<u8> {
    let head = |size: u8, top: u32| (kind::POINTER << 5) | (size << 3) | top as u8;
    let [a, b, c, d] = at.to_be_bytes();
    const TWO: u32 = 1 << 11;
    const THREE: u32 = TWO + (1 << 19);
    const FOUR: u32 = THREE + (1 << 27);
    match at {
        0..TWO => vec![head(0, at >> 8), d],
        TWO..THREE => {
            let [_, top, c, d] = (at - TWO).to_be_bytes();
            vec![head(1, top.into()), c, d]
        }
        THREE..FOUR => {
            let [top, b, c, d] = (at - THREE).to_be_bytes();
            vec![head(2, top.into()), b, c, d]
        }
        FOUR.. => vec![head(3, 0), a, b, c, d],
    }
}

/// Type and size. Types above seven follow in a byte of their own; sizes from 29 on in one to three bytes.
fn control(kind: u8, size: usize) -> Vec<u8> {
    let (short, rest) = match size {
        0..29 => (size as u8, Vec::new()),
        29..285 => (29, vec![(size - 29) as u8]),
        285..65_821 => (30, ((size - 285) as u16).to_be_bytes().to_vec()),
        _ => (31, ((size - 65_821) as u32).to_be_bytes()[1..].to_vec()),
    };
    let head = if kind < 8 { vec![(kind << 5) | short] } else { vec![short, kind - 7] };
    [head, rest].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The ranges are those of the format's text: each size begins where the one before it ends.
    #[test]
    fn pointers_begin_anew_with_each_size() {
        assert_eq!(pointer(0), [0x20, 0]);
        assert_eq!(pointer(2_047), [0x27, 0xff]);
        assert_eq!(pointer(2_048), [0x28, 0, 0]);
        assert_eq!(pointer(526_335), [0x2f, 0xff, 0xff]);
        assert_eq!(pointer(526_336), [0x30, 0, 0, 0]);
        assert_eq!(pointer(134_744_063), [0x37, 0xff, 0xff, 0xff]);
        assert_eq!(pointer(134_744_064), [0x38, 0x08, 0x08, 0x08, 0x00]);
    }

    #[test]
    fn values_are_as_the_format_has_them() {
        assert_eq!(string("en"), [0x42, b'e', b'n']);
        assert_eq!(u32(0), [0xc0]);
        assert_eq!(u64(0x0102), [0x02, 0x02, 1, 2]);
        assert_eq!(array(&[string("")]), [0x01, 0x04, 0x40]);
        assert_eq!(string(&"x".repeat(29))[..2], [0x5d, 0]);
        assert_eq!(string(&"x".repeat(285))[..3], [0x5e, 0, 0]);
    }
}
