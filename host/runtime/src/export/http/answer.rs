//! One call's answer, from its request to the last byte: shared by who reads it and by the instance that writes it.

use super::{
    body::Begun,
    life::{Life, Remains},
    progress::Late,
};
use bytes::Bytes;
use http::{Response, header};
use http_body::{Frame, SizeHint};
use parking_lot::{Mutex, MutexGuard};
use std::{
    pin::Pin,
    sync::{Arc, Weak},
    task::{Context, Poll},
    time::{Duration, Instant},
};
use tokio::sync::Notify;
use wasmtime_wasi_http::WasiBody;
use wythe_blocks::{Admission, Error, Result};
use wythe_manifest::Limits;

/// The proxy engine tells a request that its instance failed just before the instance is taken down with the reason, so
/// this is only a guard against a reason that never comes.
const EXPLAIN: Duration = Duration::from_secs(2);

/// The state that a call and its instance share. One is locked inside another where its body passes through it.
pub struct Answer {
    started: Instant,
    /// The time until which the answer has to begin.
    deadline: Instant,
    changed: Notify,
    state: Mutex<State>,
}

struct State {
    /// The call's place among those of the app at once.
    permit: Option<Admission>,
    life: Weak<Life>,
    phase: Phase,
    /// Set when the instance is over, with the reason if that was no end of its own.
    ended: Option<Option<Error>>,
    /// The instance, over with but still there, until what it said last is looked at.
    remains: Option<Arc<Remains>>,
}

enum Phase {
    /// The guest has not answered yet.
    Awaited,
    /// The guest returned, so no answer comes if none is here.
    Returned,
    Begun(Box<Begun>),
    /// The answer is of no use to anybody any more.
    Left,
}

impl Answer {
    pub fn new(deadline: Instant, permit: Admission) -> Arc<Self> {
        Arc::new(Answer {
            started: Instant::now(),
            deadline,
            changed: Notify::new(),
            state: Mutex::new(State {
                permit: Some(permit),
                life: Weak::new(),
                phase: Phase::Awaited,
                ended: None,
                remains: None,
            }),
        })
    }

    pub fn started(&self) -> Instant {
        self.started
    }

    /// The caller waits no longer, unless the answer is there.
    pub fn give_up(self: &Arc<Self>) {
        if !self.has_begun() {
            self.leave();
        }
    }

    /// The guest answered: its body is read through the one that comes back.
    pub fn begin(self: &Arc<Self>, response: Response<WasiBody>) -> Response<Stream> {
        let (head, body) = response.into_parts();
        let length = head.headers.get(header::CONTENT_LENGTH);
        let length = length.and_then(|length| length.to_str().ok()?.parse().ok());
        let mut state = self.lock();
        let mut begun = Begun::new(body, length);
        let remains = state.remains.take();
        if remains.is_some() {
            begun.drain();
        }
        state.phase = Phase::Begun(Box::new(begun));
        drop(state);
        // The last to look takes the instance down, and settles every answer of it.
        drop(remains);
        Response::from_parts(head, Stream(self.clone()))
    }

    pub fn has_begun(&self) -> bool {
        matches!(self.lock().phase, Phase::Begun(_))
    }

    /// The reason why there is no answer: what became of the instance, else `otherwise`.
    pub async fn explain(&self, otherwise: impl FnOnce(bool) -> Error) -> Error {
        let ended = async {
            loop {
                let changed = self.changed.notified();
                match &*self.lock() {
                    State {
                        ended: Some(cause), ..
                    } => return (cause.as_ref().map(Error::duplicate), true),
                    State {
                        phase: Phase::Returned,
                        ..
                    } => return (None, true),
                    _ => {}
                }
                changed.await;
            }
        };
        let known = tokio::time::timeout(EXPLAIN, ended).await;
        let (cause, has_returned) = known.unwrap_or((None, false));
        cause.unwrap_or_else(|| otherwise(has_returned))
    }

    /// Leaves the answer: nobody reads it any more, or it is read to its end. What the guest still writes of a body
    /// that is there by its length has somewhere to go; otherwise the guest sees a closed stream.
    pub fn leave(self: &Arc<Self>) {
        let (life, remains, _body) = {
            let mut state = self.lock();
            let body = match &mut state.phase {
                Phase::Begun(begun) => begun.leave(),
                phase => {
                    *phase = Phase::Left;
                    None
                }
            };
            (state.life.upgrade(), state.remains.take(), body)
        };
        drop(remains);
        if let Some(life) = life {
            life.close(self);
        }
    }
}

/// The instance's side.
impl Answer {
    /// The instance takes the call. False where nobody waits for the answer any more.
    pub fn enter(&self, life: &Arc<Life>) -> bool {
        let mut state = self.lock();
        state.life = Arc::downgrade(life);
        !matches!(state.phase, Phase::Left)
    }

    pub fn release_permit(&self) {
        self.lock().permit = None;
    }

    /// The guest's function is over.
    pub fn returned(&self) {
        let mut state = self.lock();
        if let Phase::Awaited = state.phase {
            state.phase = Phase::Returned;
        }
        drop(state);
        self.changed.notify_waiters();
    }

    /// The time when the call is late; without a reason where its answer has not begun.
    pub fn due(&self, limits: &Limits) -> (Instant, Option<Late>) {
        match &self.lock().phase {
            Phase::Begun(begun) => {
                let (due, late) = begun.due(self.started, limits);
                (due, Some(late))
            }
            _ => (self.deadline, None),
        }
    }

    /// The time until which the instance may work on for a call that nobody waits for any more: one without an answer
    /// has no more time than it had.
    pub fn until(&self, now: Instant, limits: &Limits) -> Instant {
        let until = now + limits.after_time;
        match self.has_begun() {
            true => until,
            false => until.min(self.deadline.max(now)),
        }
    }

    /// Ends it before its time.
    pub fn cut(&self, cause: &Error) {
        let mut state = self.lock();
        if let Phase::Begun(begun) = &mut state.phase {
            begun.cut(cause);
        }
    }

    /// The instance ended by itself, with nothing left to do.
    pub fn finish(&self) {
        self.lock().ended = Some(None);
        self.changed.notify_waiters();
    }

    /// The instance fails, and is still there: what the guest has written is taken, and the rest is settled when the
    /// instance is gone.
    pub fn fail(&self, cause: &Error, remains: &Arc<Remains>) {
        let mut state = self.lock();
        state.ended = Some(Some(cause.duplicate()));
        match &mut state.phase {
            Phase::Begun(begun) => begun.drain(),
            Phase::Awaited | Phase::Returned => state.remains = Some(remains.clone()),
            Phase::Left => {}
        }
        drop(state);
        self.changed.notify_waiters();
    }

    /// The failed instance is gone: a body that ends now was not whole.
    pub fn settle(&self, cause: &Error) {
        let mut state = self.lock();
        state.permit = None;
        if let Phase::Begun(begun) = &mut state.phase {
            begun.settle(cause);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

/// The body of an answer, for its one reader.
pub struct Stream(Arc<Answer>);

impl http_body::Body for Stream {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>>>> {
        let (frame, life) = {
            let mut state = self.0.lock();
            let life = state.life.clone();
            let Phase::Begun(begun) = &mut state.phase else {
                return Poll::Ready(None);
            };
            (begun.poll(context), life)
        };
        match &frame {
            Poll::Ready(None | Some(Err(_))) => self.0.leave(),
            _ => {
                if let Some(life) = life.upgrade() {
                    life.hurry(&self.0);
                }
            }
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        match &self.0.lock().phase {
            Phase::Begun(begun) => begun.is_end_stream(),
            _ => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0.lock().phase {
            Phase::Begun(begun) => begun.size_hint(),
            _ => SizeHint::default(),
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.0.leave();
    }
}
