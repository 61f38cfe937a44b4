//! The client of some servers: each with a few connections, one for each call under way.

use crate::{
    facts::{Facts, Life},
    failure::{self, Effect, Fault},
    keys,
    settings::Target,
    wire::{Answer, Command, Wire},
};
use parking_lot::Mutex;
use std::time::Duration;
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout_at},
};
use wythe_blocks::{Backoff, Error, Result, time::Clock as _};
use wythe_net::reach;

/// Connections to one server at once.
const AT_ONCE: usize = 32;
/// The pause after connecting has failed: calls that come meanwhile fail at once.
const PAUSE: Backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(2));
/// Bytes of a value, whatever a server says.
const LARGEST: u64 = 128 << 20;

pub(crate) struct Client {
    pub target: Target,
    servers: Vec<Server>,
}

/// One server.
pub(crate) struct Server {
    host: String,
    port: u16,
    permits: Semaphore,
    state: Mutex<State>,
}

struct State {
    /// Connections that wait for a call.
    idle: Vec<Connection>,
    pause: Backoff,
    /// The error of the last try to connect, and the time of the next one.
    failed: Option<(Error, Instant)>,
    /// The server as the last connection found it.
    facts: Option<Facts>,
}

struct Connection {
    wire: Wire,
    life: Life,
    largest: u64,
}

/// A call: what is asked, and what it is about in words for the app.
pub(crate) struct Call<'a> {
    pub command: Command,
    pub effect: Effect,
    pub about: &'a str,
    /// The life of the server of which the command speaks.
    pub life: Option<Life>,
}

impl Client {
    pub fn new(target: Target) -> Self {
        let server = |(host, port): &(String, u16)| Server {
            host: host.clone(),
            port: *port,
            permits: Semaphore::new(AT_ONCE),
            state: Mutex::new(State {
                idle: Vec::new(),
                pause: PAUSE,
                failed: None,
                facts: None,
            }),
        };
        Client {
            servers: target.hosts.iter().map(server).collect(),
            target,
        }
    }

    /// The server that has a key as it is sent.
    pub fn server(&self, sent: &str) -> &Server {
        &self.servers[keys::place(sent, self.servers.len())]
    }

    /// Asks every server whether it is there.
    pub async fn ping(&self) -> Result<()> {
        for server in &self.servers {
            let call = Call {
                command: Command::ping(),
                effect: Effect::Read,
                about: "a ping",
                life: None,
            };
            let answer = self.ask(server, call).await;
            answer.map_err(|error| server.named(error))?;
        }
        Ok(())
    }

    /// Bytes of an entry that each server takes.
    pub fn largest(&self) -> u64 {
        let all = self.servers.iter().filter_map(|server| {
            let state = server.state.lock();
            state.facts.as_ref().map(|facts| facts.largest)
        });
        all.min().unwrap_or(0).min(LARGEST)
    }

    /// One line for operators.
    pub fn describe(&self) -> String {
        let one = |server: &Server| {
            let facts = server.state.lock().facts.clone();
            let version = facts.map_or_else(String::new, |facts| format!("{} ", facts.version));
            format!("{version}at {}", server.address())
        };
        let all: Vec<_> = self.servers.iter().map(one).collect();
        format!("memcached {}, not durable", all.join(", "))
    }

    /// Asks a server, within the time of a call. The answer comes with the life of the server that gave it.
    pub async fn ask(&self, server: &Server, call: Call<'_>) -> Result<(Answer, Life)> {
        let end = Instant::now().after(self.target.timeout);
        let busy = || Error::unavailable("all connections to the server are in use for `timeout`");
        let permit = timeout_at(end, server.permits.acquire()).await;
        let permit = permit.map_err(|_| busy())?;
        let _permit = permit.map_err(|_| busy())?;
        loop {
            let waiting = server.idle();
            let has_waited = waiting.is_some();
            let mut connection = match waiting {
                Some(connection) => connection,
                None => server.connect(end).await?,
            };
            let life = connection.life;
            if call.life.is_some_and(|of| of != life) {
                server.put_back(connection, self.target.idle);
                return Ok((Answer::Changed, life));
            }
            let asked = connection.wire.ask(&call.command, connection.largest);
            let fault = match timeout_at(end, asked).await.unwrap_or(Err(Fault::Late)) {
                Ok(answer) => {
                    server.put_back(connection, self.target.idle);
                    return Ok((answer, life));
                }
                Err(fault) => fault,
            };
            // What became of this connection has become of the others, or will.
            if !matches!(fault, Fault::Said(_)) {
                server.state.lock().idle.clear();
            }
            // The server had enough of a connection that waited, or is another one by now.
            let is_again = has_waited && call.effect == Effect::Read;
            if !(is_again && matches!(fault, Fault::Broken(_))) {
                return Err(failure::of_call(fault, call.effect, call.about));
            }
        }
    }
}

impl Server {
    fn address(&self) -> String {
        match self.host.contains(':') {
            true => format!("[{}]:{}", self.host, self.port),
            false => format!("{}:{}", self.host, self.port),
        }
    }

    /// Adds the server to an error that an operator reads.
    fn named(&self, error: Error) -> Error {
        let (address, chain) = (self.address(), error.chain());
        error.map_message(|_| format!("memcached at {address}: {chain}"))
    }

    /// A connection that waits, if there is one that is still good.
    fn idle(&self) -> Option<Connection> {
        let mut state = self.state.lock();
        while let Some(connection) = state.idle.pop() {
            if connection.wire.is_quiet() {
                return Some(connection);
            }
        }
        None
    }

    fn put_back(&self, connection: Connection, limit: usize) {
        let mut state = self.state.lock();
        if state.idle.len() < limit {
            state.idle.push(connection);
        }
    }

    async fn connect(&self, end: Instant) -> Result<Connection> {
        if let Some((error, next)) = &self.state.lock().failed
            && Instant::now() < *next
        {
            return Err(error.duplicate());
        }
        let late =
            || Error::unavailable("the server did not greet within `timeout`; is it memcached?");
        let opened = timeout_at(end, self.open()).await;
        let opened = opened.unwrap_or_else(|_| Err(late()));
        let mut state = self.state.lock();
        match opened {
            Ok((connection, facts)) => {
                (state.pause, state.failed, state.facts) = (PAUSE, None, Some(facts));
                Ok(connection)
            }
            Err(error) => {
                let pause = state.pause.fail_apart();
                state.failed = Some((error.duplicate(), Instant::now().after(pause)));
                Err(error)
            }
        }
    }

    async fn open(&self) -> Result<(Connection, Facts)> {
        let mut wire = Wire::new(reach("hosts", &self.host, self.port).await?);
        let facts = Facts::of(&mut wire).await;
        let facts =
            facts.map_err(|fault| failure::of_call(fault, Effect::Read, "its greeting"))??;
        let connection = Connection {
            wire,
            life: facts.life,
            largest: facts.largest.min(LARGEST),
        };
        Ok((connection, facts))
    }
}
