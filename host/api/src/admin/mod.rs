//! The commands that an operator gives to a host: one enum of commands, one of answers, and the one function between
//! them.
//!
//! The same function serves both ways: over the socket of a host that runs, and in the process that opened the
//! project for the moment.

pub mod actors;
pub mod bindings;
pub mod client;
pub mod configuration;
pub mod crypto;
mod fields;
#[cfg(any(fuzzing, test))]
pub(crate) mod fuzzing;
pub mod host;
pub mod invocation;
pub mod jobs;
pub mod lock;
mod memory;
mod peer;
mod process;
pub mod pubsub;
pub mod secrets;
mod server;
pub mod state;
pub mod traces;
pub(crate) mod wire;
pub mod workflow;

pub use memory::MAX;
pub use peer::is_trusted;
pub(crate) use process::reports;
pub use server::{TENANT, serve};
pub use wire::Refusal;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::time::Duration;
use wythe_blocks::{Call, Error, Result, Tenant, time};
use wythe_manifest::Name;

/// The caller's name where no app is named.
pub const OPERATOR: &str = "operator";
/// The deadline of one command.
const DEADLINE: Duration = Duration::from_secs(60);

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Command {
    Ping,
    Actors(actors::Action),
    Bindings(bindings::Bindings),
    Crypto(crypto::Crypto),
    Configuration(configuration::Configuration),
    Host(host::Action),
    Invocation(invocation::Action),
    Lock(lock::Lock),
    Jobs(jobs::Jobs),
    PubSub(pubsub::PubSub),
    Secrets(secrets::Secrets),
    State(state::State),
    Traces(traces::Action),
    Workflow(workflow::Action),
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
    Bytes(Binary),
    Outcome {
        data: Binary,
        metadata: Vec<(String, String)>,
    },
    Configuration(configuration::Answer),
    Host(host::Answer),
    Entry(state::Entry),
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
        entries: Vec<state::Entry>,
        next: Option<String>,
    },
    Published {
        id: String,
    },
    PubSub(pubsub::Answer),
    Traces(traces::Answer),
    Workflow(workflow::Answer),
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
            Command::PubSub(command) => &command.app,
            Command::Secrets(command) => &command.app,
            Command::State(command) => &command.app,
            Command::Ping
            | Command::Actors(_)
            | Command::Host(_)
            | Command::Invocation(_)
            | Command::Traces(_)
            | Command::Workflow(_) => OPERATOR,
        }
    }
}

/// Does what an operator asks. No grants apply; components and scopes are those of the app that is named.
pub async fn execute(tenant: &Tenant, command: Command) -> Result<Answer> {
    let caller = caller(tenant.name(), command.app())?;
    match command {
        Command::Ping => Ok(Answer::Pong {
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }),
        Command::Actors(action) => actors::execute(tenant, &caller, action).await,
        Command::Bindings(command) => bindings::execute(tenant, &caller, command).await,
        Command::Crypto(command) => crypto::execute(tenant, &caller, command).await,
        Command::Configuration(command) => configuration(tenant, &caller, command).await,
        Command::Host(_) | Command::Traces(_) => Err(Error::unavailable(
            "no host runs here, of which this is asked",
        )),
        Command::Invocation(action) => invocation::execute(tenant, &caller, action).await,
        Command::Lock(command) => lock::execute(tenant, &caller, command).await,
        Command::Jobs(command) => {
            let answer = jobs::execute(tenant, &caller, command.action).await;
            answer.map(Answer::Jobs)
        }
        Command::PubSub(command) => pubsub::execute(tenant, &caller, command).await,
        Command::Secrets(command) => secrets::execute(tenant, &caller, command).await,
        Command::State(command) => state::execute(tenant, &caller, command).await,
        Command::Workflow(action) => workflow::execute(tenant, &caller, action).await,
    }
}

fn caller(tenant: &Name, app: &str) -> Result<Call> {
    let app = app.parse::<Name>();
    let app = app.map_err(|error| Error::invalid(error.to_string()))?;
    Ok(Call::operator(
        tenant.clone(),
        app,
        time::deadline(DEADLINE),
    ))
}

async fn configuration(
    tenant: &Tenant,
    caller: &Call,
    command: configuration::Configuration,
) -> Result<Answer> {
    let answer = configuration::execute(tenant, caller, command).await;
    answer.map(Answer::Configuration)
}
