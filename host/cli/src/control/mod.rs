//! What the command line asks of a host: one enum of commands, one of answers, and the one function between them.
//!
//! The same function serves both ways: over the socket of a host that runs, and in the process that opened the
//! project for the moment.

mod socket;

pub use socket::{ask, path, serve};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::time::{Duration, Instant, SystemTime};
use wythe_blocks::{
    Caller, Error, Host, Result, invocation,
    pubsub::{Event, PublishOptions},
    state::{self, Condition, Delete, Put, PutOptions, Store},
};
use wythe_manifest::Name;

/// Who calls where no app is named.
pub const OPERATOR: &str = "operator";
/// Of one command.
const DEADLINE: Duration = Duration::from_secs(60);

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(
    rename_all = "kebab-case",
    rename_all_fields = "camelCase",
    deny_unknown_fields
)]
pub enum Command {
    Ping,
    Invoke {
        app: String,
        method: String,
        path: String,
        headers: Vec<(String, String)>,
        body: Binary,
    },
    Publish {
        component: String,
        topic: String,
        app: String,
        #[serde(rename = "type")]
        kind: String,
        id: Option<String>,
        content_type: String,
        data: Binary,
    },
    State {
        component: String,
        app: String,
        action: Action,
    },
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(
    rename_all = "kebab-case",
    rename_all_fields = "camelCase",
    deny_unknown_fields
)]
pub enum Action {
    Get {
        key: String,
    },
    Set {
        key: String,
        value: Binary,
        content_type: Option<String>,
        ttl_milliseconds: Option<u64>,
        only: Only,
    },
    Delete {
        key: String,
        only: Only,
    },
    List {
        prefix: String,
        limit: u32,
        cursor: Option<String>,
    },
}

/// When a write is done.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Only {
    #[default]
    Always,
    IfAbsent,
    IfMatch(String),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum Answer {
    Pong {
        pid: u32,
        version: String,
    },
    Response {
        status: u16,
        headers: Vec<(String, String)>,
        body: Binary,
    },
    Published {
        id: String,
    },
    Entry(Entry),
    Missing,
    Stored {
        etag: String,
    },
    Deleted,
    Page {
        entries: Vec<Entry>,
        next: Option<String>,
    },
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    pub key: String,
    pub value: Binary,
    pub etag: String,
    pub content_type: Option<String>,
    /// Milliseconds since 1970.
    pub expires: Option<u64>,
}

/// Bytes; in JSON, base64.
#[derive(Clone, Debug, Default)]
pub struct Binary(pub Vec<u8>);

impl Serialize for Binary {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Binary {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        STANDARD.decode(text).map(Binary).map_err(D::Error::custom)
    }
}

/// Does what an operator asks. No grants apply; components and scopes are those of the app that is named.
pub async fn execute(host: &Host, tenant: &Name, command: Command) -> Result<Answer> {
    let operator = |app: &str| -> Result<Caller> {
        let app = app.parse::<Name>();
        let app = app.map_err(|error| Error::invalid(error.to_string()))?;
        let deadline = Instant::now() + DEADLINE;
        Ok(Caller::operator(tenant.clone(), app, deadline))
    };
    match command {
        Command::Ping => Ok(pong()),
        Command::Invoke {
            app,
            method,
            path,
            headers,
            body,
        } => {
            let headers = headers.into_iter();
            let headers = headers.map(|(name, value)| (name, value.into()));
            let (headers, body) = (headers.collect(), body.0.into());
            let request = invocation::Request {
                method,
                path,
                headers,
                body,
            };
            invoke(host, &operator(OPERATOR)?, &app, request).await
        }
        Command::Publish {
            component,
            topic,
            app,
            kind,
            id,
            content_type,
            data,
        } => {
            let data = data.0.into();
            let event = Event {
                id,
                kind,
                content_type,
                data,
                ..Event::default()
            };
            publish(host, &operator(&app)?, &component, &topic, event).await
        }
        Command::State {
            component,
            app,
            action,
        } => {
            let caller = operator(&app)?;
            let store = host.state.open(&caller, &component)?;
            state(&caller, &store, action).await
        }
    }
}

async fn state(caller: &Caller, store: &Store, action: Action) -> Result<Answer> {
    match action {
        Action::Get { key } => {
            let entry = store.get(caller, &key).await?;
            Ok(entry.map_or(Answer::Missing, |entry| {
                Answer::Entry(Entry::new(key, entry))
            }))
        }
        Action::Set {
            key,
            value,
            content_type,
            ttl_milliseconds,
            only,
        } => {
            let (ttl, condition) = (ttl_milliseconds.map(Duration::from_millis), only.into());
            let options = PutOptions {
                condition,
                ttl,
                content_type,
            };
            let value = value.0.into();
            let etag = store
                .put(
                    caller,
                    Put {
                        key,
                        value,
                        options,
                    },
                )
                .await?;
            Ok(Answer::Stored { etag })
        }
        Action::Delete { key, only } => {
            let condition = only.into();
            store.delete(caller, Delete { key, condition }).await?;
            Ok(Answer::Deleted)
        }
        Action::List {
            prefix,
            limit,
            cursor,
        } => list(caller, store, &prefix, cursor.as_deref(), limit).await,
    }
}

fn pong() -> Answer {
    Answer::Pong {
        pid: std::process::id(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    }
}

async fn invoke(
    host: &Host,
    caller: &Caller,
    app: &str,
    request: invocation::Request,
) -> Result<Answer> {
    let response = host.invocation.invoke(caller, app, request).await?;
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    let headers = response.headers.into_iter();
    Ok(Answer::Response {
        status: response.status,
        headers: headers.map(|(name, value)| (name, text(&value))).collect(),
        body: Binary(response.body.into()),
    })
}

async fn publish(
    host: &Host,
    caller: &Caller,
    component: &str,
    topic: &str,
    event: Event,
) -> Result<Answer> {
    let topic = host.pubsub.open(caller, component, topic)?;
    let options = PublishOptions::default();
    let id = topic.publish(caller, event, &options).await?;
    Ok(Answer::Published { id })
}

async fn list(
    caller: &Caller,
    store: &Store,
    prefix: &str,
    cursor: Option<&str>,
    limit: u32,
) -> Result<Answer> {
    let page = store.list(caller, prefix, cursor, Some(limit)).await?;
    let entries = page.entries.into_iter();
    Ok(Answer::Page {
        entries: entries.map(|(key, entry)| Entry::new(key, entry)).collect(),
        next: page.next,
    })
}

impl Entry {
    fn new(key: String, entry: state::Entry) -> Self {
        let since = |at: SystemTime| at.duration_since(SystemTime::UNIX_EPOCH).ok();
        let expires = entry.expires.and_then(since);
        Entry {
            key,
            value: Binary(entry.value.into()),
            etag: entry.etag,
            content_type: entry.content_type,
            expires: expires.and_then(|since| u64::try_from(since.as_millis()).ok()),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_one_line_that_reads_well() {
        let action = Action::Set {
            key: "a\nb".into(),
            value: Binary(vec![0, 255]),
            content_type: None,
            ttl_milliseconds: Some(5),
            only: Only::IfMatch("7".into()),
        };
        let (component, app) = ("statestore".into(), "cart".into());
        let command = Command::State {
            component,
            app,
            action,
        };
        let line = serde_json::to_string(&command).unwrap();
        assert_eq!(
            line,
            r#"{"state":{"component":"statestore","app":"cart","action":{"set":{"key":"a\nb","value":"AP8=","contentType":null,"ttlMilliseconds":5,"only":{"if-match":"7"}}}}}"#
        );
        assert!(serde_json::from_str::<Command>(&line).is_ok());
        assert_eq!(serde_json::to_string(&Command::Ping).unwrap(), r#""ping""#);
    }
}
