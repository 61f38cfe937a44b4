//! Requests for a tenant that runs in a process of its own: each goes on over a connection of its own to that process, as it
//! comes, and its answer back.

use crate::{refusals::No, serve::Client};
use bytes::Bytes;
use http::{HeaderValue, Request, Response, Version, header};
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::{body::Incoming, client::conn::http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::{
    io::{self, ErrorKind},
    net::IpAddr,
    pin::Pin,
    sync::{Arc, LazyLock},
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    net::UnixStream,
    sync::{OwnedSemaphorePermit, Semaphore},
};
use wythe_blocks::{
    Body, Error, Process, Tasks, Trace, descriptors,
    invocation::{CLIENT, TRACEPARENT, check_path, disconnect, settled},
};

/// Bytes of a body that are on their way between the two processes, in either direction.
pub const WINDOW: u32 = 64 << 10;
/// Bytes of headers of an answer, with the 32 that HTTP/2 counts for each of them: as many as those of a request.
const HEADER_BYTES: u32 = 128 << 10;
/// The time after which one that was refused may come again.
const AGAIN: Duration = Duration::from_secs(1);
/// Time for the process to take a connection.
const CONNECT: Duration = Duration::from_secs(5);
/// The part of the connections from outside that may be passed on at once, of all tenants: each takes one descriptor more.
const PART: usize = 4;
/// The places of all tenants together.
static PLACES: LazyLock<Arc<Semaphore>> =
    LazyLock::new(|| Arc::new(Semaphore::new((descriptors::incoming() / PART).max(1))));
/// Wait where so many connections are there that the process has not taken yet.
const FULL: Duration = Duration::from_millis(5);

/// Passes a request on with its whole path, by which the process finds the app, and answers what the process answers. What
/// the process does not take is `unavailable`; where it ended before it answered, nobody knows what was done.
pub async fn forward(
    tasks: &Tasks,
    process: &Arc<Process>,
    trace: Trace,
    mut request: Request<Incoming>,
    client: &Client,
) -> Result<Response<Body>, No> {
    check_path(request.uri().path())?;
    let places = (process.enter()?, enter()?);
    prepare(&mut request, trace, client.address)?;
    let stream = tokio::time::timeout(CONNECT, connect(process)).await;
    let stream = match stream {
        Ok(stream) => stream.map_err(|error| process.absent().with_source(error)),
        Err(_) => Err(process.absent()),
    }?;
    let (mut sender, connection) = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .max_send_buf_size(WINDOW as usize)
        .max_header_list_size(HEADER_BYTES)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|error| process.absent().with_source(error))?;
    tasks.spawn(async move {
        // Whoever waits for the answer is told what became of it.
        let _ = connection.await;
    });
    let method = request.method().clone();
    let answer = sender.send_request(request).await;
    let answer = answer.map_err(|error| lost(process, error))?;
    let process = process.clone();
    let answer = answer.map(|body| {
        let answering = Answering {
            body,
            process,
            _places: places,
        };
        answering.boxed_unsync()
    });
    Ok(settled(&method, answer)?)
}

/// Takes one of the places of all tenants.
fn enter() -> Result<OwnedSemaphorePermit, Error> {
    PLACES.clone().try_acquire_owned().map_err(|_| {
        Error::exhausted(
            "so many requests are passed on to the processes of tenants that the host has no descriptor for more; raise \
             `ulimit -n`",
        )
        .with_retry_after(AGAIN)
    })
}

/// Makes of a request from outside one of the host's own, which says who asks and of which trace it is.
fn prepare(request: &mut Request<Incoming>, trace: Trace, client: IpAddr) -> Result<(), Error> {
    let value = |text: String| {
        HeaderValue::from_str(&text)
            .map_err(|error| Error::internal("a header of the host's own").with_source(error))
    };
    let (trace, client) = (value(trace.to_string())?, value(client.to_string())?);
    let headers = request.headers_mut();
    disconnect(headers);
    // It was answered here.
    headers.remove(header::EXPECT);
    headers.insert(TRACEPARENT, trace);
    headers.insert(CLIENT, client);
    *request.version_mut() = Version::HTTP_2;
    Ok(())
}

async fn connect(process: &Process) -> io::Result<UnixStream> {
    loop {
        match UnixStream::connect(&process.apps).await {
            Err(error) if error.kind() == ErrorKind::WouldBlock => tokio::time::sleep(FULL).await,
            connected => return connected,
        }
    }
}

/// The error of a request that the process had and did not answer.
fn lost(process: &Process, error: hyper::Error) -> Error {
    let tenant = process.tenant();
    Error::unknown_outcome(format!(
        "the process of tenant `{tenant}` ended before it had answered"
    ))
    .with_source(error)
}

/// The body of an answer; while it is there, the request has its place.
struct Answering {
    body: Incoming,
    process: Arc<Process>,
    _places: (OwnedSemaphorePermit, OwnedSemaphorePermit),
}

impl http_body::Body for Answering {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        polled.map_err(|error| lost(&self.process, error))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
