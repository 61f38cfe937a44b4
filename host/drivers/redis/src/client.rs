//! The client of a server, which the components of a tenant share: it connects when it is needed and again when it must.

use crate::{
    facts::Facts,
    failure::{self, Effect},
    link::Link,
    settings::Target,
};
use bytes::Bytes;
use parking_lot::Mutex;
use redis::{Cmd, ErrorKind, RedisResult, Script, ServerErrorKind, Value};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};
use tokio::time::timeout;
use wythe_blocks::{Backoff, Error, Rate, Result, time::Clock as _};

/// The pause after connecting has failed: calls that come meanwhile fail at once.
const PAUSE: Backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(2));

/// A client.
pub(crate) struct Client {
    pub target: Target,
    link: tokio::sync::Mutex<State>,
    /// The server as the last connection found it.
    facts: Mutex<Arc<Facts>>,
    /// Looks at a server that is less durable than it was.
    looks: Rate,
}

struct State {
    link: Option<Link>,
    pause: Backoff,
    /// The error of the last try to connect, and the time of the next one.
    failed: Option<(Error, Instant)>,
}

impl Client {
    pub fn new(target: Target) -> Self {
        Client {
            target,
            link: tokio::sync::Mutex::new(State {
                link: None,
                pause: PAUSE,
                failed: None,
            }),
            facts: Mutex::default(),
            looks: Rate::per_second(1),
        }
    }

    /// Connects for the first time, and says what the server is.
    pub async fn begin(&self) -> Result<Arc<Facts>> {
        self.link().await.map_err(|error| self.named(error))?;
        Ok(self.facts())
    }

    /// Adds the server to an error that an operator reads when a component opens.
    pub fn named(&self, error: Error) -> Error {
        let address = self.target.address();
        let chain = error.chain();
        error.map_message(|_| format!("Redis at {address}: {chain}"))
    }

    pub fn facts(&self) -> Arc<Facts> {
        self.facts.lock().clone()
    }

    /// Returns whether the last connection found that each write is on disk before its answer.
    fn is_durable(&self) -> bool {
        self.facts.lock().is_durable()
    }

    /// One line for operators.
    pub fn describe(&self) -> String {
        self.facts().describe(&self.target)
    }

    pub async fn ping(&self) -> Result<()> {
        self.ask(Effect::Read, "a ping", &redis::cmd("PING"))
            .await?;
        Ok(())
    }

    /// Sends a command; `about` is what it is about, in words for the app.
    pub async fn ask(&self, effect: Effect, about: &str, command: &Cmd) -> Result<Value> {
        let answer = self.answer(effect, about, command).await?;
        answer.map_err(|error| failure::of_call(error, effect, about))
    }

    /// Runs a script. The server may have it already; where it has not, nothing was done by asking.
    pub async fn run(
        &self,
        effect: Effect,
        about: &str,
        script: &Lua,
        call: &Call,
    ) -> Result<Value> {
        let hashed = call.command("EVALSHA", &script.hash);
        let answer = self.answer(effect, about, &hashed).await?;
        match answer {
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                let whole = call.command("EVAL", script.code);
                self.ask(effect, about, &whole).await
            }
            answer => answer.map_err(|error| failure::of_call(error, effect, about)),
        }
    }

    /// The answer to a command, be it an error of the server.
    async fn answer(
        &self,
        effect: Effect,
        about: &str,
        command: &Cmd,
    ) -> Result<RedisResult<Value>> {
        let mut link = self.link().await?;
        let answer = command.query_async(&mut link.connection);
        let Ok(answer) = timeout(self.target.call, answer).await else {
            self.lose(&link).await;
            return Err(failure::late(effect, about));
        };
        if let Err(error) = &answer
            && (error.is_unrecoverable_error() || error.code() == Some("READONLY"))
        {
            self.lose(&link).await;
        }
        Ok(answer)
    }

    /// The connection as it is, or a new one.
    async fn link(&self) -> Result<Link> {
        let mut state = self.link.lock().await;
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

    /// A new connection for whoever needs one of its own.
    pub async fn connect(&self) -> Result<Link> {
        let mut link = Link::open(&self.target).await?;
        self.learn(&mut link).await?;
        Ok(link)
    }

    /// Asks anew what the server does before it answers, now and then.
    async fn look(&self) -> Result<()> {
        let mut link = self.link().await?;
        match self.looks.allows() {
            Some(_) => self.learn(&mut link).await,
            None => Ok(()),
        }
    }

    async fn learn(&self, link: &mut Link) -> Result<()> {
        let facts = timeout(self.target.call, Facts::of(&mut link.connection)).await;
        let facts = facts.map_err(|_| failure::late(Effect::Read, "the server"))??;
        let facts = Arc::new(facts);
        let before = std::mem::replace(&mut *self.facts.lock(), facts.clone());
        if before.is_durable() && !facts.is_durable() {
            let server = facts.describe(&self.target);
            tracing::error!(server, "the server does not sync each write any more");
        }
        Ok(())
    }

    /// Uses a connection no more, if it is still the one in use.
    async fn lose(&self, lost: &Link) {
        let mut state = self.link.lock().await;
        if state.link.as_ref().is_some_and(|link| link.is(lost)) {
            state.link = None;
        }
    }
}

/// The client as one component has it, until that is closed.
pub(crate) struct Session {
    client: Arc<Client>,
    /// The server as it was when the component opened, on which the features rest.
    pub facts: Arc<Facts>,
    is_closed: AtomicBool,
}

impl Session {
    /// Connects, and says in the log if the server may lose what it acknowledges.
    pub async fn open(client: Arc<Client>, component: &str) -> Result<Self> {
        let facts = client.begin().await?;
        facts.warn(component);
        Ok(Session {
            client,
            facts,
            is_closed: AtomicBool::new(false),
        })
    }

    /// The client, while the component is open and the server is as durable as it was.
    pub async fn client(&self) -> Result<&Arc<Client>> {
        if self.is_closed.load(Relaxed) {
            return Err(Error::unavailable("the component is closed"));
        }
        let is_less = || self.facts.is_durable() && !self.client.is_durable();
        if is_less() {
            self.client.look().await?;
        }
        match is_less() {
            false => Ok(&self.client),
            true => Err(Error::unavailable(
                "the server does not sync each write any more, as the features of the component promise: set `appendonly yes` and `appendfsync always` there again, or open the component anew",
            )),
        }
    }

    pub fn close(&self) {
        self.is_closed.store(true, Relaxed);
    }

    pub fn describe(&self) -> Option<String> {
        Some(self.client.describe())
    }

    pub async fn health(&self) -> Result<()> {
        self.client().await?.ping().await
    }
}

/// A script, and the name by which the server has it.
pub(crate) struct Lua {
    code: &'static str,
    hash: String,
}

impl Lua {
    pub fn new(code: &'static str) -> Self {
        let hash = Script::new(code).get_hash().to_owned();
        Lua { code, hash }
    }
}

/// Keys and arguments of a script.
#[derive(Default)]
pub(crate) struct Call {
    pub keys: Vec<Bytes>,
    pub arguments: Vec<Bytes>,
}

impl Call {
    fn command(&self, name: &str, code: &str) -> Cmd {
        let mut command = redis::cmd(name);
        command.arg(code).arg(self.keys.len());
        for text in self.keys.iter().chain(&self.arguments) {
            command.arg(&text[..]);
        }
        command
    }
}
