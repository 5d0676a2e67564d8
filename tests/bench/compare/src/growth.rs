//! First pages of all activities beside those of a tenth of them: what a log that grows makes slower.

use std::path::Path;

use crate::{
    args::Args,
    engine::{Answer, Ask, Engine},
    feed::{Feed, thousands},
    http::Http,
    questions::Question,
    report::{mark, quantile, ratio},
    search,
    server::{self, Server},
};

/// How many times as many activities the larger log has.
const TIMES: u64 = 10;

/// Two servers, asked in turn: both have the same machine, and the same moments of it.
pub fn run(
    folder: &Path,
    served: &Path,
    args: &Args,
    feed: &Feed,
    questions: &[Question],
) -> anyhow::Result<()> {
    let tenth = feed.first(feed.count() / TIMES);
    let smaller = folder.join(format!("rollcall-{}", tenth.name()));
    server::load(&smaller, &tenth, args.binary.as_deref())?;
    let servers =
        [Server::start(&smaller, args.binary.as_deref())?, Server::start(served, args.binary.as_deref())?];
    let mut engines: Vec<Box<dyn Engine>> =
        servers.iter().map(|server| Box::new(Http::of(server)) as _).collect();
    println!(
        "| first page by HTTP, p50 / p99 in ms | of {} | rows | of {} | rows | |\n|---|--:|--:|--:|--:|--:|",
        thousands(tenth.count()),
        thousands(feed.count())
    );
    let first: Vec<Question> = questions.iter().filter(|question| question.offset == 0).cloned().collect();
    for class in first.chunk_by(|a, b| a.class == b.class) {
        eprintln!("{}: growth", class[0].described());
        let rows = engines
            .iter_mut()
            .map(|engine| rows(engine.as_mut(), class))
            .collect::<anyhow::Result<Vec<_>>>()?;
        let mut times = vec![Vec::new(); engines.len()];
        search::in_turn(&mut engines, class, Ask::Page, args, &mut times)?;
        let cell = |at: usize| {
            let (p50, p99) = (quantile(&times[at], 0.5), quantile(&times[at], 0.99));
            format!("{} / {} | {:.0}", mark(p50), mark(p99), rows[at])
        };
        let slower = quantile(&times[1], 0.5).as_secs_f64() / quantile(&times[0], 0.5).as_secs_f64();
        println!("| {} | {} | {} | {} |", class[0].described(), cell(0), cell(1), ratio(slower));
    }
    println!();
    drop(engines);
    servers.into_iter().try_for_each(Server::stop)
}

/// How many rows a page has, on average. It also asks each question once, so that all of them were asked before.
fn rows(engine: &mut dyn Engine, class: &[Question]) -> anyhow::Result<f64> {
    let mut rows = 0;
    for question in class {
        engine.prepare(question)?;
        if let Answer::Page(times) = engine.page(question)? {
            rows += times.len();
        }
    }
    Ok(rows as f64 / class.len() as f64)
}
