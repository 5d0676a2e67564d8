//! How the keeper binds a volume: runs become blocks, a slice at a time.

use redb::ReadableTable;

use super::{
    block,
    keeper::{Left, SLICE, Work},
    run,
    shelf::{self, Shelf},
    size,
    volume::{self, Draft, Scribe},
};
use crate::{
    model::activity::Activity,
    store::{
        StoreError,
        tables::{LOG_BLOCKS, LOG_RUNS, LOG_VOLUMES},
    },
};

impl Work {
    /// Moves the oldest runs into a volume, if more than `least` activities are in runs. Whether they were.
    pub(super) fn bind(&self, least: u64) -> Result<bool, Left> {
        let read = self.disk.read()?;
        let log = Shelf::open(&read, &self.cache.volumes)?;
        let Some((first, _)) = log.runs.first().map_err(StoreError::file)? else { return Ok(false) };
        let first = first.value();
        if log.last()? - first < least {
            return Ok(false);
        }
        // Twice over the same runs: once to learn what they have in common, once to write them down.
        let mut draft = Draft::default();
        let mut counted = 0;
        let mut end = first;
        for entry in log.runs.range(first..).map_err(StoreError::file)? {
            let (key, value) = entry.map_err(StoreError::file)?;
            run::each(key.value(), value.value(), |activity| {
                draft.count(&activity);
                counted += 1;
                Ok(())
            })?;
            end = key.value();
            if counted >= volume::LENGTH {
                break;
            }
            self.go_on()?;
        }
        let mut scribe = draft.finish();
        let packed = scribe.pack();
        let parts: Vec<Vec<u8>> = shelf::parts(&packed).collect();
        self.write(move |write| {
            let mut volumes = write.edit(LOG_VOLUMES)?;
            // What a crash left of the same volume: it may have had more parts, and they would be read as of this one.
            volumes.retain_in((first, 0)..=(first, u32::MAX), |_, _| false).map_err(StoreError::file)?;
            for (part, number) in parts.iter().zip(0..) {
                volumes.insert((first, number), part.as_slice()).map_err(StoreError::file)?;
            }
            Ok(())
        })?;
        let mut slice = Binding::new(first, first);
        for entry in log.runs.range(first..=end).map_err(StoreError::file)? {
            let (key, value) = entry.map_err(StoreError::file)?;
            run::each(key.value(), value.value(), |activity| {
                slice.add(&activity, &mut scribe);
                Ok(())
            })?;
            slice.runs.push(key.value());
            if slice.blocks.len() >= SLICE || key.value() == end {
                let next = Binding::new(first, slice.next);
                self.move_slice(std::mem::replace(&mut slice, next))?;
                self.go_on()?;
            }
        }
        Ok(true)
    }

    fn move_slice(&self, mut slice: Binding) -> Result<(), Left> {
        slice.close();
        let Binding { runs, blocks, .. } = slice;
        let grown: u64 = blocks.iter().map(|(_, block)| size::of_value(block.len())).sum();
        self.write(move |write| {
            write.grow_log(grown.cast_signed(), 0, 0)?;
            let mut table = write.edit(LOG_BLOCKS)?;
            for (key, block) in &blocks {
                table.insert(key, block.as_slice()).map_err(StoreError::file)?;
            }
            drop(table);
            let mut table = write.edit(LOG_RUNS)?;
            for run in &runs {
                table.remove(run).map_err(StoreError::file)?;
            }
            Ok(())
        })
    }
}

/// A part of a volume in the making: whole runs, and the blocks they become.
struct Binding {
    volume: u64,
    /// The id behind the last activity.
    next: u64,
    runs: Vec<u64>,
    blocks: Vec<(u64, Vec<u8>)>,
    block: block::Draft,
}

impl Binding {
    fn new(volume: u64, next: u64) -> Self {
        Self { volume, next, runs: Vec::new(), blocks: Vec::new(), block: block::Draft::new(volume, next) }
    }

    fn add(&mut self, activity: &Activity, scribe: &mut Scribe) {
        if !self.block.add(activity, scribe) {
            self.close();
            self.block = block::Draft::new(self.volume, activity.id.0);
            self.block.add(activity, scribe);
        }
        self.next = activity.id.0 + 1;
    }

    fn close(&mut self) {
        let next = block::Draft::new(self.volume, self.next);
        self.blocks.extend(std::mem::replace(&mut self.block, next).finish());
    }
}
