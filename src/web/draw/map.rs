//! The world map: one dot per place, sized by how many are there, over the countries of `world.svg`.
//!
//! The projection is Equal Earth (Šavrič, Patterson, Jenny 2018) with the scale and shift that
//! `data/world/draw.js` prints; both must change together.

use std::collections::BTreeMap;

/// The field of `world.svg`: its width and height.
const FIELD: (f64, f64) = (2000.0, 865.0);
const SCALE: f64 = 369.463_135_346_796_3;
const SHIFT: (f64, f64) = (1000.0, 482.716_976_973_987_4);
/// The part around one place that its own page shows.
const AROUND: (f64, f64) = (640.0, 320.0);

/// How many were somewhere.
#[derive(Clone, Debug, PartialEq)]
pub struct Spot {
    /// Degrees north.
    pub latitude: f64,
    /// Degrees east.
    pub longitude: f64,
    /// ISO 3166-1 alpha-2, if known.
    pub country: Option<String>,
    /// The place's name, as people write it.
    pub label: String,
    /// How many.
    pub count: u64,
    /// The address that shows only these; empty for a dot that leads nowhere.
    pub href: String,
}

/// A map, ready to be drawn.
#[derive(Clone, Debug, Default)]
pub struct Map {
    /// SVG's `viewBox`.
    pub view: String,
    /// Countries with somebody in them, and how warm they are, 1 to 4.
    pub countries: Vec<(String, u8)>,
    /// The dots, the largest first, so that the small ones lie on top.
    pub dots: Vec<Dot>,
    /// Everything in one sentence.
    pub summary: String,
}

/// How many dots the world has at most, those with the most sessions: more are one blot on a map of this size.
const DOTS: usize = 400;

/// A dot.
#[derive(Clone, Debug)]
pub struct Dot {
    /// Its centre and radius, in the map's own units.
    pub x: String,
    /// See `x`.
    pub y: String,
    /// See `x`.
    pub radius: String,
    /// What a pointer that rests on it reads.
    pub title: String,
    /// Where it leads; may be empty.
    pub href: String,
}

impl Map {
    /// The whole world with all `spots` in its colours and its words, and a dot for those that count most.
    pub fn world(spots: &[Spot]) -> Self {
        let mut order: Vec<&Spot> = spots.iter().collect();
        order.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.label.cmp(&b.label)));
        let mut countries: BTreeMap<&str, u64> = BTreeMap::new();
        for spot in spots {
            if let Some(country) = known(spot) {
                *countries.entry(country).or_default() += spot.count;
            }
        }
        let most = countries.values().copied().max().unwrap_or(0);
        Self {
            view: format!("0 0 {} {}", FIELD.0, FIELD.1),
            countries: countries
                .iter()
                .map(|(code, count)| ((*code).to_owned(), heat(*count, most)))
                .collect(),
            dots: order.into_iter().take(DOTS).map(|spot| Dot::new(spot, 14.0)).collect(),
            summary: format!(
                "World map: {} in {}",
                crate::web::views::text::counted(spots.len(), "place", "places"),
                crate::web::views::text::counted(countries.len(), "country", "countries"),
            ),
        }
    }

    /// The neighbourhood of one spot.
    pub fn around(spot: &Spot) -> Self {
        let (x, y) = project(spot.latitude, spot.longitude);
        let left = (x - AROUND.0 / 2.0).clamp(0.0, FIELD.0 - AROUND.0);
        let top = (y - AROUND.1 / 2.0).clamp(0.0, FIELD.1 - AROUND.1);
        Self {
            view: format!("{left:.0} {top:.0} {} {}", AROUND.0, AROUND.1),
            countries: known(spot).map(|code| (code.to_owned(), 2)).into_iter().collect(),
            dots: vec![Dot::new(spot, 8.0)],
            summary: format!("Map: {}", spot.label),
        }
    }
}

impl Dot {
    fn new(spot: &Spot, least: f64) -> Self {
        let (x, y) = project(spot.latitude, spot.longitude);
        let count = f64::from(u32::try_from(spot.count).unwrap_or(u32::MAX));
        let radius = (least + 4.0 * (count.max(1.0).sqrt() - 1.0)).min(48.0);
        let title =
            if spot.count > 1 { format!("{}: {}", spot.label, spot.count) } else { spot.label.clone() };
        Self {
            x: format!("{x:.0}"),
            y: format!("{y:.0}"),
            radius: format!("{radius:.1}"),
            title,
            href: spot.href.clone(),
        }
    }
}

/// The spot's country if its code is one: it becomes part of an address.
fn known(spot: &Spot) -> Option<&str> {
    spot.country
        .as_deref()
        .filter(|code| code.len() == 2 && code.bytes().all(|byte| byte.is_ascii_uppercase()))
}

/// 1 to 4: each step stands for four times as many, the warmest country is always 4.
fn heat(count: u64, most: u64) -> u8 {
    match most / count.max(1) {
        0..4 => 4,
        4..16 => 3,
        16..64 => 2,
        _ => 1,
    }
}

/// Where on the field a point of the Earth is.
fn project(latitude: f64, longitude: f64) -> (f64, f64) {
    const A: [f64; 4] = [1.340_264, -0.081_106, 0.000_893, 0.003_796];
    let m = 3_f64.sqrt() / 2.0;
    let theta = (m * latitude.clamp(-90.0, 90.0).to_radians().sin()).asin();
    let square = theta * theta;
    let sixth = square * square * square;
    let slope = A[0] + 3.0 * A[1] * square + sixth * (7.0 * A[2] + 9.0 * A[3] * square);
    let x = longitude.clamp(-180.0, 180.0).to_radians() * theta.cos() / (m * slope);
    let y = theta * (A[0] + A[1] * square + sixth * (A[2] + A[3] * square));
    (SHIFT.0 + SCALE * x, SHIFT.1 - SCALE * y)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spot(label: &str, country: &str, at: (f64, f64), count: u64) -> Spot {
        Spot {
            latitude: at.0,
            longitude: at.1,
            country: Some(country.into()),
            label: label.into(),
            count,
            href: format!("/sessions?place={label}"),
        }
    }

    #[test]
    fn points_fall_where_the_drawing_has_them() {
        // Printed by data/world/draw.js, which projects with d3-geo.
        for (latitude, longitude, x, y) in [
            (0.0, 0.0, 1000.0, 482.717),
            (59.91, 10.75, 1045.032, 81.077),
            (37.77, -122.42, 389.013, 211.081),
            (-33.87, 151.21, 1771.108, 728.301),
        ] {
            let (got_x, got_y) = project(latitude, longitude);
            assert!(
                (got_x - x).abs() < 0.01 && (got_y - y).abs() < 0.01,
                "{latitude} {longitude}: {got_x} {got_y}"
            );
        }
    }

    #[test]
    fn small_dots_lie_on_large_ones_and_countries_are_counted_together() {
        let map = Map::world(&[
            spot("Oslo", "NO", (59.91, 10.75), 1),
            spot("Bergen", "NO", (60.39, 5.32), 30),
            spot("Lagos", "NG", (6.45, 3.39), 2),
        ]);
        assert_eq!(
            map.dots.iter().map(|dot| dot.title.as_str()).collect::<Vec<_>>(),
            ["Bergen: 30", "Lagos: 2", "Oslo"]
        );
        assert_eq!(map.countries, [("NG".to_owned(), 3), ("NO".to_owned(), 4)]);
        assert_eq!(map.summary, "World map: 3 places in 2 countries");
    }

    #[test]
    fn a_country_that_is_not_a_code_is_not_drawn() {
        let map = Map::world(&[spot("Nowhere", "\"/>", (0.0, 0.0), 1)]);
        assert!(map.countries.is_empty());
    }

    #[test]
    fn the_neighbourhood_stays_on_the_field() {
        let map = Map::around(&spot("Suva", "FJ", (-18.14, 178.44), 1));
        assert_eq!(map.view.split(' ').next(), Some("1360"));
    }
}
