//! The tables, in Markdown.

use std::time::Duration;

use crate::{
    engine::Ask,
    feed::{Feed, thousands},
    machine::{self, Memory},
    postgres::Postgres,
    search::All,
    sqlite::Sqlite,
};

/// How many of the engines are Rollcall: in this process, and by HTTP.
const OURS: usize = 2;

/// What lies on the disk, in bytes.
pub struct Bytes {
    pub rollcall: u64,
    pub sqlite: u64,
    pub postgres: Option<u64>,
}

/// What was measured, and where.
pub fn head(feed: &Feed, postgres: Option<&mut Postgres>) {
    let other = postgres.and_then(|postgres| postgres.version().ok());
    println!(
        "{}; {}; Rollcall {} at {} (profile {}), {}SQLite {}.\n",
        feed.described(),
        machine::described(),
        env!("CARGO_PKG_VERSION"),
        machine::COMMIT,
        machine::PROFILE,
        other.map_or_else(String::new, |version| format!("PostgreSQL {version}, ")),
        Sqlite::version(),
    );
}

/// The times of the questions, and how they compare.
pub fn searches(all: &All) {
    let (ours, others) = all.names.split_at(OURS.min(all.names.len()));
    let ratios: Vec<(usize, usize)> =
        (0..OURS).flat_map(|our| (OURS..all.names.len()).map(move |other| (our, other))).collect();
    let named = |&(our, other): &(usize, usize)| {
        let by = if our == 0 { "" } else { " by HTTP" };
        format!("{} ÷ Rollcall{by}", all.names[other])
    };
    let mut heads: Vec<String> = vec!["p50 / p99 in ms".into()];
    heads.extend(ours.iter().chain(others).map(|name| (*name).to_owned()));
    heads.extend(ratios.iter().map(named));
    println!("| {} |\n|---|{}", heads.join(" | "), "--:|".repeat(heads.len() - 1));
    let median = |at: usize, found: &crate::search::Found| quantile(&found.times[at], 0.5).as_secs_f64();
    for found in &all.found {
        let times = found
            .times
            .iter()
            .map(|times| format!("{} / {}", mark(quantile(times, 0.5)), mark(quantile(times, 0.99))));
        let compared = ratios.iter().map(|&(our, other)| ratio(median(other, found) / median(our, found)));
        let cells: Vec<String> = times.chain(compared).collect();
        println!("| {}: {} | {} |", found.class, found.ask, cells.join(" | "));
    }
    for ask in Ask::ALL.into_iter().filter(|_| !others.is_empty()) {
        let of = |pair: &(usize, usize)| {
            let logs: Vec<f64> = all
                .found
                .iter()
                .filter(|found| found.ask == ask)
                .map(|found| (median(pair.1, found) / median(pair.0, found)).ln())
                .collect();
            format!("**{}**", ratio((logs.iter().sum::<f64>() / logs.len() as f64).exp()))
        };
        let means: Vec<String> = ratios.iter().map(of).collect();
        println!("| **geometric mean: {ask}** |{} {} |", " |".repeat(all.names.len()), means.join(" | "));
    }
    println!();
    for pair in &ratios {
        let worst = all
            .found
            .iter()
            .map(|found| (median(pair.1, found) / median(pair.0, found), found))
            .min_by(|a, b| a.0.total_cmp(&b.0));
        if let Some((worst, found)) = worst {
            println!("- Worst of {}: {} ({}: {}).", named(pair), ratio(worst), found.class, found.ask);
        }
    }
    println!();
}

/// What each question takes that is asked for the first time: nothing that was found out for another one helps, but what the system
/// holds of the files.
pub fn first(all: &All) {
    println!(
        "| asked for the first time, p50 / longest in ms | {} |\n|---|{}",
        all.names.join(" | "),
        "--:|".repeat(all.names.len())
    );
    for found in &all.found {
        let cells: Vec<String> = found
            .first
            .iter()
            .map(|times| format!("{} / {}", mark(quantile(times, 0.5)), mark(quantile(times, 1.0))))
            .collect();
        println!("| {}: {} | {} |", found.class, found.ask, cells.join(" | "));
    }
    println!();
}

/// What lies on the disk and in memory.
pub fn serving(bytes: &Bytes, count: u64, memory: &Memory) {
    let per = |bytes: u64| format!("{:.0} bytes", bytes as f64 / count as f64);
    let other = bytes.postgres.map_or_else(|| "–".to_owned(), per);
    println!("| | Rollcall | PostgreSQL | SQLite |\n|---|---|---|---|");
    println!("| on disk, an activity | {} | {other} | {} |\n", per(bytes.rollcall), per(bytes.sqlite));
    println!(
        "Rollcall's server has {} MB resident behind these questions, {} MB of them files that the system may take back; at most {} MB.\n",
        memory.resident >> 20,
        memory.files >> 20,
        memory.peak >> 20
    );
    let _ = thousands(count);
}

/// The time under which this share of sorted times lies.
pub fn quantile(sorted: &[Duration], share: f64) -> Duration {
    let at = ((sorted.len().saturating_sub(1)) as f64 * share).round() as usize;
    sorted.get(at).copied().unwrap_or_default()
}

/// A time in milliseconds, with three digits that count.
pub fn mark(time: Duration) -> String {
    digits(time.as_secs_f64() * 1e3)
}

/// How many times as much something is.
pub fn ratio(ratio: f64) -> String {
    format!("{} ×", digits(ratio))
}

fn digits(number: f64) -> String {
    let places = match number {
        ..0.1 => 4,
        ..1.0 => 3,
        ..10.0 => 2,
        ..100.0 => 1,
        _ => return thousands(number.round() as u64),
    };
    format!("{number:.places$}")
}
