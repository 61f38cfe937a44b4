//! The part of operators: what the groups of a component hold, its dead letters, and their way back.

use super::{
    Access, Configured, GROUPS, Group, LIST, PURGE, PubSub, REPLACE, SealScope, StoredMessage,
    allow, check_topic, event, letter,
};
use crate::{Call, Error, Kind, Result, component::Use};
use std::time::SystemTime;

/// Letters that one call lists or sends back.
const MAX_PAGE: u32 = 1_000;
/// Letters that are in memory at once.
const PAGE: u32 = 100;

/// A message of a dead letter topic. What is absent was not said by this host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// Names the letter in its topic.
    pub number: u64,
    pub id: Option<String>,
    pub kind: String,
    pub source: String,
    /// The topic that it comes from.
    pub topic: Option<String>,
    pub reason: Option<String>,
    pub attempts: Option<u32>,
    /// The time since which it is a letter.
    pub since: SystemTime,
    /// Bytes of its message.
    pub bytes: u64,
}

/// The outcome of sending letters back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Redriven {
    pub moved: u64,
    /// Messages that are with a member of the group, or not known to come from anywhere.
    pub left: u64,
}

/// A topic that an operator looks at, and the group; without one, the letters that nobody has read yet.
struct Desk<'a> {
    caller: &'a Call,
    component: Use<Configured>,
    topic: &'a str,
    group: Option<String>,
}

impl PubSub {
    /// Every group of a component, by topic and name. `unsupported` where the driver's features say so, as is what
    /// follows.
    pub async fn groups(&self, caller: &Call, component: &str) -> Result<Vec<Group>> {
        let found = self.components.enter(caller, component).await?;
        found.call(caller, GROUPS, |d| d.driver.groups()).await
    }

    /// Lists up to 1,000 dead letters of a topic whose number is higher than `after`.
    pub async fn letters(
        &self,
        caller: &Call,
        component: &str,
        (topic, group): (&str, Option<&str>),
        after: u64,
        limit: u32,
    ) -> Result<Vec<Letter>> {
        check_limit(limit)?;
        let desk = self.desk(caller, component, topic, group).await?;
        let stored = desk.list(after, limit).await?;
        Ok(stored.iter().map(|stored| desk.letter(stored)).collect())
    }

    /// Sends up to 1,000 letters back to the topic that each comes from, or to `to`. Every group of that topic gets them.
    pub async fn redrive(
        &self,
        caller: &Call,
        component: &str,
        (topic, group): (&str, Option<&str>),
        to: Option<&str>,
        limit: u32,
    ) -> Result<Redriven> {
        check_limit(limit)?;
        to.map_or(Ok(()), check_topic)?;
        let desk = self.desk(caller, component, topic, group).await?;
        let (mut redriven, mut after) = (Redriven::default(), 0);
        loop {
            let left = u64::from(limit) - redriven.moved - redriven.left;
            let stored = desk.list(after, PAGE.min(left as u32)).await?;
            let Some(last) = stored.last() else {
                return Ok(redriven);
            };
            after = last.number;
            for stored in &stored {
                match desk.send_back(stored, to).await? {
                    true => redriven.moved += 1,
                    false => redriven.left += 1,
                }
            }
            if redriven.moved + redriven.left >= u64::from(limit) {
                return Ok(redriven);
            }
        }
    }

    /// Removes what a group holds and no member has; with `remove` the group, too. Gives back how many messages that
    /// were.
    pub async fn purge(
        &self,
        caller: &Call,
        component: &str,
        (topic, group): (&str, Option<&str>),
        remove: bool,
    ) -> Result<u64> {
        let desk = self.desk(caller, component, topic, group).await?;
        let group = desk.group.as_deref();
        let purge = |d: &Configured| {
            let driver = d.driver.clone();
            async move { driver.purge(topic, group, remove).await }
        };
        desk.component.call(caller, PURGE, purge).await
    }

    /// Letters that nobody has read are meant where no group is named; else the only group.
    async fn desk<'a>(
        &self,
        caller: &'a Call,
        component: &str,
        topic: &'a str,
        group: Option<&str>,
    ) -> Result<Desk<'a>> {
        let found = self.components.enter(caller, component).await?;
        allow(&found, Access::Subscribe, caller, topic)?;
        let mut group = group.map(str::to_owned);
        if group.is_none() {
            let groups = found.call(caller, GROUPS, |d| d.driver.groups()).await?;
            let names = groups.into_iter().filter(|one| one.topic == topic);
            group = only(topic, names.map(|one| one.name).collect())?;
        }
        Ok(Desk {
            caller,
            component: found,
            topic,
            group,
        })
    }
}

fn only(topic: &str, mut names: Vec<Option<String>>) -> Result<Option<String>> {
    if names.contains(&None) {
        return Ok(None);
    }
    match (names.pop(), names.is_empty()) {
        (None, _) => Err(Error::not_found(format!("topic `{topic}` has no groups"))),
        (Some(name), true) => Ok(name),
        (Some(_), false) => Err(Error::invalid(format!(
            "topic `{topic}` has several groups; say which one is meant"
        ))),
    }
}

impl Desk<'_> {
    fn scope<'a>(&'a self, topic: &'a str) -> SealScope<'a> {
        SealScope {
            tenant: self.caller.tenant().as_str(),
            component: self.component.name().as_str(),
            topic,
        }
    }

    async fn list(&self, after: u64, limit: u32) -> Result<Vec<StoredMessage>> {
        let (topic, group) = (self.topic, self.group.as_deref());
        let list = |d: &Configured| {
            let driver = d.driver.clone();
            async move { driver.list(topic, group, after, limit).await }
        };
        self.component.call(self.caller, LIST, list).await
    }

    fn letter(&self, stored: &StoredMessage) -> Letter {
        let seal = &self.component.driver().seal;
        let opened = event::open(seal, self.scope(self.topic), &stored.message, false);
        let extensions = &opened.event.extensions;
        let said = |wanted: &str| {
            let mut extensions = extensions.iter();
            let found = extensions.find(|(name, _)| name == wanted);
            found.map(|(_, value)| value.clone())
        };
        Letter {
            number: stored.number,
            topic: said("deadlettertopic"),
            reason: said("deadletterreason"),
            attempts: said("deadletterattempts").and_then(|count| count.parse().ok()),
            id: opened.event.id,
            kind: opened.event.kind,
            source: opened.source,
            since: stored.published,
            bytes: stored.message.data.len() as u64,
        }
    }

    /// Sends a letter back, and returns false where it stays.
    async fn send_back(&self, stored: &StoredMessage, to: Option<&str>) -> Result<bool> {
        let from = self.letter(stored).topic;
        let Some(to) = to.map(str::to_owned).or(from) else {
            return Ok(false);
        };
        let seal = &self.component.driver().seal;
        let scopes = (self.scope(self.topic), self.scope(&to));
        let message = letter::revive(seal, scopes.0, scopes.1, &stored.message);
        let (topic, group) = (self.topic, self.group.as_deref());
        let replace = |d: &Configured| {
            let (driver, message) = (d.driver.clone(), message.clone());
            let (to, number) = (&to, stored.number);
            async move { driver.replace(topic, group, number, to, message).await }
        };
        match self.component.call(self.caller, REPLACE, replace).await {
            Ok(()) => Ok(true),
            // Somebody reads it now, or has.
            Err(error) if matches!(error.kind(), Kind::Conflict | Kind::NotFound) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

fn check_limit(limit: u32) -> Result<()> {
    if (1..=MAX_PAGE).contains(&limit) {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "{limit} letters; expected 1 to {MAX_PAGE}"
    )))
}
