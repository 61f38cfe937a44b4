//! Locks under `kill -9`: a token that was told is never given again, and a grant that was told is still held.

use super::{
    life,
    process::{Order, run_and_kill, say},
};
use crate::list;
use anyhow::{Context, Result, bail, ensure};
use futures::future::try_join_all;
use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};
use wythe_blocks::lock::{Acquired, Driver};

const WRITERS: u64 = 4;
/// Locks of each writer, which nobody else touches.
const KEYS: u64 = 5;
const START: u64 = 1_000_000;
/// A time longer than the test.
const TTL: Duration = Duration::from_secs(24 * 3_600);

pub(super) async fn write(order: &Order) -> Result<()> {
    let driver = crate::lock::open(list::find("lock.redb"))(&order.directory)().await?;
    let writers = (0..WRITERS).map(|writer| write_grants(driver.clone(), writer, order.start));
    try_join_all(writers).await?;
    Ok(())
}

/// Keeps every third, until it comes to the lock again.
async fn write_grants(driver: Arc<dyn Driver>, writer: u64, start: u64) -> Result<()> {
    for number in start.. {
        let key = format!("{writer}-{}", number % KEYS);
        let token = match driver.acquire(&(&key).into(), "writer", TTL).await? {
            Acquired::Granted(grant) => {
                say(&format!("granted {key} {}", grant.token))?;
                if number % 3 == 0 {
                    driver.renew(&(&key).into(), grant.token, TTL).await?;
                    continue;
                }
                grant.token
            }
            Acquired::Held { .. } => {
                let holder = driver.holder(&(&key).into()).await?;
                holder.context("a held lock has a holder")?.token
            }
        };
        say(&format!("releasing {key} {token}"))?;
        driver.release(&(&key).into(), token).await?;
        say(&format!("released {key} {token}"))?;
    }
    Ok(())
}

/// The words that were said last of a lock.
#[derive(Clone, Copy)]
enum Said {
    Granted(u64),
    Releasing(u64),
    Released(u64),
}

#[derive(Default)]
struct Locks {
    said: BTreeMap<String, Said>,
    /// The highest token of each that was told.
    last: BTreeMap<String, u64>,
}

impl Locks {
    fn hear(&mut self, line: &str) -> Result<()> {
        let mut words = line.split(' ');
        let (Some(verb), Some(key), Some(token)) = (words.next(), words.next(), words.next())
        else {
            bail!("`{line}`; expected verb, key and token");
        };
        let token = token.parse()?;
        let said = match verb {
            "granted" => {
                self.grow(key, token)?;
                Said::Granted(token)
            }
            "releasing" => {
                // It may be of a grant that was cut off before it was told.
                let last = self.last.entry(key.to_owned()).or_default();
                *last = token.max(*last);
                Said::Releasing(token)
            }
            _ => Said::Released(token),
        };
        self.said.insert(key.to_owned(), said);
        Ok(())
    }

    fn grow(&mut self, key: &str, token: u64) -> Result<()> {
        let last = self.last.insert(key.to_owned(), token);
        ensure!(
            last < Some(token),
            "`{key}` was granted {token} after {last:?}"
        );
        Ok(())
    }

    async fn verify(&self, driver: &dyn Driver) -> Result<()> {
        for (key, said) in &self.said {
            let held = driver.holder(&key.into()).await?.map(|grant| grant.token);
            let is_new = held.is_none_or(|held| self.last.get(key) < Some(&held));
            let is_good = match said {
                Said::Granted(token) => held == Some(*token),
                // It was released or not; and where it was, perhaps by an earlier process, a grant that came after it may
                // not have been told.
                Said::Releasing(token) => is_new || held == Some(*token),
                Said::Released(token) => is_new && held != Some(*token),
            };
            ensure!(is_good, "`{key}` is held by {held:?} after {}", said.text());
        }
        Ok(())
    }
}

impl Said {
    fn text(self) -> String {
        match self {
            Said::Granted(token) => format!("{token} was granted"),
            Said::Releasing(token) => format!("{token} was to be released"),
            Said::Released(token) => format!("{token} was released"),
        }
    }
}

/// Returns how many answers were told.
pub(super) fn check(directory: &Path, cycles: u64) -> Result<usize> {
    let runtime = conformance::runtime()?;
    let (mut locks, mut count) = (Locks::default(), 0);
    for cycle in 0..cycles {
        let start = START * (cycle + 1);
        let lines = run_and_kill("lock.redb", start, directory, life(cycle))?;
        count += lines.len();
        for line in lines {
            locks
                .hear(&line)
                .with_context(|| format!("cycle {cycle}"))?;
        }
        runtime.block_on(async {
            let driver = crate::lock::open(list::find("lock.redb"))(directory)().await?;
            let verified = locks.verify(&*driver).await;
            verified.with_context(|| format!("cycle {cycle}"))?;
            driver.close().await?;
            anyhow::Ok(())
        })?;
    }
    Ok(count)
}
