//! The one accept loop: connections in, each with a place and a time, requests to one service, and a drain.

mod layer;
mod outgoing;

pub use layer::{Client, Identity, Layer, Plain, Secured};
pub use outgoing::Outgoing;

use crate::forward::{FORWARDED_HEADER_BYTES, WINDOW};
use http::{Request, Response};
use http_body_util::BodyExt;
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto, graceful::GracefulConnection},
};
use std::{convert::Infallible, future::Future, net::IpAddr, pin::pin, sync::Arc, time::Duration};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use wythe_blocks::{
    Body, Tasks,
    connections::{Connections, IDLE, Listener, Permit},
};

const HEADERS: usize = 100;
const HEADER_BYTES: usize = 64 << 10;
const H2_HEADER_BYTES: u32 = 32 << 10;
const H2_STREAMS: u32 = 128;
const H2_KEEP_ALIVE: Duration = Duration::from_secs(20);
/// Hyper's own time for headers, which speaks only where that of the connection's place does not.
const HEADER_TIME: Duration = IDLE.saturating_mul(2);
/// Time of a connection that was told to end, until it is cut if nothing is under way.
const GRACE: Duration = Duration::from_secs(1);
/// The address of a client whose own is not known.
const UNKNOWN: IpAddr = IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED);

/// A bound listener, of TCP or of Unix, and what holds its connections within bounds.
pub struct Front<L, M, Y> {
    pub listener: L,
    pub connections: Arc<Connections>,
    pub tasks: Tasks,
    /// The behaviour of the listener, asked for each connection.
    pub manner: M,
    /// The layer that is spoken below HTTP.
    pub layer: Y,
}

/// The clients that a listener is for.
#[derive(Clone, Copy)]
pub enum Manner {
    /// HTTP/1.1 and HTTP/2. A request ends when its client leaves, and a client that takes nothing of what is written
    /// to it for so long is cut.
    Web { silence: Duration },
    /// HTTP/2 of the host that passes requests of others on, which go on and end as on the web.
    Forwarded { silence: Duration },
    /// HTTP/1.1, so that a connection has one request at a time, which goes on when its client leaves. A client that
    /// has not taken the whole of an answer for so long is cut.
    Commands { whole: Duration },
}

impl<L, M, Y> Front<L, M, Y>
where
    L: Listener<Stream: 'static>,
    M: Fn() -> Manner,
    Y: Layer<L::Stream>,
{
    /// Serves until `shutdown`, then lets every request finish, for at most `drain`, and cuts what is left. True if
    /// all of them did. The service is given each request and its client.
    pub async fn serve<S, F>(self, service: S, shutdown: CancellationToken, drain: Duration) -> bool
    where
        S: Fn(Request<Incoming>, Client) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Response<Body>> + Send + 'static,
    {
        let (server, under_way) = (Arc::new(server((self.manner)())), TaskTracker::new());
        let cut = CancellationToken::new();
        loop {
            let accepted = self.connections.accept(&self.listener);
            let (stream, peer, permit) = tokio::select! {
                () = shutdown.cancelled() => break,
                accepted = accepted => accepted,
            };
            let opened = self.layer.clone().open(stream, peer.unwrap_or(UNKNOWN));
            let (server, service, manner) = (server.clone(), service.clone(), (self.manner)());
            let (token, ending, cut) = (under_way.token(), shutdown.clone(), cut.clone());
            self.tasks.spawn(async move {
                let connection = async {
                    if let Some((stream, client)) = first(opened, &permit, &ending).await {
                        let stream = Outgoing::new(stream, manner);
                        let shared = permit.share();
                        let connection = connection(&server, service, stream, client, shared);
                        run(connection, permit, ending).await;
                    }
                };
                cut.run_until_cancelled(connection).await;
                drop(token);
            });
        }
        drop(self.listener);
        under_way.close();
        let drained = tokio::time::timeout(drain, under_way.wait()).await;
        cut.cancel();
        drained.is_ok()
    }
}

fn server(manner: Manner) -> auto::Builder<TokioExecutor> {
    let mut server = auto::Builder::new(TokioExecutor::new());
    server
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIME)
        .max_headers(HEADERS)
        .max_buf_size(HEADER_BYTES);
    server
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(H2_STREAMS)
        .max_header_list_size(H2_HEADER_BYTES)
        .keep_alive_interval(H2_KEEP_ALIVE);
    match manner {
        Manner::Web { .. } => server,
        Manner::Forwarded { .. } => {
            // Each connection has one request, whose headers were within bounds already.
            server
                .http2()
                .max_header_list_size(FORWARDED_HEADER_BYTES)
                .initial_stream_window_size(WINDOW)
                .initial_connection_window_size(WINDOW)
                .max_send_buf_size(WINDOW as usize);
            server.http2_only()
        }
        Manner::Commands { .. } => {
            server.http1().half_close(true);
            server.http1_only()
        }
    }
}

fn connection<T, S, F>(
    server: &auto::Builder<TokioExecutor>,
    service: S,
    stream: Outgoing<T>,
    client: Client,
    permit: Permit,
) -> impl GracefulConnection<Error: Send> + Send + 'static + use<T, S, F>
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Fn(Request<Incoming>, Client) -> F + Send + Sync + 'static,
    F: Future<Output = Response<Body>> + Send + 'static,
{
    let permit = Arc::new(permit);
    let client = Client {
        permit: Some(permit.clone()),
        ..client
    };
    let service = service_fn(move |request| {
        let work = permit.work();
        let answer = service(request, client.clone());
        async move {
            // While the body is there, the request is under way.
            let held = |body: Body| {
                body.map_err(move |error| {
                    let _work = &work;
                    error
                })
            };
            Ok::<_, Infallible>(answer.await.map(held))
        }
    });
    let connection = server.serve_connection(TokioIo::new(stream), service);
    connection.into_owned()
}

/// Waits for what comes before HTTP, which has the time and the permit of a first request.
async fn first<T>(
    opened: impl Future<Output = Option<T>>,
    permit: &Permit,
    ending: &CancellationToken,
) -> Option<T> {
    tokio::select! {
        biased;
        opened = opened => opened,
        () = permit.evicted() => None,
        () = permit.idled() => None,
        () = ending.cancelled() => None,
    }
}

/// Runs a connection until the client or the server ends it, its time is over, or its place is another's.
async fn run(connection: impl GracefulConnection, permit: Permit, ending: CancellationToken) {
    let mut connection = pin!(connection);
    tokio::select! {
        // A broken connection is the client's business.
        _ = connection.as_mut() => return,
        () = permit.evicted() => return,
        () = ending.cancelled() => {}
        () = permit.idled() => {}
    }
    connection.as_mut().graceful_shutdown();
    loop {
        tokio::select! {
            _ = connection.as_mut() => return,
            () = permit.evicted() => return,
            () = tokio::time::sleep(GRACE) => {
                if permit.is_idle() {
                    return;
                }
            }
        }
    }
}
