//! A guest's file is replaced under load, and no request fails.

use crate::case;
use anyhow::{Result, ensure};
use host_tests::{MEMORY, Project, guest};
use libtest_mimic::Trial;
use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
};

const APPS: &str = "\
  - appID: one
    guest: app/one.wasm
    ingress: /
    grants: { state: [statestore], publish: [pubsub], subscribe: [pubsub], invoke: [one] }
";

pub fn trials() -> Vec<Trial> {
    vec![
        case("swap::no_request_fails_while_versions_change", under_load),
        case("swap::a_bad_file_leaves_the_old_version_in_place", bad_file),
    ]
}

async fn under_load() -> Result<()> {
    let project = Project::new(APPS).with("memory", MEMORY);
    let (hello, echo) = (
        std::fs::read(guest("hello"))?,
        std::fs::read(guest("echo"))?,
    );
    let path = project.write("app/one.wasm", &hello);
    let running = Arc::new(project.start().await?);
    let (stop, served) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicU32::new(0)),
    );
    let load: Vec<_> = (0..4)
        .map(|_| {
            let (running, stop, served) = (running.clone(), stop.clone(), served.clone());
            tokio::spawn(async move {
                while !stop.load(Relaxed) {
                    let answer = running.get("/").await?;
                    ensure!(answer.status == 200, "{answer:?}");
                    served.fetch_add(1, Relaxed);
                }
                Ok(())
            })
        })
        .collect();
    for version in 0..10 {
        project.write(
            "app/one.wasm",
            if version % 2 == 0 { &echo } else { &hello },
        );
        let changed = running.booted.apps[0]
            .guest
            .swap(&path)
            .await
            .map_err(|errors| anyhow::anyhow!("{errors:?}"))?;
        ensure!(changed, "version {version} was not taken");
        tokio::time::sleep(std::time::Duration::from_millis(30)).await;
    }
    stop.store(true, Relaxed);
    for task in load {
        task.await??;
    }
    ensure!(served.load(Relaxed) > 20, "{served:?} requests are no load");
    Ok(())
}

async fn bad_file() -> Result<()> {
    let project = Project::new(APPS).with("memory", MEMORY);
    let path = project.write("app/one.wasm", std::fs::read(guest("hello"))?);
    let running = project.start().await?;
    let digest = running.booted.apps[0].app.digest();
    project.write("app/one.wasm", "nonsense");
    let errors = running.booted.apps[0]
        .guest
        .swap(&path)
        .await
        .err()
        .unwrap_or_default();
    ensure!(errors.len() == 1, "{errors:?}");
    ensure!(
        errors[0]
            .message()
            .ends_with("is no wasm file; expected a component built for the target wasm32-wasip2"),
        "{errors:?}"
    );
    ensure!(
        running.booted.apps[0].app.digest() == digest && running.booted.apps[0].app.exports().http
    );
    ensure!(running.get("/").await?.status == 200);
    Ok(())
}
