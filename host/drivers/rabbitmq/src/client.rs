//! The client of a server, which the components of a tenant share: a connection for what is published and one for what is
//! consumed, as a server that lacks memory stops reading the first. Each is opened when it is needed, and again when it must.

use crate::{fault, link::Link, settings::Target};
use lapin::Channel;
use parking_lot::Mutex;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::time::timeout;
use wythe_blocks::{Backoff, Error, Result, time::Clock as _};

/// The first pause after connecting has failed: calls that come meanwhile fail at once.
const PAUSE: Duration = Duration::from_millis(50);

/// A client.
pub(crate) struct Client {
    pub target: Target,
    publishing: Line,
    consuming: Line,
    described: Mutex<String>,
}

/// The connection that a call uses.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Publishing,
    Consuming,
}

/// One connection, which comes and goes.
struct Line {
    part: &'static str,
    state: tokio::sync::Mutex<State>,
}

struct State {
    link: Option<Arc<Link>>,
    pause: Backoff,
    /// The error of the last try to connect, and the time of the next one.
    failed: Option<(Error, Instant)>,
}

impl Line {
    fn new(part: &'static str, pause: Backoff) -> Self {
        Line {
            part,
            state: tokio::sync::Mutex::new(State {
                link: None,
                pause,
                failed: None,
            }),
        }
    }

    /// The connection as it is, or a new one.
    async fn link(&self, target: &Target) -> Result<Arc<Link>> {
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
        match Link::open(target, self.part).await {
            Ok(link) => {
                state.failed = None;
                state.pause.reset();
                Ok(state.link.insert(Arc::new(link)).clone())
            }
            Err(error) => {
                let pause = state.pause.fail_apart();
                state.failed = Some((error.duplicate(), Instant::now().after(pause)));
                Err(error)
            }
        }
    }
}

impl Client {
    pub fn new(target: Target) -> Self {
        let pause = Backoff::new(PAUSE, target.reconnect);
        Client {
            publishing: Line::new("publisher", pause),
            consuming: Line::new("consumer", pause),
            described: Mutex::new(format!("RabbitMQ at {}", target.address)),
            target,
        }
    }

    /// Connects for the first time. An error names the server.
    pub async fn begin(&self) -> Result<()> {
        let begun = self.ping().await;
        begun.map_err(|error| {
            let (address, chain) = (&self.target.address, error.chain());
            error.map_message(|_| format!("RabbitMQ at {address}: {chain}"))
        })
    }

    /// Opens a channel of a connection.
    pub async fn channel(&self, side: Side) -> Result<Channel> {
        let line = match side {
            Side::Publishing => &self.publishing,
            Side::Consuming => &self.consuming,
        };
        let link = line.link(&self.target).await?;
        if side == Side::Publishing {
            self.describe_as(&link);
            link.check()?;
        }
        self.bound("a channel", link.connection.create_channel())
            .await
    }

    /// Waits for an answer of the server, for its time.
    pub async fn bound<T>(
        &self,
        about: &str,
        call: impl Future<Output = lapin::Result<T>>,
    ) -> Result<T> {
        let answer = timeout(self.target.timeout, call).await;
        let answer = answer.map_err(|_| fault::late(about))?;
        answer.map_err(|error| fault::of_call(error, about))
    }

    /// An error while the server takes no messages, as it said itself.
    pub async fn check(&self) -> Result<()> {
        let link = self.publishing.link(&self.target).await?;
        link.check()
    }

    /// Has the server answer, and throws the answer away.
    pub async fn ping(&self) -> Result<()> {
        let channel = self.channel(Side::Publishing).await?;
        self.bound("a sign of life", channel.close(200, "OK".into()))
            .await
    }

    fn describe_as(&self, link: &Link) {
        let facts = &link.facts;
        let named = |text: &str, other: &str| match text {
            "" => other.to_owned(),
            text => text.to_owned(),
        };
        *self.described.lock() = format!(
            "{} {} at {}",
            named(&facts.product, "a server of AMQP 0-9-1"),
            named(&facts.version, "of an unknown version"),
            self.target.address
        );
    }

    /// One line for operators.
    pub fn describe(&self) -> String {
        self.described.lock().clone()
    }
}
