//! PostgreSQL: a table, B-trees for time and for user and time, a GIN index of the words.

use std::{
    collections::HashMap,
    io::{self, Write as _},
    net::IpAddr,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, ensure};
use jiff::Timestamp;
use postgres::{Client, NoTls, Statement, types::ToSql};

use crate::{
    data::Event,
    engine::{Answer, Engine, PAGE, Row, page},
    feed::Feed,
    questions::{BUCKETS, Question},
};

/// The columns that are shown.
const COLUMNS: &str = "id, time, usr, app, action, detail, ip, user_agent, session, outcome";

pub struct Postgres {
    client: Client,
    table: String,
    prepared: HashMap<String, Statement>,
    /// The time of the last row before the deep page.
    key: Option<SystemTime>,
}

/// A question in SQL, with what stands for `$1`, `$2` …
struct Sql {
    conditions: Vec<String>,
    values: Vec<Box<dyn ToSql + Sync>>,
}

impl Sql {
    fn value(&mut self, value: impl ToSql + Sync + 'static) -> String {
        self.values.push(Box::new(value));
        format!("${}", self.values.len())
    }

    fn of(question: &Question) -> Self {
        let mut sql = Self { conditions: Vec::new(), values: Vec::new() };
        let mut words = question.terms.clone();
        words.extend(question.prefix.iter().map(|prefix| format!("{prefix}:*")));
        if !question.phrase.is_empty() {
            words.push(question.phrase.join(" <-> "));
        }
        if !words.is_empty() {
            let words = sql.value(words.join(" & "));
            sql.conditions.push(format!("words @@ to_tsquery('simple', {words})"));
        }
        if let Some(user) = question.user.clone() {
            let user = sql.value(user);
            sql.conditions.push(format!("usr = {user}"));
        }
        if !question.whole {
            let (from, to) = (sql.value(system(question.from)), sql.value(system(question.to)));
            sql.conditions.push(format!("time >= {from} and time < {to}"));
        }
        sql
    }

    fn conditions(&self) -> String {
        if self.conditions.is_empty() {
            String::new()
        } else {
            format!("where {}", self.conditions.join(" and "))
        }
    }
}

/// Makes the table, without its indexes.
pub fn create(client: &mut Client, table: &str) -> anyhow::Result<()> {
    client.batch_execute(&format!(
        "drop table if exists {table};
         create table {table} (
             id bigint not null, time timestamptz not null, usr text not null, app text not null,
             action text not null, detail text not null, ip inet, user_agent text, session text, outcome text not null,
             words tsvector generated always as (to_tsvector('simple', action || ' ' || detail)) stored)"
    ))?;
    Ok(())
}

/// Makes the indexes.
pub fn index(client: &mut Client, table: &str) -> anyhow::Result<()> {
    client.batch_execute(&format!(
        "alter table {table} add primary key (id);
         create index on {table} (time);
         create index on {table} (usr, time);
         create index on {table} using gin (words)"
    ))?;
    Ok(())
}

pub fn connect(address: &str) -> anyhow::Result<Client> {
    let mut client = Client::connect(address, NoTls)?;
    // A plan made without knowing the words is no plan: common and rare ones need different ones.
    client.batch_execute("set plan_cache_mode = force_custom_plan; set statement_timeout = '300s'")?;
    Ok(client)
}

/// One insert of all that is given, as arrays. The parameters are those of [`arrays`].
pub fn insert(table: &str) -> String {
    format!(
        "insert into {table} ({COLUMNS})
         select * from unnest($1::bigint[], $2::timestamptz[], $3::text[], $4::text[], $5::text[], $6::text[],
             $7::inet[], $8::text[], $9::text[], $10::text[])"
    )
}

pub fn arrays(events: &[Event]) -> Vec<Box<dyn ToSql + Sync + '_>> {
    fn texts<'a>(events: &'a [Event], text: impl Fn(&'a Event) -> &'a str) -> Box<dyn ToSql + Sync + 'a> {
        Box::new(events.iter().map(text).collect::<Vec<_>>())
    }
    let times: Vec<SystemTime> = events.iter().map(|event| system(event.time)).collect();
    let addresses: Vec<IpAddr> = events.iter().map(|event| event.ip).collect();
    vec![
        Box::new(events.iter().map(|event| event.id as i64).collect::<Vec<_>>()),
        Box::new(times),
        texts(events, |event| &event.user),
        texts(events, |event| &event.app),
        texts(events, |event| &event.action),
        texts(events, |event| &event.detail),
        Box::new(addresses),
        texts(events, |event| &event.user_agent),
        texts(events, |event| &event.session),
        texts(events, |event| event.outcome()),
    ]
}

pub fn references<'a>(values: &'a [Box<dyn ToSql + Sync + 'a>]) -> Vec<&'a (dyn ToSql + Sync)> {
    values.iter().map(|value| &**value as &(dyn ToSql + Sync)).collect()
}

impl Postgres {
    /// Connects, and sees to it that the table of the feed is there.
    pub fn load(address: &str, feed: &Feed) -> anyhow::Result<Self> {
        let mut client = connect(address)?;
        let table = format!("activity_{}", feed.name());
        let known = client.query_opt("select obj_description(to_regclass($1)::oid)", &[&table])?;
        let note: Option<String> = known.and_then(|row| row.get(0));
        if note.as_deref() != Some("whole") {
            fill(&mut client, &table, feed)?;
        }
        Ok(Self { client, table, prepared: HashMap::new(), key: None })
    }

    pub fn version(&mut self) -> anyhow::Result<String> {
        let version: String = self.client.query_one("show server_version", &[])?.get(0);
        Ok(version.split(' ').next().unwrap_or_default().to_owned())
    }

    /// What the table and its indexes take on disk.
    pub fn bytes(&mut self) -> anyhow::Result<u64> {
        let row = self.client.query_one("select pg_total_relation_size(to_regclass($1))", &[&self.table])?;
        Ok(row.get::<_, i64>(0) as u64)
    }

    /// Everything as CSV, newest first, as it comes.
    pub fn csv(&mut self) -> anyhow::Result<impl io::Read + '_> {
        let sql =
            format!("copy (select {COLUMNS} from {} order by time desc) to stdout csv header", self.table);
        Ok(self.client.copy_out(&sql)?)
    }

    fn ask(&mut self, sql: String, values: &[Box<dyn ToSql + Sync>]) -> anyhow::Result<Vec<postgres::Row>> {
        let statement = match self.prepared.get(&sql) {
            Some(statement) => statement.clone(),
            None => {
                let statement = self.client.prepare(&sql)?;
                self.prepared.entry(sql).or_insert(statement).clone()
            }
        };
        Ok(self.client.query(&statement, &references(values))?)
    }
}

fn fill(client: &mut Client, table: &str, feed: &Feed) -> anyhow::Result<()> {
    let started = std::time::Instant::now();
    // Nobody waits for this with a question, and on a busy machine it takes long.
    client.batch_execute("set statement_timeout = 0")?;
    create(client, table)?;
    let mut copy = io::BufWriter::with_capacity(
        1 << 20,
        client.copy_in(&format!("copy {table} ({COLUMNS}) from stdin"))?,
    );
    for event in feed.events()? {
        let event = event?;
        let time = Timestamp::from_millisecond(event.time)?;
        let plain = |text: &str| {
            text.replace('\\', "\\\\").replace('\t', "\\t").replace('\n', "\\n").replace('\r', "\\r")
        };
        let (user, app, action, detail) =
            (plain(&event.user), plain(&event.app), plain(&event.action), plain(&event.detail));
        let (agent, session, outcome) = (plain(&event.user_agent), plain(&event.session), event.outcome());
        let (id, ip) = (event.id, event.ip);
        writeln!(
            copy,
            "{id}\t{time}\t{user}\t{app}\t{action}\t{detail}\t{ip}\t{agent}\t{session}\t{outcome}"
        )?;
    }
    let copied = copy.into_inner().map_err(io::IntoInnerError::into_error)?.finish()?;
    ensure!(copied == feed.count(), "there are only {copied} activities");
    index(client, table)?;
    client.batch_execute(&format!("vacuum (analyze) {table}"))?;
    // Only who may do so can; it only makes what is measured next quieter.
    let _ = client.batch_execute("checkpoint");
    client.batch_execute(&format!("set statement_timeout = '300s'; comment on table {table} is 'whole'"))?;
    eprintln!("  loaded and indexed in {:.0?}", started.elapsed());
    Ok(())
}

pub fn system(time: i64) -> SystemTime {
    let distance = Duration::from_millis(time.unsigned_abs());
    if time < 0 { UNIX_EPOCH - distance } else { UNIX_EPOCH + distance }
}

fn millis(time: SystemTime) -> i64 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => after.as_millis() as i64,
        Err(before) => -(before.duration().as_millis() as i64),
    }
}

impl Engine for Postgres {
    fn name(&self) -> &'static str {
        "PostgreSQL"
    }

    fn prepare(&mut self, question: &Question) -> anyhow::Result<()> {
        self.key = None;
        if question.by_key {
            let sql = Sql::of(question);
            let last = question.offset - 1;
            let text = format!(
                "select time from {} {} order by time desc limit 1 offset {last}",
                self.table,
                sql.conditions()
            );
            let rows = self.ask(text, &sql.values)?;
            self.key = Some(rows.first().context("there are too few rows for a deep page")?.get(0));
        }
        Ok(())
    }

    fn page(&mut self, question: &Question) -> anyhow::Result<Answer> {
        let mut sql = Sql::of(question);
        let mut offset = question.offset;
        if let Some(key) = self.key {
            let key = sql.value(key);
            sql.conditions.push(format!("time < {key}"));
            offset = 0;
        }
        let offset = sql.value(offset as i64);
        let text = format!(
            "select {COLUMNS} from {} {} order by time desc limit {PAGE} offset {offset}",
            self.table,
            sql.conditions()
        );
        let rows = self.ask(text, &sql.values)?;
        let read = |row: &postgres::Row| Row {
            id: row.get(0),
            time: millis(row.get(1)),
            user: row.get(2),
            app: row.get(3),
            action: row.get(4),
            detail: row.get(5),
            ip: row.get::<_, IpAddr>(6).to_string(),
            user_agent: row.get(7),
            session: row.get(8),
            outcome: row.get(9),
        };
        Ok(page(rows.iter().map(read).collect()))
    }

    fn count(&mut self, question: &Question) -> anyhow::Result<Answer> {
        let sql = Sql::of(question);
        let rows =
            self.ask(format!("select count(*) from {} {}", self.table, sql.conditions()), &sql.values)?;
        Ok(Answer::Count(rows[0].get::<_, i64>(0) as u64))
    }

    fn histogram(&mut self, question: &Question) -> anyhow::Result<Answer> {
        let mut sql = Sql::of(question);
        let (width, from) = (sql.value(question.width() as f64 / 1000.0), sql.value(system(question.from)));
        let text = format!(
            "select date_bin(make_interval(secs => {width}), time, {from}), count(*) from {} {} group by 1",
            self.table,
            sql.conditions()
        );
        let mut buckets = vec![0; BUCKETS as usize];
        for row in self.ask(text, &sql.values)? {
            let bucket = (millis(row.get(0)) - question.from) / question.width();
            let bucket = buckets.get_mut(bucket as usize).context("a row outside the period")?;
            *bucket = row.get::<_, i64>(1) as u64;
        }
        Ok(Answer::Histogram(buckets))
    }
}
