//! The activities and the questions of a run.

use std::{
    fs::File,
    io::{BufRead as _, BufReader},
    net::IpAddr,
    path::PathBuf,
};

use anyhow::Context as _;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    args::Args,
    data::{Event, Year},
    questions::{self, Question},
};

/// Where the activities come from.
pub struct Feed {
    count: u64,
    files: Option<(PathBuf, PathBuf)>,
}

/// An activity as it is sent to Rollcall, and as it stands in a file.
#[derive(Serialize, Deserialize)]
struct Line<'a> {
    id: u64,
    time: Timestamp,
    user: &'a str,
    app: &'a str,
    action: &'a str,
    #[serde(borrow)]
    detail: std::borrow::Cow<'a, str>,
    ip: IpAddr,
    user_agent: &'a str,
    session: &'a str,
    outcome: &'a str,
}

impl Feed {
    pub fn of(args: &Args) -> anyhow::Result<Self> {
        let files = args.ndjson.clone().zip(args.queries.clone());
        Ok(Self { count: args.count, files })
    }

    /// The feed of so many: of a file the first, and of what is made up as many in the same year.
    pub fn first(&self, count: u64) -> Self {
        Self { count, files: self.files.clone() }
    }

    pub const fn count(&self) -> u64 {
        self.count
    }

    /// What tells this data from other data.
    pub fn name(&self) -> String {
        let stem = self.files.as_ref().and_then(|(file, _)| file.file_stem());
        let name = stem.map_or("made".into(), |stem| stem.to_string_lossy());
        let plain: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
        format!("{}_{}", plain.to_lowercase(), self.count)
    }

    /// What the data is, in words.
    pub fn described(&self) -> String {
        match &self.files {
            None => format!("{} made-up activities of one year", thousands(self.count)),
            Some((file, _)) => format!("{} activities of {}", thousands(self.count), file.display()),
        }
    }

    pub fn questions(&self) -> anyhow::Result<Vec<Question>> {
        match &self.files {
            None => Ok(questions::own()),
            Some((_, file)) => {
                let file = File::open(file).with_context(|| file.display().to_string())?;
                questions::read(BufReader::new(file))
            }
        }
    }

    /// The activities, in order of arrival.
    pub fn events(&self) -> anyhow::Result<Box<dyn Iterator<Item = anyhow::Result<Event>>>> {
        let Some((file, _)) = &self.files else { return Ok(Box::new(Year::of(self.count).map(Ok))) };
        let file = File::open(file).with_context(|| file.display().to_string())?;
        let lines = BufReader::with_capacity(1 << 20, file).lines().take(self.count as usize);
        Ok(Box::new(lines.map(|line| read(&line?))))
    }

    /// The activities in lots of this many.
    pub fn lots(&self, size: usize) -> anyhow::Result<impl Iterator<Item = anyhow::Result<Vec<Event>>>> {
        let mut events = self.events()?;
        Ok(std::iter::from_fn(move || {
            let lot: anyhow::Result<Vec<Event>> = events.by_ref().take(size).collect();
            if lot.as_ref().is_ok_and(Vec::is_empty) { None } else { Some(lot) }
        }))
    }
}

fn read(line: &str) -> anyhow::Result<Event> {
    let line: Line<'_> = serde_json::from_str(line)?;
    Ok(Event {
        id: line.id,
        time: line.time.as_millisecond(),
        user: line.user.into(),
        app: line.app.into(),
        action: line.action.into(),
        detail: line.detail.into_owned(),
        ip: line.ip,
        user_agent: line.user_agent.into(),
        session: line.session.into(),
        failed: line.outcome == "failure",
    })
}

/// Activities as NDJSON.
pub fn ndjson<'a>(events: impl IntoIterator<Item = &'a Event>) -> anyhow::Result<Vec<u8>> {
    let mut lines = Vec::new();
    for event in events {
        serde_json::to_writer(
            &mut lines,
            &Line {
                id: event.id,
                time: Timestamp::from_millisecond(event.time)?,
                user: &event.user,
                app: &event.app,
                action: &event.action,
                detail: event.detail.as_str().into(),
                ip: event.ip,
                user_agent: &event.user_agent,
                session: &event.session,
                outcome: event.outcome(),
            },
        )?;
        lines.push(b'\n');
    }
    Ok(lines)
}

/// A number as people write it.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let parts: Vec<&str> = digits
        .as_bytes()
        .rchunks(3)
        .rev()
        .map(|part| std::str::from_utf8(part).unwrap_or_default())
        .collect();
    parts.join(",")
}
