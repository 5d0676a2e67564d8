//! A made-up organisation, for somebody who wants to see all of Rollcall before there is anything in it.
//!
//! Everything is made of dice that fall the same way every time, and of times that count back from now; only
//! the secrets come from the system. `people` and `work` say who does what, `staff` and `seats` from where and on
//! what, `year` when, `stay` is one session of it. What comes of it goes to disk the way everything does.

mod agents;
mod chronicle;
mod dice;
mod people;
mod seats;
mod staff;
mod stay;
#[cfg(test)]
mod tests;
mod work;
mod year;

use std::fmt;

use self::{people::PEOPLE, seats::Seat, year::Year};
use super::{App, ingest::IngestError, random};
use crate::{
    model::{
        activity::NewActivity,
        app,
        secret::{Kind, Password, TokenHash, WeakPassword},
        session::Session,
        token::ApiToken,
        user::{BadUserName, Role, User},
    },
    store::{Credential, StoreError},
};

/// What everybody signs in with.
const PASSWORD: &str = "rollcall-demo-2025";

/// How many activities are written at once.
const BATCH: usize = 10_000;

/// How much there is to see.
#[derive(Clone, Debug)]
pub struct Size {
    /// Accounts; at most as many as there are people to name them after, which is 30.
    pub users: usize,
    /// Live sessions.
    pub sessions: usize,
    /// Activities in all.
    pub activities: u64,
}

impl Default for Size {
    fn default() -> Self {
        Self { users: 30, sessions: 60, activities: 200_000 }
    }
}

/// With what to sign in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// One user of each role.
    pub users: Vec<(&'static str, Role)>,
    /// The password of all users.
    pub password: &'static str,
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("This is a demo; sign in as ")?;
        for (index, (name, role)) in self.users.iter().enumerate() {
            let between = match index {
                0 => "",
                _ if index + 1 == self.users.len() => " or ",
                _ => ", ",
            };
            write!(f, "{between}{name} ({role})")?;
        }
        write!(f, ", password {}", self.password)
    }
}

/// Why there is no demo.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// There are real people already.
    #[error("the demo needs an empty data folder")]
    NotEmpty,
    /// Somebody's name cannot be one.
    #[error(transparent)]
    Name(#[from] BadUserName),
    /// The password is not taken.
    #[error(transparent)]
    Password(#[from] WeakPassword),
    /// Somebody is signing in already.
    #[error("the demo could not be made: somebody is using the server already")]
    Busy,
    /// The activities were not written.
    #[error(transparent)]
    Ingest(#[from] IngestError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Fills an empty application with a year of an organisation of this size.
pub async fn fill(app: &App, size: &Size) -> Result<Told, DemoError> {
    if !app.users().is_empty() {
        return Err(DemoError::NotEmpty);
    }
    let now = app.now();
    let credential = app.0.hasher.hash(Password::chosen(PASSWORD.to_owned())?).await;
    let credential = credential.map_err(|_| DemoError::Busy)?;
    let staff = staff::hire(app.geo(), size.users)?;
    let apps = chronicle::apps(now);
    let tokens = chronicle::tokens(now, PEOPLE[0].name);
    let told = chronicle::told(now, &staff, &apps, &tokens);
    let machines = Seat::of_machines(app.geo());
    let (mut year, live) = Year::new(now, app.limits().clone(), staff, machines, size, told);

    let (mut sessions, mut activities) = (live, Vec::with_capacity(BATCH));
    while let Some(day) = year.next_day() {
        sessions.extend(day.sessions);
        activities.extend(day.activities);
        if activities.len() >= BATCH {
            write(app, std::mem::take(&mut sessions), std::mem::take(&mut activities)).await?;
        }
    }
    write(app, sessions, activities).await?;

    let users = year.staff.iter().enumerate();
    let users = users.map(|(nth, one)| one.user(chronicle::moment(now, one.person.joined, nth)));
    settle(app, users.collect(), credential, apps, tokens).await?;
    let first = |role| Some((PEOPLE.iter().take(size.users).find(|one| one.role == role)?.name, role));
    Ok(Told { users: Role::ALL.into_iter().filter_map(first).collect(), password: PASSWORD })
}

/// Writes sessions and activities, and puts those sessions that live where the doors look for them.
async fn write(app: &App, sessions: Vec<Session>, activities: Vec<NewActivity>) -> Result<(), DemoError> {
    let secret = |session| (random::token(Kind::Session).hash(), session);
    let sessions: Vec<(TokenHash, Session)> = sessions.into_iter().map(secret).collect();
    let live: Vec<_> = sessions.iter().filter(|(_, session)| session.ending.is_none()).cloned().collect();
    let written = app.0.store.write(app.now(), move |write| {
        for (token, session) in &sessions {
            write.put_session(&Session { ending: None, ..session.clone() }, *token)?;
            if let Some(ending) = &session.ending {
                write.end_session(session.id, None, ending.clone())?;
            }
        }
        Ok::<_, StoreError>(())
    });
    written.done().await?;
    for (token, session) in live {
        app.0.live.insert(token, session);
    }
    app.ingest(activities).await?;
    Ok(())
}

/// Writes accounts, apps and tokens, and puts them where the doors look for them.
async fn settle(
    app: &App,
    users: Vec<User>,
    credential: Credential,
    apps: Vec<app::App>,
    tokens: Vec<ApiToken>,
) -> Result<(), DemoError> {
    let secret = |token| (random::token(Kind::Api).hash(), token);
    let tokens: Vec<(TokenHash, ApiToken)> = tokens.into_iter().map(secret).collect();
    let (people, programs) = (users.clone(), tokens.clone());
    let written = app.0.store.write(app.now(), move |write| {
        for user in &users {
            write.put_user(user)?;
            write.put_credential(&user.name, &credential)?;
        }
        for app in &apps {
            write.put_app(app)?;
        }
        for (hash, token) in &tokens {
            write.put_token(token, *hash)?;
        }
        Ok::<_, StoreError>(())
    });
    written.done().await?;
    app.close_setup();
    for user in people {
        app.0.people.put(user);
    }
    for (hash, token) in programs {
        app.0.tokens.put(hash, token);
    }
    Ok(())
}
