//! Wrong use: each is told, and hurts nobody else.

use super::{Case, app, bed, bed::Bed, code, rules::cases};
use anyhow::{Result, ensure};
use bytes::Bytes;
use std::{collections::BTreeSet, sync::Arc};
use wythe_blocks::{
    Error, Kind,
    state::Driver,
    workflow::{Start, Status},
};

type Store = Arc<dyn Driver>;

pub const CASES: &[Case] = cases![
    a_wrong_start_is_told,
    wrong_words_are_told,
    wrong_code_is_told,
    too_much_stalls_one_instance,
    events_are_bounded,
    journals_are_bounded,
];

fn reported<T>(answer: Result<T, Error>, kind: Kind, expected: &str) -> Result<()> {
    let Err(error) = answer else {
        anyhow::bail!("no error, where one was expected: {expected}");
    };
    ensure!(
        (error.kind(), error.message()) == (kind, expected),
        "{error:?}"
    );
    Ok(())
}

async fn a_wrong_start_is_told(store: Store) -> Result<()> {
    let bed = bed(&store).await;
    let begin = |name: &'static str, id: &str, input: Bytes| {
        let id = Some(id.to_owned());
        let start = Start { id, at: None };
        bed.engine.start(&bed.caller, name, input, start)
    };
    let names = code::ALL.map(|(name, _)| format!("app/{name}"));
    let names: Vec<_> = BTreeSet::from(names).into_iter().collect();
    let absent = format!(
        "no app has the workflow `checkuot`; there are: {}",
        names.join(", ")
    );
    let nothing = Bytes::new;
    reported(
        begin("checkuot", "a", nothing()).await,
        Kind::NotFound,
        &absent,
    )?;
    for (id, shown) in [("a b", "a b"), (&"x".repeat(201), &"x".repeat(64))] {
        let expected = format!(
            "the instance id `{shown}`; expected 1 to 200 letters, digits, `-`, `_`, `.` and `:`"
        );
        reported(
            begin("chain", id, nothing()).await,
            Kind::Invalid,
            &expected,
        )?;
    }
    let large = Bytes::from(vec![0; (2 << 20) + 1]);
    let size = "the input has 2097153 bytes; at most 2097152 are kept in a journal";
    reported(begin("chain", "a", large).await, Kind::Invalid, size)?;
    begin("listener", "a", "1".into()).await?;
    let taken = "the instance id `a` is taken by an instance of another workflow";
    reported(begin("chain", "a", nothing()).await, Kind::Conflict, taken)?;
    bed.close().await
}

async fn wrong_words_are_told(store: Store) -> Result<()> {
    let bed = bed(&store).await;
    let (engine, caller) = (&bed.engine, &bed.caller);
    bed.start("listener", "a", "1").await?;
    bed.until("a", |i| i.entries == 2).await?;
    let running = "instance `a` is running; terminate it before it is purged";
    reported(engine.purge(caller, "a").await, Kind::Conflict, running)?;
    let copied = engine.rerun(caller, "a", 99, None).await;
    let few = "99 entries of instance `a`; expected 1 to 2";
    reported(copied, Kind::Invalid, few)?;
    let absent = "there is no workflow instance `b`";
    reported(bed.event("b", "paid", "").await, Kind::NotFound, absent)?;
    let name =
        "the name of an event `a b`; expected 1 to 200 letters, digits, `-`, `_`, `.`, `:` and `/`";
    reported(bed.event("a", "a b", "").await, Kind::Invalid, name)?;
    engine.terminate(caller, "a", Bytes::new()).await?;
    let over = "instance `a` is terminated; only one that has not ended can be told anything";
    reported(bed.event("a", "paid", "").await, Kind::Conflict, over)?;
    reported(engine.suspend(caller, "a", "").await, Kind::Conflict, over)?;
    reported(engine.resume(caller, "a", "").await, Kind::Conflict, over)?;
    bed.close().await
}

async fn wrong_code_is_told(store: Store) -> Result<()> {
    let bed = bed(&store).await;
    bed.start("wild", "one", "").await?;
    let reported = bed.failure("one", Status::Stalled).await?;
    ensure!(
        reported == "the code asks for task 7, which it never began",
        "{reported}"
    );
    bed.start("once", "two", "no-such").await?;
    let reported = bed.failure("two", Status::Failed).await?;
    let expected = "not-found: no app has the activity `no-such`; there are: app/broken, app/echo, app/flaky, app/never";
    ensure!(reported == expected, "{reported}");
    bed.start("once", "three", "a b").await?;
    let reported = bed.failure("three", Status::Stalled).await?;
    ensure!(
        reported.starts_with("the name of an activity `a b`; expected"),
        "{reported}"
    );
    bed.close().await
}

async fn too_much_stalls_one_instance(store: Store) -> Result<()> {
    let bed = bed(&store).await;
    bed.start("large", "one", "2097153").await?;
    bed.start("large", "two", "2097152").await?;
    let reported = bed.failure("one", Status::Stalled).await?;
    let expected = "the input of activity `echo` has 2097153 bytes; at most 2097152 are kept in a journal: keep it \
                    elsewhere and hand on its name";
    ensure!(reported == expected, "{reported}");
    ensure!(bed.output("two").await?.len() == 2_097_152);
    ensure!(bed.lines("one").await? == ["started large"]);
    bed.close().await
}

async fn events_are_bounded(store: Store) -> Result<()> {
    let bed = Bed::with(&store, app(), Arc::default(), |settings| {
        settings.limits.events = 3;
        settings.limits.event_bytes = 10;
    })
    .await;
    bed.start("sleeper", "one", "60000").await?;
    for _ in 0..3 {
        bed.event("one", "a", "x").await?;
    }
    let many = "instance `one` has 3 events of 3 bytes that it has not waited for; at most 3 of 10 bytes are kept";
    reported(bed.event("one", "a", "x").await, Kind::Exhausted, many)?;
    bed.start("sleeper", "two", "60000").await?;
    let large = "instance `two` has 0 events of 0 bytes that it has not waited for; at most 3 of 10 bytes are kept";
    reported(
        bed.event("two", "a", "12345678901").await,
        Kind::Exhausted,
        large,
    )?;
    bed.close().await
}

async fn journals_are_bounded(store: Store) -> Result<()> {
    let bed = Bed::with(&store, app(), Arc::default(), |settings| {
        settings.limits.entries = 8;
    })
    .await;
    bed.start("chain", "short", "3").await?;
    bed.start("chain", "long", "5").await?;
    ensure!(bed.output("short").await? == "2,1,0,x");
    let reason = bed.failure("long", Status::Stalled).await?;
    let expected = "the journal has 8 entries, which is the most; use continue-as-new before that";
    ensure!(reason == expected, "{reason}");
    bed.close().await
}
