//! The commands of the pub/sub block, as an operator gives them.

use super::Binary;
use serde::{Deserialize, Serialize};
use wythe_blocks::{
    Call, Result, Tenant,
    pubsub::{self, Event, PublishOptions},
    time::timestamp,
};

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PubSub {
    pub component: String,
    /// The app whose scopes apply, and the source of an event.
    pub app: String,
    pub action: Action,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Action {
    Publish(Publish),
    Groups,
    Letters {
        topic: String,
        group: Option<String>,
        after: u64,
        limit: u32,
    },
    Redrive {
        topic: String,
        group: Option<String>,
        to: Option<String>,
        limit: u32,
    },
    Purge {
        topic: String,
        group: Option<String>,
        remove: bool,
    },
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    Groups(Vec<Group>),
    Letters(Vec<Letter>),
    Redriven { moved: u64, left: u64 },
    Purged { messages: u64 },
}

/// An event of the app.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Publish {
    pub topic: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub id: Option<String>,
    pub content_type: String,
    pub data: Binary,
}

/// Times are milliseconds since 1970.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Group {
    pub topic: String,
    /// The group's name; absent for dead letters that nobody has read yet.
    pub name: Option<String>,
    pub ephemeral: bool,
    pub members: u64,
    pub messages: u64,
    pub out: u64,
    pub bytes: u64,
    pub oldest: Option<u64>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Letter {
    pub number: u64,
    pub id: Option<String>,
    pub kind: String,
    pub source: String,
    pub topic: Option<String>,
    pub reason: Option<String>,
    pub attempts: Option<u32>,
    pub since: u64,
    pub bytes: u64,
}

pub(super) async fn execute(
    tenant: &Tenant,
    caller: &Call,
    command: PubSub,
) -> Result<super::Answer> {
    let (pubsub, component) = (&tenant.pubsub, command.component.as_str());
    let answer = match command.action {
        Action::Publish(event) => return publish(tenant, caller, component, event).await,
        Action::Groups => {
            let groups = pubsub.groups(caller, component).await?;
            Answer::Groups(groups.into_iter().map(Into::into).collect())
        }
        Action::Letters {
            topic,
            group,
            after,
            limit,
        } => {
            let place = (topic.as_str(), group.as_deref());
            let letters = pubsub.letters(caller, component, place, after, limit);
            Answer::Letters(letters.await?.into_iter().map(Into::into).collect())
        }
        Action::Redrive {
            topic,
            group,
            to,
            limit,
        } => {
            let place = (topic.as_str(), group.as_deref());
            let redriven = pubsub.redrive(caller, component, place, to.as_deref(), limit);
            let pubsub::Redriven { moved, left } = redriven.await?;
            Answer::Redriven { moved, left }
        }
        Action::Purge {
            topic,
            group,
            remove,
        } => {
            let place = (topic.as_str(), group.as_deref());
            let messages = pubsub.purge(caller, component, place, remove).await?;
            Answer::Purged { messages }
        }
    };
    Ok(super::Answer::PubSub(answer))
}

async fn publish(
    tenant: &Tenant,
    caller: &Call,
    component: &str,
    asked: Publish,
) -> Result<super::Answer> {
    let topic = tenant.pubsub.open(caller, component, &asked.topic)?;
    let event = Event {
        id: asked.id,
        kind: asked.kind,
        content_type: asked.content_type,
        data: asked.data.0.into(),
        ..Event::default()
    };
    let options = PublishOptions::default();
    let id = topic.publish(caller, event, &options).await?;
    Ok(super::Answer::Published { id })
}

impl From<pubsub::Group> for Group {
    fn from(group: pubsub::Group) -> Self {
        Group {
            topic: group.topic,
            name: group.name,
            ephemeral: group.ephemeral,
            members: group.members,
            messages: group.messages,
            out: group.out,
            bytes: group.bytes,
            oldest: group.oldest.map(timestamp),
        }
    }
}

impl From<pubsub::Letter> for Letter {
    fn from(letter: pubsub::Letter) -> Self {
        Letter {
            number: letter.number,
            id: letter.id,
            kind: letter.kind,
            source: letter.source,
            topic: letter.topic,
            reason: letter.reason,
            attempts: letter.attempts,
            since: timestamp(letter.since),
            bytes: letter.bytes,
        }
    }
}
