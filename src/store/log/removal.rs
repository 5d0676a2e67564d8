//! Taking out what lies behind the horizon.
//!
//! Where the horizon is, is written in the transaction that tells of it; from then on nobody finds what is behind it, and
//! this here is house-keeping: it may be interrupted and begun again. The newest activity always stays, so that its id is
//! never given twice.

use std::collections::BTreeSet;

use redb::{ReadableTable, TableDefinition};
use serde::{Deserialize, Serialize};

use super::{
    block::Block,
    keeper::{Left, SLICE, Work},
    record, run,
    shelf::Shelf,
};
use crate::{
    model::horizon::{Class, Horizon},
    store::{
        StoreError, View, Write, codec,
        tables::{KEY_RUNS, LOG_BLOCKS, LOG_RUNS, LOG_VOLUMES, META},
    },
};

const TABLE: &str = "the horizon";
const VERSION: u8 = 1;

/// The moments of some rules.
#[derive(Serialize, Deserialize)]
struct RulesRecord {
    /// Whether it is an app's, its name, its moment.
    classes: Vec<(bool, String, i64)>,
    all: i64,
}

impl RulesRecord {
    fn of(horizon: &Horizon) -> Self {
        let class = |(class, moment): &(Class, i64)| match class {
            Class::App(name) => (true, name.clone(), *moment),
            Class::Action(name) => (false, name.clone(), *moment),
        };
        Self { classes: horizon.classes.iter().map(class).collect(), all: horizon.all }
    }

    fn horizon(self) -> Horizon {
        let class = |(app, name, moment)| (if app { Class::App(name) } else { Class::Action(name) }, moment);
        Horizon::new(self.classes.into_iter().map(class).collect(), self.all)
    }
}

/// Where the horizon of the log is.
pub trait Horizons: View {
    /// What retention has taken out of the log so far.
    fn horizon(&self) -> Result<Horizon, StoreError> {
        let meta = self.table(META)?;
        let Some(bytes) = meta.get("horizon").map_err(StoreError::file)? else {
            return Ok(Horizon::default());
        };
        let (now, earlier): (RulesRecord, Vec<RulesRecord>) = codec::open(TABLE, VERSION, bytes.value())?;
        let earlier = earlier.into_iter().map(RulesRecord::horizon).collect();
        Ok(Horizon { earlier, ..now.horizon() })
    }
}

impl<V: View> Horizons for V {}

impl Write<'_> {
    /// Moves the horizon. What lies behind it is removed later.
    pub fn set_horizon(&mut self, horizon: &Horizon) -> Result<(), StoreError> {
        let earlier: Vec<RulesRecord> = horizon.earlier.iter().map(RulesRecord::of).collect();
        let bytes = codec::seal(VERSION, &(RulesRecord::of(horizon), earlier));
        self.edit(META)?.insert("horizon", bytes.as_slice()).map_err(StoreError::file)?;
        Ok(())
    }
}

/// A page of the log that changes: its key, and what takes its place.
type Change = (u64, Option<Vec<u8>>);

impl Work {
    /// Removes what lies behind `horizon`, and says how many activities that were.
    pub(super) fn remove(&self, horizon: &Horizon) -> Result<u64, Left> {
        let read = self.disk.read()?;
        let log = Shelf::open(&read, &self.cache.volumes)?;
        let last = log.last()?;
        let removed = self.remove_rows(&log, horizon, last)? + self.remove_records(&log, horizon, last)?;
        drop((log, read));
        if removed > 0 {
            self.remove_keys()?;
            self.give_back()?;
        }
        Ok(removed)
    }

    /// Removes from blocks, and volumes that have none left.
    fn remove_rows(&self, log: &Shelf<'_>, horizon: &Horizon, last: u64) -> Result<u64, Left> {
        let (mut removed, mut changes) = (0, Vec::new());
        let (mut kept, mut emptied) = (BTreeSet::new(), BTreeSet::new());
        for entry in log.blocks.iter().map_err(StoreError::file)? {
            let (key, value) = entry.map_err(StoreError::file)?;
            let block = Block::open(key.value(), value.value())?;
            let volume = block.volume;
            if block.oldest >= horizon.latest() {
                kept.insert(volume);
                continue;
            }
            let words = log.volume(volume)?;
            let (gone, value) = block.without(|row| {
                if row.id == last || row.time() >= horizon.latest() {
                    return Ok(false);
                }
                Ok(row.time() < horizon.earliest() || horizon.hides(&row.read(&words)?))
            })?;
            if if value.is_some() { &mut kept } else { &mut emptied }.insert(volume) {
                self.go_on()?;
            }
            if gone > 0 {
                removed += gone;
                changes.push((key.value(), value));
            }
            if changes.len() >= SLICE {
                self.change(std::mem::take(&mut changes), LOG_BLOCKS)?;
            }
        }
        self.change(changes, LOG_BLOCKS)?;
        for volume in emptied.difference(&kept).copied() {
            self.write(move |write| {
                let mut volumes = write.edit(LOG_VOLUMES)?;
                volumes.retain_in((volume, 0)..=(volume, u32::MAX), |_, _| false).map_err(StoreError::file)
            })?;
        }
        Ok(removed)
    }

    /// Removes from runs. What is left of one are the stretches whose ids follow one another.
    fn remove_records(&self, log: &Shelf<'_>, horizon: &Horizon, last: u64) -> Result<u64, Left> {
        let (mut removed, mut changes) = (0, Vec::new());
        for entry in log.runs.iter().map_err(StoreError::file)? {
            let (key, value) = entry.map_err(StoreError::file)?;
            let mut stretches: Vec<(u64, run::Draft)> = Vec::new();
            let mut records = run::records(key.value(), value.value())?;
            let mut gone = 0;
            let mut follows = false;
            while let Some((id, bytes)) = records.next()? {
                if id != last && horizon.hides(&record::read(id, bytes)?) {
                    (gone, follows) = (gone + 1, false);
                    continue;
                }
                if !follows {
                    stretches.push((id, run::Draft::default()));
                }
                // It came out of a page and fits into one.
                follows = stretches.last_mut().is_some_and(|(_, stretch)| stretch.keep(bytes));
            }
            if gone > 0 {
                removed += gone;
                changes.push((key.value(), None));
                changes.extend(stretches.into_iter().map(|(id, mut run)| (id, Some(run.finish().to_vec()))));
            }
            if changes.len() >= SLICE {
                self.change(std::mem::take(&mut changes), LOG_RUNS)?;
                self.go_on()?;
            }
        }
        self.change(changes, LOG_RUNS)?;
        Ok(removed)
    }

    fn change(
        &self,
        changes: Vec<Change>,
        table: TableDefinition<'static, u64, &'static [u8]>,
    ) -> Result<(), Left> {
        if changes.is_empty() {
            return Ok(());
        }
        self.write(move |write| {
            let mut table = write.edit(table)?;
            for (key, value) in &changes {
                match value {
                    Some(value) => table.insert(key, value.as_slice()).map(drop),
                    None => table.remove(key).map(drop),
                }
                .map_err(StoreError::file)?;
            }
            Ok(())
        })?;
        self.cache.rows.forget();
        Ok(())
    }

    /// Forgets runs of keys all of whose activities are gone.
    fn remove_keys(&self) -> Result<(), Left> {
        let read = self.disk.read()?;
        let log = Shelf::open(&read, &self.cache.volumes)?;
        let block = log.blocks.first().map_err(StoreError::file)?;
        let block = block.map(|(key, value)| Ok(Block::open(key.value(), value.value())?.start()));
        let block = block.transpose().map_err(Left::Store)?;
        let run = log.runs.first().map_err(StoreError::file)?.map(|(key, _)| key.value());
        let Some(oldest) = block.or(run) else { return Ok(()) };
        let runs = self.keys.runs();
        let numbers: Vec<u64> = runs.iter().filter(|run| run.newest < oldest).map(|run| run.number).collect();
        let unlisted = numbers.clone();
        self.write(move |write| {
            let mut runs = write.edit(KEY_RUNS)?;
            for number in &unlisted {
                runs.remove(number).map_err(StoreError::file)?;
            }
            Ok(())
        })?;
        self.keys.replace(&numbers, None);
        drop((log, read));
        self.remove_leftovers()
    }
}
