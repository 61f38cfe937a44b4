//! Answers of the host's own: a stranger reads the kind and the trace, the log has under that trace what it is about.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use wythe_blocks::{Body, Error, Kind, Rate, Trace, body_from};

/// Lines of the log about refusals, a second, for each app and for what is no app's.
const LINES: u32 = 100;

/// The log of refusals, within a rate.
pub struct Refusals(Rate);

impl Refusals {
    pub fn new() -> Self {
        Refusals(Rate::per_second(LINES))
    }

    /// Tells the log what became of a request, and its sender how to ask about it. The status is that of the kind
    /// unless there is another one.
    pub fn answer(
        &self,
        error: &Error,
        status: Option<StatusCode>,
        trace: Trace,
    ) -> Response<Body> {
        self.log(error, trace);
        response(error, status.unwrap_or_else(|| of(error.kind())), trace)
    }

    fn log(&self, error: &Error, trace: Trace) {
        let Some(unsaid) = self.0.allows() else {
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
}

fn id(trace: Trace) -> String {
    format!("{:032x}", trace.trace)
}

/// The one place where kinds become HTTP statuses.
fn of(kind: Kind) -> StatusCode {
    match kind {
        Kind::NotFound => StatusCode::NOT_FOUND,
        Kind::Denied => StatusCode::FORBIDDEN,
        Kind::Invalid => StatusCode::BAD_REQUEST,
        Kind::Conflict => StatusCode::CONFLICT,
        Kind::Timeout => StatusCode::GATEWAY_TIMEOUT,
        Kind::Unavailable | Kind::UnknownOutcome => StatusCode::SERVICE_UNAVAILABLE,
        Kind::Exhausted => StatusCode::TOO_MANY_REQUESTS,
        Kind::Unsupported => StatusCode::NOT_IMPLEMENTED,
        Kind::Internal => StatusCode::BAD_GATEWAY,
    }
}

/// The words of an answer, which say nothing of the project.
fn words(kind: Kind, status: StatusCode) -> &'static str {
    match status {
        StatusCode::PAYLOAD_TOO_LARGE => return "the body is too large",
        StatusCode::METHOD_NOT_ALLOWED => return "the method is not allowed here",
        _ => {}
    }
    match kind {
        Kind::NotFound => "nothing answers here",
        Kind::Denied => "this is not allowed",
        Kind::Invalid => "the request is not understood",
        Kind::Conflict => "the request conflicts with another one",
        Kind::Timeout => "there was no answer in time",
        Kind::Unavailable => "this is not available now; try again later",
        Kind::UnknownOutcome => "it is not known whether this was done",
        Kind::Exhausted => "too much is asked at once; try again later",
        Kind::Unsupported => "this is not supported",
        Kind::Internal => "this failed",
    }
}

/// Answer to the outside: kind, trace, and the words of the kind.
fn response(error: &Error, status: StatusCode, trace: Trace) -> Response<Body> {
    let kind = error.kind();
    let body = serde_json::json!({
        "error": kind.as_str(),
        "trace": id(trace),
        "message": words(kind, status),
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

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;

    #[tokio::test]
    async fn a_stranger_reads_nothing_of_the_project() {
        let refusals = Refusals::new();
        for kind in Kind::ALL {
            let error = Error::new(kind, "see `limits.cpuTime` at /home/me/wythe.yaml:3")
                .with_source("a password");
            let trace = Trace::start();
            let body = refusals.answer(&error, None, trace).into_body();
            let body = body.collect().await.expect("a body in memory").to_bytes();
            let body: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
            let expected = serde_json::json!({
                "error": kind.as_str(),
                "trace": format!("{:032x}", trace.trace),
                "message": words(kind, of(kind)),
            });
            assert_eq!(body, expected);
        }
    }
}
