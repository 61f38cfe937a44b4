//! The handlers before an app, whoever asks it by a request: `appHttpPipeline`. They run once a call is admitted, in its time.

#[cfg(test)]
mod tests;

use super::{Admission, Body, Callee};
use crate::{
    Call, Error, Result, body_from,
    invocation::{self, AccessPolicies, Path},
    middleware::{End, Pipeline, Preserved},
};
use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use parking_lot::Mutex;
use std::sync::Arc;
use wythe_manifest::Name;

/// Handlers, and the policies that judge what they make of a call.
pub(crate) struct Guard {
    app: Name,
    pipeline: Arc<Pipeline>,
    access: Arc<AccessPolicies>,
}

/// The way in which the app is asked.
enum Port {
    Http,
    /// An invocation, which handlers know as a request like any other.
    Invocation,
}

/// The app behind its handlers, for one call.
struct Behind {
    guard: Arc<Guard>,
    callee: Arc<dyn Callee>,
    port: Port,
    preserved: Preserved,
    /// The call, absent once the app was asked.
    call: Mutex<Option<(Call, Admission)>>,
}

/// The error for which an answer stands, so that the caller has it whole where no handler made another one of it.
#[derive(Clone)]
struct Refused(Arc<Error>);

impl Guard {
    pub fn new(app: Name, pipeline: Arc<Pipeline>, access: Arc<AccessPolicies>) -> Self {
        Guard {
            app,
            pipeline,
            access,
        }
    }

    /// Asks an app by HTTP, through its handlers.
    pub async fn http(
        self: Arc<Self>,
        callee: Arc<dyn Callee>,
        call: (Call, Admission),
        request: Request<Body>,
    ) -> Result<Response<Body>> {
        self.pass(callee, Port::Http, call, request).await
    }

    /// Asks an app by an invocation, through its handlers.
    pub async fn invoke(
        self: Arc<Self>,
        callee: Arc<dyn Callee>,
        call: (Call, Admission),
        request: invocation::Request,
    ) -> Result<invocation::Response> {
        let request = request.into_http(&self.app)?;
        let answer = self.pass(callee, Port::Invocation, call, request);
        invocation::Response::of_http(answer.await?).await
    }

    async fn pass(
        self: Arc<Self>,
        callee: Arc<dyn Callee>,
        port: Port,
        call: (Call, Admission),
        request: Request<Body>,
    ) -> Result<Response<Body>> {
        let visit = self.pipeline.visit_of(&call.0);
        let pipeline = self.pipeline.clone();
        let behind = Arc::new(Behind {
            guard: self,
            callee,
            port,
            preserved: Preserved::of(&request),
            call: Mutex::new(Some(call)),
        });
        let mut answer = pipeline.run(visit, request, behind).await;
        match answer.extensions_mut().remove::<Refused>() {
            None => Ok(answer),
            Some(Refused(error)) => Err(error.duplicate()),
        }
    }
}

#[async_trait]
impl End for Behind {
    async fn dispatch(&self, request: Request<Body>) -> Response<Body> {
        let answer = self.ask(request).await;
        answer.unwrap_or_else(|error| self.refuse(error))
    }

    fn refuse(&self, error: Error) -> Response<Body> {
        let mut answer = Response::new(body_from(Bytes::new()));
        *answer.status_mut() = error.kind().status();
        answer.extensions_mut().insert(Refused(Arc::new(error)));
        answer
    }
}

impl Behind {
    /// Asks the app as the request is now. What a policy says of the call holds for what handlers made of it, too.
    async fn ask(&self, mut request: Request<Body>) -> Result<Response<Body>> {
        let call = self.call.lock().take();
        let (call, admission) = call.ok_or_else(|| Error::internal("a call is handed on once"))?;
        self.preserved.restore(&mut request)?;
        let (access, app) = (&self.guard.access, self.guard.app.as_str());
        let (method, uri) = (request.method(), request.uri());
        match call.parent() {
            Some(caller) => access.require(caller, app, method, &Path::of(uri)?)?,
            None => access.require_client(request.headers(), app, method, uri)?,
        }
        call.write_trace(request.headers_mut());
        call.write_baggage(request.headers_mut());
        match self.port {
            Port::Http => self.callee.http(call, admission, request).await,
            Port::Invocation => {
                let request = invocation::Request::of_http(request).await?;
                let answer = self.callee.invoke(call, request).await;
                drop(admission);
                answer?.into_http()
            }
        }
    }
}
