//! Taking out what lies behind the horizon.
//!
//! Where the horizon is, is written in the transaction that tells of it; from then on nobody finds what is behind it, and
//! this here is house-keeping: it may be interrupted and begun again. The newest activity always stays, so that its id is
//! never given twice. What goes leaves its leaf's hash behind, and is declared, in the transaction that takes it out.

use std::collections::BTreeSet;

use redb::{ReadOnlyTable, ReadTransaction, ReadableTable};
use serde::{Deserialize, Serialize};

use super::{
    block::{self, Block, Row},
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
        StoreError, View, Write, codec,
        tables::{KEY_RUNS, LOG_BLOCKS, LOG_TILES, LOG_VOLUMES, META},
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

/// A block that changes: its key, what takes its place, and the leaves of the activities that it loses.
type Change = (u64, Option<Vec<u8>>, Vec<(u64, Hash)>);

/// What is left of blocks of which some is gone, put together in as few as it fits into.
#[derive(Default)]
struct Packing {
    block: Option<block::Draft>,
    /// How many bytes of the file the new blocks take, and the old ones took.
    taken: u64,
    freed: u64,
}

impl Packing {
    /// Adds a row, which comes behind all before it.
    fn add(&mut self, volume: u64, row: &Row<'_>, changes: &mut Vec<Change>) {
        if self.block.as_mut().is_some_and(|block| block.keep(volume, row)) {
            return;
        }
        self.close(changes);
        let mut block = block::Draft::sparse(volume, row.id);
        block.keep(volume, row);
        self.block = Some(block);
    }

    /// Ends the block at hand. Its key is that of its last row: behind those of the blocks that it was made of, or one of them.
    fn close(&mut self, changes: &mut Vec<Change>) {
        let Some((key, value)) = self.block.take().and_then(block::Draft::finish) else { return };
        self.taken += size::of_value(value.len());
        changes.push((key, Some(value), Vec::new()));
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
        let last = Shelf::open(&*self.disk.read()?, &self.cache.volumes)?.last()?;
        let (kept, emptied) = (BTreeSet::new(), BTreeSet::new());
        let mut removal = Removal { horizon, last, removed: 0, kept, emptied };
        // Each slice begins with what the one before left: whoever reads an older moment keeps the file from using again the
        // pages that were left since, and it would grow by all that is written.
        let mut from = Some(0);
        while let Some(first) = from {
            from = self.remove_rows(first, &mut removal)?;
        }
        if let Some(first) = self.first_run_hidden_of(horizon, last)? {
            self.bind_up_to(last)?;
            let mut from = Some(first);
            while let Some(first) = from {
                from = self.remove_rows(first, &mut removal)?;
            }
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
        let (mut changes, mut gone_here, mut next) = (Vec::new(), 0, None);
        let mut packing = Packing::default();
        for entry in log.blocks.range(first..).map_err(StoreError::file)? {
            let (key, value) = entry.map_err(StoreError::file)?;
            if changes.len() >= SLICE {
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
                // Rows stay in order: what is left of blocks before this one does not go behind it.
                packing.close(&mut changes);
                continue;
            }
            gone_here += gone as u64;
            changes.push((key.value(), None, fallen));
            packing.freed += size::of_value(value.value().len());
            let mut block = Block::open(key.value(), value.value())?;
            for hidden in hidden {
                let row = block.next()?.ok_or_else(damaged)?;
                if !hidden {
                    packing.add(volume, &row, &mut changes);
                }
            }
        }
        packing.close(&mut changes);
        let grown = packing.taken.cast_signed() - packing.freed.cast_signed();
        drop((log, leaves, read));
        removal.removed += gone_here;
        self.change(changes, grown, gone_here)?;
        Ok(next)
    }

    /// The first of the runs, where something in them is hidden. What is left of a run would be many small ones, of which redb gives each
    /// a page; so they are bound first, and what is hidden goes from the blocks.
    fn first_run_hidden_of(&self, horizon: &Horizon, last: u64) -> Result<Option<u64>, Left> {
        let read = self.disk.read()?;
        let log = Shelf::open(&read, &self.cache.volumes)?;
        let first = log.runs.first().map_err(StoreError::file)?.map(|(key, _)| key.value());
        for entry in log.runs.range(..=last).map_err(StoreError::file)? {
            let (key, value) = entry.map_err(StoreError::file)?;
            let mut records = run::records(key.value(), value.value())?;
            while let Some((id, bytes)) = records.next()? {
                if id < last && horizon.hides(&record::read(id, bytes)?) {
                    return Ok(first);
                }
            }
            self.go_on()?;
        }
        Ok(None)
    }

    /// Moves all runs that begin with this activity or before it into volumes.
    fn bind_up_to(&self, last: u64) -> Result<(), Left> {
        loop {
            let read = self.disk.read()?;
            let log = Shelf::open(&read, &self.cache.volumes)?;
            let first = log.runs.first().map_err(StoreError::file)?.map(|(key, _)| key.value());
            drop((log, read));
            if first.is_none_or(|first| first > last) || !self.bind(0)? {
                return Ok(());
            }
        }
    }

    fn change(&self, changes: Vec<Change>, grown: i64, removed: u64) -> Result<(), Left> {
        if changes.is_empty() {
            return Ok(());
        }
        self.write(move |write| {
            let mut table = write.edit(LOG_BLOCKS)?;
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
            write.grow_log(grown, tiles, removed)
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
