//! Types and blocks that this build has not, and what to write in their place.

use crate::Error;
use wythe_manifest::{Component, slip_of};

const BLOCKS: [&str; 9] = [
    "bindings",
    "configuration",
    "crypto",
    "jobs",
    "lock",
    "middleware",
    "pubsub",
    "secretstores",
    "state",
];

/// Types that Dapr has, with what to write in their place.
const INSTEAD: [(&str, &str); 3] = [
    (
        "middleware.http.opa",
        "write `middleware.http.routerchecker` for paths, `middleware.http.bearer` for who asks, and the rest into the app",
    ),
    (
        "middleware.http.sentinel",
        "write `middleware.http.ratelimit` for rates, `limits.concurrency` of the app for calls at once, and a circuit breaker in `Resiliency`",
    ),
    (
        "middleware.http.wasm",
        "write what it does into the app that is asked, which is a guest itself",
    ),
];

/// A type or a block that this build has not.
fn absent(component: &Component, asked: &str, known: &str, hint: Option<String>) -> Error {
    let hint = hint.map_or(String::new(), |hint| format!("; {hint}"));
    Error::invalid(format!(
        "component `{}`: `{asked}` is not in this build; this build has {known}{hint}",
        component.name
    ))
    .at(&component.source)
}

/// The error of a driver that is not there, where these are. What Dapr has and this build has not is no slip, so only a
/// letter's difference is taken for one.
pub(super) fn driver(
    component: &Component,
    block: &str,
    names: impl Iterator<Item = &'static str>,
) -> Error {
    let asked = component.kind();
    let known = names.map(|name| format!("{block}.{name}"));
    let known: Vec<_> = known.collect();
    let mut instead = INSTEAD.iter().filter(|(kind, _)| *kind == asked);
    let words = instead.next().map(|(_, words)| (*words).to_owned());
    let slip = || slip_of(&asked, known.iter().map(String::as_str));
    let hint = words.or_else(slip);
    absent(component, &asked, &known.join(", "), hint)
}

pub(crate) fn unknown_block(component: &Component) -> Error {
    let hint = slip_of(&component.block, BLOCKS);
    absent(component, &component.block, &BLOCKS.join(", "), hint)
}
