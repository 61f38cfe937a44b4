//! The one place where errors of a broker become those of the host.

use std::time::Duration;
use wythe_blocks::{Error, Result};

/// Numbers of errors, as the brokers have them.
pub(crate) const OFFSET_OUT_OF_RANGE: i16 = 1;
pub(crate) const UNKNOWN_TOPIC: i16 = 3;
pub(crate) const MESSAGE_TOO_LARGE: i16 = 10;
pub(crate) const NOTE_TOO_LARGE: i16 = 12;
pub(crate) const RECORD_LIST_TOO_LARGE: i16 = 18;
const LEADER_NOT_AVAILABLE: i16 = 5;
const NOT_LEADER: i16 = 6;
pub(crate) const REQUEST_TIMED_OUT: i16 = 7;
const REPLICA_NOT_AVAILABLE: i16 = 9;
const NETWORK: i16 = 13;
const COORDINATOR_LOADING: i16 = 14;
const COORDINATOR_NOT_AVAILABLE: i16 = 15;
const NOT_COORDINATOR: i16 = 16;
const INVALID_TOPIC: i16 = 17;
const NOT_ENOUGH_REPLICAS: i16 = 19;
pub(crate) const NOT_ENOUGH_REPLICAS_AFTER: i16 = 20;
pub(crate) const ILLEGAL_GENERATION: i16 = 22;
const INCONSISTENT_STRATEGY: i16 = 23;
pub(crate) const UNKNOWN_MEMBER: i16 = 25;
const INVALID_SESSION: i16 = 26;
pub(crate) const REBALANCE: i16 = 27;
const TOPIC_DENIED: i16 = 29;
const GROUP_DENIED: i16 = 30;
const CLUSTER_DENIED: i16 = 31;
const UNSUPPORTED_MECHANISM: i16 = 33;
const POLICY: i16 = 44;
pub(crate) const OUT_OF_SEQUENCE: i16 = 45;
pub(crate) const DUPLICATE_SEQUENCE: i16 = 46;
pub(crate) const INVALID_EPOCH: i16 = 47;
const STORAGE: i16 = 56;
const LOGIN_FAILED: i16 = 58;
pub(crate) const UNKNOWN_PRODUCER: i16 = 59;
const GROUP_TOO_MANY: i16 = 81;
const INVALID_RECORD: i16 = 87;
const THROTTLED: i16 = 89;

/// Returns whether the same request may succeed a moment later, perhaps at another broker.
pub(crate) fn passes(code: i16) -> bool {
    matches!(
        code,
        UNKNOWN_TOPIC
            | LEADER_NOT_AVAILABLE
            | NOT_LEADER
            | REQUEST_TIMED_OUT
            | REPLICA_NOT_AVAILABLE
            | NETWORK
            | COORDINATOR_LOADING
            | COORDINATOR_NOT_AVAILABLE
            | NOT_COORDINATOR
            | NOT_ENOUGH_REPLICAS
            | NOT_ENOUGH_REPLICAS_AFTER
            | STORAGE
            | THROTTLED
    )
}

/// The error of whoever comes after the end.
pub(crate) fn closed() -> Error {
    Error::unavailable("the component is closed")
}

/// An error unless the number says that there is none.
pub(crate) fn check(code: i16, about: &str) -> Result<()> {
    match code {
        0 => Ok(()),
        code => Err(of(code, about)),
    }
}

/// The error of a broker; `about` is what it was about, as the app knows it.
pub(crate) fn of(code: i16, about: &str) -> Error {
    let known = match code {
        TOPIC_DENIED => Error::denied(format!(
            "the user may not use {about}: grant it the operations that host/drivers/README.md lists"
        )),
        GROUP_DENIED => Error::denied(format!(
            "the user may not read as the group of {about}: grant it READ on the group"
        )),
        CLUSTER_DENIED => Error::denied(format!(
            "the user may not write idempotently: grant it IDEMPOTENT_WRITE on the cluster, for {about}"
        )),
        INVALID_TOPIC => Error::invalid(format!("the cluster takes no such name: {about}")),
        MESSAGE_TOO_LARGE | RECORD_LIST_TOO_LARGE => Error::invalid(format!(
            "{about} has more bytes than the topic takes: raise its `max.message.bytes`, or lower `maxMessageBytes`"
        )),
        POLICY | INVALID_RECORD => {
            Error::invalid(format!("the cluster's rules do not allow {about}"))
        }
        UNKNOWN_TOPIC => Error::unavailable(format!(
            "the cluster does not have {about} now: where it makes no topics by itself (`auto.create.topics.enable`), create it"
        )),
        NOT_ENOUGH_REPLICAS => Error::unavailable(format!(
            "too few replicas are in sync for {about} (`min.insync.replicas`)"
        )),
        INCONSISTENT_STRATEGY => Error::conflict(format!(
            "the members of the group of {about} share partitions out in another way: give all of them the same `consumerGroupRebalanceStrategy`"
        )),
        INVALID_SESSION => Error::invalid(format!(
            "`sessionTimeout` is outside of what the cluster allows (`group.min.session.timeout.ms`), for {about}"
        )),
        GROUP_TOO_MANY => Error::exhausted(format!("the group of {about} takes no more members")),
        THROTTLED => Error::exhausted(format!("a quota of the cluster is used up by {about}"))
            .with_retry_after(Duration::from_secs(1)),
        LOGIN_FAILED => Error::denied(
            "the broker refused the login: check `saslUsername`, `saslPassword` and `saslMechanism`",
        ),
        UNSUPPORTED_MECHANISM => Error::denied("the broker has no such login (`saslMechanism`)"),
        code if passes(code) => Error::unavailable(format!("the cluster is not ready for {about}")),
        _ => Error::internal(format!("the broker answered {about} with an error")),
    };
    known.with_source(format!("error {code} of the broker"))
}
