//! The commands of the state block, as an operator gives them.

use super::{Answer, Binary};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use wythe_blocks::{
    Call, Result, Tenant,
    state::{self, Condition, Delete, Put, PutOptions},
    time::timestamp,
};

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    pub component: String,
    /// The app whose keys they are.
    pub app: String,
    pub action: Action,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Action {
    Get {
        key: String,
    },
    Set(Set),
    Delete {
        key: String,
        #[serde(default)]
        only: Only,
    },
    List(List),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Set {
    pub key: String,
    pub value: Binary,
    pub content_type: Option<String>,
    pub ttl_milliseconds: Option<u64>,
    #[serde(default)]
    pub only: Only,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct List {
    pub prefix: String,
    pub limit: u32,
    pub cursor: Option<String>,
}

/// The condition under which a write is done.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Only {
    #[default]
    Always,
    IfAbsent,
    IfMatch(String),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Entry {
    pub key: String,
    pub value: Binary,
    pub etag: String,
    pub content_type: Option<String>,
    /// Milliseconds since 1970.
    pub expires: Option<u64>,
}

pub(super) async fn execute(tenant: &Tenant, caller: &Call, command: State) -> Result<Answer> {
    let store = tenant.state.open(caller, &command.component)?;
    match command.action {
        Action::Get { key } => Ok(match store.get(caller, &key).await? {
            Some(entry) => Answer::Entry(Entry::new(key, entry)),
            None => Answer::Missing { key },
        }),
        Action::Set(set) => {
            let etag = store.put(caller, set.into()).await?;
            Ok(Answer::Stored { etag })
        }
        Action::Delete { key, only } => {
            let condition = only.into();
            let key = key.into();
            store.delete(caller, Delete { key, condition }).await?;
            Ok(Answer::Deleted)
        }
        Action::List(list) => {
            let (cursor, limit) = (list.cursor.as_deref(), Some(list.limit));
            let page = store.list(caller, &list.prefix, cursor, limit).await?;
            let entries = page.entries.into_iter();
            Ok(Answer::Page {
                entries: entries.map(|(key, entry)| Entry::new(key, entry)).collect(),
                next: page.next,
            })
        }
    }
}

impl From<Set> for Put {
    fn from(set: Set) -> Self {
        Put {
            key: set.key.into(),
            value: set.value.0.into(),
            options: PutOptions {
                condition: set.only.into(),
                ttl: set.ttl_milliseconds.map(Duration::from_millis),
                content_type: set.content_type,
                fence: None,
            },
        }
    }
}

impl Entry {
    fn new(key: String, entry: state::Entry) -> Self {
        Entry {
            key,
            value: Binary(entry.value.into()),
            etag: entry.etag,
            content_type: entry.content_type,
            expires: entry.expires.map(timestamp),
        }
    }
}

impl From<Only> for Condition {
    fn from(only: Only) -> Self {
        match only {
            Only::Always => Condition::Always,
            Only::IfAbsent => Condition::Absent,
            Only::IfMatch(etag) => Condition::Matches(etag),
        }
    }
}
