//! Answers of the host's own: a stranger reads the kind and the trace, the log has under that trace what it is about.

use crate::error;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use wythe_blocks::{Body, Detail, Error, Kind, Rate, Trace, body_from};

/// Tells the log, within a rate, what became of a request, and its sender how to ask about it. The status is that of the
/// kind unless there is another one.
pub fn answer(
    rate: &Rate,
    error: &Error,
    status: Option<StatusCode>,
    (trace, audience): (Trace, Audience),
) -> Response<Body> {
    log(rate, error, trace);
    let status = status.unwrap_or_else(|| error.kind().status());
    response(error, status, (trace, audience))
}

/// The readers of the host's own answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Audience {
    /// Anybody: the answer says the kind of the error, and the trace under which the log has the rest.
    #[default]
    Strangers,
    /// Those who write the apps: the answer says what the log says.
    Developers,
}

fn log(rate: &Rate, error: &Error, trace: Trace) {
    let Some(unsaid) = rate.allows() else {
        return;
    };
    let (kind, trace, message) = (error.kind().as_str(), id(trace), error.message());
    let chain = error.chain();
    let cause = chain
        .strip_prefix(message)
        .map(|rest| rest.trim_start_matches(": "));
    let cause = cause.filter(|cause| !cause.is_empty());
    let unsaid = (unsaid > 0).then_some(unsaid);
    match error.kind() {
        Kind::NotFound | Kind::Invalid | Kind::Denied => {
            tracing::info!(kind, trace, cause, unsaid, "{message}");
        }
        _ => tracing::warn!(kind, trace, cause, unsaid, "{message}"),
    }
}

fn id(trace: Trace) -> String {
    format!("{:032x}", trace.trace)
}

/// Answer to the outside: kind, trace, and the words of the kind.
fn response(
    error: &Error,
    status: StatusCode,
    (trace, audience): (Trace, Audience),
) -> Response<Body> {
    let kind = error.kind();
    let message = match audience {
        Audience::Strangers => error::words(kind, status).to_owned(),
        Audience::Developers => error.chain(),
    };
    let body = serde_json::json!({
        "error": kind.as_str(),
        "trace": id(trace),
        "message": message,
    });
    let mut response = Response::new(body_from(Bytes::from(body.to_string())));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    let json = HeaderValue::from_static("application/json");
    headers.insert(header::CONTENT_TYPE, json);
    if let Some(after) = error.retry_after() {
        let seconds = after.as_secs().max(1);
        headers.insert(header::RETRY_AFTER, seconds.into());
    }
    response
}

/// A request that has no answer but the host's own, with a status where it is not that of the kind.
pub struct No {
    error: Error,
    status: Option<StatusCode>,
    headers: HeaderMap,
}

impl From<Error> for No {
    fn from(error: Error) -> Self {
        let is_unknown = error.detail() == Some(Detail::Unauthenticated);
        let challenge = || (header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        No {
            status: is_unknown.then_some(StatusCode::UNAUTHORIZED),
            headers: HeaderMap::from_iter(is_unknown.then(challenge)),
            error,
        }
    }
}

impl No {
    pub fn too_large(limit: u64, setting: &str) -> Self {
        let error = Error::invalid(format!(
            "the body has more than {limit} bytes; see `{setting}`"
        ))
        .with_detail(Detail::BodyTooLarge);
        let close = (header::CONNECTION, HeaderValue::from_static("close"));
        No {
            error,
            status: Some(StatusCode::PAYLOAD_TOO_LARGE),
            headers: HeaderMap::from_iter([close]),
        }
    }

    pub fn wrong_method(methods: &[String]) -> Self {
        let allowed = methods.join(", ");
        let error = Error::invalid(format!("the method of this path; expected {allowed}"));
        let allow = HeaderValue::from_str(&allowed).map(|value| (header::ALLOW, value));
        No {
            error,
            status: Some(StatusCode::METHOD_NOT_ALLOWED),
            headers: HeaderMap::from_iter(allow),
        }
    }

    /// The answer to a request whose body ends where hosts may not agree. Nothing after it is read of the connection.
    pub fn unframed() -> Self {
        let close = (header::CONNECTION, HeaderValue::from_static("close"));
        No {
            error: Error::invalid("the transfer-encoding; expected `chunked`, once"),
            status: None,
            headers: HeaderMap::from_iter([close]),
        }
    }

    /// The answer where a request names another tenant than the connection did (RFC 9110 15.5.20): a client that holds one
    /// connection for several names then opens another.
    pub fn misdirected() -> Self {
        No {
            error: Error::invalid(
                "the host of the request is not of the tenant that the connection was opened for (SNI)",
            ),
            status: Some(StatusCode::MISDIRECTED_REQUEST),
            headers: HeaderMap::new(),
        }
    }

    /// The answer where a tenant, or the host, wants to see a certificate of its clients, and this connection has none that is
    /// good now: it was opened by another name, in clear, or before it was wanted, or the certificate or its authority is no
    /// longer in force. A client then opens another connection.
    pub fn uncertified() -> Self {
        No {
            error: Error::invalid(
                "the connection has no certificate of a client by an authority that is in force for the tenant (`tls.clientCa`)",
            ),
            status: Some(StatusCode::MISDIRECTED_REQUEST),
            headers: HeaderMap::new(),
        }
    }

    /// Answers, and tells the log.
    pub fn answer(self, rate: &Rate, reader: (Trace, Audience)) -> Response<Body> {
        let mut response = answer(rate, &self.error, self.status, reader);
        response.headers_mut().extend(self.headers);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;

    #[tokio::test]
    async fn a_stranger_reads_nothing_of_the_project() {
        let rate = Rate::per_second(wythe_blocks::REFUSALS);
        for kind in Kind::ALL {
            let reported = Error::new(kind, "see `limits.cpuTime` at /home/me/wythe.yaml:3")
                .with_source("a password");
            let trace = Trace::start();
            let body = said(answer(&rate, &reported, None, (trace, Audience::Strangers))).await;
            let expected = serde_json::json!({
                "error": kind.as_str(),
                "trace": format!("{:032x}", trace.trace),
                "message": error::words(kind, kind.status()),
            });
            assert_eq!(body, expected);
        }
    }

    #[tokio::test]
    async fn a_developer_reads_what_the_log_says() {
        let rate = Rate::per_second(wythe_blocks::REFUSALS);
        let reported = Error::denied("see wythe.yaml:3").with_source("the cause");
        let reader = (Trace::start(), Audience::Developers);
        let body = said(answer(&rate, &reported, None, reader)).await;
        assert_eq!(body["message"], "see wythe.yaml:3: the cause");
    }

    async fn said(response: Response<Body>) -> serde_json::Value {
        let body = response.into_body().collect().await;
        let body = body.expect("a body in memory").to_bytes();
        serde_json::from_slice(&body).expect("JSON")
    }
}
