//! Entries: what `state.get` costs a guest, in turns with the driver alone and a bare client over the same entry.

use super::{
    clients::{Client, KEY, Protocol, SPACE},
    subject::{self, Running, Settings, Subject, local, postgres_at},
};
use crate::{
    Scale, cheapest, measure,
    project::Wythe,
    report::{Aim, Row},
};
use anyhow::{Context, Result, ensure};
use servers::Nats;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::time::timeout;
use wythe_blocks::{
    Key,
    state::{Driver, Put},
};

const APPS: &str = "  - appID: meter
    guest: meter.wasm
    grants: { state: [statestore], publish: [pubsub], invoke: [meter] }
    reuse: { maxRequests: 1000000, idle: 1h }
";
const AIM: Aim = Aim::AtMost(10.0, "us");
/// The time of one way in one round: many short rounds, so that noise meets all ways.
const ROUND: Duration = Duration::from_millis(40);
const WARM_UP: u64 = 500;
const ROUNDS: usize = 75;
/// The time of a round that is at its end by no means.
const LATE: Duration = Duration::from_secs(30);

/// A driver of state, and the client that asks its server beside it; an embedded one has no other client.
pub struct Case {
    pub subject: Subject,
    protocol: Option<Protocol>,
}

pub static CASES: [Case; 9] = [
    embedded("state.memory"),
    embedded("state.redb"),
    embedded("state.sled"),
    case("state.redis", subject::redis, Protocol::Redis, |port| {
        vec![("redisHost", local(port))]
    }),
    case(
        "state.postgresql",
        subject::postgres,
        Protocol::Postgres,
        |port| vec![("connectionString", postgres_at(port))],
    ),
    case("state.mysql", subject::mariadb, Protocol::MariaDb, |port| {
        let server = format!("wythe:secret@tcp({})/", local(port));
        vec![("connectionString", server)]
    }),
    case("state.jetstream", subject::nats, Protocol::Nats, |port| {
        vec![
            ("natsURL", format!("nats://{}", local(port))),
            ("bucket", SPACE.to_owned()),
            ("syncAlways", Nats::syncs().to_string()),
        ]
    }),
    case("state.etcd", subject::etcd, Protocol::Etcd, |port| {
        vec![
            ("endpoints", local(port)),
            ("keyPrefixPath", SPACE.to_owned()),
        ]
    }),
    case(
        "state.memcached",
        subject::memcached,
        Protocol::Memcached,
        |port| vec![("hosts", local(port))],
    ),
];

const fn embedded(kind: &'static str) -> Case {
    Case {
        subject: Subject {
            kind,
            start: None,
            settings: |_| Vec::new(),
        },
        protocol: None,
    }
}

const fn case(
    kind: &'static str,
    start: fn() -> Result<servers::Server, servers::Missing>,
    protocol: Protocol,
    settings: fn(u16) -> Settings,
) -> Case {
    let start = Some(start);
    Case {
        subject: Subject {
            kind,
            start,
            settings,
        },
        protocol: Some(protocol),
    }
}

impl Case {
    pub async fn measure(&self, scale: Scale) -> Result<Row> {
        let running = self.subject.start("statestore").await?;
        let row = self.over(&running, scale).await;
        running.end().await?;
        row
    }

    async fn over(&self, running: &Running, scale: Scale) -> Result<Row> {
        let mut ways = Ways::open(self.protocol, running).await?;
        let mut costs = Costs::default();
        let times = ways.warm_up().await?;
        for _ in 0..scale.pick(ROUNDS, 3) {
            let round = timeout(LATE, ways.round(times, &mut costs)).await;
            round.context("a round does not end")??;
        }
        ways.wythe.stop().await;
        ways.driver.close().await?;
        Ok(self.row(&costs))
    }

    fn row(&self, costs: &Costs) -> Row {
        let (guest, driver) = (
            measure::median(&costs.guest),
            measure::median(&costs.driver),
        );
        let base = match self.protocol {
            Some(_) => &costs.client,
            None => &costs.driver,
        };
        let more = costs
            .guest
            .iter()
            .zip(base)
            .map(|(whole, bare)| whole - bare);
        let more: Vec<f64> = more.collect();
        let (over, low, high) = (
            measure::median(&more),
            measure::at(&more, 0.25),
            measure::at(&more, 0.75),
        );
        let bare = measure::median(base);
        let mut text = format!(
            "{over:>5.1} us more ({low:.1} to {high:.1}); guest {guest:.1} us, driver {driver:.1} us"
        );
        if let Some(protocol) = self.protocol {
            text += &format!(", {} {bare:.1} us", protocol.text());
        }
        let row = Row::new(self.subject.kind, text)
            .cpu(measure::each(costs.cpu, costs.calls))
            .ratio(format!("{:.2}x", guest / bare));
        match self.protocol {
            Some(_) => row.aim(AIM, over),
            None => row,
        }
    }
}

/// Microseconds of one call, a number for each round.
#[derive(Default)]
struct Costs {
    client: Vec<f64>,
    driver: Vec<f64>,
    guest: Vec<f64>,
    /// CPU time of this process during the calls of guests, and how many those were.
    cpu: Duration,
    calls: u64,
}

/// The ways to one entry.
struct Ways {
    client: Option<Client>,
    driver: Arc<dyn Driver>,
    wythe: Wythe,
    key: Key,
}

impl Ways {
    async fn open(protocol: Option<Protocol>, running: &Running) -> Result<Self> {
        let wythe = running.project(APPS)?.start().await?;
        let site = cheapest::site("statestore", running.directory.path())?;
        let registry = wythe_drivers::registry();
        let driver = registry.state.open(&running.component()?, site).await?;
        wythe.ask("meter", "/put?bytes=64").await?;
        // A server has one entry for all; an embedded driver that is opened a second time has its own.
        if protocol.is_none() {
            driver.put(Put::new(KEY, vec![b'x'; 64])).await?;
        }
        Ok(Ways {
            client: match protocol {
                Some(protocol) => Some(protocol.connect(running.port).await?),
                None => None,
            },
            driver,
            wythe,
            key: KEY.into(),
        })
    }

    /// Warms all ways up, and returns the number of calls of a round.
    async fn warm_up(&mut self) -> Result<u64> {
        self.by_client(WARM_UP).await?;
        self.by_driver(WARM_UP).await?;
        self.by_guest(WARM_UP).await?;
        let each = self.by_guest(WARM_UP).await?.as_secs_f64() / WARM_UP as f64;
        let times = ROUND.as_secs_f64() / each;
        Ok((times as u64).clamp(20, 50_000))
    }

    async fn round(&mut self, times: u64, costs: &mut Costs) -> Result<()> {
        if let Some(time) = self.by_client(times).await? {
            costs.client.push(measure::each(time, times));
        }
        let time = self.by_driver(times).await?;
        costs.driver.push(measure::each(time, times));
        let before = measure::own_cpu()?;
        let time = self.by_guest(times).await?;
        costs.cpu += measure::own_cpu()?.saturating_sub(before);
        costs.calls += times;
        costs.guest.push(measure::each(time, times));
        Ok(())
    }

    async fn by_client(&mut self, times: u64) -> Result<Option<Duration>> {
        let Some(client) = &mut self.client else {
            return Ok(None);
        };
        let begin = Instant::now();
        for _ in 0..times {
            client.get().await?;
        }
        Ok(Some(begin.elapsed()))
    }

    async fn by_driver(&self, times: u64) -> Result<Duration> {
        let begin = Instant::now();
        for _ in 0..times {
            let entry = self.driver.get(&self.key).await?;
            let size = entry.map(|entry| entry.value.len());
            ensure!(size == Some(64), "the driver has another value");
        }
        Ok(begin.elapsed())
    }

    /// The guest takes the time of its calls itself.
    async fn by_guest(&self, times: u64) -> Result<Duration> {
        let path = format!("/get?n={times}");
        let answer = self.wythe.ask("meter", &path).await?;
        let nanoseconds = answer.parse().context("the guest answers nanoseconds")?;
        Ok(Duration::from_nanos(nanoseconds))
    }
}
