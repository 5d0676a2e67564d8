//! Rollcall as programs reach it: HTTP on loopback, one connection that is kept, JSON read into values.

use anyhow::{Context as _, ensure};
use jiff::Timestamp;
use serde::{Deserialize, de::DeserializeOwned};

use crate::{
    engine::{Answer, Engine, PAGE},
    questions::{BUCKETS, Question},
    server::Server,
};

pub struct Http {
    agent: ureq::Agent,
    base: String,
    token: String,
    cursor: Option<String>,
}

#[derive(Deserialize)]
pub struct Found {
    items: Vec<Item>,
    next: Option<String>,
    total: Total,
}

#[derive(Deserialize)]
struct Total {
    value: u64,
    exact: bool,
}

/// An activity, as much of it as the others have.
#[derive(Deserialize)]
#[allow(dead_code, reason = "reading them is the point")]
struct Item {
    id: String,
    time: Timestamp,
    user: String,
    app: String,
    action: String,
    detail: String,
    ip: Option<String>,
    user_agent: Option<String>,
    session: Option<String>,
    outcome: String,
}

#[derive(Deserialize)]
struct Spread {
    buckets: Vec<Bar>,
}

#[derive(Deserialize)]
struct Bar {
    total: u64,
}

/// What became of activities that were sent.
#[derive(Deserialize)]
pub struct Taken {
    pub accepted: u64,
}

impl Http {
    pub fn of(server: &Server) -> Self {
        let agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        Self { agent, base: server.api(), token: server.token(), cursor: None }
    }

    fn get<T: DeserializeOwned>(
        &self,
        what: &str,
        question: &Question,
        more: &[(&str, &str)],
    ) -> anyhow::Result<T> {
        let at = |time| Timestamp::from_millisecond(time).map(|time| time.to_string());
        let (from, to) = (at(question.from)?, at(question.to)?);
        let mut request =
            self.agent.get(format!("{}/{what}", self.base)).header("Authorization", &self.token);
        request = request.query("q", question.query()).query("from", from).query("to", to);
        if let Some(user) = &question.user {
            request = request.query("user", user);
        }
        for (name, value) in more {
            request = request.query(name, value);
        }
        let mut answer = request.call()?;
        let body = answer.body_mut().read_to_vec()?;
        ensure!(answer.status() == 200, "{}: {}", answer.status(), String::from_utf8_lossy(&body));
        serde_json::from_slice(&body).with_context(|| format!("{what} answers something else"))
    }

    fn found(&self, question: &Question, cursor: Option<&str>, limit: usize) -> anyhow::Result<Found> {
        let limit = limit.to_string();
        let mut more = vec![("limit", limit.as_str())];
        more.extend(cursor.map(|cursor| ("cursor", cursor)));
        self.get("activity", question, &more)
    }

    /// How many activities there are in a question. A page comes with the count if that takes no longer than 50 ms; the
    /// histogram always comes with it.
    pub fn total(&self, question: &Question) -> anyhow::Result<u64> {
        let total = self.found(question, None, 1)?.total;
        if total.exact {
            return Ok(total.value);
        }
        let spread: Spread = self.get("activity/histogram", question, &[("buckets", "1")])?;
        Ok(spread.buckets.iter().map(|bar| bar.total).sum())
    }

    /// Sends activities, and waits until they are on disk.
    pub fn post(&self, kind: &str, body: &[u8]) -> anyhow::Result<Taken> {
        let request = self.agent.post(format!("{}/activity", self.base)).header("Authorization", &self.token);
        let mut answer = request.header("Content-Type", kind).send(body)?;
        let body = answer.body_mut().read_to_vec()?;
        ensure!(answer.status().is_success(), "{}: {}", answer.status(), String::from_utf8_lossy(&body));
        Ok(serde_json::from_slice(&body)?)
    }

    /// What comes in from now on and has this word, as it comes.
    pub fn follow(&self, word: &str) -> anyhow::Result<impl std::io::Read + use<>> {
        let request = self.agent.get(format!("{}/activity/stream", self.base));
        let answer = request.header("Authorization", &self.token).query("q", word).call()?;
        ensure!(answer.status() == 200, "{}", answer.status());
        Ok(answer.into_body().into_with_config().limit(u64::MAX).reader())
    }

    /// Everything as CSV, as it comes.
    pub fn csv(&self) -> anyhow::Result<impl std::io::Read> {
        let request =
            self.agent.get(format!("{}/activity.csv", self.base)).header("Authorization", &self.token);
        let answer = request.call()?;
        ensure!(answer.status() == 200, "{}", answer.status());
        Ok(answer.into_body().into_with_config().limit(u64::MAX).reader())
    }
}

impl Engine for Http {
    fn name(&self) -> &'static str {
        "by HTTP"
    }

    fn prepare(&mut self, question: &Question) -> anyhow::Result<()> {
        self.cursor = None;
        let mut left = question.offset;
        while left > 0 {
            let step = left.min(1000);
            let found = self.found(question, self.cursor.as_deref(), step)?;
            self.cursor = Some(found.next.context("there are too few rows for a deep page")?);
            left -= step;
        }
        Ok(())
    }

    fn page(&mut self, question: &Question) -> anyhow::Result<Answer> {
        let found = std::hint::black_box(self.found(question, self.cursor.as_deref(), PAGE)?);
        Ok(Answer::Page(found.items.iter().map(|item| item.time.as_millisecond()).collect()))
    }

    fn count(&mut self, question: &Question) -> anyhow::Result<Answer> {
        Ok(Answer::Count(self.total(question)?))
    }

    fn histogram(&mut self, question: &Question) -> anyhow::Result<Answer> {
        let spread: Spread =
            self.get("activity/histogram", question, &[("buckets", &BUCKETS.to_string())])?;
        Ok(Answer::Histogram(spread.buckets.iter().map(|bar| bar.total).collect()))
    }
}
