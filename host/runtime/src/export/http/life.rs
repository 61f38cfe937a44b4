//! The life of an instance: the calls that it answers, which of them hold a place, what is due, and how it ends.

use super::{answer::Answer, progress::Late};
use crate::{
    ctx::{Ctx, Identity},
    error,
};
use parking_lot::{Mutex, MutexGuard};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::Waker,
    time::Instant,
};
use wasmtime::Store;
use wythe_blocks::Error;

/// The calls of one instance. No [`Answer`] is locked while this is.
pub struct Life {
    identity: Arc<Identity>,
    /// The guest is of WASI 0.2: its calls follow each other, and each is over when its function returns.
    is_serial: bool,
    is_hurried: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Calls whose answer is awaited or read.
    open: Vec<Arc<Answer>>,
    /// The last call that was open, and until when the instance may be at work for it; it keeps its place.
    after: Option<(Instant, Arc<Answer>)>,
    /// The time when the instance's timer fires, and whom it wakes.
    armed: Option<(Instant, Waker)>,
    /// The reason why the instance expired.
    cause: Option<Error>,
    is_over: bool,
}

impl Life {
    pub fn new(identity: Arc<Identity>, is_serial: bool) -> Arc<Self> {
        Arc::new(Life {
            identity,
            is_serial,
            is_hurried: AtomicBool::new(false),
            state: Mutex::default(),
        })
    }

    /// A call begins.
    pub fn open(self: &Arc<Self>, answer: &Arc<Answer>) {
        let is_awaited = answer.enter(self);
        if self.is_serial {
            self.rest();
        }
        let before = {
            let mut state = self.lock();
            state.open.push(answer.clone());
            // The proxy engine may run the call to its end without another look at the instance: a place would be held
            // until the timer fires.
            if let Some((_, waker)) = &state.armed {
                waker.wake_by_ref();
            }
            state.after.take()
        };
        if let Some((_, before)) = before {
            before.release_permit();
        }
        if !is_awaited {
            self.close(answer);
        }
    }

    /// The call's answer is out, or of no use to anybody. The instance is never without a place while it may be at work.
    pub fn close(&self, answer: &Arc<Answer>) {
        let until = answer.until(Instant::now(), &self.identity.limits);
        let mut state = self.lock();
        let Some(index) = position(&state.open, answer) else {
            return;
        };
        let answer = state.open.swap_remove(index);
        if state.is_over || !state.open.is_empty() {
            drop(state);
            answer.release_permit();
            return;
        }
        state.after = Some((until, answer));
        self.wake_by(&mut state, until);
    }

    /// The answer has another turn, which may be over before the timer fires.
    pub fn hurry(&self, answer: &Answer) {
        let (due, _) = answer.due(&self.identity.limits);
        self.wake_by(&mut self.lock(), due);
    }

    fn wake_by(&self, state: &mut State, due: Instant) {
        if let Some((_, waker)) = state.armed.take_if(|(at, _)| due < *at) {
            self.is_hurried.store(true, Relaxed);
            waker.wake();
        }
    }

    /// True once after something became due before the timer fires.
    pub fn is_hurried(&self) -> bool {
        self.is_hurried.swap(false, Relaxed)
    }

    /// Rests: no call of the instance is at work. Answers that are open are only read on, and places are free.
    pub fn rest(&self) {
        let (open, after) = {
            let mut state = self.lock();
            (std::mem::take(&mut state.open), state.after.take())
        };
        for answer in open {
            answer.returned();
            answer.release_permit();
        }
        if let Some((_, answer)) = after {
            answer.release_permit();
        }
    }

    /// The functions of all calls have returned, though the guest may go on.
    pub fn returned(&self) {
        let open = self.lock().open.clone();
        open.iter().for_each(|answer| answer.returned());
    }

    /// Cuts what is late. Absent if the instance is at its end, else when to look again at the latest; `work` is when
    /// it ends without any call.
    pub fn look(&self, now: Instant, work: Instant) -> Option<Instant> {
        let limits = &self.identity.limits;
        let (open, after) = {
            let state = self.lock();
            (state.open.clone(), state.after.clone())
        };
        if open.is_empty() {
            let end = after.as_ref().map_or(work, |(until, _)| *until);
            return match now < end {
                true => Some(end),
                false => self.expire(self.overdue(after.map(|(_, answer)| answer))),
            };
        }
        let dues = open.iter().map(|answer| (answer, answer.due(limits)));
        let (late, timely): (Vec<_>, Vec<_>) = dues.partition(|(_, (due, _))| *due <= now);
        let next = timely.iter().map(|(_, (due, _))| *due).min();
        let mut cause = None;
        for (answer, (_, late)) in late {
            // A call without an answer that shares its instance is expired by the proxy engine.
            let error = self.late(late);
            if late.is_some() {
                answer.cut(&error);
                if next.is_some() {
                    self.close(answer);
                }
            }
            cause = Some(error);
        }
        match (next, cause) {
            (None, Some(cause)) => self.expire(cause),
            _ => next,
        }
    }

    fn late(&self, late: Option<Late>) -> Error {
        let app = self.identity.id.as_str();
        late.map_or_else(
            || error::expired(app),
            |late| late.error(app, &self.identity.limits),
        )
    }

    fn expire(&self, cause: Error) -> Option<Instant> {
        self.lock().cause = Some(cause);
        None
    }

    fn overdue(&self, last: Option<Arc<Answer>>) -> Error {
        let app = self.identity.id.as_str();
        match last.is_some_and(|answer| answer.has_begun()) {
            true => Error::timeout(format!(
                "`{app}` worked on for {:?} after its answer was out or its reader had left; see `limits.afterTime`",
                self.identity.limits.after_time
            )),
            false => error::expired(app),
        }
    }

    pub fn arm(&self, at: Instant, waker: &Waker) {
        self.lock().armed = Some((at, waker.clone()));
    }

    /// The instance is over. One that failed is taken down when each of its calls has looked at what is there of its
    /// answer; only while the instance is there an end that the guest wrote can be told from one that it did not.
    pub fn end(&self, store: Store<Ctx>, result: wasmtime::Result<()>) {
        let (cause, answers) = {
            let mut state = self.lock();
            state.is_over = true;
            state.armed = None;
            let after = state.after.take().map(|(_, answer)| answer);
            let mut answers = std::mem::take(&mut state.open);
            answers.extend(after);
            (state.cause.take(), answers)
        };
        let Err(error) = result else {
            answers.iter().for_each(|answer| answer.finish());
            drop(store);
            answers.iter().for_each(|answer| answer.release_permit());
            return;
        };
        let app = &self.identity.id;
        let cause = cause.unwrap_or_else(|| store.data().error_of_call(error));
        tracing::warn!(app = %app, "the instance ended: {}", cause.chain());
        let remains = Arc::new(Remains {
            store: Mutex::new(Some(store)),
            answers: answers.clone(),
            cause: cause.duplicate(),
        });
        for answer in answers {
            answer.fail(&cause, &remains);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

fn position(open: &[Arc<Answer>], answer: &Arc<Answer>) -> Option<usize> {
    open.iter().position(|other| Arc::ptr_eq(other, answer))
}

/// A failed instance whose answers are yet to be looked at.
pub struct Remains {
    store: Mutex<Option<Store<Ctx>>>,
    answers: Vec<Arc<Answer>>,
    cause: Error,
}

impl Drop for Remains {
    fn drop(&mut self) {
        drop(self.store.get_mut().take());
        for answer in self.answers.drain(..) {
            answer.settle(&self.cause);
        }
    }
}
