//! Attempts of a message: those that a header counts, and those that the server does.

use crate::settings::QueueType;
use lapin::{
    BasicProperties,
    types::{AMQPValue, FieldTable},
};

/// The header with the attempts before this copy of a message was stored.
const ATTEMPTS: &str = "wythe-attempts";
/// The header by which a quorum queue counts how often a message came back.
const RETURNS: &str = "x-delivery-count";

/// The attempt that a delivery is, and the one that the next would be if it went back to the queue as it is.
pub(super) fn attempts(
    kind: QueueType,
    properties: &BasicProperties,
    is_again: bool,
) -> (u32, u32) {
    let before = number(properties, ATTEMPTS);
    let (now, next) = match kind {
        QueueType::Quorum => {
            let returns = number(properties, RETURNS);
            (returns, returns.saturating_add(1))
        }
        // A classic queue says whether, and not how often.
        QueueType::Classic => (u32::from(is_again), 1),
    };
    let attempt = |times: u32| before.saturating_add(times).saturating_add(1);
    (attempt(now), attempt(next))
}

fn number(properties: &BasicProperties, name: &str) -> u32 {
    let headers = properties.headers().as_ref();
    let value = headers.and_then(|headers| headers.inner().get(name));
    let number = match value {
        Some(AMQPValue::LongLongInt(number)) => *number,
        Some(AMQPValue::LongInt(number)) => i64::from(*number),
        Some(AMQPValue::LongUInt(number)) => i64::from(*number),
        Some(AMQPValue::ShortInt(number)) => i64::from(*number),
        Some(AMQPValue::ShortShortInt(number)) => i64::from(*number),
        Some(AMQPValue::ShortShortUInt(number)) => i64::from(*number),
        _ => 0,
    };
    u32::try_from(number.max(0)).unwrap_or(u32::MAX)
}

/// The properties of a copy of a message that is stored anew, with the attempts so far.
pub(super) fn again(properties: &BasicProperties, attempts: u32) -> BasicProperties {
    let mut headers = properties.headers().clone().unwrap_or_default();
    headers.insert(ATTEMPTS.into(), AMQPValue::LongLongInt(attempts.into()));
    let mut left = FieldTable::default();
    // The server counts anew.
    for (name, value) in &headers {
        if name.as_str() != RETURNS {
            left.insert(name.clone(), value.clone());
        }
    }
    // The user who published it is another one, so that the server would refuse his name.
    let mut copy = BasicProperties::default().with_headers(left);
    let delivery_mode = properties.delivery_mode().unwrap_or(2);
    copy = copy.with_delivery_mode(delivery_mode);
    if let Some(value) = properties.content_type() {
        copy = copy.with_content_type(value.clone());
    }
    if let Some(value) = properties.priority() {
        copy = copy.with_priority(*value);
    }
    if let Some(value) = properties.expiration() {
        copy = copy.with_expiration(value.clone());
    }
    if let Some(value) = properties.message_id() {
        copy = copy.with_message_id(value.clone());
    }
    copy
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(pairs: &[(&str, i64)]) -> BasicProperties {
        let mut headers = FieldTable::default();
        for (name, number) in pairs {
            headers.insert((*name).into(), AMQPValue::LongLongInt(*number));
        }
        BasicProperties::default().with_headers(headers)
    }

    #[test]
    fn attempts_are_those_of_the_header_and_those_of_the_server() {
        use QueueType::{Classic, Quorum};
        let cases = [
            (Quorum, with(&[]), true, (1, 2)),
            (Quorum, with(&[(RETURNS, 2)]), true, (3, 4)),
            (Quorum, with(&[(ATTEMPTS, 4), (RETURNS, 2)]), true, (7, 8)),
            (Classic, with(&[]), false, (1, 2)),
            (Classic, with(&[]), true, (2, 2)),
            (Classic, with(&[(ATTEMPTS, 4)]), true, (6, 6)),
            (Quorum, with(&[(ATTEMPTS, -4)]), false, (1, 2)),
            (
                Quorum,
                with(&[(ATTEMPTS, i64::MAX)]),
                false,
                (u32::MAX, u32::MAX),
            ),
        ];
        for (kind, properties, is_again, expected) in cases {
            assert_eq!(attempts(kind, &properties, is_again), expected);
        }
    }

    #[test]
    fn a_copy_counts_on() {
        let copy = again(&with(&[(RETURNS, 3), ("mine", 1)]), 5);
        assert_eq!(attempts(QueueType::Quorum, &copy, false), (6, 7));
        assert_eq!(number(&copy, "mine"), 1);
    }
}
