//! The bounds of what an instance may ask for and keep, and what becomes of one that goes on for ever.

use super::{
    Case, app, bed,
    bed::{Bed, Fuse, Native},
    rules::cases,
};
use anyhow::{Context as _, Result, ensure};
use conformance::old;
use std::sync::Arc;
use wythe_blocks::{
    App, Profile,
    state::Driver,
    workflow::{Bulk, Filter, Status},
};

type Store = Arc<dyn Driver>;

pub const CASES: &[Case] = cases![
    a_step_has_so_many_bytes,
    a_journal_has_so_many_bytes,
    an_answer_without_room_stalls,
    journals_without_room_take_turns,
    an_app_has_half_of_the_room,
    runs_that_wait_for_nothing_come_ever_slower,
    an_id_is_the_workflows_that_used_it,
    a_step_that_outlives_three_hosts_stalls,
    an_app_has_so_many_instances,
    what_an_earlier_host_left_is_counted,
    a_fork_ends_at_its_apps_limit,
    instances_that_wait_for_a_turn_are_no_tasks,
    children_are_so_deep,
    all_of_a_workflow_end_and_go,
];

async fn small(store: &Store) -> Bed {
    let change = |how: &mut wythe_blocks::workflow::Settings| {
        how.limits.step_bytes = 20_000;
        how.limits.journal_bytes = 50_000;
    };
    Bed::with(store, app(), Arc::default(), change).await
}

async fn a_step_has_so_many_bytes(store: Store) -> Result<()> {
    let bed = small(&store).await;
    bed.start("heap", "fits", "10").await?;
    bed.until("fits", |i| i.entries > 20).await?;
    bed.start("heap", "one", "1000000").await?;
    let reason = bed.failure("one", Status::Stalled).await?;
    let expected = "with activity `echo` the code asks for more than 20000 bytes in one step; wait for some of it before it asks for more";
    ensure!(reason == expected, "{reason}");
    // Nothing of the step is kept.
    ensure!(bed.get("one").await?.entries == 1);
    bed.close().await
}

async fn a_journal_has_so_many_bytes(store: Store) -> Result<()> {
    let bed = small(&store).await;
    bed.start("chain", "one", "100000").await?;
    let reason = bed.failure("one", Status::Stalled).await?;
    let is_reported =
        reason.contains("50000") && reason.ends_with("; use continue-as-new before that");
    ensure!(is_reported, "{reason}");
    bed.start("listener", "two", "60000").await?;
    bed.until("two", |i| i.entries == 2).await?;
    let reported = bed.event("two", "other", &"x".repeat(50_000)).await;
    let reported = reported.err().map(|error| error.message().to_owned());
    let expected = "at most 50000 are kept";
    ensure!(
        reported
            .as_ref()
            .is_some_and(|reported| reported.ends_with(expected)),
        "{reported:?}"
    );
    bed.close().await
}

async fn an_answer_without_room_stalls(store: Store) -> Result<()> {
    let change = |how: &mut wythe_blocks::workflow::Settings| how.limits.journal_bytes = 10_000;
    let bed = Bed::with(&store, app(), Arc::default(), change).await;
    bed.start("large", "one", "6000").await?;
    let reason = bed.failure("one", Status::Stalled).await?;
    let expected = "an answer of 6000 bytes has no room in the journal, which has at most 10000; use continue-as-new before that";
    ensure!(reason == expected, "{reason}");
    // Whoever lets it go on has the code hear of it.
    bed.engine.resume(&bed.caller, "one", "seen").await?;
    ensure!(bed.failure("one", Status::Failed).await? == expected);
    bed.close().await
}

/// Room for two journals at a time, and twenty that each wait for an event.
async fn journals_without_room_take_turns(store: Store) -> Result<()> {
    let change = |how: &mut wythe_blocks::workflow::Settings| how.hot_bytes = 128 << 10;
    let bed = Bed::with(&store, app(), Arc::default(), change).await;
    for n in 0..20 {
        bed.start("listener", &format!("i{n}"), "60000").await?;
    }
    for n in 0..20 {
        bed.until(&format!("i{n}"), |i| i.entries == 2).await?;
    }
    for name in ["paid", "paid", "shipped"] {
        for n in 0..20 {
            bed.event(&format!("i{n}"), name, "x").await?;
        }
    }
    for n in 0..20 {
        ensure!(bed.output(&format!("i{n}")).await? == "x,x,x");
    }
    bed.close().await
}

/// Journals of one app wait for their code for ever; those of another have room all the same.
async fn an_app_has_half_of_the_room(store: Store) -> Result<()> {
    let change = |how: &mut wythe_blocks::workflow::Settings| how.hot_bytes = 128 << 10;
    let bed = Bed::with(&store, app(), Arc::default(), change).await;
    let tenant = bed.caller.tenant().clone();
    let profile = Profile::new(tenant, "other".parse().expect("a name"));
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let other = App::new(profile, Arc::new(app()));
    let attached = bed
        .host
        .workflow
        .attach(&other, names(&["chain"]), names(&["echo"]));
    attached.expect("good names");
    for n in 0..4 {
        bed.start("stuck", &format!("i{n}"), "").await?;
    }
    // An activity of that name is in both apps, so a chain without steps is enough.
    bed.start("other/chain", "one", "0").await?;
    bed.until("one", |i| i.status == Status::Completed).await?;
    bed.close().await
}

/// The work of others is what passes meanwhile; without a rest there would be hundreds of runs.
async fn runs_that_wait_for_nothing_come_ever_slower(store: Store) -> Result<()> {
    let bed = bed(&store).await;
    bed.start("again", "one", "0").await?;
    bed.start("chain", "two", "300").await?;
    bed.output("two").await?;
    let runs = bed.until("one", |i| i.custom.is_some()).await?.custom;
    let runs: u32 = runs.unwrap_or_default().parse()?;
    ensure!(runs < 20, "{runs} runs");
    bed.close().await
}

async fn an_id_is_the_workflows_that_used_it(store: Store) -> Result<()> {
    let bed = bed(&store).await;
    bed.start("chain", "one", "1").await?;
    bed.output("one").await?;
    let taken = bed.start("race", "one", "1").await;
    let reported = taken.err().map(|error| error.to_string());
    let expected = "the instance id `one` is taken by an instance of another workflow";
    ensure!(reported.as_deref() == Some(expected), "{reported:?}");
    ensure!(bed.output("one").await? == "0,x");
    bed.start("chain", "one", "2").await?;
    bed.output("one").await?;
    bed.engine.purge(&bed.caller, "one").await?;
    bed.start("race", "one", "2").await?;
    ensure!(bed.output("one").await? == "1");
    bed.close().await
}

/// Each life ends right after the host has written down that the step takes long.
async fn a_step_that_outlives_three_hosts_stalls(store: Store) -> Result<()> {
    // A new store takes one write more.
    old::write(&*store, [("||workflow||format".to_owned(), "2")]).await;
    // Over a slow store a host may die of another write than that of the step; then it takes one life more.
    for life in 0..10 {
        let (store, begins) = (store.clone(), life == 0);
        let live = move || {
            let runtime = conformance::runtime()?;
            let lived = runtime.block_on(async {
                let fuse = Arc::new(Fuse {
                    at: Some(1 + usize::from(begins)),
                    after: true,
                    ..Fuse::default()
                });
                let bed = Bed::with(&store, app(), fuse.clone(), |_| {}).await;
                if begins {
                    bed.start("stuck", "one", "").await?;
                }
                tokio::select! {
                    () = fuse.dead.cancelled() => anyhow::Ok(false),
                    over = bed.until("one", |i| i.status == Status::Stalled) => over.map(|_| true),
                }
            });
            runtime.shutdown_background();
            lived
        };
        if tokio::task::spawn_blocking(live).await?? {
            ensure!(life >= 3, "it stalled after {life} hosts");
            break;
        }
    }
    let bed = bed(&store).await;
    let reason = bed.failure("one", Status::Stalled).await?;
    let expected =
        "the host ended 3 times while the code was in the same step; see `limits.stepFuel`";
    ensure!(reason == expected, "{reason}");
    bed.close().await
}

fn few(instances: u32) -> Native {
    let mut app = app();
    app.instances = instances;
    app
}

/// The reason why it does not begin.
async fn refused(bed: &Bed, name: &str, id: &str) -> Result<String> {
    let reported = bed.start(name, id, "").await.err();
    reported
        .map(|error| error.to_string())
        .with_context(|| format!("`{id}` began"))
}

async fn an_app_has_so_many_instances(store: Store) -> Result<()> {
    let bed = Bed::new(&store, few(3)).await;
    for id in ["one", "two", "three"] {
        bed.start("listener", id, "60000").await?;
    }
    let reported = refused(&bed, "listener", "four").await?;
    let expected = "app `app` has 3 workflow instances that have not ended, which is the most; see `wythe workflow list`, `wythe workflow terminate --all`, or raise `limits.instances`";
    ensure!(reported == expected, "{reported}");
    // An id that is taken costs no place, and an end gives one back.
    refused(&bed, "listener", "three").await?;
    bed.engine
        .terminate(&bed.caller, "one", Default::default())
        .await?;
    bed.start("listener", "four", "60000").await?;
    refused(&bed, "listener", "five").await?;
    bed.close().await
}

async fn what_an_earlier_host_left_is_counted(store: Store) -> Result<()> {
    let before = Bed::new(&store, few(10)).await;
    for id in ["one", "two", "three"] {
        before.start("listener", id, "60000").await?;
        before.until(id, |i| i.entries == 2).await?;
    }
    before.start("chain", "ended", "1").await?;
    before.output("ended").await?;
    before.close().await?;
    let bed = Bed::new(&store, few(3)).await;
    // Counted behind everything else, so that a start or two may still pass.
    let mut passed = 0;
    while bed
        .start("listener", &format!("more{passed}"), "60000")
        .await
        .is_ok()
    {
        passed += 1;
        let id = format!("more{}", passed - 1);
        bed.engine
            .terminate(&bed.caller, &id, Default::default())
            .await?;
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        ensure!(passed < 20_000, "those of before are not counted");
    }
    bed.close().await
}

/// Each workflow starts two more: without a limit there would be ever more of them.
async fn a_fork_ends_at_its_apps_limit(store: Store) -> Result<()> {
    let bed = Bed::new(&store, few(8)).await;
    bed.start("fork", "f", "").await?;
    let (mut quiet, every) = (0, Filter::default());
    while quiet < 20 {
        let all = bed.engine.list(&bed.caller, &every, None, 1_000);
        let all = all.await?.instances;
        let alive = all.iter().filter(|one| !one.status.has_ended()).count();
        ensure!(alive <= 8, "{alive} are alive");
        quiet = if alive == 0 { quiet + 1 } else { 0 };
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    bed.start("chain", "one", "2").await?;
    bed.output("one").await?;
    bed.close().await
}

/// The code of each goes on for ever, so that their app has no turn for the others; another app has its own.
async fn instances_that_wait_for_a_turn_are_no_tasks(store: Store) -> Result<()> {
    let bed = bed(&store).await;
    let tenant = bed.caller.tenant().clone();
    let other = App::new(
        Profile::new(tenant, "other".parse().expect("a name")),
        Arc::new(app()),
    );
    let names = vec!["chain".to_owned()];
    let attached = bed.host.workflow.attach(&other, names, Vec::new());
    attached.expect("good names");
    for n in 0..300 {
        bed.start("stuck", &format!("i{n}"), "").await?;
    }
    let tasks = bed.host.tasks.count();
    ensure!(tasks < 100, "{tasks} tasks for 300 instances");
    bed.start("other/chain", "one", "0").await?;
    bed.output("one").await?;
    let every = Filter::default();
    let all = bed.engine.list(&bed.caller, &every, None, 1_000);
    let alive = |one: &&wythe_blocks::workflow::Instance| !one.status.has_ended();
    ensure!(all.await?.instances.iter().filter(alive).count() == 300);
    bed.close().await
}

async fn children_are_so_deep(store: Store) -> Result<()> {
    let bed = bed(&store).await;
    bed.start("deep", "d0", "0").await?;
    let reported = bed.output("d0").await?;
    let expected = "33: invalid: workflow `deep` would be the child of a child and so on, 33 deep; at most 32 are";
    ensure!(reported == expected, "{reported}");
    bed.close().await
}

async fn all_of_a_workflow_end_and_go(store: Store) -> Result<()> {
    let bed = bed(&store).await;
    for n in 0..450 {
        bed.start("listener", &format!("i{n}"), "60000").await?;
    }
    bed.start("chain", "other", "1").await?;
    bed.output("other").await?;
    for (what, name) in [
        (Bulk::Purge, "listener"),
        (Bulk::Terminate, "app/listener"),
        (Bulk::Terminate, "listener"),
        (Bulk::Purge, "listener"),
    ] {
        let (mut done, mut cursor) = (0, None);
        loop {
            let swept = bed
                .engine
                .sweep(&bed.caller, what, name, cursor.as_deref())
                .await?;
            ensure!(swept.failed.is_empty(), "{:?}", swept.failed);
            ensure!(swept.done <= 200);
            done += swept.done;
            cursor = swept.next;
            if cursor.is_none() {
                break;
            }
        }
        let is_first = what == Bulk::Terminate && name == "app/listener";
        let is_last = what == Bulk::Purge && bed.get("i0").await.is_err();
        ensure!(
            done == if is_first || is_last { 450 } else { 0 },
            "{what:?}: {done}"
        );
    }
    let every = Filter::default();
    let left = bed.engine.list(&bed.caller, &every, None, 10);
    let left = left.await?.instances;
    ensure!(left.len() == 1 && left[0].id == "other", "{left:?}");
    bed.close().await
}
