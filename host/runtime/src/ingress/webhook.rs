//! A request at the door of an input binding: read whole, admitted, and answered by the app that listens.

use super::{declared, describe, too_large};
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use wythe_blocks::{
    Body, Error, Host, Result,
    bindings::{Door, Knock},
    body_from,
};

const SETTING: &str = "maxBodyBytes";

/// 200 with the app's bytes, 204 without; an error has the status of its kind.
pub async fn answer(
    host: &Host,
    door: &Door,
    request: Request<Incoming>,
) -> Result<Response<Body>> {
    let webhook = &door.webhook;
    let method = request.method().as_str();
    if !webhook.methods.iter().any(|known| known == method) {
        return Ok(wrong_method(&webhook.methods));
    }
    if declared(&request).is_some_and(|length| length > webhook.max_body) {
        return Ok(too_large(webhook.max_body, SETTING));
    }
    let (head, body) = request.into_parts();
    let most = usize::try_from(webhook.max_body).unwrap_or(usize::MAX);
    let body = match Limited::new(body, most).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => {
            return Ok(too_large(webhook.max_body, SETTING));
        }
        Err(error) => {
            let message = "the client's body ended early";
            return Err(Error::unavailable(message).with_source(error));
        }
    };
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers = head.headers.iter();
    let knock = Knock {
        method: head.method.to_string(),
        query: head.uri.query().map(str::to_owned),
        headers: headers
            .map(|(name, value)| (name.to_string(), text(value)))
            .collect(),
        body,
    };
    let bytes = host.bindings.call_webhook(door, knock).await?;
    let status = match bytes.is_empty() {
        true => StatusCode::NO_CONTENT,
        false => StatusCode::OK,
    };
    let mut response = Response::new(body_from(bytes));
    *response.status_mut() = status;
    Ok(response)
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
