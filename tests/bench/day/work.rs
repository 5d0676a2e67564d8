//! What is asked, and when.

use std::{
    thread,
    time::{Duration, Instant},
};

use crate::{
    connection::Connection,
    server::{Server, address},
};

/// So many activities are sent at once.
const LOT: usize = 50;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A proxy asks whether a request may pass.
    Check,
    /// A program asks whose a token is.
    Introspection,
    /// Words are looked for.
    Search,
    /// The Activity Log is opened.
    ActivityLog,
    /// The newest sessions are listed.
    Sessions,
    /// Session Information is opened, with all ten thousand.
    AllSessions,
    /// Fifty activities are handed in.
    Intake,
    /// Somebody tries a password.
    Guess,
}

impl Kind {
    /// Of every sixty: who looks for words and at tables, and the programs.
    pub(crate) const OTHERS: [Self; 60] = {
        let mut kinds = [Self::Introspection; 60];
        let mut n = 0;
        while n < 60 {
            kinds[n] = match n {
                0 => Self::AllSessions,
                n if n % 3 == 1 => Self::Search,
                n if n % 6 == 2 => Self::ActivityLog,
                n if n % 6 == 3 => Self::Sessions,
                _ => Self::Introspection,
            };
            n += 1;
        }
        kinds
    };

    const ALL: [Self; 8] = [
        Self::Check,
        Self::Introspection,
        Self::Search,
        Self::ActivityLog,
        Self::Sessions,
        Self::AllSessions,
        Self::Intake,
        Self::Guess,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Check => "a check of forward-auth",
            Self::Introspection => "an introspection",
            Self::Search => "a search, with its count",
            Self::ActivityLog => "the page of the Activity Log",
            Self::Sessions => "a hundred sessions as JSON",
            Self::AllSessions => "the page of all sessions",
            Self::Intake => "fifty activities",
            Self::Guess => "a wrong password",
        }
    }

    /// Asks for the `n`th time; whether the answer was the right one.
    fn ask(self, connection: &mut Connection, server: &Server, cookies: &[String], n: usize) -> bool {
        let cookie = format!("Cookie: {}", cookies[n % cookies.len()]);
        let person = [cookie, address(n % cookies.len()), "Sec-Fetch-Site: same-origin".to_owned()];
        let word = ["backup", "compare", "replicate", "user77", "Account*"][n % 5];
        let (first, headers, body, right) = match self {
            Self::Check => {
                let mut headers = person.to_vec();
                headers.extend([
                    "X-Forwarded-Proto: https".to_owned(),
                    "X-Forwarded-Host: wiki.example.org".to_owned(),
                    "X-Forwarded-Method: GET".to_owned(),
                    "X-Forwarded-Uri: /page?a=b".to_owned(),
                ]);
                ("GET /auth/forward".to_owned(), headers, String::new(), 200)
            }
            Self::Introspection => {
                let mut headers = server.as_program().to_vec();
                "Content-Type: application/x-www-form-urlencoded".clone_into(&mut headers[1]);
                ("POST /api/v1/introspect".to_owned(), headers, format!("token=none-{n}"), 200)
            }
            Self::Search => {
                (format!("GET /api/v1/activity?period=1m&q={word}"), person.to_vec(), String::new(), 200)
            }
            Self::ActivityLog => {
                (format!("GET /activity?period=1m&q={word}"), person.to_vec(), String::new(), 200)
            }
            Self::Sessions => {
                ("GET /api/v1/sessions?limit=100".to_owned(), person.to_vec(), String::new(), 200)
            }
            Self::AllSessions => ("GET /sessions".to_owned(), person.to_vec(), String::new(), 200),
            Self::Intake => {
                ("POST /api/v1/activity".to_owned(), server.as_program().to_vec(), lot(word, n), 200)
            }
            Self::Guess => {
                let headers = [address(n), "Content-Type: application/json".to_owned()];
                let body = format!("{{\"user\":\"user{}\",\"password\":\"wrong guess {n}\"}}", n % 50);
                ("POST /api/v1/signin".to_owned(), headers.to_vec(), body, 401)
            }
        };
        let answer = connection.ask(&first, &headers, &body);
        // Who guesses so often is told to wait.
        answer.is_ok_and(|answer| answer.status == right || (self == Self::Guess && answer.status == 429))
    }
}

/// An array of activities.
fn lot(word: &str, n: usize) -> String {
    let lines = (0..LOT).map(|line| {
        format!(
            "{{\"user\":\"user{}\",\"action\":\"{word}\",\"detail\":\"Account_{n}_{line}.csv by the nightly job\",\"app\":\"wiki\",\"ip\":\"203.0.113.{}\"}}",
            (n + line) % 1000,
            line % 250
        )
    });
    format!("[{}]", lines.collect::<Vec<_>>().join(","))
}

/// Something that is asked over and over.
#[derive(Clone, Copy)]
pub(crate) struct Work {
    /// What is asked, in turn.
    pub(crate) kinds: &'static [Kind],
    /// How often, a second.
    pub(crate) rate: u32,
    /// On how many connections, in turn.
    pub(crate) connections: usize,
    /// By how many.
    pub(crate) threads: usize,
}

/// How long it took to be answered.
pub(crate) struct Asked {
    kind: Kind,
    errors: usize,
    /// From the moment when it was to be asked; sorted.
    took: Vec<Duration>,
}

impl Work {
    /// Asks for so long.
    pub(crate) fn run(
        self,
        server: &Server,
        cookies: &[String],
        whole: Duration,
    ) -> anyhow::Result<Vec<Asked>> {
        let began = Instant::now();
        let ask = |first: usize| {
            let open = |_| Connection::new(server.port);
            let mut connections: Vec<Connection> = (0..self.connections / self.threads).map(open).collect();
            let count = connections.len();
            let mut answers = Vec::new();
            let due = |n: usize| Duration::from_secs(n as u64) / self.rate;
            let mine = (first..).step_by(self.threads).take_while(|n| due(*n) < whole);
            for (turn, n) in mine.enumerate() {
                let due = began + due(n);
                thread::sleep(due.saturating_duration_since(Instant::now()));
                let kind = self.kinds[n % self.kinds.len()];
                let right = kind.ask(&mut connections[turn % count], server, cookies, n);
                answers.push((kind, right, due.elapsed()));
            }
            answers
        };
        let answers = thread::scope(|scope| {
            let ask = &ask;
            let all: Vec<_> = (0..self.threads).map(|first| scope.spawn(move || ask(first))).collect();
            let all = all.into_iter().map(|one| one.join().map_err(|_| anyhow::anyhow!("who asks panicked")));
            anyhow::Ok(all.collect::<anyhow::Result<Vec<_>>>()?.concat())
        })?;
        let of = |kind: Kind| {
            let answers = answers.iter().filter(|(asked, ..)| *asked == kind);
            let mut took: Vec<Duration> = answers.clone().map(|(.., took)| *took).collect();
            took.sort_unstable();
            Asked { kind, errors: answers.filter(|(_, right, _)| !right).count(), took }
        };
        Ok(Kind::ALL.map(of).into_iter().filter(|asked| !asked.took.is_empty()).collect())
    }
}

impl Asked {
    /// As a line of the table.
    pub(crate) fn print(&self) {
        let last = self.took.len() - 1;
        let at = |part: usize| format!("{:.1}", self.took[last * part / 1000].as_secs_f64() * 1000.0);
        let (name, count) = (self.kind.name(), self.took.len());
        println!(
            "| {name} | {count} | {} | {} | {} | {} | {} |",
            self.errors,
            at(500),
            at(990),
            at(999),
            at(1000)
        );
    }
}
