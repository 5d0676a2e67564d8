//! The histogram over the Activity Log: how much happened when, failures in red at the foot of each bar.
//!
//! Widths are percentages and heights are pixels, so one drawing fits every screen without distorting its text.

use jiff::{Timestamp, tz::TimeZone};

use crate::{model::noun::noun, web::views::text::grouped};

/// The height of the tallest bar, in pixels.
pub const HEIGHT: f64 = 96.0;
/// The most ticks under the chart; more would touch on a telephone.
const TICKS: usize = 5;

/// What happened in one stretch of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// Its first instant.
    pub from: Timestamp,
    /// The first instant after it.
    pub to: Timestamp,
    /// All activities in it.
    pub total: u64,
    /// Those of them that failed.
    pub failures: u64,
}

/// A histogram, ready to be drawn.
#[derive(Clone, Debug, Default)]
pub struct Chart {
    /// One bar a bucket, oldest first.
    pub bars: Vec<Bar>,
    /// The labels under them.
    pub ticks: Vec<Tick>,
    /// What the tallest bar stands for, grouped in thousands.
    pub most: String,
    /// Everything in one sentence, for those who do not see it.
    pub summary: String,
    /// The first instant after the chart, RFC 3339: the last edge a drag over it can end at.
    pub to: String,
}

/// One bar.
#[derive(Clone, Debug)]
pub struct Bar {
    /// Left edge and width, in per cent.
    pub x: String,
    /// See `x`.
    pub width: String,
    /// Top and height of the part that went well, in pixels.
    pub y: String,
    /// See `y`.
    pub height: String,
    /// Top and height of the failed part; none failed if the height is empty.
    pub failed_y: String,
    /// See `failed_y`.
    pub failed_height: String,
    /// What a pointer that rests on it reads.
    pub title: String,
    /// When it begins, for people.
    pub when: String,
    /// How many activities, and how many of them failed.
    pub total: String,
    /// See `total`.
    pub failures: String,
    /// Where to look closer: the same search in this bar's time only.
    pub href: String,
    /// When it begins, RFC 3339: a drag over the chart ends at such edges.
    pub from: String,
}

/// A label under the chart.
#[derive(Clone, Debug)]
pub struct Tick {
    /// Where it begins: at the left edge of its bar, in per cent.
    pub x: String,
    /// Its text.
    pub label: String,
}

impl Chart {
    /// Draws `buckets`, labels in `zone`; `link` gives the address that shows one bucket alone.
    pub fn new(buckets: &[Bucket], zone: &TimeZone, link: impl Fn(&Bucket) -> String) -> Self {
        let (Some(first), Some(last)) = (buckets.first(), buckets.last()) else { return Self::default() };
        let most = buckets.iter().map(|bucket| bucket.total).max().unwrap_or(0);
        let total: u64 = buckets.iter().map(|bucket| bucket.total).sum();
        let failures: u64 = buckets.iter().map(|bucket| bucket.failures).sum();
        let days = (last.to.as_second() - first.from.as_second()) / 86_400;
        let bars = buckets
            .iter()
            .enumerate()
            .map(|(at, bucket)| {
                Bar::new(bucket, at, buckets.len(), most, when(bucket.from, zone, days), link(bucket))
            })
            .collect();
        Self {
            bars,
            ticks: ticks(buckets, zone, days),
            most: grouped(most),
            summary: format!(
                "{} {} over time, {} of them failed",
                grouped(total),
                noun(total, "activity", "activities"),
                grouped(failures)
            ),
            to: last.to.to_string(),
        }
    }
}

impl Bar {
    fn new(bucket: &Bucket, at: usize, of: usize, most: u64, when: String, href: String) -> Self {
        let share = 100.0 / float(of);
        let failed = height(bucket.failures.min(bucket.total), most);
        let whole = height(bucket.total, most).max(failed);
        let title = match bucket.failures {
            0 => format!("{when}: {}", grouped(bucket.total)),
            failures => format!("{when}: {}, {} failed", grouped(bucket.total), grouped(failures)),
        };
        Self {
            x: short(share * float(at)),
            width: short(share),
            y: short(HEIGHT - whole),
            height: short(whole - failed),
            failed_y: short(HEIGHT - failed),
            failed_height: if failed > 0.0 { short(failed) } else { String::new() },
            title,
            when,
            total: grouped(bucket.total),
            failures: grouped(bucket.failures),
            href,
            from: bucket.from.to_string(),
        }
    }
}

/// A bar's height in pixels; whatever is not nothing can be seen.
fn height(count: u64, most: u64) -> f64 {
    if count == 0 || most == 0 { 0.0 } else { (HEIGHT * wide(count) / wide(most)).max(1.5) }
}

fn ticks(buckets: &[Bucket], zone: &TimeZone, days: i64) -> Vec<Tick> {
    let step = buckets.len().div_ceil(TICKS).max(1);
    let form = match days {
        ..=2 => "%H:%M",
        3..=150 => "%-d %b",
        _ => "%b %Y",
    };
    buckets
        .iter()
        .enumerate()
        .step_by(step)
        .map(|(at, bucket)| Tick {
            x: short(100.0 * float(at) / float(buckets.len())),
            label: bucket.from.to_zoned_datetime(zone.clone()).strftime(form).to_string(),
        })
        .collect()
}

fn when(at: Timestamp, zone: &TimeZone, days: i64) -> String {
    let form = if days > 60 { "%-d %b %Y" } else { "%-d %b %H:%M" };
    at.to_zoned_datetime(zone.clone()).strftime(form).to_string()
}

/// A number with as many decimals as a screen can show, and no more.
fn short(number: f64) -> String {
    let text = format!("{number:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[expect(clippy::cast_precision_loss, reason = "a position on the screen needs no more than 52 bits")]
const fn wide(number: u64) -> f64 {
    number as f64
}

const fn float(number: usize) -> f64 {
    wide(number as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hour(at: i64, total: u64, failures: u64) -> Bucket {
        let start = 1_767_225_600 + at * 3600;
        let at = |second| Timestamp::from_second(second).unwrap();
        Bucket { from: at(start), to: at(start + 3600), total, failures }
    }

    fn chart(buckets: &[Bucket]) -> Chart {
        Chart::new(buckets, &TimeZone::UTC, |bucket| format!("/activity?from={}", bucket.from))
    }

    #[test]
    fn failures_stand_at_the_foot_and_the_rest_on_top_of_them() {
        let chart = chart(&[hour(0, 100, 25), hour(1, 50, 0)]);
        let bar = &chart.bars[0];
        assert_eq!((bar.y.as_str(), bar.height.as_str()), ("0", "72"));
        assert_eq!((bar.failed_y.as_str(), bar.failed_height.as_str()), ("72", "24"));
        assert_eq!((chart.bars[1].y.as_str(), chart.bars[1].failed_height.as_str()), ("48", ""));
        assert_eq!(bar.title, "1 Jan 00:00: 100, 25 failed");
        assert_eq!(chart.summary, "150 activities over time, 25 of them failed");
    }

    #[test]
    fn one_activity_beside_a_million_can_still_be_seen() {
        let chart = chart(&[hour(0, 1_000_000, 0), hour(1, 1, 1)]);
        assert_eq!(chart.bars[1].failed_height, "1.5");
        assert_eq!(chart.bars[1].height, "0", "what is drawn red is not drawn twice");
        assert_eq!(chart.most, "1,000,000");
    }

    #[test]
    fn nothing_is_drawn_of_nothing() {
        assert!(chart(&[]).bars.is_empty());
        let empty = chart(&[hour(0, 0, 0)]);
        assert_eq!((empty.bars[0].height.as_str(), empty.most.as_str()), ("0", "0"));
    }

    #[test]
    fn a_day_is_labelled_by_hours_and_a_year_by_months() {
        let day: Vec<_> = (0..24).map(|at| hour(at, 1, 0)).collect();
        let labels: Vec<_> = chart(&day).ticks.iter().map(|tick| tick.label.clone()).collect();
        assert_eq!(labels, ["00:00", "05:00", "10:00", "15:00", "20:00"]);
        let year: Vec<_> = (0..12).map(|at| hour(at * 24 * 31, 1, 0)).collect();
        assert_eq!(chart(&year).ticks[1].label, "Apr 2026");
    }
}
