//! Call other apps by id, and be called by them, without HTTP in between.
use serde::{Serialize, de::DeserializeOwned};

use crate::contract::app::wythe::blocks::invocation;
use crate::contract::invocable::exports::wythe::blocks::invocation_handler;
use crate::http::{self, Query};
use crate::{Error, Result};

#[doc(inline)]
pub use invocation::{Request, Response};
#[doc(inline)]
pub use invocation_handler::Caller;

/// Calls an app. An error means that it gave no answer; any answer is `Ok`, see [`Response::success`].
///
/// ```no_run
/// # fn main() -> wythe_sdk::Result<()> {
/// use wythe_sdk::invocation::{self, Request};
///
/// let products: Vec<String> = invocation::get("catalog", "/products")?.success()?.json()?;
/// let request = Request::new("PUT", "/stock/17").with_json(&3)?;
/// let status = invocation::invoke("catalog", &request)?.status;
/// # Ok(())
/// # }
/// ```
pub fn invoke(app: &str, request: &Request) -> Result<Response> {
    Ok(invocation::invoke(app, request)?)
}

pub fn get(app: &str, path: &str) -> Result<Response> {
    invoke(app, &Request::new("GET", path))
}

pub fn post_json<T: Serialize + ?Sized>(app: &str, path: &str, value: &T) -> Result<Response> {
    invoke(app, &Request::new("POST", path).with_json(value)?)
}

/// Calls all at once, and returns one result per call, in order. At most 64 calls.
pub fn invoke_many(calls: &[(String, Request)]) -> Vec<Result<Response>> {
    invocation::invoke_many(calls)
        .into_iter()
        .map(|response| Ok(response?))
        .collect()
}

/// A trait that an app implements to be invoked; `invocable!` exports it.
///
/// An error becomes a response with the status of its kind and a JSON body.
pub trait Handler {
    fn handle(caller: Caller, request: Request) -> Result<Response>;
}

impl Request {
    pub fn new(method: &str, path: &str) -> Self {
        let (method, path) = (method.to_owned(), path.to_owned());
        Self {
            method,
            path,
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    pub fn with_header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers
            .push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    pub fn with_body(mut self, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self.with_header("content-type", content_type)
    }

    pub fn with_json<T: Serialize + ?Sized>(self, value: &T) -> Result<Self> {
        Ok(self.with_body("application/json", serde_json::to_vec(value)?))
    }

    /// The first value of a header. None where it is not UTF-8.
    pub fn header(&self, name: &str) -> Option<&str> {
        http::first(&self.headers, name)
    }

    /// The decoded parts of the path between its slashes.
    pub fn segments(&self) -> Vec<String> {
        http::segments(http::split(&self.path).0)
    }

    pub fn query(&self) -> Query {
        Query::parse(http::split(&self.path).1)
    }

    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        Ok(serde_json::from_slice(&self.body)?)
    }
}

impl Response {
    /// An empty response.
    pub fn new(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    pub fn from_json<T: Serialize + ?Sized>(value: &T) -> Result<Self> {
        Ok(Self::new(200).with_body("application/json", serde_json::to_vec(value)?))
    }

    pub fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    pub fn with_header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers
            .push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    pub fn with_body(mut self, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self.with_header("content-type", content_type)
    }

    /// The first value of a header. None where it is not UTF-8.
    pub fn header(&self, name: &str) -> Option<&str> {
        http::first(&self.headers, name)
    }

    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        Ok(serde_json::from_slice(&self.body)?)
    }

    pub fn text(&self) -> Result<&str> {
        std::str::from_utf8(&self.body).map_err(|_| Error::invalid("the body is not UTF-8"))
    }

    /// The response itself if its status is below 400, and else the error that the status and the body tell of.
    pub fn success(self) -> Result<Self> {
        if self.status < 400 {
            return Ok(self);
        }
        let reported: Option<serde_json::Value> = serde_json::from_slice(&self.body).ok();
        let message = match reported.as_ref().and_then(|body| body["message"].as_str()) {
            Some(message) => message.to_owned(),
            None => format!("the app answered with status {}", self.status),
        };
        Err(Error::from_status(self.status, message))
    }
}

impl From<Error> for Response {
    fn from(error: Error) -> Self {
        Self::new(error.status()).with_body("application/json", error.to_json())
    }
}

/// Exports `wythe:blocks/invocation-handler` for a type that implements [`invocation::Handler`](Handler).
#[macro_export]
macro_rules! invocable {
    ($app:ident) => {
        impl $crate::contract::invocable::exports::wythe::blocks::invocation_handler::Guest for $app {
            fn handle(
                caller: $crate::invocation::Caller,
                request: $crate::invocation::Request,
            ) -> $crate::invocation::Response {
                <$app as $crate::invocation::Handler>::handle(caller, request)
                    .unwrap_or_else($crate::invocation::Response::from)
            }
        }
        $crate::contract::invocable::export_invocation_handler!($app with_types_in $crate::contract::invocable);
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Kind;

    #[test]
    fn takes_the_path_apart() {
        let request = Request::new("GET", "/cart/ada%20l?currency=EUR");
        assert_eq!(request.segments(), ["cart", "ada l"]);
        assert_eq!(request.query().get("currency"), Some("EUR"));
    }

    #[test]
    fn an_error_survives_the_way_through_a_response() {
        let error = Error::not_found("there is no product 7");
        assert_eq!(Response::from(error.clone()).success().unwrap_err(), error);
        let bare = Response::new(502).success().unwrap_err();
        assert_eq!(bare.kind(), Kind::Unavailable);
        assert_eq!(bare.message(), "the app answered with status 502");
        assert_eq!(Response::new(204).success().unwrap().status, 204);
    }

    #[test]
    fn headers_have_names_of_any_case() {
        let request = Request::new("POST", "/").with_json(&1).unwrap();
        assert_eq!(request.header("Content-Type"), Some("application/json"));
    }
}
