//! An app, and the only way into it. `App::call` is the choke point: the only place that calls the code of an app.

mod callee;
mod exports;
mod guarded;
mod health;
mod inbound;
mod kinds;
#[cfg(test)]
mod tests;
mod usage;

pub use callee::Callee;
pub use exports::Exports;
pub(crate) use guarded::Guard;
pub use health::Health;
pub use usage::Usage;

use crate::{
    Call, Error, Kind, Result, Trace,
    invocation::AccessPolicies,
    last::Last,
    metrics::{self, CallMetrics, Meters, Metrics, Outcome},
    panics,
    quota::{Held, Ledger},
    spans::{self, About, Recording, Span, Work},
    time::{self, Clock as _},
};
use arc_swap::ArcSwapOption;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use inbound::Inbound;
use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracing::Instrument;
use wythe_manifest::{Grants, HealthCheck, Limits, Metered, Name, Subscription};

/// Time after which a busy app may be asked again.
const BUSY: Duration = Duration::from_secs(1);
/// Time after the deadline for code that ends its calls itself, as guests do, and knows better why.
const GRACE: Duration = Duration::from_secs(1);

/// A streamed body between apps.
pub type Body = UnsyncBoxBody<Bytes, Error>;

/// A body that is all there already.
pub fn body_from(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into())
        .map_err(|never| match never {})
        .boxed_unsync()
}

/// An app's identity, with what it is granted and how much it may take.
#[derive(Clone)]
pub struct Profile {
    pub tenant: Name,
    pub id: Name,
    pub grants: Arc<Grants>,
    pub limits: Limits,
    /// The quotas of its tenant.
    pub ledger: Arc<Ledger>,
    /// Counts of what its code takes.
    pub meters: Arc<Meters>,
    /// Its health check, where it has one.
    pub health: Option<HealthCheck>,
}

impl Profile {
    /// A profile without grants and quotas, with the default limits.
    pub fn new(tenant: Name, id: Name) -> Self {
        Profile {
            ledger: Ledger::new(tenant.clone()),
            meters: Meters::of_app(tenant.clone(), &id),
            tenant,
            id,
            grants: Arc::default(),
            limits: Limits::default(),
            health: None,
        }
    }
}

/// One of the calls that an app may have at once (`limits.concurrency`), and its tenant (`quotas.calls`), until it is
/// dropped.
#[derive(Default)]
pub struct Admission {
    _permit: Option<OwnedSemaphorePermit>,
    _held: Option<Held>,
}

impl Admission {
    /// A call of a guest that is no app, in a place of its own.
    pub fn apart(place: OwnedSemaphorePermit) -> Self {
        Admission {
            _permit: Some(place),
            _held: None,
        }
    }
}

/// An app of a tenant.
pub struct App {
    profile: Profile,
    callee: Arc<dyn Callee>,
    permits: Arc<Semaphore>,
    pub(crate) metrics: Arc<CallMetrics>,
    last: Last,
    /// Its health, where that is looked at.
    checked: Option<health::Checked>,
    /// The handlers that its requests go through; absent where there are none.
    guard: ArcSwapOption<Guard>,
    /// The policies of requests from outside; absent before it has a tenant.
    access: ArcSwapOption<AccessPolicies>,
    /// True once its counts are shown: one that comes back is not counted twice.
    is_shown: AtomicBool,
}

/// The origin of a call: another call of this host, or no more than a trace.
#[derive(Clone, Copy)]
pub enum Origin<'a> {
    Call(&'a Call),
    /// The call is a child of this span.
    Trace(Trace),
    /// The call is this span itself: the first one of its trace, or one that was made when its cause was written down.
    Span(Trace),
}

/// A call that is to be made, with what its span says of it.
struct Asked<'a, T> {
    kind: Inbound,
    origin: Origin<'a>,
    /// Boxed, so that the future of a call stays small; absent where nothing is recorded.
    about: Option<Box<About>>,
    /// The status of an answer of HTTP.
    status: fn(&T) -> Option<u16>,
}

impl<'a, T> Asked<'a, T> {
    fn new(kind: Inbound, origin: Origin<'a>) -> Self {
        Asked {
            kind,
            origin,
            about: None,
            status: |_| None,
        }
    }

    /// The same call, whose span says more where there is one.
    fn about(mut self, about: impl FnOnce() -> About) -> Self {
        if spans::is_on() {
            self.about = Some(Box::new(about()));
        }
        self
    }
}

impl Origin<'static> {
    /// A cause outside of every trace.
    pub fn start() -> Self {
        Origin::Span(Trace::start())
    }
}

impl App {
    pub fn new(profile: Profile, callee: Arc<dyn Callee>) -> Arc<Self> {
        let (tenant, id) = (&profile.tenant, &profile.id);
        Arc::new(App {
            permits: Arc::new(Semaphore::new(profile.limits.concurrency as usize)),
            metrics: Arc::new(metrics::of_app(tenant, id, inbound::OPERATIONS)),
            last: Last::default(),
            checked: profile.health.clone().map(health::Checked::new),
            guard: ArcSwapOption::empty(),
            access: ArcSwapOption::empty(),
            is_shown: AtomicBool::new(false),
            callee,
            profile,
        })
    }

    pub fn tenant(&self) -> &Name {
        &self.profile.tenant
    }

    pub fn id(&self) -> &Name {
        &self.profile.id
    }

    pub fn grants(&self) -> &Arc<Grants> {
        &self.profile.grants
    }

    pub fn limits(&self) -> &Limits {
        &self.profile.limits
    }

    /// The quotas of its tenant, and the use of each.
    pub fn ledger(&self) -> &Arc<Ledger> {
        &self.profile.ledger
    }

    /// Puts handlers before the app, in place of those before.
    pub(crate) fn guard(&self, guard: Option<Guard>) {
        self.guard.store(guard.map(Arc::new));
    }

    /// Has these policies asked about requests from outside.
    pub(crate) fn judged_by(&self, access: &Arc<AccessPolicies>) {
        self.access.store(Some(access.clone()));
    }

    /// Shows its counts from now on, once.
    pub(crate) fn show(&self, metrics: &Metrics) {
        if !self.is_shown.swap(true, Relaxed) {
            metrics.watch(&self.metrics);
            metrics.watch(self.meters());
        }
    }

    /// Counts of what becomes of its calls, and of what its code takes.
    pub fn meters(&self) -> &Arc<Meters> {
        &self.profile.meters
    }

    pub fn exports(&self) -> Exports {
        self.callee.exports()
    }

    /// Says whether a subscription that is declared beside the apps is for this one. Without scopes it is for every
    /// subscriber that is granted the topic; one that names the app is for it, and then a missing grant is a problem.
    pub fn is_meant_by(&self, declared: &Subscription) -> bool {
        if !declared.scopes.is_empty() {
            return declared.scopes.contains(self.id());
        }
        let component = declared.component.as_str();
        self.exports().subscriber && self.grants().subscribe(component, &declared.topic)
    }

    /// Digest of the code that answers now; other code has another one.
    pub fn digest(&self) -> String {
        self.callee.digest()
    }

    /// Calls the app's code. Each stage has its reason to stand where it does, from the outside in:
    ///
    /// 1. *Metric*: it counts what the stages below refuse, too, and the time that a call waited for its permit.
    /// 2. *Span*: all that is logged below, a refusal among it, belongs to the call's trace.
    /// 3. *Health*: an app that is not well is asked for nothing, and takes no permit.
    /// 4. *Admission*: a call that is refused costs no more than the refusal. It comes before the deadline's timer, for
    ///    it keeps the deadline itself, and says which limit it waited for.
    /// 5. *Deadline*: code that does not end its calls itself is cut off.
    /// 6. *Panic*: innermost, so that the stages above see an error and do what they do with any other.
    fn call<'a, T, F>(
        &'a self,
        asked: Asked<'_, T>,
        run: impl FnOnce(&'a dyn Callee, Call, Admission) -> F,
    ) -> impl Future<Output = Result<T>>
    where
        F: Future<Output = Result<T>>,
    {
        let start = Instant::now();
        let (kind, status) = (asked.kind, asked.status);
        // What is asked is no part of the future: it would be there twice.
        let entered = self.enter(kind, asked.origin).map(|call| {
            let recording = self.record(kind, &call, asked.about);
            (call, recording)
        });
        async move {
            let (result, recorded) = match entered {
                Ok((call, recording)) => {
                    // What awaits the call has no room for its stages, but for their box.
                    let result = Box::pin(self.run(kind, call, run)).await;
                    let status = result.as_ref().ok().and_then(status);
                    if kind == Inbound::Http {
                        self.meters().answered(status.unwrap_or_default());
                    }
                    let recorded = recording.end(result.as_ref().err().map(Error::kind), status);
                    (result, recorded)
                }
                Err(error) => (Err(error), None),
            };
            let outcome = Outcome::of(&result);
            self.metrics
                .record(kind.operation(), outcome, start.elapsed(), recorded);
            result.inspect_err(|error| self.last.note(error))
        }
    }

    /// Begins the span of a call, if it is recorded. The questions of a host that starts are none of anybody's traces.
    fn record(&self, kind: Inbound, call: &Call, about: Option<Box<About>>) -> Recording {
        let trace = call.trace();
        let is_quiet = matches!(kind, Inbound::Declaration | Inbound::Health);
        let is_wanted = || trace.sampled && !is_quiet;
        spans::begin(is_wanted, || {
            let has_parent = !call.parent().is_some_and(Call::is_unrecorded);
            let parent = trace.parent.filter(|_| has_parent);
            let trace = Trace { parent, ..trace };
            let work = Work::App {
                kind: kind.name(),
                about: about.map_or(About::Nothing, |about| *about),
            };
            Span::new(trace, kind.role(), (self.tenant(), self.id()), work)
        })
    }

    /// The stages of [`App::call`] below the metric.
    async fn run<'a, T, F>(
        &'a self,
        kind: Inbound,
        call: Call,
        run: impl FnOnce(&'a dyn Callee, Call, Admission) -> F,
    ) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        let span = tracing::debug_span!(
            "app",
            kind = kind.name(),
            tenant = %self.tenant(),
            app = %self.id(),
            trace = %call.trace(),
            parent = call.trace().parent,
        );
        let stages = async {
            self.check_health(kind)?;
            let admission = self.admit(kind, &call).await?;
            let deadline = call.deadline();
            let what = || format!("`{}` of app `{}`", kind.name(), self.id());
            // In a box: each stage that is given a future has room for it twice, and what is over 1 KiB is slow to
            // allocate and leaves holes between what stays.
            let run = Box::pin(async { run(&*self.callee, call, admission).await });
            let answer = panics::caught(Kind::Internal, what, run);
            self.in_time(kind, deadline, answer).await
        };
        stages.instrument(span).await
    }

    /// The call that `origin` makes of this app: its chain and trace go on, and its deadline can only come nearer.
    fn enter(&self, kind: Inbound, origin: Origin<'_>) -> Result<Call> {
        let (id, grants) = (self.id().clone(), self.grants().clone());
        let limit = match kind {
            Inbound::Health => self.look_time(),
            _ => self.limits().wall_time,
        };
        let trace = match origin {
            Origin::Call(from) => return from.enter(id, grants, limit),
            Origin::Trace(trace) => trace.child(),
            Origin::Span(span) => span,
        };
        let (tenant, deadline) = (self.tenant().clone(), time::deadline(limit));
        Ok(Call::app(tenant, id, grants, trace, deadline))
    }

    /// Admits a call by the quotas of its tenant and the app's own limit. Only the limit is waited for, no longer than the
    /// caller would wait for the answer: calls that wait in a chain for a quota which the chain itself holds would never end.
    async fn admit(&self, kind: Inbound, call: &Call) -> Result<Admission> {
        let ledger = &self.profile.ledger;
        if !kind.is_counted() {
            return Ok(Admission::default());
        }
        let is_outside = kind == Inbound::Http && call.parent().is_none();
        if is_outside {
            ledger.admit_outside()?;
        }
        let permit = self.permit(kind, call, is_outside).await?;
        let held = ledger.hold(Metered::Calls, 1)?;
        Ok(Admission {
            _permit: permit,
            _held: Some(held),
        })
    }

    async fn permit(
        &self,
        kind: Inbound,
        call: &Call,
        is_outside: bool,
    ) -> Result<Option<OwnedSemaphorePermit>> {
        if let Ok(permit) = self.permits.clone().try_acquire_owned() {
            return Ok(Some(permit));
        }
        // A turn that others wait for, in a chain with calls of this app, must not wait until they are over.
        let from = call.parent();
        if kind == Inbound::Turn && from.is_some_and(|from| from.is_in_chain(self.id())) {
            return Ok(None);
        }
        let ledger = &self.profile.ledger;
        if is_outside {
            ledger.leave_room(Metered::WaitingCalls)?;
        }
        let _waiting = ledger.hold(Metered::WaitingCalls, 1)?;
        let _counted = self.meters().wait();
        let permit = self.permits.clone().acquire_owned();
        let in_time = Box::pin(tokio::time::timeout_at(call.deadline().into(), permit));
        match in_time.await {
            Ok(Ok(permit)) => Ok(Some(permit)),
            _ => Err(Error::exhausted(format!(
                "app `{}` is busy with {} calls; see `limits.concurrency`",
                self.id(),
                self.limits().concurrency
            ))
            .with_retry_after(BUSY)),
        }
    }

    async fn in_time<T>(
        &self,
        kind: Inbound,
        deadline: Instant,
        answer: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        if !kind.is_timed() {
            return answer.await;
        }
        let answer = tokio::time::timeout_at(deadline.after(GRACE).into(), answer).await;
        answer.unwrap_or_else(|_| {
            Err(Error::timeout(format!(
                "`{}` did not answer in time; see `limits.wallTime`",
                self.id()
            )))
        })
    }
}
