//! Sees to it, when the file is opened, that every activity has its leaf.
//!
//! A file of an earlier format gets its tree now. One that has its tree is taken as it is, and where somebody has added
//! records to it past the tree their ids are only passed over: making leaves of them would be saying that they are ours.

use super::{
    edge::{Edge, Random},
    shelf::Shelf,
    volumes::Volumes,
    walk::{Met, walk},
};
use crate::store::{StoreError, disk::Disk, tables::META};

/// How many leaves are added in one transaction.
const STEP: u64 = 1 << 16;

/// The edge of the tree, once every activity has its leaf.
pub(in crate::store) fn seal_up(disk: &Disk, random: Random) -> Result<Edge, StoreError> {
    let mut edge = Edge::of(disk, random)?;
    let read = disk.read()?;
    let volumes = Volumes::default();
    let log = Shelf::open(&read, &volumes)?;
    let last = log.last()?;
    let meta = read.open_table(META).map_err(StoreError::file)?;
    let sealed = meta.get("sealed").map_err(StoreError::file)?.is_some();
    if sealed && edge.size() < last {
        log::error!("there are activities that Rollcall has not written: `rollcall verify` names them");
    } else if edge.size() < last {
        log::warn!("the log of {last} activities gets its proofs, once; the whole log is read for it");
    }
    while edge.size() < last || !sealed {
        let (first, end) = (edge.size() + 1, last.min(edge.size() + STEP));
        let transaction = disk.write()?;
        let mut missing = Vec::new();
        if sealed {
            (first..=end).for_each(|_| edge.skip());
        } else {
            walk(&log, first, end, &mut |met| {
                if let Met::Record(id, record) = met {
                    while edge.size() + 1 < id {
                        missing.push(edge.size() + 1);
                        edge.skip();
                    }
                    edge.add(record);
                }
                Ok(())
            })?;
            while edge.size() < end {
                missing.push(edge.size() + 1);
                edge.skip();
            }
            edge.declare(&missing, &transaction)?;
        }
        edge.write(&transaction)?;
        if end == last {
            let mut meta = transaction.open_table(META).map_err(StoreError::file)?;
            meta.insert("sealed", [].as_slice()).map_err(StoreError::file)?;
        }
        transaction.commit().map_err(StoreError::file)?;
        if end == last {
            break;
        }
    }
    Ok(edge)
}
