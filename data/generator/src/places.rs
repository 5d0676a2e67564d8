//! Every place once, with the coordinates that most of its addresses have.

use rustc_hash::FxHashMap;

/// The number of a place.
pub(crate) type PlaceId = u32;

/// What makes a place: two of the same name in the same region are one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Name {
    pub(crate) country: String,
    pub(crate) region: String,
    pub(crate) city: String,
}

/// Hundredths of a degree (at most 0.8 km off), north and east.
pub(crate) type Point = (i16, i16);

/// The places seen so far, each with its points and what weighs for them.
#[derive(Default)]
pub(crate) struct Places {
    ids: FxHashMap<Name, PlaceId>,
    points: Vec<FxHashMap<Point, Weight>>,
}

/// Addresses of IPv4 decide; those of IPv6, which come by the quintillion, only where there are none.
type Weight = (u64, u128);

/// A place with its one point.
pub(crate) struct Settled {
    pub(crate) name: Name,
    pub(crate) point: Option<Point>,
}

impl Places {
    pub(crate) fn id(&mut self, name: Name) -> PlaceId {
        let next = PlaceId::try_from(self.points.len()).expect("fewer places than addresses");
        *self.ids.entry(name).or_insert_with(|| {
            self.points.push(FxHashMap::default());
            next
        })
    }

    /// Counts `addresses` of a place as being at a point. The point of nowhere, 0 and 0, counts for nothing.
    pub(crate) fn weigh(&mut self, place: PlaceId, point: Point, addresses: u128, bits: u8) {
        if point == (0, 0) {
            return;
        }
        let weight = self.points[place as usize].entry(point).or_default();
        if bits == 32 {
            weight.0 += u64::try_from(addresses).expect("IPv4 has four billion addresses");
        } else {
            weight.1 += addresses;
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.points.len()
    }

    /// The places by number. Among points of one weight the smaller wins, so that every run builds the same.
    pub(crate) fn into_settled(self) -> Vec<Settled> {
        let mut names: Vec<(Name, PlaceId)> = self.ids.into_iter().collect();
        names.sort_by_key(|(_, id)| *id);
        let heaviest = |points: FxHashMap<Point, Weight>| {
            points.into_iter().map(|(point, weight)| (weight, std::cmp::Reverse(point))).max()
        };
        names
            .into_iter()
            .zip(self.points)
            .map(|((name, _), points)| Settled { name, point: heaviest(points).map(|(_, point)| point.0) })
            .collect()
    }
}
