//! One client of one receiver: requests of bounded size and time, answers of which little is read.

use crate::{exporter::Failure, plan::Wrong, trust::Trust};
use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Response, Uri, header::USER_AGENT,
};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client as Pooled, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use std::time::Duration;
use wythe_blocks::text::chain;
use wythe_manifest::{Endpoint, Secret};

/// The time of one request, as OpenTelemetry has it.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The time in which a connection is there.
const CONNECT: Duration = Duration::from_secs(5);
/// The time for which an idle connection stays.
const IDLE: Duration = Duration::from_secs(60);
/// The time between two signs of life that a connection is asked for, and the time for each.
const ALIVE: Duration = Duration::from_secs(10);
/// Bytes of an answer that are read.
const MAX_ANSWER: usize = 64 << 10;
const AGENT: &str = concat!("OTel-OTLP-Exporter-Wythe/", env!("CARGO_PKG_VERSION"));

/// The kind of the connections to a receiver.
#[derive(Clone, Copy, Default)]
pub struct Link<'a> {
    pub is_http2: bool,
    /// The authorities of its certificate; the public ones where none are given.
    pub trust: Option<&'a Trust>,
}

/// A client of a receiver.
pub struct Client {
    pooled: Pooled<HttpsConnector<HttpConnector>, Full<Bytes>>,
    endpoint: Endpoint,
    uri: Uri,
    headers: HeaderMap,
    timeout: Duration,
}

/// The answer of a receiver.
pub struct Answer {
    pub head: http::response::Parts,
    pub body: Bytes,
    pub trailers: HeaderMap,
}

impl Client {
    /// A client that sends each request to `path` below the URL.
    pub fn new(
        endpoint: &Endpoint,
        path: &str,
        headers: &[(String, Secret)],
        timeout: Option<Duration>,
        link: Link<'_>,
    ) -> Result<Self, Wrong> {
        let endpoint = match path.is_empty() {
            true => endpoint.clone(),
            false => endpoint.clone().below(path),
        };
        let wrong = |what: &str| Wrong {
            message: format!("tracing: {what} of {endpoint} cannot be used"),
            source: endpoint.source().cloned(),
        };
        let uri: Uri = endpoint.url().parse().map_err(|_| wrong("the URL"))?;
        let mut all = HeaderMap::new();
        all.insert(USER_AGENT, HeaderValue::from_static(AGENT));
        for (name, value) in headers {
            let name: HeaderName = name.parse().map_err(|_| wrong("a header"))?;
            let mut value: HeaderValue = value.reveal().parse().map_err(|_| wrong("a header"))?;
            value.set_sensitive(true);
            all.append(name, value);
        }
        Ok(Client {
            pooled: pooled(link),
            uri,
            headers: all,
            timeout: timeout.unwrap_or(TIMEOUT),
            endpoint,
        })
    }

    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Sends one request, within its time.
    pub async fn post(
        &self,
        own: &[(HeaderName, &'static str)],
        body: Vec<u8>,
    ) -> Result<Answer, Failure> {
        let mut request = Request::new(Full::from(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = self.headers.clone();
        for (name, value) in own {
            let value = HeaderValue::from_static(value);
            request.headers_mut().insert(name, value);
        }
        let asked = async {
            let answer = self.pooled.request(request).await;
            read(answer.map_err(|error| Failure::passing(chain(&error)))?).await
        };
        let answered = tokio::time::timeout(self.timeout, asked).await;
        answered.unwrap_or_else(|_| Err(Failure::passing("no answer in time")))
    }
}

async fn read(answer: Response<hyper::body::Incoming>) -> Result<Answer, Failure> {
    let (head, body) = answer.into_parts();
    let body = Limited::new(body, MAX_ANSWER).collect().await;
    let body = body.map_err(|error| Failure::passing(format!("its answer: {error}")))?;
    let trailers = body.trailers().cloned().unwrap_or_default();
    Ok(Answer {
        head,
        body: body.to_bytes(),
        trailers,
    })
}

fn pooled(link: Link<'_>) -> Pooled<HttpsConnector<HttpConnector>, Full<Bytes>> {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(CONNECT));
    let connector = HttpsConnectorBuilder::new();
    let connector = match link.trust {
        Some(trust) => connector.with_tls_config(trust.config()),
        None => connector.with_webpki_roots(),
    };
    let connector = connector.https_or_http();
    let connector = match link.is_http2 {
        true => connector.enable_http2().wrap_connector(tcp),
        false => connector.enable_http1().wrap_connector(tcp),
    };
    Pooled::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(1)
        .http2_only(link.is_http2)
        // A receiver that went away without a word is asked for at another address.
        .timer(TokioTimer::new())
        .http2_keep_alive_interval(ALIVE)
        .http2_keep_alive_timeout(ALIVE)
        .build(connector)
}
