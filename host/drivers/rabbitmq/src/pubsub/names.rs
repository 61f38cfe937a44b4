//! Names of queues, and the metadata of a subscription that are about its queue.

use crate::{
    fault::short,
    queue::Queue,
    settings::{Limit, QueueType},
};
use lapin::types::{AMQPValue, ShortString};
use parking_lot::Mutex;
use std::collections::HashMap;
use wythe_blocks::{Error, Result, pubsub::SubscribeOptions};

/// The queues of the component by their names. Dapr joins group and topic by a dash, which may be in both: a queue of two
/// pairs would mix their messages.
#[derive(Default)]
pub(super) struct Names {
    by_name: Mutex<HashMap<String, (String, String)>>,
}

impl Names {
    /// The queue of a group, as Dapr names it.
    pub fn lasting(&self, group: &str, topic: &str) -> Result<ShortString> {
        let name = format!("{group}-{topic}");
        let short = short("the name of the queue, `GROUP-TOPIC`,", &name)?;
        let mut by_name = self.by_name.lock();
        let pair = (group.to_owned(), topic.to_owned());
        let known = by_name.entry(name).or_insert_with(|| pair.clone());
        match *known == pair {
            true => Ok(short),
            false => Err(Error::conflict(format!(
                "group `{group}` of topic `{topic}` would share its queue `{short}` with group `{}` of topic `{}`: give the subscription another `consumerGroup`",
                known.0, known.1
            ))),
        }
    }

    /// The queue of a group that ends with its last member; such a group has a name that no other one has.
    pub fn passing(group: &str, topic: &str) -> Result<ShortString> {
        short(
            "the name of the queue, `GROUP-TOPIC-passing`,",
            &format!("{group}-{topic}-passing"),
        )
    }
}

fn wrong(name: &str, expected: &str) -> Error {
    Error::invalid(format!("`{name}` of the subscription: expected {expected}"))
}

/// Dapr's `queueType`, where a subscription has it.
pub(super) fn queue_type(options: &SubscribeOptions) -> Result<Option<QueueType>> {
    match options.metadata.get("queueType").map(String::as_str) {
        None | Some("") => Ok(None),
        Some("quorum") => Ok(Some(QueueType::Quorum)),
        Some("classic") => Ok(Some(QueueType::Classic)),
        Some(_) => Err(wrong("queueType", "`quorum` or `classic`")),
    }
}

/// The bound of the queue: Dapr's `maxLen` and `maxLenBytes` of a subscription are before those of the component.
pub(super) fn limit(options: &SubscribeOptions, of_component: Limit) -> Result<Limit> {
    let number = |name: &'static str| match options.metadata.get(name).filter(|n| !n.is_empty()) {
        None => Ok(None),
        Some(text) => {
            let number = text.parse::<u64>().ok().filter(|number| *number > 0);
            number.map(Some).ok_or_else(|| wrong(name, "a number"))
        }
    };
    let (messages, bytes) = (number("maxLen")?, number("maxLenBytes")?);
    Ok(match (messages, bytes) {
        (None, None) => of_component,
        (messages, bytes) => Limit {
            messages,
            bytes,
            drops: true,
        },
    })
}

/// Dapr's `routingKey`, of which there may be several with commas between them.
pub(super) fn routing_keys(options: &SubscribeOptions) -> Result<Vec<ShortString>> {
    let keys = options
        .metadata
        .get("routingKey")
        .map_or("", String::as_str);
    let keys = keys.split(',').map(|key| short("`routingKey`", key.trim()));
    keys.collect()
}

/// Adds what else a subscription says of its queue.
pub(super) fn add(options: &SubscribeOptions, queue: &mut Queue) -> Result<()> {
    if options.metadata.contains_key("queueName") {
        return Err(wrong(
            "queueName",
            "`consumerGroup` in its place: the queue of another group would be read",
        ));
    }
    if let Some(priority) = options.metadata.get("maxPriority") {
        let number = priority.parse::<u8>().ok().filter(|number| *number > 0);
        let number = number.ok_or_else(|| wrong("maxPriority", "1 to 255"))?;
        if queue.kind == QueueType::Quorum {
            return Err(wrong("maxPriority", "`queueType: classic` beside it"));
        }
        let number = AMQPValue::ShortShortUInt(number);
        queue.arguments.insert("x-max-priority".into(), number);
    }
    match options
        .metadata
        .get("singleActiveConsumer")
        .map(String::as_str)
    {
        None | Some("" | "false") => Ok(()),
        Some("true") => {
            let name = "x-single-active-consumer".into();
            queue.arguments.insert(name, AMQPValue::Boolean(true));
            queue.is_single = true;
            Ok(())
        }
        Some(_) => Err(wrong("singleActiveConsumer", "true or false")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wythe_blocks::Kind;

    fn with(name: &str, value: &str) -> SubscribeOptions {
        let metadata = [(name.to_owned(), value.to_owned())];
        SubscribeOptions {
            ephemeral: false,
            metadata: metadata.into(),
        }
    }

    #[test]
    fn two_groups_share_no_queue() {
        let names = Names::default();
        let name = names.lasting("a", "b-c").unwrap();
        assert_eq!(name.as_str(), "a-b-c");
        assert!(names.lasting("a", "b-c").is_ok());
        let error = names.lasting("a-b", "c").unwrap_err();
        assert_eq!(error.kind(), Kind::Conflict);
        assert_eq!(
            names.lasting("a", &"b".repeat(254)).unwrap_err().kind(),
            Kind::Invalid
        );
    }

    #[test]
    fn metadata_that_do_not_fit_say_so() {
        let queue = || Queue::lasting("q".into(), QueueType::Quorum);
        let cases = [
            (with("queueName", "other"), "`consumerGroup` in its place"),
            (with("maxPriority", "0"), "1 to 255"),
            (with("maxPriority", "5"), "`queueType: classic` beside it"),
            (with("singleActiveConsumer", "yes"), "true or false"),
        ];
        for (options, expected) in cases {
            let error = add(&options, &mut queue()).unwrap_err();
            assert!(error.message().contains(expected), "{error}");
        }
        assert!(queue_type(&with("queueType", "stream")).is_err());
        assert!(limit(&with("maxLen", "many"), none()).is_err());
        let bound = limit(&with("maxLen", "5"), none()).unwrap();
        assert_eq!((bound.messages, bound.drops), (Some(5), true));
        let keys = routing_keys(&with("routingKey", "a, b.*")).unwrap();
        assert_eq!(keys.len(), 2);
    }

    fn none() -> Limit {
        Limit {
            messages: None,
            bytes: None,
            drops: false,
        }
    }
}
