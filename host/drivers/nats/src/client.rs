//! The client of a server or a cluster, which the components of a tenant share: it connects when it is needed, and again
//! when it must.

use crate::{
    failure::{self, Effect, Refusal, odd},
    link::{Link, greeting},
    settings::Target,
    wire::{Incoming, Info, Outgoing},
};
use parking_lot::Mutex;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};
use tokio::time::timeout;
use wythe_blocks::{Backoff, Error, Result, random, time::Clock as _};
use wythe_net::Tls;

/// The pause after connecting has failed: calls that come meanwhile fail at once.
const PAUSE: Backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(2));
/// The answer where nobody listens to a subject.
const NOBODY: u16 = 503;

pub(crate) struct Client {
    pub target: Target,
    tls: Tls,
    state: tokio::sync::Mutex<State>,
    /// The server as it greeted last.
    info: Mutex<Info>,
}

struct State {
    link: Option<Link>,
    pause: Backoff,
    /// The error of the last try to connect, and the time of the next one.
    failed: Option<(Error, Instant)>,
}

/// An answer of JetStream, which may be that it refuses.
pub(crate) type Answer<T> = Result<T, Refusal>;

impl Client {
    pub fn new(target: Target, tls: Tls) -> Self {
        Client {
            target,
            tls,
            state: tokio::sync::Mutex::new(State {
                link: None,
                pause: PAUSE,
                failed: None,
            }),
            info: Mutex::default(),
        }
    }

    /// Adds the server to an error that an operator reads when a component opens.
    pub fn named(&self, error: Error) -> Error {
        let address = self.target.address();
        let chain = error.chain();
        error.map_message(|_| format!("NATS at {address}: {chain}"))
    }

    /// One line for operators.
    pub fn describe(&self) -> String {
        let (address, target) = (self.target.address(), &self.target);
        let version: String = self.info.lock().version.chars().take(30).collect();
        let synced = match target.sync_always {
            true => "synced as `syncAlways` says",
            false => "not known to be synced (see `syncAlways`)",
        };
        format!("NATS {version} at {address}, {synced}")
    }

    /// Returns whether the last server that answered is of this version, or a later one.
    pub fn is_from(&self, version: (u64, u64)) -> bool {
        greeting::version(&self.info.lock().version) >= Some(version)
    }

    /// Bytes of a message with its headers that the server takes.
    pub fn max_payload(&self) -> u64 {
        self.info.lock().max_payload
    }

    /// The connection as it is, or a new one.
    pub async fn link(&self) -> Result<Link> {
        let mut state = self.state.lock().await;
        if let Some(link) = state.link.as_ref().filter(|link| link.is_alive()) {
            return Ok(link.clone());
        }
        state.link = None;
        if let Some((error, next)) = &state.failed
            && Instant::now() < *next
        {
            return Err(error.duplicate());
        }
        match self.connect().await {
            Ok(link) => {
                (state.pause, state.failed) = (PAUSE, None);
                state.link = Some(link.clone());
                Ok(link)
            }
            Err(error) => {
                let pause = state.pause.fail_apart();
                state.failed = Some((error.duplicate(), Instant::now().after(pause)));
                Err(error)
            }
        }
    }

    /// Connects to one of the servers, beginning with any of them.
    async fn connect(&self) -> Result<Link> {
        let servers = &self.target.servers;
        let count = servers.len() as u64;
        let first = usize::try_from(random::next() % count.max(1)).unwrap_or_default();
        let mut last = Error::internal("`natsURL` names no server");
        for server in servers.iter().cycle().skip(first).take(servers.len()) {
            match Link::open(&self.target, &self.tls, server).await {
                Ok(link) => {
                    self.check(&link)?;
                    return Ok(link);
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn check(&self, link: &Link) -> Result<()> {
        let info = link.info();
        let can_sync = greeting::version(&info.version) >= Some(greeting::SYNCS);
        if self.target.sync_always && !can_sync {
            return Err(Error::unsupported(
                "`syncAlways` is not so: the server is older than 2.10, the first version with `sync_interval: always`; delete the key, or update the server",
            ));
        }
        *self.info.lock() = info.clone();
        Ok(())
    }

    /// Sends a message and waits for its answer. `about` is what it is about, in words for the app.
    pub async fn ask(&self, effect: Effect, about: &str, message: Outgoing) -> Result<Incoming> {
        let link = self.link().await?;
        let asked = async { link.send(message).await?.answer().await };
        let Ok(answer) = timeout(self.target.timeout, asked).await else {
            link.doubt();
            return Err(failure::late(effect, about));
        };
        answer.map_err(|lost| lost.error(effect, about))
    }

    /// Asks JetStream by the name of what it does, such as `STREAM.INFO.name`.
    pub async fn api<T: DeserializeOwned>(
        &self,
        effect: Effect,
        about: &str,
        name: &str,
        body: Value,
    ) -> Result<Answer<T>> {
        let subject = format!("{}.{name}", self.target.prefix);
        let message = Outgoing::new(subject, body.to_string());
        let answer = self.ask(effect, about, message).await?;
        match answer.status {
            Some(NOBODY) => Err(failure::silent()),
            _ => read(&answer),
        }
    }

    /// Stores a message in a stream; nothing where no stream takes its subject.
    pub async fn store(&self, about: &str, message: Outgoing) -> Result<Option<Answer<Stored>>> {
        let answer = self.ask(Effect::Write, about, message).await?;
        stored(&answer)
    }

    pub async fn health(&self) -> Result<()> {
        let about = "its health";
        let answer = self.api::<Value>(Effect::Read, about, "INFO", Value::Null);
        answer
            .await?
            .map(drop)
            .map_err(|refusal| refusal.error(about))
    }
}

/// The place of a message that was stored.
#[derive(Clone, Copy, Debug, serde::Deserialize)]
pub(crate) struct Stored {
    pub seq: u64,
    /// The messages of the batch, if it was one.
    #[serde(default)]
    pub count: Option<u64>,
}

/// Reads the answer to a message that is to be stored; nothing where no stream takes its subject.
pub(crate) fn stored(answer: &Incoming) -> Result<Option<Answer<Stored>>> {
    match answer.status {
        Some(NOBODY) => Ok(None),
        _ => read(answer).map(Some),
    }
}

fn read<T: DeserializeOwned>(answer: &Incoming) -> Result<Answer<T>> {
    #[derive(serde::Deserialize)]
    struct Maybe {
        error: Option<Refusal>,
    }
    let maybe: Maybe = serde_json::from_slice(&answer.data).map_err(|_| odd())?;
    match maybe.error {
        Some(refusal) => Ok(Err(refusal)),
        None => {
            let value = serde_json::from_slice(&answer.data);
            value.map(Ok).map_err(|error| odd().with_source(error))
        }
    }
}

/// The client as one component has it, until that is closed.
pub(crate) struct Session {
    client: Arc<Client>,
    is_closed: AtomicBool,
}

impl Session {
    /// Connects, and says in the log if the server may lose what it acknowledges.
    pub async fn open(client: Arc<Client>, component: &str) -> Result<Self> {
        let begun = client.health().await;
        begun.map_err(|error| client.named(error))?;
        if !client.target.sync_always {
            tracing::warn!(
                component,
                "the server may lose what it acknowledged when its machine loses power: set `sync_interval: always` in its `jetstream` block, and `syncAlways: true` here, if that matters"
            );
        }
        Ok(Session {
            client,
            is_closed: AtomicBool::new(false),
        })
    }

    /// The client, while the component is open.
    pub fn client(&self) -> Result<&Arc<Client>> {
        match self.is_closed.load(Relaxed) {
            false => Ok(&self.client),
            true => Err(Error::unavailable("the component is closed")),
        }
    }

    /// The client as it was found, be the component open or not.
    pub fn known(&self) -> &Client {
        &self.client
    }

    pub fn close(&self) {
        self.is_closed.store(true, Relaxed);
    }

    pub fn describe(&self) -> Option<String> {
        Some(self.client.describe())
    }

    pub async fn health(&self) -> Result<()> {
        self.client()?.health().await
    }
}
