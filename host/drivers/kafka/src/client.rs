//! The client of a cluster, which the components of a tenant share: a connection to each broker, opened when it is needed,
//! and what is known of brokers and topics.

use crate::{
    api::{Api, FindCoordinator, ListOffsets, Metadata},
    fault,
    link::{Link, Lost},
    settings::{Target, shown},
};
use parking_lot::Mutex;
use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::time::sleep;
use wythe_blocks::{Backoff, Error, Kind, Result, random, time::Clock as _};

/// The pauses after connecting has failed: calls that come meanwhile fail at once.
const PAUSE: Backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(2));
/// The pause before the cluster is asked again for what it does not have yet.
const AGAIN: Duration = Duration::from_millis(50);
/// The time for which what is known of a topic is believed.
const FRESH: Duration = Duration::from_secs(60);
/// Topics of which something is known.
const TOPICS: usize = 10_000;
/// Times of a request for which brokers are tried, one after the other, that take no connection.
const TRIED: u32 = 3;

/// A client.
pub(crate) struct Client {
    pub target: Target,
    lines: Mutex<HashMap<(String, u16), Arc<Line>>>,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    id: Option<String>,
    brokers: HashMap<i32, (String, u16)>,
    topics: HashMap<String, (Instant, Arc<Topic>)>,
}

/// The leaders of a topic's partitions, by their numbers; negative for one without.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Topic {
    pub leaders: Vec<i32>,
}

impl Topic {
    /// The number of its partitions.
    pub fn count(&self) -> i32 {
        i32::try_from(self.leaders.len()).unwrap_or(i32::MAX)
    }
}

/// One connection, which comes and goes.
#[derive(Default)]
struct Line(tokio::sync::Mutex<State>);

struct State {
    link: Option<Link>,
    pause: Backoff,
    /// The error of the last try to connect, and the time of the next one.
    failed: Option<(Error, Instant)>,
}

impl Default for State {
    fn default() -> Self {
        State {
            link: None,
            pause: PAUSE,
            failed: None,
        }
    }
}

impl Line {
    /// The connection as it is, or a new one.
    async fn link(&self, target: &Target, broker: &(String, u16)) -> Result<Link> {
        let mut state = self.0.lock().await;
        if let Some(link) = state.link.as_ref().filter(|link| link.is_alive()) {
            return Ok(link.clone());
        }
        state.link = None;
        if let Some((error, next)) = &state.failed
            && Instant::now() < *next
        {
            return Err(error.duplicate());
        }
        match Link::open(target, broker).await {
            Ok(link) => {
                state.failed = None;
                state.pause.reset();
                Ok(state.link.insert(link).clone())
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
        Client {
            target,
            lines: Mutex::default(),
            known: Mutex::default(),
        }
    }

    /// Connects for the first time. An error names the brokers.
    pub async fn begin(&self) -> Result<()> {
        self.ping().await.map_err(|error| {
            let (address, chain) = (self.target.address(), error.chain());
            error.map_message(|_| format!("Kafka at {address}: {chain}"))
        })
    }

    /// Has a broker answer.
    pub async fn ping(&self) -> Result<()> {
        self.metadata(None, false).await.map(drop)
    }

    /// The connection to a broker that all share.
    pub async fn broker(&self, broker: &(String, u16)) -> Result<Link> {
        let line = self.lines.lock().entry(broker.clone()).or_default().clone();
        line.link(&self.target, broker).await
    }

    /// The connection to any broker.
    async fn any(&self) -> Result<Link> {
        let mut all: Vec<_> = self.known.lock().brokers.values().cloned().collect();
        let start = random::next() as usize % all.len().max(1);
        all.rotate_left(start);
        let written = self.target.brokers.iter();
        let written: Vec<_> = written.filter(|one| !all.contains(one)).cloned().collect();
        all.extend(written);
        let mut last = None;
        let deadline = Instant::now().after(self.target.timeout.saturating_mul(TRIED));
        for broker in &all {
            if last.is_some() && Instant::now() >= deadline {
                break;
            }
            match self.broker(broker).await {
                Ok(link) => return Ok(link),
                // A login that one refuses is no better at the next.
                Err(error) if error.kind() == Kind::Denied => return Err(error),
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(|| Error::unavailable("no broker is known")))
    }

    async fn ask_any<A: Api>(&self, request: &A) -> Result<A::Answer> {
        let link = self.any().await?;
        let answer = link.ask(request, self.target.timeout).await;
        answer.map_err(Lost::error)
    }

    /// Asks for the brokers, and for a topic: its error, and what is known of it.
    async fn metadata(
        &self,
        topic: Option<&str>,
        creates: bool,
    ) -> Result<Option<(i16, Arc<Topic>)>> {
        let cluster = self.ask_any(&Metadata { topic, creates }).await?;
        let found = cluster
            .topics
            .into_iter()
            .find(|found| Some(&*found.name) == topic);
        let found = found.map(|found| {
            let count = found.partitions.iter().map(|(_, number, _)| *number).max();
            let count = count
                .and_then(|last| usize::try_from(last).ok())
                .map_or(0, |last| last + 1);
            let mut leaders = vec![-1; count.min(found.partitions.len())];
            for (_, number, leader) in found.partitions {
                let place = usize::try_from(number).ok();
                if let Some(place) = place.and_then(|number| leaders.get_mut(number)) {
                    *place = leader;
                }
            }
            (found.error, Arc::new(Topic { leaders }))
        });
        let brokers = cluster.brokers.into_iter();
        let brokers: HashMap<_, _> = brokers
            .map(|broker| (broker.node, (broker.host, broker.port)))
            .collect();
        self.lines.lock().retain(|address, _| {
            self.target.brokers.contains(address) || brokers.values().any(|known| known == address)
        });
        let known = &mut *self.known.lock();
        known.brokers = brokers;
        known.id = cluster.id;
        // One without partitions is none yet, and nothing can be sent to it.
        if let (Some(topic), Some((0, found))) = (topic, &found)
            && !found.leaders.is_empty()
        {
            if known.topics.len() >= TOPICS {
                known.topics.clear();
            }
            let fact = (Instant::now(), found.clone());
            known.topics.insert(topic.to_owned(), fact);
        }
        Ok(found)
    }

    /// The partitions of a topic; one that is missing is made, where the cluster makes topics by itself.
    pub async fn topic(&self, name: &str) -> Result<Arc<Topic>> {
        let known = self.known.lock().topics.get(name).cloned();
        if let Some((since, topic)) = &known
            && since.elapsed() < FRESH
        {
            return Ok(topic.clone());
        }
        self.ask_topic(name).await
    }

    /// The same as it is now.
    async fn ask_topic(&self, name: &str) -> Result<Arc<Topic>> {
        let about = format!("the topic `{name}`");
        let deadline = Instant::now().after(self.target.timeout);
        loop {
            let code = match self.metadata(Some(name), true).await? {
                Some((0, topic)) if !topic.leaders.is_empty() => return Ok(topic),
                Some((0, _)) | None => fault::UNKNOWN_TOPIC,
                Some((code, _)) => code,
            };
            if !fault::passes(code) || Instant::now().after(AGAIN) > deadline {
                return Err(fault::of(code, &about));
            }
            sleep(AGAIN).await;
        }
    }

    /// The number of a topic's partitions as it is now; 0 for one that the cluster does not have, or does not show.
    pub async fn count(&self, name: &str) -> Result<i32> {
        let found = self.metadata(Some(name), false).await?;
        Ok(found.map_or(0, |(_, topic)| topic.count()))
    }

    /// Forgets what is known of a topic, as it is not so any more.
    pub fn forget(&self, topic: &str) {
        self.known.lock().topics.remove(topic);
    }

    /// The broker that leads a partition.
    pub async fn leader(&self, topic: &str, partition: i32) -> Result<(String, u16)> {
        let found = self.topic(topic).await?;
        let node = usize::try_from(partition).ok();
        let node = node.and_then(|partition| found.leaders.get(partition).copied());
        let known = self.known.lock();
        let broker = node.and_then(|node| known.brokers.get(&node).cloned());
        drop(known);
        broker.ok_or_else(|| {
            self.forget(topic);
            Error::unavailable(format!(
                "partition {partition} of the topic `{topic}` has no leader for now"
            ))
        })
    }

    /// The first offset of a partition, or the one behind the last record.
    pub async fn offset(&self, topic: &str, partition: i32, is_first: bool) -> Result<i64> {
        let deadline = Instant::now().after(self.target.timeout);
        loop {
            match self.ask_offset(topic, partition, is_first).await {
                Err(error)
                    if error.kind() == Kind::Unavailable
                        && Instant::now().after(AGAIN) < deadline =>
                {
                    self.forget(topic);
                    sleep(AGAIN).await;
                }
                answer => return answer,
            }
        }
    }

    async fn ask_offset(&self, topic: &str, partition: i32, is_first: bool) -> Result<i64> {
        let broker = self.leader(topic, partition).await?;
        let request = ListOffsets {
            topic,
            partition,
            is_first,
        };
        let answer = self.broker(&broker).await?;
        let answer = answer.ask(&request, self.target.timeout).await;
        let answer = answer.map_err(Lost::error)?;
        let found = answer.first().and_then(|(_, all)| all.first().copied());
        let (code, offset) = found.unwrap_or((-1, -1));
        fault::check(code, &format!("the topic `{topic}`"))?;
        Ok(offset.max(0))
    }

    /// The broker that knows a group. The cluster makes room for groups as the first one comes, which takes a moment.
    pub async fn coordinator(&self, group: &str) -> Result<(String, u16)> {
        let deadline = Instant::now().after(self.target.timeout);
        loop {
            let (code, broker) = self.ask_any(&FindCoordinator { group }).await?;
            if code == 0 {
                return Ok((broker.host, broker.port));
            }
            if !fault::passes(code) || Instant::now().after(AGAIN) > deadline {
                return Err(fault::of(code, &format!("the group `{group}`")));
            }
            sleep(AGAIN).await;
        }
    }

    /// One line for operators.
    pub fn describe(&self) -> String {
        let known = self.known.lock();
        let mut text = format!("Kafka at {}", self.target.address());
        if let Some(id) = &known.id {
            let id = id.chars().filter(char::is_ascii_graphic).take(60);
            let (id, count): (String, _) = (id.collect(), known.brokers.len());
            text += &format!(
                ", cluster `{id}` of {count} broker{}",
                if count == 1 { "" } else { "s" }
            );
        }
        if let [one] = &self.target.brokers[..]
            && let Some(other) = known.brokers.values().find(|other| *other != one)
            && known.brokers.len() == 1
        {
            let own = shown(other);
            let own: String = own
                .chars()
                .filter(char::is_ascii_graphic)
                .take(260)
                .collect();
            text += &format!(", which calls itself {own}");
        }
        text
    }
}

#[cfg(test)]
mod tests;
