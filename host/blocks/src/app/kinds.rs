//! The calls of an app, a function for each kind; all that they have in common is in `App::call`.

use super::{App, Asked, Body, Callee, Inbound, Origin, body_from};
use crate::{
    Call, Carried, Error, Result, Trace, actors, bindings,
    call::TRACESTATE,
    configuration,
    invocation::{self, TRACEPARENT},
    jobs, pubsub,
    spans::About,
    workflow,
};
use bytes::Bytes;
use futures::future::{BoxFuture, Either, ready};
use http::{HeaderMap, request::Parts};
use std::panic::{AssertUnwindSafe, catch_unwind};

impl App {
    /// Asks by one HTTP request, streamed both ways. What others put beside the trace of a request from outside goes on
    /// with the call.
    pub async fn http(
        &self,
        origin: Origin<'_>,
        request: http::Request<Body>,
    ) -> Result<http::Response<Body>> {
        let (mut head, body) = request.into_parts();
        let carried = match origin {
            Origin::Call(_) => Carried::default(),
            Origin::Trace(_) | Origin::Span(_) => Carried::take(&mut head.headers),
        };
        let asked = Asked {
            status: |answer: &http::Response<Body>| Some(answer.status().as_u16()),
            ..Asked::new(Inbound::Http, origin)
        };
        let asked = asked.about(|| About::http(head.method.as_str(), head.uri.path()));
        self.call(asked, |callee, call, admission| {
            let call = match carried.is_empty() {
                true => call,
                false => call.carrying(carried),
            };
            if call.parent().is_none()
                && let Err(error) = self.judge(&head)
            {
                let refused: BoxFuture<'_, _> = Box::pin(ready(Err(error)));
                return Either::Left(refused);
            }
            call.write_trace(&mut head.headers);
            call.write_baggage(&mut head.headers);
            let request = http::Request::from_parts(head, body);
            match self.guard.load_full() {
                None => Either::Left(callee.http(call, admission, request)),
                Some(guard) => {
                    let call = (call, admission);
                    Either::Right(Box::pin(guard.http(self.callee.clone(), call, request)))
                }
            }
        })
        .await
    }

    /// Refuses a request from outside that a policy denies to its client.
    fn judge(&self, head: &Parts) -> Result<()> {
        let id = self.id().as_str();
        match &*self.access.load() {
            Some(access) => access.require_client(&head.headers, id, &head.method, &head.uri),
            None => Ok(()),
        }
    }

    /// Asks by one invocation; only for an app that exports its handler.
    pub async fn invoke(
        &self,
        from: &Call,
        mut request: invocation::Request,
    ) -> Result<invocation::Response> {
        let asked = Asked {
            status: |answer: &invocation::Response| Some(answer.status),
            ..Asked::new(Inbound::Invocation, Origin::Call(from))
        };
        let asked = asked.about(|| About::http(&request.method, &request.path));
        self.call(asked, async |callee, call, admission| {
            speak(&call, &mut request.headers);
            match self.guard.load_full() {
                None => callee.invoke(call, request).await,
                Some(guard) => {
                    let call = (call, admission);
                    Box::pin(guard.invoke(self.callee.clone(), call, request)).await
                }
            }
        })
        .await
    }

    /// Asks for its health, and returns the status of the answer: by HTTP where it serves that, else by an invocation.
    pub(super) async fn probe(&self, path: &str) -> Result<u16> {
        let asked = Asked::new(Inbound::Health, Origin::Span(Trace::quiet()));
        let has_http = self.exports().http;
        self.call(asked, async |callee, call, admission| {
            if !has_http {
                let answer = callee.invoke(call, asked_for(path)).await?;
                return Ok(answer.status);
            }
            let uri = format!("http://{}{path}", self.id());
            let request = http::Request::get(uri).body(body_from(Bytes::new()));
            let request = request.map_err(|error| Error::invalid(error.to_string()))?;
            let answer = callee.http(call, admission, request).await?;
            Ok(answer.status().as_u16())
        })
        .await
    }

    /// Delivers an event. An error means the same as [`pubsub::Verdict::Retry`].
    pub async fn on_event(&self, delivery: pubsub::Delivery) -> Result<pubsub::Verdict> {
        let asked = Asked::new(Inbound::Event, Origin::Trace(delivery.trace));
        let asked = asked.about(|| About::topic(Some(&delivery.component), &delivery.topic));
        self.call(asked, async |callee, call, _admission| {
            callee.on_event(call, delivery).await
        })
        .await
    }

    /// Delivers a change of configuration.
    pub async fn on_change(&self, change: configuration::Change) -> Result<()> {
        let asked = Asked::new(Inbound::Change, Origin::start());
        self.call(asked, async |callee, call, _admission| {
            callee.on_change(call, change).await
        })
        .await
    }

    /// Delivers an input of a binding. Ok acknowledges, with the app's answer.
    pub async fn on_input(&self, origin: Origin<'_>, input: bindings::Input) -> Result<Bytes> {
        let asked = Asked::new(Inbound::Input, origin);
        self.call(asked, async |callee, call, _admission| {
            callee.on_input(call, input).await
        })
        .await
    }

    /// Runs an occurrence of a job.
    pub async fn run_job(&self, origin: Origin<'_>, occurrence: jobs::Occurrence) -> Result<()> {
        let asked = Asked::new(Inbound::Job, origin);
        self.call(asked, async |callee, call, _admission| {
            callee.run_job(call, occurrence).await
        })
        .await
    }

    /// Runs a workflow until it ends; the future may be dropped at any wait. All runs of an instance are one `span`.
    pub async fn run_workflow(
        &self,
        span: Trace,
        context: workflow::Context,
        name: String,
        input: Bytes,
    ) -> Result<Result<Bytes, String>> {
        let asked = Asked::new(Inbound::Workflow, Origin::Span(span));
        self.call(asked, async |callee, call, _admission| {
            callee.run_workflow(call, context, name, input).await
        })
        .await
    }

    /// Makes one attempt of an activity.
    pub async fn run_activity(
        &self,
        trace: Trace,
        activity: workflow::ActivityCall,
    ) -> Result<Result<Bytes, workflow::Failure>> {
        let asked = Asked::new(Inbound::Activity, Origin::Trace(trace));
        self.call(asked, async |callee, call, _admission| {
            callee.run_activity(call, activity).await
        })
        .await
    }

    /// Runs one turn of an actor, called by another call or woken by the host.
    pub async fn actor_turn(
        &self,
        origin: Origin<'_>,
        inside: actors::Inside,
        trigger: actors::Trigger,
    ) -> Result<Bytes> {
        let asked = Asked::new(Inbound::Turn, origin);
        self.call(asked, async |callee, call, _admission| {
            inside.turn.begin();
            callee.actor_turn(call.within(inside), trigger).await
        })
        .await
    }

    /// Forgets an actor whose activation is over. There is nobody to tell of a panic; its own words are on stderr.
    pub fn forget_actor(&self, actor: &actors::Actor) {
        let _ = catch_unwind(AssertUnwindSafe(|| self.callee.forget_actor(actor)));
    }
}

/// Questions of the host about what the app has.
impl App {
    /// Lists the app's own subscriptions; empty for one that exports no subscriber.
    pub async fn subscriptions(&self) -> Result<Vec<pubsub::Subscription>> {
        let ask = async |callee: &dyn Callee, call, _| callee.subscriptions(call).await;
        self.call(declaration(), ask).await
    }

    /// Lists the configuration that the app subscribes to; empty for one that exports no listener.
    pub async fn configurations(&self) -> Result<Vec<configuration::Subscription>> {
        let ask = async |callee: &dyn Callee, call, _| callee.configurations(call).await;
        self.call(declaration(), ask).await
    }

    /// Lists the input bindings that the app listens to; empty for one that exports no listener.
    pub async fn inputs(&self) -> Result<Vec<String>> {
        let ask = async |callee: &dyn Callee, call, _| callee.inputs(call).await;
        self.call(declaration(), ask).await
    }

    /// Lists the workflows that the app has; empty for one that exports no handler of them.
    pub async fn workflows(&self) -> Result<Vec<String>> {
        let ask = async |callee: &dyn Callee, call, _| callee.workflows(call).await;
        self.call(declaration(), ask).await
    }

    /// Lists the activities that the app has; empty for one that exports no handler of them.
    pub async fn activities(&self) -> Result<Vec<String>> {
        let ask = async |callee: &dyn Callee, call, _| callee.activities(call).await;
        self.call(declaration(), ask).await
    }

    /// Lists the types of actors that the app has; empty for one that exports no handler.
    pub async fn actor_types(&self) -> Result<Vec<actors::Type>> {
        let ask = async |callee: &dyn Callee, call, _| callee.actor_types(call).await;
        self.call(declaration(), ask).await
    }
}

fn declaration<T>() -> Asked<'static, T> {
    Asked::new(Inbound::Declaration, Origin::start())
}

fn asked_for(path: &str) -> invocation::Request {
    invocation::Request {
        method: "GET".into(),
        path: path.to_owned(),
        headers: Vec::new(),
        body: Bytes::new(),
    }
}

/// Puts the call's trace among the headers, in place of what the app that asks says of it.
fn speak(call: &Call, headers: &mut Vec<(String, Bytes)>) {
    let own = [TRACEPARENT, TRACESTATE];
    let is_own = |name: &str| {
        own.iter()
            .any(|own| name.eq_ignore_ascii_case(own.as_str()))
    };
    headers.retain(|(name, _)| !is_own(name));
    if call.carried().is_none() {
        let trace = Bytes::copy_from_slice(&call.trace().header());
        headers.reserve_exact(1);
        return headers.push((TRACEPARENT.to_string(), trace));
    }
    let mut own = HeaderMap::new();
    call.write_trace(&mut own);
    call.write_baggage(&mut own);
    for (name, value) in &own {
        let is_there = headers
            .iter()
            .any(|(known, _)| known.eq_ignore_ascii_case(name.as_str()));
        if !is_there {
            let value = Bytes::copy_from_slice(value.as_bytes());
            headers.push((name.to_string(), value));
        }
    }
}
