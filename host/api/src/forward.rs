//! Requests for a tenant that runs in a process of its own: each goes on over a connection of its own to that process, as it
//! comes, and its answer back.

use crate::{
    refusals::No,
    serve::{Manner, Outgoing},
};
use http::{HeaderValue, Request, Response, Version, header};
use http_body_util::BodyExt;
use hyper::{body::Bytes, client::conn::http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::{
    error::Error as StdError,
    io::{self, ErrorKind},
    net::IpAddr,
    sync::{Arc, LazyLock},
    time::Duration,
};
use tokio::{
    net::UnixStream,
    sync::{OwnedSemaphorePermit, Semaphore},
};
use wythe_blocks::{
    Body, Error, Process, Tasks, Trace, descriptors,
    invocation::{CLIENT, CLIENT_NAME, Path, TRACEPARENT, disconnect, settled},
};

/// Bytes of a body that are on their way between the two processes, in either direction.
pub const WINDOW: u32 = 64 << 10;
/// Bytes of headers, in either direction, with the 32 that HTTP/2 counts for each of them.
pub const FORWARDED_HEADER_BYTES: u32 = 128 << 10;
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

type BoxError = Box<dyn StdError + Send + Sync>;

/// Passes a request on with its whole path, by which the process finds the app, and answers what the process answers. What
/// the process does not take is `unavailable`; where it ended before it answered, or took nothing of what is written to it for
/// so long, nobody knows what was done.
pub async fn forward<B>(
    tasks: &Tasks,
    process: &Arc<Process>,
    trace: Trace,
    mut request: Request<B>,
    (client, silence): (IpAddr, Duration),
) -> Result<Response<Body>, No>
where
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + Unpin + 'static,
{
    Path::of(request.uri())?;
    let (place, descriptor) = (process.enter()?, enter()?);
    prepare(&mut request, trace, client)?;
    let stream = tokio::time::timeout(CONNECT, connect(process)).await;
    let stream = match stream {
        Ok(stream) => stream.map_err(|error| process.absent().with_source(error)),
        Err(_) => Err(process.absent()),
    }?;
    let manner = Manner::Forwarded { silence };
    let (mut sender, connection) = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .max_send_buf_size(WINDOW as usize)
        .max_header_list_size(FORWARDED_HEADER_BYTES)
        .handshake(TokioIo::new(Outgoing::new(stream, manner)))
        .await
        .map_err(|error| process.absent().with_source(error))?;
    tasks.spawn(async move {
        // Whoever waits for the answer is told what became of it.
        let _ = connection.await;
        drop(descriptor);
    });
    let method = request.method().clone();
    let answer = sender.send_request(request).await;
    let answer = answer.map_err(|error| lost(process, error))?;
    let process = process.clone();
    let answer = answer.map(|body| {
        let body = body.map_err(move |error| {
            // While the body is there, the request has its place.
            let _place = &place;
            lost(&process, error)
        });
        body.boxed_unsync()
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
fn prepare<B>(request: &mut Request<B>, trace: Trace, client: IpAddr) -> Result<(), Error> {
    let value = |text: String| {
        HeaderValue::from_str(&text)
            .map_err(|error| Error::internal("a header of the host's own").with_source(error))
    };
    let (trace, client) = (value(trace.to_string())?, value(client.to_string())?);
    let headers = request.headers_mut();
    // A client that lists the host's own header among those of its connection does not take its name away.
    let name = headers.remove(CLIENT_NAME);
    disconnect(headers);
    headers.extend(name.map(|name| (CLIENT_NAME, name)));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Audience;
    use http_body_util::Full;
    use std::net::Ipv4Addr;
    use tokio::{
        io::AsyncWriteExt,
        net::UnixListener,
        time::{Instant, timeout},
    };
    use wythe_blocks::ProcessState;

    const SILENCE: Duration = Duration::from_secs(40);
    /// Frames of HTTP/2 by which a process takes 2 GiB of a body: `SETTINGS` and `WINDOW_UPDATE`.
    const TAKES_ALL: [u8; 28] = [
        0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 4, 0x7f, 0xff, 0xff, 0xff, // the window of each stream
        0, 0, 4, 8, 0, 0, 0, 0, 0, 0x7f, 0, 0, 0, // that of the connection
    ];

    #[tokio::test(start_paused = true)]
    async fn a_process_that_reads_nothing_is_let_go() {
        let directory = tempfile::tempdir().unwrap();
        let apps = directory.path().join("apps");
        let listener = UnixListener::bind(&apps).unwrap();
        let process = Process::new("shop".parse().unwrap(), apps, "none".into(), 1);
        process.set(ProcessState::Serving);
        let tasks = Tasks::default();
        let body = Full::new(Bytes::from(vec![0; 8 << 20]));
        let client = (Ipv4Addr::LOCALHOST.into(), SILENCE);
        let request = Request::post("http://shop/").body(body).unwrap();
        let began = Instant::now();
        let asked = forward(&tasks, &process, Trace::start(), request, client);
        let silent = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(&TAKES_ALL).await.unwrap();
            stream
        };
        let both = async { tokio::join!(asked, silent) };
        let (answer, _stream) = timeout(SILENCE * 10, both).await.expect("it ends");
        let no = answer.expect_err("nobody answered");
        assert_eq!(began.elapsed().as_secs(), SILENCE.as_secs());
        let reader = (Trace::start(), Audience::Developers);
        let answer = no.answer(&process.refusals, reader).into_body();
        let answer = answer.collect().await.unwrap().to_bytes();
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.contains("unknown-outcome"), "{answer}");
        // The connection and the place end with it.
        assert!(tasks.stop(Duration::from_secs(1)).await);
        assert!(process.enter().is_ok());
    }
}
