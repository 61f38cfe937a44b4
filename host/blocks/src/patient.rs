//! A body that ends in an error if nothing of it comes for a while in which somebody waits for it.

use http_body::{Body, Frame, SizeHint};
use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use tokio::time::Sleep;

/// Wraps `body`; `late` is the error. A reader that does not ask for more is not waiting.
pub struct Patient<B: Body> {
    body: B,
    patience: Duration,
    late: fn() -> B::Error,
    waiting: Option<Pin<Box<Sleep>>>,
}

impl<B: Body> Patient<B> {
    pub fn new(body: B, patience: Duration, late: fn() -> B::Error) -> Self {
        Patient {
            body,
            patience,
            late,
            waiting: None,
        }
    }
}

impl<B: Body + Unpin> Body for Patient<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.get_mut();
        if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(context) {
            this.waiting = None;
            return Poll::Ready(frame);
        }
        let sleep = || Box::pin(tokio::time::sleep(this.patience));
        let waiting = this.waiting.get_or_insert_with(sleep);
        match waiting.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Some(Err((this.late)()))),
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use http_body_util::{BodyExt, StreamBody};
    use std::convert::Infallible;

    #[tokio::test(start_paused = true)]
    async fn silence_is_an_error_and_slowness_is_not() {
        let piece = || Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"x")));
        let slow = futures::stream::unfold(0, move |sent| async move {
            // The fourth piece never comes.
            let wait = if sent < 3 { 9 } else { u64::MAX >> 20 };
            tokio::time::sleep(Duration::from_secs(wait)).await;
            Some((piece(), sent + 1))
        });
        let body = StreamBody::new(Box::pin(slow)).map_err(|never| match never {});
        let mut body = Patient::new(body, Duration::from_secs(10), || "late");
        for _ in 0..3 {
            assert!(matches!(body.frame().await, Some(Ok(_))));
        }
        assert!(matches!(body.frame().await, Some(Err("late"))));
    }
}
