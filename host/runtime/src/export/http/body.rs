//! The body of an answer that has begun, between the guest that writes it and its reader.

use super::{
    error_from_guest,
    progress::{Late, Progress},
};
use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use std::{
    collections::VecDeque,
    pin::Pin,
    task::{Context, Poll, Waker},
    time::Instant,
};
use wasmtime_wasi_http::WasiBody;
use wythe_blocks::{Error, Result};
use wythe_manifest::Limits;

/// Frames of a body between its guest and its reader.
const AHEAD: usize = 8;

/// An answer with a body.
pub struct Begun {
    progress: Progress,
    body: Option<WasiBody>,
    /// Frames that were taken out of the body already.
    frames: VecDeque<Frame<Bytes>>,
    /// The end of the body, after which no more frames come, and how it ended.
    end: Option<Result<()>>,
    /// The instance ends, and nobody knows yet whether the guest had written all.
    is_unsettled: bool,
    /// Bytes of the declared length that are not read yet.
    left: Option<u64>,
    reader: Option<Waker>,
}

impl Begun {
    pub fn new(body: WasiBody, left: Option<u64>) -> Self {
        Begun {
            progress: Progress::begin(Instant::now()),
            body: Some(body),
            frames: VecDeque::new(),
            end: None,
            is_unsettled: false,
            left,
            reader: None,
        }
    }

    pub fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>>>> {
        self.progress.ask(Instant::now());
        let frame = match self.frames.pop_front() {
            Some(frame) => Poll::Ready(Some(Ok(frame))),
            None if self.is_unsettled => Poll::Pending,
            None => self.poll_body(context),
        };
        match &frame {
            Poll::Pending => self.reader = Some(context.waker().clone()),
            Poll::Ready(Some(Ok(frame))) => {
                let bytes = frame.data_ref().map_or(0, |data| data.len() as u64);
                self.left = self.left.map(|left| left.saturating_sub(bytes));
                self.progress.give(bytes, Instant::now());
            }
            Poll::Ready(_) => {}
        }
        frame
    }

    fn poll_body(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>>>> {
        if self.end.is_none()
            && let Some(body) = &mut self.body
        {
            let end = match Pin::new(body).poll_frame(context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Some(Ok(frame))) => return Poll::Ready(Some(Ok(frame))),
                Poll::Ready(Some(Err(error))) => Err(error_from_guest(&error)),
                Poll::Ready(None) => Ok(()),
            };
            self.end = Some(end);
        }
        self.body = None;
        // An error is told once.
        Poll::Ready(match self.end.replace(Ok(())) {
            Some(Err(error)) => Some(Err(error)),
            _ => None,
        })
    }

    /// Takes what is there without waiting. False if there is more of it than a guest can have written ahead.
    fn take_ready(&mut self) -> bool {
        let mut context = Context::from_waker(Waker::noop());
        while let Some(body) = &mut self.body {
            if self.frames.len() > AHEAD {
                return false;
            }
            match Pin::new(body).poll_frame(&mut context) {
                Poll::Pending => return true,
                Poll::Ready(Some(Ok(frame))) => self.frames.push_back(frame),
                Poll::Ready(Some(Err(error))) => self.close(Err(error_from_guest(&error))),
                Poll::Ready(None) => self.close(Ok(())),
            }
        }
        true
    }

    /// Takes what the guest has written; whether that is all is settled when its instance is gone.
    pub fn drain(&mut self) {
        self.is_unsettled = self.take_ready() && self.end.is_none();
        self.wake();
    }

    /// The instance is gone: a body that ends by that was not whole.
    pub fn settle(&mut self, cause: &Error) {
        if !std::mem::take(&mut self.is_unsettled) {
            return;
        }
        self.take_ready();
        // A body that came from elsewhere, and only passed through the guest, goes on.
        if self.end.is_some() {
            self.end = Some(Err(cause.duplicate()));
        }
        self.wake();
    }

    fn close(&mut self, end: Result<()>) {
        self.body = None;
        self.end = Some(end);
        self.wake();
    }

    fn wake(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }

    /// Gives what is to be dropped now: all but a body whose declared length has been read.
    pub fn leave(&mut self) -> Option<WasiBody> {
        self.frames.clear();
        match self.left {
            Some(0) => None,
            _ => self.body.take(),
        }
    }

    /// The time when the answer is late if nothing happens, and at what.
    pub fn due(&self, started: Instant, limits: &Limits) -> (Instant, Late) {
        self.progress.due(started, limits)
    }

    /// Ends it before its time; what was written ahead is dropped with the rest.
    pub fn cut(&mut self, cause: &Error) {
        self.frames.clear();
        self.close(Err(cause.duplicate()));
    }

    pub fn is_end_stream(&self) -> bool {
        if self.is_unsettled || !self.frames.is_empty() {
            return false;
        }
        match (&self.end, &self.body) {
            (Some(end), _) => end.is_ok(),
            (None, body) => body.as_ref().is_some_and(|body| body.is_end_stream()),
        }
    }

    pub fn size_hint(&self) -> SizeHint {
        match &self.body {
            Some(body) if self.frames.is_empty() => body.size_hint(),
            _ => SizeHint::default(),
        }
    }
}
