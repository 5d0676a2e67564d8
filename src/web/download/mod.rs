//! Downloads: CSV and NDJSON, row by row, of any length.
//!
//! A download is read in one thread and written in another, a chunk at a time, and taken from a short queue, so that
//! it needs the same little memory whatever its length. Where something fails in the middle the connection is
//! broken off: what looks whole is whole.

mod cut;
pub mod proof;
mod rows;
mod sealing;

use std::{
    io::{self, Write},
    net::SocketAddr,
    pin::Pin,
    sync::mpsc as blocking,
    task::{Context, Poll, ready},
    thread,
    time::{Duration, Instant},
};

use rocket::{
    Request, Response,
    http::{ContentType, Header},
    response::{self, Responder},
};
use tokio::{
    io::{AsyncRead, ReadBuf},
    runtime::Handle,
    sync::mpsc,
    time,
};

pub use self::rows::Format;
pub(super) use self::rows::plain;
use super::door::Lease;
use crate::{
    domain::{
        evidence::{SealError, Sealed},
        export::{BrokenOff, Export, Told},
    },
    model::{
        activity::Activity,
        id::ActivityId,
        seal::{Contents, Sealer},
        tree::Hash,
    },
};

/// How long is waited until the next chunk fits. Whoever takes nothing at all is hung up on long before; but over a thin line the
/// system makes room only now and then.
const PATIENCE: Duration = Duration::from_mins(10);

/// How long a download may take in all, however steadily it is taken: while it is read, the index keeps the files that it began
/// with, and whoever reads it has one download less.
const LONGEST: Duration = Duration::from_hours(24);

/// How many bytes of a download are taken in a second at the least, in all: whoever takes fewer holds on to what others need. For what is
/// lacking there are [`PATIENCE`].
const LEAST: u64 = 1 << 10;

/// How many chunks wait between reading and writing, and again between writing and sending.
const QUEUE: usize = 2;

/// How much is sent at a time, in bytes.
const PIECE: usize = 64 << 10;

/// The last chunk: without it a download is not whole, whatever came before.
const END: Vec<u8> = Vec::new();

/// What is known of a download before its first byte.
pub struct Label {
    name: String,
    kind: ContentType,
    rows: u64,
    /// The activity that tells of it, once there is one.
    activity: Option<ActivityId>,
}

impl Label {
    /// That of `rows` activities in `format`, asked for on `date`.
    pub fn new(format: &Format, rows: u64, date: jiff::civil::Date) -> Self {
        let kind = match format {
            Format::Csv { .. } => ContentType::new("text", "csv").with_params(("charset", "utf-8")),
            Format::Ndjson => ContentType::new("application", "x-ndjson"),
        };
        Self { name: format!("activity-{date}.{}", format.ending()), kind, rows, activity: None }
    }
}

/// It alone is what `HEAD` is answered.
impl<'r> Responder<'r, 'static> for Label {
    fn respond_to(self, _: &'r Request<'_>) -> response::Result<'static> {
        let mut label = Response::build();
        label
            .header(self.kind)
            .header(Header::new("Content-Disposition", format!("attachment; filename=\"{}\"", self.name)))
            .header(Header::new("Rows", self.rows.to_string()));
        if let Some(activity) = self.activity {
            label.header(Header::new("Activity", activity.to_string()));
        }
        label.ok()
    }
}

/// A download under way.
pub struct Download {
    label: Label,
    chunks: mpsc::Receiver<io::Result<Vec<u8>>>,
    lease: Lease,
}

impl Download {
    /// Begins to write `export` in `format`. It stops when nobody reads it any more, and breaks off when
    /// the session that asked for it ends.
    pub fn begin(export: Export, format: Format, date: jiff::civil::Date, lease: Lease) -> io::Result<Self> {
        let label = Label { activity: Some(export.told().id), ..Label::new(&format, export.rows(), date) };
        Self::of(label, export, format, lease)
    }

    /// The same, but for what comes down, which is the seal of those rows; `sign` makes its end.
    pub fn seal(
        export: Export,
        format: Format,
        date: jiff::civil::Date,
        lease: Lease,
        sign: impl FnOnce(Contents, &Told) -> Result<Sealed, SealError> + Send + 'static,
    ) -> io::Result<Self> {
        let told = export.told().clone();
        let mut label = Label { activity: Some(told.id), ..Label::new(&format, export.rows(), date) };
        label.name.push_str(".seal");
        label.kind = ContentType::Plain.with_params(("charset", "utf-8"));
        let pen = sealing::Pen::new(format, move |contents| sign(contents, &told));
        Self::of(label, export, pen, lease)
    }

    fn of(label: Label, export: Export, pen: impl Writes, lease: Lease) -> io::Result<Self> {
        let writing = lease.clone();
        let over = within(LONGEST, move || writing.over());
        Ok(Self { label, chunks: write_behind(read_ahead(export)?, pen, over), lease })
    }
}

/// What writes a download down.
trait Writes: Send + 'static {
    /// What stands before the first activity; may be empty.
    fn head(&mut self) -> Vec<u8>;
    /// What is to be sent of activities; may be empty.
    fn rows(&mut self, activities: &[Activity]) -> Vec<u8>;
    /// What stands behind the last.
    fn end(self) -> Result<Vec<u8>, SealError>;
}

impl Writes for Format {
    fn head(&mut self) -> Vec<u8> {
        Self::head(self)
    }

    fn rows(&mut self, activities: &[Activity]) -> Vec<u8> {
        self.write(activities)
    }

    fn end(self) -> Result<Vec<u8>, SealError> {
        Ok(Vec::new())
    }
}

impl<'r> Responder<'r, 'static> for Download {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        Response::build_from(self.label.respond_to(request)?)
            .streamed_body(Chunks::new(self.chunks, request.remote(), move || self.lease.over()))
            .max_chunk_size(PIECE)
            .ok()
    }
}

/// What was read: activities, or none at the end. One that comes to no end has gone without a word.
type Reading = blocking::Receiver<Result<Option<Vec<Activity>>, BrokenOff>>;

/// Reads in a thread of its own, [`QUEUE`] chunks ahead of whoever takes them. It stops when nobody does.
fn read_ahead(
    mut export: impl Iterator<Item = Result<Vec<Activity>, BrokenOff>> + Send + 'static,
) -> io::Result<Reading> {
    let (sender, reading) = blocking::sync_channel(QUEUE);
    thread::Builder::new().name("export".into()).spawn(move || {
        loop {
            let read = export.next().transpose();
            let last = !matches!(read, Ok(Some(_)));
            if sender.send(read).is_err() || last {
                return;
            }
        }
    })?;
    Ok(reading)
}

/// Writes what is read, until `over` says that whoever asked may have no more.
fn write_behind(
    reading: Reading,
    mut pen: impl Writes,
    over: impl Fn() -> bool + Send + 'static,
) -> mpsc::Receiver<io::Result<Vec<u8>>> {
    let (sender, chunks) = mpsc::channel(QUEUE);
    let runtime = Handle::current();
    tokio::task::spawn_blocking(move || {
        // A reader that stands still must not hold the threads, and the files of the index, for ever.
        let send = |chunk| {
            let sending = time::timeout(PATIENCE, sender.send(chunk));
            runtime.block_on(sending).is_ok_and(|sent| sent.is_ok())
        };
        // What is empty would be taken for the end.
        let pass = |chunk: Vec<u8>| chunk == END || send(Ok(chunk));
        let broken = |error: &dyn std::fmt::Display| {
            log::error!("an export broke off: {error}");
            io::Error::other("the export failed")
        };
        if !pass(pen.head()) {
            return;
        }
        let end = loop {
            match reading.recv() {
                _ if over() => {
                    break Err(ended());
                }
                Ok(Ok(Some(activities))) => {
                    if !pass(pen.rows(&activities)) {
                        return;
                    }
                }
                Ok(Ok(None)) => break pen.end().map_err(|error| broken(&error)),
                Ok(Err(error)) => break Err(broken(&error)),
                Err(_) => break Err(io::ErrorKind::UnexpectedEof.into()),
            }
        };
        match end {
            Ok(rest) => {
                let _ = pass(rest) && send(Ok(END));
            }
            Err(error) => {
                let _ = send(Err(error));
            }
        }
    });
    chunks
}

/// Says that it is over when `over` does, and when so much time has passed from now on.
fn within(time: Duration, over: impl Fn() -> bool) -> impl Fn() -> bool {
    let begun = Instant::now();
    move || over() || begun.elapsed() >= time
}

fn ended() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, "the session has ended, or its time is over")
}

/// Chunks from a queue as one stream of bytes; an error in it breaks the connection, and so does the end of whoever asked: what
/// waits in the queue by then is not sent.
struct Chunks<Over> {
    queue: mpsc::Receiver<io::Result<Vec<u8>>>,
    current: io::Cursor<Vec<u8>>,
    /// The other end of the connection.
    peer: Option<SocketAddr>,
    over: Over,
    pace: Pace,
    /// Since when the client is waited for.
    handed_out: Option<Instant>,
}

/// How fast a client takes what it is given. Only the time counts for which it is waited for. What the system holds for it counts as
/// taken, so that nobody is too slow who takes [`LEAST`], however rarely the system makes room.
struct Pace {
    bytes: u64,
    waited: Duration,
}

impl Pace {
    fn is_too_slow(&self) -> bool {
        self.waited > PATIENCE + Duration::from_secs(self.bytes / LEAST)
    }
}

impl<Over> Chunks<Over> {
    const fn new(queue: mpsc::Receiver<io::Result<Vec<u8>>>, peer: Option<SocketAddr>, over: Over) -> Self {
        let pace = Pace { bytes: 0, waited: Duration::ZERO };
        Self { queue, current: io::Cursor::new(Vec::new()), peer, over, pace, handed_out: None }
    }

    /// The error alone would end the answer as if it were whole.
    fn break_off(&self, error: io::Error) -> io::Error {
        // Where there is no connection any more, nobody reads.
        if let Some(Err(uncut)) = self.peer.map(cut::cut) {
            log::error!("a download broke off and its connection could not be cut: {uncut}");
        }
        error
    }
}

impl<Over: Fn() -> bool + Unpin> AsyncRead for Chunks<Over> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if (self.over)() {
            return Poll::Ready(Err(self.break_off(ended())));
        }
        if let Some(since) = self.handed_out.take() {
            self.pace.waited += since.elapsed();
        }
        if self.pace.is_too_slow() {
            return Poll::Ready(Err(self.break_off(io::ErrorKind::TimedOut.into())));
        }
        loop {
            let at = usize::try_from(self.current.position()).unwrap_or(usize::MAX);
            let rest = self.current.get_ref().get(at..).unwrap_or_default();
            if !rest.is_empty() {
                let taken = rest.len().min(into.remaining());
                into.put_slice(&rest[..taken]);
                self.current.set_position((at + taken) as u64);
                self.pace.bytes += taken as u64;
                self.handed_out = Some(Instant::now());
                return Poll::Ready(Ok(()));
            }
            match ready!(self.queue.poll_recv(context)) {
                // Whoever wrote has gone without a word.
                None => {
                    return Poll::Ready(Err(self.break_off(io::ErrorKind::UnexpectedEof.into())));
                }
                Some(Err(error)) => return Poll::Ready(Err(self.break_off(error))),
                Some(Ok(end)) if end == END => return Poll::Ready(Ok(())),
                Some(Ok(chunk)) => self.current = io::Cursor::new(chunk),
            }
        }
    }
}

/// Writes an export to wherever a command wants it, and the lines of its seal, where it is to have one; `progress` hears of
/// every chunk's rows. What is to be signed of it.
pub fn write_all(
    export: Export,
    format: &Format,
    into: &mut dyn Write,
    mut seal: Option<&mut dyn Write>,
    mut progress: impl FnMut(u64),
) -> Result<Option<Contents>, WriteError> {
    let head = format.head();
    into.write_all(&head)?;
    let (mut sealer, first) = Sealer::begin();
    if let Some(seal) = &mut seal {
        seal.write_all(first.as_bytes())?;
    }
    let reading = read_ahead(export)?;
    let mut rows = 0;
    loop {
        let read = reading.recv().map_err(|_| io::Error::from(io::ErrorKind::UnexpectedEof))?;
        let Some(activities) = read? else { break };
        if let Some(seal) = &mut seal {
            let mut lines = String::new();
            let bytes = format.write_each(&activities, |id, row| lines.extend(sealer.row(id, row)));
            into.write_all(&bytes)?;
            seal.write_all(lines.as_bytes())?;
        } else {
            into.write_all(&format.write(&activities))?;
        }
        rows += activities.len() as u64;
        progress(rows);
    }
    into.flush()?;
    let Some(seal) = seal else { return Ok(None) };
    let (last, rows, lines) = sealer.finish();
    seal.write_all(last.unwrap_or_default().as_bytes())?;
    Ok(Some(Contents { form: format.form(), rows, head: Hash::leaf([&head[..]]), lines }))
}

/// Why an export was not written to its end.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// It could not be read.
    #[error(transparent)]
    Read(#[from] BrokenOff),
    /// What it was written to failed.
    #[error("the export could not be written: {0}")]
    Io(#[from] io::Error),
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    };

    use tokio::io::AsyncReadExt as _;

    use super::*;
    use crate::model::{activity::NewActivity, id::ActivityId};

    fn activity() -> Activity {
        let new = NewActivity::new("ann", "tick", "t");
        Activity {
            id: ActivityId(1),
            time: jiff::Timestamp::UNIX_EPOCH,
            received: jiff::Timestamp::UNIX_EPOCH,
            user: new.user,
            action: new.action,
            detail: new.detail,
            app: new.app,
            outcome: new.outcome,
            session: new.session,
            ip: new.ip,
            place: new.place,
            device: new.device,
            user_agent: new.user_agent,
            target: new.target,
            attributes: new.attributes,
        }
    }

    fn stream(
        export: impl Iterator<Item = Result<Vec<Activity>, BrokenOff>> + Send + 'static,
        over: impl Fn() -> bool + Send + 'static,
    ) -> Chunks<impl Fn() -> bool> {
        let chunks = write_behind(read_ahead(export).unwrap(), Format::Ndjson, over);
        Chunks::new(chunks, None, || false)
    }

    /// Runs with threads that may block.
    fn run<T>(work: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(work)
    }

    #[test]
    fn no_more_is_read_than_the_queues_hold() {
        let read = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&read);
        let endless = std::iter::repeat_with(move || {
            counted.fetch_add(1, Ordering::SeqCst);
            Ok(vec![activity()])
        });
        run(async {
            let mut chunks = stream(endless, || false).queue;
            for taken in 1..=500 {
                chunks.recv().await.unwrap().unwrap();
                // Two queues, and one chunk in the hands of each thread.
                assert!(read.load(Ordering::SeqCst) <= taken + 2 * QUEUE + 2);
            }
        });
    }

    #[test]
    fn what_comes_to_its_end_is_whole() {
        run(async {
            let mut text = String::new();
            let mut chunks = stream((0..7).map(|_| Ok(vec![activity(), activity()])), || false);
            chunks.read_to_string(&mut text).await.unwrap();
            assert_eq!(text.lines().count(), 14);
        });
    }

    #[test]
    fn what_fails_on_its_way_is_broken_off() {
        let good = || Ok(vec![activity()]);
        let fails = |at: usize| {
            let failure =
                move |n| if n == at { Err(BrokenOff::Miscounted { promised: 9, read: 1 }) } else { good() };
            (0..9).map(failure)
        };
        run(async {
            let mut text = Vec::new();
            for at in [0, 1, 8] {
                text.clear();
                assert!(stream(fails(at), || false).read_to_end(&mut text).await.is_err(), "at {at}");
            }
            let panics = (0..9).map(move |n| if n == 3 { panic!("as it should") } else { good() });
            assert!(stream(panics, || false).read_to_end(&mut text).await.is_err());
            let over = stream(std::iter::repeat_with(good), || true).read_to_end(&mut text).await;
            assert_eq!(over.unwrap_err().kind(), io::ErrorKind::ConnectionAborted);
            let late = within(Duration::ZERO, || false);
            let late = stream(std::iter::repeat_with(good), late).read_to_end(&mut text).await;
            assert_eq!(late.unwrap_err().kind(), io::ErrorKind::ConnectionAborted);
            assert!(!within(LONGEST, || false)());
        });
    }

    #[test]
    fn a_download_that_trickles_is_broken_off() {
        let slow = |bytes, waited| Pace { bytes, waited }.is_too_slow();
        assert!(!slow(0, PATIENCE), "a line may be dead for a while");
        assert!(slow(0, PATIENCE + Duration::from_millis(1)));
        assert!(!slow(100 * LEAST, PATIENCE + Duration::from_secs(100)));
        assert!(slow(100 * LEAST, PATIENCE + Duration::from_secs(101)));
        run(async {
            let good = || Ok(vec![activity()]);
            let mut chunks = stream(std::iter::repeat_with(good), || false);
            let mut piece = [0; 4];
            chunks.read_exact(&mut piece).await.unwrap();
            assert_eq!(chunks.pace.bytes, 4);
            chunks.pace.waited = PATIENCE + Duration::from_secs(1);
            assert_eq!(chunks.read(&mut piece).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
        });
    }

    #[test]
    fn what_waits_in_the_queue_when_the_session_ends_is_not_sent() {
        run(async {
            let (sender, queue) = mpsc::channel(QUEUE);
            let over = AtomicBool::new(false);
            let mut chunks = Chunks::new(queue, None, || over.load(Ordering::SeqCst));
            for chunk in [b"sent", b"kept"] {
                sender.send(Ok(chunk.to_vec())).await.unwrap();
            }
            let mut piece = [0; 4];
            assert_eq!(chunks.read(&mut piece).await.unwrap(), 4);
            over.store(true, Ordering::SeqCst);
            assert_eq!(chunks.read(&mut piece).await.unwrap_err().kind(), io::ErrorKind::ConnectionAborted);
            assert_eq!(&piece, b"sent");
        });
    }
}
