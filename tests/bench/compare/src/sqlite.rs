//! SQLite: a table, indexes for time and for user and time, and FTS5 over it without a second copy of the text.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, ensure};
use rusqlite::{Connection, ToSql, params, params_from_iter};

use crate::{
    data::Event,
    engine::{Answer, Engine, PAGE, Row, page},
    feed::Feed,
    machine,
    questions::{BUCKETS, Question},
};

const COLUMNS: &str = "id, time, user, app, action, detail, ip, user_agent, session, outcome";

const TABLE: &str = "create table activity (
    id integer primary key, time integer not null, user text not null, app text not null, action text not null,
    detail text not null, ip text, user_agent text, session text, outcome text not null)";

const INDEXES: &str = "create index by_time on activity (time);
    create index by_user on activity (user, time);
    create virtual table words using fts5 (action, detail, content = 'activity', content_rowid = 'id')";

/// Keeps the words up with the table.
const TRIGGER: &str = "create trigger follow after insert on activity begin
    insert into words (rowid, action, detail) values (new.id, new.action, new.detail); end";

pub struct Sqlite {
    connection: Connection,
    file: PathBuf,
    /// The id of the last row before the deep page.
    key: Option<i64>,
}

/// A question in SQL.
#[derive(Default)]
struct Sql {
    tables: &'static str,
    conditions: Vec<&'static str>,
    values: Vec<Box<dyn ToSql>>,
    /// What pages are ordered by.
    order: &'static str,
}

impl Sql {
    fn of(question: &Question, counting: bool) -> Self {
        let mut sql = Self::default();
        let quoted = |word: &String| format!("\"{word}\"");
        let mut words: Vec<String> = question.terms.iter().map(quoted).collect();
        words.extend(question.prefix.iter().map(|prefix| format!("\"{prefix}\"*")));
        if !question.phrase.is_empty() {
            words.push(format!("\"{}\"", question.phrase.join(" ")));
        }
        if words.is_empty() {
            (sql.tables, sql.order) = ("activity", "time");
        } else {
            // What is only counted by its words is counted without a look at the rows. Rows come in order of arrival, which
            // costs no sorting, and is nearly that of time.
            let alone = counting && question.whole && question.user.is_none();
            sql.tables = if alone { "words" } else { "words join activity on activity.id = words.rowid" };
            sql.order = "words.rowid";
            sql.conditions.push("words match ?");
            sql.values.push(Box::new(words.join(" AND ")));
            if !question.whole {
                // The same order tells which ids can be meant at all, with room for those that came late.
                sql.conditions.push(
                    "words.rowid >= (select min(id) from (select id from activity where time >= ? order by time limit 300))
                     and words.rowid <= (select max(id) from (select id from activity where time < ? order by time desc limit 300))",
                );
                sql.values.push(Box::new(question.from));
                sql.values.push(Box::new(question.to));
            }
        }
        if !question.whole {
            sql.conditions.push("activity.time >= ? and activity.time < ?");
            sql.values.push(Box::new(question.from));
            sql.values.push(Box::new(question.to));
        }
        if let Some(user) = question.user.clone() {
            sql.conditions.push("activity.user = ?");
            sql.values.push(Box::new(user));
        }
        sql
    }

    fn rest(&self) -> String {
        let conditions = self.conditions.join(" and ");
        let where_ = if conditions.is_empty() { "" } else { " where " };
        format!("{}{where_}{conditions}", self.tables)
    }
}

/// A new database with all indexes, durable with every commit.
pub fn create(file: &Path) -> anyhow::Result<Connection> {
    remove(file)?;
    let connection = Connection::open(file)?;
    settings(&connection)?;
    connection.execute_batch(&format!("{TABLE}; {INDEXES}; {TRIGGER}"))?;
    Ok(connection)
}

pub fn remove(file: &Path) -> anyhow::Result<()> {
    for ending in ["", "-wal", "-shm", "-journal"] {
        let mut name = file.as_os_str().to_owned();
        name.push(ending);
        match fs::remove_file(&name) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
    }
    Ok(())
}

fn settings(connection: &Connection) -> anyhow::Result<()> {
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "cache_size", -262_144)?;
    connection.pragma_update(None, "mmap_size", 8_000_000_000_i64)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(())
}

/// Inserts activities in the transaction at hand.
pub fn insert(connection: &Connection, events: &[Event]) -> anyhow::Result<()> {
    let mut insert = connection
        .prepare_cached(&format!("insert into activity ({COLUMNS}) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"))?;
    for event in events {
        insert.execute(params![
            event.id as i64,
            event.time,
            event.user,
            event.app,
            event.action,
            event.detail,
            event.ip.to_string(),
            event.user_agent,
            event.session,
            event.outcome()
        ])?;
    }
    Ok(())
}

impl Sqlite {
    /// Opens the database of the feed, and fills it first if need be.
    pub fn load(file: &Path, feed: &Feed) -> anyhow::Result<Self> {
        let whole = file.exists() && {
            let connection = Connection::open(file)?;
            connection.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0))? == 1
        };
        if !whole {
            fill(file, feed)?;
        }
        let connection = Connection::open(file)?;
        settings(&connection)?;
        Ok(Self { connection, file: file.to_owned(), key: None })
    }

    pub fn version() -> &'static str {
        rusqlite::version()
    }

    pub fn bytes(&self) -> anyhow::Result<u64> {
        machine::bytes(&self.file, &[])
    }
}

fn fill(file: &Path, feed: &Feed) -> anyhow::Result<()> {
    let started = std::time::Instant::now();
    remove(file)?;
    let connection = Connection::open(file)?;
    connection.pragma_update(None, "journal_mode", "off")?;
    connection.pragma_update(None, "synchronous", "off")?;
    connection.pragma_update(None, "cache_size", -1_000_000)?;
    connection.execute_batch(TABLE)?;
    let mut count = 0;
    for lot in feed.lots(100_000)? {
        let lot = lot?;
        connection.execute_batch("begin")?;
        insert(&connection, &lot)?;
        connection.execute_batch("commit")?;
        count += lot.len() as u64;
    }
    ensure!(count == feed.count(), "there are only {count} activities");
    connection.execute_batch(INDEXES)?;
    connection.execute_batch(
        "insert into words (words) values ('rebuild'); insert into words (words) values ('optimize')",
    )?;
    connection.execute_batch(TRIGGER)?;
    connection.execute_batch("analyze; pragma user_version = 1")?;
    drop(connection);
    fs::File::open(file)?.sync_all()?;
    eprintln!("  loaded and indexed in {:.0?}", started.elapsed());
    Ok(())
}

impl Engine for Sqlite {
    fn name(&self) -> &'static str {
        "SQLite"
    }

    fn by_arrival(&self) -> bool {
        true
    }

    fn prepare(&mut self, question: &Question) -> anyhow::Result<()> {
        self.key = None;
        if question.by_key {
            let sql = Sql::of(question, false);
            let text = format!(
                "select words.rowid from {} order by words.rowid desc limit 1 offset {}",
                sql.rest(),
                question.offset - 1
            );
            let key = self.connection.query_row(&text, params_from_iter(&sql.values), |row| row.get(0));
            self.key = Some(key.context("there are too few rows for a deep page")?);
        }
        Ok(())
    }

    fn page(&mut self, question: &Question) -> anyhow::Result<Answer> {
        let mut sql = Sql::of(question, false);
        let mut offset = question.offset;
        if let Some(key) = self.key {
            sql.conditions.push("words.rowid < ?");
            sql.values.push(Box::new(key));
            offset = 0;
        }
        sql.values.push(Box::new(offset as i64));
        let columns =
            COLUMNS.split(", ").map(|column| format!("activity.{column}")).collect::<Vec<_>>().join(", ");
        let text =
            format!("select {columns} from {} order by {} desc limit {PAGE} offset ?", sql.rest(), sql.order);
        let mut statement = self.connection.prepare_cached(&text)?;
        let rows = statement.query_map(params_from_iter(&sql.values), |row| {
            Ok(Row {
                id: row.get(0)?,
                time: row.get(1)?,
                user: row.get(2)?,
                app: row.get(3)?,
                action: row.get(4)?,
                detail: row.get(5)?,
                ip: row.get(6)?,
                user_agent: row.get(7)?,
                session: row.get(8)?,
                outcome: row.get(9)?,
            })
        })?;
        Ok(page(rows.collect::<Result<_, _>>()?))
    }

    fn count(&mut self, question: &Question) -> anyhow::Result<Answer> {
        let sql = Sql::of(question, true);
        let mut statement =
            self.connection.prepare_cached(&format!("select count(*) from {}", sql.rest()))?;
        let count: i64 = statement.query_row(params_from_iter(&sql.values), |row| row.get(0))?;
        Ok(Answer::Count(count as u64))
    }

    fn histogram(&mut self, question: &Question) -> anyhow::Result<Answer> {
        let sql = Sql::of(question, false);
        let mut values: Vec<&dyn ToSql> = Vec::new();
        let (from, width) = (question.from, question.width());
        values.push(&from);
        values.push(&width);
        values.extend(sql.values.iter().map(|value| &**value));
        let text = format!("select (activity.time - ?) / ?, count(*) from {} group by 1", sql.rest());
        let mut statement = self.connection.prepare_cached(&text)?;
        let mut rows = statement.query(params_from_iter(values))?;
        let mut buckets = vec![0; BUCKETS as usize];
        while let Some(row) = rows.next()? {
            let bucket =
                buckets.get_mut(row.get::<_, i64>(0)? as usize).context("a row outside the period")?;
            *bucket = row.get::<_, i64>(1)? as u64;
        }
        Ok(Answer::Histogram(buckets))
    }
}
