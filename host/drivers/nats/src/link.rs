//! One connection to the server: calls and their answers, and inboxes for messages that come by themselves.

pub(crate) mod greeting;
mod inbox;

pub(crate) use inbox::Inbox;

use crate::{
    failure::{self, Effect, forbidden},
    settings::Target,
    wire::{self, Frame, Incoming, Info, Outgoing},
};
use bytes::Bytes;
use inbox::Queue;
use parking_lot::Mutex;
use std::{
    collections::HashMap,
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader, BufWriter, split},
    sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc, oneshot},
    time::{sleep, timeout},
};
use tokio_util::sync::{CancellationToken, DropGuard};
use wythe_blocks::{Error, Result};
use wythe_net::Tls;

/// KiB of messages that wait to be written.
const ROOM: u32 = 64 << 10;
/// The time between two looks at a connection on which nothing is asked.
const QUIET: Duration = Duration::from_secs(20);
/// Answers to pings of the server that wait to be written: it sends few, and one that reads none is given up.
const PONGS: usize = 1_000;
/// The subscription of the answers to calls.
const ANSWERS: u64 = 1;

/// The reason why a call has no answer.
#[derive(Debug)]
pub(crate) enum Lost {
    /// The call was not sent.
    Unsent,
    /// It was sent, or may have been.
    Broken,
    /// The server refused to take it.
    Refused(Error),
}

impl Lost {
    /// The error of the host; `about` is what the call was about, as the app knows it.
    pub fn error(self, effect: Effect, about: &str) -> Error {
        match self {
            Lost::Unsent => failure::unsent(),
            Lost::Broken => failure::broken(effect, about),
            Lost::Refused(error) => error,
        }
    }
}

/// A connection. It ends with its last copy.
#[derive(Clone)]
pub(crate) struct Link {
    shared: Arc<Shared>,
    out: mpsc::UnboundedSender<Written>,
    _open: Arc<DropGuard>,
}

struct Shared {
    info: Info,
    /// The subject below which answers come.
    prefix: String,
    is_alive: AtomicBool,
    next: AtomicU64,
    calls: Mutex<HashMap<u64, Waiting>>,
    inboxes: Mutex<HashMap<u64, Arc<Queue>>>,
    /// Those who wait for a `PONG`, in the order of their pings.
    pings: Mutex<Vec<oneshot::Sender<()>>>,
    room: Arc<Semaphore>,
    /// Room for answers to pings.
    pongs: Arc<Semaphore>,
    /// Things that came.
    heard: AtomicU64,
    /// A call was not answered in time.
    doubt: Notify,
}

struct Waiting {
    subject: String,
    answer: oneshot::Sender<Result<Incoming, Error>>,
}

/// Bytes to write, with the room that they take until then.
struct Written {
    head: Vec<u8>,
    data: Option<Bytes>,
    _room: Option<OwnedSemaphorePermit>,
}

impl Written {
    fn line(text: impl Into<Vec<u8>>, room: Option<OwnedSemaphorePermit>) -> Self {
        Written {
            head: text.into(),
            data: None,
            _room: room,
        }
    }
}

/// A call that was sent; its answer is forgotten when this is dropped.
pub(crate) struct Pending {
    shared: Arc<Shared>,
    number: u64,
    answer: oneshot::Receiver<Result<Incoming, Error>>,
}

impl Pending {
    pub async fn answer(mut self) -> Result<Incoming, Lost> {
        match (&mut self.answer).await {
            Ok(answer) => answer.map_err(Lost::Refused),
            Err(_) => Err(Lost::Broken),
        }
    }

    /// The answer, if it has come.
    pub fn answer_so_far(mut self) -> Option<Result<Incoming, Error>> {
        self.answer.try_recv().ok()
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.shared.calls.lock().remove(&self.number);
    }
}

impl Link {
    /// Connects within the time that the settings give.
    pub async fn open(target: &Target, tls: &Tls, server: &(String, u16)) -> Result<Self> {
        let limit = target.timeout;
        let late = |_| {
            Error::unavailable(format!(
                "the server did not take a connection within {limit:?}"
            ))
        };
        timeout(limit, greeting::connect(target, tls, server))
            .await
            .map_err(late)?
    }

    /// Begins with a stream whose login was taken, and on which answers come below `prefix`.
    #[expect(
        clippy::disallowed_methods,
        reason = "the task ends with the last copy of its connection"
    )]
    fn begin<S>(stream: BufReader<S>, info: Info, prefix: String, limit: Duration) -> Self
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let shared = Arc::new(Shared {
            info,
            prefix,
            is_alive: AtomicBool::new(true),
            next: AtomicU64::new(ANSWERS + 1),
            calls: Mutex::default(),
            inboxes: Mutex::default(),
            pings: Mutex::default(),
            room: Arc::new(Semaphore::new(ROOM as usize)),
            pongs: Arc::new(Semaphore::new(PONGS)),
            heard: AtomicU64::new(0),
            doubt: Notify::new(),
        });
        let (out, written) = mpsc::unbounded_channel();
        let open = CancellationToken::new();
        let link = Link {
            shared: shared.clone(),
            out: out.clone(),
            _open: Arc::new(open.clone().drop_guard()),
        };
        let (reader, writer) = split(stream);
        tokio::spawn(async move {
            let ended = tokio::select! {
                () = open.cancelled() => Ok(()),
                ended = hear(&shared, reader, &out) => ended,
                ended = write(writer, written) => ended,
                ended = watch(&shared, &out, limit) => ended,
            };
            if let Err(error) = ended {
                tracing::debug!("the connection to the server ended: {error}");
            }
            shared.end();
        });
        link
    }

    pub fn info(&self) -> &Info {
        &self.shared.info
    }

    /// Returns whether it can still be used, as far as is known.
    pub fn is_alive(&self) -> bool {
        self.shared.is_alive.load(Relaxed)
    }

    /// Has the connection looked at, and ended if nothing comes any more.
    pub fn doubt(&self) {
        self.shared.doubt.notify_one();
    }

    fn line(&self, text: String) {
        // A connection that is over writes nothing, and says so by other ways.
        let _ = self.out.send(Written::line(text, None));
    }

    /// Sends a message once there is room for it, with a subject to answer to where an answer is wanted.
    pub async fn publish(&self, message: Outgoing, reply: &str) -> Result<(), Lost> {
        let head = message.head(reply);
        let size = u32::try_from((head.len() + message.data.len()) >> 10).unwrap_or(ROOM) + 1;
        let room = self.shared.room.clone().acquire_many_owned(size.min(ROOM));
        let room = room.await.map_err(|_| Lost::Unsent)?;
        if !self.is_alive() {
            return Err(Lost::Unsent);
        }
        let written = Written {
            head,
            data: Some(message.data),
            _room: Some(room),
        };
        self.out.send(written).map_err(|_| Lost::Unsent)
    }

    /// Sends a call; calls are sent in the order in which they are asked for.
    pub async fn send(&self, message: Outgoing) -> Result<Pending, Lost> {
        let (sender, answer) = oneshot::channel();
        let number = self.shared.next.fetch_add(1, Relaxed);
        let waiting = Waiting {
            subject: message.subject.clone(),
            answer: sender,
        };
        self.shared.calls.lock().insert(number, waiting);
        let pending = Pending {
            shared: self.shared.clone(),
            number,
            answer,
        };
        let reply = format!("{}.{number}", self.shared.prefix);
        self.publish(message, &reply).await?;
        Ok(pending)
    }

    /// Returns once the server has seen all that was sent before, and all that it sent has come.
    pub async fn flush(&self) -> Result<(), Lost> {
        let (sender, pong) = oneshot::channel();
        self.shared.pings.lock().push(sender);
        if !self.is_alive() {
            return Err(Lost::Unsent);
        }
        self.line("PING\r\n".to_owned());
        pong.await.map_err(|_| Lost::Broken)
    }

    /// Opens an inbox for messages that come to subjects below its own.
    pub fn inbox(&self) -> Inbox {
        let sid = self.shared.next.fetch_add(1, Relaxed);
        let queue = Arc::new(Queue::default());
        self.shared.inboxes.lock().insert(sid, queue.clone());
        let prefix = format!("{}.{sid}", self.shared.prefix);
        self.line(format!("SUB {prefix}.* {sid}\r\n"));
        if !self.is_alive() {
            queue.end();
        }
        Inbox::new(self.clone(), sid, prefix, queue)
    }

    /// Has the server send nothing more to an inbox.
    fn stop(&self, sid: u64) {
        self.line(format!("UNSUB {sid}\r\n"));
    }

    /// Closes an inbox.
    fn close(&self, sid: u64) {
        if self.shared.inboxes.lock().remove(&sid).is_some() {
            self.stop(sid);
        }
    }
}

impl Shared {
    fn end(&self) {
        self.is_alive.store(false, Relaxed);
        self.room.close();
        self.calls.lock().clear();
        self.pings.lock().clear();
        for queue in self.inboxes.lock().drain() {
            queue.1.end();
        }
    }

    fn take(&self, message: Incoming) -> io::Result<()> {
        if message.sid != ANSWERS {
            let queue = self.inboxes.lock().get(&message.sid).cloned();
            return queue.map_or(Ok(()), |queue| queue.push(message));
        }
        let number = message.subject.rsplit('.').next();
        let number = number.and_then(|number| number.parse::<u64>().ok());
        let waiting = number.and_then(|number| self.calls.lock().remove(&number));
        if let Some(waiting) = waiting {
            // Nobody waits any more where a call was given up.
            let _ = waiting.answer.send(Ok(message));
        }
        Ok(())
    }

    /// Takes the server's complaint: of one subject, or of the connection as a whole.
    fn refuse(&self, text: &str) -> io::Result<()> {
        if !text
            .to_ascii_lowercase()
            .starts_with("permissions violation")
        {
            let shown: String = text.chars().take(200).collect();
            return Err(io::Error::other(format!("the server says: {shown}")));
        }
        let subject = text.split('"').nth(1).unwrap_or_default();
        let mut calls = self.calls.lock();
        let refused: Vec<_> = calls
            .iter()
            .filter(|(_, waiting)| waiting.subject == subject)
            .map(|(number, _)| *number)
            .collect();
        for waiting in refused.iter().filter_map(|number| calls.remove(number)) {
            let _ = waiting.answer.send(Err(forbidden(subject)));
        }
        Ok(())
    }
}

/// Takes what comes, until the connection ends.
async fn hear<S: AsyncRead + Unpin>(
    shared: &Shared,
    reader: S,
    out: &mpsc::UnboundedSender<Written>,
) -> io::Result<()> {
    let mut reader = BufReader::with_capacity(64 << 10, reader);
    loop {
        let frame = wire::read(&mut reader).await?;
        shared.heard.fetch_add(1, Relaxed);
        match frame {
            Frame::Message(message) => shared.take(*message)?,
            Frame::Ping => pong(shared, out)?,
            Frame::Pong => {
                let mut pings = shared.pings.lock();
                if !pings.is_empty() {
                    let _ = pings.remove(0).send(());
                }
            }
            Frame::Refusal(text) => shared.refuse(&text)?,
            Frame::Info(_) | Frame::Fine => {}
        }
    }
}

fn pong(shared: &Shared, out: &mpsc::UnboundedSender<Written>) -> io::Result<()> {
    let room = shared.pongs.clone().try_acquire_owned();
    let room = room.map_err(|_| io::Error::other("the server pings, and reads no answer"))?;
    let _ = out.send(Written::line("PONG\r\n", Some(room)));
    Ok(())
}

/// Writes what there is to write, and flushes when there is no more.
async fn write<S: AsyncWrite + Unpin>(
    writer: S,
    mut written: mpsc::UnboundedReceiver<Written>,
) -> io::Result<()> {
    let mut writer = BufWriter::with_capacity(64 << 10, writer);
    loop {
        let one = match written.try_recv() {
            Ok(one) => one,
            Err(_) => {
                writer.flush().await?;
                match written.recv().await {
                    Some(one) => one,
                    None => return Ok(()),
                }
            }
        };
        writer.write_all(&one.head).await?;
        if let Some(data) = &one.data {
            writer.write_all(data).await?;
            writer.write_all(b"\r\n").await?;
        }
    }
}

/// Looks, now and then and where there is doubt, whether the server still says anything.
async fn watch(
    shared: &Shared,
    out: &mpsc::UnboundedSender<Written>,
    limit: Duration,
) -> io::Result<()> {
    loop {
        let _ = timeout(QUIET, shared.doubt.notified()).await;
        let before = shared.heard.load(Relaxed);
        let (sender, _) = oneshot::channel();
        shared.pings.lock().push(sender);
        let _ = out.send(Written::line("PING\r\n", None));
        sleep(limit).await;
        if shared.heard.load(Relaxed) == before {
            return Err(io::Error::other("the server says nothing any more"));
        }
    }
}
