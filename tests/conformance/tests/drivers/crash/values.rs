//! State under `kill -9`: each key has its last acknowledged value or a newer one, and transactions are whole.

use super::{
    life,
    process::{Order, run_and_kill, say},
};
use crate::list;
use anyhow::{Context, Result, ensure};
use futures::future::try_join_all;
use std::{collections::BTreeMap, path::Path, sync::Arc};
use wythe_blocks::state::{Condition, Delete, Driver, Operation, Put};

const WRITERS: u64 = 4;
/// Keys of each writer.
const KEYS: u64 = 25;
const START: u64 = 1_000_000;

pub(super) async fn write(order: &Order) -> Result<()> {
    let driver = crate::state::open(list::find(&order.kind))(&order.directory)().await?;
    let writers = (0..WRITERS).map(|writer| write_numbers(driver.clone(), writer, order.start));
    try_join_all(writers).await?;
    Ok(())
}

async fn write_numbers(driver: Arc<dyn Driver>, writer: u64, start: u64) -> Result<()> {
    for number in start.. {
        let key = format!("{writer}-{}", number % KEYS);
        driver.put(Put::new(key.clone(), value(number))).await?;
        say(&format!("{key} {number}"))?;
        if number % 3 == 0 {
            let pair =
                ["left", "right"].map(|side| Put::new(format!("{writer}-{side}"), value(number)));
            driver.transact(pair.map(Operation::Put).into()).await?;
            say(&format!("{writer}-left {number}"))?;
        }
        if number % 7 == 0 {
            let key = format!("{writer}-deleted");
            driver.put(Put::new(key.clone(), "here")).await?;
            driver
                .delete(Delete {
                    key: key.into(),
                    condition: Condition::Always,
                })
                .await?;
            say(&format!("{writer}-deleted {number}"))?;
            driver
                .put(Put::new(format!("{writer}-other"), value(number)))
                .await?;
        }
    }
    Ok(())
}

/// Sizes from a few bytes to several pieces of an engine's pages, and one in a hundred of 300 KB.
fn value(number: u64) -> Vec<u8> {
    // Mixed, because a child of a slow machine writes only the first numbers.
    let size = match number * 23 % 100 {
        99 => 300_000,
        rest => (rest * rest) as usize,
    };
    let mut value = format!("{number} ").into_bytes();
    value.extend((0..size).map(|at| (at as u64 ^ number) as u8));
    value
}

/// The number in a value, all of which must be right.
fn number(bytes: &[u8]) -> Result<u64> {
    let end = bytes
        .iter()
        .position(|byte| *byte == b' ')
        .context("a value has a number")?;
    let number = std::str::from_utf8(&bytes[..end])?.parse()?;
    ensure!(bytes == value(number), "the value of {number} is damaged");
    Ok(number)
}

/// Returns how many writes were acknowledged.
pub(super) fn check(kind: &str, directory: &Path, cycles: u64) -> Result<usize> {
    let runtime = conformance::runtime()?;
    let mut last: BTreeMap<String, u64> = BTreeMap::new();
    let mut count = 0;
    for cycle in 0..cycles {
        let start = START * (cycle + 1);
        let lines = run_and_kill(kind, start, directory, life(cycle))?;
        count += lines.len();
        for line in lines {
            let (key, number) = line.split_once(' ').context("a line is key and number")?;
            last.insert(key.to_owned(), number.parse()?);
        }
        runtime.block_on(async {
            let opened = crate::state::open(list::find(kind))(directory)()
                .await
                .with_context(|| format!("cycle {cycle}"))?;
            verify(&*opened, &last)
                .await
                .with_context(|| format!("cycle {cycle}"))?;
            opened.close().await?;
            anyhow::Ok(())
        })?;
    }
    Ok(count)
}

async fn verify(driver: &dyn Driver, last: &BTreeMap<String, u64>) -> Result<()> {
    for (key, acknowledged) in last.iter().filter(|(key, _)| !key.ends_with("deleted")) {
        let found = driver
            .get(&key.into())
            .await?
            .with_context(|| format!("`{key}` {acknowledged} is lost"))?;
        let found = number(&found.value)?;
        ensure!(
            found >= *acknowledged,
            "`{key}` has {found}; {acknowledged} was acknowledged and is lost"
        );
    }
    for writer in 0..WRITERS {
        let left = driver
            .get(&format!("{writer}-left").into())
            .await?
            .map(|entry| entry.value);
        let right = driver
            .get(&format!("{writer}-right").into())
            .await?
            .map(|entry| entry.value);
        ensure!(left == right, "half a transaction of writer {writer}");
    }
    Ok(())
}
