//! Invocations as requests of HTTP and back, for what knows those alone.

use super::{
    Answer, INTERNAL_SUFFIX, MAX_BODY, Path, Request, Response, list_headers, parse_headers,
};
use crate::{Body, Error, Result, body_from};
use http::Uri;
use http_body_util::{BodyExt, Limited};
use wythe_manifest::Name;

impl Request {
    /// The same as a request to an app.
    pub(crate) fn into_http(self, app: &Name) -> Result<http::Request<Body>> {
        let wrong = |error: http::Error| Error::invalid(format!("the call of `{app}`: {error}"));
        let uri = Uri::builder()
            .scheme("http")
            .authority(format!("{app}{INTERNAL_SUFFIX}"))
            .path_and_query(Path::parse(self.path)?.into_inner());
        let mut request = http::Request::builder()
            .method(self.method.as_str())
            .uri(uri.build().map_err(wrong)?)
            .body(body_from(self.body))
            .map_err(wrong)?;
        *request.headers_mut() = parse_headers(&self.headers)?;
        Ok(request)
    }

    /// A request as an invocation; `invalid` where its body is longer than those of invocations.
    pub(crate) async fn of_http(request: http::Request<Body>) -> Result<Self> {
        let (head, body) = request.into_parts();
        let body = Limited::new(body, MAX_BODY).collect().await;
        let body = body.map_err(|error| match error.downcast::<Error>() {
            Ok(error) => *error,
            Err(_) => Error::invalid(format!("the call has more than {MAX_BODY} bytes")),
        })?;
        Ok(Request {
            method: head.method.as_str().to_owned(),
            path: Path::of(&head.uri)?.as_str().to_owned(),
            headers: list_headers(&head.headers),
            body: body.to_bytes(),
        })
    }
}

impl Response {
    /// The same as an answer of HTTP.
    pub(crate) fn into_http(self) -> Result<http::Response<Body>> {
        let answer = http::Response::builder().status(self.status);
        let answer = answer.body(body_from(self.body));
        let wrong = |error| Error::internal(format!("the answer of the app: {error}"));
        let mut answer = answer.map_err(wrong)?;
        *answer.headers_mut() = parse_headers(&self.headers)?;
        Ok(answer)
    }

    /// An answer of HTTP, whole.
    pub(crate) async fn of_http(answer: http::Response<Body>) -> Result<Self> {
        Answer(answer).buffered().await
    }
}
