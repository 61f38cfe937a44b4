//! Messages of a queue, both ways: Dapr's `create`, and deliveries one at a time.

mod messages;

use crate::{
    client::{Session, Shared},
    fault::Fault,
    settings::{Account, config, name, wrong},
};
use async_trait::async_trait;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use messages::{LARGEST, Queue, Taken};
use std::{pin::pin, sync::Arc, time::Duration};
use tokio::{select, time::sleep};
use tokio_util::sync::CancellationToken;
use wythe_blocks::{
    Backoff, Error, Result, Site, Wrong,
    bindings::{Delivery, Driver, Features, Outcome, Request, Sink},
    time::pause,
};
use wythe_client::Effect;
use wythe_manifest::Duration as Time;

/// Part of the service's host name.
const SERVICE: &str = "queue";
/// Defaults, which are Dapr's: the life of a message, the time for which one is hidden, and the pause of an empty queue.
const LIFE: Duration = Duration::from_secs(600);
const HIDDEN: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_secs(10);
/// The longest times that the service takes.
const LONGEST: Duration = Duration::from_secs(7 * 86_400);
/// Pauses after a receive that failed, and before a message that was refused comes again.
const PAUSE: Backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(5));
const AGAIN: Backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(60));
/// Time that the block waits beyond the driver's own limit, so that the latter speaks first.
const GRACE: Duration = Duration::from_secs(1);
/// Calls at once.
const PERMITS: usize = 64;

config! {
    struct Config {
        /// The queue.
        #[serde(alias = "queue", alias = "storageAccountQueue")]
        queue_name: Option<String>,
        /// The life of a message in seconds; default 600.
        ttl_in_seconds: Option<u32>,
        /// True decodes base64 of a message before an app gets it; default false.
        decode_base64: Option<bool>,
        /// True encodes data in base64 before it is sent; default false.
        encode_base64: Option<bool>,
        /// Pause after the queue was found empty; default 10 s.
        polling_interval: Option<Time>,
        /// Time after which a message of a host that is gone comes again; default 30 s.
        visibility_timeout: Option<Time>,
        /// Time before a message that is sent can be received; default none.
        initial_visibility_delay: Option<Time>,
        /// True makes no queue, which has to be there; default false.
        disable_entity_management: Option<bool>,
    }
}

/// A config that was found good.
pub(crate) struct Parsed {
    account: Account,
    queue: String,
    life: Duration,
    decodes: bool,
    encodes: bool,
    poll: Duration,
    hidden: Duration,
    delay: Duration,
    is_managed: bool,
}

pub(crate) fn parse(mut config: Config) -> Result<Parsed, Wrong> {
    let time = |setting, written: Option<Time>, default: Duration, least: Duration| {
        let time = written.map_or(default, Duration::from);
        match (least..=LONGEST).contains(&time) {
            true => Ok(time),
            false => Err(wrong(setting, &format!("expected {least:?} to 168h"))),
        }
    };
    let seconds = config.ttl_in_seconds.map(u64::from);
    let life = seconds.map_or(LIFE, Duration::from_secs);
    if life.is_zero() {
        return Err(wrong("ttlInSeconds", "expected 1 or more seconds"));
    }
    let second = Duration::from_secs(1);
    let (poll, hidden, delay) = (
        config.polling_interval,
        config.visibility_timeout,
        config.initial_visibility_delay,
    );
    Ok(Parsed {
        account: Account::parse(config.account(), SERVICE)?,
        queue: name("queueName", config.queue_name)?,
        life,
        decodes: config.decode_base64.unwrap_or(false),
        encodes: config.encode_base64.unwrap_or(false),
        poll: time("pollingInterval", poll, POLL, Duration::from_millis(100))?,
        hidden: time("visibilityTimeout", hidden, HIDDEN, second)?,
        delay: time(
            "initialVisibilityDelay",
            delay,
            Duration::ZERO,
            Duration::ZERO,
        )?,
        is_managed: !config.disable_entity_management.unwrap_or(false),
    })
}

pub(crate) fn warnings(parsed: &Parsed) -> Vec<Wrong> {
    parsed.account.warnings()
}

pub(crate) async fn open(clients: Shared, parsed: Parsed, site: Site) -> Result<Arc<dyn Driver>> {
    let shown = format!("queue `{}`", parsed.queue);
    let session = Session::new(&clients, &parsed.account, &site, shown);
    let binding = Binding {
        queue: Queue::new(session, parsed.queue.clone()),
        parsed,
    };
    let found = match binding.parsed.is_managed {
        true => binding.queue.make().await,
        false => binding.queue.look().await,
    };
    let found = found.and_then(|found| {
        found.map_err(|fault| binding.failed(fault, Effect::Read, &binding.about()))
    });
    found.map_err(|error| binding.queue.session.named(error))?;
    Ok(Arc::new(binding))
}

struct Binding {
    queue: Queue,
    parsed: Parsed,
}

/// Whole seconds of a time, no fewer than it has.
fn seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

impl Binding {
    fn about(&self) -> String {
        format!("the queue `{}`", self.parsed.queue)
    }

    fn failed(&self, fault: Fault, effect: Effect, about: &str) -> Error {
        match fault.code() {
            "QueueNotFound" | "QueueDisabled" => Error::unavailable(format!(
                "there is no queue `{}`: make it, or check `queueName`, `accountName` and `endpoint`",
                self.parsed.queue
            )),
            _ => fault.error(effect, about),
        }
    }

    /// The life of a message that is sent, and the time before it can be received.
    fn times(&self, request: &Request<'_>) -> Result<(u64, u64)> {
        let written = |name: &str| request.get(name).filter(|text| !text.is_empty());
        let life = match written("ttlInSeconds") {
            None => seconds(self.parsed.life),
            Some(text) => {
                let life = text.parse::<u32>().ok().filter(|seconds| *seconds > 0);
                life.map(u64::from).ok_or_else(|| {
                    Error::invalid("expected metadata `ttlInSeconds` to be 1 or more seconds")
                })?
            }
        };
        let delay = match written("initialVisibilityDelay") {
            None => self.parsed.delay,
            Some(text) => {
                let time = text.parse::<Time>().map(Duration::from).ok();
                time.filter(|time| *time <= LONGEST).ok_or_else(|| {
                    Error::invalid(
                        "expected metadata `initialVisibilityDelay`, such as `30s`, to 168h",
                    )
                })?
            }
        };
        let delay = seconds(delay);
        match delay < life {
            true => Ok((life, delay)),
            false => Err(Error::invalid(
                "a message would be gone before it can be received: expected `initialVisibilityDelay` below `ttlInSeconds`",
            )),
        }
    }

    /// The text that carries the data.
    fn text(&self, data: &[u8]) -> Result<String> {
        let text = match self.parsed.encodes {
            true => STANDARD.encode(data),
            false => String::from_utf8(data.to_vec()).map_err(|_| {
                Error::invalid("expected data as text in UTF-8; see `encodeBase64` for other bytes")
            })?,
        };
        if text.is_empty() || text.len() > LARGEST {
            return Err(Error::invalid(format!(
                "expected data of 1 to {LARGEST} bytes as it is sent"
            )));
        }
        match text.chars().all(messages::is_sendable) {
            true => Ok(text),
            false => Err(Error::invalid(
                "the data has characters that no message can have, such as NUL; see `encodeBase64`",
            )),
        }
    }

    /// The data of a message. One that is no base64 would come for ever, so it is delivered as it is.
    fn data(&self, text: String) -> Bytes {
        if self.parsed.decodes {
            match STANDARD.decode(text.trim()) {
                Ok(data) => return data.into(),
                Err(_) => tracing::warn!(
                    queue = self.parsed.queue,
                    "a message is no base64, and is delivered as it is; see `decodeBase64`"
                ),
            }
        }
        text.into()
    }

    /// Gives a message to the app, and keeps it from others meanwhile.
    async fn deliver(&self, taken: Taken, sink: &dyn Sink) {
        let delivery = Delivery {
            metadata: taken.metadata(),
            attempt: taken.attempts,
            data: self.data(taken.text),
        };
        let (id, attempts) = (taken.id, taken.attempts);
        let (answer, receipt) = self.hold(sink.deliver(delivery), &id, taken.receipt).await;
        let settled = match answer {
            Ok(_) => self.queue.delete(&id, &receipt).await,
            Err(_) => {
                let again = seconds(AGAIN.after(attempts));
                let hidden = self.queue.hide(&id, &receipt, again).await;
                hidden.map(|hidden| hidden.map(drop))
            }
        };
        match settled {
            Ok(Ok(())) => {}
            Ok(Err(fault)) => self.report(&fault.error(Effect::Read, "a message")),
            Err(error) => self.report(&error),
        }
    }

    /// Waits for an answer, and says three times in a `visibilityTimeout` that the message is still here. The name of the
    /// delivery changes each time, so that such a request is never left halfway.
    async fn hold<A>(
        &self,
        answering: impl Future<Output = A>,
        id: &str,
        mut receipt: String,
    ) -> (A, String) {
        let hidden = self.parsed.hidden;
        let mut answering = pin!(answering);
        loop {
            select! {
                answer = &mut answering => return (answer, receipt),
                () = sleep(hidden / 3) => {}
            }
            let next = {
                let mut hiding = pin!(self.queue.hide(id, &receipt, seconds(hidden)));
                select! {
                    answer = &mut answering => (Some(answer), hiding.await),
                    next = &mut hiding => (None, next),
                }
            };
            let (answer, next) = next;
            match next {
                Ok(Ok(next)) => receipt = next,
                Ok(Err(fault)) => self.report(&fault.error(Effect::Read, "a message")),
                Err(error) => self.report(&error),
            }
            if let Some(answer) = answer {
                return (answer, receipt);
            }
        }
    }

    fn report(&self, error: &Error) {
        tracing::warn!(
            queue = self.parsed.queue,
            "a message may come again: {}",
            error.chain()
        );
    }

    /// A message, or nothing from an empty queue.
    async fn take(&self) -> Result<Option<Taken>> {
        let taken = self.queue.take(seconds(self.parsed.hidden)).await?;
        taken.map_err(|fault| self.failed(fault, Effect::Read, &self.about()))
    }
}

#[async_trait]
impl Driver for Binding {
    fn features(&self) -> Features {
        Features {
            operations: vec!["create".to_owned()],
            input: true,
            redelivers: true,
            secrets: false,
        }
    }

    fn permits(&self) -> Option<usize> {
        Some(PERMITS)
    }

    fn patience(&self) -> Option<Duration> {
        Some(self.parsed.account.timeout.saturating_add(GRACE))
    }

    async fn invoke(&self, request: Request<'_>) -> Result<Outcome> {
        let (life, delay) = self.times(&request)?;
        let _held = request.hold(request.data.len().saturating_mul(4))?;
        let text = self.text(request.data)?;
        let sent = self.queue.send(&text, life, delay).await?;
        sent.map_err(|fault| self.failed(fault, Effect::Write, "the message"))?;
        Ok(Outcome::default())
    }

    async fn read(&self, sink: Arc<dyn Sink>, stop: CancellationToken) -> Result<()> {
        let mut apart = PAUSE;
        while !stop.is_cancelled() {
            match self.take().await {
                Ok(Some(taken)) => {
                    apart.reset();
                    self.deliver(taken, &*sink).await;
                }
                Ok(None) => {
                    apart.reset();
                    pause(&stop, self.parsed.poll).await;
                }
                Err(error) => {
                    tracing::warn!(
                        queue = self.parsed.queue,
                        "no message can be received: {}",
                        error.chain()
                    );
                    pause(&stop, apart.fail_apart()).await;
                }
            }
        }
        Ok(())
    }

    fn describe(&self) -> Option<String> {
        self.queue.session.describe()
    }

    async fn health(&self) -> Result<()> {
        let found = self.queue.look().await?;
        found.map_err(|fault| self.failed(fault, Effect::Read, &self.about()))
    }

    async fn close(&self) -> Result<()> {
        self.queue.session.close();
        Ok(())
    }
}
