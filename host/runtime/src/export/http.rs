//! HTTP into a guest, WASI 0.2 and 0.3 alike, through wasmtime's own proxy engine.

mod answer;
mod body;
mod expiration;
mod life;
mod progress;

use crate::{
    cpu::timed,
    ctx::{Ctx, Identity},
    egress::Onward,
    engine::Runtime,
    error,
};
use answer::Answer;
use expiration::Expiration;
use http_body_util::BodyExt;
use life::Life;
use std::{future::Future, pin::Pin, sync::Arc, time::Instant};
use wasmtime::{Store, StoreContextMut, Trap, WasmBacktrace, component::GuestTaskId};
use wasmtime_wasi_http::{
    Error as WasiError, WasiBody, WasiHttpView,
    handler::{
        ExpirationError, HandlerState, Instance, InstantiationError, ProxyHandler, ProxyPre,
        ShouldAccept, WorkerState,
    },
    p2, p3,
};
use wythe_blocks::{Admission, Body, Call, Detail, Error, Kind, Meters, Result};
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

    /// Asks an app.
    pub async fn handle(
        &self,
        caller: Call,
        request: http::Request<Body>,
        permit: Admission,
    ) -> Result<http::Response<Body>> {
        self.pass(caller, request, permit, None).await
    }

    /// Asks a guest, which hands the request on where there is somewhere to. `permit` is held until the answer is out and
    /// the instance is gone or idle.
    pub async fn pass(
        &self,
        caller: Call,
        request: http::Request<Body>,
        permit: Admission,
        onward: Option<Onward>,
    ) -> Result<http::Response<Body>> {
        let identity = &self.0.state().identity;
        let app = identity.id.as_str();
        let deadline = caller.deadline();
        let asked = Asked(Answer::new(deadline, permit));
        let call = HttpCall {
            caller: caller.clone(),
            answer: asked.0.clone(),
            onward,
        };
        let nested = caller.parent().is_some();
        let response = self.0.handle(call, request.map(body_to_guest));
        // The instance's own expiration ends what takes too long; only a caller may have less time than that.
        let response = match nested {
            false => response.await,
            true => match tokio::time::timeout_at(deadline.into(), response).await {
                Err(_) => return Err(error::expired(app)),
                Ok(response) => response,
            },
        };
        match response {
            Err(_) if Instant::now() >= deadline => Err(error::expired(app)),
            Err(error) => Err(refused(&identity.meters, app, error, &asked.0).await),
            Ok(response) => {
                caller.prolong(asked.0.started() + identity.limits.response_time);
                Ok(asked.0.begin(response).map(BodyExt::boxed_unsync))
            }
        }
    }
}

/// A call whose caller waits for the answer.
struct Asked(Arc<Answer>);

impl Drop for Asked {
    fn drop(&mut self) {
        self.0.give_up();
    }
}

/// The reason why there is no response: a guest may answer with an error code, or with nothing. Else its instance
/// knows.
async fn refused(meters: &Meters, app: &str, error: wasmtime::Error, answer: &Answer) -> Error {
    if let Some(code) = code(&error) {
        return Error::internal(format!("`{app}` gave no response: {code}"));
    }
    let is_clear = error.is::<InstantiationError<HttpCall>>()
        || error.is::<ExpirationError>()
        || error.is::<Trap>()
        || error.is::<WasmBacktrace>();
    if let Some(cause) = error::cause(&error).filter(|_| is_clear) {
        meters.trapped(cause);
    }
    let error = error::of_call(app, error);
    if is_clear || error.kind() != Kind::Internal {
        return error;
    }
    let silent = || Error::internal(format!("`{app}` returned without an answer"));
    let otherwise = |has_returned| if has_returned { silent() } else { error };
    answer.explain(otherwise).await
}

/// The error code that a guest answered with.
fn code(error: &wasmtime::Error) -> Option<String> {
    let newer = error.downcast_ref::<p3::bindings::http::types::ErrorCode>();
    let newer = newer.map(|code| format!("{code:?}"));
    let older = error.downcast_ref::<p2::bindings::http::types::ErrorCode>();
    let code = newer.or_else(|| older.map(|code| format!("{code:?}")));
    code.or_else(|| Some(error.downcast_ref::<WasiError>()?.to_string()))
}

/// Goes with a request into the instance that takes it.
pub struct HttpCall {
    caller: Call,
    answer: Arc<Answer>,
    onward: Option<Onward>,
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
        let caller = Call::app(
            self.identity.tenant.name().clone(),
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
            .map_err(|_| error::expired(self.identity.id.as_str()))?;
        let proxy = proxy.map_err(|error| store.data().error_of_start(error))?;
        let is_serial = matches!(self.pre, ProxyPre::P2(_));
        let life = Life::new(self.identity.clone(), is_serial);
        Ok(Instance {
            store,
            proxy,
            view: Ctx::http,
            expiration: Expiration::new(limit, self.reuse.idle, life.clone(), clock),
            state: Worker {
                reuse: match self.identity.may_keep() {
                    true => self.reuse.clone(),
                    // It ends with the requests that it has at once.
                    false => Reuse {
                        max_requests: self.reuse.max_concurrent,
                        ..self.reuse.clone()
                    },
                },
                life,
            },
        })
    }
}

/// Says how many requests an instance takes, and ends them with it.
struct Worker {
    reuse: Reuse,
    life: Arc<Life>,
}

impl WorkerState for Worker {
    type StoreData = Ctx;
    type RequestData = HttpCall;

    fn should_accept_request(&self, concurrent: usize, total: usize) -> ShouldAccept {
        if total >= self.reuse.max_requests as usize {
            ShouldAccept::Never
        } else if concurrent >= self.reuse.max_concurrent as usize {
            ShouldAccept::No
        } else {
            ShouldAccept::Yes
        }
    }

    fn on_request_start(
        &self,
        mut store: StoreContextMut<'_, Ctx>,
        call: HttpCall,
        _task: GuestTaskId,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + Sync>> {
        let deadline = call.caller.deadline();
        let alone = self.reuse.max_concurrent == 1 && call.caller.parent().is_none();
        let ctx = store.data_mut();
        ctx.begin(call.caller);
        ctx.hand_on(call.onward);
        self.life.open(&call.answer);
        if alone {
            // The whole instance expires when its one request does, which costs no timer a request.
            return Box::pin(std::future::pending());
        }
        Box::pin(async move {
            tokio::time::sleep_until(deadline.into()).await;
            // An answer that has begun has limits of its own.
            if call.answer.has_begun() {
                std::future::pending::<()>().await;
            }
        })
    }

    fn drop(&self, store: Store<Ctx>, result: wasmtime::Result<()>) {
        self.life.end(store, result);
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
                .with_detail(Detail::BodyTooLarge)
        }
        other => Error::unavailable(format!("the body ended early: {other}")),
    }
}

/// The nearest code of `wasi:http`; the text goes along where there is room for it.
pub fn error_to_guest(error: &Error) -> WasiError {
    match error.kind() {
        Kind::NotFound => WasiError::DestinationNotFound,
        Kind::Denied => WasiError::HttpRequestDenied,
        Kind::Invalid if error.detail() == Some(Detail::BodyTooLarge) => {
            WasiError::HttpRequestBodySize(None)
        }
        Kind::Invalid => WasiError::HttpRequestUriInvalid,
        Kind::Timeout => WasiError::HttpResponseTimeout,
        Kind::Unavailable => WasiError::DestinationUnavailable,
        Kind::Exhausted if error.detail() == Some(Detail::ChainTooLong) => WasiError::LoopDetected,
        Kind::Exhausted => WasiError::ConnectionLimitReached,
        _ => WasiError::InternalError(Some(error.message().to_owned())),
    }
}
