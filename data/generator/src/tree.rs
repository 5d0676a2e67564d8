//! The search tree: every branch once, however often it grows.

use rustc_hash::FxHashMap;

use crate::{
    cells::{Run, Runs},
    places::PlaceId,
};

/// How many levels stand together at the beginning of the file: measured, see `data/README.md`.
const UPPER_LEVELS: usize = 16;

/// What one side of a node leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Branch {
    Nowhere,
    Place(PlaceId),
    Node(u32),
}

/// Nodes that are alike are one node, so that the same pattern of places costs its nodes once. Two of them may
/// lead to the same node; none leads back.
#[derive(Default)]
pub(crate) struct Tree {
    nodes: Vec<[Branch; 2]>,
    known: FxHashMap<[Branch; 2], u32>,
}

impl Tree {
    pub(crate) fn of_runs(&mut self, runs: &Runs) -> Branch {
        self.of_range(&runs.runs, 0, runs.bits)
    }

    /// The branch for the cells from `first` on, two to the `bits` of them. The first of `runs` covers `first`.
    fn of_range(&mut self, runs: &[Run], first: u64, bits: u8) -> Branch {
        if let [run] = runs {
            return run.place.map_or(Branch::Nowhere, Branch::Place);
        }
        let middle = first + (1 << (bits - 1));
        let before = runs.partition_point(|run| run.first < middle);
        let from = if runs.get(before).is_some_and(|run| run.first == middle) { before } else { before - 1 };
        let left = self.of_range(&runs[..before], first, bits - 1);
        let right = self.of_range(&runs[from..], middle, bits - 1);
        self.join(left, right)
    }

    /// The tree under `root` with `branch` in the place of one network, which is `prefix` bits of `network`.
    pub(crate) fn graft(&mut self, root: Branch, network: u128, prefix: u8, branch: Branch) -> Branch {
        if prefix == 0 {
            return branch;
        }
        let [left, right] = match root {
            Branch::Node(node) => self.nodes[node as usize],
            leaf => [leaf, leaf],
        };
        if network >> 127 == 0 {
            let left = self.graft(left, network << 1, prefix - 1, branch);
            self.join(left, right)
        } else {
            let right = self.graft(right, network << 1, prefix - 1, branch);
            self.join(left, right)
        }
    }

    fn join(&mut self, left: Branch, right: Branch) -> Branch {
        if left == right && !matches!(left, Branch::Node(_)) {
            return left;
        }
        let next = u32::try_from(self.nodes.len()).expect("a file has at most 2^32 nodes");
        let node = *self.known.entry([left, right]).or_insert(next);
        if node == next {
            self.nodes.push([left, right]);
        }
        Branch::Node(node)
    }

    pub(crate) fn node(&self, node: u32) -> [Branch; 2] {
        self.nodes[node as usize]
    }

    /// The nodes under the first of `tops`, the root, in an order that lets a look-up touch few pages: the upper
    /// levels under each top together, level by level, then every subtree below them by itself.
    pub(crate) fn in_order(&self, tops: [Branch; 2]) -> Vec<u32> {
        let mut order = Order { tree: self, seen: vec![false; self.nodes.len()], nodes: Vec::new() };
        let mut subtrees = Vec::new();
        for top in tops {
            let mut level = vec![top];
            for _ in 0..UPPER_LEVELS {
                level = level.into_iter().filter_map(|branch| order.take(branch)).flatten().collect();
            }
            subtrees.extend(level);
        }
        for subtree in subtrees {
            let mut waiting = vec![subtree];
            while let Some(branch) = waiting.pop() {
                if let Some([left, right]) = order.take(branch) {
                    waiting.extend([right, left]);
                }
            }
        }
        order.nodes
    }
}

struct Order<'a> {
    tree: &'a Tree,
    seen: Vec<bool>,
    nodes: Vec<u32>,
}

impl Order<'_> {
    /// Puts a node next, unless it has its turn already, and tells what it leads to.
    fn take(&mut self, branch: Branch) -> Option<[Branch; 2]> {
        let Branch::Node(node) = branch else { return None };
        if std::mem::replace(&mut self.seen[node as usize], true) {
            return None;
        }
        self.nodes.push(node);
        Some(self.tree.node(node))
    }
}
