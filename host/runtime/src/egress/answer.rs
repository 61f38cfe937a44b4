//! The body of an answer to a guest: it has its request's places until it is through.

use super::{Permits, link::Exchange};
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};
use wasmtime_wasi_http::{Error, WasiBody};
use wythe_blocks::Patient;

/// A body with what it holds.
pub struct Answer {
    body: Patient<WasiBody>,
    rest: Option<Rest>,
}

/// The places and the connection, held until the body is through.
struct Rest {
    exchange: Option<Exchange>,
    _permits: Permits,
}

impl Answer {
    /// A body that may be silent for `patience` while the guest waits.
    pub fn body(
        body: WasiBody,
        patience: Duration,
        permits: Permits,
        exchange: Option<Exchange>,
    ) -> WasiBody {
        let rest = Rest {
            exchange,
            _permits: permits,
        };
        let answer = Answer {
            body: Patient::new(body, patience, || Error::ConnectionReadTimeout),
            rest: Some(rest),
        };
        answer.boxed_unsync()
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        if !matches!(frame, Some(Ok(_))) {
            self.rest = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Rest {
    fn drop(&mut self) {
        if let Some(exchange) = &self.exchange {
            exchange.done();
        }
    }
}
