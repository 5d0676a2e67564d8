//! The city database as it is inside the binary, packed; `data/README.md` says what it is and how it is made.
//!
//! Pages of the binary that were read stay resident while the process lives: 16 MB for something needed once. So
//! it is read from the binary's file instead, which the kernel can tell: no address of it is touched.

use std::{
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom},
};

static PACKED: &[u8] = include_bytes!("../../../data/city.mmdb.zst");

/// The SHA-256 of the unpacked database, in hexadecimal.
pub(super) const UNPACKED_SHA256: &str = include_str!("../../../data/city.mmdb.sha256").trim_ascii_end();

/// The packed database, from the binary's file or, where that cannot be had, from memory.
pub(super) fn reader() -> Box<dyn Read> {
    match from_file() {
        Ok(Some(file)) => Box::new(file),
        Ok(None) | Err(_) => Box::new(PACKED),
    }
}

fn from_file() -> io::Result<Option<impl Read>> {
    let maps = fs::read_to_string("/proc/self/maps")?;
    let Some(offset) = offset_in_file(&maps, PACKED.as_ptr().addr(), PACKED.len()) else { return Ok(None) };
    let mut file = File::open("/proc/self/exe")?;
    file.seek(SeekFrom::Start(offset))?;
    Ok(Some(file.take(PACKED.len() as u64)))
}

/// Where in its file a piece of mapped memory is, from lines like `start-end r--p offset device inode path`.
fn offset_in_file(maps: &str, address: usize, bytes: usize) -> Option<u64> {
    maps.lines().find_map(|line| {
        let mut fields = line.split_ascii_whitespace();
        let (start, end) = fields.next()?.split_once('-')?;
        let (start, end) = (usize::from_str_radix(start, 16).ok()?, usize::from_str_radix(end, 16).ok()?);
        let offset = u64::from_str_radix(fields.nth(1)?, 16).ok()?;
        let holds_all = start <= address && address.checked_add(bytes)? <= end;
        holds_all.then(|| offset + (address - start) as u64)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_from_the_file_is_what_is_in_memory() {
        let mut read = Vec::new();
        from_file().unwrap().expect("the kernel says where").read_to_end(&mut read).unwrap();
        assert!(read == PACKED);
    }

    #[test]
    fn an_offset_is_counted_from_where_the_file_is_mapped() {
        let maps = "1000-3000 r--p 00000000 fd:00 7 /bin/x\n3000-9000 r-xp 00005000 fd:00 7 /bin/x\n";
        assert_eq!(offset_in_file(maps, 0x4000, 0x100), Some(0x6000));
        assert_eq!(offset_in_file(maps, 0x8fff, 2), None);
    }
}
