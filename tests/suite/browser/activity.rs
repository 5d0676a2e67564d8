//! Activity Log: a question to the log, its answer, and the same answer as a file.

use std::fmt::Write as _;

use super::{Browser, Chromium, House};

/// Forty of today by two people, three of which failed, and five of July 2023.
fn some_activities() -> String {
    let mut lines = String::new();
    for number in 0..40 {
        let user = if number % 4 == 0 { "carl" } else { "bea" };
        let outcome = if number % 4 == 0 && number < 12 { "failure" } else { "success" };
        let _ = writeln!(
            lines,
            r#"{{"user":"{user}","action":"ExportReport","detail":"report {number}","outcome":"{outcome}","ip":"81.2.69.142"}}"#
        );
    }
    for day in 1..=5 {
        let _ =
            writeln!(lines, r#"{{"time":"2023-07-0{day}T10:00:00Z","user":"carl","action":"ExportReport"}}"#);
    }
    lines
}

/// How many rows the file behind the link `Download CSV` has, read by another reader.
async fn downloaded(ann: &Browser<'_>) -> usize {
    let link = ann.see("a[download]").await.attr("href").await.unwrap().unwrap();
    let text = ann.fetch(&link).await;
    let mut file = csv::Reader::from_reader(text.as_bytes());
    assert_eq!(file.headers().unwrap().iter().take(3).collect::<Vec<_>>(), ["Time", "User", "Activity"]);
    file.records().map(Result::unwrap).count()
}

#[tokio::test]
async fn period_user_and_keyword_find_what_was_done_and_it_can_be_downloaded() {
    let Some(chromium) = Chromium::start() else { return };
    let house = House::of(&["ann:admin"]);
    house.import(&some_activities());
    let ann = chromium.browser(&house).await;
    ann.sign_in("ann").await;
    ann.open("/activity").await;
    let labels = ann.texts("#ask > label.field > span, #ask > .q > label, #ask > .primary").await;
    assert_eq!(labels, ["Time Period", "User", "Activity", "Get Details"]);
    let periods = ann.texts("[name=period] option").await;
    let named = ["Last 24 hours", "7 days", "1 month", "3 months", "6 months", "1 year", "All", "Custom"];
    assert_eq!(periods, named);

    // The last day first, then all of it.
    ann.choose("period", "24h").await;
    ann.fill("user", "carl").await;
    ann.fill("q", "report outcome:failure").await;
    ann.click("#ask .primary").await;
    ann.count("#rows tbody tr", 3).await;
    assert_eq!(ann.text("#count").await, "3 activities");
    ann.see("#histogram svg .bar").await;
    assert_eq!(downloaded(&ann).await, 3);
    ann.choose("period", "all").await;
    ann.fill("q", "export").await;
    ann.click("#ask .primary").await;
    ann.count("#rows tbody tr", 15).await;
    assert_eq!(ann.text("#count").await, "15 activities");
    assert_eq!(downloaded(&ann).await, 15);
    let address = ann.path_and_query().await;
    assert!(address.contains("user=carl") && address.contains("q=export"), "{address}");

    // A record opens in place, and closes again.
    ann.click("#rows tbody tr .time a").await;
    ann.see("tr.record dl.record").await;
    ann.click("#rows tbody tr.open .time a").await;
    ann.gone("tr.record").await;
    ann.fits(&address).await;
    ann.leave();
}

#[tokio::test]
async fn the_box_completes_what_it_knows_and_says_what_it_cannot_understand() {
    let Some(chromium) = Chromium::start() else { return };
    let house = House::of(&["ann:admin"]);
    house.import(&some_activities());
    let ann = chromium.browser(&house).await;
    ann.sign_in("ann").await;
    ann.open("/activity").await;
    ann.fill("q", "act").await;
    ann.see("#options:not([hidden]) li").await;
    assert_eq!(ann.texts("#options li span").await, ["action:"]);
    ann.press("\u{e015}\u{e007}").await;
    ann.press("Exp").await;
    ann.see("#options li[data-text='action:ExportReport']").await;
    ann.fill("q", "report colour:red").await;
    ann.press("\u{e007}").await;
    ann.see("#fault .error").await;
    assert!(ann.text("#fault mark").await.contains("colour"));
    ann.fits("/activity?q=report+colour%3Ared").await;
    ann.leave();
}
