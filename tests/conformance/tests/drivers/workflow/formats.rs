//! Stores of earlier builds: timers, activities, children's ends and instances that were to run go on.

use super::{Case, app, bed, bed::Bed};
use anyhow::{Result, ensure};
use conformance::old;
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use wythe_blocks::state::Driver;

/// Instances of a build without shards that was killed, each at another point.
const FORMAT_1: &str = include_str!("../../../vectors/format-1/workflow.rows");
const OLD: [&str; 4] = ["ready", "work", "ended", "wake"];

pub const CASES: &[Case] = &[
    Case {
        name: "instances_of_the_build_before_go_on",
        run: |store| Box::pin(first(store)),
    },
    Case {
        name: "a_host_that_is_killed_while_it_moves_rows_loses_none",
        run: |store| Box::pin(killed(store)),
    },
];

async fn first(store: Arc<dyn Driver>) -> Result<()> {
    old::load(&*store, FORMAT_1).await;
    let bed = bed(&store).await;
    check(&bed).await?;
    let format = store.get(&"||workflow||format".into()).await?;
    ensure!(format.is_some_and(|format| format.value == "2"));
    for sort in OLD {
        let left = old::count(&*store, &format!("||workflow||{sort}||")).await;
        ensure!(left == 0, "{left} rows of {sort}");
    }
    let calls = bed.calls.lock().clone();
    let mut of_key = BTreeMap::<String, usize>::new();
    for call in calls {
        *of_key.entry(call.key).or_default() += 1;
    }
    ensure!(of_key.values().all(|calls| *calls == 1), "{of_key:?}");
    bed.close().await
}

async fn check(bed: &Bed) -> Result<()> {
    for (id, output) in [
        ("activity", "1"),
        ("timer", "true"),
        ("unbegun", "2,1,0,x"),
        ("parent:1:0", "1,0,x"),
        ("parent", "1,0,x"),
        ("listener", "a,b,timeout"),
        ("pending", "1,0,x"),
    ] {
        let found = bed.output(id).await?;
        ensure!(found == output, "`{id}` ended with {found}");
    }
    Ok(())
}

/// Hosts that die at the first writes after their start, and the one that comes after them.
async fn killed(store: Arc<dyn Driver>) -> Result<()> {
    old::load(&*store, FORMAT_1).await;
    for (at, after) in [(1, false), (1, true), (2, true), (3, false)] {
        let fuse = Arc::new(bed::Fuse {
            at: Some(at),
            after,
            ..bed::Fuse::default()
        });
        let bed = Bed::with(&store, app(), fuse.clone(), |_| {}).await;
        tokio::time::timeout(Duration::from_secs(60), fuse.dead.cancelled()).await?;
        bed.host.tasks.stopping().cancel();
    }
    let bed = bed(&store).await;
    check(&bed).await?;
    bed.close().await
}
