//! The outbox: events of turns that were kept, sent afterwards, and removed once the broker has them.
//!
//! A host that ends in between leaves rows behind; whoever looks next sends them, with the ids that they have. So each
//! event is sent at least once, and always as the same one.

use super::{
    core::record::Outgoing,
    engine::{Engine, Space},
    store::rows,
};
use crate::{
    Error, Rate, Result, Trace,
    pages::Pace,
    pubsub::{Event, PublishOptions},
    state::{Condition, Delete, Entry, Operation},
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use wythe_manifest::Name;

/// The interval at which the host looks for what was left behind.
const LOOK: Duration = Duration::from_secs(5);
/// The pause after events that a broker did not take.
const PAUSE: Duration = Duration::from_secs(1);
const PAGE: u32 = 100;

pub(super) async fn run(engine: Arc<Engine>, space: Arc<Space>) {
    let stop = engine.tasks.stopping();
    let rates = Rates {
        failures: Rate::per_minute(10),
        unreadable: Rate::per_minute(1),
    };
    if !space.moved.wait(&stop).await {
        return;
    }
    loop {
        let all = send_all(&engine, &space, &rates).await;
        if let Err(error) = &all
            && let Some(suppressed) = rates.failures.allows()
        {
            tracing::warn!(tenant = %space.tenant, suppressed, "send events of actors: {}", error.chain());
        }
        // New events do not hurry a broker that did not take the last ones.
        let waits = !matches!(all, Ok(true));
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            () = space.sent.notified(), if !waits => {}
            () = tokio::time::sleep(if waits { PAUSE } else { LOOK }) => {}
        }
    }
}

/// Limits on log lines about events that wait.
struct Rates {
    failures: Rate,
    unreadable: Rate,
}

impl Rates {
    fn wait(&self, app: &Name, events: usize, error: &Error) {
        if let Some(suppressed) = self.failures.allows() {
            tracing::warn!(app = %app, events, suppressed, "events of actors wait: {}", error.chain());
        }
    }
}

/// Sends all, shard by shard, in the order of the rows, which is that of each actor's turns. Returns false where some of them wait, and
/// where the host stops before the end.
async fn send_all(engine: &Engine, space: &Space, rates: &Rates) -> Result<bool> {
    let stop = engine.tasks.stopping();
    let (mut cursor, mut are_all_sent, mut pace) = (None::<String>, true, Pace::default());
    let mut rest = Duration::ZERO;
    loop {
        let page = async {
            if !rest.is_zero() {
                tokio::time::sleep(rest).await;
            }
            let start = Instant::now();
            let caller = space.caller(&space.tenant, Trace::start());
            let (prefix, from) = (rows::shards("outbox"), cursor.as_deref());
            let page = space
                .internal_store
                .list(&caller, &prefix, from, PAGE)
                .await;
            rest = pace.rest(start.elapsed());
            page
        };
        let page = tokio::select! {
            biased;
            () = stop.cancelled() => return Ok(false),
            page = page => page?,
        };
        for group in groups(page.entries, rates) {
            are_all_sent &= send(engine, space, rates, group).await?;
        }
        match page.next {
            Some(next) => cursor = Some(next),
            None => return Ok(are_all_sent),
        }
    }
}

/// Rows that go together, in their order. What cannot be read is left alone.
fn groups(entries: Vec<(String, Entry)>, rates: &Rates) -> Vec<Vec<(String, Outgoing)>> {
    let mut groups: Vec<Vec<(String, Outgoing)>> = Vec::new();
    for (key, entry) in entries {
        let row = match rows::read::<Outgoing>(&key, &entry.value) {
            Ok(row) => row,
            Err(error) => {
                if let Some(suppressed) = rates.unreadable.allows() {
                    tracing::error!(
                        suppressed,
                        "an event of an actor cannot be sent: {}",
                        error.chain()
                    );
                }
                continue;
            }
        };
        match groups.last_mut() {
            Some(group) if group[0].1.goes_with(&row) => group.push((key, row)),
            _ => groups.push(vec![(key, row)]),
        }
    }
    groups
}

impl Outgoing {
    fn goes_with(&self, other: &Self) -> bool {
        (&self.app, &self.component, &self.topic) == (&other.app, &other.component, &other.topic)
    }
}

/// Events of one app to one topic. What the broker does not take stays, and is tried again later: then it is false.
async fn send(
    engine: &Engine,
    space: &Space,
    rates: &Rates,
    group: Vec<(String, Outgoing)>,
) -> Result<bool> {
    let Some((_, first)) = group.first() else {
        return Ok(true);
    };
    let Ok(app) = first.app.parse::<Name>() else {
        return Ok(true);
    };
    // The grants were asked when the event was staged; here the host speaks for the app.
    let caller = space.caller(&app, first.trace.unwrap_or_else(Trace::start));
    let topic = match engine.pubsub.open(&caller, &first.component, &first.topic) {
        Ok(topic) => topic,
        Err(error) => {
            rates.wait(&app, group.len(), &error);
            return Ok(false);
        }
    };
    let count = group.len();
    let (keys, rows): (Vec<_>, Vec<_>) = group.into_iter().unzip();
    let events: Vec<Event> = rows.into_iter().map(Outgoing::event).collect();
    let answers = topic
        .publish_counted(&caller, events, &PublishOptions::default())
        .await;
    let mut sent = Vec::new();
    for (key, answer) in keys.into_iter().zip(answers) {
        match answer {
            Ok(_) => sent.push(Operation::Delete(Delete {
                key: key.into(),
                condition: Condition::Always,
            })),
            Err(error) => rates.wait(&app, 1, &error),
        }
    }
    let are_all_sent = sent.len() == count;
    let store = &space.internal_store;
    for chunk in sent.chunks(store.max_operations().max(1)) {
        store.transact(&caller, chunk.to_vec()).await?;
    }
    Ok(are_all_sent)
}
