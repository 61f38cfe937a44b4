//! Calls of apps under policies.

use super::{Callable, Invocation, Parsed, Path, Response};
use crate::{
    Body, Call, Result, body_from,
    resiliency::{Failure, Guard, Guarded, Limit, Nature},
};
use bytes::Bytes;
use http::Method;
use http_body::Body as _;

impl Invocation {
    /// Asks under policies: an answer whose status is 400 or more is a failure of the app.
    pub(super) async fn ask_guarded(
        &self,
        caller: &Call,
        (callee, guard): (&Callable, &Guard),
        app: &str,
        asked: Parsed,
    ) -> Result<Response> {
        let call = guarded(caller, &asked.method);
        let attempt = |limit: Limit| {
            let (asked, attempt) = (asked.clone(), limit.on(caller));
            async move { self.ask(&attempt, callee.app.clone(), app, asked).await }
        };
        let judge = |answer: &Response| Failure::of_status(answer.status);
        callee.target.run(guard, call, attempt, judge).await
    }

    /// Sends under policies. The body of a request streams, so that one with a body is sent once; the timeout is for the
    /// beginning of the answer.
    pub(super) async fn send_guarded(
        &self,
        caller: &Call,
        (callee, guard): (&Callable, &Guard),
        (app, path): (&str, Path),
        request: http::Request<Body>,
    ) -> Result<http::Response<Body>> {
        let call = Guarded {
            is_repeatable: request.body().is_end_stream(),
            ..guarded(caller, request.method())
        };
        let (head, body) = request.into_parts();
        let mut body = Some(body);
        let attempt = |limit: Limit| {
            let body = body.take().unwrap_or_else(|| body_from(Bytes::new()));
            let request = http::Request::from_parts(head.clone(), body);
            let (path, attempt) = (path.clone(), limit.on(caller));
            async move {
                let sent = self.send(&attempt, callee.app.clone(), (app, path), request);
                let answer = sent.await;
                attempt.lift_cap();
                Ok(answer?.0)
            }
        };
        let judge = |answer: &http::Response<Body>| Failure::of_status(answer.status().as_u16());
        callee.target.run(guard, call, attempt, judge).await
    }
}

/// A call of an app under policies: what may be done twice is what HTTP says of its method.
fn guarded<'a>(caller: &Call, method: &Method) -> Guarded<'a> {
    let nature = match method.is_idempotent() {
        true => Nature::Idempotent,
        false => Nature::Once,
    };
    Guarded::new("invoke", nature, caller.deadline())
}
