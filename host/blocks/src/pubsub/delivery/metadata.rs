//! The metadata of a subscription: its group, its attempts, its dead letters.

use crate::{
    Component, Error, Result, Trace,
    pubsub::{Configured, SubscribeOptions, Subscription, check_topic},
};
use wythe_manifest::Name;

/// Bytes of a consumer group's name.
const MAX_GROUP: usize = 256;
/// Attempts after which an event goes to the dead letter topic, where there is one.
const ATTEMPTS: u32 = 10;

pub(super) fn group(
    app: &Name,
    component: &Component<Configured>,
    subscription: &Subscription,
) -> Result<(String, SubscribeOptions)> {
    let ephemeral = flag(subscription, "broadcast")?;
    let configured = component.driver().consumer.clone();
    let named = subscription.metadata.get("consumerGroup").cloned();
    let mut group = named.or(configured).unwrap_or_else(|| app.to_string());
    check_group(&group)?;
    if ephemeral {
        group = format!("{group}-{:032x}", Trace::start().trace);
    }
    let metadata = subscription.metadata.clone();
    Ok((
        group,
        SubscribeOptions {
            ephemeral,
            metadata,
        },
    ))
}

/// A letter that comes back to its topic would be a letter again.
pub(super) fn check_dead(dead: &str, topic: &str) -> Result<()> {
    check_topic(dead)?;
    if dead == topic {
        return Err(Error::invalid(format!(
            "the dead letter topic of `{topic}` is the topic itself: what cannot be delivered would come again for ever"
        )));
    }
    Ok(())
}

/// Drivers keep names of their own apart by control characters.
fn check_group(name: &str) -> Result<()> {
    if name.is_empty() || name.len() > MAX_GROUP || name.contains(char::is_control) {
        return Err(Error::invalid(format!(
            "the consumer group `{}`; expected 1 to {MAX_GROUP} bytes without control characters",
            name.escape_debug()
        )));
    }
    Ok(())
}

pub(super) fn flag(subscription: &Subscription, name: &str) -> Result<bool> {
    match subscription.metadata.get(name).map(String::as_str) {
        None | Some("false" | "False" | "FALSE") => Ok(false),
        Some("true" | "True" | "TRUE") => Ok(true),
        Some(other) => Err(Error::invalid(format!(
            "`{name}: {other}` of the subscription to `{}`; expected true or false",
            subscription.topic
        ))),
    }
}

pub(super) fn attempts(subscription: &Subscription) -> Result<Option<u32>> {
    let default = subscription.dead_letter_topic.as_ref().map(|_| ATTEMPTS);
    let Some(text) = subscription.metadata.get("maxDeliveryAttempts") else {
        return Ok(default);
    };
    match text.parse() {
        Ok(count) if count > 0 => Ok(Some(count)),
        _ => Err(Error::invalid(format!(
            "`maxDeliveryAttempts: {text}` of the subscription to `{}`; expected a whole number of at least 1",
            subscription.topic
        ))),
    }
}
