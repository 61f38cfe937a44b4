//! Messages of a queue, both ways: Dapr's `create`, and deliveries one at a time.

use crate::{
    client::{Session, Shared, shared},
    fault::Fault,
    queue::{Queue, Taken, Taking, is_absent},
    settings::{Service, Target, config, wrong},
};
use async_trait::async_trait;
use parking_lot::Mutex;
use std::{sync::Arc, time::Duration};
use tokio::{select, time::sleep};
use tokio_util::sync::CancellationToken;
use wythe_blocks::{
    Backoff, Error, Result, Site, Wrong,
    bindings::{Delivery, Driver, Features, Outcome, Request, Sink},
    random,
    time::pause,
};
use wythe_client::Effect;

const SERVICE: Service = Service::named("sqs");
/// Bytes of a message.
const LARGEST: usize = 1 << 20;
/// Time for which one request waits for a message, and for which a message is hidden from others.
const WAIT: Duration = Duration::from_secs(2);
const HIDDEN: Duration = Duration::from_secs(30);
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
        queue_name: String,
    }
}

/// A config that was found good.
pub(crate) struct Parsed {
    target: Target,
    queue: String,
}

pub(crate) fn parse(mut config: Config) -> Result<Parsed, Wrong> {
    let queue = config.queue_name.trim().to_owned();
    let bare = queue.strip_suffix(".fifo").unwrap_or(&queue);
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if bare.is_empty() || queue.len() > 80 || !bare.chars().all(is_plain) {
        return Err(wrong(
            "queueName",
            "expected the name of a queue, of at most 80 letters, digits, `-` and `_`",
        ));
    }
    Ok(Parsed {
        target: Target::parse(config.service(), SERVICE)?,
        queue,
    })
}

pub(crate) fn warnings(parsed: &Parsed) -> Vec<Wrong> {
    parsed.target.warnings()
}

pub(crate) async fn open(clients: Shared, parsed: Parsed, site: Site) -> Result<Arc<dyn Driver>> {
    let client = shared(&clients, &parsed.target, &site);
    let binding = Binding {
        session: Session::new(client.clone(), format!("queue `{}`", parsed.queue)),
        timeout: parsed.target.timeout,
        name: parsed.queue,
        found: Mutex::default(),
    };
    binding
        .health()
        .await
        .map_err(|error| client.named(error))?;
    Ok(Arc::new(binding))
}

struct Binding {
    session: Session,
    timeout: Duration,
    name: String,
    found: Mutex<Option<Queue>>,
}

impl Binding {
    async fn find(&self) -> Result<Queue> {
        let client = self.session.client()?.clone();
        let found = Queue::find(client, &self.name).await;
        let queue = found.map_err(|fault| self.failed(fault, Effect::Read, "the queue"))?;
        *self.found.lock() = Some(queue.clone());
        Ok(queue)
    }

    async fn queue(&self) -> Result<Queue> {
        self.session.client()?;
        let known = self.found.lock().clone();
        match known {
            Some(queue) => Ok(queue),
            None => self.find().await,
        }
    }

    fn failed(&self, fault: Fault, effect: Effect, about: &str) -> Error {
        if !is_absent(&fault) {
            return fault.error(effect, about);
        }
        *self.found.lock() = None;
        Error::unavailable(format!(
            "there is no queue `{}`: make it, or check `queueName`, `region` and `endpoint`",
            self.name
        ))
    }

    /// Gives a message to the app, and keeps it from others meanwhile.
    async fn deliver(&self, queue: &Queue, taken: Taken, sink: &dyn Sink) {
        let handles = [taken.handle];
        let holding = async {
            loop {
                sleep(HIDDEN / 3).await;
                if let Err(fault) = queue.hide(&handles, HIDDEN).await {
                    self.report(fault);
                }
            }
        };
        let delivery = Delivery {
            data: taken.body.into(),
            metadata: Vec::new(),
            attempt: taken.attempts,
        };
        let answer = select! {
            answer = sink.deliver(delivery) => answer,
            () = holding => return,
        };
        let settled = match answer {
            Ok(_) => queue.delete(&handles).await,
            Err(_) => queue.hide(&handles, AGAIN.after(taken.attempts)).await,
        };
        if let Err(fault) = settled {
            self.report(fault);
        }
    }

    fn report(&self, fault: Fault) {
        let error = fault.of_read("a message");
        tracing::warn!(
            queue = self.name,
            "a message may come again: {}",
            error.chain()
        );
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
        Some(self.timeout.saturating_add(GRACE))
    }

    async fn invoke(&self, request: Request<'_>) -> Result<Outcome> {
        let _held = request.hold(request.data.len().saturating_mul(3))?;
        let text = std::str::from_utf8(request.data);
        let text = text.map_err(|_| {
            Error::invalid("expected data as text in UTF-8: a queue takes no other bytes")
        })?;
        if text.is_empty() || text.len() > LARGEST {
            return Err(Error::invalid(format!(
                "expected data of 1 to {LARGEST} bytes"
            )));
        }
        let id = random::name()?;
        let group = request.get("messageGroupId").unwrap_or("wythe");
        let order = self.name.ends_with(".fifo").then_some((group, &*id));
        let sent = self.queue().await?.send(text, order).await;
        sent.map_err(|fault| self.failed(fault, Effect::Write, "the message"))?;
        Ok(Outcome::default())
    }

    async fn read(&self, sink: Arc<dyn Sink>, stop: CancellationToken) -> Result<()> {
        let taking = Taking {
            limit: 1,
            hidden: HIDDEN,
            wait: WAIT,
        };
        let mut apart = PAUSE;
        while !stop.is_cancelled() {
            let taken = async {
                let queue = self.queue().await?;
                let taken = queue.take(taking).await;
                let taken = taken.map_err(|fault| self.failed(fault, Effect::Read, "the queue"))?;
                Ok::<_, Error>((queue, taken))
            };
            match taken.await {
                Ok((queue, taken)) => {
                    apart.reset();
                    for one in taken {
                        self.deliver(&queue, one, &*sink).await;
                    }
                }
                Err(error) => {
                    tracing::warn!(
                        queue = self.name,
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
        self.session.describe()
    }

    async fn health(&self) -> Result<()> {
        self.find().await.map(drop)
    }

    async fn close(&self) -> Result<()> {
        self.session.close();
        Ok(())
    }
}
