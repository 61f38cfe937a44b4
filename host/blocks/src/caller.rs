//! The identity, the deadline, the trace and the chain of one call. The host sets them, never a guest.

use crate::{Account, Error, account::Tab, actors::Inside, error::Cut, time};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::{
    cell::Cell,
    fmt::{self, Display},
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};
use wythe_manifest::{Grants, Name};

/// The longest chain of apps calling apps.
pub const MAX_CHAIN: usize = 16;

/// A W3C trace context: one trace through every app that a request reaches, with a span for each hop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trace {
    pub trace: u128,
    pub span: u64,
    /// The span that caused this one; absent at the root, and where the context came from outside.
    pub parent: Option<u64>,
    pub sampled: bool,
}

impl Trace {
    /// A new trace with a random id. Ids need to differ and nothing more, so they come from a fast generator that the
    /// operating system seeds once a thread.
    pub fn start() -> Self {
        let (high, low, span) = (next_random(), next_random(), next_random());
        Trace {
            trace: (u128::from(high) << 64 | u128::from(low)).max(1),
            span: span.max(1),
            parent: None,
            sampled: true,
        }
    }

    /// A new span of the same trace, caused by this one.
    #[must_use]
    pub fn child(self) -> Self {
        Trace {
            span: next_random().max(1),
            parent: Some(self.span),
            ..self
        }
    }

    /// Reads a `traceparent` header of version 00; anything else starts a new trace, as the standard says.
    pub fn parse(header: &str) -> Option<Self> {
        let mut parts = header.split('-');
        let (version, trace, span, flags) =
            (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let sizes = (version.len(), trace.len(), span.len(), flags.len());
        let ascii = header.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
        if sizes != (2, 32, 16, 2) || version != "00" || parts.next().is_some() || !ascii {
            return None;
        }
        let trace = u128::from_str_radix(trace, 16).ok().filter(|id| *id != 0)?;
        let span = u64::from_str_radix(span, 16).ok().filter(|id| *id != 0)?;
        let sampled = u8::from_str_radix(flags, 16).ok()? & 1 == 1;
        Some(Trace {
            trace,
            span,
            parent: None,
            sampled,
        })
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "00-{:032x}-{:016x}-{:02x}",
            self.trace,
            self.span,
            u8::from(self.sampled)
        )
    }
}

/// The text of the header; where there is one, `<` and the parent come after it. So a span goes into a record whole.
impl Serialize for Trace {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.parent {
            Some(parent) => serializer.collect_str(&format_args!("{self}<{parent:016x}")),
            None => serializer.collect_str(self),
        }
    }
}

impl<'de> Deserialize<'de> for Trace {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let (header, parent) = match text.split_once('<') {
            Some((header, parent)) => (header, Some(parent)),
            None => (text.as_str(), None),
        };
        let read = || {
            let parent = parent.map(|parent| u64::from_str_radix(parent, 16));
            Some((Trace::parse(header)?, parent.transpose().ok()?))
        };
        let (trace, parent) = read().ok_or_else(|| D::Error::custom("no trace context"))?;
        Ok(Trace { parent, ..trace })
    }
}

/// SplitMix64 (Steele, Lea and Flood, 2014), one sequence a thread.
pub(crate) fn next_random() -> u64 {
    thread_local! {
        static STATE: Cell<u64> = {
            let mut seed = [0; 8];
            // Without a seed ids repeat over threads, which spoils a trace and nothing else.
            let _ = getrandom::fill(&mut seed);
            Cell::new(u64::from_ne_bytes(seed))
        };
    }
    let state = STATE.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
    STATE.set(state);
    let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// Identity and limits of one call, cheap to clone.
#[derive(Clone)]
pub struct Caller(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    tenant: Name,
    app: Name,
    grants: Option<Arc<Grants>>,
    trace: Trace,
    deadline: Instant,
    /// Set once the answer has begun, which may then take longer than the wait for it; shared by all copies of the call.
    prolonged: Arc<OnceLock<Instant>>,
    parent: Option<Caller>,
    depth: usize,
    /// The turn that this call is, where it is an actor's.
    inside: Option<Inside>,
    /// The bytes that the host holds for the call; absent for the host's own calls, of which none are counted.
    tab: Option<Arc<Tab>>,
}

impl Caller {
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
    pub fn enter(&self, app: Name, grants: Arc<Grants>, limit: Duration) -> crate::Result<Self> {
        if self.0.depth >= MAX_CHAIN {
            return Err(Error::exhausted(format!(
                "the call chain is longer than {MAX_CHAIN}: {} -> {app}",
                self.chain()
            )));
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
        parent: Option<Caller>,
    ) -> Self {
        let depth = parent.as_ref().map_or(1, |parent| parent.0.depth + 1);
        Caller(Arc::new(Inner {
            tenant,
            app,
            grants,
            trace,
            deadline,
            prolonged: Arc::default(),
            parent,
            depth,
            inside: None,
            tab: None,
        }))
    }

    /// The same call as a turn of an actor.
    #[must_use]
    pub fn within(&self, inside: Inside) -> Self {
        Caller(Arc::new(Inner {
            inside: Some(inside),
            ..Inner::clone(&self.0)
        }))
    }

    /// The same call, whose bytes are drawn from `account`.
    #[must_use]
    pub fn with_account(&self, account: &Account) -> Self {
        Caller(Arc::new(Inner {
            tab: Some(Arc::new(Tab::new(account))),
            ..Inner::clone(&self.0)
        }))
    }

    /// Draws bytes that the host holds for this call, until [`Caller::settle`]; `exhausted` over the app's limit. The
    /// host's own calls are not counted.
    pub fn charge(&self, bytes: usize) -> crate::Result<()> {
        self.0.tab.as_ref().map_or(Ok(()), |tab| tab.charge(bytes))
    }

    /// Gives back all that this call drew: the host holds nothing for it any more.
    pub fn settle(&self) {
        if let Some(tab) = &self.0.tab {
            tab.settle();
        }
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
        std::iter::successors(Some(self), |caller| caller.parent()).filter_map(Caller::inside)
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
        Caller(Arc::new(Inner {
            deadline,
            prolonged: Arc::default(),
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
    ) -> crate::Result<()> {
        match self.grants() {
            Some(grants) if !is_granted(grants) => Err(Error::denied(format!(
                "app `{}` is not granted {}; add it to `grants: {{ {key}: [{}] }}` at {}",
                self.0.app,
                Cut(what),
                Cut(entry),
                grants.source.short()
            ))),
            _ => Ok(()),
        }
    }

    pub fn trace(&self) -> Trace {
        self.0.trace
    }

    /// The moment at which the call is over, never later than that of the caller before it.
    pub fn deadline(&self) -> Instant {
        let Some(prolonged) = self.0.prolonged.get() else {
            return self.0.deadline;
        };
        let parent = self.parent().map(Caller::deadline);
        parent.map_or(*prolonged, |parent| parent.min(*prolonged))
    }

    /// Moves the deadline of this call and of its clones, once: its answer has begun, and goes on for as long as it
    /// makes progress.
    pub fn prolong(&self, deadline: Instant) {
        let _ = self.0.prolonged.set(deadline);
    }

    /// The app that called this one, if an app did.
    pub fn parent(&self) -> Option<&Caller> {
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
