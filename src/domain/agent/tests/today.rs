//! The senders of today, as `tests/fixtures/agents` lists them.

use super::{fixture, of};

const LISTS: &[&str] = &["computers", "phones", "applications", "programs"];

/// What must be shown and the `User-Agent` it is shown for: a line at the margin, then an indented one.
fn rows(list: &str) -> Vec<(String, String)> {
    let text = fixture(&format!("agents/{list}.txt"));
    let lines: Vec<&str> = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    let row = |pair: &[&str]| {
        assert!(pair.len() == 2 && pair[1].starts_with("    "), "{list}: {pair:?}");
        (pair[0].trim_end().to_owned(), pair[1].trim().to_owned())
    };
    lines.chunks(2).map(row).collect()
}

#[test]
fn every_sender_of_today_is_shown_as_what_it_is() {
    let rows: Vec<_> = LISTS.iter().flat_map(|list| rows(list)).collect();
    assert!(rows.len() >= 120, "only {} rows", rows.len());
    let wrong: Vec<String> = rows
        .iter()
        .filter_map(|(expected, user_agent)| {
            let device = of(user_agent);
            let shown = format!("{} | {} | {} | {}", device.kind, device.device, device.os, device.browser);
            (shown.trim_end() != expected).then(|| format!("{user_agent}\n   not {expected}\n   but {shown}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{} of {} wrong\n{}", wrong.len(), rows.len(), wrong.join("\n"));
}
