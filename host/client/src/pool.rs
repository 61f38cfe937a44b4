//! The connections of a component: one for each call under way, and a few that wait for the next one.

use crate::{
    connect::{BoxError, Connector, Stream},
    link::Exchange,
};
use bytes::Bytes;
use http::{Extensions, Request, Response, Uri};
use http_body_util::{BodyExt, Full};
use hyper::{
    body::{Frame, Incoming},
    client::conn::http1,
};
use hyper_util::client::legacy::connect::Connection as _;
use parking_lot::Mutex;
use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::{Arc, Weak},
    task::{Context, Poll},
    time::Duration,
};
use tokio::{task::AbortHandle, time::Instant};

/// Connections that are kept between calls.
pub const IDLE: usize = 8;
/// Time for which such a connection is kept.
pub const IDLE_FOR: Duration = Duration::from_secs(60);
/// Headers of an answer, as the client reads them.
const HEADERS: usize = 100;
/// Turns after an answer, within which its connection is free again.
const TURNS: usize = 4;

/// A connection that one call uses at a time. It does its work while that call waits for it, so it costs the call's
/// time, and ends with it.
pub struct Connection {
    sender: http1::SendRequest<Full<Bytes>>,
    driven: Driven,
    exchange: Exchange,
}

/// The connection itself, until it is over.
struct Driven(Option<http1::Connection<Stream, Full<Bytes>>>);

/// Reason for which there is no answer.
pub enum Fault {
    /// The connection could not be made.
    Connect(BoxError),
    /// The connection was closed before the request was sent.
    Unsent(hyper::Error),
    /// The connection broke.
    Broken(hyper::Error),
    /// The peer sent too much of what this says.
    Excess(String),
    /// The time of the call is over.
    Late,
}

impl Connection {
    pub async fn new(stream: Stream) -> Result<Self, BoxError> {
        let mut extras = Extensions::new();
        stream.connected().get_extras(&mut extras);
        let exchange = extras.remove().ok_or("the connection has no meter")?;
        let (sender, connection) = http1::handshake(stream).await?;
        Ok(Connection {
            sender,
            driven: Driven(Some(connection)),
            exchange,
        })
    }

    /// Sends a request, and waits for the headers of the answer.
    pub async fn send(
        &mut self,
        mut request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, Fault> {
        self.exchange.begin();
        let exchange = self.exchange.clone();
        hyper::ext::on_informational(&mut request, move |_| exchange.interim());
        let answer = self.sender.try_send_request(request);
        let answer = self.driven.drive(answer).await;
        if let Some(what) = self.exchange.excess() {
            return Err(Fault::Excess(what));
        }
        self.exchange.answered();
        answer.map_err(|error| match error.message() {
            Some(_) => Fault::Unsent(error.into_error()),
            None if error.error().is_parse_too_large() => {
                Fault::Excess(format!("more than {HEADERS} headers"))
            }
            None => Fault::Broken(error.into_error()),
        })
    }

    /// The next piece of an answer's body, or none at its end.
    pub async fn frame(&mut self, body: &mut Incoming) -> Option<Result<Frame<Bytes>, Fault>> {
        let frame = self.driven.drive(body.frame()).await;
        frame.map(|frame| frame.map_err(Fault::Broken))
    }

    /// Says whether the connection can take a request now.
    fn is_free(&mut self, context: &mut Context<'_>) -> bool {
        for _ in 0..TURNS {
            self.driven.turn(context);
            match self.sender.poll_ready(context) {
                Poll::Ready(ready) => return ready.is_ok() && self.driven.0.is_some(),
                Poll::Pending => {}
            }
        }
        false
    }
}

impl Driven {
    fn turn(&mut self, context: &mut Context<'_>) {
        let Some(connection) = &mut self.0 else {
            return;
        };
        // Its error is the error of whoever waits for it, too.
        if Pin::new(connection).poll(context).is_ready() {
            self.0 = None;
        }
    }

    /// Waits for what comes by the connection.
    async fn drive<F: Future>(&mut self, what: F) -> F::Output {
        let mut what = pin!(what);
        poll_fn(|context| {
            self.turn(context);
            what.as_mut().poll(context)
        })
        .await
    }
}

/// Connections to one server.
pub struct Pool {
    connector: Connector,
    to: Uri,
    idle: Arc<Mutex<Idle>>,
    sweeper: AbortHandle,
}

/// Connections that wait, the oldest first, each with the end of its time.
#[derive(Default)]
struct Idle(Vec<(Instant, Connection)>);

impl Pool {
    #[expect(
        clippy::disallowed_methods,
        reason = "the sweeper belongs to the driver, which ends it when it is dropped"
    )]
    pub fn new(connector: Connector, to: Uri) -> Self {
        let idle = Arc::new(Mutex::new(Idle::default()));
        let sweeper = tokio::spawn(sweep(Arc::downgrade(&idle))).abort_handle();
        Pool {
            connector,
            to,
            idle,
            sweeper,
        }
    }

    /// A connection that waits, if there is one.
    pub async fn take(&self) -> Option<Connection> {
        loop {
            let (_, mut connection) = self.idle.lock().0.pop()?;
            if poll_fn(|context| Poll::Ready(connection.is_free(context))).await {
                return Some(connection);
            }
        }
    }

    /// A new connection, within 5 s.
    pub async fn connect(&self) -> Result<Connection, Fault> {
        let connected = async {
            let stream = self.connector.connect(self.to.clone()).await?;
            Connection::new(stream).await
        };
        connected.await.map_err(Fault::Connect)
    }

    /// Takes a connection back whose answer is through; one that is still busy is closed.
    pub async fn put_back(&self, mut connection: Connection) {
        if !poll_fn(|context| Poll::Ready(connection.is_free(context))).await {
            return;
        }
        let mut idle = self.idle.lock();
        if idle.0.len() >= IDLE {
            idle.0.remove(0);
        }
        idle.0.push((Instant::now() + IDLE_FOR, connection));
    }

    /// Closes what waits.
    pub fn close(&self) {
        self.sweeper.abort();
        self.idle.lock().0.clear();
    }

    /// The number of connections that wait.
    pub fn idle(&self) -> usize {
        self.idle.lock().0.len()
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.sweeper.abort();
    }
}

/// Closes connections that have waited for long enough.
async fn sweep(idle: Weak<Mutex<Idle>>) {
    loop {
        let Some(next) = idle.upgrade().map(|idle| expire(&idle)) else {
            return;
        };
        tokio::time::sleep_until(next).await;
    }
}

/// Drops connections whose time is over, and returns when to look again.
fn expire(idle: &Mutex<Idle>) -> Instant {
    let now = Instant::now();
    let mut idle = idle.lock();
    idle.0.retain(|(end, _)| *end > now);
    idle.0.first().map_or(now + IDLE_FOR, |(end, _)| *end)
}
