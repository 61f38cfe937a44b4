//! HTTP: answer requests as a `Handler`, and send requests to other apps and to granted hosts.
mod body;
mod headers;
mod query;
mod request;
mod response;
mod send;

pub use body::{Body, Writer};
pub use headers::Headers;
pub(crate) use headers::first;
pub use query::{Query, encode, escape};
pub(crate) use query::{segments, split};
pub use request::Request;
pub use response::Response;
pub use send::{next, send};

use crate::Result;
use wasip2::http::types::{IncomingRequest, ResponseOutparam};

/// The longest body that `bytes`, `text`, `json` and `form` read into memory; `Body::read` takes another limit.
pub const BODY_LIMIT: usize = 4 << 20;

/// A trait that an app implements to answer HTTP; `serve!` exports it.
///
/// An error becomes an answer with the status of its kind and a JSON body (see [`Error::status`](crate::Error::status)).
pub trait Handler {
    fn handle(request: Request) -> Result<Response>;
}

/// Exports `wasi:http/incoming-handler` for a type that implements [`http::Handler`](Handler).
#[macro_export]
macro_rules! serve {
    ($app:ident) => {
        impl $crate::wasip2::exports::http::incoming_handler::Guest for $app {
            fn handle(
                request: $crate::wasip2::http::types::IncomingRequest,
                answer: $crate::wasip2::http::types::ResponseOutparam,
            ) {
                $crate::http::serve::<$app>(request, answer)
            }
        }
        $crate::wasip2::http::proxy::export!($app with_types_in $crate::wasip2);
    };
}

/// Serves a request: `serve!` calls it for each one.
pub fn serve<H: Handler>(request: IncomingRequest, answer: ResponseOutparam) {
    let response = Request::receive(request).and_then(H::handle);
    response.unwrap_or_else(Response::from).give(answer);
}
