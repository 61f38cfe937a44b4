//! A topic as an outside system: `create` publishes to it, and an app that listens is given what comes.

use crate::{
    desk::{Desk, Given},
    fault,
    publisher::Publisher,
    session::{Position, Session},
    settings::Binding as Settings,
};
use async_trait::async_trait;
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::Relaxed},
};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use wythe_blocks::{
    Backoff, Error, Result, Site,
    bindings::{Delivery, Driver, Features, Outcome, Request, Sink},
};

/// The pause before the second attempt; it doubles with each, up to the last.
const RETRY: Backoff = Backoff::SLOW;
/// Messages that the app has at once.
const AT_ONCE: usize = 100;
/// The seat of the one reader.
const SEAT: u64 = 0;

pub(super) async fn open(settings: Settings, site: Site) -> Result<Arc<dyn Driver>> {
    let publisher = Publisher::open(settings.parsed.target.clone()).await?;
    let id = settings.id.clone();
    let id = id.unwrap_or_else(|| format!("wythe.{}.{}", site.tenant, site.component));
    Ok(Arc::new(Binding {
        publisher,
        id,
        settings,
        is_closed: AtomicBool::new(false),
    }))
}

struct Binding {
    publisher: Publisher,
    settings: Settings,
    id: String,
    is_closed: AtomicBool,
}

impl Binding {
    fn check(&self) -> Result<()> {
        match self.is_closed.load(Relaxed) {
            false => Ok(()),
            true => Err(fault::closed()),
        }
    }
}

async fn deliver(desk: Arc<Desk>, sink: Arc<dyn Sink>, given: Given, retries: Option<u32>) {
    let delivered = sink.deliver(Delivery {
        data: given.data,
        metadata: vec![("topic".to_owned(), given.topic.clone())],
        attempt: given.attempt,
    });
    let settled = match delivered.await {
        Ok(_) => desk.ack(SEAT, &given.receipt),
        Err(_) if retries.is_some_and(|retries| given.attempt > retries) => {
            tracing::warn!(
                topic = given.topic,
                attempts = given.attempt,
                "a message is given up: see `backOffMaxRetries`"
            );
            desk.ack(SEAT, &given.receipt)
        }
        Err(_) => desk.postpone(SEAT, &given.receipt, RETRY.after(given.attempt)),
    };
    if let Err(error) = settled {
        tracing::debug!("a message comes again: {}", error.chain());
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

    async fn invoke(&self, request: Request<'_>) -> Result<Outcome> {
        self.check()?;
        let topic = &self.settings.topic;
        if !rumqttc::mqttbytes::valid_topic(topic) {
            return Err(Error::unsupported(format!(
                "`{topic}` has wildcards, so that nothing can be published to it"
            )));
        }
        let parsed = &self.settings.parsed;
        let data = request.data.clone();
        let published = self
            .publisher
            .publish(topic, data, parsed.qos, parsed.retain);
        published.await?;
        Ok(Outcome::default())
    }

    async fn read(&self, sink: Arc<dyn Sink>, stop: CancellationToken) -> Result<()> {
        self.check()?;
        let parsed = &self.settings.parsed;
        let place = Position {
            target: parsed.target.clone(),
            id: self.id.clone(),
            filter: self.settings.topic.clone(),
            qos: parsed.qos,
            is_clean: parsed.is_clean,
        };
        let session = Session::open(place).await?;
        let desk = session.desk.clone();
        let mut deliveries = JoinSet::new();
        loop {
            let free = AT_ONCE.saturating_sub(deliveries.len());
            let pulled = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(_) = deliveries.join_next() => continue,
                pulled = desk.pull(SEAT, free.max(1)), if free > 0 => pulled,
            };
            match pulled {
                Ok(given) => {
                    for one in given {
                        let retries = self.settings.retries;
                        deliveries.spawn(deliver(desk.clone(), sink.clone(), one, retries));
                    }
                }
                Err(error) if self.is_closed.load(Relaxed) => return Err(error),
                Err(error) => {
                    tracing::warn!(topic = self.settings.topic, "read: {}", error.chain());
                }
            }
        }
        while deliveries.join_next().await.is_some() {}
        session.close(parsed.target.timeout).await;
        Ok(())
    }

    fn describe(&self) -> Option<String> {
        let address = self.settings.parsed.target.address();
        let topic = &self.settings.topic;
        Some(format!("MQTT 3.1.1 at {address}, topic `{topic}`"))
    }

    async fn health(&self) -> Result<()> {
        self.check()?;
        self.publisher.check().await
    }

    async fn close(&self) -> Result<()> {
        self.is_closed.store(true, Relaxed);
        self.publisher.close();
        Ok(())
    }
}
