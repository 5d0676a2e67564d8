//! Records on their way to disk, where the answer says what became of each.

use super::Record;
use crate::{
    domain::{
        App,
        ingest::{Entry, IngestError, Voice},
    },
    model::{activity::NewActivity, id::ActivityId},
    web::{
        door::{ActivityWrite, Program},
        failure::Failure,
        looking::apart,
    },
};

/// How many records go into one transaction at most: a thousand a request is what shippers send.
pub const BATCH: usize = 2000;

/// What became of a record.
#[derive(Clone, Debug)]
pub enum Fate {
    /// It is on disk now.
    Written(ActivityId),
    /// It was there already, under this id.
    Known(ActivityId),
    /// It was not taken: under the id that its sender gave it another one is there.
    Other(ActivityId),
    /// It was not taken, and why.
    Refused(String),
}

/// Holds a record against the limits, and counts it where it is not taken.
pub fn admit(app: &App, voice: &Voice, record: Record) -> Record {
    let admitted =
        record.and_then(|activity| app.admit_of(voice, activity).map_err(|error| error.to_string()));
    if admitted.is_err() {
        app.record_rejected();
    }
    admitted
}

/// Takes all of `records` in the name of a program, a batch at a time; what became of each, in their order. Where a batch
/// cannot be written, or the program's token has ended, those before it stay, and all of them can be sent again.
pub async fn take(
    program: &Program<'_, ActivityWrite>,
    records: impl Iterator<Item = Record> + Send + 'static,
) -> Result<Vec<Fate>, Failure> {
    let app = program.app;
    let mut records = records.fuse();
    let mut fates = Vec::new();
    loop {
        let voice = program.voice();
        let (batch, refused, rest) = apart(app, move |app| {
            let (batch, refused) = read(&app, &voice, &mut records);
            Ok::<_, IngestError>((batch, refused, records))
        })
        .await?;
        records = rest;
        let last = batch.len() + refused.len() < BATCH;
        program.still_may()?;
        let mut written =
            app.enter(Some(program.hash()), batch).await?.into_iter().map(|entry| match entry {
                Entry::New(id) => Fate::Written(id),
                Entry::Again(id) => Fate::Known(id),
                Entry::Other(id) => Fate::Other(id),
            });
        let mut refused = refused.into_iter().peekable();
        for at in 0.. {
            let fate = match refused.next_if(|(place, _)| *place == at) {
                Some((_, why)) => Some(Fate::Refused(why)),
                None => written.next(),
            };
            let Some(fate) = fate else { break };
            fates.push(fate);
        }
        if last {
            return Ok(fates);
        }
    }
}

/// The next records, and among them the places of those that are refused.
fn read(
    app: &App,
    voice: &Voice,
    records: &mut impl Iterator<Item = Record>,
) -> (Vec<NewActivity>, Vec<(usize, String)>) {
    let (mut batch, mut refused) = (Vec::new(), Vec::new());
    for (at, record) in records.take(BATCH).enumerate() {
        match admit(app, voice, record) {
            Ok(activity) => batch.push(activity),
            Err(why) => refused.push((at, why)),
        }
    }
    (batch, refused)
}
