//! The identity, the deadline, the trace and the chain of one call. The host sets them, never a guest.

#[cfg(any(fuzzing, test))]
pub(crate) mod fuzzing;
#[cfg(test)]
mod tests;
mod trace;
mod wire;

pub use trace::{Carried, Trace};
pub(crate) use trace::{TRACESTATE, trace_or_none};
pub use wire::{CALL, TurnId};

use crate::{
    Account, Detail, Error, Result, account::Tab, actors::Inside, error::Cut, time, work::Meter,
};
use std::{
    fmt::Display,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};
use wythe_manifest::{Grants, Name, Source};

/// The longest chain of apps calling apps.
pub const MAX_CHAIN: usize = 16;

/// The end of one attempt.
struct Cap {
    until: Instant,
    is_lifted: AtomicBool,
}

impl Cap {
    fn until(&self) -> Option<Instant> {
        (!self.is_lifted.load(Relaxed)).then_some(self.until)
    }
}

/// Identity and limits of one call, cheap to clone.
#[derive(Clone)]
pub struct Call(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    tenant: Name,
    app: Name,
    grants: Option<Arc<Grants>>,
    trace: Trace,
    /// Additions of others to the trace; absent where that is nothing.
    carried: Option<Arc<Carried>>,
    deadline: Instant,
    /// Set once the answer has begun, which may then take longer than the wait for it; shared by all copies of the call.
    prolonged: Arc<OnceLock<Instant>>,
    /// The end of one attempt of what the call asks for, until its answer has begun.
    cap: Option<Arc<Cap>>,
    parent: Option<Call>,
    depth: usize,
    /// The turn that this call is, where it is an actor's of this host.
    inside: Option<Inside>,
    /// Its name; of a turn elsewhere no more than that is here.
    turn: Option<TurnId>,
    /// The bytes that the host holds for the call; absent for the host's own calls, of which none are counted.
    tab: Option<Arc<Tab>>,
}

impl Call {
    /// An app whose manifest grants are `grants`, entered from outside the host.
    pub fn app(
        tenant: Name,
        app: Name,
        grants: Arc<Grants>,
        trace: Trace,
        deadline: Instant,
    ) -> Self {
        Self::build(tenant, app, Some(grants), trace, deadline, None)
    }

    /// The operator at the command line: no grants apply, and scopes are those of `app`.
    pub fn operator(tenant: Name, app: Name, deadline: Instant) -> Self {
        Self::host(tenant, app, Trace::start(), deadline)
    }

    /// The host on its own, because of `trace`: no grants apply, and scopes are those of `app`.
    pub fn host(tenant: Name, app: Name, trace: Trace, deadline: Instant) -> Self {
        Self::build(tenant, app, None, trace, deadline, None)
    }

    /// `app`, called by `self`: the trace goes on, the deadline can only come nearer, the chain grows by one.
    pub fn enter(&self, app: Name, grants: Arc<Grants>, limit: Duration) -> Result<Self> {
        if self.0.depth >= MAX_CHAIN {
            return Err(Error::exhausted(format!(
                "the call chain is longer than {MAX_CHAIN}: {} -> {app}",
                self.chain()
            ))
            .with_detail(Detail::ChainTooLong));
        }
        let deadline = self.deadline().min(time::deadline(limit));
        let tenant = self.0.tenant.clone();
        Ok(Self::build(
            tenant,
            app,
            Some(grants),
            self.0.trace.child(),
            deadline,
            Some(self.clone()),
        ))
    }

    fn build(
        tenant: Name,
        app: Name,
        grants: Option<Arc<Grants>>,
        trace: Trace,
        deadline: Instant,
        parent: Option<Call>,
    ) -> Self {
        let depth = parent.as_ref().map_or(1, |parent| parent.0.depth + 1);
        Call(Arc::new(Inner {
            tenant,
            app,
            grants,
            trace,
            carried: parent.as_ref().and_then(|parent| parent.0.carried.clone()),
            deadline,
            prolonged: Arc::default(),
            cap: None,
            parent,
            depth,
            inside: None,
            turn: None,
            tab: None,
        }))
    }

    /// The same call as a turn of an actor.
    #[must_use]
    pub fn within(self, inside: Inside) -> Self {
        self.at(inside.id(), Some(inside))
    }

    /// The same call as a turn, which is not there where another host has it.
    fn at(self, id: TurnId, inside: Option<Inside>) -> Self {
        self.changed(|inner| (inner.turn, inner.inside) = (Some(id), inside))
    }

    /// Changes the call alone, in place where nobody else has it.
    fn changed(mut self, change: impl FnOnce(&mut Inner)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }

    /// The name of the turn that this call is, if it is one.
    pub fn turn_id(&self) -> Option<TurnId> {
        self.0.turn
    }

    /// The same call, whose bytes are drawn from `account`.
    #[must_use]
    pub fn with_account(self, account: &Account) -> Self {
        self.changed(|inner| inner.tab = Some(Arc::new(Tab::new(account))))
    }

    /// The same call, with what others put into its trace.
    #[must_use]
    pub fn carrying(self, carried: Carried) -> Self {
        let carried = (!carried.is_empty()).then(|| Arc::new(carried));
        self.changed(|inner| inner.carried = carried)
    }

    /// Additions of others to the trace, which go on with every call and every request to the outside.
    pub fn carried(&self) -> Option<&Carried> {
        self.0.carried.as_deref()
    }

    /// Draws bytes that the host holds for this call, until [`Call::settle`]; `exhausted` over the app's limit. The
    /// host's own calls are not counted.
    pub fn charge(&self, bytes: usize) -> Result<()> {
        self.0.tab.as_ref().map_or(Ok(()), |tab| tab.charge(bytes))
    }

    /// Gives back all that this call drew: the host holds nothing for it any more.
    pub fn settle(&self) {
        if let Some(tab) = &self.0.tab {
            tab.settle();
        }
    }

    /// CPU time that the host's threads used for this call since it was last asked for; none for the host's own calls.
    pub fn worked(&self) -> Duration {
        let tab = self.0.tab.as_ref();
        tab.map_or(Duration::ZERO, |tab| tab.meter().take())
    }

    pub(crate) fn meter(&self) -> Option<Arc<Meter>> {
        self.0.tab.as_ref().map(|tab| tab.meter().clone())
    }

    /// The account that whatever outlives the call draws from.
    pub fn account(&self) -> Option<Account> {
        self.0.tab.as_ref().map(|tab| tab.account())
    }

    /// The turn that this call is, if it is one.
    pub fn inside(&self) -> Option<&Inside> {
        self.0.inside.as_ref()
    }

    /// Turns of actors that wait for this call, the innermost first.
    pub(crate) fn turns(&self) -> impl Iterator<Item = &Inside> {
        std::iter::successors(Some(self), |caller| caller.parent()).filter_map(Call::inside)
    }

    pub fn tenant(&self) -> &Name {
        &self.0.tenant
    }

    pub fn app_id(&self) -> &Name {
        &self.0.app
    }

    /// Absent for the operator, to whom everything is granted.
    pub fn grants(&self) -> Option<&Grants> {
        self.0.grants.as_deref()
    }

    /// The same call with more time, for what the host has to finish after its caller has gone.
    pub(crate) fn until(&self, deadline: Instant) -> Self {
        Call(Arc::new(Inner {
            deadline,
            prolonged: Arc::default(),
            cap: None,
            ..Inner::clone(&self.0)
        }))
    }

    /// Refuses what the manifest does not grant, with the line to add: `key` and `entry` of `grants`. Texts are made only
    /// for a refusal, so `format_args!` costs a granted call nothing.
    pub(crate) fn require_grant(
        &self,
        is_granted: impl FnOnce(&Grants) -> bool,
        what: impl Display,
        key: &str,
        entry: impl Display,
    ) -> Result<()> {
        let refused = match self.grants() {
            Some(grants) if let Some(place) = grants.closed(key) => self.closed(key, place),
            Some(grants) if !is_granted(grants) => Error::denied(format!(
                "app `{}` is not granted {}; add it to `grants: {{ {key}: [{}] }}` at {}",
                self.0.app,
                Cut(what),
                Cut(entry),
                grants.source.short()
            )),
            _ => return Ok(()),
        };
        tracing::warn!(tenant = %self.tenant(), app = %self.0.app, trace = %self.trace(), "denied: {}", refused.message());
        Err(refused)
    }

    /// The refusal of a key of grants that `api` of a `Configuration` closes.
    fn closed(&self, key: &str, place: &Source) -> Error {
        Error::denied(format!(
            "`{key}` is denied to app `{}`, whatever it is granted; see `api` of the Configuration at {}",
            self.0.app,
            place.short()
        ))
    }

    pub fn trace(&self) -> Trace {
        self.0.trace
    }

    /// True for what the host or the operator does outside of every trace: none of it is a span that is recorded.
    pub(crate) fn is_unrecorded(&self) -> bool {
        self.0.grants.is_none() && self.0.parent.is_none() && self.0.trace.parent.is_none()
    }

    /// The moment at which the call is over, never later than that of the caller before it.
    pub fn deadline(&self) -> Instant {
        let deadline = match self.0.prolonged.get() {
            None => self.0.deadline,
            Some(prolonged) => {
                let parent = self.parent().map(Call::deadline);
                parent.map_or(*prolonged, |parent| parent.min(*prolonged))
            }
        };
        let cap = self.0.cap.as_ref().and_then(|cap| cap.until());
        cap.map_or(deadline, |cap| cap.min(deadline))
    }

    /// The same call for one attempt of what it asks for, which has no longer than `until`: all that is done for the
    /// attempt knows it as its deadline.
    #[must_use]
    pub(crate) fn capped(&self, until: Instant) -> Self {
        Call(Arc::new(Inner {
            cap: Some(Arc::new(Cap {
                until,
                is_lifted: AtomicBool::new(false),
            })),
            ..Inner::clone(&self.0)
        }))
    }

    /// Says that the answer of a capped call has begun: from now on it has the time of its caller.
    pub(crate) fn lift_cap(&self) {
        if let Some(cap) = &self.0.cap {
            cap.is_lifted.store(true, Relaxed);
        }
    }

    /// Moves the deadline of this call and of its clones, once: its answer has begun, and goes on for as long as it
    /// makes progress.
    pub fn prolong(&self, deadline: Instant) {
        let _ = self.0.prolonged.set(deadline);
    }

    /// The app that called this one, if an app did.
    pub fn parent(&self) -> Option<&Call> {
        self.0.parent.as_ref()
    }

    /// Tells whether an app of this id is part of the chain.
    pub fn is_in_chain(&self, app: &Name) -> bool {
        let mut chain = std::iter::successors(Some(self), |caller| caller.parent());
        chain.any(|caller| caller.app_id() == app)
    }

    /// `storefront -> checkout -> cart`.
    pub fn chain(&self) -> String {
        match self.parent() {
            Some(parent) => format!("{} -> {}", parent.chain(), self.0.app),
            None => self.0.app.to_string(),
        }
    }
}
