//! A host that dies at any write of its store: the instance goes on as if nothing had been.

use super::{
    Case, app, bed,
    bed::{Bed, Fuse, dump},
    rules::cases,
};
use anyhow::{Context as _, Result, ensure};
use std::{collections::BTreeMap, sync::Arc};
use wythe_blocks::{state::Driver, workflow::Status};

type Store = Arc<dyn Driver>;

pub const CASES: &[Case] = cases![
    a_chain_of_200_survives_a_kill_at_each_append,
    a_mixture_survives_a_kill_at_each_append,
];

/// A process is a runtime: all of its tasks end with it, wherever they are.
fn live(store: Store, fuse: Fuse) -> Result<Vec<wythe_blocks::workflow::ActivityCall>> {
    let runtime = conformance::runtime()?;
    let calls = runtime.block_on(async {
        let fuse = Arc::new(fuse);
        let bed = Bed::with(&store, app(), fuse.clone(), |_| {}).await;
        let over = bed.until("one", |i| i.status != Status::Running);
        tokio::select! {
            () = fuse.dead.cancelled() => {}
            over = over => { over?; }
        }
        let calls = bed.calls.lock().clone();
        anyhow::Ok(calls)
    });
    runtime.shutdown_background();
    calls
}

async fn a_chain_of_200_survives_a_kill_at_each_append(store: Store) -> Result<()> {
    killed("chain", "200", store).await
}

async fn a_mixture_survives_a_kill_at_each_append(store: Store) -> Result<()> {
    killed("mixed", "12", store).await
}

/// Each life but the last dies: in turn before its first write and after its first, so that every write of the
/// instance's history sees both.
async fn killed(name: &str, input: &str, store: Store) -> Result<()> {
    let whole = bed(&store).await;
    whole.start(name, "whole", input).await?;
    let expected = whole.output("whole").await?;
    let length = whole.get("whole").await?.entries;
    whole.close().await?;
    let stillborn = Fuse {
        at: Some(2),
        ..Fuse::default()
    };
    let first = Bed::with(&store, app(), Arc::new(stillborn), |_| {}).await;
    first.start(name, "one", input).await?;
    drop(first);
    let mut attempts: BTreeMap<String, u32> = BTreeMap::new();
    let mut lives = 0;
    loop {
        let fuse = Fuse {
            at: Some(1),
            after: lives % 2 == 1,
            ..Fuse::default()
        };
        let store_of_life = store.clone();
        let life = tokio::task::spawn_blocking(move || live(store_of_life, fuse));
        for call in life.await?? {
            *attempts.entry(call.key).or_default() += 1;
        }
        lives += 1;
        if is_over(&store).await? {
            break;
        }
        ensure!(lives < 5_000, "it does not end");
    }
    let last = bed(&store).await;
    ensure!(last.output("one").await? == expected);
    ensure!(last.get("one").await?.entries == length);
    last.engine.replay("one").await?;
    ensure!(
        lives as u32 >= length / 2,
        "{lives} lives for {length} entries"
    );
    ensure!(attempts.keys().all(|key| key.starts_with("one")));
    last.close().await
}

/// Reads the status in the store: a host that looked would go on with it.
async fn is_over(store: &Store) -> Result<bool> {
    let records = dump(store, "||instance||one").await?;
    let record = records.values().next().context("a record")?;
    let record: serde_json::Value = serde_json::from_slice(record)?;
    Ok(record["status"] != "running")
}
