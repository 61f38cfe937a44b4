//! Places: each is an instance's until that is gone or idle, and what an app does when nobody waits is bounded.

use super::{GUARD, open, start};
use crate::case;
use anyhow::{Result, ensure};
use host_tests::Running;
use libtest_mimic::Trial;
use tokio::io::AsyncReadExt;

pub fn trials() -> Vec<Trial> {
    vec![
        case("answers::work_after_one_holds_its_place", held),
        case("answers::work_after_one_is_bounded", bounded),
        case("answers::a_client_that_leaves_frees_no_place", left),
        case("answers::work_for_a_client_that_left_is_bounded", ended),
        case("answers::an_idle_instance_holds_no_place", idle),
        case("answers::work_after_one_of_wasi_3_counts_and_ends", newer),
    ]
}

/// Checks that all places are taken: the app is busy, and says when to ask again.
async fn is_busy(running: &Running) -> Result<()> {
    let refused = running.get("/env").await?;
    ensure!(refused.status == 429, "{refused:?}");
    ensure!(refused.headers.contains_key("retry-after"), "{refused:?}");
    Ok(())
}

async fn held() -> Result<()> {
    let running = start("concurrency: 2, wallTime: 1s, afterTime: 1h").await?;
    for _ in 0..2 {
        let answer = running.get("/after?how=sleep&ms=600000").await?;
        ensure!(answer.text() == "whole\n", "{answer:?}");
    }
    is_busy(&running).await
}

async fn bounded() -> Result<()> {
    let running = start("concurrency: 1, wallTime: 30s, afterTime: 50ms").await?;
    let all = async {
        for how in ["sleep", "spin", "sleep", "sleep"] {
            let answer = running.get(&format!("/after?how={how}&ms=600000")).await?;
            ensure!(answer.text() == "whole\n", "{answer:?}");
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(GUARD, all).await?
}

/// The client reads the beginning, and goes.
async fn leave(running: &Running) -> Result<()> {
    let mut client = open(running, "/drip?count=1000000&ms=10000").await?;
    client.read_exact(&mut [0; 16]).await?;
    Ok(())
}

async fn left() -> Result<()> {
    let running = start("concurrency: 1, wallTime: 1s, afterTime: 1h").await?;
    leave(&running).await?;
    is_busy(&running).await
}

async fn ended() -> Result<()> {
    let running = start("concurrency: 1, wallTime: 20s, afterTime: 50ms").await?;
    for _ in 0..3 {
        leave(&running).await?;
    }
    let answer = running.get("/env").await?;
    ensure!(answer.status == 200, "{answer:?}");
    Ok(())
}

async fn newer() -> Result<()> {
    let app = |after: &str| {
        host_tests::Project::new(&format!(
            "  - appID: hostile3
    guest: hostile3.wasm
    ingress: /
    limits: {{ concurrency: 1, wallTime: 5s, afterTime: {after} }}
"
        ))
    };
    let bounded = app("50ms").start().await?;
    for _ in 0..3 {
        let answer = bounded.get("/after").await?;
        ensure!(answer.text() == "hello\n", "{answer:?}");
    }
    let held = app("1h").start().await?;
    held.get("/after").await?;
    is_busy(&held).await
}

/// It may be used again, and so may its place, here by another instance: of the other export.
async fn idle() -> Result<()> {
    let apps = "  - appID: hostile
    guest: hostile.wasm
    ingress: /
    grants: { state: [statestore], publish: [pubsub], invoke: [hostile], http: [] }
    limits: { concurrency: 1, wallTime: 5s, afterTime: 1h }
    reuse: { maxRequests: 100, idle: 1h }
";
    let running = host_tests::Project::new(apps)
        .with("memory", host_tests::MEMORY)
        .start()
        .await?;
    for _ in 0..5 {
        let answer = running.get("/env").await?;
        ensure!(answer.status == 200, "{answer:?}");
    }
    Ok(())
}
