//! Webhooks: requests at a path that a binding component asked for, delivered to its listener once they are whole.

use super::{is_larger, too_large};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use std::{sync::Arc, time::Duration};
use tokio::{sync::Semaphore, time::timeout};
use wythe_blocks::{
    Body, Error, Host, Result,
    bindings::{Door, Knock},
    body_from,
};

/// Requests at once: each holds its body in memory.
const AT_ONCE: usize = 256;
/// Of a whole body.
const BODY_TIME: Duration = Duration::from_secs(30);
/// Where a body's limit is written.
const LIMIT: &str = "maxBodyBytes";

/// The doors of a host.
pub struct Webhooks {
    host: Arc<Host>,
    places: Semaphore,
}

impl Webhooks {
    pub fn new(host: Arc<Host>) -> Self {
        let places = Semaphore::new(AT_ONCE);
        Webhooks { host, places }
    }

    /// The door at this path, which is matched whole.
    pub fn find(&self, path: &str) -> Option<Arc<Door>> {
        self.host.bindings.webhook(path)
    }

    /// What the app says, or why it says nothing.
    pub async fn answer(&self, door: &Door, request: Request<Incoming>) -> Result<Response<Body>> {
        let method = request.method().as_str();
        if !door.webhook.methods.iter().any(|known| known == method) {
            return Ok(wrong_method(door));
        }
        let Ok(_place) = self.places.try_acquire() else {
            let busy = Error::exhausted("too many requests at webhooks at once");
            return Err(busy.with_retry_after(Duration::from_secs(1)));
        };
        let most = door.webhook.max_body;
        if is_larger(request.headers(), most) {
            return Ok(too_large(most, LIMIT));
        }
        let (head, body) = request.into_parts();
        let Some(body) = whole(body, most).await? else {
            return Ok(too_large(most, LIMIT));
        };
        let knock = Knock {
            method: head.method.to_string(),
            query: head.uri.query().map(str::to_owned),
            headers: told(&head.headers),
            body,
        };
        let said = self.host.bindings.call_webhook(door, knock).await?;
        Ok(answered(said))
    }
}

/// None where it is larger than it may be.
async fn whole(body: Incoming, most: u64) -> Result<Option<Bytes>> {
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    match timeout(BODY_TIME, Limited::new(body, most).collect()).await {
        Ok(Ok(body)) => Ok(Some(body.to_bytes())),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Ok(None),
        Ok(Err(error)) => {
            Err(Error::unavailable("the client's body ended early").with_source(error))
        }
        Err(_) => Err(Error::invalid(format!(
            "the body did not arrive within {BODY_TIME:?}"
        ))),
    }
}

/// Names are in lower case already; a value that is no text loses what is none.
fn told(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers = headers.iter();
    headers
        .map(|(name, value)| (name.as_str().to_owned(), text(value)))
        .collect()
}

fn wrong_method(door: &Door) -> Response<Body> {
    let methods = door.webhook.methods.join(", ");
    let error = Error::invalid(format!("`{}` takes only {methods}", door.webhook.path));
    let mut response = super::describe(&error);
    *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
    let allow = HeaderValue::try_from(methods);
    response
        .headers_mut()
        .extend(allow.ok().map(|methods| (header::ALLOW, methods)));
    response
}

/// An app answers with bytes alone, so what they are is told by what they look like.
fn answered(said: Bytes) -> Response<Body> {
    let kind = match (said.first(), std::str::from_utf8(&said)) {
        (None, _) => {
            let mut response = Response::new(body_from(said));
            *response.status_mut() = StatusCode::NO_CONTENT;
            return response;
        }
        (Some(b'{' | b'['), Ok(text)) if is_json(text) => "application/json",
        (_, Ok(_)) => "text/plain; charset=utf-8",
        (_, Err(_)) => "application/octet-stream",
    };
    let mut response = Response::new(body_from(said));
    let kind = HeaderValue::from_static(kind);
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

fn is_json(text: &str) -> bool {
    serde_json::from_str::<serde_json::Value>(text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_says_what_it_looks_like() {
        for (said, status, kind) in [
            (b"".as_slice(), 204, None),
            (b"{\"a\": [1]}", 200, Some("application/json")),
            (b"[1, 2", 200, Some("text/plain; charset=utf-8")),
            (b"<b>hi</b>", 200, Some("text/plain; charset=utf-8")),
            (b"\xff\x00", 200, Some("application/octet-stream")),
        ] {
            let response = answered(Bytes::copy_from_slice(said));
            let found = response.headers().get(header::CONTENT_TYPE);
            let found = found.map(|value| value.to_str().expect("a plain header"));
            assert_eq!((response.status().as_u16(), found), (status, kind));
        }
    }
}
