//! Taking out what lies behind the horizon.
//!
//! Where the horizon is, is written in the transaction that tells of it; from then on nobody finds what is behind it, and
//! this here is house-keeping: it may be interrupted and begun again. The newest activity always stays, so that its id is
//! never given twice. What goes leaves its leaf's hash behind, and is declared, in the transaction that takes it out.

use std::collections::BTreeSet;

use redb::{ReadOnlyTable, ReadTransaction, ReadableTable, TableDefinition, TableHandle as _};
use serde::{Deserialize, Serialize};

use super::{
    block::{self, Block},
    bytes::damaged,
    keeper::{Left, SLICE, Work},
    record, run,
    shelf::Shelf,
    size,
    tile::{self, Kept, LEAVES, Salt},
};
use crate::{
    model::{
        activity::Activity,
        horizon::{Class, Horizon},
        tree::Hash,
    },
    store::{
        StoreError, View, Write,
        codec::{self, Row},
        tables::{HORIZON, KEY_RUNS, LOG_BLOCKS, LOG_RUNS, LOG_TILES, LOG_VOLUMES, META},
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
        let Some(bytes) = meta.get(HORIZON).map_err(StoreError::file)? else {
            return Ok(Horizon::default());
        };
        let (now, earlier): (RulesRecord, Vec<RulesRecord>) =
            codec::open(TABLE, Row::of(META, HORIZON), VERSION, bytes.value())?;
        let earlier = earlier.into_iter().map(RulesRecord::horizon).collect();
        Ok(Horizon { earlier, ..now.horizon() })
    }
}

impl<V: View> Horizons for V {}

impl Write<'_> {
    /// Moves the horizon. What lies behind it is removed later.
    pub fn set_horizon(&mut self, horizon: &Horizon) -> Result<(), StoreError> {
        let earlier: Vec<RulesRecord> = horizon.earlier.iter().map(RulesRecord::of).collect();
        let bytes = codec::seal(Row::of(META, HORIZON), VERSION, &(RulesRecord::of(horizon), earlier));
        self.edit(META)?.insert(HORIZON, bytes.as_slice()).map_err(StoreError::file)?;
        Ok(())
    }
}

/// A page of the log that changes: its key, what takes its place, and the leaves of the activities that it loses.
type Change = (u64, Option<Vec<u8>>, Vec<(u64, Hash)>);

/// What is left of pages of which some is gone, put together in as few as it fits into.
struct Packing<D> {
    draft: Option<D>,
    finish: fn(D) -> Option<(u64, Vec<u8>)>,
    changes: Vec<Change>,
    /// How many bytes of the file they take more than those that they were made of, or less.
    grown: i64,
    removed: u64,
}

impl<D> Packing<D> {
    const fn new(finish: fn(D) -> Option<(u64, Vec<u8>)>) -> Self {
        Self { draft: None, finish, changes: Vec::new(), grown: 0, removed: 0 }
    }

    /// Takes a page out that loses `removed` activities, whose leaves are `fallen`.
    fn take(&mut self, key: u64, length: usize, removed: u64, fallen: Vec<(u64, Hash)>) {
        self.changes.push((key, None, fallen));
        self.grown -= size::of_value(length).cast_signed();
        self.removed += removed;
    }

    /// Adds what is left of it, which comes behind all before it, by `keep` to the page at hand or to one that `begin` makes.
    fn add(&mut self, begin: impl FnOnce() -> D, keep: impl Fn(&mut D) -> bool) {
        if self.draft.as_mut().is_some_and(&keep) {
            return;
        }
        self.close();
        let mut draft = begin();
        keep(&mut draft);
        self.draft = Some(draft);
    }

    /// Ends the page at hand. Whatever had its key was taken out before.
    fn close(&mut self) {
        let Some((key, value)) = self.draft.take().and_then(self.finish) else { return };
        self.grown += size::of_value(value.len()).cast_signed();
        self.changes.push((key, Some(value), Vec::new()));
    }
}

/// What a removal goes by, and how far it is.
struct Removal<'a> {
    horizon: &'a Horizon,
    /// The newest activity, which stays.
    last: u64,
    removed: u64,
    /// The volumes that have blocks left, and those that had blocks which have nothing left.
    kept: BTreeSet<u64>,
    emptied: BTreeSet<u64>,
}

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
        // What goes is counted only where somebody has begun to count, and this may come before the keeper's first look.
        self.measure()?;
        let last = Shelf::open(&*self.disk.read()?, &self.cache.volumes)?.last()?;
        let (kept, emptied) = (BTreeSet::new(), BTreeSet::new());
        let mut removal = Removal { horizon, last, removed: 0, kept, emptied };
        // Each slice begins with what the one before left: whoever reads an older moment keeps the file from using again the
        // pages that were left since, and it would grow by all that is written.
        let mut from = Some(0);
        while let Some(first) = from {
            from = self.remove_rows(first, &mut removal)?;
        }
        let mut from = Some(0);
        while let Some(first) = from {
            from = self.remove_records(first, &mut removal)?;
        }
        for volume in removal.emptied.difference(&removal.kept).copied() {
            self.write(move |write| {
                let mut volumes = write.edit(LOG_VOLUMES)?;
                volumes.retain_in((volume, 0)..=(volume, u32::MAX), |_, _| false).map_err(StoreError::file)
            })?;
        }
        if removal.removed > 0 {
            self.remove_keys()?;
            self.give_back()?;
        }
        Ok(removal.removed)
    }

    /// Removes a slice from the blocks, from the one with the key `first` on. Where the next slice begins, if there is more.
    fn remove_rows(&self, first: u64, removal: &mut Removal<'_>) -> Result<Option<u64>, Left> {
        let Removal { horizon, last, kept, emptied, .. } = removal;
        let read = self.disk.read()?;
        let log = Shelf::open(&read, &self.cache.volumes)?;
        let mut leaves = Leaves::of(&read)?;
        let (mut packing, mut next) = (Packing::new(block::Draft::finish), None);
        for entry in log.blocks.range(first..).map_err(StoreError::file)? {
            let (key, value) = entry.map_err(StoreError::file)?;
            if packing.changes.len() >= SLICE {
                next = Some(key.value());
                break;
            }
            let mut block = Block::open(key.value(), value.value())?;
            let volume = block.volume;
            let (mut hidden, mut fallen) = (Vec::new(), Vec::new());
            if block.oldest < horizon.latest() {
                let words = log.volume(volume)?;
                while let Some(row) = block.next()? {
                    let asked = row.id != *last && row.time() < horizon.latest();
                    let activity = if asked { Some(row.read(&words)?) } else { None };
                    let gone = activity
                        .filter(|activity| row.time() < horizon.earliest() || horizon.hides(activity));
                    if let Some(activity) = &gone {
                        leaves.add_read(activity, &mut fallen)?;
                    }
                    hidden.push(gone.is_some());
                }
            }
            let gone = hidden.iter().filter(|hidden| **hidden).count();
            if gone == hidden.len() && gone > 0 { &mut *emptied } else { &mut *kept }.insert(volume);
            if gone == 0 {
                // Pages stay in order: what is left of those before this one does not go behind it.
                packing.close();
                continue;
            }
            packing.take(key.value(), value.value().len(), gone as u64, fallen);
            let mut block = Block::open(key.value(), value.value())?;
            for hidden in hidden {
                let row = block.next()?.ok_or_else(damaged)?;
                if !hidden {
                    packing.add(|| block::Draft::sparse(volume, row.id), |block| block.keep(volume, &row));
                }
            }
        }
        drop((log, leaves, read));
        removal.removed += packing.removed;
        self.change(packing, LOG_BLOCKS)?;
        Ok(next)
    }

    /// Removes a slice from the runs, likewise.
    fn remove_records(&self, first: u64, removal: &mut Removal<'_>) -> Result<Option<u64>, Left> {
        let Removal { horizon, last, .. } = removal;
        let read = self.disk.read()?;
        let log = Shelf::open(&read, &self.cache.volumes)?;
        let mut leaves = Leaves::of(&read)?;
        let (mut packing, mut next) = (Packing::new(run::Rest::finish), None);
        for entry in log.runs.range(first..).map_err(StoreError::file)? {
            let (key, value) = entry.map_err(StoreError::file)?;
            if packing.changes.len() >= SLICE {
                next = Some(key.value());
                break;
            }
            let (mut left, mut gone, mut fallen) = (Vec::new(), 0, Vec::new());
            let mut records = run::records(key.value(), value.value())?;
            while let Some((id, record)) = records.next()? {
                if id != *last && horizon.hides(&record::read(id, record)?) {
                    leaves.add(id, record, &mut fallen)?;
                    gone += 1;
                } else {
                    left.push((id, record));
                }
            }
            if gone == 0 {
                packing.close();
                continue;
            }
            packing.take(key.value(), value.value().len(), gone, fallen);
            for (id, record) in left {
                packing.add(|| run::Rest::new(id), |run| run.keep(id, record));
            }
        }
        drop((log, leaves, read));
        removal.removed += packing.removed;
        self.change(packing, LOG_RUNS)?;
        self.go_on()?;
        Ok(next)
    }

    fn change<D>(
        &self,
        mut packing: Packing<D>,
        table: TableDefinition<'static, u64, &'static [u8]>,
    ) -> Result<(), Left> {
        packing.close();
        let Packing { changes, grown, removed, .. } = packing;
        if changes.is_empty() {
            return Ok(());
        }
        // Of runs there are never many: they are looked at one by one.
        let blocks = if table.name() == LOG_BLOCKS.name() { grown } else { 0 };
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
            let tiles = write.batch.edge.forget(&gone, write.transaction)?;
            write.grow_log(blocks, tiles, removed)
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
