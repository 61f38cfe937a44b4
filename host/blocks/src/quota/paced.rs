//! A body whose bytes leave at the rate of its tenant (`quotas.egressBytesPerSecond`).

use super::{Ledger, NONE};
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt as _, combinators::UnsyncBoxBody};
use std::{
    pin::Pin,
    sync::{Arc, atomic::Ordering::Relaxed},
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::time::Sleep;
use wythe_manifest::Metered;

/// The longest time between two looks: the rate may be another one by then.
const LOOK: Duration = Duration::from_secs(1);

/// A body that waits while its tenant has sent more than a second's worth. A frame is paid for when it leaves, so that the
/// rate holds in the mean, whatever the number of bodies and the size of their frames.
struct Paced<B> {
    body: B,
    ledger: Arc<Ledger>,
    waits: Option<Pin<Box<Sleep>>>,
}

impl Ledger {
    /// A body that goes to the outside, at the tenant's rate.
    pub fn paced<E: 'static>(
        self: &Arc<Self>,
        body: UnsyncBoxBody<Bytes, E>,
    ) -> UnsyncBoxBody<Bytes, E> {
        if self.limit(Metered::EgressBytes) == NONE || body.is_end_stream() {
            return body;
        }
        let paced = Paced {
            body,
            ledger: self.clone(),
            waits: None,
        };
        paced.boxed_unsync()
    }

    /// The time until more may leave.
    pub(super) fn owes(&self) -> Option<Duration> {
        let line = self.line(Metered::EgressBytes);
        line.pace.owes()
    }

    pub(super) fn pay(&self, bytes: usize) {
        let line = self.line(Metered::EgressBytes);
        let limit = line.limit.load(Relaxed);
        if limit != NONE {
            line.pace.pay(limit, bytes as u64);
        }
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Paced<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        loop {
            if let Some(waits) = &mut self.waits {
                ready!(waits.as_mut().poll(context));
                self.waits = None;
            }
            match self.ledger.owes() {
                Some(time) => {
                    let sleep = tokio::time::sleep(time.min(LOOK));
                    self.waits = Some(Box::pin(sleep));
                }
                None => break,
            }
        }
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        if let Some(Ok(frame)) = &frame {
            self.ledger.pay(frame.data_ref().map_or(0, Bytes::len));
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
