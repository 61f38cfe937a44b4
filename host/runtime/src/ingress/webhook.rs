//! A request at the door of an input binding: read whole, admitted, and answered by the app that listens.

use super::{declared, describe, too_large};
use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header, request::Parts};
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
const SETTING: &str = "maxBodyBytes";

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

    /// 200 with the app's bytes, 204 without; an error has the status of its kind.
    pub async fn answer(&self, door: &Door, request: Request<Incoming>) -> Result<Response<Body>> {
        let (webhook, method) = (&door.webhook, request.method().as_str());
        if !webhook.methods.iter().any(|known| known == method) {
            return Ok(wrong_method(&webhook.methods));
        }
        let Ok(_place) = self.places.try_acquire() else {
            let busy = Error::exhausted("too many webhooks at once");
            return Err(busy.with_retry_after(Duration::from_secs(1)));
        };
        let most = webhook.max_body;
        if declared(&request).is_some_and(|length| length > most) {
            return Ok(too_large(most, SETTING));
        }
        let (head, body) = request.into_parts();
        let Some(body) = whole(body, most).await? else {
            return Ok(too_large(most, SETTING));
        };
        let said = self.host.bindings.call_webhook(door, knock(head, body));
        Ok(answered(said.await?))
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

/// A header's value that is no text loses what is none.
fn knock(head: Parts, body: Bytes) -> Knock {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers = head.headers.iter();
    Knock {
        method: head.method.to_string(),
        query: head.uri.query().map(str::to_owned),
        headers: headers
            .map(|(name, value)| (name.to_string(), text(value)))
            .collect(),
        body,
    }
}

/// The app says bytes and no more; so that nobody takes them for a page, what they are is told by what they look like.
fn answered(said: Bytes) -> Response<Body> {
    let json = |text: &str| serde_json::from_str::<serde_json::Value>(text).is_ok();
    let kind = match std::str::from_utf8(&said) {
        Ok("") => {
            let mut response = Response::new(body_from(said));
            *response.status_mut() = StatusCode::NO_CONTENT;
            return response;
        }
        Ok(text) if text.starts_with(['{', '[']) && json(text) => "application/json",
        Ok(_) => "text/plain; charset=utf-8",
        Err(_) => "application/octet-stream",
    };
    let mut response = Response::new(body_from(said));
    let kind = HeaderValue::from_static(kind);
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

fn wrong_method(methods: &[String]) -> Response<Body> {
    let allowed = methods.join(", ");
    let error = Error::invalid(format!("the method of this path; expected {allowed}"));
    let mut response = describe(&error);
    *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
    if let Ok(value) = HeaderValue::from_str(&allowed) {
        response.headers_mut().insert(header::ALLOW, value);
    }
    response
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
