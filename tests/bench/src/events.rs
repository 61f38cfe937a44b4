//! (d) Events from `publish` to the end of the subscriber's handler: latency of single ones, and how many per second.

use crate::{
    Scale,
    child::scratch,
    measure::{self, Latencies},
    project::{Project, Wythe},
    report::{Row, Section},
};
use anyhow::{Context, Result, anyhow};
use async_trait::async_trait;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    task::JoinSet,
};
use wythe_blocks::{
    App, Call, Callee, Exports,
    pubsub::{Delivery, Event, PublishOptions, Subscription, Topic, Verdict},
};

const APPS: &str = "  - appID: fresh
    guest: meter.wasm
    grants: { state: [statestore], publish: [pubsub], invoke: [warm], subscribe: [memory, redb] }
  - appID: warm
    guest: meter.wasm
    grants: { state: [statestore], publish: [pubsub], invoke: [warm], subscribe: [memory, redb] }
    reuse: { maxRequests: 1000 }
";
const RESOURCES: &str = "apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: memory }
spec: { type: pubsub.memory, version: v1, metadata: [{ name: maxBacklogBytes, value: 4Gi }] }
---
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: redb }
spec: { type: pubsub.redb, version: v1, metadata: [{ name: maxBacklogBytes, value: 4Gi }] }
";
const PUBLISHERS: usize = 16;
const BYTES: usize = 256;
const LATENCY_TIME: Duration = Duration::from_millis(700);
const BURST_TIME: Duration = Duration::from_millis(1000);
/// The time for what was published to arrive.
const ARRIVAL: Duration = Duration::from_secs(30);

pub async fn measure(scale: Scale) -> Result<Section> {
    let directory = scratch()?;
    let wythe = Project::write(directory.path(), APPS, RESOURCES)?
        .start()
        .await?;
    let mut section = Section::new(
        "(d) events of 256 bytes, publish to end of handler; and durable writes of 256 bytes",
    );
    for component in ["memory", "redb"] {
        for subscriber in ["host", "fresh", "warm"] {
            let mut line = Line::open(&wythe, component, subscriber).await?;
            section.rows.push(line.measure(scale).await?);
        }
    }
    wythe.stop().await;
    Ok(section)
}

/// A topic with one subscriber.
struct Line {
    what: String,
    topic: Topic,
    caller: Call,
    arrived: UnboundedReceiver<(usize, Instant)>,
}

impl Line {
    async fn open(wythe: &Wythe, component: &str, subscriber: &str) -> Result<Self> {
        let (manifest, loaded) = wythe.app(if subscriber == "host" {
            "fresh"
        } else {
            subscriber
        })?;
        let (arrivals, arrived) = unbounded_channel();
        let watched = Watched {
            app: (subscriber != "host").then(|| loaded.app.clone()),
            arrivals,
        };
        let topic = format!("{subscriber}-events");
        let subscription = Subscription {
            component: component.to_owned(),
            topic: topic.clone(),
            ..Subscription::default()
        };
        let grants = Arc::new(manifest.grants.clone());
        let app = wythe.native(subscriber, grants, Arc::new(watched))?;
        let attached = wythe.tenant.pubsub.attach(&app, vec![subscription]).await;
        attached.map_err(|errors| anyhow!("{errors:?}"))?;
        let caller = wythe.operator("fresh")?;
        let topic = wythe.tenant.pubsub.open(&caller, component, &topic)?;
        let what = match subscriber {
            "host" => format!("{component}, subscriber in the host (no guest)"),
            guest => format!("{component}, {guest} guest"),
        };
        Ok(Line {
            what,
            topic,
            caller,
            arrived,
        })
    }

    async fn measure(&mut self, scale: Scale) -> Result<Row> {
        let mut latencies = self.one_by_one(scale.time(LATENCY_TIME)).await?;
        let before = measure::own_cpu()?;
        let (count, wall) = self.burst(scale.time(BURST_TIME)).await?;
        let cpu = measure::own_cpu()?.saturating_sub(before);
        let text = format!(
            "p50 {:>5.0} us, p99 {:>5.0} us; {PUBLISHERS} publishers {:>6.0} events/s",
            latencies.at(0.5),
            latencies.at(0.99),
            count as f64 / wall.as_secs_f64()
        );
        Ok(Row::new(&self.what, text).cpu(measure::each(cpu, count as u64)))
    }

    async fn one_by_one(&mut self, time: Duration) -> Result<Latencies> {
        let mut latencies = Latencies::default();
        let end = Instant::now() + time;
        for number in 0.. {
            let begin = Instant::now();
            if begin >= end {
                break;
            }
            publish(&self.topic, &self.caller, number).await?;
            let (_, at) = self.next().await?;
            latencies.add(at - begin);
        }
        Ok(latencies)
    }

    /// Everybody publishes for that long; the time is up to the last arrival.
    async fn burst(&mut self, time: Duration) -> Result<(usize, Duration)> {
        let begin = Instant::now();
        let mut publishers = JoinSet::new();
        for publisher in 0..PUBLISHERS {
            let (topic, caller) = (self.topic.clone(), self.caller.clone());
            publishers.spawn(async move {
                let mut count = 0;
                while begin.elapsed() < time {
                    publish(&topic, &caller, count * PUBLISHERS + publisher).await?;
                    count += 1;
                }
                anyhow::Ok(count)
            });
        }
        let mut count = 0;
        while let Some(ended) = publishers.join_next().await {
            count += ended??;
        }
        let mut last = begin;
        for _ in 0..count {
            last = last.max(self.next().await?.1);
        }
        Ok((count, last - begin))
    }

    async fn next(&mut self) -> Result<(usize, Instant)> {
        let arrived = tokio::time::timeout(ARRIVAL, self.arrived.recv()).await;
        arrived
            .context("an event did not arrive")?
            .context("the subscription ended")
    }
}

async fn publish(topic: &Topic, caller: &Call, number: usize) -> Result<()> {
    let event = Event {
        id: Some(number.to_string()),
        kind: "bench.event".to_owned(),
        content_type: "application/octet-stream".to_owned(),
        data: vec![b'x'; BYTES].into(),
        ..Event::default()
    };
    topic
        .publish(caller, event, &PublishOptions::default())
        .await?;
    Ok(())
}

/// A subscriber that says when it is done with an event; with a guest, when the guest is.
struct Watched {
    app: Option<Arc<App>>,
    arrivals: UnboundedSender<(usize, Instant)>,
}

#[async_trait]
impl Callee for Watched {
    fn exports(&self) -> Exports {
        Exports {
            subscriber: true,
            ..Exports::default()
        }
    }

    async fn on_event(&self, _: Call, delivery: Delivery) -> wythe_blocks::Result<Verdict> {
        let number = delivery.event.id.as_deref().and_then(|id| id.parse().ok());
        let verdict = match &self.app {
            Some(app) => app.on_event(delivery).await?,
            None => Verdict::Ack,
        };
        // Who measures may have stopped listening.
        let _ = self
            .arrivals
            .send((number.unwrap_or_default(), Instant::now()));
        Ok(verdict)
    }
}
