//! The operations on instances from outside.

use super::{
    Case, Native, bed,
    bed::{Bed, Code, dump, text},
    code,
    rules::cases,
};
use anyhow::{Result, ensure};
use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};
use wythe_blocks::{
    state::{Driver, Put},
    workflow::{Filter, Outcome, Start, Status},
};

type Store = Arc<dyn Driver>;

pub const CASES: &[Case] = cases![
    a_start_may_wait,
    suspended_code_does_not_run,
    terminated_is_the_end,
    an_end_is_waited_for,
    purged_is_gone,
    instances_are_listed_page_by_page,
    a_copy_goes_on_from_an_entry,
    changed_code_stalls_with_a_diff,
    a_patch_lets_old_instances_be,
    a_changed_journal_is_found,
    a_fault_stalls_until_it_is_resumed,
];

async fn a_start_may_wait(store: Store) -> Result<()> {
    let bed = bed(&store).await;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    let at = u64::try_from(now.as_millis())? + 200;
    let start = Start {
        id: Some("one".into()),
        at: Some(at),
    };
    let input = "1".into();
    bed.engine.start(&bed.caller, "chain", input, start).await?;
    ensure!(bed.get("one").await?.status == Status::Pending);
    ensure!(bed.output("one").await? == "0,x");
    ensure!(bed.lines("one").await?[1] == "begun");
    let begun = &bed.engine.history("one", 1, 1).await?.entries[0];
    ensure!(begun.time >= at, "it began early");
    bed.close().await
}

async fn suspended_code_does_not_run(store: Store) -> Result<()> {
    let bed = bed(&store).await;
    let (engine, caller) = (&bed.engine, &bed.caller);
    bed.start("listener", "one", "1").await?;
    bed.until("one", |i| i.entries == 2).await?;
    engine.suspend(caller, "one", "lunch").await?;
    let held = bed.get("one").await?;
    ensure!((held.status, held.reason.as_deref()) == (Status::Suspended, Some("lunch")));
    bed.event("one", "paid", "a").await?;
    bed.event("one", "paid", "b").await?;
    tokio::time::sleep(Duration::from_millis(50)).await;
    ensure!(bed.get("one").await?.custom.is_none(), "it ran");
    engine.resume(caller, "one", "back").await?;
    ensure!(bed.output("one").await? == "a,b,timeout");
    let lines = bed.lines("one").await?;
    ensure!(
        lines[2..6]
            == [
                "suspended lunch",
                "event-received paid",
                "event-received paid",
                "resumed back"
            ]
    );
    bed.close().await
}

async fn terminated_is_the_end(store: Store) -> Result<()> {
    let bed = bed(&store).await;
    bed.start("listener", "one", "1").await?;
    let output = "enough".into();
    bed.engine.terminate(&bed.caller, "one", output).await?;
    let ended = bed.get("one").await?;
    ensure!(ended.status == Status::Terminated);
    ensure!(text(&ended.output.unwrap_or_default()) == "enough");
    bed.start("parent", "two", "listener").await?;
    bed.until("two", |i| i.entries == 2).await?;
    while bed.get("two:1:0").await.is_err() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let output = bytes::Bytes::new();
    bed.engine.terminate(&bed.caller, "two:1:0", output).await?;
    ensure!(bed.failure("two", Status::Failed).await? == "the child was terminated");
    bed.close().await
}

async fn an_end_is_waited_for(store: Store) -> Result<()> {
    let bed = bed(&store).await;
    let wait = |id: &'static str, time| bed.engine.wait_end(&bed.caller, id, time);
    let (short, long) = (Duration::from_millis(1), Duration::from_secs(3_600));
    ensure!(wait("nobody", long).await?.is_none());
    bed.start("listener", "one", "2").await?;
    let found = wait("one", short).await?;
    ensure!(found.is_some_and(|i| i.status == Status::Running));
    let reported = async {
        bed.event("one", "paid", "a").await?;
        tokio::time::sleep(Duration::from_millis(20)).await;
        bed.event("one", "paid", "b").await
    };
    let (found, other, reported) = tokio::join!(wait("one", long), wait("one", long), reported);
    reported?;
    for found in [found?, other?, wait("one", long).await?] {
        ensure!(found.is_some_and(|i| i.status == Status::Completed));
    }
    bed.start("listener", "two", "1").await?;
    let output = bytes::Bytes::new();
    let (found, reported) = tokio::join!(
        wait("two", long),
        bed.engine.terminate(&bed.caller, "two", output)
    );
    reported?;
    ensure!(found?.is_some_and(|i| i.status == Status::Terminated));
    bed.close().await
}

async fn purged_is_gone(store: Store) -> Result<()> {
    let bed = bed(&store).await;
    bed.start("chain", "one", "2").await?;
    bed.output("one").await?;
    bed.engine.purge(&bed.caller, "one").await?;
    ensure!(bed.engine.get(&bed.caller, "one").await?.is_none());
    bed.start("chain", "one", "1").await?;
    ensure!(bed.output("one").await? == "0,x");
    bed.engine.purge(&bed.caller, "one").await?;
    bed.close().await?;
    let left = dump(&store, "").await?;
    ensure!(left.is_empty(), "{left:?}");
    Ok(())
}

async fn instances_are_listed_page_by_page(store: Store) -> Result<()> {
    let bed = bed(&store).await;
    for id in ["a", "b", "c"] {
        bed.start("chain", id, "1").await?;
        bed.output(id).await?;
    }
    bed.start("listener", "b2", "1").await?;
    let filter = Filter {
        name: Some("chain".into()),
        status: Some(Status::Completed),
    };
    let first = bed.engine.list(&bed.caller, &filter, None, 2).await?;
    let ids = |page: &wythe_blocks::workflow::Page| {
        let ids = page.instances.iter().map(|i| i.id.clone());
        ids.collect::<Vec<_>>().join(",")
    };
    ensure!((ids(&first), first.next.as_deref()) == ("a,b".into(), Some("b")));
    let cursor = first.next.as_deref();
    let second = bed.engine.list(&bed.caller, &filter, cursor, 2).await?;
    ensure!((ids(&second), second.next) == ("c".into(), None));
    bed.close().await
}

async fn a_copy_goes_on_from_an_entry(store: Store) -> Result<()> {
    let bed = bed(&store).await;
    bed.start("chain", "one", "3").await?;
    let output = bed.output("one").await?;
    let calls = || bed.calls.lock().len();
    for (entries, more) in [(1, 3), (4, 2), (7, 0), (8, 0)] {
        let before = calls();
        let id = format!("copy-{entries}");
        let copy = bed
            .engine
            .rerun(&bed.caller, "one", entries, Some(id.clone()))
            .await?;
        ensure!(copy == id && bed.output(&id).await? == output);
        ensure!(calls() - before == more, "{entries}: {}", calls() - before);
    }
    bed.close().await
}

async fn changed_code_stalls_with_a_diff(store: Store) -> Result<()> {
    let first = bed(&store).await;
    first.start("listener", "one", "1").await?;
    first.until("one", |i| i.entries == 2).await?;
    first.close().await?;
    let changed: [(&'static str, Code); 1] = [("listener", |context, _| {
        Box::pin(async move {
            let task = context.activity("charge", "7".into(), None)?;
            context.wait(task).await?;
            Ok(Ok("never".into()))
        })
    })];
    let before = dump(&store, "||history||").await?;
    let second = Bed::new(&store, Native::new("v2", &changed)).await;
    second.event("one", "paid", "a").await?;
    let expected = "entry 1: the journal has a wait for event `paid`, the code now calls activity `charge`; the app's \
                    component is another one than when it began";
    ensure!(second.failure("one", Status::Stalled).await? == expected);
    second.close().await?;
    let mut after = dump(&store, "||history||").await?;
    let event = after.pop_last();
    ensure!(after == before, "the journal changed");
    ensure!(event.is_some_and(|(_, entry)| text(&entry).contains("event-received")));
    let third = bed(&store).await;
    third
        .engine
        .resume(&third.caller, "one", "the old code")
        .await?;
    third.event("one", "paid", "b").await?;
    ensure!(third.output("one").await? == "a,b,timeout");
    third.close().await
}

/// The code asks for the patch where it has changed, and finds it only in instances that began after it.
async fn a_patch_lets_old_instances_be(store: Store) -> Result<()> {
    let first = bed(&store).await;
    first.start("listener", "old", "1").await?;
    first.until("old", |i| i.entries == 2).await?;
    first.close().await?;
    let changed: [(&'static str, Code); 1] = [("listener", |context, _| {
        Box::pin(async move {
            let name = match context.patched("invoices")? {
                true => "invoiced",
                false => "paid",
            };
            let task = context.event(name, None)?;
            match context.wait(task).await? {
                Outcome::Done(data) => Ok(Ok(data)),
                other => Ok(Err(format!("{other:?}"))),
            }
        })
    })];
    let second = Bed::new(&store, Native::new("v2", &changed)).await;
    second.start("listener", "new", "1").await?;
    second.event("new", "invoiced", "n").await?;
    second.event("old", "paid", "o").await?;
    ensure!(second.output("new").await? == "n");
    ensure!(second.output("old").await? == "o");
    second.engine.replay("new").await?;
    second.close().await
}

async fn a_changed_journal_is_found(store: Store) -> Result<()> {
    let first = bed(&store).await;
    first.start("listener", "one", "1").await?;
    first.event("one", "paid", "a").await?;
    first.until("one", |i| i.entries == 4).await?;
    first.close().await?;
    let good = dump(&store, "||history||one||").await?;
    for (index, (key, value)) in good.iter().enumerate() {
        let mut bad = value.to_vec();
        let last = bad.len() - 1;
        bad[last] ^= 1;
        store.put(Put::new(key, bad)).await?;
        let bed = bed(&store).await;
        let history = bed.engine.history("one", 0, 10).await?;
        let fault = format!("entry {index} does not fit its hash");
        ensure!(history.broken.as_ref() == Some(&fault), "{history:?}");
        ensure!(history.entries.len() == index);
        let reported = bed
            .event("one", "paid", "b")
            .await
            .err()
            .map(|e| e.message().to_owned());
        let expected = format!(
            "instance `one` is stalled: {fault}; terminate it, or run it again from an entry before that"
        );
        ensure!(reported.as_ref() == Some(&expected), "{reported:?}");
        ensure!(bed.get("one").await?.status == Status::Stalled);
        bed.close().await?;
        store.put(Put::new(key, value.clone())).await?;
    }
    let spliced: Vec<_> = good.keys().collect();
    store
        .put(Put::new(spliced[2], good[spliced[3]].clone()))
        .await?;
    let bed = bed(&store).await;
    let history = bed.engine.history("one", 0, 10).await?;
    ensure!(history.broken.as_deref() == Some("entry 2 does not fit its hash"));
    bed.close().await
}

async fn a_fault_stalls_until_it_is_resumed(store: Store) -> Result<()> {
    let first = bed(&store).await;
    first.start("faulty", "one", "").await?;
    let reported = first.failure("one", Status::Stalled).await?;
    ensure!(reported == "`app` trapped: unreachable", "{reported}");
    ensure!(first.lines("one").await? == ["started faulty"]);
    first.close().await?;
    let mended: [(&'static str, Code); 1] = [("faulty", code::ALL[0].1)];
    let second = Bed::new(&store, Native::new("v2", &mended)).await;
    second
        .engine
        .resume(&second.caller, "one", "mended")
        .await?;
    ensure!(second.output("one").await? == "x");
    second.close().await
}
