//! Requests to a URL, as Dapr's `http`: an operation for each method, metadata in capitals as headers.

use super::target::{Base, redirects};
use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use reqwest::{
    Client, Method, Response,
    header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue},
};
use serde::Deserialize;
use std::{sync::Arc, time::Duration};
use wythe_blocks::{
    Error, Kind, Result, Site, Wrong,
    bindings::{Driver, Features, Outcome, Request},
};
use wythe_manifest::Duration as Time;

const OPERATIONS: [&str; 9] = [
    "create", "delete", "get", "head", "options", "patch", "post", "put", "trace",
];
/// As Dapr says where nothing else is said.
const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");
/// What frames a message is not an app's to say.
const RESERVED: [&str; 5] = [
    "connection",
    "content-length",
    "host",
    "transfer-encoding",
    "upgrade",
];
const RESPONSE: Duration = Duration::from_secs(10);
const CONNECT: Duration = Duration::from_secs(5);
/// So that the technology's own limit speaks first.
const GRACE: Duration = Duration::from_secs(1);

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Config {
    url: String,
    /// Whether another status than 2xx is an error; default true.
    #[serde(rename = "errorIfNot2XX")]
    error_if_not_2xx: Option<bool>,
    /// Of a whole call; default 10 s.
    response_timeout: Option<Time>,
}

/// A config that was found good.
pub(super) struct Parsed {
    base: Base,
    strict: bool,
    timeout: Duration,
}

pub(super) fn parse(config: Config) -> Result<Parsed, Wrong> {
    let timeout = config.response_timeout.map_or(RESPONSE, Duration::from);
    if timeout.is_zero() {
        let error = Error::invalid("`responseTimeout: 0s`; expected at least 1 ms");
        return Err(Wrong::new("responseTimeout", error));
    }
    Ok(Parsed {
        base: Base::parse(&config.url).map_err(|error| Wrong::new("url", error))?,
        strict: config.error_if_not_2xx.unwrap_or(true),
        timeout,
    })
}

pub(super) async fn open(parsed: Parsed, _: Site) -> Result<Arc<dyn Driver>> {
    let client = Client::builder()
        .no_proxy()
        .redirect(redirects())
        .connect_timeout(CONNECT)
        .timeout(parsed.timeout)
        .build()
        .map_err(|error| Error::internal("the HTTP client cannot start").with_source(error))?;
    Ok(Arc::new(Web {
        base: parsed.base,
        strict: parsed.strict,
        timeout: parsed.timeout,
        client,
    }))
}

struct Web {
    base: Base,
    client: Client,
    strict: bool,
    timeout: Duration,
}

#[async_trait]
impl Driver for Web {
    fn features(&self) -> Features {
        Features {
            operations: OPERATIONS.map(String::from).into(),
            input: false,
            redelivers: false,
            secrets: true,
        }
    }

    fn patience(&self) -> Option<Duration> {
        Some(self.timeout.saturating_add(GRACE))
    }

    async fn invoke(&self, request: Request<'_>) -> Result<Outcome> {
        let method = method(request.operation);
        let url = self.base.join(request.get("path"))?;
        let mut headers = headers(request.metadata)?;
        if method == Method::TRACE && !headers.is_empty() {
            // A server that does it sends them back, and one may be a secret that the app is not to see.
            return Err(Error::invalid(
                "operation `trace` sends no headers, for its answer shows them; expected no name in capitals",
            ));
        }
        let carries = !is_safe(&method);
        if !carries && !request.data.is_empty() {
            return Err(Error::invalid(format!(
                "operation `{}` sends no data, and {} bytes were given; expected none",
                request.operation,
                request.data.len()
            )));
        }
        let mut asked = self.client.request(method.clone(), url);
        if carries {
            headers.entry(CONTENT_TYPE).or_insert(JSON);
            asked = asked.body(request.data.clone());
        }
        let failed = |error| self.failed(&method, error);
        let mut response = asked.headers(headers).send().await.map_err(failed)?;
        let data = self.body(&mut response, &request).await?;
        let data = data.map_err(failed)?;
        self.judge(&method, &response)?;
        let metadata = described(&response);
        Ok(Outcome { data, metadata })
    }
}

impl Web {
    /// The body, within the limit; what has come of it counts for the app that asks.
    async fn body(
        &self,
        response: &mut Response,
        request: &Request<'_>,
    ) -> Result<Result<Bytes, reqwest::Error>> {
        let (mut body, most) = (BytesMut::new(), request.most);
        let mut held = request.hold(0)?;
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) => {
                    held.as_mut()
                        .map_or(Ok(()), |held| held.grow(chunk.len()))?;
                    body.extend_from_slice(&chunk);
                }
                Ok(None) => return Ok(Ok(body.freeze())),
                Err(error) => return Ok(Err(error)),
            }
            if body.len() as u64 > most {
                return Err(Error::invalid(format!(
                    "the answer of `{}` has more than {most} bytes; see `maxDataBytes`",
                    self.base.host()
                )));
            }
        }
    }

    fn judge(&self, method: &Method, response: &Response) -> Result<()> {
        let status = response.status();
        if !self.strict || status.is_success() {
            return Ok(());
        }
        let kind = match status.as_u16() {
            401 | 403 | 407 => Kind::Denied,
            404 | 410 => Kind::NotFound,
            409 | 412 => Kind::Conflict,
            429 => Kind::Exhausted,
            500.. if is_safe(method) => Kind::Unavailable,
            500.. => Kind::UnknownOutcome,
            _ => Kind::Invalid,
        };
        Err(Error::new(
            kind,
            format!(
                "`{}` answered {status}; see `errorIfNot2XX`",
                self.base.host()
            ),
        ))
    }

    /// The one translation of the client's errors. Their own text names the URL, which may hold what is not ours to show.
    fn failed(&self, method: &Method, error: reqwest::Error) -> Error {
        let host = self.base.host();
        let error = error.without_url();
        let (kind, message) = if error.is_connect() || error.is_builder() {
            (Kind::Unavailable, format!("`{host}` cannot be reached"))
        } else if error.is_timeout() && is_safe(method) {
            (
                Kind::Timeout,
                format!("`{host}` did not answer in time; see `responseTimeout`"),
            )
        } else if is_safe(method) {
            (Kind::Unavailable, format!("`{host}` broke off its answer"))
        } else {
            (
                Kind::UnknownOutcome,
                format!("`{host}` may have done it: the request was sent and no whole answer came"),
            )
        };
        Error::new(kind, message).with_source(error)
    }
}

fn method(operation: &str) -> Method {
    match operation {
        "delete" => Method::DELETE,
        "get" => Method::GET,
        "head" => Method::HEAD,
        "options" => Method::OPTIONS,
        "patch" => Method::PATCH,
        "put" => Method::PUT,
        "trace" => Method::TRACE,
        _ => Method::POST,
    }
}

/// Asking twice does no harm, and there is nothing to send along.
fn is_safe(method: &Method) -> bool {
    [Method::GET, Method::HEAD, Method::OPTIONS, Method::TRACE].contains(method)
}

/// Dapr's rule: a name that begins with a capital letter is a header.
fn headers(metadata: &[(String, String)]) -> Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    let capital = |name: &str| name.starts_with(|first: char| first.is_uppercase());
    for (name, value) in metadata.iter().filter(|(name, _)| capital(name)) {
        let shown = name.escape_debug();
        let parsed = HeaderName::from_bytes(name.as_bytes());
        let parsed =
            parsed.map_err(|_| Error::invalid(format!("`{shown}` is no name of a header")))?;
        if RESERVED.contains(&parsed.as_str()) {
            return Err(Error::invalid(format!(
                "the header `{shown}` is the host's own; leave it out"
            )));
        }
        // The value may be a secret.
        let value = HeaderValue::from_str(value).map_err(|_| {
            Error::invalid(format!(
                "the value of the header `{shown}`; expected one line of text"
            ))
        })?;
        headers.append(parsed, value);
    }
    Ok(headers)
}

fn described(response: &Response) -> Vec<(String, String)> {
    let status = response.status();
    let mut metadata = vec![
        ("statusCode".to_owned(), status.as_u16().to_string()),
        ("status".to_owned(), status.to_string()),
    ];
    for name in response.headers().keys() {
        let values = response.headers().get_all(name).iter();
        let values: Vec<_> = values
            .map(|value| String::from_utf8_lossy(value.as_bytes()))
            .collect();
        metadata.push((name.as_str().to_owned(), values.join(", ")));
    }
    metadata
}

#[cfg(test)]
mod tests;
