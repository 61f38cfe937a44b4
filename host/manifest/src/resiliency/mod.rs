//! `kind: Resiliency`: how long calls may take, which are tried again, and when a target is left alone for a while.

mod check;
mod defaults;
mod read;

use std::collections::BTreeMap;
use std::time::Duration;

use crate::expression::Trip;
use crate::name::{ComponentName, Name};
use crate::problem::Source;

pub(crate) use check::check;
pub use defaults::Aim;
pub(crate) use read::read;

/// Documents of one project.
pub(crate) const MAX_DOCUMENTS: usize = 100;

/// One document: its policies, and the targets that they are for.
#[derive(Clone, Debug)]
pub struct Resiliency {
    /// The name of the resource itself.
    pub name: ComponentName,
    /// The tenant it belongs to; none is every tenant that loads the file.
    pub namespace: Option<Name>,
    /// The apps that call, or to which is delivered; empty is all.
    pub scopes: Vec<Name>,
    /// The places of `scopes`.
    pub positions: Vec<Source>,
    /// The times that one attempt may take.
    pub timeouts: BTreeMap<String, Written<Duration>>,
    /// The ways to try again.
    pub retries: BTreeMap<String, Written<Retry>>,
    /// The circuit breakers.
    pub breakers: BTreeMap<String, Written<Breaker>>,
    /// The targets that are named, no two of one aim with the same name.
    pub targets: Vec<Target>,
    /// The place where it was written.
    pub source: Source,
}

/// A policy and its place.
#[derive(Clone, Debug)]
pub struct Written<T> {
    /// The policy.
    pub value: T,
    /// The place of its name.
    pub source: Source,
}

/// A way to try again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retry {
    /// The pauses.
    pub pace: Pace,
    /// Attempts after the first; none is without end.
    pub max_retries: Option<u32>,
    /// The failures that are tried again.
    pub matching: Matching,
}

/// The pauses between attempts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// Each is as long; default 5 s.
    Constant(Duration),
    /// Each is half as long again as the one before, from 500 ms up to this, for 15 minutes in all.
    Exponential(Duration),
}

/// The failures that a retry names; without lists it names none and takes what is safe to try again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Matching {
    /// Statuses of HTTP, 100 to 599.
    pub http: Option<Codes>,
    /// Codes of gRPC, 1 to 16.
    pub grpc: Option<Codes>,
}

/// Numbers and ranges of them, such as `429,500-599`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Codes(pub(crate) Vec<(u16, u16)>);

impl Codes {
    /// Returns whether a number is one of them.
    pub fn contain(&self, code: u16) -> bool {
        let mut ranges = self.0.iter();
        ranges.any(|(first, last)| (*first..=*last).contains(&code))
    }
}

/// A circuit breaker.
#[derive(Clone, Debug, PartialEq)]
pub struct Breaker {
    /// Attempts at once while it is half open, and successes after which it closes; default 1.
    pub max_requests: u32,
    /// The time after which counts begin anew while it is closed; none is never, the default.
    pub interval: Option<Duration>,
    /// The time that it stays open; default 60 s.
    pub timeout: Duration,
    /// The condition under which it opens; default `consecutiveFailures > 5`.
    pub trip: Trip,
}

/// Something that calls go to or come from, and the names of its policies.
#[derive(Clone, Debug)]
pub struct Target {
    /// Its sort, and the direction of its calls.
    pub aim: Aim,
    /// The app, the type of actors, or the component.
    pub name: String,
    /// The name of its timeout.
    pub timeout: Option<Named>,
    /// The name of its retry.
    pub retry: Option<Named>,
    /// The name of its circuit breaker.
    pub breaker: Option<Named>,
    /// The calls that share a breaker.
    pub scope: BreakerScope,
    /// Breakers of single actors that are remembered; default 5,000.
    pub cache: usize,
    /// The place where it was written.
    pub source: Source,
}

/// The name of a policy, as a target has it.
#[derive(Clone, Debug)]
pub struct Named {
    /// The name.
    pub name: String,
    /// The place where it was written.
    pub source: Source,
}

/// The calls that share a circuit breaker; of others than actors there is one for all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BreakerScope {
    /// Calls of one actor.
    Id,
    /// Calls of all actors of a type.
    #[default]
    Type,
    /// Each call has to pass both.
    Both,
}
