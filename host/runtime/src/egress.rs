//! The requests that leave a guest by `wasi:http`: to apps of this host in process, to granted hosts by a pooled
//! client.

mod answer;
mod client;
mod link;
mod onward;

pub use onward::{NEXT, Onward};

use crate::{ctx::Identity, export::http as convert};
use answer::Answer;
use bytes::Bytes;
use client::{CONNECT, NoPermit};
use http::{Request, Response, Uri};
use http_body_util::BodyExt;
use hyper::body::{Body as _, Frame};
use hyper_util::client::legacy::connect::capture_connection;
use link::Exchange;
use std::{
    fmt::Display,
    future::Future,
    io,
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{timeout, timeout_at},
};
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};
use wythe_blocks::{
    Call, Egress as Fate, Kind, Meters, descriptors,
    invocation::{INTERNAL_SUFFIX, strip},
    quota::{Held, Reached},
    spans::Outgoing,
    time,
};
use wythe_manifest::Metered;

/// Time until the headers of the answer, unless the guest asks for less.
const FIRST_BYTE: Duration = Duration::from_secs(30);
/// Time from one piece of the answer to the next, unless the guest asks for less.
const BETWEEN_BYTES: Duration = Duration::from_secs(30);
/// Requests that one instance has under way.
const PER_INSTANCE: usize = 128;

type Io = Box<dyn Future<Output = Result<(), Error>> + Send>;
type Sent = Result<(Response<WasiBody>, Io), Error>;

/// The client of all guests. What a guest may reach is checked before each request, and by address at connect.
#[derive(Clone)]
pub struct Egress(client::Pooled);

impl Egress {
    pub fn new() -> Self {
        Egress(client::new())
    }
}

/// Requests that an app may have under way to the outside: as many as its limit says, and at most half of the
/// connections of the host.
pub fn under_way(limit: u32) -> Arc<Semaphore> {
    let half = (descriptors::outgoing() / 2).max(1);
    Arc::new(Semaphore::new(half.min(limit as usize)))
}

/// The hooks by which a store's guest sends what it may, and for whom.
pub struct Hooks {
    pub caller: Call,
    /// The rest of the pipeline that the guest is a handler of; absent in every other guest.
    pub onward: Option<Onward>,
    identity: Arc<Identity>,
    egress: Egress,
    under_way: Arc<Semaphore>,
}

/// The receiver of a request.
enum Goal {
    /// An app of the tenant.
    App(String),
    /// The next handler of the pipeline.
    Next(Onward),
    Outside,
}

/// The places of a request: of its instance, and of its app if it goes outside.
pub struct Permits {
    _instance: OwnedSemaphorePermit,
    _app: Option<(OwnedSemaphorePermit, Held, Reached)>,
}

/// The times that a guest waits, within the bounds of the host.
struct Patience {
    connect: Duration,
    first_byte: Instant,
    between_bytes: Duration,
}

impl WasiHttpHooks for Hooks {
    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _done: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = Sent> + Send> {
        let meters = self.identity.meters.clone();
        let (goal, permits) = match self.judge(request.uri()) {
            Ok(judged) => judged,
            Err(error) => {
                meters.requested(fate(Err(kind_of(&error))));
                return Box::new(async move { Err(error) });
            }
        };
        let patience = Patience::new(options.as_ref(), self.longest(&goal));
        match goal {
            Goal::Next(onward) => match onward.take() {
                Some(next) => Box::new(onward.send(next, request, patience, permits)),
                None => {
                    meters.requested(Fate::Denied);
                    self.warn("a second request to the next handler was denied; a request is handed on once");
                    Box::new(async { Err(Error::HttpRequestDenied) })
                }
            },
            Goal::App(app) => {
                let (identity, caller) = (self.identity.clone(), self.caller.clone());
                Box::new(internal(identity, caller, app, request, patience, permits))
            }
            Goal::Outside => {
                let ledger = &self.identity.tenant.ledger;
                let (request, span) = traced(&self.caller, request);
                let request = request.map(|body| ledger.paced(counted(body, meters.clone())));
                let sent = outside(self.egress.clone(), request, patience, permits);
                Box::new(async move {
                    let sent = sent.await;
                    let ended = match &sent {
                        Ok((answer, _)) => Ok(answer.status().as_u16()),
                        Err(error) => Err(kind_of(error)),
                    };
                    meters.requested(fate(ended));
                    span.end(ended);
                    sent
                })
            }
        }
    }
}

impl Hooks {
    pub fn new(caller: Call, identity: Arc<Identity>, egress: Egress) -> Self {
        Hooks {
            caller,
            onward: None,
            identity,
            egress,
            under_way: Arc::new(Semaphore::new(PER_INSTANCE)),
        }
    }

    /// The longest times of a request: what is behind a handler may take as long as the handler itself.
    fn longest(&self, goal: &Goal) -> Patience {
        let deadline = self.caller.deadline();
        match goal {
            Goal::Next(_) => Patience {
                connect: CONNECT,
                first_byte: deadline,
                between_bytes: self.identity.limits.wall_time,
            },
            Goal::App(_) | Goal::Outside => Patience {
                connect: CONNECT,
                first_byte: deadline.min(time::deadline(FIRST_BYTE)),
                between_bytes: BETWEEN_BYTES,
            },
        }
    }

    /// The receiver of a request, and its places.
    fn judge(&self, uri: &Uri) -> Result<(Goal, Permits), Error> {
        // A user in a URI is a secret in the log of whoever reads it (RFC 9110, 4.2.4).
        if uri
            .authority()
            .is_some_and(|host| host.as_str().contains('@'))
        {
            return Err(Error::HttpRequestUriInvalid);
        }
        let host = uri.host().unwrap_or_default().to_ascii_lowercase();
        let goal = self.goal(uri, &host)?;
        let limit = |_| Error::ConnectionLimitReached;
        let instance = self.under_way.clone().try_acquire_owned();
        let permits = Permits {
            _instance: instance.map_err(limit)?,
            _app: match goal {
                Goal::App(_) | Goal::Next(_) => None,
                Goal::Outside => {
                    let outside = self.identity.outgoing.clone();
                    let app = outside.try_acquire_owned().map_err(limit)?;
                    let ledger = &self.identity.tenant.ledger;
                    let tenant = ledger.hold(Metered::OutgoingRequests, 1);
                    let tenant = tenant.map_err(|_| Error::ConnectionLimitReached)?;
                    let reached = ledger.reach(&host);
                    let reached = reached.map_err(|_| Error::ConnectionLimitReached)?;
                    Some((app, tenant, reached))
                }
            },
        };
        Ok((goal, permits))
    }

    fn goal(&self, uri: &Uri, host: &str) -> Result<Goal, Error> {
        if let Some(onward) = self.onward.as_ref().filter(|_| host == NEXT) {
            return Ok(Goal::Next(onward.clone()));
        }
        if let Some(app) = host.strip_suffix(INTERNAL_SUFFIX) {
            return Ok(Goal::App(app.to_owned()));
        }
        self.check(uri, host)?;
        Ok(Goal::Outside)
    }

    fn check(&self, uri: &Uri, host: &str) -> Result<(), Error> {
        let scheme = uri.scheme_str().unwrap_or("https");
        let port = uri
            .port_u16()
            .unwrap_or(if scheme == "http" { 80 } else { 443 });
        if self.identity.grants.http(scheme, host, port) {
            return Ok(());
        }
        let at = &self.identity.grants.source;
        self.warn(format_args!(
            "a request to {scheme}://{host}:{port} was denied; to allow it add `grants: {{ http: [\"{host}:{port}\"] }}` at {at}"
        ));
        Err(Error::HttpRequestDenied)
    }

    /// Says what was denied, in so many lines a minute.
    fn warn(&self, what: impl Display) {
        if let Some(unsaid) = self.identity.denied.allows() {
            tracing::warn!(app = %self.identity.id, unsaid, "{what}");
        }
    }
}

impl Patience {
    /// The times that the guest asks for, and `longest` at most.
    fn new(options: Option<&RequestOptions>, longest: Patience) -> Self {
        let shortest = Duration::from_millis(1);
        let asked = |of: fn(&RequestOptions) -> Option<Duration>| {
            let asked = options.and_then(of)?;
            Some(asked.max(shortest))
        };
        let first_byte = asked(|options| options.first_byte_timeout).map(time::deadline);
        let within = |asked: Option<Duration>, longest: Duration| {
            asked.map_or(longest, |asked| asked.min(longest))
        };
        Patience {
            connect: within(asked(|options| options.connect_timeout), longest.connect),
            first_byte: first_byte.map_or(longest.first_byte, |at| at.min(longest.first_byte)),
            between_bytes: within(
                asked(|options| options.between_bytes_timeout),
                longest.between_bytes,
            ),
        }
    }
}

/// Passes a request to an app, streamed both ways, with no socket between.
async fn internal(
    identity: Arc<Identity>,
    caller: Call,
    app: String,
    request: Request<WasiBody>,
    patience: Patience,
    permits: Permits,
) -> Sent {
    let request = request.map(convert::body_from_guest);
    let answer = identity.tenant.invocation.http(&caller, &app, request);
    let answer = timeout_at(patience.first_byte.into(), answer).await;
    let answer = answer.map_err(|_| Error::HttpResponseTimeout)?;
    let response = answer.map_err(|error| convert::error_to_guest(&error))?;
    let body = |body| {
        let body = convert::body_to_guest(body);
        Answer::body(body, patience.between_bytes, permits, None)
    };
    Ok((response.map(body), Box::new(async { Ok(()) })))
}

/// A request to the outside goes on with the trace of the call, whatever the guest says of that. Baggage does not go out by
/// itself: it may be meant for the apps alone.
fn traced(caller: &Call, request: Request<WasiBody>) -> (Request<WasiBody>, Outgoing) {
    let (mut head, body) = request.into_parts();
    strip(&mut head.headers);
    let span = Outgoing::begin(caller, &head.method, &head.uri, &mut head.headers);
    (Request::from_parts(head, body), span)
}

/// The kind of a failure, for its span and its count.
fn kind_of(error: &Error) -> Kind {
    match error {
        Error::HttpResponseTimeout | Error::ConnectionTimeout => Kind::Timeout,
        Error::DestinationIpProhibited | Error::HttpRequestDenied => Kind::Denied,
        Error::ConnectionLimitReached => Kind::Exhausted,
        _ => Kind::Unavailable,
    }
}

/// The fate of a request, by its answer or the kind of failure.
fn fate(ended: Result<u16, Kind>) -> Fate {
    match ended {
        Ok(_) => Fate::Sent,
        Err(Kind::Denied) => Fate::Denied,
        Err(Kind::Exhausted) => Fate::Limited,
        Err(_) => Fate::Failed,
    }
}

/// A body whose bytes are counted as they leave; an empty one stays as it is.
fn counted(body: WasiBody, meters: Arc<Meters>) -> WasiBody {
    if body.is_end_stream() {
        return body;
    }
    let count = move |frame: Frame<Bytes>| {
        let bytes = frame.data_ref().map_or(0, Bytes::len);
        meters.sent(bytes as u64);
        frame
    };
    body.map_frame(count).boxed_unsync()
}

async fn outside(
    egress: Egress,
    mut request: Request<WasiBody>,
    patience: Patience,
    permits: Permits,
) -> Sent {
    let mut connection = capture_connection(&mut request);
    let mut answer = pin!(timeout_at(
        patience.first_byte.into(),
        egress.0.request(request)
    ));
    let connected = timeout(patience.connect, connection.wait_for_connection_metadata());
    let early = tokio::select! {
        biased;
        answer = answer.as_mut() => Some(answer),
        connected = connected => match connected {
            Ok(_) => None,
            Err(_) => return Err(Error::ConnectionTimeout),
        },
    };
    let answer = match early {
        Some(answer) => answer,
        None => answer.await,
    };
    let response = match answer {
        Err(_) => return Err(Error::HttpResponseTimeout),
        Ok(Err(error)) => return Err(failure(&error)),
        Ok(Ok(response)) => response,
    };
    let exchange = response.extensions().get::<Exchange>().cloned();
    if let Some(exchange) = &exchange {
        exchange.answered();
    }
    let body = |body: hyper::body::Incoming| {
        let body = body.map_err(Error::Hyper).boxed_unsync();
        Answer::body(body, patience.between_bytes, permits, exchange)
    };
    Ok((response.map(body), Box::new(async { Ok(()) })))
}

fn failure(error: &hyper_util::client::legacy::Error) -> Error {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(inner) = cause {
        if inner.is::<NoPermit>() {
            return Error::ConnectionLimitReached;
        }
        if let Some(io) = inner.downcast_ref::<io::Error>() {
            return match io.kind() {
                io::ErrorKind::PermissionDenied => Error::DestinationIpProhibited,
                io::ErrorKind::ConnectionRefused => Error::ConnectionRefused,
                io::ErrorKind::TimedOut => Error::ConnectionTimeout,
                io::ErrorKind::NotFound => Error::DestinationNotFound,
                io::ErrorKind::InvalidData => Error::HttpProtocolError,
                _ => Error::DestinationUnavailable,
            };
        }
        cause = inner.source();
    }
    Error::ConnectionTerminated
}
