//! Guests whose time passes in the host's own code: they pay for it, they end, and their neighbours are served.

use crate::case;
use anyhow::{Result, ensure};
use futures::future::join_all;
use host_tests::{MEMORY, Project};
use libtest_mimic::Trial;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

const APPS: &str = "\
  - appID: hostile
    guest: hostile.wasm
    ingress: /
    grants: { state: [statestore], publish: [pubsub/open], invoke: [hostile], http: [\"api.example.com\"] }
    limits: { cpuTime: 200ms, wallTime: 120s }
  - appID: neighbour
    guest: hello.wasm
    ingress: /neighbour
    grants: { state: [statestore], publish: [pubsub/visits], subscribe: [pubsub/visits] }
";

pub fn trials() -> Vec<Trial> {
    vec![
        case("held::loops_over_host_calls_use_cpu_time", loops),
        case("held::a_long_name_is_refused_in_short", names),
        case("held::more_headers_than_fit_are_refused", headers),
    ]
}

/// Every worker is asked for by two loops of each kind; what ends them is the CPU time that they used in the host.
async fn loops() -> Result<()> {
    let running = Project::new(APPS).with("memory", MEMORY).start().await?;
    for kind in ["random", "log", "name", "fields"] {
        let path = format!("/host-spin?kind={kind}");
        let is_over = AtomicBool::new(false);
        let attack = async {
            let answers = join_all([running.get(&path), running.get(&path)]).await;
            is_over.store(true, SeqCst);
            answers.into_iter().collect::<Result<Vec<_>>>()
        };
        let neighbour = async {
            let mut answers = 0;
            while !is_over.load(SeqCst) || answers < 3 {
                let answer = running.get("/neighbour").await?;
                ensure!(answer.text().starts_with("hello, visitor "), "{answer:?}");
                answers += 1;
            }
            Ok(answers)
        };
        let (attack, neighbour) = tokio::join!(attack, neighbour);
        for answer in attack? {
            let text = answer.message();
            let is_charged = text.contains("`hostile` used its 200ms of CPU time");
            ensure!(answer.status == 504 && is_charged, "{kind}: {answer:?}");
        }
        neighbour?;
    }
    ensure!(running.stop().await, "not everything finished");
    Ok(())
}

async fn names() -> Result<()> {
    let running = Project::new(APPS).with("memory", MEMORY).start().await?;
    let text = running.get("/long-name?mib=4").await?.text();
    let bytes = text.split(' ').nth(2).and_then(|bytes| bytes.parse().ok());
    ensure!(bytes.is_some_and(|bytes: u64| bytes <= 4 << 10), "{text}");
    Ok(())
}

async fn headers() -> Result<()> {
    let running = Project::new(APPS).with("memory", MEMORY).start().await?;
    let path = "/many-headers?app=hostile&count=40000";
    let text = running.get(path).await?.text();
    ensure!(
        text.contains("invalid: 40000 headers; expected at most 1000"),
        "{text}"
    );
    Ok(())
}
