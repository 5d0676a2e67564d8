//! Giving room back to the file system.
//!
//! redb uses the pages again that something left, but its file does not become smaller by itself, and it moves pages only
//! with the whole database to itself, for as long as that takes. So where a quarter of the file is free (after a removal, or
//! because much came in and has moved into volumes since), it is copied: first
//! what nobody but the keeper changes, the bulk of it, while everybody goes on; then, with the writer at rest, the
//! little that is left, some ten milliseconds. Then the copy takes the place of the file. Readers stay with the one they
//! began with.

use std::sync::{Arc, mpsc};

use redb::{
    Key, ReadTransaction, ReadableTable, ReadableTableMetadata, TableDefinition, TableHandle, Value,
    WriteTransaction,
};

use super::keeper::{HOT, Left, Work};
use crate::store::{
    StoreError,
    disk::Copy,
    tables::{KEY_CHUNKS, KEY_RUNS, LOG_BLOCKS, LOG_TILES, LOG_VOLUMES, every_table},
};

/// Below so many bytes a file is not worth the trouble.
const SMALL: u64 = 16 << 20;

/// How many entries of a table are copied in one transaction: 16 MB of pages.
const STEP: usize = 4096;

impl Work {
    /// Exchanges the file for a copy without its free pages, if those are a quarter of it or more.
    pub(super) fn give_back(&self) -> Result<(), Left> {
        let length = self.disk.length();
        let used = self.used()?;
        if length < SMALL || length - length / 4 < used {
            return Ok(());
        }
        if self.disk.free_bytes().is_some_and(|free| free < used + used / 8) {
            log::warn!(
                "{length} bytes could be made {used}, but a copy does not fit on the disk beside them"
            );
            return Ok(());
        }
        while self.bind(HOT)? {}
        let Some(copy) = self.disk.copy().map_err(|error| Left::Copy(error.to_string()))? else {
            return Ok(());
        };
        let read = self.disk.read()?;
        self.copy_table(&read, &copy, LOG_BLOCKS)?;
        self.copy_table(&read, &copy, LOG_VOLUMES)?;
        self.copy_table(&read, &copy, KEY_CHUNKS)?;
        self.copy_table(&read, &copy, KEY_RUNS)?;
        self.copy_table(&read, &copy, LOG_TILES)?;
        drop(read);
        self.finish(copy)?;
        log::info!("{} of {length} bytes were given back", length.saturating_sub(self.disk.length()));
        Ok(())
    }

    /// How many bytes of the file are used, roughly: beside the log there is little.
    pub(super) fn used(&self) -> Result<u64, Left> {
        let read = crate::store::Read::of(&self.disk, &self.cache)?;
        Ok(read.log_bytes()?)
    }

    /// Copies a table that only the keeper changes, in several transactions.
    fn copy_table<K: Key + 'static, V: Value + 'static>(
        &self,
        from: &ReadTransaction,
        to: &Copy,
        table: TableDefinition<K, V>,
    ) -> Result<(), Left> {
        let from = from.open_table(table).map_err(StoreError::file)?;
        let mut entries = from.iter().map_err(StoreError::file)?.peekable();
        while entries.peek().is_some() {
            let write = to.write()?;
            {
                let mut to = write.open_table(table).map_err(StoreError::file)?;
                for entry in entries.by_ref().take(STEP) {
                    let (key, value) = entry.map_err(StoreError::file)?;
                    to.insert(key.value(), value.value()).map_err(StoreError::file)?;
                }
            }
            write.commit().map_err(StoreError::file)?;
            self.go_on()?;
        }
        Ok(())
    }

    /// Copies all that is left while the writer rests, and exchanges the files.
    fn finish(&self, copy: Copy) -> Result<(), Left> {
        let (done, finished) = mpsc::channel();
        let disk = Arc::clone(&self.disk);
        self.writer.alone(move || {
            let exchanged = (|| {
                let read = disk.read()?;
                let mut write = copy.write()?;
                write.set_quick_repair(true);
                every_table!(copy_once, &read, &write);
                copy_edge(&read, &write)?;
                write.commit().map_err(StoreError::file)?;
                drop(read);
                disk.exchange(copy).map_err(|error| StoreError::file(redb::Error::Io(error)))
            })();
            // The keeper waits for it.
            let _ = done.send(exchanged);
        });
        finished.recv().unwrap_or(Err(StoreError::Closed))?;
        Ok(())
    }
}

/// Copies the tile that was growing when the others were copied, and those that came behind it since.
fn copy_edge(from: &ReadTransaction, to: &WriteTransaction) -> Result<(), StoreError> {
    let mut to = to.open_table(LOG_TILES).map_err(StoreError::file)?;
    let grew = to.last().map_err(StoreError::file)?.map_or(0, |(number, _)| number.value());
    let from = from.open_table(LOG_TILES).map_err(StoreError::file)?;
    for entry in from.range(grew..).map_err(StoreError::file)? {
        let (number, tile) = entry.map_err(StoreError::file)?;
        to.insert(number.value(), tile.value()).map_err(StoreError::file)?;
    }
    Ok(())
}

/// Copies a table, unless it is there already.
fn copy_once<K: Key + 'static, V: Value + 'static>(
    from: &ReadTransaction,
    to: &WriteTransaction,
    table: TableDefinition<K, V>,
) -> Result<(), StoreError> {
    let there = to.list_tables().map_err(StoreError::file)?.any(|known| known.name() == table.name());
    let mut to = to.open_table(table).map_err(StoreError::file)?;
    if there && !to.is_empty().map_err(StoreError::file)? {
        return Ok(());
    }
    for entry in from.open_table(table).map_err(StoreError::file)?.iter().map_err(StoreError::file)? {
        let (key, value) = entry.map_err(StoreError::file)?;
        to.insert(key.value(), value.value()).map_err(StoreError::file)?;
    }
    Ok(())
}
