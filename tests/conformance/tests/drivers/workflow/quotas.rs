//! The instances, and the bytes of their journals, that a tenant may have at a time, whatever its apps are allowed.

use super::{
    Case, app, bed,
    bed::{Bed, dump},
    rules::cases,
};
use anyhow::{Context as _, Result, ensure};
use conformance::quotas;
use std::{sync::Arc, time::Duration};
use wythe_blocks::{Error, Kind, state::Driver, workflow::Status};
use wythe_manifest::Metered;

type Store = Arc<dyn Driver>;

pub const CASES: &[Case] = cases![
    a_tenant_has_so_many_instances,
    a_tenant_has_so_many_bytes_of_journals,
    a_step_without_room_goes_on_when_there_is_some,
];

fn used(bed: &Bed, quota: Metered) -> u64 {
    bed.host.ledger.readings()[quota as usize].used
}

async fn until(bed: &Bed, quota: Metered, amount: u64) -> Result<()> {
    for _ in 0..60_000 {
        if used(bed, quota) == amount {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    anyhow::bail!("{quota:?} never had {amount}: {}", used(bed, quota))
}

async fn end(bed: &Bed, id: &str) -> Result<()> {
    let ended = bed.engine.terminate(&bed.caller, id, Default::default());
    Ok(ended.await?)
}

fn is_over(error: Option<Error>, quota: &str) -> Result<()> {
    let error = error.context("it was not refused")?;
    let is_named = error.message().contains(quota) && error.message().contains("the operator");
    ensure!(error.kind() == Kind::Exhausted && is_named, "{error}");
    ensure!(error.retry_after().is_some(), "{error:?}");
    Ok(())
}

async fn refused(bed: &Bed, id: &str) -> Result<()> {
    let start = wythe_blocks::workflow::Start {
        id: Some(id.to_owned()),
        at: None,
    };
    let input = "60000".into();
    let started = bed.engine.start(&bed.caller, "listener", input, start);
    is_over(started.await.err(), "`quotas.workflows`, which is 2")
}

async fn a_tenant_has_so_many_instances(store: Store) -> Result<()> {
    let bed = bed(&store).await;
    bed.host.ledger.set(Some(&quotas("workflows: 2")));
    for id in ["one", "two"] {
        bed.start("listener", id, "60000").await?;
        bed.until(id, |i| i.entries == 2).await?;
    }
    refused(&bed, "three").await?;
    // Nothing of it is written, and a copy is refused as well.
    ensure!(dump(&store, "three").await?.is_empty());
    let copied = bed
        .engine
        .rerun(&bed.caller, "one", 1, Some("copy".to_owned()));
    is_over(copied.await.err(), "`quotas.workflows`")?;
    ensure!(dump(&store, "copy").await?.is_empty());
    end(&bed, "one").await?;
    until(&bed, Metered::Workflows, 1).await?;
    bed.start("listener", "four", "60000").await?;
    bed.until("four", |i| i.entries == 2).await?;
    let ledger = bed.host.ledger.clone();
    bed.close().await?;
    // What is not in memory any more is not held.
    let left = ledger.readings()[Metered::Workflows as usize].used;
    ensure!(left == 0, "{left} are held");
    // The next process counts what it finds.
    let bed = Bed::new(&store, app()).await;
    bed.host.ledger.set(Some(&quotas("workflows: 2")));
    until(&bed, Metered::Workflows, 2).await?;
    refused(&bed, "five").await?;
    end(&bed, "two").await?;
    bed.engine.purge(&bed.caller, "two").await?;
    until(&bed, Metered::Workflows, 1).await?;
    bed.start("listener", "five", "60000").await?;
    bed.close().await
}

async fn a_tenant_has_so_many_bytes_of_journals(store: Store) -> Result<()> {
    let bed = bed(&store).await;
    bed.host.ledger.set(Some(&quotas("journalBytes: 1MiB")));
    bed.start("listener", "one", "60000").await?;
    let data = "x".repeat(200_000);
    for _ in 0..4 {
        bed.event("one", "other", &data).await?;
    }
    let refused = bed.event("one", "other", &data).await;
    is_over(
        refused.err(),
        "what may begin of `quotas.journalBytes`, which is 1048576",
    )?;
    let started = bed.start("listener", "two", "60000").await;
    let error = started.err().and_then(|error| error.downcast().ok());
    is_over(error, "`quotas.journalBytes`")?;
    ensure!(dump(&store, "two").await?.is_empty());
    let bytes = used(&bed, Metered::JournalBytes);
    ensure!((800_000..820_000).contains(&bytes), "{bytes}");
    bed.close().await?;
    let bed = Bed::new(&store, app()).await;
    bed.host.ledger.set(Some(&quotas("journalBytes: 1MiB")));
    until(&bed, Metered::JournalBytes, bytes).await?;
    is_over(
        bed.event("one", "paid", &data).await.err(),
        "`quotas.journalBytes`",
    )?;
    end(&bed, "one").await?;
    until(&bed, Metered::JournalBytes, 0).await?;
    bed.start("listener", "two", "60000").await?;
    bed.event("two", "paid", &data).await?;
    bed.close().await
}

async fn a_step_without_room_goes_on_when_there_is_some(store: Store) -> Result<()> {
    let bed = bed(&store).await;
    bed.host.ledger.set(Some(&quotas("journalBytes: 1MiB")));
    bed.start("listener", "one", "60000").await?;
    for _ in 0..2 {
        bed.event("one", "other", &"x".repeat(300_000)).await?;
    }
    // Its first step asks for an activity with as much data, for which there is no room.
    bed.start("large", "two", "500000").await?;
    let refused = || bed.host.ledger.readings()[Metered::JournalBytes as usize].refused;
    while refused() == 0 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    // What it hears meanwhile is not kept either: it would go with the step.
    let heard = bed.event("two", "other", "x").await;
    is_over(heard.err(), "all of `quotas.journalBytes`")?;
    let waits = bed.get("two").await?;
    ensure!(
        waits.status == Status::Running && waits.entries == 1,
        "{waits:?}"
    );
    ensure!(used(&bed, Metered::JournalBytes) < 1 << 20);
    // Its data, and its answer.
    bed.host.ledger.set(Some(&quotas("journalBytes: 2MiB")));
    ensure!(bed.output("two").await?.len() == 500_000);
    bed.close().await
}
