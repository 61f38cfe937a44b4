//! HTTP into a guest, WASI 0.2 and 0.3 alike, through wasmtime's own proxy engine.

use crate::{
    cpu::{Clock, timed},
    ctx::{Ctx, Identity},
    engine::Runtime,
    error,
};
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt;
use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, OnceLock, Weak},
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};
use tokio::{
    sync::{Notify, OwnedSemaphorePermit},
    time::Sleep,
};
use wasmtime::{Store, StoreContextMut, component::GuestTaskId};
use wasmtime_wasi_http::{
    Error as WasiError, WasiBody, WasiHttpView,
    handler::{
        HandlerState, Instance, ProxyHandler, ProxyPre, ShouldAccept, WorkerExpiration,
        WorkerState, WorkerStatus,
    },
};
use wythe_blocks::{Body, Caller, Error, Kind, Result};
use wythe_manifest::Reuse;

/// One version of a guest that serves HTTP.
pub struct Server(ProxyHandler<Handler>);

impl Server {
    pub fn new(
        runtime: Arc<Runtime>,
        identity: Arc<Identity>,
        pre: ProxyPre<Ctx>,
        reuse: Reuse,
    ) -> Self {
        Server(ProxyHandler::new(Handler {
            runtime,
            identity,
            pre,
            reuse,
        }))
    }

    /// `place` is held until the answer's body is through.
    pub async fn handle(
        &self,
        caller: Caller,
        request: http::Request<Body>,
        place: OwnedSemaphorePermit,
    ) -> Result<http::Response<Body>> {
        let identity = &self.0.state().identity;
        let app = identity.id.as_str();
        let deadline = caller.deadline();
        let fault = Arc::new(Fault::default());
        let call = Call {
            caller,
            fault: fault.clone(),
        };
        let nested = call.caller.parent().is_some();
        let answer = self.0.handle(call, request.map(body_to_guest));
        // The instance's own expiration ends what takes too long; only a caller may have less time than that.
        let answer = match nested {
            false => answer.await,
            true => match tokio::time::timeout_at(deadline.into(), answer).await {
                Err(_) => return Err(error::expired(app)),
                Ok(answer) => answer,
            },
        };
        let answer = match answer {
            Err(_) if Instant::now() >= deadline => return Err(error::expired(app)),
            Err(error) => return Err(fault.explain(of_handler(app, error)).await),
            Ok(answer) => answer,
        };
        Ok(answer.map(|body| {
            Held {
                body,
                _place: place,
            }
            .boxed_unsync()
        }))
    }
}

/// A guest may answer with an error code instead of a response.
fn of_handler(app: &str, error: wasmtime::Error) -> Error {
    match error.downcast_ref::<WasiError>() {
        Some(code) => Error::internal(format!("`{app}` gave no response: {code}")),
        None => error::of_call(app, error),
    }
}

/// What goes with a request into the instance that takes it.
pub struct Call {
    caller: Caller,
    fault: Arc<Fault>,
}

/// Why an instance ended, for the requests that it was to answer: the proxy engine tells them only that it did.
#[derive(Default)]
pub struct Fault {
    cause: OnceLock<Error>,
    told: Notify,
}

/// An instance that faulted is disposed of at once, so its cause is not long in coming; only a busy machine, or a guest
/// that returned without an answer, makes it wait.
const EXPLAIN: Duration = Duration::from_secs(2);

impl Fault {
    fn tell(&self, cause: Error) {
        let _ = self.cause.set(cause);
        self.told.notify_waiters();
    }

    async fn explain(&self, otherwise: Error) -> Error {
        let told = self.told.notified();
        if self.cause.get().is_none() && otherwise.kind() == Kind::Internal {
            let _ = tokio::time::timeout(EXPLAIN, told).await;
        }
        self.cause.get().map_or(otherwise, Error::duplicate)
    }
}

struct Handler {
    runtime: Arc<Runtime>,
    identity: Arc<Identity>,
    pre: ProxyPre<Ctx>,
    reuse: Reuse,
}

impl HandlerState for Handler {
    type StoreData = Ctx;
    type WorkerExpiration = Expiration;
    type WorkerState = Worker;

    async fn instantiate(&self) -> wasmtime::Result<Instance<Ctx, Expiration, Worker>> {
        let limit = self.identity.limits.wall_time;
        let caller = Caller::app(
            self.identity.tenant.clone(),
            self.identity.id.clone(),
            self.identity.grants.clone(),
            wythe_blocks::Trace::start(),
            wythe_blocks::time::deadline(limit),
        );
        let mut store = self.runtime.store(&self.identity, caller).await?;
        let clock = store.data().cpu.clock();
        let start = timed(clock.clone(), self.pre.instantiate_async(&mut store));
        let proxy = tokio::time::timeout(limit, start)
            .await
            .map_err(|_| error::expired(self.identity.id.as_str()))??;
        Ok(Instance {
            store,
            proxy,
            view: Ctx::http,
            expiration: Expiration::new(limit, self.reuse.idle, clock),
            state: Worker(self.reuse.clone()),
        })
    }
}

/// How many requests an instance takes.
struct Worker(Reuse);

impl WorkerState for Worker {
    type StoreData = Ctx;
    type RequestData = Call;

    fn should_accept_request(&self, concurrent: usize, total: usize) -> ShouldAccept {
        if total >= self.0.max_requests as usize {
            ShouldAccept::Never
        } else if concurrent >= self.0.max_concurrent as usize {
            ShouldAccept::No
        } else {
            ShouldAccept::Yes
        }
    }

    fn on_request_start(
        &self,
        mut store: StoreContextMut<'_, Ctx>,
        call: Call,
        _task: GuestTaskId,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + Sync>> {
        let deadline = call.caller.deadline();
        let alone = self.0.max_concurrent == 1 && call.caller.parent().is_none();
        let ctx = store.data_mut();
        ctx.begin(call.caller);
        ctx.faults.retain(|fault| fault.strong_count() > 0);
        ctx.faults.push(Arc::downgrade(&call.fault));
        match alone {
            // The whole instance expires when its one request does, which costs no timer a request.
            true => Box::pin(std::future::pending()),
            false => Box::pin(tokio::time::sleep_until(deadline.into())),
        }
    }

    fn drop(&self, store: Store<Ctx>, result: wasmtime::Result<()>) {
        let ctx = store.data();
        let Err(error) = result else {
            return;
        };
        let cause = error::of_call(ctx.identity.id.as_str(), error);
        tracing::warn!(app = %ctx.identity.id, "the instance ended: {}", cause.chain());
        for fault in ctx.faults.iter().filter_map(Weak::upgrade) {
            fault.tell(cause.duplicate());
        }
    }
}

/// Ends an instance that works for longer than its wall time, or that nobody has used for a while.
///
/// The timer is not moved with each request: it fires at least once in the shorter of both times, and looks.
struct Expiration {
    work: Duration,
    idle: Duration,
    sleep: Pin<Box<Sleep>>,
    clock: Arc<Clock>,
}

impl Expiration {
    fn new(work: Duration, idle: Duration, clock: Arc<Clock>) -> Self {
        Expiration {
            work,
            idle,
            sleep: Box::pin(tokio::time::sleep(look(work, idle))),
            clock,
        }
    }
}

/// How often to look; an idle time of nothing is no reason to do nothing else.
fn look(work: Duration, idle: Duration) -> Duration {
    work.min(idle).max(Duration::from_millis(1))
}

impl WorkerExpiration for Expiration {
    fn poll(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        status: WorkerStatus,
        start: Instant,
    ) -> Poll<()> {
        // The instance was polled and waits.
        self.clock.polled();
        let limit = match status {
            WorkerStatus::Idle => self.idle,
            WorkerStatus::Requests | WorkerStatus::PostReturn => self.work,
        };
        loop {
            ready!(self.sleep.as_mut().poll(context));
            let now = Instant::now();
            let until = start + limit;
            if now >= until {
                return Poll::Ready(());
            }
            let look = now + look(self.work, self.idle);
            self.sleep.as_mut().reset(until.min(look).into());
        }
    }
}

/// A body that keeps its app's place among the calls at once.
struct Held {
    body: WasiBody,
    _place: OwnedSemaphorePermit,
}

impl http_body::Body for Held {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        Poll::Ready(frame.map(|frame| frame.map_err(|error| error_from_guest(&error))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

pub fn body_to_guest(body: Body) -> WasiBody {
    body.map_err(|error| error_to_guest(&error)).boxed_unsync()
}

pub fn body_from_guest(body: WasiBody) -> Body {
    body.map_err(|error| error_from_guest(&error))
        .boxed_unsync()
}

fn error_from_guest(error: &WasiError) -> Error {
    match error {
        WasiError::HttpRequestBodySize(_) => {
            Error::invalid("the body is over the limit; see `limits.requestBody`")
        }
        other => Error::unavailable(format!("the body ended early: {other}")),
    }
}

/// The nearest code of `wasi:http`; the text goes along where there is room for it.
pub fn error_to_guest(error: &Error) -> WasiError {
    match error.kind() {
        Kind::NotFound => WasiError::DestinationNotFound,
        Kind::Denied => WasiError::HttpRequestDenied,
        Kind::Invalid if error.message().contains("limits.requestBody") => {
            WasiError::HttpRequestBodySize(None)
        }
        Kind::Invalid => WasiError::HttpRequestUriInvalid,
        Kind::Timeout => WasiError::HttpResponseTimeout,
        Kind::Unavailable => WasiError::DestinationUnavailable,
        Kind::Exhausted if error.message().contains("call chain") => WasiError::LoopDetected,
        Kind::Exhausted => WasiError::ConnectionLimitReached,
        _ => WasiError::InternalError(Some(error.message().to_owned())),
    }
}
