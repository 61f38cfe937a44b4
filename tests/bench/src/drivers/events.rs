//! Events: how many a second are published and acknowledged by the server, one after the other and 64 at once, and how many
//! arrive at a subscriber in this process.

use super::subject::{self, Running, Settings, Subject, local, postgres_at};
use crate::{Scale, measure, project::Wythe, report::Row};
use anyhow::{Context, Result, anyhow};
use async_trait::async_trait;
use servers::{Missing, Server};
use std::{
    collections::HashSet,
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};
use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    task::JoinSet,
    time::{sleep, timeout},
};
use wythe_blocks::{
    App, Call, Callee, Exports,
    pubsub::{Delivery, Event, PublishOptions, Subscription, Topic, Verdict},
};

/// The grants are those of the subscriber, which is no guest.
const APPS: &str = "  - appID: meter
    guest: meter.wasm
    grants: { publish: [pubsub], subscribe: [pubsub] }
";
const TOPIC: &str = "bench-events";
const MANY: usize = 64;
const BYTES: usize = 256;
const ROUNDS: usize = 5;
const ONE_TIME: Duration = Duration::from_millis(500);
const MANY_TIME: Duration = Duration::from_secs(1);
/// The time for what was published to arrive.
const ARRIVAL: Duration = Duration::from_secs(30);
/// Tries until a subscription has its first event, and the pause between two of them.
const TRIES: usize = 100;
const PAUSE: Duration = Duration::from_millis(200);

pub static SUBJECTS: [Subject; 8] = [
    subject("pubsub.memory", None, |_| large()),
    subject("pubsub.redb", None, |_| large()),
    subject("pubsub.redis", Some(subject::redis), |port| {
        vec![("redisHost", local(port))]
    }),
    subject("pubsub.postgresql", Some(subject::postgres), |port| {
        vec![("connectionString", postgres_at(port))]
    }),
    subject("pubsub.rabbitmq", Some(subject::rabbitmq), |port| {
        let server = format!("amqp://guest:guest@{}", local(port));
        vec![("connectionString", server)]
    }),
    subject("pubsub.jetstream", Some(subject::streams), |port| {
        vec![
            ("natsURL", format!("nats://{}", local(port))),
            ("syncAlways", "true".to_owned()),
        ]
    }),
    subject("pubsub.kafka", Some(subject::kafka), |port| {
        vec![
            ("brokers", local(port)),
            ("initialOffset", "oldest".to_owned()),
        ]
    }),
    subject("pubsub.mqtt3", Some(subject::mosquitto), |port| {
        vec![("url", format!("tcp://bench@{}", local(port)))]
    }),
];

const fn subject(
    kind: &'static str,
    start: Option<fn() -> Result<Server, Missing>>,
    settings: fn(u16) -> Settings,
) -> Subject {
    Subject {
        kind,
        start,
        settings,
    }
}

/// A backlog that no round fills.
fn large() -> Settings {
    vec![("maxBacklogBytes", "4Gi".to_owned())]
}

pub async fn measure(subject: &Subject, scale: Scale) -> Result<Row> {
    let running = subject.start("pubsub").await?;
    let row = over(subject.kind, &running, scale).await;
    running.end().await?;
    row
}

async fn over(kind: &str, running: &Running, scale: Scale) -> Result<Row> {
    let project = running.project(APPS)?;
    let apps = project.apps()?;
    let grants = Arc::new(apps.first().context("an app")?.grants.clone());
    let wythe = project.open().await?;
    let (arrivals, arrived) = unbounded_channel();
    let app = wythe.native("bench", grants, Arc::new(Counting { arrivals }))?;
    let mut line = Line::open(&wythe, &app, arrived).await?;
    line.warm_up(scale).await?;
    let mut rates = Rates::default();
    for _ in 0..scale.pick(ROUNDS, 1) {
        line.round(scale, &mut rates).await?;
    }
    let what = format!("{kind}, {}", promise(kind, &line.publisher.topic));
    drop(line);
    wythe.stop().await;
    Ok(rates.row(&what))
}

/// The server's promise about an event that it has acknowledged.
fn promise(kind: &str, topic: &Topic) -> &'static str {
    match (topic.features().durable, kind) {
        // Nothing is synced: it is with all replicas, and here there is one.
        (true, "pubsub.kafka") => "durable by replicas",
        (true, _) => "durable",
        (false, _) => "not durable",
    }
}

/// Events a second, a number for each round.
#[derive(Default)]
struct Rates {
    one: Vec<f64>,
    many: Vec<f64>,
    delivered: Vec<f64>,
    /// CPU time of this process while many published and their events arrived, and how many those were.
    cpu: Duration,
    events: u64,
}

impl Rates {
    fn row(&self, what: &str) -> Row {
        let spread = |rates: &[f64]| {
            format!(
                "{:>6.0}/s ({:.0} to {:.0})",
                measure::median(rates),
                measure::at(rates, 0.0),
                measure::at(rates, 1.0)
            )
        };
        let text = format!(
            "published by one {}, by {MANY} {}; delivered {}",
            spread(&self.one),
            spread(&self.many),
            spread(&self.delivered)
        );
        Row::new(what, text).cpu(measure::each(self.cpu, self.events))
    }
}

/// A topic with one subscriber.
struct Line {
    publisher: Publisher,
    arrived: UnboundedReceiver<(u64, Instant)>,
}

#[derive(Clone)]
struct Publisher {
    topic: Topic,
    caller: Call,
    /// The number of the next event.
    next: Arc<AtomicU64>,
}

impl Line {
    async fn open(
        wythe: &Wythe,
        app: &Arc<App>,
        arrived: UnboundedReceiver<(u64, Instant)>,
    ) -> Result<Self> {
        let subscription = Subscription {
            component: "pubsub".to_owned(),
            topic: TOPIC.to_owned(),
            ..Subscription::default()
        };
        let attached = wythe.tenant.pubsub.attach(app, vec![subscription]).await;
        attached.map_err(|errors| anyhow!("{errors:?}"))?;
        let caller = wythe.operator("bench")?;
        let topic = wythe.tenant.pubsub.open(&caller, "pubsub", TOPIC)?;
        let publisher = Publisher {
            topic,
            caller,
            next: Arc::default(),
        };
        Ok(Line { publisher, arrived })
    }

    /// Publishes until the subscription has one event, and then for a part of a round.
    async fn warm_up(&mut self, scale: Scale) -> Result<()> {
        for _ in 0..TRIES {
            self.publisher.publish().await?;
            if self.arrived.try_recv().is_ok() {
                break;
            }
            sleep(PAUSE).await;
        }
        let (numbers, _) = self.publish(MANY, scale.time(MANY_TIME) / 4).await?;
        self.until_arrived(numbers).await?;
        Ok(())
    }

    async fn round(&mut self, scale: Scale, rates: &mut Rates) -> Result<()> {
        let (numbers, wall) = self.publish(1, scale.time(ONE_TIME)).await?;
        rates.one.push(rate(&numbers, wall));
        self.until_arrived(numbers).await?;
        let (before, begin) = (measure::own_cpu()?, Instant::now());
        let (numbers, wall) = self.publish(MANY, scale.time(MANY_TIME)).await?;
        let last = self.until_arrived(numbers.clone()).await?;
        rates.cpu += measure::own_cpu()?.saturating_sub(before);
        rates.events += numbers.end - numbers.start;
        rates.many.push(rate(&numbers, wall));
        rates.delivered.push(rate(&numbers, last - begin));
        Ok(())
    }

    /// Has so many publish for that long, each waiting for an answer before its next event. Returns the numbers of the events,
    /// and the time up to the last answer.
    async fn publish(&self, publishers: usize, time: Duration) -> Result<(Range<u64>, Duration)> {
        let first = self.publisher.next.load(Relaxed);
        let begin = Instant::now();
        let mut tasks = JoinSet::new();
        for _ in 0..publishers {
            let publisher = self.publisher.clone();
            tasks.spawn(async move {
                while begin.elapsed() < time {
                    publisher.publish().await?;
                }
                anyhow::Ok(())
            });
        }
        while let Some(ended) = tasks.join_next().await {
            ended??;
        }
        let wall = begin.elapsed();
        Ok((first..self.publisher.next.load(Relaxed), wall))
    }

    /// Waits until each of these has arrived, be it more than once, and returns the time at which the last one did.
    async fn until_arrived(&mut self, numbers: Range<u64>) -> Result<Instant> {
        let (mut seen, mut last) = (HashSet::new(), Instant::now());
        let count = usize::try_from(numbers.end - numbers.start)?;
        while seen.len() < count {
            let arrived = timeout(ARRIVAL, self.arrived.recv()).await;
            let arrived = arrived.with_context(|| {
                format!("{} of {count} events did not arrive", count - seen.len())
            })?;
            let (number, at) = arrived.context("the subscription ended")?;
            if numbers.contains(&number) && seen.insert(number) {
                last = at;
            }
        }
        Ok(last)
    }
}

fn rate(numbers: &Range<u64>, wall: Duration) -> f64 {
    (numbers.end - numbers.start) as f64 / wall.as_secs_f64()
}

impl Publisher {
    /// Publishes one event, and waits until the server has it.
    async fn publish(&self) -> Result<()> {
        let event = Event {
            id: Some(self.next.fetch_add(1, Relaxed).to_string()),
            kind: "bench.event".to_owned(),
            content_type: "application/octet-stream".to_owned(),
            data: vec![b'x'; BYTES].into(),
            ..Event::default()
        };
        let options = PublishOptions::default();
        self.topic.publish(&self.caller, event, &options).await?;
        Ok(())
    }
}

/// A subscriber that says which event came, and when.
struct Counting {
    arrivals: UnboundedSender<(u64, Instant)>,
}

#[async_trait]
impl Callee for Counting {
    fn exports(&self) -> Exports {
        Exports {
            subscriber: true,
            ..Exports::default()
        }
    }

    async fn on_event(&self, _: Call, delivery: Delivery) -> wythe_blocks::Result<Verdict> {
        let number = delivery.event.id.as_deref().and_then(|id| id.parse().ok());
        // Whoever measures may have stopped listening.
        let _ = self
            .arrivals
            .send((number.unwrap_or(u64::MAX), Instant::now()));
        Ok(Verdict::Ack)
    }
}
