//! A request at the webhook of an input binding: read whole within bounds, admitted, and answered by the app that listens.

mod bodies;

use crate::{body::declared, refusals::No};
use bodies::Bodies;
use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header, request::Parts};
use hyper::body::Incoming;
use std::{net::IpAddr, sync::Arc};
use wythe_blocks::{
    Body, Error, Host, REFUSALS, Rate, Result, Trace,
    bindings::{WebhookRequest, WebhookRoute},
    body_from,
};

const SETTING: &str = "maxBodyBytes";

/// The webhooks of a host.
pub struct Webhooks {
    pub refusals: Rate,
    host: Arc<Host>,
    bodies: Bodies,
}

impl Webhooks {
    pub fn new(host: Arc<Host>) -> Self {
        Webhooks {
            refusals: Rate::per_second(REFUSALS),
            host,
            bodies: Bodies::default(),
        }
    }

    /// Answers 200 with the app's bytes, 204 without; an error has the status of its kind.
    pub async fn answer(
        &self,
        route: &WebhookRoute,
        trace: Trace,
        request: Request<Incoming>,
        peer: IpAddr,
    ) -> Result<Response<Body>, No> {
        let Some(tenant) = self.host.tenant(&route.tenant) else {
            return Err(Error::unavailable("the tenant of this path is gone").into());
        };
        tenant.ledger.admit_outside()?;
        let (webhook, method) = (&route.webhook, request.method().as_str());
        if !webhook.methods.iter().any(|known| known == method) {
            return Err(No::wrong_method(&webhook.methods));
        }
        let limit = webhook.max_body;
        if declared(&request).is_some_and(|length| length > limit) {
            return Err(No::too_large(limit, SETTING));
        }
        let (head, body) = request.into_parts();
        // A path begins with a slash, which no name has.
        let whose = format!("{}{}", route.tenant, webhook.path);
        let mut share = self.bodies.share(&whose, peer);
        let Some(body) = share.read(body, limit).await? else {
            return Err(No::too_large(limit, SETTING));
        };
        // A place is taken once the body is there.
        let _permit = route.enter()?;
        let said = tenant
            .bindings
            .call_webhook(route, trace, received(head, body));
        let answer = answered(said.await?);
        Ok(answer.map(|body| tenant.ledger.paced(body)))
    }
}

/// A header's value that is no text loses what is none.
fn received(head: Parts, body: Bytes) -> WebhookRequest {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers = head.headers.iter();
    WebhookRequest {
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
