//! Publish CloudEvents to a `Topic`; receive them as a `Subscriber`.
use std::time::{Duration, SystemTime};

use serde::{Serialize, de::DeserializeOwned};

use crate::contract::app::wythe::blocks::pubsub;
use crate::contract::subscribes::exports::wythe::blocks::subscriber;
use crate::{Error, Kind, Result};

#[doc(inline)]
pub use pubsub::{Event, Features, PublishOptions};
#[doc(inline)]
pub use subscriber::{Delivery, Rule, Subscription, Verdict};

/// A topic that the manifest lets this app publish to.
///
/// ```no_run
/// # fn main() -> wythe_sdk::Result<()> {
/// use wythe_sdk::pubsub::{Event, Topic};
///
/// let orders = Topic::open("pubsub", "orders")?;
/// let id = orders.publish_json("shop.order.placed", &["tea", "milk"])?;
///
/// let event = Event::json("shop.order.placed", &["tea"])?.with_id("17").with_ordering_key("ada");
/// orders.publish(&event)?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Topic {
    handle: pubsub::Topic,
}

impl Topic {
    pub fn open(component: &str, name: &str) -> Result<Self> {
        Ok(Self {
            handle: pubsub::Topic::open(component, name)?,
        })
    }

    pub fn features(&self) -> Features {
        self.handle.features()
    }

    /// Returns the event's id once the broker has it durably.
    pub fn publish(&self, event: &Event) -> Result<String> {
        Ok(self.handle.publish(event, None)?)
    }

    pub fn publish_with(&self, event: &Event, options: &PublishOptions) -> Result<String> {
        Ok(self.handle.publish(event, Some(options))?)
    }

    /// Publishes a value as an event of this kind.
    pub fn publish_json<T: Serialize + ?Sized>(&self, kind: &str, data: &T) -> Result<String> {
        self.publish(&Event::json(kind, data)?)
    }

    /// One result per event, in order.
    pub fn publish_many(&self, events: &[Event]) -> Vec<Result<String>> {
        self.handle
            .publish_many(events, None)
            .into_iter()
            .map(|id| Ok(id?))
            .collect()
    }

    pub fn publish_many_with(
        &self,
        events: &[Event],
        options: &PublishOptions,
    ) -> Vec<Result<String>> {
        self.handle
            .publish_many(events, Some(options))
            .into_iter()
            .map(|id| Ok(id?))
            .collect()
    }
}

impl Event {
    /// An event of these bytes. Its id is the host's choice unless `with_id` sets it.
    pub fn new(kind: &str, content_type: &str, data: impl Into<Vec<u8>>) -> Self {
        Self {
            id: None,
            kind: kind.to_owned(),
            subject: None,
            content_type: content_type.to_owned(),
            data: data.into(),
            ordering_key: None,
            extensions: Vec::new(),
        }
    }

    pub fn json<T: Serialize + ?Sized>(kind: &str, data: &T) -> Result<Self> {
        Ok(Self::new(
            kind,
            "application/json",
            serde_json::to_vec(data)?,
        ))
    }

    /// Equal ids from one source are the same event.
    pub fn with_id(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
        self
    }

    pub fn with_subject(mut self, subject: impl Into<String>) -> Self {
        self.subject = Some(subject.into());
        self
    }

    /// Events with equal keys are delivered in order where the component's features say so.
    pub fn with_ordering_key(mut self, key: impl Into<String>) -> Self {
        self.ordering_key = Some(key.into());
        self
    }

    /// A CloudEvents extension attribute.
    pub fn with_extension(mut self, name: &str, value: impl Into<String>) -> Self {
        self.extensions.push((name.to_owned(), value.into()));
        self
    }
}

impl PublishOptions {
    pub fn new() -> Self {
        Self {
            ttl: None,
            delay: None,
            raw: false,
            metadata: Vec::new(),
        }
    }

    /// Sets the time after which the event is not delivered; then it goes to the dead letter topic, where there is one.
    pub fn ttl(mut self, duration: Duration) -> Self {
        self.ttl = Some(crate::milliseconds(duration));
        self
    }

    /// Sets the time from now before which the event is not delivered.
    pub fn delay(mut self, duration: Duration) -> Self {
        self.delay = Some(crate::milliseconds(duration));
        self
    }

    /// Publishes without the CloudEvents envelope.
    pub fn raw(mut self) -> Self {
        self.raw = true;
        self
    }

    pub fn metadata(mut self, name: &str, value: &str) -> Self {
        self.metadata.push((name.to_owned(), value.to_owned()));
        self
    }
}

impl Default for PublishOptions {
    fn default() -> Self {
        Self::new()
    }
}

/// A trait that an app implements to receive events; `subscribe!` exports it.
pub trait Subscriber {
    /// The subscriptions, asked for once when the app is loaded; they add to those declared in YAML.
    fn subscriptions() -> Vec<Subscription>;
    fn on_event(event: Delivery) -> Verdict;
}

impl Subscription {
    /// All events of a topic, by the empty route.
    pub fn to(component: &str, topic: &str) -> Self {
        Self {
            component: component.to_owned(),
            topic: topic.to_owned(),
            rules: Vec::new(),
            default_route: None,
            dead_letter_topic: None,
            metadata: Vec::new(),
        }
    }

    /// Events for which this CEL expression holds take this route. Rules are tried in order.
    pub fn route(mut self, expression: &str, route: &str) -> Self {
        self.rules.push(Rule {
            match_: expression.to_owned(),
            route: route.to_owned(),
        });
        self
    }

    /// The route where no rule matches.
    pub fn default_route(mut self, route: &str) -> Self {
        self.default_route = Some(route.to_owned());
        self
    }

    pub fn dead_letter_topic(mut self, topic: &str) -> Self {
        self.dead_letter_topic = Some(topic.to_owned());
        self
    }

    /// Sets an entry, such as `consumerGroup`, `broadcast`, `maxDeliveryAttempts` and `rawPayload`.
    pub fn metadata(mut self, name: &str, value: &str) -> Self {
        self.metadata.push((name.to_owned(), value.to_owned()));
        self
    }
}

impl Delivery {
    /// The event's id. A raw payload has none.
    pub fn id(&self) -> Option<&str> {
        self.event.id.as_deref()
    }

    /// The event's data.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        Ok(serde_json::from_slice(&self.event.data)?)
    }

    /// The time when the event was published.
    pub fn published(&self) -> SystemTime {
        crate::time(self.time)
    }
}

impl Verdict {
    /// Delivers again, no earlier than this from now.
    pub fn retry_after(delay: Duration) -> Self {
        Self::Retry(Some(crate::milliseconds(delay)))
    }
}

impl From<Error> for Verdict {
    /// Makes a verdict of an error: what is invalid stays so, and goes to the dead letter topic. All else is worth
    /// another attempt.
    fn from(error: Error) -> Self {
        match error.kind() {
            Kind::Invalid => Self::DeadLetter(error.message().to_owned()),
            _ => Self::Retry(error.retry_after().map(crate::milliseconds)),
        }
    }
}

impl From<Result<()>> for Verdict {
    fn from(result: Result<()>) -> Self {
        result.map_or_else(Self::from, |()| Self::Ack)
    }
}

/// Exports `wythe:blocks/subscriber` for a type that implements [`pubsub::Subscriber`](Subscriber).
#[macro_export]
macro_rules! subscribe {
    ($app:ident) => {
        impl $crate::contract::subscribes::exports::wythe::blocks::subscriber::Guest for $app {
            fn subscriptions() -> ::std::vec::Vec<$crate::pubsub::Subscription> {
                <$app as $crate::pubsub::Subscriber>::subscriptions()
            }

            fn on_event(delivery: $crate::pubsub::Delivery) -> $crate::pubsub::Verdict {
                <$app as $crate::pubsub::Subscriber>::on_event(delivery)
            }
        }
        $crate::contract::subscribes::export_subscriber!($app with_types_in $crate::contract::subscribes);
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_is_a_verdict() {
        let cases = [
            (Ok(()), Verdict::Ack),
            (
                Err(Error::invalid("no id")),
                Verdict::DeadLetter("no id".to_owned()),
            ),
            (Err(Error::internal("oh")), Verdict::Retry(None)),
            (
                Err(Error::unavailable("later").with_retry_after(Duration::from_secs(2))),
                Verdict::Retry(Some(2000)),
            ),
        ];
        for (result, verdict) in cases {
            assert_eq!(Verdict::from(result), verdict);
        }
    }

    #[test]
    fn a_subscription_keeps_its_rules_in_order() {
        let subscription = Subscription::to("pubsub", "orders")
            .route("event.type == \"a\"", "first")
            .route("true", "second")
            .default_route("other");
        let routes: Vec<_> = subscription
            .rules
            .iter()
            .map(|rule| rule.route.as_str())
            .collect();
        assert_eq!(routes, ["first", "second"]);
        assert_eq!(subscription.default_route.as_deref(), Some("other"));
    }
}
