//! What is compared.

use std::fmt;

use crate::questions::Question;

/// Rows on a page.
pub const PAGE: usize = 50;

/// Something that has all activities and answers questions on them.
pub trait Engine {
    /// As it stands above its column.
    fn name(&self) -> &'static str;

    /// Whether its pages are in order of arrival, which is nearly that of time.
    fn by_arrival(&self) -> bool {
        false
    }

    /// Finds out, untimed, what a deep page needs: where the page before it ended.
    fn prepare(&mut self, question: &Question) -> anyhow::Result<()>;

    /// The page, every column of every row read.
    fn page(&mut self, question: &Question) -> anyhow::Result<Answer>;

    /// How many there are.
    fn count(&mut self, question: &Question) -> anyhow::Result<Answer>;

    /// How many there are in each of the parts of the period.
    fn histogram(&mut self, question: &Question) -> anyhow::Result<Answer>;
}

impl<E: Engine> Engine for &mut E {
    fn name(&self) -> &'static str {
        (**self).name()
    }
    fn by_arrival(&self) -> bool {
        (**self).by_arrival()
    }
    fn prepare(&mut self, question: &Question) -> anyhow::Result<()> {
        (**self).prepare(question)
    }
    fn page(&mut self, question: &Question) -> anyhow::Result<Answer> {
        (**self).page(question)
    }
    fn count(&mut self, question: &Question) -> anyhow::Result<Answer> {
        (**self).count(question)
    }
    fn histogram(&mut self, question: &Question) -> anyhow::Result<Answer> {
        (**self).histogram(question)
    }
}

/// What is asked of an engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    Page,
    Count,
    Histogram,
}

impl Ask {
    pub const ALL: [Self; 3] = [Self::Page, Self::Count, Self::Histogram];

    pub fn of(self, engine: &mut dyn Engine, question: &Question) -> anyhow::Result<Answer> {
        match self {
            Self::Page => engine.page(question),
            Self::Count => engine.count(question),
            Self::Histogram => engine.histogram(question),
        }
    }
}

impl fmt::Display for Ask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Page => "page",
            Self::Count => "count",
            Self::Histogram => "histogram",
        })
    }
}

/// What an engine said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The times of the rows.
    Page(Vec<i64>),
    Count(u64),
    Histogram(Vec<u64>),
}

/// By how much order of arrival may differ from order of time, in milliseconds.
const LATE: u64 = 5000;

impl Answer {
    /// Whether it is the same. Pages in order of arrival may have another row where one came late; a page found by the time
    /// of the row before it may miss one of the same time.
    pub fn is(&self, other: &Self, by_arrival: bool, by_key: bool) -> bool {
        match (self, other) {
            (Self::Page(one), Self::Page(other)) if by_key => one.len() == other.len(),
            (Self::Page(one), Self::Page(other)) if by_arrival => {
                let sorted = |times: &[i64]| {
                    let mut times = times.to_vec();
                    times.sort_unstable();
                    times
                };
                let (one, other) = (sorted(one), sorted(other));
                one.len() == other.len() && one.iter().zip(&other).all(|(a, b)| a.abs_diff(*b) <= LATE)
            }
            _ => self == other,
        }
    }
}

/// A row's columns, all read.
#[derive(Debug)]
#[allow(dead_code, reason = "reading them is the point")]
pub struct Row {
    pub id: i64,
    pub time: i64,
    pub user: String,
    pub app: String,
    pub action: String,
    pub detail: String,
    pub ip: String,
    pub user_agent: String,
    pub session: String,
    pub outcome: String,
}

/// The page that these rows make.
pub fn page(rows: Vec<Row>) -> Answer {
    let rows = std::hint::black_box(rows);
    Answer::Page(rows.iter().map(|row| row.time).collect())
}
