//! The whole file as one that can be carried away, and back again.
//!
//! ```text
//! backup    "rollcall backup 1\n", then frames
//! frame     kind (1 byte), length (4 bytes, big-endian), payload packed with zstd, SHA-256 (32 bytes)
//! kinds     H: format of the data file (4 bytes), version that wrote it (text)
//!           T: name of a table; R: rows of it, each key and value behind their lengths (4 bytes each)
//!           E: how many rows there were (8 bytes)
//! ```
//!
//! Each sum is over all that stands before it, so nothing can be changed, left out, moved or cut off unseen, and nothing
//! is looked at before its sum was. What is in it is one moment of the file, however much is written meanwhile.

use std::{
    fs,
    io::{self, Write},
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
};

use redb::{
    Key, ReadableTable, ReadableTableMetadata, TableDefinition, TableHandle, Value, WriteTransaction,
};
use sha2::{Digest, Sha256};

use super::{
    OpenError, Read, StoreError,
    disk::Disk,
    tables::{FORMAT, every_table},
};

const MAGIC: &[u8] = b"rollcall backup 1\n";

/// From how many bytes on rows become a frame.
const FRAME: usize = 1 << 20;

/// The most bytes of a frame, packed or not: what is larger was not written by us.
const MOST: usize = 16 << 20;

/// zstd's own default: three times as small, and faster than disks are.
const LEVEL: i32 = 3;

/// Why a backup was not written or not believed.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// It could not be read or written.
    #[error("the backup could not be read or written: {0}")]
    Io(#[from] io::Error),
    /// It is none.
    #[error("this is no backup of rollcall's")]
    Foreign,
    /// It was cut off or changed.
    #[error("the backup is damaged after {0} rows: {1}")]
    Damaged(u64, &'static str),
    /// The data file failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The data file could not be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
}

/// Told how many rows are done, and of how many if that is known.
pub type Progress<'a> = &'a mut dyn FnMut(u64, Option<u64>);

/// Writes one moment of the file down. How many rows there were.
pub fn write(read: &Read, out: &mut dyn Write, progress: Progress<'_>) -> Result<u64, BackupError> {
    let mut total = 0;
    every_table!(add_length, read, &mut total);
    let mut packer = Packer { out, sum: Sha256::new(), rows: Vec::new(), done: 0, total, progress };
    packer.put(MAGIC)?;
    packer.frame(b'H', &[&FORMAT.to_be_bytes()[..], env!("CARGO_PKG_VERSION").as_bytes()].concat())?;
    every_table!(pack, read, &mut packer);
    let done = packer.done;
    packer.frame(b'E', &done.to_be_bytes())?;
    packer.out.flush()?;
    Ok(done)
}

fn add_length<K: Key + 'static, V: Value + 'static>(
    read: &Read,
    total: &mut u64,
    table: TableDefinition<K, V>,
) -> Result<(), StoreError> {
    let table = read.transaction.open_table(table).map_err(StoreError::file)?;
    *total += table.len().map_err(StoreError::file)?;
    Ok(())
}

struct Packer<'a> {
    out: &'a mut dyn Write,
    sum: Sha256,
    rows: Vec<u8>,
    done: u64,
    total: u64,
    progress: Progress<'a>,
}

impl Packer<'_> {
    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.sum.update(bytes);
        self.out.write_all(bytes)
    }

    fn frame(&mut self, kind: u8, payload: &[u8]) -> io::Result<()> {
        let packed = zstd::bulk::compress(payload, LEVEL)?;
        self.put(&[kind])?;
        self.put(&u32::try_from(packed.len()).map_err(io::Error::other)?.to_be_bytes())?;
        self.put(&packed)?;
        let sum = self.sum.clone().finalize();
        self.put(&sum)
    }

    fn row(&mut self, key: &[u8], value: &[u8]) -> io::Result<()> {
        for bytes in [key, value] {
            let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
            self.rows.extend_from_slice(&length.to_be_bytes());
            self.rows.extend_from_slice(bytes);
        }
        self.done += 1;
        if self.rows.len() >= FRAME { self.finish_rows() } else { Ok(()) }
    }

    fn finish_rows(&mut self) -> io::Result<()> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let rows = std::mem::take(&mut self.rows);
        self.frame(b'R', &rows)?;
        (self.progress)(self.done, Some(self.total));
        Ok(())
    }
}

fn pack<K: Key + 'static, V: Value + 'static>(
    read: &Read,
    packer: &mut Packer<'_>,
    table: TableDefinition<K, V>,
) -> Result<(), BackupError> {
    let rows = read.transaction.open_table(table).map_err(StoreError::file)?;
    pack_rows(table.name(), &rows, packer)
}

fn pack_rows<K: Key + 'static, V: Value + 'static>(
    name: &str,
    table: &impl ReadableTable<K, V>,
    packer: &mut Packer<'_>,
) -> Result<(), BackupError> {
    packer.frame(b'T', name.as_bytes())?;
    for row in table.iter().map_err(StoreError::file)? {
        let (key, value) = row.map_err(StoreError::file)?;
        packer.row(K::as_bytes(&key.value()).as_ref(), V::as_bytes(&value.value()).as_ref())?;
    }
    Ok(packer.finish_rows()?)
}

/// Makes a data file in `folder`, which has none, of a backup. How many rows that were. Nothing of it is believed before
/// its sum was held against it; the records in it are still to be [checked](Read::check).
pub fn unpack(input: &mut dyn io::Read, folder: &Path, progress: Progress<'_>) -> Result<u64, BackupError> {
    let mut frames = Frames { input, sum: Sha256::new() };
    let mut magic = [0; MAGIC.len()];
    frames.take(&mut magic, 0).map_err(|_| BackupError::Foreign)?;
    if magic != MAGIC {
        return Err(BackupError::Foreign);
    }
    let disk = Disk::open(folder)?;
    let (mut rows, mut table, mut headed) = (0, String::new(), false);
    loop {
        let (kind, payload) = frames.next(rows)?;
        let odd = || BackupError::Damaged(rows, "it has something in it that does not belong there");
        match kind {
            b'H' if !headed => {
                headed = true;
                let (format, by) = payload.split_first_chunk().ok_or_else(odd)?;
                let found = u32::from_be_bytes(*format);
                if found > FORMAT {
                    let by = String::from_utf8_lossy(by).into_owned();
                    return Err(OpenError::Newer { found, by, known: FORMAT }.into());
                }
            }
            // Nobody would know which version it is of.
            _ if !headed => return Err(odd()),
            b'T' => table = String::from_utf8(payload).map_err(|_| odd())?,
            b'R' => {
                let filled = catch_unwind(AssertUnwindSafe(|| insert(&disk, &table, &payload)));
                rows += filled.map_err(|_| odd())??.ok_or_else(odd)?;
                progress(rows, None);
            }
            b'E' if payload == rows.to_be_bytes() => break,
            _ => return Err(odd()),
        }
    }
    if frames.input.read(&mut [0])? > 0 {
        return Err(BackupError::Damaged(rows, "something was added behind its end"));
    }
    drop(disk);
    fs::File::open(folder)?.sync_all()?;
    Ok(rows)
}

/// The frames of a backup, each held against its sum.
struct Frames<'a> {
    input: &'a mut dyn io::Read,
    sum: Sha256,
}

impl Frames<'_> {
    fn take(&mut self, into: &mut [u8], rows: u64) -> Result<(), BackupError> {
        self.input.read_exact(into).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => BackupError::Damaged(rows, "it was cut off"),
            _ => error.into(),
        })?;
        self.sum.update(&*into);
        Ok(())
    }

    fn next(&mut self, rows: u64) -> Result<(u8, Vec<u8>), BackupError> {
        let damaged = || BackupError::Damaged(rows, "it is not as it was written");
        let mut head = [0; 5];
        self.take(&mut head, rows)?;
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
        if length > MOST {
            return Err(damaged());
        }
        let mut packed = vec![0; length];
        self.take(&mut packed, rows)?;
        let expected = self.sum.clone().finalize();
        let mut sum = [0; 32];
        self.take(&mut sum, rows)?;
        if sum[..] != expected[..] {
            return Err(damaged());
        }
        Ok((head[0], zstd::bulk::decompress(&packed, MOST).map_err(|_| damaged())?))
    }
}

/// Rows of a table, as they stand in a frame.
struct Rows<'a> {
    transaction: &'a WriteTransaction,
    table: &'a str,
    bytes: &'a [u8],
}

/// Puts rows into their table. How many there were; none if there is no such table, or they are none of it.
fn insert(disk: &Disk, table: &str, rows: &[u8]) -> Result<Option<u64>, StoreError> {
    let transaction = disk.write()?;
    let mut inserted = None;
    let rows = Rows { transaction: &transaction, table, bytes: rows };
    every_table!(insert_into, &rows, &mut inserted);
    transaction.commit().map_err(StoreError::file)?;
    Ok(inserted)
}

fn insert_into<K: Key + 'static, V: Value + 'static>(
    rows: &Rows<'_>,
    inserted: &mut Option<u64>,
    definition: TableDefinition<K, V>,
) -> Result<(), StoreError> {
    if definition.name() != rows.table {
        return Ok(());
    }
    let mut table = rows.transaction.open_table(definition).map_err(StoreError::file)?;
    let (mut left, mut count) = (rows.bytes, 0);
    while !left.is_empty() {
        let Some((key, value, rest)) = part(left).and_then(|(key, rest)| {
            let (value, rest) = part(rest)?;
            Some((key, value, rest))
        }) else {
            return Ok(());
        };
        let fits = |width: Option<usize>, bytes: &[u8]| width.is_none_or(|width| width == bytes.len());
        if !fits(K::fixed_width(), key) || !fits(V::fixed_width(), value) {
            return Ok(());
        }
        table.insert(K::from_bytes(key), V::from_bytes(value)).map_err(StoreError::file)?;
        (left, count) = (rest, count + 1);
    }
    *inserted = Some(count);
    Ok(())
}

/// What stands behind its length, and the rest.
fn part(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    rest.split_at_checked(u32::from_be_bytes(*length) as usize)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use redb::{Database, ReadTransaction, ReadableDatabase as _, TableError};

    use super::*;
    use crate::{
        model::id::ActivityId,
        store::{Credential, FILE, Store, Users as _},
    };

    fn pack_if_there<K: Key + 'static, V: Value + 'static>(
        read: &ReadTransaction,
        packer: &mut Packer<'_>,
        table: TableDefinition<K, V>,
    ) -> Result<(), BackupError> {
        // As they were before the sixth format, if not as they are.
        let is_there = pack_as::<K, V>(read, packer, table.name())?
            || pack_as::<K, &str>(read, packer, table.name())?
            || pack_as::<K, i64>(read, packer, table.name())?
            || pack_as::<K, (u64, u64)>(read, packer, table.name())?;
        assert!(is_there, "{}", table.name());
        Ok(())
    }

    fn pack_as<K: Key + 'static, V: Value + 'static>(
        read: &ReadTransaction,
        packer: &mut Packer<'_>,
        table: &str,
    ) -> Result<bool, BackupError> {
        match read.open_table(TableDefinition::<K, V>::new(table)) {
            Err(TableError::TableDoesNotExist(_)) => Ok(true),
            Err(TableError::TableTypeMismatch { .. }) => Ok(false),
            opened => pack_rows(table, &opened.unwrap(), packer).map(|()| true),
        }
    }

    /// A folder as a version left it whose data file had the second format.
    fn folder_of_the_second_format() -> io::Result<tempfile::TempDir> {
        let fixture = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/folders/format2.redb.zst");
        let folder = tempfile::tempdir()?;
        let data = zstd::decode_all(fs::read(fixture)?.as_slice())?;
        fs::write(folder.path().join(FILE), data)?;
        Ok(folder)
    }

    /// A backup as that version wrote it.
    fn of_the_second_format() -> Result<Vec<u8>, BackupError> {
        let folder = folder_of_the_second_format()?;
        let database = Database::open(folder.path().join(FILE)).unwrap();
        let read = database.begin_read().unwrap();
        let mut backup = Vec::new();
        let (sum, mut quietly) = (Sha256::new(), |_, _| {});
        let mut packer =
            Packer { out: &mut backup, sum, rows: Vec::new(), done: 0, total: 0, progress: &mut quietly };
        packer.put(MAGIC)?;
        packer.frame(b'H', &[&2_u32.to_be_bytes()[..], b"0.1.0"].concat())?;
        every_table!(pack_if_there, &read, &mut packer);
        let done = packer.done;
        packer.frame(b'E', &done.to_be_bytes())?;
        Ok(backup)
    }

    #[test]
    fn a_backup_of_an_earlier_format_comes_back_upgraded_and_proves_itself() {
        let backup = of_the_second_format().unwrap();
        let folder = tempfile::tempdir().unwrap();
        unpack(&mut backup.as_slice(), folder.path(), &mut |_, _| {}).unwrap();
        is_upgraded(folder.path());
    }

    #[test]
    fn a_folder_of_an_earlier_format_is_upgraded_where_it_is_and_proves_itself() {
        is_upgraded(folder_of_the_second_format().unwrap().path());
    }

    fn is_upgraded(folder: &Path) {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let store = Store::open(folder, now, || [7; 16]).unwrap();
        let read = store.snapshot().unwrap();
        assert_eq!(read.users().unwrap().len(), 2);
        for (name, Credential(phc)) in read.credentials().unwrap() {
            assert!(phc.starts_with("$argon2id$"), "{name}: {phc}");
        }
        assert_eq!(read.check(&mut |_| {}).unwrap(), 412);
        assert_eq!(read.activities_after(ActivityId(0), usize::MAX).unwrap().len(), 412);
        assert!(read.prove(&[], &mut |_, _| {}).unwrap().faults.is_empty());
    }

    #[test]
    fn a_backup_says_first_and_once_of_which_format_it_is() {
        let made = |heads: usize| {
            let (mut backup, sum, mut quietly) = (Vec::new(), Sha256::new(), |_, _| {});
            let mut packer =
                Packer { out: &mut backup, sum, rows: Vec::new(), done: 0, total: 0, progress: &mut quietly };
            packer.put(MAGIC).unwrap();
            for _ in 0..heads {
                packer.frame(b'H', &FORMAT.to_be_bytes()).unwrap();
            }
            packer.frame(b'T', b"users").unwrap();
            packer.frame(b'E', &0_u64.to_be_bytes()).unwrap();
            let folder = tempfile::tempdir().unwrap();
            unpack(&mut backup.as_slice(), folder.path(), &mut |_, _| {})
        };
        assert_eq!(made(1).unwrap(), 0);
        for heads in [0, 2] {
            assert!(matches!(made(heads), Err(BackupError::Damaged(0, _))), "{heads}");
        }
    }
}
