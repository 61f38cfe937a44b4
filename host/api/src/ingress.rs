//! HTTP from outside: a bound listener in, requests to the app whose prefix is the longest that matches, and a drain.

mod target;
#[cfg(test)]
mod tests;

use crate::{
    body::{declared, limited},
    refusals::{self, Audience, No},
    serve::{Front, Manner},
    webhooks::Webhooks,
};
use http::{Request, Response, uri::Authority};
use hyper::body::Incoming;
use std::{net::IpAddr, sync::Arc, time::Duration};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;
use wythe_blocks::{
    App, Body, Error, Host, Origin, REFUSALS, Rate, Routes, Trace,
    connections::{Allowed, Connections},
    descriptors,
    invocation::{check_path, settled, strip},
};

/// Time after the longest `limits.stallTime`, whose error comes first, for a connection whose client takes nothing.
const AFTER_STALL: Duration = Duration::from_secs(10);

/// The front door.
pub struct Ingress {
    /// Webhooks of its bindings come before the routes of its apps.
    pub host: Arc<Host>,
    /// The readers of what the host itself answers.
    pub audience: Audience,
}

/// The parts of the front door that each connection needs.
struct Inside {
    webhooks: Webhooks,
    routes: Arc<Routes>,
    audience: Audience,
    /// The rate of lines about what is no app's.
    refusals: Rate,
}

impl Ingress {
    /// Serves until `shutdown`, then lets every request finish, for at most `drain`. True if all of them did.
    pub async fn serve(
        self,
        listener: TcpListener,
        shutdown: CancellationToken,
        drain: Duration,
    ) -> bool {
        let routes = self.host.routes().clone();
        let allowed = Allowed::shared(descriptors::incoming());
        let front = Front {
            listener,
            connections: Connections::new("front door", allowed),
            tasks: self.host.tasks().clone(),
            manner: move || Manner::Web {
                silence: routes.stall_time() + AFTER_STALL,
            },
        };
        let inside = Arc::new(Inside {
            routes: self.host.routes().clone(),
            audience: self.audience,
            webhooks: Webhooks::new(self.host),
            refusals: Rate::per_second(REFUSALS),
        });
        let service = move |request, peer| {
            let inside = inside.clone();
            async move { answer(&inside, request, peer).await }
        };
        front.serve(service, shutdown, drain).await
    }
}

/// Answers one request: the front door is the first hop of its trace.
async fn answer(inside: &Inside, request: Request<Incoming>, peer: IpAddr) -> Response<Body> {
    let trace = Trace::of(request.headers()).map_or_else(Trace::start, Trace::child);
    let span = tracing::debug_span!("request", %trace, parent = trace.parent);
    route(inside, trace, request, peer).instrument(span).await
}

/// One request: routed, and refused in words that say nothing of the project.
async fn route(
    inside: &Inside,
    trace: Trace,
    mut request: Request<Incoming>,
    peer: IpAddr,
) -> Response<Body> {
    // Only the host says who calls.
    strip(request.headers_mut());
    let named = target::complete(&mut request);
    let host = request.uri().authority().filter(|_| named.is_ok());
    let path = request.uri().path();
    let place = inside.routes.place(host.map(Authority::as_str), path);
    let (rest, reader) = (place.rest(path), (trace, inside.audience));
    if let Some(route) = place.webhook(rest) {
        let answer = match named {
            Ok(()) => inside.webhooks.answer(&route, trace, request, peer).await,
            Err(error) => Err(error.into()),
        };
        return answer.unwrap_or_else(|no| no.answer(&inside.webhooks.refusals, reader));
    }
    let Some(route) = place.route(rest) else {
        let error = check_path(path).err().unwrap_or_else(|| {
            let path = path.escape_debug();
            Error::not_found(format!(
                "no app answers {path}; see `ingress` in the manifest"
            ))
        });
        return refusals::answer(&inside.refusals, &error, None, reader);
    };
    let answer = match named {
        Ok(()) => ask(&route.app, place.skipped(), trace, request).await,
        Err(error) => Err(error.into()),
    };
    answer.unwrap_or_else(|no| no.answer(&route.refusals, reader))
}

async fn ask(
    app: &App,
    skipped: usize,
    trace: Trace,
    mut request: Request<Incoming>,
) -> Result<Response<Body>, No> {
    check_path(request.uri().path())?;
    target::skip(&mut request, skipped)?;
    let limit = app.limits().request_body;
    if declared(&request).is_some_and(|length| length > limit) {
        return Err(No::too_large(limit, "limits.requestBody"));
    }
    let method = request.method().clone();
    let request = request.map(|body| limited(body, limit));
    let answer = app.http(Origin::Trace(trace), request).await?;
    Ok(settled(&method, answer)?)
}
