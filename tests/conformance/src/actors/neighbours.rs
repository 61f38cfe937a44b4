//! The effect that an app, or the store, has on the actors of others: none.

use super::{
    Subject,
    puppet::{Puppet, STICKY, Step, Step::*, ms},
    rig::{Rig, error},
};
use futures::future::join_all;
use std::{
    collections::HashMap,
    sync::atomic::Ordering::SeqCst,
    time::{Duration, Instant},
};
use wythe_blocks::{
    Kind,
    actors::{Limits, Type},
};
use wythe_manifest::Metered;

/// Sets a reminder of each of so many actors.
async fn remind(rig: &Rig, kind: &str, count: usize, period: Option<u64>, steps: Vec<Step>) {
    let ids: Vec<_> = (0..count).map(|id| id.to_string()).collect();
    for ids in ids.chunks(100) {
        let set = [Remind("bad".into(), 1, period, steps.clone())];
        let set = ids.iter().map(|id| rig.run(kind, id, &set));
        for answer in join_all(set).await {
            answer.unwrap();
        }
    }
}

async fn tick(rig: &Rig, times: usize) {
    let tick = Remind("tick".into(), 10, Some(20), vec![Add(1)]);
    rig.one("victim", tick).await.unwrap();
    rig.woken("tick", times).await;
}

/// Waits until a puppet was woken so many times in all.
async fn woken(puppet: &Puppet, times: usize) {
    until(|| puppet.woken().len() >= times).await;
}

async fn until(is_so: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(180);
    while !is_so() {
        assert!(Instant::now() < end, "it does not come");
        tokio::time::sleep(ms(5)).await;
    }
}

pub(super) async fn slow(subject: Subject) {
    let rig = Rig::new(subject.driver()).await;
    let neighbour = rig.neighbour(Type::new("slow"));
    remind(&rig, "slow", 200, None, vec![Sleep(19_000)]).await;
    woken(&neighbour, 64).await;
    tick(&rig, 5).await;
    // Those that set the reminders ran beside them, 100 at once.
    assert!(neighbour.peak() <= 164, "{} at once", neighbour.peak());
    rig.kill();
}

pub(super) async fn failing(subject: Subject) {
    const COUNT: usize = 1_000;
    let rig = Rig::sleeping(subject.driver()).await;
    let neighbour = rig.neighbour(Type::new("bad"));
    remind(&rig, "bad", COUNT, Some(1), vec![Fail("no".into())]).await;
    rig.kill();
    // After a restart as before it.
    let rig = Rig::sleeping(subject.driver()).await;
    let again = rig.neighbour(Type::new("bad"));
    rig.start();
    tick(&rig, 10).await;
    woken(&again, 2 * COUNT).await;
    assert!(neighbour.woken().is_empty());
    // Each failed twice at least, and was read a few times.
    let rows = rig.faulty.rows.load(SeqCst);
    assert!(rows < 20 * COUNT as u64, "{rows} rows were read");
    rig.stop().await;
}

pub(super) async fn given_up(subject: Subject) {
    let limits = Limits {
        pause: ms(5),
        ..Limits::default()
    };
    let rig = Rig::limited(subject.driver(), limits).await;
    rig.start();
    let once = Remind("once".into(), 1, None, vec![Fail("no".into())]);
    rig.one("a", once).await.unwrap();
    let fails = vec![Add(1), FailFirst(10)];
    // The tenth failure is the end of its first occurrence, and the next one is well.
    let often = Remind("often".into(), 1, Some(60), fails);
    let stored = async |id: &str| {
        let stored = rig.host.actors.show(&rig.caller(), "plain", id).await;
        stored.unwrap().unwrap().reminders.remove(0)
    };
    let before = stored("a").await.due;
    rig.woken("once", 10).await;
    let end = Instant::now() + Duration::from_secs(180);
    while stored("a").await.due < before + 3_600_000 {
        assert!(Instant::now() < end, "it is put off");
        tokio::time::sleep(ms(5)).await;
    }
    assert_eq!(rig.woken("once", 10).await.len(), 10);
    rig.one("b", often).await.unwrap();
    rig.woken("often", 12).await;
    let sum = rig.one("b", Sum).await.unwrap();
    assert!(sum.as_u64() >= Some(1), "{sum}");
    rig.stop().await;
}

pub(super) async fn unknown(subject: Subject) {
    const COUNT: usize = 1_000;
    let rig = Rig::sleeping(subject.driver()).await;
    rig.neighbour(Type::new("lost"));
    remind(&rig, "lost", COUNT, None, vec![]).await;
    rig.kill();
    let rig = Rig::new(subject.driver()).await;
    tick(&rig, 100).await;
    let rows = rig.faulty.rows.load(SeqCst);
    assert!(rows < 20 * COUNT as u64, "{rows} rows were read");
    let neighbour = rig.neighbour(Type::new("lost"));
    woken(&neighbour, COUNT).await;
    let mut times = HashMap::<_, usize>::new();
    for woken in neighbour.woken() {
        *times.entry(woken.actor).or_default() += 1;
    }
    assert_eq!(times.len(), COUNT, "each of them");
    rig.stop().await;
}

pub(super) async fn crowded(subject: Subject) {
    let limits = Limits {
        active: 40,
        ..Limits::default()
    };
    let rig = Rig::limited(subject.driver(), limits).await;
    let sticky = Type {
        lifecycle: true,
        idle: ms(1),
        ..Type::new(STICKY)
    };
    let neighbour = rig.neighbour(sticky);
    for id in 0..20 {
        rig.run(STICKY, &id.to_string(), &[]).await.unwrap();
    }
    rig.start();
    until(|| neighbour.woken().iter().any(|w| w.by == "deactivate")).await;
    for id in 20..100 {
        let full = error(rig.run(STICKY, &id.to_string(), &[]).await);
        assert_eq!(full.kind(), Kind::Exhausted, "{full}");
        assert!(full.retry_after().is_some());
    }
    // The sweep of another app's type goes on, and there is room for it.
    for id in ["a", "b", "c"] {
        rig.run("short", id, &[Add(1)]).await.unwrap();
    }
    rig.woken("deactivate", 3).await;
    let active = rig.host.actors.active(&rig.caller(), Some(STICKY));
    assert_eq!(active.len(), 20);
    rig.kill();
}

pub(super) async fn quota(subject: Subject) {
    let rig = Rig::new(subject.driver()).await;
    rig.host.ledger.set(Some(&crate::quotas("actors: 3")));
    // Longer than the turns below take over a slow store.
    let brief = Type {
        idle: ms(5_000),
        ..Type::new("brief")
    };
    let _neighbour = rig.neighbour(brief);
    for id in ["a", "b", "c"] {
        rig.run("brief", id, &[Add(1)]).await.unwrap();
    }
    let full = error(rig.run("brief", "d", &[Add(1)]).await);
    assert_eq!(full.kind(), Kind::Exhausted, "{full}");
    assert!(
        full.message().contains("`quotas.actors`, which is 3"),
        "{full}"
    );
    rig.run("brief", "a", &[Add(1)]).await.unwrap();
    let used = || rig.host.ledger.readings()[Metered::Actors as usize].used;
    assert_eq!(used(), 3);
    // Those that are idle go, and give back what they hold.
    rig.start();
    until(|| used() == 0).await;
    rig.run("brief", "d", &[Add(1)]).await.unwrap();
    assert!(rig.host.close(ms(60_000)).await, "everything ends");
    assert_eq!(used(), 0);
}

pub(super) async fn endless(subject: Subject) {
    let rig = Rig::sleeping(subject.driver()).await;
    rig.faulty.is_endless.store(true, SeqCst);
    let start = Instant::now();
    rig.start();
    let pages = || rig.faulty.pages.load(SeqCst);
    until(|| pages() >= 100).await;
    // Two loops have 32 pages each at once, and then a rest of 1 ms at least after each.
    let seen = pages();
    let limit = 2 * (33 + start.elapsed().as_millis() as u64);
    assert!(seen <= limit, "{seen} pages, not {limit}");
    rig.stop().await;
    let pages = pages();
    tokio::time::sleep(ms(50)).await;
    assert_eq!(rig.faulty.pages.load(SeqCst), pages);
}
