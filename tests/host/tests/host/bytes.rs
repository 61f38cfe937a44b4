//! The bounds of what the host holds for an app; no number that an app gives ends anything but its own call.

use crate::case;
use anyhow::{Context as _, Result, ensure};
use host_tests::{Project, Running};
use libtest_mimic::Trial;

const RESOURCES: &str = "\
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: statestore }
spec: { type: state.memory, version: v1, metadata: [{ name: maxBytes, value: 24Mi }] }
---
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: pubsub }
spec: { type: pubsub.PUBSUB, version: v1, metadata: [{ name: maxBacklogBytes, value: 8Mi }] }
";

const APPS: &str = "\
  - appID: hostile
    guest: hostile.wasm
    ingress: /
    grants: { state: [statestore], publish: [pubsub/open, pubsub/kept], invoke: [hostile], http: [\"api.example.com\"] }
    limits: { hostMemory: 32Mi, wallTime: 10s, cpuTime: 5s }
  - appID: neighbour
    guest: hello.wasm
    ingress: /neighbour
    grants: { state: [statestore], publish: [pubsub/visits], subscribe: [pubsub/visits, pubsub/kept] }
";

const STORED: &str = "\
apiVersion: dapr.io/v2alpha1
kind: Subscription
metadata: { name: kept }
spec: { topic: kept, pubsubname: pubsub, routes: { default: /kept } }
scopes: [neighbour]
";

/// Path, the most that may be done of it, and why it then ends. Whatever is held has gone when it is asked again.
const HELD: &[(&str, &str, u64, &str)] = &[
    (
        "fields",
        "/invoke?app=hostile&path=/fields%3Fcount=4000%26bytes=60000",
        0,
        "see `limits.hostMemory`",
    ),
    (
        "an_answer_of_many",
        "/get-many?count=20&bytes=1048576",
        16,
        "one answer has at most 16777216 bytes of values",
    ),
];

/// Cases of what is kept by a component, which stays.
const STORED_BY: &[(&str, &str, u64, &str)] = &[
    (
        "state",
        "/put-until-refused?count=100&bytes=1048576",
        23,
        "see `maxBytes`",
    ),
    (
        "events",
        "/publish-until-refused?topic=kept&count=100&bytes=524288",
        15,
        "see `maxBacklogBytes`",
    ),
];

pub fn trials() -> Vec<Trial> {
    vec![
        case("bytes::what_is_held_for_a_call", held),
        case("bytes::what_a_component_keeps", stored),
        case("bytes::a_backlog_on_disk_counts_after_a_start", reopened),
        case("bytes::numbers_that_no_clock_can_hold", forever),
    ]
}

fn project(pubsub: &str) -> Project {
    Project::new(APPS)
        .with("bytes", &RESOURCES.replace("PUBSUB", pubsub))
        .with("kept", STORED)
}

/// The number that an answer begins with, or that comes before the one that was refused.
async fn count(running: &Running, path: &str, reason: &str) -> Result<u64> {
    let answer = running.get(path).await?;
    let text = answer.text();
    ensure!(text.contains(reason), "{path}: {} {text}", answer.status);
    // An instance that was ended has no count; it came as far as it may.
    let first = text.split(',').next().unwrap_or_default();
    Ok(first.parse().unwrap_or_default())
}

async fn neighbour_is_well(running: &Running) -> Result<()> {
    let answer = running.get("/neighbour").await?;
    ensure!(answer.text().starts_with("hello, visitor "), "{answer:?}");
    Ok(())
}

async fn held() -> Result<()> {
    let running = project("memory").start().await?;
    for (name, path, limit, reason) in HELD {
        // Twice: what the first held was given back.
        for _ in 0..2 {
            let came = count(&running, path, reason).await.context(*name)?;
            ensure!(came <= *limit, "{name}: {came} of at most {limit}");
        }
        neighbour_is_well(&running).await?;
    }
    running.stop().await;
    Ok(())
}

async fn stored() -> Result<()> {
    let running = project("memory").start().await?;
    neighbour_is_well(&running).await?;
    for (name, path, limit, reason) in STORED_BY {
        let came = count(&running, path, reason).await.context(*name)?;
        ensure!(
            (1..=*limit).contains(&came),
            "{name}: {came} of at most {limit}"
        );
    }
    running.stop().await;
    Ok(())
}

async fn reopened() -> Result<()> {
    let (_, path, limit, reason) = STORED_BY[1];
    let project = project("redb");
    let running = project.start().await?;
    let came = count(&running, path, reason).await?;
    ensure!((1..=limit).contains(&came), "{came} of at most {limit}");
    running.stop().await;
    let running = project.start().await?;
    let more = count(&running, path, reason).await?;
    ensure!(more == 0, "{more} more after a start");
    running.stop().await;
    Ok(())
}

/// The numbers end no instance, and its caller goes on.
async fn forever() -> Result<()> {
    let running = project("redb").start().await?;
    for path in ["/forever", "/invoke?app=hostile&path=/forever"] {
        let answer = running.get(path).await?;
        let text = answer.text();
        ensure!(answer.status == 200, "{} {text}", answer.status);
        for what in ["ttl of an event", "delay of an event", "ttl of an entry"] {
            ensure!(text.contains(&format!("{what}: well")), "{text}");
        }
    }
    neighbour_is_well(&running).await?;
    running.stop().await;
    Ok(())
}
