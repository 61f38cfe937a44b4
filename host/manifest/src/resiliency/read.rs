//! Reading one document: each number has its range, and each key is one that is enforced.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::{
    Aim, Breaker, BreakerScope, Codes, Matching, Named, Pace, Resiliency, Retry, Target, Written,
};
use crate::component::read_head;
use crate::expression::{Expression, Trip};
use crate::name::{ComponentName, Name, shown};
use crate::problem::Source;
use crate::quantity;
use crate::reader::{At, Fields};
use crate::yaml::Entry;

/// Policies of one kind, and targets of one aim, of a document.
const MAX_ENTRIES: usize = 1_000;
/// Apps in `scopes`.
const MAX_SCOPES: usize = 100;
/// Bytes of the name of a policy, or of a type of actors.
const MAX_NAME: usize = 256;
/// Ranges in a list of codes: each code could stand alone.
const MAX_CODES: usize = 600;
/// Attempts after the first, where their number is written.
const MAX_RETRIES: u32 = 1_000;
const MAX_REQUESTS: u32 = 10_000;
const MAX_CACHE: u32 = 100_000;
/// Breakers of single actors, as in Dapr.
const CACHE: usize = 5_000;
/// A timeout or a pause: shorter ones are nothing to a clock of the runtime, longer ones are no such thing any more.
const TIMES: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(86_400);

const CONSTANT: Duration = Duration::from_secs(5);
const MAX_INTERVAL: Duration = Duration::from_secs(60);
const OPEN: Duration = Duration::from_secs(60);

const TARGET: [&str; 4] = [
    "timeout",
    "retry",
    "circuitBreaker",
    "circuitBreakerCacheSize",
];
const ACTOR: [&str; 5] = [
    "timeout",
    "retry",
    "circuitBreaker",
    "circuitBreakerScope",
    "circuitBreakerCacheSize",
];

/// Reads one document of `kind: Resiliency`.
pub(crate) fn read(document: &At) -> Option<Resiliency> {
    let fields = document.fields(&["apiVersion", "kind", "metadata", "spec", "scopes"])?;
    let head = read_head(&fields);
    let positions = fields.scalars("scopes");
    if positions.len() > MAX_SCOPES {
        positions[MAX_SCOPES]
            .0
            .error(&format!("more than {MAX_SCOPES} apps; write none for all"));
        return None;
    }
    let what = "it holds `policies` and `targets`";
    let spec = fields.demand("spec", what, |at| at.fields(&["policies", "targets"]))?;
    let policies = spec.read("policies", |at| {
        at.fields(&["timeouts", "retries", "circuitBreakers"])
    });
    let policies = policies.as_ref();
    let targets = spec.read("targets", |at| at.fields(&["apps", "actors", "components"]));
    Some(Resiliency {
        namespace: head.namespace,
        positions: positions
            .iter()
            .filter(|(_, text)| text.parse::<Name>().is_ok())
            .map(|(at, _)| at.source())
            .collect(),
        scopes: head.scopes,
        timeouts: named(policies, "timeouts", |at| time(at, TIMES)),
        retries: named(policies, "retries", read_retry),
        breakers: named(policies, "circuitBreakers", read_breaker),
        targets: targets.map(|at| read_targets(&at)).unwrap_or_default(),
        source: document.source(),
        name: head.name?,
    })
}

/// Entries of a mapping, no more than there may be.
fn bounded<'a>(fields: &Fields<'a>, key: &str) -> Vec<(&'a Entry, At<'a>)> {
    let Some(at) = fields.get(key) else {
        return Vec::new();
    };
    let mut entries = at.entries().unwrap_or_default();
    if entries.len() > MAX_ENTRIES {
        at.error(&format!(
            "has {} entries; at most {MAX_ENTRIES} are allowed in a document",
            entries.len()
        ));
        entries.clear();
    }
    entries.retain(|(entry, at)| {
        let fits = !entry.key.is_empty() && entry.key.len() <= MAX_NAME;
        let fits = fits && !entry.key.contains(char::is_control);
        if !fits {
            at.error(&format!(
                "expected a name of 1 to {MAX_NAME} bytes without control characters"
            ));
        }
        fits
    });
    entries
}

fn named<'a, T>(
    policies: Option<&Fields<'a>>,
    key: &str,
    read: impl Fn(&At<'a>) -> Option<T>,
) -> BTreeMap<String, Written<T>> {
    let entries = policies
        .map(|policies| bounded(policies, key))
        .unwrap_or_default();
    let one = |(entry, at): (&Entry, At<'a>)| {
        let source = place(entry, &at);
        Some((
            entry.key.clone(),
            Written {
                value: read(&at)?,
                source,
            },
        ))
    };
    entries.into_iter().filter_map(one).collect()
}

/// The place of a key.
fn place(entry: &Entry, at: &At) -> Source {
    Source {
        line: entry.position.line,
        column: entry.position.column,
        ..at.source()
    }
}

fn time(at: &At, range: RangeInclusive<Duration>) -> Option<Duration> {
    let time = Duration::from(at.quantity::<quantity::Duration>()?);
    if range.contains(&time) {
        return Some(time);
    }
    let [first, last] = [range.start(), range.end()].map(|end| quantity::Duration(*end));
    at.error(&format!(
        "expected {first} to {last}, found `{}`",
        quantity::Duration(time)
    ));
    None
}

fn count(at: &At, range: RangeInclusive<u32>) -> Option<u32> {
    let count = at.count()?;
    if range.contains(&count) {
        return Some(count);
    }
    let (first, last) = (range.start(), range.end());
    at.error(&format!("expected {first} to {last}, found `{count}`"));
    None
}

fn read_retry(at: &At) -> Option<Retry> {
    let fields = at.fields(&[
        "policy",
        "duration",
        "maxInterval",
        "maxRetries",
        "matching",
    ])?;
    let duration = fields.read("duration", |at| time(at, TIMES));
    let interval = fields.read("maxInterval", |at| time(at, TIMES));
    let pace = match fields.get("policy") {
        Some(at) => read_pace(&at, duration, interval)?,
        None => Pace::Constant(duration.unwrap_or(CONSTANT)),
    };
    let (key, of) = match pace {
        Pace::Constant(_) => ("maxInterval", "constant"),
        Pace::Exponential(_) => ("duration", "exponential"),
    };
    fields.warn_of(
        &[key],
        &format!("no effect with `{of}`, as in Dapr; remove it"),
    );
    let max = fields.get("maxRetries");
    let is_endless = max.as_ref().is_none_or(|at| at.text() == Some("-1"));
    let max_retries = match max.filter(|_| !is_endless) {
        Some(at) => Some(count(&at, 0..=MAX_RETRIES)?),
        None => None,
    };
    let matching = match fields.get("matching") {
        Some(at) => read_matching(&at)?,
        None => Matching::default(),
    };
    Some(Retry {
        pace,
        max_retries,
        matching,
    })
}

fn read_pace(at: &At, duration: Option<Duration>, interval: Option<Duration>) -> Option<Pace> {
    match at.text()? {
        "constant" => Some(Pace::Constant(duration.unwrap_or(CONSTANT))),
        "exponential" => Some(Pace::Exponential(interval.unwrap_or(MAX_INTERVAL))),
        other => {
            at.error(&format!(
                "expected `constant` or `exponential`, found `{}`",
                shown(other)
            ));
            None
        }
    }
}

fn read_matching(at: &At) -> Option<Matching> {
    let fields = at.fields(&["httpStatusCodes", "gRPCStatusCodes"])?;
    // A list that cannot be read must not become all codes.
    let codes = |key: &str, range: RangeInclusive<u16>| match fields.get(key) {
        Some(at) => read_codes(&at, &range).map(Some),
        None => Some(None),
    };
    let (http, grpc) = (
        codes("httpStatusCodes", 100..=599),
        codes("gRPCStatusCodes", 1..=16),
    );
    Some(Matching {
        http: http?,
        grpc: grpc?,
    })
}

fn read_codes(at: &At, range: &RangeInclusive<u16>) -> Option<Codes> {
    let text = at.filled()?;
    let number = |text: &str| {
        let number = text.trim().parse::<u16>().ok();
        number.filter(|number| range.contains(number))
    };
    let part = |text: &str| match text.split_once('-') {
        None => number(text).map(|one| (one, one)),
        Some((first, last)) => {
            let both = number(first).zip(number(last));
            both.filter(|(first, last)| first <= last)
        }
    };
    let parts: Option<Vec<_>> = text.split(',').take(MAX_CODES + 1).map(part).collect();
    let codes = parts.filter(|parts| parts.len() <= MAX_CODES).map(Codes);
    if codes.is_none() {
        let (first, last) = (range.start(), range.end());
        at.error(&format!(
            "expected numbers and ranges of {first} to {last} with commas, such as `{first},{first}-{last}`, found `{}`",
            shown(text)
        ));
    }
    codes
}

fn read_breaker(at: &At) -> Option<Breaker> {
    let fields = at.fields(&["maxRequests", "interval", "timeout", "trip"])?;
    let max_requests = match fields.get("maxRequests") {
        Some(at) => count(&at, 0..=MAX_REQUESTS)?.max(1),
        None => 1,
    };
    let interval = match fields.get("interval") {
        Some(at) => time(&at, Duration::ZERO..=*TIMES.end())?,
        None => Duration::ZERO,
    };
    let timeout = match fields.get("timeout") {
        Some(at) => time(&at, TIMES)?,
        None => OPEN,
    };
    let trip = match fields.get("trip") {
        Some(at) => read_trip(&at)?,
        None => Trip::after_five(),
    };
    Some(Breaker {
        max_requests,
        interval: Some(interval).filter(|interval| !interval.is_zero()),
        timeout,
        trip,
    })
}

fn read_trip(at: &At) -> Option<Trip> {
    let text = at.filled()?;
    let parsed = Trip::parse(text);
    let reported = |wrong| {
        at.error(&format!(
            "the condition `{}` {wrong}",
            Expression::shown(text)
        ))
    };
    parsed.map_err(reported).ok()
}

fn read_targets(fields: &Fields) -> Vec<Target> {
    let mut targets = Vec::new();
    for (entry, at) in bounded(fields, "apps") {
        if let Err(error) = entry.key.parse::<Name>() {
            at.error(&error.to_string());
        }
        targets.extend(read_target(entry, &at, Aim::App, &TARGET));
    }
    for (entry, at) in bounded(fields, "actors") {
        targets.extend(read_target(entry, &at, Aim::Actor, &ACTOR));
    }
    for (entry, at) in bounded(fields, "components") {
        if let Err(error) = entry.key.parse::<ComponentName>() {
            at.error(&error.to_string());
        }
        let directions = at.fields(&["inbound", "outbound"]);
        for (key, aim) in [("inbound", Aim::Inbound), ("outbound", Aim::Outbound)] {
            let one = directions.as_ref().and_then(|fields| fields.get(key));
            targets.extend(one.and_then(|at| read_target(entry, &at, aim, &TARGET[..3])));
        }
    }
    targets
}

fn read_target(entry: &Entry, at: &At, aim: Aim, keys: &[&str]) -> Option<Target> {
    let fields = at.fields(keys)?;
    let policy = |key| {
        let at = fields.get(key)?;
        let name = at.filled()?.to_owned();
        Some(Named {
            name,
            source: at.source(),
        })
    };
    let breaker = policy("circuitBreaker");
    let scope = fields.get("circuitBreakerScope");
    if aim == Aim::Actor && breaker.is_some() && scope.is_none() {
        fields.missing("circuitBreakerScope", "`id`, `type` or `both`");
    }
    let cache = fields.read("circuitBreakerCacheSize", |at| {
        if aim == Aim::App {
            at.warn("has no effect: an app has one circuit breaker");
        }
        count(at, 1..=MAX_CACHE)
    });
    Some(Target {
        aim,
        name: entry.key.clone(),
        timeout: policy("timeout"),
        retry: policy("retry"),
        breaker,
        scope: scope.and_then(|at| read_scope(&at)).unwrap_or_default(),
        cache: cache.map_or(CACHE, |cache| cache as usize),
        source: place(entry, at),
    })
}

fn read_scope(at: &At) -> Option<BreakerScope> {
    match at.text()? {
        "id" => Some(BreakerScope::Id),
        "type" => Some(BreakerScope::Type),
        "both" => Some(BreakerScope::Both),
        other => {
            at.error(&format!(
                "expected `id`, `type` or `both`, found `{}`",
                shown(other)
            ));
            None
        }
    }
}
