//! A response: one to answer with, or one that arrived.
use serde::{Serialize, de::DeserializeOwned};
use wasip2::http::types::{
    ErrorCode, Fields, IncomingResponse, OutgoingResponse, ResponseOutparam,
};

use super::{BODY_LIMIT, Body, Headers, Writer};
use crate::{Error, Result};

/// The answer of an app, or the response that `send` got.
///
/// ```
/// use wythe_sdk::http::Response;
///
/// let response = Response::text("no tea left").with_status(404).with_header("x-pot", "empty");
/// assert_eq!(response.status(), 404);
/// assert_eq!(response.header("content-type"), Some("text/plain; charset=utf-8"));
///
/// let counting = Response::stream(|writer| {
///     for number in 1..=1000 {
///         writer.write(format!("{number}\n"))?;
///     }
///     Ok(())
/// });
/// assert_eq!(counting.status(), 200);
/// ```
#[derive(Debug)]
pub struct Response {
    status: u16,
    headers: Headers,
    body: Body,
}

impl Response {
    /// An empty response.
    pub fn new(status: u16) -> Self {
        Self {
            status,
            headers: Headers::default(),
            body: Body::empty(),
        }
    }

    pub fn text(text: impl Into<String>) -> Self {
        Self::new(200)
            .with_header("content-type", "text/plain; charset=utf-8")
            .with_body(text.into())
    }

    pub fn html(html: impl Into<String>) -> Self {
        Self::new(200)
            .with_header("content-type", "text/html; charset=utf-8")
            .with_body(html.into())
    }

    pub fn json<T: Serialize + ?Sized>(value: &T) -> Result<Self> {
        let response = Self::new(200).with_header("content-type", "application/json");
        Ok(response.with_body(serde_json::to_vec(value)?))
    }

    /// Status 303: the client goes there with a GET.
    pub fn redirect(location: &str) -> Self {
        Self::new(303).with_header("location", location)
    }

    /// A body that is written while it is sent, after the status and the headers. An error breaks it off.
    pub fn stream(write: impl FnOnce(&mut Writer<'_>) -> Result<()> + 'static) -> Self {
        Self::new(200).with_body(Body::written(write))
    }

    pub fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// Adds a header to those of the same name, but for `content-type`, of which there is one.
    pub fn with_header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        if name.eq_ignore_ascii_case("content-type") {
            self.headers.remove(name);
        }
        self.headers.append(name, value);
        self
    }

    pub fn with_body(mut self, body: impl Into<Body>) -> Self {
        self.body = body.into();
        self
    }

    pub fn status(&self) -> u16 {
        self.status
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)
    }

    pub fn headers(&self) -> &Headers {
        &self.headers
    }

    pub fn headers_mut(&mut self) -> &mut Headers {
        &mut self.headers
    }

    /// The body, for reading chunk by chunk.
    pub fn body_mut(&mut self) -> &mut Body {
        &mut self.body
    }

    /// The body, if it is no longer than [`BODY_LIMIT`].
    pub fn bytes(&mut self) -> Result<Vec<u8>> {
        self.body.read(BODY_LIMIT)
    }

    /// The body read as JSON.
    pub fn read_json<T: DeserializeOwned>(&mut self) -> Result<T> {
        Ok(serde_json::from_slice(&self.bytes()?)?)
    }

    pub(super) fn receive(response: IncomingResponse) -> Result<Self> {
        let body = response
            .consume()
            .map_err(|()| Error::internal("the body was taken twice"))?;
        let headers = response.headers().entries().into();
        Ok(Self {
            status: response.status(),
            headers,
            body: Body::arriving(body)?,
        })
    }

    #[expect(
        clippy::print_stderr,
        reason = "the host has it in the log, even of a guest that imports no logging"
    )]
    pub(super) fn give(self, answer: ResponseOutparam) {
        // A header that HTTP does not allow is a fault of this app, and its client shall know that there is one.
        let (response, head) = match self.head() {
            Ok(head) => (self, Ok(head)),
            Err(error) => {
                let response = Self::from(error);
                let head = response.head();
                (response, head)
            }
        };
        match head.and_then(|head| Ok((take_body(&head)?, head))) {
            Ok((outgoing, head)) => {
                ResponseOutparam::set(answer, Ok(head));
                if let Err(error) = response.body.give(outgoing) {
                    eprintln!("the response broke off: {error}");
                }
            }
            Err(error) => {
                ResponseOutparam::set(
                    answer,
                    Err(ErrorCode::InternalError(Some(error.to_string()))),
                );
            }
        }
    }

    fn head(&self) -> Result<OutgoingResponse> {
        let mut headers = self.headers.clone();
        // The host can then send it without chunks. A 204 and a 304 have no body, hence no length.
        if let Some(length) = self.body.length()
            && !matches!(self.status, 204 | 304)
            && !headers.contains("content-length")
        {
            headers.set("content-length", length.to_string());
        }
        let fields = Fields::from_list(headers.fields()).map_err(|error| {
            Error::internal(format!(
                "a header of the response is not allowed: {error:?}"
            ))
        })?;
        let head = OutgoingResponse::new(fields);
        let refused = |()| Error::internal(format!("{} is no HTTP status", self.status));
        head.set_status_code(self.status).map_err(refused)?;
        Ok(head)
    }
}

fn take_body(head: &OutgoingResponse) -> Result<wasip2::http::types::OutgoingBody> {
    head.body()
        .map_err(|()| Error::internal("the body was taken twice"))
}

impl From<Error> for Response {
    fn from(error: Error) -> Self {
        let response = Self::new(error.status())
            .with_header("content-type", "application/json")
            .with_body(error.to_json());
        match error.retry_after() {
            // In whole seconds, and never too early.
            Some(delay) => {
                response.with_header("retry-after", delay.as_millis().div_ceil(1000).to_string())
            }
            None => response,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn an_error_is_an_answer() {
        let error =
            Error::unavailable("the store is down").with_retry_after(Duration::from_millis(1200));
        let mut response = Response::from(error);
        assert_eq!(response.status(), 503);
        assert_eq!(response.header("retry-after"), Some("2"));
        let body = response.bytes().unwrap();
        assert_eq!(
            body,
            br#"{"error":"unavailable","message":"the store is down"}"#
        );
    }

    #[test]
    fn there_is_one_content_type_and_many_cookies() {
        let response = Response::text("x")
            .with_header("Content-Type", "text/css")
            .with_header("set-cookie", "a=1")
            .with_header("set-cookie", "b=2");
        assert_eq!(
            response
                .headers()
                .get_all("content-type")
                .collect::<Vec<_>>(),
            ["text/css"]
        );
        assert_eq!(response.headers().get_all("set-cookie").count(), 2);
    }

    #[test]
    fn a_redirect_turns_a_post_into_a_get() {
        let response = Response::redirect("/cart");
        assert_eq!(
            (response.status(), response.header("location")),
            (303, Some("/cart"))
        );
    }
}
