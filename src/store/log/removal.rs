//! Taking out what lies behind the horizon.
//!
//! Where the horizon is, is written in the transaction that tells of it; from then on nobody finds what is behind it, and
//! this here is house-keeping: it may be interrupted and begun again. The newest activity always stays, so that its id is
//! never given twice. What goes leaves its leaf's hash behind, and is declared, in the transaction that takes it out.

use std::collections::BTreeSet;

use redb::{ReadOnlyTable, ReadTransaction, ReadableTable, TableDefinition};
use serde::{Deserialize, Serialize};

use super::{
    block::Block,
    bytes::damaged,
    keeper::{Left, SLICE, Work},
    record, run,
    shelf::Shelf,
    tile::{self, Kept, LEAVES, Salt},
};
use crate::{
    model::{
        activity::Activity,
        horizon::{Class, Horizon},
        tree::Hash,
    },
    store::{
        StoreError, View, Write, codec,
        tables::{KEY_RUNS, LOG_BLOCKS, LOG_RUNS, LOG_TILES, LOG_VOLUMES, META},
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

/// A page of the log that changes: its key, what takes its place, and the leaves of the activities that it loses.
type Change = (u64, Option<Vec<u8>>, Vec<(u64, Hash)>);

/// The leaves of activities that are to go. What a leaf was salted with never changes as long as its record is there.
struct Leaves {
    tiles: ReadOnlyTable<u64, &'static [u8]>,
    /// The salts of the tile that was asked for last.
    at_hand: Option<(u64, Box<[Option<Salt>; LEAVES]>)>,
    record: Vec<u8>,
}

impl Leaves {
    fn of(read: &ReadTransaction) -> Result<Self, StoreError> {
        let tiles = read.open_table(LOG_TILES).map_err(StoreError::file)?;
        Ok(Self { tiles, at_hand: None, record: Vec::new() })
    }

    /// Adds the leaf of a record, unless it has none: then it is not ours.
    fn add(&mut self, id: u64, record: &[u8], leaves: &mut Vec<(u64, Hash)>) -> Result<(), StoreError> {
        let (number, at) = tile::place(id);
        let salts = match self.at_hand.take() {
            Some((known, salts)) if known == number => salts,
            _ => {
                let kept = self.tiles.get(number).map_err(StoreError::file)?.ok_or_else(damaged)?;
                Kept::read(kept.value())?.tile().salts()
            }
        };
        leaves.extend(salts[at].map(|salt| (id, tile::leaf(&salt, id, record))));
        self.at_hand = Some((number, salts));
        Ok(())
    }

    /// The same of an activity that was read.
    fn add_read(&mut self, activity: &Activity, leaves: &mut Vec<(u64, Hash)>) -> Result<(), StoreError> {
        let mut record = std::mem::take(&mut self.record);
        record.clear();
        record::write_again(activity, &mut record);
        let added = self.add(activity.id.0, &record, leaves);
        self.record = record;
        added
    }
}

impl Work {
    /// Removes what lies behind `horizon`, and says how many activities that were.
    pub(super) fn remove(&self, horizon: &Horizon) -> Result<u64, Left> {
        let read = self.disk.read()?;
        let log = Shelf::open(&read, &self.cache.volumes)?;
        let last = log.last()?;
        let mut leaves = Leaves::of(&read)?;
        let removed = self.remove_rows(&log, horizon, last, &mut leaves)?
            + self.remove_records(&log, horizon, last, &mut leaves)?;
        drop((log, leaves, read));
        if removed > 0 {
            self.remove_keys()?;
            self.give_back()?;
        }
        Ok(removed)
    }

    /// Removes from blocks, and volumes that have none left.
    fn remove_rows(
        &self,
        log: &Shelf<'_>,
        horizon: &Horizon,
        last: u64,
        leaves: &mut Leaves,
    ) -> Result<u64, Left> {
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
            let mut fallen = Vec::new();
            let (gone, value) = block.without(|row| {
                if row.id == last || row.time() >= horizon.latest() {
                    return Ok(false);
                }
                let activity = row.read(&words)?;
                let hidden = row.time() < horizon.earliest() || horizon.hides(&activity);
                if hidden {
                    leaves.add_read(&activity, &mut fallen)?;
                }
                Ok(hidden)
            })?;
            if if value.is_some() { &mut kept } else { &mut emptied }.insert(volume) {
                self.go_on()?;
            }
            if gone > 0 {
                removed += gone;
                changes.push((key.value(), value, fallen));
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
    fn remove_records(
        &self,
        log: &Shelf<'_>,
        horizon: &Horizon,
        last: u64,
        leaves: &mut Leaves,
    ) -> Result<u64, Left> {
        let (mut removed, mut changes) = (0, Vec::new());
        for entry in log.runs.iter().map_err(StoreError::file)? {
            let (key, value) = entry.map_err(StoreError::file)?;
            let mut stretches: Vec<(u64, run::Draft)> = Vec::new();
            let mut records = run::records(key.value(), value.value())?;
            let (mut gone, mut fallen) = (0, Vec::new());
            let mut follows = false;
            while let Some((id, bytes)) = records.next()? {
                if id != last && horizon.hides(&record::read(id, bytes)?) {
                    leaves.add(id, bytes, &mut fallen)?;
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
                changes.push((key.value(), None, fallen));
                let kept = stretches.into_iter();
                changes.extend(kept.map(|(id, mut run)| (id, Some(run.finish().to_vec()), Vec::new())));
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
            for (key, value, _) in &changes {
                match value {
                    Some(value) => table.insert(key, value.as_slice()).map(drop),
                    None => table.remove(key).map(drop),
                }
                .map_err(StoreError::file)?;
            }
            drop(table);
            let gone: Vec<(u64, Hash)> = changes.iter().flat_map(|(_, _, gone)| gone).copied().collect();
            write.batch.edge.forget(&gone, write.transaction)
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
