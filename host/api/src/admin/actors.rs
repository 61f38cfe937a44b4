//! The commands of the actors block, as an operator gives them.

use super::Binary;
use serde::{Deserialize, Serialize};
use wythe_blocks::{
    Call, Error, Result, Tenant,
    actors::{self, Listed},
    time::timestamp,
};

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Action {
    Invoke {
        kind: String,
        id: String,
        method: String,
        data: Binary,
    },
    Active {
        kind: Option<String>,
    },
    List {
        kind: Option<String>,
        limit: u32,
        cursor: Option<String>,
    },
    State {
        kind: String,
        id: String,
    },
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    Bytes(Binary),
    /// The actors, each as TYPE/ID.
    Page {
        actors: Vec<String>,
        next: Option<String>,
    },
    State(Stored),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Stored {
    pub turns: u64,
    pub active: bool,
    pub entries: Vec<Entry>,
    pub reminders: Vec<Reminder>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Entry {
    pub key: String,
    pub value: Binary,
    /// Milliseconds since 1970.
    pub expires: Option<u64>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Reminder {
    pub name: String,
    /// Milliseconds since 1970.
    pub due: u64,
    pub period: Option<u64>,
    pub data: Binary,
}

pub(super) async fn execute(
    tenant: &Tenant,
    caller: &Call,
    action: Action,
) -> Result<super::Answer> {
    let actors = &tenant.actors;
    Ok(super::Answer::Actors(match action {
        Action::Invoke {
            kind,
            id,
            method,
            data,
        } => {
            let answer = actors.invoke(caller, &kind, &id, &method, data.0.into());
            Answer::Bytes(Binary(answer.await?.into()))
        }
        Action::Active { kind } => Answer::Page {
            actors: shown(actors.active(caller, kind.as_deref())),
            next: None,
        },
        Action::List {
            kind,
            limit,
            cursor,
        } => {
            let page = actors.stored(caller, kind.as_deref(), cursor.as_deref(), limit);
            let page = page.await?;
            Answer::Page {
                actors: shown(page.actors),
                next: page.next,
            }
        }
        Action::State { kind, id } => {
            let stored = actors.show(caller, &kind, &id).await?;
            let stored = stored.ok_or_else(|| {
                Error::not_found(format!("nothing is kept of actor `{kind}/{id}`"))
            })?;
            Answer::State(stored.into())
        }
    }))
}

fn shown(listed: Vec<Listed>) -> Vec<String> {
    let listed = listed.into_iter();
    listed
        .map(|one| format!("{}/{}", one.kind, one.id))
        .collect()
}

impl From<actors::Stored> for Stored {
    fn from(stored: actors::Stored) -> Self {
        let entries = stored
            .entries
            .into_iter()
            .map(|(key, value, expires)| Entry {
                key,
                value: Binary(value.into()),
                expires: expires.map(timestamp),
            });
        let reminders = stored.reminders.into_iter().map(|alarm| Reminder {
            name: alarm.name,
            due: alarm.due,
            period: alarm.period,
            data: Binary(alarm.data.into()),
        });
        Stored {
            turns: stored.turns,
            active: stored.active,
            entries: entries.collect(),
            reminders: reminders.collect(),
        }
    }
}
