//! The whole of the pub/sub block's rules: who may publish what, and how events reach subscribers.

mod backlog;
mod delivery;
mod driver;
mod envelope;
mod event;
#[cfg(any(fuzzing, test))]
pub(crate) mod fuzzing;
mod letter;
mod media;
mod members;
mod operating;
mod routing;
mod scopes;
mod seal;
mod written;

pub use driver::{
    Consumer, Depth, Driver, Features, Group, Message, Receipt, Received, StoredMessage,
    SubscribeOptions,
};
pub use event::{Event, PublishOptions};
pub use members::{Leave, Members};
pub use operating::{Letter, Redriven};
pub(crate) use routing::RuleThread;
pub(crate) use scopes::Scopes;
pub(crate) use written::Written;

use crate::{
    Call, Component, Components, Error, Result, Slot, Tasks, Trace,
    component::{self, Close, Use},
    error::Cut,
    key_file,
    opening::{self, Opening, require},
    quota::Ledger,
};
use async_trait::async_trait;
use parking_lot::Mutex;
use scopes::Access;
use seal::{Seal, SealScope};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime},
};
pub use wythe_manifest::Rule;
use wythe_manifest::{ComponentName, Metered, Name};

const PUBLISH: component::Operation = component::Operation::once(0, "publish");
const PUBLISH_MANY: component::Operation = component::Operation::once(1, "publish-many");
const SUBSCRIBE: component::Operation = component::Operation::idempotent(2, "subscribe").of_host();
const ACK: component::Operation = component::Operation::idempotent(3, "ack").of_host();
const NACK: component::Operation = component::Operation::idempotent(4, "nack").of_host();
const BURY: component::Operation = component::Operation::once(5, "bury").of_host();
const GROUPS: component::Operation = component::Operation::idempotent(6, "groups");
const LIST: component::Operation = component::Operation::idempotent(7, "list");
const REPLACE: component::Operation = component::Operation::once(8, "replace");
const PURGE: component::Operation = component::Operation::once(9, "purge");

pub(crate) const OPERATIONS: &[component::Operation] = &[
    PUBLISH,
    PUBLISH_MANY,
    SUBSCRIBE,
    ACK,
    NACK,
    BURY,
    GROUPS,
    LIST,
    REPLACE,
    PURGE,
];

/// The key of the seal, in the directory of the tenant's data, for no tenant has to do with another one's: events that are
/// sealed with another key have no source. No component has a name that begins with a dot.
const KEY: &str = ".events.key";
/// Bytes of a topic's name.
const MAX_TOPIC: usize = 256;

/// A driver with what its component says about topics.
pub struct Configured {
    pub driver: Arc<dyn Driver>,
    pub(crate) scopes: Scopes,
    pub(crate) seal: Seal,
    /// The component's `consumerID`; otherwise the app id is the consumer group.
    pub consumer: Option<String>,
}

#[async_trait]
impl Close for Configured {
    async fn close(&self) -> Result<()> {
        self.driver.close().await
    }

    async fn health(&self) -> Result<()> {
        self.driver.health().await
    }

    fn describe(&self) -> Option<String> {
        self.driver.describe()
    }
}

pub(crate) type Prepared = opening::Prepared<dyn Driver, Written>;

/// A subscription: the events that an app wants to receive, and their routes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subscription {
    pub component: String,
    pub topic: String,
    pub rules: Vec<Rule>,
    pub default_route: Option<String>,
    pub dead_letter_topic: Option<String>,
    pub metadata: BTreeMap<String, String>,
}

/// One event on its way into an app.
#[derive(Clone)]
pub struct Delivery {
    /// The publisher's span.
    pub trace: Trace,
    pub component: String,
    pub topic: String,
    pub route: String,
    pub event: Event,
    pub source: String,
    pub time: SystemTime,
    pub attempt: u32,
}

/// The answer of a subscriber to an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Ack,
    Retry(Option<Duration>),
    Drop,
    DeadLetter(String),
}

/// The pub/sub block.
pub struct PubSub {
    pub(crate) components: Components<Configured>,
    tasks: Tasks,
    /// The loops of each app's subscriptions.
    running: Mutex<HashMap<Name, Running>>,
    rules: Arc<RuleThread>,
    ledger: Arc<Ledger>,
}

/// The subscriptions of an app.
struct Running {
    tasks: Tasks,
    /// Loops of earlier versions that have not ended yet.
    before: Vec<Tasks>,
    topics: BTreeSet<(ComponentName, String)>,
    /// The consumer group of each.
    groups: Vec<backlog::Of>,
    /// The ways of its dead letters.
    letters: Vec<delivery::Way>,
}

impl PubSub {
    pub(crate) fn new(tasks: Tasks, rules: Arc<RuleThread>, ledger: Arc<Ledger>) -> Self {
        PubSub {
            components: Components::new("pubsub"),
            tasks,
            running: Mutex::default(),
            rules,
            ledger,
        }
    }

    pub(crate) async fn add(&self, opening: &Opening<'_>, prepared: Prepared) -> Result<()> {
        let (component, written, driver) = prepared.open().await?;
        let features = driver.features();
        require(&component, |name| features.has(name))?;
        let own = opening.data.join(opening.tenant.as_str());
        let mut seal = Seal::new(key(own.join(KEY)).await?);
        if let Some(shared) = &written.seal_key {
            seal = seal.sharing(**shared);
        }
        if let Some(before) = &written.seal_key_before {
            seal = seal.believing(**before);
        }
        let configured = Arc::new(Configured {
            driver,
            scopes: written.scopes,
            seal,
            consumer: written.consumer,
        });
        opening.insert(&self.components, OPERATIONS, &component, configured);
        Ok(())
    }

    /// Finds the component and checks scopes and grant, once for many calls.
    pub fn open(&self, caller: &Call, component: &str, topic: &str) -> Result<Topic> {
        check_topic(topic)?;
        caller.require_grant(
            |grants| grants.publish(component, topic),
            format_args!("to publish to `{component}/{topic}`"),
            "publish",
            format_args!("{component}/{topic}"),
        )?;
        let found = self.components.find(caller, component)?;
        allow(&found.component(), Access::Publish, caller, topic)?;
        Ok(Topic {
            component: found,
            name: topic.to_owned(),
            ledger: self.ledger.clone(),
        })
    }
}

async fn key(path: PathBuf) -> Result<[u8; 32]> {
    let loaded = tokio::task::spawn_blocking(move || key_file::load(&path)).await;
    let failed = |error: std::io::Error| {
        Error::unavailable("the key that seals events cannot be had").with_source(error)
    };
    loaded
        .map_err(std::io::Error::other)
        .flatten()
        .map_err(failed)
}

fn allow(
    component: &Component<Configured>,
    access: Access,
    caller: &Call,
    topic: &str,
) -> Result<()> {
    if component
        .driver()
        .scopes
        .allows(access, caller.app_id(), topic)
    {
        return Ok(());
    }
    let (verb, key) = match access {
        Access::Publish => ("publish to", "publishingScopes"),
        Access::Subscribe => ("subscribe to", "subscriptionScopes"),
    };
    Err(Error::denied(format!(
        "pubsub component `{}` does not let app `{}` {verb} topic `{topic}`; see its {key}, allowedTopics and protectedTopics",
        component.name(),
        caller.app_id()
    )))
}

fn check_topic(topic: &str) -> Result<()> {
    let bad = |c: char| c.is_control() || c == '*' || c == '#' || c == '>';
    if topic.is_empty() || topic.len() > MAX_TOPIC || topic.contains(bad) {
        return Err(Error::invalid(format!(
            "the topic `{}`; expected 1 to {MAX_TOPIC} bytes without wildcards and control characters",
            Cut(topic.escape_debug())
        )));
    }
    Ok(())
}

/// An opened topic: the lookup and every check are settled.
#[derive(Clone)]
pub struct Topic {
    component: Arc<Slot<Configured>>,
    name: String,
    ledger: Arc<Ledger>,
}

impl Topic {
    pub fn features(&self) -> Features {
        self.component.component().driver().driver.features()
    }

    /// Returns the event's id once the broker has it durably.
    pub async fn publish(
        &self,
        caller: &Call,
        event: Event,
        options: &PublishOptions,
    ) -> Result<String> {
        let (id, message) = self.seal(caller, event, options)?;
        self.ledger.pass(Metered::Publishes, 1)?;
        self.enter(caller)
            .await?
            .call_about(caller, PUBLISH, Some(&self.name), |d| {
                d.driver.publish(&self.name, message.clone())
            })
            .await?;
        Ok(id)
    }

    /// One result per event, in order.
    pub async fn publish_many(
        &self,
        caller: &Call,
        events: Vec<Event>,
        options: &PublishOptions,
    ) -> Vec<Result<String>> {
        let count = events.len();
        match self.ledger.pass(Metered::Publishes, count as u64) {
            Ok(()) => self.publish_counted(caller, events, options).await,
            Err(error) => (0..count).map(|_| Err(error.duplicate())).collect(),
        }
    }

    /// Counts an event that will be published by [`Topic::publish_counted`].
    pub(crate) fn count(&self) -> Result<()> {
        self.ledger.pass(Metered::Publishes, 1)
    }

    /// Publishes events that the tenant's quota has counted.
    pub(crate) async fn publish_counted(
        &self,
        caller: &Call,
        events: Vec<Event>,
        options: &PublishOptions,
    ) -> Vec<Result<String>> {
        let sealed: Vec<_> = events
            .into_iter()
            .map(|event| self.seal(caller, event, options))
            .collect();
        let good: Vec<_> = sealed
            .iter()
            .flatten()
            .map(|(_, message)| message.clone())
            .collect();
        let answers = self.send_many(caller, good).await;
        let answer = |index: usize| match &answers {
            Ok(list) => match list.get(index) {
                Some(Ok(())) => Ok(()),
                Some(Err(error)) => Err(error.duplicate()),
                None => Err(Error::internal("the driver lost an answer")),
            },
            Err(error) => Err(error.duplicate()),
        };
        let mut position = 0;
        let mut place = |item: Result<(String, Message)>| {
            let (id, _) = item?;
            position += 1;
            answer(position - 1).map(|()| id)
        };
        sealed.into_iter().map(&mut place).collect()
    }

    /// The component as it is now, which may let the app publish less than the one that was opened.
    async fn enter(&self, caller: &Call) -> Result<Use<Configured>> {
        let component = self.component.enter(caller).await?;
        allow(&component, Access::Publish, caller, &self.name)?;
        Ok(component)
    }

    async fn send_many(&self, caller: &Call, messages: Vec<Message>) -> Result<Vec<Result<()>>> {
        self.enter(caller)
            .await?
            .call_about(caller, PUBLISH_MANY, Some(&self.name), |d| {
                let asked = d.driver.publish_many(&self.name, messages.clone());
                async move { Ok(asked.await) }
            })
            .await
    }

    /// Checks that the event could be published as it is.
    pub(crate) fn check(&self, caller: &Call, event: &Event) -> Result<()> {
        let options = PublishOptions::default();
        self.seal(caller, event.clone(), &options).map(drop)
    }

    fn seal(
        &self,
        caller: &Call,
        event: Event,
        options: &PublishOptions,
    ) -> Result<(String, Message)> {
        // The envelope is beside the data for a while.
        caller.charge(2 * event.data.len())?;
        let features = self.features();
        // Before any of it is read.
        let bytes = (event.bytes() + options.bytes()) as u64;
        if bytes > features.max_message_bytes {
            return Err(self.too_large(bytes));
        }
        if options.delay.is_some() && !features.delay {
            return Err(Error::unsupported(format!(
                "pubsub component `{}` cannot delay; its features say so",
                self.component.name()
            )));
        }
        let component = self.component.component();
        let scope = SealScope {
            tenant: caller.tenant().as_str(),
            component: component.name().as_str(),
            topic: &self.name,
        };
        let seal = &component.driver().seal;
        let (id, message) = event::seal(caller, seal, scope, event, options)?;
        if message.data.len() as u64 > features.max_message_bytes {
            return Err(self.too_large(message.data.len() as u64));
        }
        Ok((id, message))
    }

    fn too_large(&self, bytes: u64) -> Error {
        Error::invalid(format!(
            "the event has {bytes} bytes; pubsub component `{}` takes at most {}",
            self.component.name(),
            self.features().max_message_bytes
        ))
    }
}
