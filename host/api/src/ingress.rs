//! HTTP from outside: a bound listener in, requests to the app whose prefix is the longest that matches, and a drain.

mod access;
mod cors;
mod framing;
#[cfg(any(fuzzing, test))]
pub(crate) mod fuzzing;
mod pipeline;
mod target;
#[cfg(test)]
mod tests;
mod token;

pub use access::ACCESS;

use crate::{
    body::{declared, limited},
    forward,
    refusals::{self, Audience, No},
    serve::{Client, Front, Identity, Layer, Manner, Plain, Secured},
    tls::{Certificates, Tls},
    webhooks::Webhooks,
};
use access::Record;
use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Request, Response,
    uri::{Authority, Scheme},
};
use hyper::body::Incoming;
use pipeline::Way;
use std::{
    error::Error as StdError,
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::Duration,
};
use token::Token;
use tokio::net::{TcpListener, TcpStream, UnixListener};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;
use wythe_blocks::{
    App, Body, Destination, Error, Host, Origin, REFUSALS, Rate, Routes, Tasks, Trace,
    connections::{Allowed, Connections},
    descriptors,
    invocation::{CLIENT, CLIENT_NAME, Path, settled, strip},
};
use wythe_manifest::Name;

/// Time after the longest `limits.stallTime`, whose error comes first, for a connection whose client takes nothing.
const AFTER_STALL: Duration = Duration::from_secs(10);

/// The front door.
pub struct Ingress {
    /// Webhooks of its bindings come before the routes of its apps.
    pub host: Arc<Host>,
    /// The readers of what the host itself answers.
    pub audience: Audience,
}

/// The bound listeners of the front door, of which there is one or both.
pub struct Listeners {
    /// HTTP in clear.
    pub plain: Option<TcpListener>,
    /// HTTPS, with what is shown to its clients.
    pub tls: Option<(TcpListener, Arc<Certificates>)>,
}

impl From<TcpListener> for Listeners {
    fn from(listener: TcpListener) -> Self {
        Listeners {
            plain: Some(listener),
            tls: None,
        }
    }
}

/// The parts of the front door that each connection needs.
struct Inside {
    host: Arc<Host>,
    webhooks: Webhooks,
    routes: Arc<Routes>,
    tasks: Tasks,
    audience: Audience,
    /// The rate of lines about what is no app's.
    refusals: Rate,
}

impl Inside {
    /// Time for whoever is on the other side of a connection to take what is written to it.
    fn silence(&self) -> Duration {
        self.routes.stall_time() + AFTER_STALL
    }
}

impl Ingress {
    /// Serves until `shutdown`, then lets every request finish, for at most `drain`. True if all of them did. What is
    /// bounded is bounded for both listeners together.
    pub async fn serve(
        self,
        listeners: impl Into<Listeners>,
        shutdown: CancellationToken,
        drain: Duration,
    ) -> bool {
        let Listeners { plain, tls } = listeners.into();
        let allowed = Allowed::shared(descriptors::incoming());
        let all = All {
            connections: Connections::new("front door", allowed),
            inside: self.inside(),
            tasks: self.host.tasks().clone(),
            shutdown,
            drain,
        };
        let plain = async {
            match plain {
                Some(listener) => all.serve(listener, Plain).await,
                None => true,
            }
        };
        let tls = async {
            match tls {
                Some((listener, certificates)) => all.serve(listener, Tls::new(certificates)).await,
                None => true,
            }
        };
        let (plain, tls) = tokio::join!(plain, tls);
        plain && tls
    }

    /// Serves what the host of this process's one tenant passes on, as [`Ingress::serve`] serves what comes from outside: the
    /// listener is that host's, and nobody else reaches it.
    pub async fn serve_forwarded(
        self,
        listener: UnixListener,
        shutdown: CancellationToken,
        drain: Duration,
    ) -> bool {
        let inside = self.inside();
        let patient = inside.clone();
        let front = Front {
            listener,
            connections: Connections::new("host", Allowed::unshared(descriptors::incoming())),
            tasks: self.host.tasks().clone(),
            manner: move || Manner::Forwarded {
                silence: patient.silence(),
            },
            layer: Plain,
        };
        let service = move |mut request: Request<Incoming>, passed: Client| {
            let inside = inside.clone();
            let client = Client {
                address: client_of(&mut request),
                identity: identity_of(&mut request),
                is_passed_on: true,
                ..passed
            };
            async move { answer(&inside, request, client).await }
        };
        front.serve(service, shutdown, drain).await
    }

    fn inside(&self) -> Arc<Inside> {
        Arc::new(Inside {
            routes: self.host.routes().clone(),
            tasks: self.host.tasks().clone(),
            audience: self.audience,
            webhooks: Webhooks::new(self.host.clone()),
            host: self.host.clone(),
            refusals: Rate::per_second(REFUSALS),
        })
    }
}

/// The address of the client, as the host says that passed its request on.
fn client_of<B>(request: &mut Request<B>) -> IpAddr {
    let reported = request.headers_mut().remove(CLIENT);
    let reported = reported.and_then(|reported| reported.to_str().ok()?.parse().ok());
    reported.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED))
}

/// The name in the certificate of the client, as that host says.
fn identity_of<B>(request: &mut Request<B>) -> Option<Identity> {
    let reported = request.headers_mut().remove(CLIENT_NAME)?;
    Some(Identity {
        name: reported.to_str().ok().and_then(|name| name.parse().ok()),
        authority: None,
    })
}

/// All that the listeners of the front door share.
struct All {
    tasks: Tasks,
    connections: Arc<Connections>,
    inside: Arc<Inside>,
    shutdown: CancellationToken,
    drain: Duration,
}

impl All {
    async fn serve(&self, listener: TcpListener, layer: impl Layer<TcpStream>) -> bool {
        let (inside, patient) = (self.inside.clone(), self.inside.clone());
        let front = Front {
            listener,
            connections: self.connections.clone(),
            tasks: self.tasks.clone(),
            manner: move || Manner::Web {
                silence: patient.silence(),
            },
            layer,
        };
        let service = move |request, client| {
            let inside = inside.clone();
            async move { answer(&inside, request, client).await }
        };
        front
            .serve(service, self.shutdown.clone(), self.drain)
            .await
    }
}

/// Answers one request: the front door is the first hop of its trace. Where requests are logged, it has a line, unless the host
/// that passes it on has logged it.
async fn answer(
    inside: &Arc<Inside>,
    request: Request<Incoming>,
    client: Client,
) -> Response<Body> {
    let trace = Trace::enter(request.headers());
    let record = (!client.is_passed_on).then(|| Record::of(&request, &client, trace));
    let mut record = record.flatten();
    let span = tracing::debug_span!("request", %trace, parent = trace.parent);
    let routed = route(inside, trace, request, client, &mut record);
    let answer = routed.instrument(span).await;
    match record {
        Some(record) => record.follow(answer),
        None => answer,
    }
}

/// One request: routed, and refused in words that say nothing of the project.
async fn route(
    inside: &Arc<Inside>,
    trace: Trace,
    mut request: Request<Incoming>,
    client: Client,
    record: &mut Option<Record>,
) -> Response<Body> {
    // Only the host says who calls.
    strip(request.headers_mut());
    let token = Token::take(request.headers_mut());
    let reader = (trace, inside.audience);
    if !framing::is_plain(request.headers()) {
        return No::unframed().answer(&inside.refusals, reader);
    }
    let named = target::complete(&mut request, scheme(&client));
    let host = request.uri().authority().filter(|_| named.is_ok());
    let (host, path) = (host.map(Authority::as_str), request.uri().path());
    let place = inside.routes.place(host, path);
    access::note(record, place.tenant(), None);
    if let (Ok(()), Some(Secured { owner, .. })) = (&named, &client.secured)
        && !place.is_owner(host, owner.as_ref())
    {
        return No::misdirected().answer(&inside.refusals, reader);
    }
    match (client.stands(), client.known_to(&place)) {
        (true, Ok(known)) => name(request.headers_mut(), known),
        _ => return No::uncertified().answer(&inside.refusals, reader),
    }
    if let Some(process) = place.process() {
        token.put_back(request.headers_mut());
        let client = (client.address, inside.silence());
        let forwarded = forward::forward(&inside.tasks, process, trace, request, client);
        let answer = if_named(named, forwarded).await;
        return answer.unwrap_or_else(|no| no.answer(&process.refusals, reader));
    }
    if let Err(error) = count(inside, place.tenant(), &client) {
        return refusals::answer(&inside.refusals, &error, None, reader);
    }
    let from = Sender {
        trace,
        token,
        client,
        named,
    };
    here(inside, place, from, request, record).await
}

/// The origin of a request, as far as it is known before somebody is asked.
struct Sender {
    trace: Trace,
    token: Token,
    client: Client,
    /// Says whether the request names its host as it has to.
    named: Result<(), Error>,
}

/// Answers a request to a tenant of this process: by a webhook, by the tenant's handlers, or by one of its apps.
async fn here(
    inside: &Arc<Inside>,
    place: Destination,
    from: Sender,
    mut request: Request<Incoming>,
    record: &mut Option<Record>,
) -> Response<Body> {
    let (trace, path) = (from.trace, request.uri().path());
    let (rest, reader) = (place.rest(path), (trace, inside.audience));
    if let Some(route) = place.webhook(rest) {
        let webhooks = &inside.webhooks;
        let answer = webhooks.answer(&route, trace, request, from.client.address);
        let answer = if_named(from.named, answer).await;
        return answer.unwrap_or_else(|no| no.answer(&webhooks.refusals, reader));
    }
    if let Some(pipeline) = place.pipeline().cloned() {
        let way = Way { place, pipeline };
        return way.answer(inside, from, request, record).await;
    }
    let Some(route) = place.route(rest) else {
        return refusals::answer(&inside.refusals, &unanswered(path), None, reader);
    };
    let app = &route.app;
    access::note(record, Some(app.tenant()), Some(app.id()));
    let answer = async {
        target::skip(&mut request, place.skipped())?;
        let answer = ask(app, trace, request).await?;
        Ok(answer.map(|body| app.ledger().paced(body)))
    };
    let answer = if_named(from.named, answer).await;
    answer.unwrap_or_else(|no| no.answer(&route.refusals, reader))
}

/// Names the client to the app, where it is known: nobody but the host writes this header.
fn name(headers: &mut HeaderMap, known: Option<&str>) {
    let value = known.and_then(|name| HeaderValue::from_str(name).ok());
    if let Some(value) = value {
        headers.insert(CLIENT_NAME, value);
    }
}

/// Asks where the request names its host as it has to; else nobody is asked.
async fn if_named<T>(
    named: Result<(), Error>,
    answer: impl Future<Output = Result<T, No>>,
) -> Result<T, No> {
    named?;
    answer.await
}

/// The error of a path that is no app's.
fn unanswered(path: &str) -> Error {
    Path::parse(path.to_owned()).err().unwrap_or_else(|| {
        let path = path.escape_debug();
        Error::not_found(format!(
            "no app answers {path}; see `ingress` in the manifest"
        ))
    })
}

/// Counts the connection to the tenant that is asked.
fn count(inside: &Inside, tenant: Option<&Name>, client: &Client) -> Result<(), Error> {
    let tenant = tenant.and_then(|tenant| inside.host.tenant(tenant));
    match (tenant, &client.permit) {
        (Some(tenant), Some(permit)) => permit.ask(&tenant.ledger),
        _ => Ok(()),
    }
}

/// The scheme of a request that names none.
fn scheme(client: &Client) -> Scheme {
    match client.secured {
        Some(_) => Scheme::HTTPS,
        None => Scheme::HTTP,
    }
}

/// Asks an app, by the path that the request has now. The answer is yet to be paced where it leaves.
async fn ask<B>(app: &App, trace: Trace, request: Request<B>) -> Result<Response<Body>, No>
where
    B: http_body::Body<Data = Bytes, Error: Into<Box<dyn StdError + Send + Sync>>>
        + Send
        + Unpin
        + 'static,
{
    Path::of(request.uri())?;
    let limit = app.limits().request_body;
    if declared(&request).is_some_and(|length| length > limit) {
        return Err(No::too_large(limit, "limits.requestBody"));
    }
    let method = request.method().clone();
    let request = request.map(|body| limited(body, limit));
    let answer = app.http(Origin::Span(trace), request).await?;
    Ok(settled(&method, answer)?)
}
