//! Configuration under `kill -9`: each item has its last acknowledged value or a newer one, what is set together stays
//! together, and no version comes back.

use super::{
    life,
    process::{Order, run_and_kill, say},
};
use crate::list;
use anyhow::{Context, Result, ensure};
use futures::future::try_join_all;
use std::{collections::BTreeMap, path::Path, sync::Arc};
use wythe_blocks::configuration::{Driver, NewItem};

const WRITERS: u64 = 4;
/// Keys of each writer.
const KEYS: u64 = 10;
const START: u64 = 1_000_000;

pub(super) async fn write(order: &Order) -> Result<()> {
    let driver = crate::configuration::open(list::find(&order.kind))(&order.directory)().await?;
    let writers = (0..WRITERS).map(|writer| write_numbers(driver.clone(), writer, order.start));
    try_join_all(writers).await?;
    Ok(())
}

/// Each number goes to a key of its own and to a pair, in one change; some items are deleted at once.
async fn write_numbers(driver: Arc<dyn Driver>, writer: u64, start: u64) -> Result<()> {
    for number in start.. {
        let key = format!("{writer}-{}", number % KEYS);
        let pair = ["left", "right"].map(|side| format!("{writer}-{side}"));
        let items = pair.into_iter().chain([key.clone()]);
        let items = items.map(|key| NewItem {
            key,
            value: number.to_string(),
            metadata: Vec::new(),
        });
        driver.set(items.collect()).await?;
        say(&format!("{key} {number}"))?;
        if number % 5 == 0 {
            driver
                .delete(vec![format!("{writer}-right"), format!("{writer}-left")])
                .await?;
        }
        // Not below the version of what was said.
        say(&format!("version {}", changes(&driver.version().await?)))?;
    }
    Ok(())
}

/// The number of changes in a version, behind which there may be more.
fn changes(version: &str) -> &str {
    version.split('-').next().unwrap_or_default()
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
            let number: u64 = number.parse()?;
            let highest = last.entry(key.to_owned()).or_default();
            *highest = number.max(*highest);
        }
        runtime.block_on(async {
            let opened = crate::configuration::open(list::find(kind))(directory)().await?;
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
    let version: u64 = changes(&driver.version().await?).parse()?;
    let items = driver.get(&[]).await?.into_iter();
    let items: BTreeMap<_, _> = items.map(|item| (item.key, item.value)).collect();
    for (key, acknowledged) in last {
        let found = match key.as_str() {
            "version" => version,
            key => {
                let found = items.get(key);
                found
                    .with_context(|| format!("`{key}` {acknowledged} is lost"))?
                    .parse()?
            }
        };
        ensure!(
            found >= *acknowledged,
            "`{key}` has {found}; {acknowledged} was acknowledged and is lost"
        );
    }
    for writer in 0..WRITERS {
        let side = |side: &str| items.get(&format!("{writer}-{side}"));
        ensure!(
            side("left") == side("right"),
            "half a change of writer {writer}"
        );
    }
    Ok(())
}
