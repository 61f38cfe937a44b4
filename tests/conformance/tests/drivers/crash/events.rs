//! Pub/sub under `kill -9`: what was acknowledged to the publisher arrives unless a consumer acknowledged it, and what
//! a consumer acknowledged does not come back.

use super::{
    life,
    process::{Order, run_and_kill, say},
};
use crate::list;
use anyhow::{Context, Result, ensure};
use futures::future::{try_join, try_join_all};
use std::{collections::HashSet, path::Path, sync::Arc, time::Duration};
use wythe_blocks::pubsub::{Consumer, Driver, Message, SubscribeOptions};

const PUBLISHERS: u64 = 4;
const START: u64 = 1_000_000;
const MAX_BACKLOG: usize = 1_000_000;
const QUIET: Duration = Duration::from_millis(50);

async fn open_in(directory: &Path) -> Result<(Arc<dyn Driver>, Box<dyn Consumer>)> {
    let driver = crate::pubsub::open(list::find("pubsub.redb"), MAX_BACKLOG)(directory)().await?;
    let consumer = driver
        .subscribe("topic", "group", SubscribeOptions::default())
        .await?;
    Ok((driver, consumer))
}

pub(super) async fn write(order: &Order) -> Result<()> {
    let (driver, consumer) = open_in(&order.directory).await?;
    let publishers =
        (0..PUBLISHERS).map(|publisher| publish(driver.clone(), publisher, order.start));
    try_join(try_join_all(publishers), consume(consumer)).await?;
    Ok(())
}

async fn publish(driver: Arc<dyn Driver>, publisher: u64, start: u64) -> Result<()> {
    for number in start.. {
        let id = format!("{publisher}-{number}");
        let ordering_key = (number % 2 == 0).then(|| format!("key{publisher}"));
        let filler = "x".repeat((number % 50 * 20) as usize);
        let data = format!("{id} {filler}").into();
        driver
            .publish(
                "topic",
                Message {
                    data,
                    ordering_key,
                    ..Message::default()
                },
            )
            .await?;
        say(&format!("published {id}"))?;
    }
    Ok(())
}

/// Acknowledges some and refuses some; the rest is out when the end comes.
async fn consume(consumer: Box<dyn Consumer>) -> Result<()> {
    for round in 0u64.. {
        for received in consumer.pull(3).await? {
            let id = id(&received.message)?;
            if round % 5 == 4 {
                consumer
                    .nack(received.receipt, Duration::from_millis(1))
                    .await?;
                continue;
            }
            say(&format!("settling {id}"))?;
            consumer
                .ack(vec![received.receipt])
                .await
                .into_iter()
                .collect::<wythe_blocks::Result<()>>()?;
            say(&format!("settled {id}"))?;
        }
    }
    Ok(())
}

fn id(message: &Message) -> Result<String> {
    let text = std::str::from_utf8(&message.data)?;
    Ok(text
        .split_once(' ')
        .context("a message is id and filler")?
        .0
        .to_owned())
}

/// Returns how many publishes and acks were acknowledged.
pub(super) fn check(directory: &Path, cycles: u64) -> Result<usize> {
    let runtime = conformance::runtime()?;
    let mut count = 0;
    for cycle in 0..cycles {
        let lines = run_and_kill("pubsub.redb", START * (cycle + 1), directory, life(cycle))?;
        count += lines.len();
        let found = runtime
            .block_on(drain(directory))
            .with_context(|| format!("cycle {cycle}"))?;
        verify(&lines, &found).with_context(|| format!("cycle {cycle}"))?;
    }
    Ok(count)
}

/// Takes all that is there, so that the next cycle starts with nothing.
async fn drain(directory: &Path) -> Result<HashSet<String>> {
    let (driver, consumer) = open_in(directory).await?;
    let mut found = HashSet::new();
    while let Ok(pulled) = tokio::time::timeout(QUIET, consumer.pull(1_000)).await {
        let pulled = pulled?;
        for received in &pulled {
            ensure!(
                found.insert(id(&received.message)?),
                "a message came twice without a refusal"
            );
        }
        let receipts = pulled
            .into_iter()
            .map(|received| received.receipt)
            .collect();
        consumer
            .ack(receipts)
            .await
            .into_iter()
            .collect::<wythe_blocks::Result<()>>()?;
    }
    drop(consumer);
    driver.close().await?;
    Ok(found)
}

fn verify(lines: &[String], found: &HashSet<String>) -> Result<()> {
    let said = |word: &str| -> HashSet<&str> {
        lines
            .iter()
            .filter_map(|line| line.strip_prefix(word)?.strip_prefix(' '))
            .collect()
    };
    let (settling, settled) = (said("settling"), said("settled"));
    for id in said("published") {
        // The ack of one that was being settled may or may not have been kept.
        ensure!(
            found.contains(id) || settling.contains(id),
            "{id} was acknowledged to its publisher and is lost"
        );
    }
    for id in settled {
        ensure!(
            !found.contains(id),
            "{id} was acknowledged by its consumer and came back"
        );
    }
    Ok(())
}
