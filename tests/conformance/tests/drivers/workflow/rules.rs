//! The rules that a workflow's code may count on.

use super::{Case, app, bed, bed::Bed, bed::dump};
use anyhow::{Result, ensure};
use std::{collections::BTreeSet, sync::Arc, time::Duration};
use wythe_blocks::{state::Driver, workflow::Status};

type Store = Arc<dyn Driver>;

macro_rules! cases {
    ($($name:ident),* $(,)?) => {
        &[$(Case { name: stringify!($name), run: |store| Box::pin($name(store)) }),*]
    };
}
pub(super) use cases;

pub const CASES: &[Case] = cases![
    a_chain_ends_with_its_last_answer,
    many_at_once_are_joined,
    a_retry_policy_is_kept,
    an_activity_that_never_returns_is_given_up,
    a_sleep_outlasts_its_host,
    events_meet_waits,
    a_child_answers_its_parent,
    a_run_hands_its_events_to_the_next,
    chance_is_the_same_on_every_run,
    what_is_cancelled_is_not_waited_for,
    what_is_idle_is_not_in_memory,
    ten_thousand_entries_are_replayed,
    finished_histories_are_replayed,
];

async fn a_chain_ends_with_its_last_answer(store: Store) -> Result<()> {
    let bed = bed(&store).await;
    bed.start("chain", "one", "3").await?;
    ensure!(bed.output("one").await? == "2,1,0,x");
    let calls = bed.calls.lock().clone();
    let keys: Vec<_> = calls.iter().map(|call| call.key.as_str()).collect();
    ensure!(keys == ["one/1/0", "one/1/1", "one/1/2"], "{keys:?}");
    let expected = [
        "started chain",
        "activity-scheduled echo",
        "activity-completed",
        "activity-scheduled echo",
        "activity-completed",
        "activity-scheduled echo",
        "activity-completed",
        "completed",
    ];
    ensure!(bed.lines("one").await? == expected);
    bed.close().await?;
    let left = dump(&store, "").await?;
    let rows: Vec<_> = left
        .keys()
        .filter(|key| !key.contains("||history||") && !key.contains("||instance||"))
        .collect();
    ensure!(rows.is_empty(), "rows are left: {rows:?}");
    Ok(())
}

async fn many_at_once_are_joined(store: Store) -> Result<()> {
    let bed = bed(&store).await;
    bed.start("race", "one", "400").await?;
    ensure!(bed.output("one").await? == (0..400).sum::<u32>().to_string());
    bed.engine.replay("one").await?;
    bed.close().await
}

async fn a_retry_policy_is_kept(store: Store) -> Result<()> {
    let bed = bed(&store).await;
    bed.start("insist", "enough", "3").await?;
    ensure!(bed.output("enough").await? == "3");
    bed.start("insist", "never", "9").await?;
    ensure!(bed.failure("never", Status::Failed).await? == "attempt 3");
    bed.start("once", "permanent", "broken").await?;
    ensure!(bed.failure("permanent", Status::Failed).await? == "out of order");
    let history = bed.engine.history("never", 0, 10).await?;
    let attempts: Vec<_> = history.entries.iter().map(|e| e.kind.attempts()).collect();
    ensure!(attempts == [None, None, Some(3), None], "{attempts:?}");
    bed.close().await
}

async fn an_activity_that_never_returns_is_given_up(store: Store) -> Result<()> {
    let bed = bed(&store).await;
    bed.start("patient", "one", "20").await?;
    ensure!(bed.failure("one", Status::Failed).await? == "timeout");
    let lines = bed.lines("one").await?;
    ensure!(
        lines[2] == "activity-failed timeout: no answer within 20 ms",
        "{lines:?}"
    );
    bed.close().await
}

async fn a_sleep_outlasts_its_host(store: Store) -> Result<()> {
    let first = bed(&store).await;
    first.start("sleeper", "one", "300").await?;
    first.until("one", |i| i.entries == 2).await?;
    first.close().await?;
    let second = bed(&store).await;
    ensure!(second.output("one").await? == "true");
    second.close().await
}

async fn events_meet_waits(store: Store) -> Result<()> {
    let bed = bed(&store).await;
    bed.start("listener", "early", "20").await?;
    bed.event("early", "paid", "a").await?;
    bed.event("early", "paid", "b").await?;
    ensure!(bed.output("early").await? == "a,b,timeout");
    bed.start("listener", "late", "60000").await?;
    bed.until("late", |i| i.entries == 2).await?;
    bed.event("late", "paid", "a").await?;
    bed.until("late", |i| i.custom.as_deref() == Some("heard 1"))
        .await?;
    bed.event("late", "shipped", "c").await?;
    bed.event("late", "paid", "b").await?;
    ensure!(bed.output("late").await? == "a,b,c");
    bed.engine.replay("late").await?;
    bed.close().await
}

async fn a_child_answers_its_parent(store: Store) -> Result<()> {
    let bed = bed(&store).await;
    bed.start("parent", "one", "chain").await?;
    ensure!(bed.output("one").await? == "1,0,x");
    ensure!(bed.get("one:1:0").await?.status == Status::Completed);
    bed.start("parent", "two", "fails").await?;
    ensure!(bed.failure("two", Status::Failed).await? == "no 2");
    bed.start("parent", "three", "nobody").await?;
    let failure = bed.failure("three", Status::Failed).await?;
    ensure!(
        failure.starts_with("not-found: no app has the workflow `nobody`; there are: app/again, "),
        "{failure}"
    );
    bed.close().await
}

async fn a_run_hands_its_events_to_the_next(store: Store) -> Result<()> {
    let bed = bed(&store).await;
    bed.start("counter", "one", "5").await?;
    for data in ["a", "b", "c", "d", "e"] {
        bed.event("one", "more", data).await?;
    }
    ensure!(bed.output("one").await? == "abcde");
    ensure!(bed.lines("one").await? == ["started counter", "completed"]);
    // Journals of earlier runs are removed beside the run that follows, until the host closes.
    let mut journals = 0;
    for _ in 0..600 {
        journals = dump(&store, "||history||one||").await?.len();
        if journals == 2 {
            return bed.close().await;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    anyhow::bail!("{journals} entries of earlier runs are left")
}

async fn chance_is_the_same_on_every_run(store: Store) -> Result<()> {
    let mut all = BTreeSet::new();
    for id in ["one", "two"] {
        let first = bed(&store).await;
        first.start("chance", id, "").await?;
        first.until(id, |i| i.entries == 2).await?;
        first.close().await?;
        let second = bed(&store).await;
        second.event(id, "go", "").await?;
        let output = second.output(id).await?;
        second.engine.replay(id).await?;
        all.extend(output.split(',').map(str::to_owned));
        second.close().await?;
    }
    ensure!(all.len() == 6, "{all:?}");
    Ok(())
}

async fn what_is_cancelled_is_not_waited_for(store: Store) -> Result<()> {
    let bed = bed(&store).await;
    bed.start("forgets", "one", "").await?;
    ensure!(bed.output("one").await? == "1 cancelled");
    ensure!(bed.lines("one").await?.contains(&"cancelled".to_owned()));
    // Its host ends all the same, though the activity never does.
    bed.host.close(Duration::from_millis(50)).await;
    Ok(())
}

async fn what_is_idle_is_not_in_memory(store: Store) -> Result<()> {
    let bed = Bed::with(&store, app(), Arc::default(), |settings| {
        settings.linger = Duration::from_millis(5);
        settings.hot = 4;
    })
    .await;
    let ids: Vec<_> = (0..50).map(|n| format!("i{n}")).collect();
    for id in &ids {
        bed.start("listener", id, "1").await?;
    }
    for id in &ids {
        bed.until(id, |i| i.entries == 2).await?;
    }
    for _ in 0..1_000 {
        if bed.engine.hot() == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    ensure!(bed.engine.hot() == 0);
    for id in &ids {
        bed.event(id, "paid", "a").await?;
        bed.event(id, "paid", "b").await?;
    }
    for id in &ids {
        ensure!(bed.output(id).await? == "a,b,timeout");
    }
    bed.close().await
}

async fn ten_thousand_entries_are_replayed(store: Store) -> Result<()> {
    let bed = bed(&store).await;
    bed.start("fan", "one", "5000").await?;
    ensure!(bed.output("one").await? == (0..5_000).sum::<u32>().to_string());
    ensure!(bed.get("one").await?.entries == 10_002);
    bed.engine.replay("one").await?;
    bed.close().await
}

/// Each is run again over its own journal: every command and the end are compared, byte by byte.
async fn finished_histories_are_replayed(store: Store) -> Result<()> {
    let many = match store.features().durable {
        true => 500,
        false => 10_000,
    };
    let bed = bed(&store).await;
    let names = [
        "chain", "fan", "insist", "sleeper", "once", "fails", "chance",
    ];
    let inputs = ["3", "4", "2", "1", "echo", "5", ""];
    for start in (0..many).step_by(100) {
        let batch = (start..start + 100).map(|n| async move { (n, format!("i{n}")) });
        for (n, id) in futures::future::join_all(batch).await {
            bed.start(names[n % 7], &id, inputs[n % 7]).await?;
            if n % 7 == 6 {
                bed.event(&id, "go", "").await?;
            }
        }
        for n in start..start + 100 {
            let id = format!("i{n}");
            bed.until(&id, |i| i.status.has_ended()).await?;
            let before = dump_of(&bed, &id).await?;
            bed.engine.replay(&id).await?;
            ensure!(dump_of(&bed, &id).await? == before);
        }
    }
    bed.close().await
}

async fn dump_of(bed: &Bed, id: &str) -> Result<Vec<wythe_blocks::workflow::Entry>> {
    Ok(bed.engine.history(id, 0, usize::MAX).await?.entries)
}
