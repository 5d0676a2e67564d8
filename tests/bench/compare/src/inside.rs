//! Rollcall in this process: the search, and the rows from the log.

use std::{path::Path, time::Duration};

use anyhow::{Context as _, ensure};
use jiff::Timestamp;
use rollcall::{
    domain::{App, clock::Clock, sessions::Limits},
    model::{
        filter::{Filter, Order},
        period::Range,
        query::Query,
        session::Scope,
    },
};

use crate::{
    engine::{Answer, Engine, PAGE},
    feed::Feed,
    questions::{BUCKETS, Question},
};

pub struct Inside {
    app: App,
    /// Where the deep page begins.
    cursor: Option<String>,
}

impl Inside {
    pub fn open(folder: &Path, feed: &Feed) -> anyhow::Result<Self> {
        let app = App::open(folder, None, Clock::system(), Limits::default())?;
        ensure!(app.catch_up(Duration::from_secs(3600)), "the index does not catch up");
        ensure!(app.log().watch().borrow().ge(&feed.count()), "{} is not whole", folder.display());
        Ok(Self { app, cursor: None })
    }

    fn rows(
        &self,
        question: &Question,
        cursor: Option<&str>,
        limit: usize,
    ) -> anyhow::Result<(Vec<i64>, Option<String>)> {
        let page = self.app.search(&Scope::All, &filter(question)?, Order::Desc, cursor, limit)?;
        let items = std::hint::black_box(page.items);
        Ok((items.iter().map(|item| item.time.as_millisecond()).collect(), page.next))
    }
}

fn filter(question: &Question) -> anyhow::Result<Filter> {
    let at = Timestamp::from_millisecond;
    Ok(Filter {
        query: Query::parse(&question.query())?,
        user: question.user.clone(),
        range: Range { from: at(question.from)?, to: at(question.to)? },
        ..Filter::default()
    })
}

impl Engine for Inside {
    fn name(&self) -> &'static str {
        "Rollcall"
    }

    fn prepare(&mut self, question: &Question) -> anyhow::Result<()> {
        self.cursor = None;
        let mut left = question.offset;
        while left > 0 {
            let step = left.min(1000);
            let (_, next) = self.rows(question, self.cursor.as_deref(), step)?;
            self.cursor = Some(next.context("there are too few rows for a deep page")?);
            left -= step;
        }
        Ok(())
    }

    fn page(&mut self, question: &Question) -> anyhow::Result<Answer> {
        Ok(Answer::Page(self.rows(question, self.cursor.as_deref(), PAGE)?.0))
    }

    fn count(&mut self, question: &Question) -> anyhow::Result<Answer> {
        Ok(Answer::Count(self.app.count(&Scope::All, &filter(question)?)?))
    }

    fn histogram(&mut self, question: &Question) -> anyhow::Result<Answer> {
        let found = self.app.histogram(&Scope::All, &filter(question)?, BUCKETS as usize)?;
        Ok(Answer::Histogram(found.buckets.iter().map(|(_, bucket)| bucket.total).collect()))
    }
}
