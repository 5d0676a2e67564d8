//! Numbers and slices in bytes: the alphabet that blocks and dictionaries are written in.
//!
//! A number takes a byte for every seven bits (LEB128). A signed one is folded first, so that small ones of either
//! sign are short (zigzag).

use crate::store::StoreError;

/// What is said of bytes that do not say what they should.
const TABLE: &str = "the log";

/// Appends a number.
pub(super) fn put(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    out.push(number.to_le_bytes()[0]);
}

/// Appends a number that may be negative.
pub(super) fn put_signed(out: &mut Vec<u8>, number: i64) {
    put(out, (number << 1 ^ number >> 63).cast_unsigned());
}

/// Appends bytes behind their length.
pub(super) fn put_slice(out: &mut Vec<u8>, bytes: &[u8]) {
    put(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Bytes that are read from the front. Whatever they hold, reading them fails and never panics.
#[derive(Clone, Copy)]
pub(super) struct Input<'a>(pub(super) &'a [u8]);

impl<'a> Input<'a> {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    #[inline]
    pub(super) fn number(&mut self) -> Result<u64, StoreError> {
        // Most are small, and a look into a block reads hundreds.
        match self.0 {
            [byte, rest @ ..] if *byte < 0x80 => {
                self.0 = rest;
                Ok(u64::from(*byte))
            }
            _ => self.long_number(),
        }
    }

    fn long_number(&mut self) -> Result<u64, StoreError> {
        let mut number = 0;
        for (at, byte) in self.0.iter().enumerate().take(10) {
            number |= u64::from(byte & 0x7f) << (7 * at);
            if byte & 0x80 == 0 {
                self.0 = &self.0[at + 1..];
                return Ok(number);
            }
        }
        Err(damaged())
    }

    pub(super) fn signed(&mut self) -> Result<i64, StoreError> {
        let folded = self.number()?;
        Ok((folded >> 1).cast_signed() ^ -(folded & 1).cast_signed())
    }

    /// A number that counts something in memory.
    pub(super) fn size(&mut self) -> Result<usize, StoreError> {
        usize::try_from(self.number()?).map_err(|_| damaged())
    }

    pub(super) fn take(&mut self, length: usize) -> Result<&'a [u8], StoreError> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or_else(damaged)?;
        self.0 = rest;
        Ok(taken)
    }

    /// Bytes behind their length.
    pub(super) fn slice(&mut self) -> Result<&'a [u8], StoreError> {
        let length = self.size()?;
        self.take(length)
    }

    /// All that is left.
    pub(super) fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }
}

/// Something in the log is not as it was written.
pub(super) const fn damaged() -> StoreError {
    StoreError::Damaged(TABLE)
}

/// Puts the version and the check sum before a value: a byte, and the CRC-32 of the version and the rest.
pub(super) fn seal(version: u8, value: &mut [u8]) {
    value[0] = version;
    let sum = checksum(version, &value[HEAD..]);
    value[1..HEAD].copy_from_slice(&sum.to_le_bytes());
}

/// The value behind its version and check sum, if it is as it was written.
///
/// redb checks nothing on read. CRC-32 finds every burst of up to 32 bits, costs 0.3 us for a page, and takes 4 bytes
/// of it; proof against somebody who means harm is not its business.
pub(super) fn open(version: u8, value: &[u8]) -> Result<Input<'_>, StoreError> {
    let (head, rest) = value.split_at_checked(HEAD).ok_or_else(damaged)?;
    if head[0] != version || head[1..] != checksum(version, rest).to_le_bytes() {
        return Err(damaged());
    }
    Ok(Input(rest))
}

/// How many bytes [`seal`] fills.
pub(super) const HEAD: usize = 5;

fn checksum(version: u8, rest: &[u8]) -> u32 {
    let mut sum = crc32fast::Hasher::new();
    sum.update(&[version]);
    sum.update(rest);
    sum.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_any_size_are_read_as_they_were_written() {
        for number in [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX] {
            let mut bytes = Vec::new();
            put(&mut bytes, number);
            put_signed(&mut bytes, number.cast_signed());
            let mut input = Input(&bytes);
            assert_eq!(input.number().unwrap(), number);
            assert_eq!(input.signed().unwrap(), number.cast_signed());
            assert!(input.is_empty());
        }
        for number in [-1, -64, -65, i64::MIN] {
            let mut bytes = Vec::new();
            put_signed(&mut bytes, number);
            assert_eq!(Input(&bytes).signed().unwrap(), number);
        }
    }

    #[test]
    fn bytes_that_end_too_early_are_damage() {
        assert!(Input(&[]).number().is_err());
        assert!(Input(&[0x80; 11]).number().is_err());
        assert!(Input(&[5, 1, 2]).slice().is_err());
        let mut value = vec![0; HEAD];
        put_slice(&mut value, b"abc");
        seal(7, &mut value);
        assert_eq!(open(7, &value).unwrap().slice().unwrap(), b"abc");
        for bit in 0..value.len() * 8 {
            let mut damaged = value.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(open(7, &damaged).is_err(), "bit {bit}");
        }
    }
}
