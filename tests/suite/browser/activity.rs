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
    ann.says("span", "3 activities").await;
    ann.see("#histogram svg .bar").await;
    assert_eq!(downloaded(&ann).await, 3);
    ann.choose("period", "all").await;
    ann.fill("q", "export").await;
    ann.click("#ask .primary").await;
    ann.count("#rows tbody tr", 15).await;
    ann.says("span", "15 activities").await;
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
    ann.leave_after_a_refusal();
}

#[tokio::test]
async fn what_is_typed_is_found_as_one_types() {
    let Some(chromium) = Chromium::start() else { return };
    let house = House::of(&["ann:admin"]);
    house.import(&some_activities());
    let ann = chromium.browser(&house).await;
    ann.sign_in("ann").await;
    ann.find("/activity?q=report&period=all", "#rows").await;
    ann.count("#rows tbody tr", 45).await;
    let entries = ann.value("return history.length").await;

    // The beginning of a word is enough, and the last word counts, not each of them.
    for (typed, found) in [("rep", 45), ("report outcome:fail", 0), ("report outcome:failure", 3)] {
        ann.fill("q", typed).await;
        if found > 0 {
            ann.count("#rows tbody tr", found).await;
        } else {
            ann.see("#fault .error").await;
        }
    }
    ann.says("span", "3 activities").await;
    assert_eq!(downloaded(&ann).await, 3);
    let address = ann.path_and_query().await;
    assert!(address.contains("q=report+outcome%3Afailure") && address.contains("typing=1"), "{address}");
    let more = "return history.length - arguments[0] === 1";
    ann.until(more, vec![entries.clone()], "one more entry, however much is typed").await;

    // One goes on where one was: the focus stays, and so does the caret.
    let caret = "const q = document.activeElement; q.setSelectionRange(0, 0); return q.id";
    assert_eq!(ann.value(caret).await, "q");
    ann.press("carl ").await;
    ann.count("#rows tbody tr", 3).await;
    ann.until("return location.search.includes('carl')", vec![], "it was asked for").await;
    let caret = "return [document.activeElement.id, document.activeElement.selectionStart]";
    assert_eq!(ann.value(caret).await, serde_json::json!(["q", 5]));

    // What is asked for in full takes the place of what was typed, and Back leads to what was asked before.
    ann.fill("q", "carl").await;
    ann.press("\u{e007}").await;
    ann.until("return !location.search.includes('typing')", vec![], "it was asked for in full").await;
    ann.count("#rows tbody tr", 15).await;
    ann.run("history.back()", vec![]).await;
    ann.until("return location.search.includes('q=report')", vec![], "back again").await;
    ann.count("#rows tbody tr", 45).await;

    // Drawn anew it is what it was.
    ann.open("/activity?q=rep&period=all&typing=1").await;
    ann.count("#rows tbody tr", 45).await;
    assert_eq!(ann.value("return document.querySelector('#q').value").await, "rep");
    ann.leave_after_a_refusal();
}

/// An activity of now that a search for `export` finds.
fn export(user: &str, detail: &str) -> String {
    format!("{{\"user\":\"{user}\",\"action\":\"ExportReport\",\"detail\":\"{detail}\"}}\n")
}

#[tokio::test]
async fn what_comes_in_takes_its_place_among_the_rows_while_live_is_on() {
    let Some(chromium) = Chromium::start() else { return };
    let house = House::of(&["ann:admin"]);
    house.import(&some_activities());
    let ann = chromium.browser(&house).await;
    ann.sign_in("ann").await;
    ann.find("/activity?q=export+-mallory&period=all", "#rows").await;
    ann.count("#rows tbody tr", 45).await;
    ann.says("span", "45 activities").await;

    // It comes by itself, marked; what the search does not find stays away; what is of long ago stands below.
    ann.click("#live").await;
    ann.see("#live[aria-pressed=true]").await;
    let old = r#"{"time":"2023-07-03T12:00:00Z","user":"olga","action":"Export"}"#;
    house.import(&format!("{old}\n{}{}", export("mallory", ""), export("dora", "the first")));
    ann.count("#rows tbody tr", 47).await;
    assert_eq!(ann.text("#rows tbody tr:first-child .user").await, "dora");
    assert_eq!(ann.text("#rows tbody tr:first-child .action mark").await, "Export");
    let users = ann.texts("#rows tbody tr .user").await;
    assert_eq!(users[users.len() - 4..], ["olga", "carl", "carl", "carl"], "in its place in time");
    ann.says("span", "47 activities").await;

    // While a record is open nothing moves.
    ann.click("#rows tbody tr:first-child .time a").await;
    ann.see("tr.record dl.record").await;
    house.import(&export("emil", "the second"));
    ann.see("#news:not([hidden])").await;
    assert_eq!(ann.text("#news").await, "1 new");
    assert_eq!(ann.text("#rows tbody tr:first-child .user").await, "dora");
    ann.click("#news").await;
    ann.count("#news[hidden]", 1).await;
    assert_eq!(ann.text("#rows tbody tr:first-child .user").await, "emil");

    // The page keeps so many and no more.
    ann.click("#rows tbody tr.open .time a").await;
    ann.gone("tr.record").await;
    ann.click("h1").await;
    house.import(&export("emil", "many").repeat(600));
    ann.count("#rows tbody tr", 500).await;
    let counted = "return document.querySelector('#count').textContent === '648 activities'";
    ann.until(counted, vec![], "all are counted").await;

    // It follows another search, also one that finds nothing yet; and stops when it is told to.
    ann.fill("q", "zebra").await;
    ann.click("#ask .primary").await;
    ann.see("#results .nothing").await;
    house.import(&export("emil", "a zebra"));
    ann.count("#rows tbody tr", 1).await;
    ann.gone(".nothing").await;
    ann.click("#live").await;
    ann.see("#live[aria-pressed=false]").await;
    house.import(&export("emil", "another zebra"));
    let found = r#"const done = arguments[0]; const ask = () => fetch("/api/v1/activity?q=zebra")
        .then((answer) => answer.json()).then((page) => page.total.value === 2 ? done(true) : setTimeout(ask, 25)); ask()"#;
    ann.later(found).await;
    ann.count("#rows tbody tr", 1).await;
    ann.leave();
}
