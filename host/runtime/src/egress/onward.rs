//! A request that a handler of a pipeline hands on: to the next handler, or to the app, whose answer comes back.

use super::{Answer, Patience, Permits, Sent};
use crate::export::http as convert;
use http::{Method, Request};
use parking_lot::Mutex;
use std::sync::Arc;
use tokio::time::timeout_at;
use tracing::{Instrument, Span};
use wasmtime_wasi_http::{Error, WasiBody};
use wythe_blocks::{
    Body,
    middleware::{Next, Preserved},
};

/// The authority by which a handler asks the next one. In no other guest it means that.
pub const NEXT: &str = "next.wythe.internal";

/// The rest of a pipeline, for one request of a guest.
#[derive(Clone)]
pub struct Onward(Arc<Rest>);

struct Rest {
    /// The next handler, absent once it was asked: a request is handed on once.
    next: Mutex<Option<Next>>,
    /// The words of the host in the request as it came.
    preserved: Preserved,
    span: Span,
}

impl Onward {
    /// The way on for `request`, before its guest has it.
    pub fn new(next: Next, request: &Request<Body>) -> Self {
        Onward(Arc::new(Rest {
            next: Mutex::new(Some(next)),
            preserved: Preserved::of(request),
            span: Span::current(),
        }))
    }

    /// Takes what may be asked once; absent from then on.
    pub(super) fn take(&self) -> Option<Next> {
        self.0.next.lock().take()
    }

    /// Hands a request on, streamed both ways, with no socket between.
    pub(super) async fn send(
        self,
        next: Next,
        request: Request<WasiBody>,
        patience: Patience,
        permits: Permits,
    ) -> Sent {
        if request.method() == Method::CONNECT {
            return Err(Error::HttpRequestMethodInvalid);
        }
        let mut request = request.map(convert::body_from_guest);
        let restored = self.0.preserved.restore(&mut request);
        restored.map_err(|error| convert::error_to_guest(&error))?;
        let answer = next.run(request).instrument(self.0.span.clone());
        let answer = timeout_at(patience.first_byte.into(), answer).await;
        let answer = answer.map_err(|_| Error::HttpResponseTimeout)?;
        let body = |body| {
            let body = convert::body_to_guest(body);
            Answer::body(body, patience.between_bytes, permits, None)
        };
        Ok((answer.map(body), Box::new(async { Ok(()) })))
    }
}
