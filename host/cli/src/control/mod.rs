//! The commands that the command line gives to a host: one enum of commands, one of answers, and the one function
//! between them.
//!
//! The same function serves both ways: over the socket of a host that runs, and in the process that opened the
//! project for the moment.

pub mod actors;
pub mod bindings;
pub mod configuration;
pub mod crypto;
pub mod jobs;
mod line;
pub mod lock;
pub mod pubsub;
pub mod secrets;
mod socket;
pub mod workflow;

pub use socket::{ask, path, serve};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::time::{Duration, Instant, SystemTime};
use wythe_blocks::{
    Caller, Error, Host, Result, invocation,
    state::{self, Condition, Delete, Put, PutOptions},
};
use wythe_manifest::Name;

/// The caller's name where no app is named.
pub const OPERATOR: &str = "operator";
/// The deadline of one command.
const DEADLINE: Duration = Duration::from_secs(60);

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Command {
    Ping,
    Actors(actors::Action),
    Bindings(bindings::Bindings),
    Crypto(crypto::Crypto),
    Configuration(configuration::Configuration),
    Invoke(Invoke),
    Lock(lock::Lock),
    Jobs(jobs::Jobs),
    Publish(Publish),
    PubSub(pubsub::PubSub),
    Secrets(secrets::Secrets),
    State(State),
    Workflow(workflow::Action),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Invoke {
    pub app: String,
    pub method: String,
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: Binary,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Publish {
    pub component: String,
    pub topic: String,
    /// The event's source, and whose scopes apply.
    pub app: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub id: Option<String>,
    pub content_type: String,
    pub data: Binary,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    pub component: String,
    /// The app whose keys they are.
    pub app: String,
    pub action: Action,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    Get { key: String },
    Set(Set),
    Delete { key: String, only: Only },
    List(List),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Set {
    pub key: String,
    pub value: Binary,
    pub content_type: Option<String>,
    pub ttl_milliseconds: Option<u64>,
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
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    Actors(actors::Answer),
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
    Bytes(Binary),
    Outcome {
        data: Binary,
        metadata: Vec<(String, String)>,
    },
    Configuration(configuration::Answer),
    Entry(Entry),
    Grant {
        grant: Option<lock::Grant>,
    },
    Jobs(jobs::Answer),
    Keys {
        keys: Vec<crypto::Listed>,
    },
    Text {
        text: String,
    },
    Verified {
        good: bool,
    },
    Missing {
        key: String,
    },
    Stored {
        etag: String,
    },
    Deleted,
    Names {
        names: Vec<String>,
    },
    Page {
        entries: Vec<Entry>,
        next: Option<String>,
    },
    PubSub(pubsub::Answer),
    Workflow(workflow::Answer),
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

impl Command {
    /// The app as which it is done.
    fn app(&self) -> &str {
        match self {
            Command::Bindings(command) => &command.app,
            Command::Crypto(command) => &command.app,
            Command::Configuration(command) => &command.app,
            Command::Lock(command) => &command.app,
            Command::Jobs(command) => &command.app,
            Command::Publish(command) => &command.app,
            Command::PubSub(command) => &command.app,
            Command::Secrets(command) => &command.app,
            Command::State(command) => &command.app,
            Command::Ping | Command::Actors(_) | Command::Invoke(_) | Command::Workflow(_) => {
                OPERATOR
            }
        }
    }
}

/// Does what an operator asks. No grants apply; components and scopes are those of the app that is named.
pub async fn execute(host: &Host, tenant: &Name, command: Command) -> Result<Answer> {
    let caller = caller(tenant, command.app())?;
    match command {
        Command::Ping => Ok(Answer::Pong {
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }),
        Command::Actors(action) => actors::execute(host, &caller, action).await,
        Command::Bindings(command) => bindings::execute(host, &caller, command).await,
        Command::Crypto(command) => crypto::execute(host, &caller, command).await,
        Command::Configuration(command) => configuration(host, &caller, command).await,
        Command::Invoke(command) => invoke(host, &caller, command).await,
        Command::Lock(command) => lock::execute(host, &caller, command).await,
        Command::Jobs(command) => {
            let answer = jobs::execute(host, &caller, command.action).await;
            answer.map(Answer::Jobs)
        }
        Command::Publish(command) => pubsub::publish(host, &caller, command).await,
        Command::PubSub(command) => pubsub::execute(host, &caller, command).await,
        Command::Secrets(command) => secrets::execute(host, &caller, command).await,
        Command::State(command) => state(host, &caller, command).await,
        Command::Workflow(action) => workflow::execute(host, &caller, action).await,
    }
}

fn caller(tenant: &Name, app: &str) -> Result<Caller> {
    let app = app.parse::<Name>();
    let app = app.map_err(|error| Error::invalid(error.to_string()))?;
    let deadline = Instant::now() + DEADLINE;
    Ok(Caller::operator(tenant.clone(), app, deadline))
}

async fn configuration(
    host: &Host,
    caller: &Caller,
    command: configuration::Configuration,
) -> Result<Answer> {
    let answer = configuration::execute(host, caller, command).await;
    answer.map(Answer::Configuration)
}

async fn invoke(host: &Host, caller: &Caller, command: Invoke) -> Result<Answer> {
    let headers = command.headers.into_iter();
    let request = invocation::Request {
        method: command.method,
        path: command.path,
        headers: headers.map(|(name, value)| (name, value.into())).collect(),
        body: command.body.0.into(),
    };
    let response = host
        .invocation
        .invoke(caller, &command.app, request)
        .await?;
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    let headers = response.headers.into_iter();
    Ok(Answer::Response {
        status: response.status,
        headers: headers.map(|(name, value)| (name, text(&value))).collect(),
        body: Binary(response.body.into()),
    })
}

async fn state(host: &Host, caller: &Caller, command: State) -> Result<Answer> {
    let store = host.state.open(caller, &command.component)?;
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
            key: set.key,
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
            expires: entry.expires.and_then(milliseconds),
        }
    }
}

/// Milliseconds since 1970.
fn milliseconds(time: SystemTime) -> Option<u64> {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    u64::try_from(since.as_millis()).ok()
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
        let action = Action::Set(Set {
            key: "a\nb".into(),
            value: Binary(vec![0, 255]),
            content_type: None,
            ttl_milliseconds: Some(5),
            only: Only::IfMatch("7".into()),
        });
        let (component, app) = ("statestore".into(), "cart".into());
        let command = Command::State(State {
            component,
            app,
            action,
        });
        let line = serde_json::to_string(&command).unwrap();
        let set = r#"{"key":"a\nb","value":"AP8=","content_type":null,"ttl_milliseconds":5,"only":{"if-match":"7"}}"#;
        let expected = format!(
            r#"{{"state":{{"component":"statestore","app":"cart","action":{{"set":{set}}}}}}}"#
        );
        assert_eq!(line, expected);
        assert!(serde_json::from_str::<Command>(&line).is_ok());
        assert_eq!(serde_json::to_string(&Command::Ping).unwrap(), r#""ping""#);
    }
}
