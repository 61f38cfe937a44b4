//! One exchange with a server: a request by a connection that waits or by a new one, and the answer, whole and within its
//! bounds.

use crate::{Connection, Connector, Effect, Fault, Pool};
use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, Uri};
use http_body::Body as _;
use http_body_util::Full;
use hyper::body::Incoming;
use std::{
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    time::Duration,
};
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout_at},
};
use wythe_blocks::{Error, time::Clock as _};

/// Bytes for which room is made at first, where an answer does not announce its length.
const FIRST: usize = 16 << 10;

/// A server that is asked by many, each with a connection of its own. No redirect is followed.
pub struct Server {
    pool: Pool,
    permits: Semaphore,
}

/// One request, and what its answer may be.
pub struct Ask<'a> {
    pub request: Request<Full<Bytes>>,
    /// Bytes of the answer's body.
    pub largest: usize,
    /// Time of the whole exchange, the wait for a place included.
    pub time: Duration,
    /// True of a request that changes nothing: it is asked again where a connection that waited turns out to be closed.
    pub is_safe: bool,
    /// Draws so many more bytes for the answer before they are held.
    pub room: &'a mut (dyn FnMut(usize) -> Result<(), Error> + Send),
}

/// An answer that is through.
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// Reason for which there is no whole answer.
pub enum Failed {
    /// The way there or back failed. The server may have heard of a request that was sent.
    Fault { fault: Fault, was_sent: bool },
    /// The body has more bytes than it may.
    Large,
    /// The body finds no room.
    Room(Error),
}

impl Server {
    /// A server at the authority of a URI, which is asked by so many at once; nothing is connected yet.
    pub fn new(connector: Connector, to: Uri, at_once: usize) -> Self {
        Server {
            pool: Pool::new(connector, to),
            permits: Semaphore::new(at_once),
        }
    }

    /// Asks, within the time that is given.
    pub async fn ask(&self, ask: Ask<'_>) -> Result<Answer, Failed> {
        let was_sent = AtomicBool::new(false);
        let end = Instant::now().after(ask.time);
        let answer = timeout_at(end, self.exchange(ask, &was_sent)).await;
        answer.unwrap_or_else(|_| {
            Err(Failed::Fault {
                fault: Fault::Late,
                was_sent: was_sent.load(Relaxed),
            })
        })
    }

    /// Closes the connections that wait; those of requests under way end with them.
    pub fn close(&self) {
        self.pool.close();
        self.permits.close();
    }

    async fn exchange(&self, ask: Ask<'_>, was_sent: &AtomicBool) -> Result<Answer, Failed> {
        let failed = |fault| Failed::Fault {
            fault,
            was_sent: was_sent.load(Relaxed),
        };
        let closed = |_| failed(Fault::Connect("the component is closed".into()));
        let _permit = self.permits.acquire().await.map_err(closed)?;
        loop {
            let (mut connection, is_new) = match self.pool.take().await {
                Some(connection) => (connection, false),
                None => (self.pool.connect().await.map_err(failed)?, true),
            };
            was_sent.store(true, Relaxed);
            let fault = match connection.send(ask.request.clone()).await {
                Ok(response) => return self.answer(connection, response, ask).await,
                Err(fault) => fault,
            };
            let (unsent, broken) = (
                matches!(fault, Fault::Unsent(_)),
                matches!(fault, Fault::Broken(_)),
            );
            if unsent {
                was_sent.store(false, Relaxed);
            }
            // The server had enough of the connection while it waited.
            if !is_new && (unsent || (broken && ask.is_safe)) {
                continue;
            }
            return Err(failed(fault));
        }
    }

    async fn answer(
        &self,
        mut connection: Connection,
        response: Response<Incoming>,
        ask: Ask<'_>,
    ) -> Result<Answer, Failed> {
        let (head, mut incoming) = response.into_parts();
        let announced = incoming.size_hint().exact();
        let announced = announced.map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
        if announced.is_some_and(|bytes| bytes > ask.largest) {
            return Err(Failed::Large);
        }
        let mut body = Vec::new();
        while let Some(frame) = connection.frame(&mut incoming).await {
            let frame = frame.map_err(|fault| Failed::Fault {
                fault,
                was_sent: true,
            })?;
            let Ok(piece) = frame.into_data() else {
                continue;
            };
            let needed = body.len().saturating_add(piece.len());
            if needed > ask.largest {
                return Err(Failed::Large);
            }
            if needed > body.capacity() {
                let doubled = body.capacity().saturating_mul(2).max(FIRST);
                let capacity = announced.unwrap_or(doubled).clamp(needed, ask.largest);
                (ask.room)(capacity - body.capacity()).map_err(Failed::Room)?;
                body.reserve_exact(capacity - body.len());
            }
            body.extend_from_slice(&piece);
        }
        self.pool.put_back(connection).await;
        Ok(Answer {
            status: head.status,
            headers: head.headers,
            body: body.into(),
        })
    }
}

impl Failed {
    /// The error for the app. `about` is what was asked, in its words; `check` names what an operator looks at where the
    /// service cannot be reached.
    pub fn error(self, effect: Effect, about: &str, check: &str) -> Error {
        let (fault, was_sent) = match self {
            Failed::Fault { fault, was_sent } => (fault, was_sent),
            Failed::Large if effect == Effect::Write => {
                return unknown(about).with_source("the answer has more bytes than it may");
            }
            Failed::Large => {
                return Error::invalid(format!(
                    "the answer about {about} has more bytes than it may"
                ));
            }
            Failed::Room(error) => return error,
        };
        let error = match (was_sent, effect, &fault) {
            (false, _, Fault::Late) => Error::unavailable(
                "no request could be sent within `timeout`: the service cannot be reached, or all of the component's connections are in use",
            ),
            (false, ..) => {
                Error::unavailable(format!("the service cannot be reached: check {check}"))
            }
            (true, Effect::Read, Fault::Late) => {
                Error::unavailable("the service did not answer within `timeout`")
            }
            (true, Effect::Read, _) => Error::unavailable("the service broke off its answer"),
            (true, Effect::Write, _) => unknown(about),
        };
        match fault {
            Fault::Connect(cause) => error.with_source(cause),
            Fault::Unsent(cause) | Fault::Broken(cause) => error.with_source(cause),
            Fault::Excess(what) => error.with_source(format!("the service sent {what}")),
            Fault::Late => error.with_source("the time of the request is over"),
        }
    }
}

fn unknown(about: &str) -> Error {
    Error::unknown_outcome(format!(
        "the service was asked and gave no whole answer: whether {about} was written is not known"
    ))
}

#[cfg(test)]
mod tests;
