//! What is asked: classes of questions that a reader of a log has, with words that every engine cuts alike.

use std::io::Read;

use anyhow::ensure;
use serde::Deserialize;

use crate::data::{ACTIONS, COMPARE, MONTHS, PHRASES, Year};

/// How many parts a histogram has.
pub const BUCKETS: i64 = 60;

/// One question. Its parts are joined by AND.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Question {
    pub class: String,
    /// The period, in milliseconds since 1970.
    #[serde(rename = "t0")]
    pub from: i64,
    #[serde(rename = "t1")]
    pub to: i64,
    #[serde(default)]
    pub terms: Vec<String>,
    #[serde(default)]
    pub phrase: Vec<String>,
    pub prefix: Option<String>,
    pub user: Option<String>,
    /// How many rows stand before the page.
    #[serde(default)]
    pub offset: usize,
    /// The others find the page as Rollcall does, by the last row of the page before, not by counting rows.
    #[serde(skip)]
    pub by_key: bool,
    /// The period is that of all there is.
    #[serde(skip)]
    pub whole: bool,
}

impl Question {
    /// How Rollcall's search box is told.
    pub fn query(&self) -> String {
        let mut words = self.terms.clone();
        words.extend(self.prefix.iter().map(|prefix| format!("{prefix}*")));
        if !self.phrase.is_empty() {
            words.push(format!("\"{}\"", self.phrase.join(" ")));
        }
        words.join(" ")
    }

    /// How many milliseconds a bar of the histogram is wide.
    pub const fn width(&self) -> i64 {
        (self.to - self.from) / BUCKETS
    }

    /// The class in words.
    pub fn described(&self) -> String {
        let what = match self.class.split('_').next().unwrap_or_default() {
            "a" => "a rare word",
            "b1" | "b2" => "a word in 30 %",
            "c1" | "c2" => "user and word",
            "d1" => "two words",
            "d2" => "two common words",
            "e" => "a phrase",
            "f" => "a prefix",
            "g" | "g1" => "everything",
            "h" if self.by_key => "page 201, by key",
            "h" => "page 201, by offset",
            _ => &self.class,
        };
        let month = self.to - self.from < 40 * 86_400_000;
        format!("{what}, {}", if month { "a month" } else { "a year" })
    }
}

/// The questions for the made-up activities.
pub fn own() -> Vec<Question> {
    let (words, users) = (Year::words(), Year::users());
    let year = |class: &str| Question {
        class: class.to_owned(),
        from: MONTHS[0],
        to: MONTHS[12],
        ..Question::default()
    };
    let month =
        |class: &str, month: usize| Question { from: MONTHS[month], to: MONTHS[month + 1], ..year(class) };
    let word = |word: &str| vec![word.to_owned()];
    let mut all = Vec::new();
    for rare in &words[15_000..15_020] {
        all.push(Question { terms: word(rare), ..year("a") });
    }
    for at in 0..12 {
        all.push(Question { terms: word(COMPARE), ..month("b1", at) });
    }
    all.push(Question { terms: word(COMPARE), ..year("b2") });
    for turn in 0..20 {
        let (user, action) = (Some(users[turn * 5].clone()), word(ACTIONS[turn % 8]));
        all.push(Question { user, terms: action, ..month("c1", turn % 12) });
    }
    for turn in 0..20 {
        let (user, action) = (Some(users[turn * 20].clone()), word(ACTIONS[turn % 8]));
        all.push(Question { user, terms: action, ..year("c2") });
    }
    for pair in words[60..100].chunks(2) {
        all.push(Question { terms: pair.to_vec(), ..year("d1") });
    }
    all.push(Question { terms: vec![COMPARE.to_owned(), words[0].clone()], ..year("d2") });
    for phrase in PHRASES {
        all.push(Question { phrase: phrase.split(' ').map(str::to_owned).collect(), ..year("e") });
    }
    let invented = [300, 3000].map(|rank: usize| words[rank].chars().take(4).collect());
    for prefix in ["acco", "invoi", "payr", "certi", "wareh"].map(str::to_owned).into_iter().chain(invented) {
        all.push(Question { prefix: Some(prefix), ..year("f") });
    }
    all.push(year("g"));
    for at in 0..12 {
        all.push(month("g1", at));
    }
    all.push(Question { terms: word(COMPARE), offset: 10_000, ..year("h") });
    complete(all)
}

/// Questions from a file: a JSON array of objects with `class`, `t0`, `t1` and what is asked for.
pub fn read(from: impl Read) -> anyhow::Result<Vec<Question>> {
    let questions: Vec<Question> = serde_json::from_reader(from)?;
    ensure!(!questions.is_empty(), "there are no questions");
    for question in &questions {
        let parts = (question.to - question.from) % BUCKETS;
        ensure!(parts == 0, "the period of {} does not fall into {BUCKETS} equal parts", question.class);
    }
    Ok(complete(questions))
}

fn complete(mut questions: Vec<Question>) -> Vec<Question> {
    let deep: Vec<Question> = questions.iter().filter(|question| question.offset > 0).cloned().collect();
    questions.extend(deep.into_iter().map(|question| Question { by_key: true, ..question }));
    questions.sort_by(|a, b| (&a.class, a.by_key).cmp(&(&b.class, b.by_key)));
    let from = questions.iter().map(|question| question.from).min().unwrap_or_default();
    let to = questions.iter().map(|question| question.to).max().unwrap_or_default();
    for question in &mut questions {
        question.whole = (question.from, question.to) == (from, to);
    }
    questions
}
