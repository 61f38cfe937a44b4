//! One connection to a broker: requests, which it answers in their order.

use crate::{
    api::{Api, NEEDED, Versions},
    fault,
    login::log_in,
    settings::Target,
    wire::{Odd, Reader, Writer},
};
use parking_lot::Mutex;
use std::{
    collections::VecDeque,
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader, split},
    sync::{mpsc, oneshot},
    time::{Instant, timeout},
};
use tokio_util::sync::{CancellationToken, DropGuard};
use wythe_blocks::{Error, Result, time::Clock as _};
use wythe_net::reach;

/// The reason why a request has no answer.
#[derive(Debug)]
pub(crate) enum Lost {
    /// It was not sent.
    Unsent,
    /// It was sent, or may have been.
    Broken,
    /// It was sent, and the answer is late.
    Late,
    /// It was sent, and its answer is none.
    Odd(Odd),
}

impl Lost {
    /// The error of a request that changes nothing, or may be done twice.
    pub fn error(self) -> Error {
        match self {
            Lost::Unsent => {
                Error::unavailable("the connection to the broker broke; nothing was sent")
            }
            Lost::Broken => Error::unavailable("no answer of the broker: the connection broke"),
            Lost::Late => Error::unavailable("the broker did not answer in time"),
            Lost::Odd(odd) => odd.into(),
        }
    }
}

/// A connection. It ends with its last copy.
#[derive(Clone)]
pub(crate) struct Link {
    shared: Arc<Shared>,
    out: mpsc::UnboundedSender<Request>,
    over: CancellationToken,
    _open: Arc<DropGuard>,
}

struct Shared {
    name: String,
    is_alive: AtomicBool,
    waiting: Mutex<VecDeque<Waiting>>,
}

struct Request {
    /// Its number is written where it is sent.
    frame: Vec<u8>,
    waiting: Waiting,
}

struct Waiting {
    number: i32,
    /// Bytes of its answer, at most.
    limit: usize,
    /// The time by which it comes, whether or not somebody waits for it still.
    due: Instant,
    answer: oneshot::Sender<Vec<u8>>,
}

/// A stream of bytes, with TLS or without.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

impl Link {
    /// Connects within the time that the settings give, and logs in.
    pub async fn open(target: &Target, broker: &(String, u16)) -> Result<Self> {
        let limit = target.timeout;
        let late = |_| {
            let hint = match target.tls {
                None => "; does it want TLS?",
                Some(_) => "",
            };
            Error::unavailable(format!(
                "the broker did not take a connection within {limit:?}{hint}"
            ))
        };
        timeout(limit, open(target, broker)).await.map_err(late)?
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the task ends with the last copy of its connection"
    )]
    fn begin(stream: Box<dyn Stream>, name: &str) -> Self {
        let shared = Arc::new(Shared {
            name: name.to_owned(),
            is_alive: AtomicBool::new(true),
            waiting: Mutex::default(),
        });
        let (out, requests) = mpsc::unbounded_channel();
        let over = CancellationToken::new();
        let link = Link {
            shared: shared.clone(),
            out,
            over: over.clone(),
            _open: Arc::new(over.clone().drop_guard()),
        };
        let (reader, writer) = split(stream);
        tokio::spawn(async move {
            let ended = tokio::select! {
                () = over.cancelled() => Ok(()),
                ended = hear(&shared, reader) => ended,
                ended = write(&shared, writer, requests) => ended,
            };
            if let Err(error) = ended {
                tracing::debug!("the connection to the broker ended: {error}");
            }
            shared.is_alive.store(false, Relaxed);
            shared.waiting.lock().clear();
        });
        link
    }

    /// Returns whether it can still be used, as far as is known. Where an answer is late, it cannot, even if the request was
    /// given up.
    pub fn is_alive(&self) -> bool {
        let is_late = || {
            let waiting = self.shared.waiting.lock();
            waiting
                .front()
                .is_some_and(|first| first.due < Instant::now())
        };
        self.shared.is_alive.load(Relaxed) && !self.over.is_cancelled() && !is_late()
    }

    /// Sends a request, and waits so long for its answer. A connection whose answer is late is at its end.
    pub async fn ask<A: Api>(&self, request: &A, wait: Duration) -> Result<A::Answer, Lost> {
        let mut frame = Writer::default();
        frame.i32(0);
        frame.i16(A::KEY);
        frame.i16(A::VERSION);
        frame.i32(0);
        frame.string(&self.shared.name);
        request.write(&mut frame);
        let (sender, answer) = oneshot::channel();
        let waiting = Waiting {
            number: 0,
            limit: A::LIMIT,
            due: Instant::now().after(wait),
            answer: sender,
        };
        let frame = frame.0;
        if !self.is_alive() {
            return Err(Lost::Unsent);
        }
        let request = Request { frame, waiting };
        self.out.send(request).map_err(|_| Lost::Unsent)?;
        match timeout(wait, answer).await {
            Ok(Ok(answer)) => A::read(&mut Reader(&answer)).map_err(Lost::Odd),
            Ok(Err(_)) => Err(Lost::Broken),
            Err(_) => {
                self.over.cancel();
                Err(Lost::Late)
            }
        }
    }
}

async fn open(target: &Target, broker: &(String, u16)) -> Result<Link> {
    let stream = reach("brokers", &broker.0, broker.1).await?;
    let stream: Box<dyn Stream> = match &target.tls {
        None => Box::new(stream),
        Some(tls) => {
            let stream = tls.connect(&broker.0, stream).await;
            Box::new(stream.map_err(|error| {
                Error::unavailable(
                    "no TLS with the broker: it speaks none on this port, or its certificate is not one that `caCert` or the web's authorities signed for this host name, or it wants another `clientCert`",
                )
                .with_source(error)
            })?)
        }
    };
    let link = Link::begin(stream, &target.name);
    let versions = link.ask(&Versions, target.timeout).await;
    let (error, versions) = versions.map_err(|lost| no_greeting(lost, target))?;
    fault::check(error, "its versions")?;
    for (key, version) in NEEDED {
        let found = versions.iter().find(|[known, ..]| known == key);
        if !found.is_some_and(|[_, first, last]| (first..=last).contains(&version)) {
            return Err(Error::unsupported(format!(
                "the broker does not take version {version} of request {key}; expected Kafka 2.1 or later"
            )));
        }
    }
    if let Some(login) = &target.login {
        log_in(&link, login, target.timeout).await?;
    }
    Ok(link)
}

fn no_greeting(lost: Lost, target: &Target) -> Error {
    let hint = match target.tls {
        None => {
            "the broker ended the connection at its first request: it is no Kafka, or it wants TLS on this port (`authType: mtls`, or `password` without `disableTls`)"
        }
        Some(_) => {
            "the broker ended the connection at its first request: it is no Kafka, or it wants another `clientCert`"
        }
    };
    match lost {
        Lost::Broken | Lost::Unsent => Error::unavailable(hint),
        lost => lost.error(),
    }
}

/// Takes answers until the connection ends.
async fn hear(shared: &Shared, reader: impl AsyncRead + Unpin) -> io::Result<()> {
    let odd = |why: &str| io::Error::new(io::ErrorKind::InvalidData, why);
    let mut reader = BufReader::with_capacity(32 << 10, reader);
    loop {
        let length = usize::try_from(reader.read_i32().await?).unwrap_or(usize::MAX);
        let Some(waiting) = shared.waiting.lock().pop_front() else {
            return Err(odd("an answer that nobody asked for; is it TLS?"));
        };
        if length < 4 || length > waiting.limit {
            return Err(odd("an answer of more bytes than it may have; is it TLS?"));
        }
        if reader.read_i32().await? != waiting.number {
            return Err(odd("an answer to another request"));
        }
        // The buffer grows as bytes come, and not by what the length promises.
        let mut answer = Vec::new();
        let mut rest = (&mut reader).take(length as u64 - 4);
        if rest.read_to_end(&mut answer).await? != length - 4 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        // Nobody waits any more where a request was given up.
        let _ = waiting.answer.send(answer);
    }
}

/// Writes requests in their order, and numbers them.
async fn write(
    shared: &Shared,
    mut writer: impl AsyncWrite + Unpin,
    mut requests: mpsc::UnboundedReceiver<Request>,
) -> io::Result<()> {
    let mut number = 0_i32;
    while let Some(mut request) = requests.recv().await {
        number = number.wrapping_add(1);
        let length = i32::try_from(request.frame.len() - 4).unwrap_or(i32::MAX);
        request.frame[..4].copy_from_slice(&length.to_be_bytes());
        request.frame[8..12].copy_from_slice(&number.to_be_bytes());
        request.waiting.number = number;
        shared.waiting.lock().push_back(request.waiting);
        writer.write_all(&request.frame).await?;
        writer.flush().await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
