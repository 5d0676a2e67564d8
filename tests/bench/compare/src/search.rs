//! The questions, asked of all engines in turn.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use crate::{
    args::Args,
    engine::{Ask, Engine},
    questions::Question,
};

/// An answer that took longer is not asked for once more only to warm up.
const SLOW: Duration = Duration::from_secs(5);

/// How many questions one is asked in a row before it is the next one's turn.
const RUN: usize = 8;

/// What the first question of a turn takes is what it costs to get the processor's caches back from the others, and is not counted:
/// this is how a server answers that is not one of four on its machine. Beyond this long, that is no part of it worth mentioning.
const COLD: Duration = Duration::from_millis(20);

/// What a class of questions took.
pub struct Found {
    pub class: String,
    pub ask: Ask,
    /// The times of each engine, sorted.
    pub times: Vec<Vec<Duration>>,
    /// What each question took each of them when it was asked for the first time, sorted.
    pub first: Vec<Vec<Duration>>,
}

/// Everything that was measured.
pub struct All {
    pub names: Vec<&'static str>,
    pub found: Vec<Found>,
}

/// Asks everything, as often and as long as `args` allows each engine for each class.
pub fn run(engines: &mut [Box<dyn Engine + '_>], questions: &[Question], args: &Args) -> anyhow::Result<All> {
    let mut found = Vec::new();
    for class in questions.chunk_by(|a, b| (&a.class, a.by_key) == (&b.class, b.by_key)) {
        for ask in Ask::ALL {
            // How many there are does not depend on the page.
            if class[0].offset > 0 && ask != Ask::Page {
                continue;
            }
            eprintln!("{}: {ask}", class[0].described());
            let (times, first) = measure(engines, class, ask, args)?;
            found.push(Found { class: class[0].described(), ask, times, first });
        }
    }
    Ok(All { names: engines.iter().map(|engine| engine.name()).collect(), found })
}

/// The times of each engine when it is asked for the first time, and again.
type Times = Vec<Vec<Duration>>;

fn measure(
    engines: &mut [Box<dyn Engine + '_>],
    class: &[Question],
    ask: Ask,
    args: &Args,
) -> anyhow::Result<(Times, Times)> {
    let mut first: Times = vec![Vec::new(); engines.len()];
    for question in class {
        check(engines, question, ask, &mut first)?;
    }
    // What takes so long that the first time says enough is not asked much more often.
    let slow = |first: &Vec<Duration>| first.iter().copied().filter(|took| *took > SLOW).collect();
    let mut times: Times = first.iter().map(slow).collect();
    in_turn(engines, class, ask, args, &mut times)?;
    for first in &mut first {
        first.sort_unstable();
    }
    Ok((times, first))
}

/// Asks one engine after the other, a run of questions each, and adds what they took to their times, which are sorted then.
pub fn in_turn(
    engines: &mut [Box<dyn Engine + '_>],
    class: &[Question],
    ask: Ask,
    args: &Args,
    times: &mut [Vec<Duration>],
) -> anyhow::Result<()> {
    let limit = Duration::from_secs_f64(args.seconds);
    for round in 0..args.rounds.div_ceil(RUN) {
        for turn in 0..engines.len() {
            // Nobody always comes behind the same one.
            let at = (round + turn) % engines.len();
            for (nth, question) in class.iter().cycle().skip(round * RUN).take(RUN + 1).enumerate() {
                let spent: Duration = times[at].iter().sum();
                let enough = if spent > SLOW { 1 } else { 2 };
                if spent > limit && times[at].len() >= enough {
                    break;
                }
                if class.len() > 1 && question.offset > 0 {
                    engines[at].prepare(question)?;
                }
                let started = Instant::now();
                ask.of(engines[at].as_mut(), question)?;
                let took = started.elapsed();
                if nth > 0 || took > COLD {
                    times[at].push(took);
                }
            }
        }
    }
    for times in times {
        times.sort_unstable();
    }
    Ok(())
}

/// Asks all once, and ends the run where they do not say the same.
fn check(
    engines: &mut [Box<dyn Engine + '_>],
    question: &Question,
    ask: Ask,
    times: &mut [Vec<Duration>],
) -> anyhow::Result<()> {
    let mut first = None;
    for (engine, times) in engines.iter_mut().zip(times) {
        let name = engine.name();
        engine.prepare(question).with_context(|| format!("{name}: {question:?}"))?;
        let started = Instant::now();
        let answer = ask.of(engine.as_mut(), question).with_context(|| format!("{name}: {question:?}"))?;
        times.push(started.elapsed());
        match &first {
            None => first = Some(answer),
            Some(first) if answer.is(first, engine.by_arrival(), question.by_key) => {}
            Some(first) => {
                bail!("{name} says something else of {question:?}:\n{answer:?}\ninstead of\n{first:?}")
            }
        }
    }
    Ok(())
}
