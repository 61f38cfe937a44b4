//! The failures of attempts: which of them a breaker counts, and which are tried again.

use crate::{Error, Kind};
use wythe_manifest::Matching;

/// A failure of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// An error.
    Error(Kind),
    /// An answer of HTTP whose status is 400 or more.
    Status(u16),
    /// An app that wants to be asked again.
    Again,
    /// An error that no other attempt changes, such as a chain of calls that is too long, or that says nothing of the
    /// target, such as a quota of the tenant that is used up.
    Final,
}

impl Failure {
    pub fn of(error: &Error) -> Self {
        match error.detail() {
            Some(_) => Failure::Final,
            None => Failure::Error(error.kind()),
        }
    }

    /// The failure that a status is, if it is one.
    pub fn of_status(status: u16) -> Option<Self> {
        (status >= 400).then_some(Failure::Status(status))
    }
}

/// The nature of a call: what it means to do it twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nature {
    /// It may be done twice.
    Idempotent,
    /// It may not: a write, a `POST`.
    Once,
    /// A turn of an actor, of which nothing is persisted where it failed.
    Turn,
    /// A delivery, which comes again anyway until it is done with.
    Delivery,
}

/// Statuses by which an app says that it did nothing: too many requests, unavailable.
const DID_NOTHING: [u16; 2] = [429, 503];

/// Returns whether a breaker counts it: what is the caller's own mistake says nothing about the target. As in Dapr, any
/// status of 400 or more is the app's.
pub fn is_counted(nature: Nature, failure: Failure) -> bool {
    match failure {
        Failure::Status(_) | Failure::Again => true,
        Failure::Final => false,
        Failure::Error(kind) => nature == Nature::Delivery || is_of_target(kind),
    }
}

/// Returns whether it may be tried again. A policy whose `matching` names it says so for calls of every nature; without
/// `matching` only what surely did not happen, or may happen twice, is tried again.
pub fn may_repeat(matching: &Matching, nature: Nature, failure: Failure) -> bool {
    match failure {
        Failure::Final => false,
        Failure::Again => true,
        Failure::Status(status) => match &matching.http {
            Some(codes) => codes.contain(status),
            None => nature != Nature::Once || DID_NOTHING.contains(&status),
        },
        // An etag that does not fit fits no better the second time.
        Failure::Error(Kind::Conflict) if nature != Nature::Delivery => false,
        Failure::Error(kind) => match is_named(matching, kind) {
            Some(is_named) => is_named,
            None => is_safe(nature, kind),
        },
    }
}

/// Returns whether what failed may have been done all the same, where that must not be done twice unknown to its caller.
pub fn may_have_happened(nature: Nature, failure: Failure) -> bool {
    match (nature, failure) {
        (Nature::Once, Failure::Status(status)) => !DID_NOTHING.contains(&status),
        (Nature::Once, Failure::Error(kind)) => {
            matches!(kind, Kind::UnknownOutcome | Kind::Timeout | Kind::Internal)
        }
        (Nature::Turn, Failure::Error(kind)) => kind == Kind::UnknownOutcome,
        _ => false,
    }
}

/// Returns whether the rule that is built in for drivers tries it again.
pub fn may_repeat_built_in(nature: Nature, failure: Failure) -> bool {
    match failure {
        Failure::Error(kind) => {
            kind.is_temporary() || (nature == Nature::Idempotent && kind == Kind::Timeout)
        }
        Failure::Status(_) | Failure::Again | Failure::Final => false,
    }
}

/// Returns whether a list names the error; absent where there is no list.
fn is_named(matching: &Matching, kind: Kind) -> Option<bool> {
    let http = matching
        .http
        .as_ref()
        .map(|codes| codes.contain(status(kind)));
    let grpc = matching
        .grpc
        .as_ref()
        .map(|codes| codes.contain(code(kind)));
    match (http, grpc) {
        (None, None) => None,
        (http, grpc) => Some(http == Some(true) || grpc == Some(true)),
    }
}

fn is_safe(nature: Nature, kind: Kind) -> bool {
    match kind {
        Kind::Unavailable | Kind::Exhausted => true,
        Kind::Timeout | Kind::Internal => nature != Nature::Once,
        Kind::UnknownOutcome => matches!(nature, Nature::Idempotent | Nature::Delivery),
        _ => nature == Nature::Delivery,
    }
}

fn is_of_target(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Timeout | Kind::Unavailable | Kind::Exhausted | Kind::UnknownOutcome | Kind::Internal
    )
}

/// The status by which `matching` names an error: that which it is over HTTP, but for an unknown outcome, so that whoever
/// writes 503 for what is unavailable repeats nothing that may have happened.
fn status(kind: Kind) -> u16 {
    match kind {
        Kind::UnknownOutcome => 500,
        kind => kind.status().as_u16(),
    }
}

/// The code of gRPC that is next to an error.
fn code(kind: Kind) -> u16 {
    match kind {
        Kind::UnknownOutcome => 2,
        Kind::Invalid => 3,
        Kind::Timeout => 4,
        Kind::NotFound => 5,
        Kind::Denied => 7,
        Kind::Exhausted => 8,
        Kind::Conflict => 10,
        Kind::Unsupported => 12,
        Kind::Internal => 13,
        Kind::Unavailable => 14,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wythe_manifest::parse_resources;

    fn matching(text: &str) -> Matching {
        let document = format!(
            "apiVersion: dapr.io/v1alpha1\nkind: Resiliency\nmetadata: {{ name: r }}\n\
             spec: {{ policies: {{ retries: {{ DefaultRetryPolicy: {{ matching: {text} }} }} }} }}\n"
        );
        let (resources, problems) = parse_resources(&document, "r.yaml".as_ref());
        assert!(problems.is_empty(), "{problems}");
        let retries = &resources.resiliencies[0].retries;
        retries["DefaultRetryPolicy"].value.matching.clone()
    }

    fn repeated(matching: &Matching, nature: Nature) -> Vec<&'static str> {
        let kinds = Kind::ALL.into_iter();
        let kinds = kinds.filter(|kind| may_repeat(matching, nature, Failure::Error(*kind)));
        kinds.map(Kind::as_str).collect()
    }

    #[test]
    fn without_matching_only_what_may_happen_twice_or_did_not_happen_is_tried_again() {
        let none = Matching::default();
        assert_eq!(repeated(&none, Nature::Once), ["unavailable", "exhausted"]);
        let idempotent = [
            "timeout",
            "unavailable",
            "exhausted",
            "unknown-outcome",
            "internal",
        ];
        assert_eq!(repeated(&none, Nature::Idempotent), idempotent);
        let turn = ["timeout", "unavailable", "exhausted", "internal"];
        assert_eq!(repeated(&none, Nature::Turn), turn);
        assert_eq!(repeated(&none, Nature::Delivery).len(), Kind::ALL.len());
        let status = |nature, status| may_repeat(&none, nature, Failure::Status(status));
        for code in [400, 404, 408, 409, 429, 500, 501, 502, 503, 504] {
            assert!(status(Nature::Idempotent, code));
            assert_eq!(status(Nature::Once, code), code == 429 || code == 503);
        }
    }

    #[test]
    fn matching_names_what_is_tried_again_whatever_it_is() {
        let grpc = matching("{ gRPCStatusCodes: \"2,4\" }");
        for nature in [Nature::Once, Nature::Idempotent, Nature::Turn] {
            assert_eq!(repeated(&grpc, nature), ["timeout", "unknown-outcome"]);
        }
        let http = matching("{ httpStatusCodes: \"429,500-503\" }");
        let named = [
            "unavailable",
            "exhausted",
            "unsupported",
            "unknown-outcome",
            "internal",
        ];
        assert_eq!(repeated(&http, Nature::Once), named);
        let status = |code| may_repeat(&http, Nature::Once, Failure::Status(code));
        assert_eq!([404, 429, 500, 504].map(status), [false, true, true, false]);
        // Codes of gRPC say nothing about an answer of HTTP.
        assert!(may_repeat(&grpc, Nature::Idempotent, Failure::Status(503)));
        let conflict = matching("{ httpStatusCodes: \"409\", gRPCStatusCodes: \"10\" }");
        assert!(
            repeated(&conflict, Nature::Idempotent).is_empty(),
            "an etag never"
        );
    }

    #[test]
    fn a_breaker_counts_what_is_not_the_callers_mistake() {
        let counted = Kind::ALL.into_iter();
        let counted = counted.filter(|kind| is_counted(Nature::Once, Failure::Error(*kind)));
        let counted: Vec<_> = counted.map(Kind::as_str).collect();
        let expected = [
            "timeout",
            "unavailable",
            "exhausted",
            "unknown-outcome",
            "internal",
        ];
        assert_eq!(counted, expected);
        assert!(is_counted(Nature::Idempotent, Failure::Status(404)));
        assert!(!is_counted(Nature::Turn, Failure::Final));
    }
}
