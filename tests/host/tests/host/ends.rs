//! A host that has ended is gone: no app, plugin or task holds it, and the engine goes with it.

use crate::case;
use anyhow::{Result, ensure};
use host_tests::{MEMORY, Project, guest};
use libtest_mimic::Trial;
use std::{sync::Arc, time::Duration};

const APPS: &str = "\
  - appID: hello
    guest: hello.wasm
    ingress: /
    grants: { state: [statestore], publish: [pubsub/visits], subscribe: [pubsub/visits] }
  - appID: account
    guest: account.wasm
    ingress: /accounts
    grants: { actors: [account], publish: [pubsub/transfers], subscribe: [pubsub/transfers] }
  - appID: echo
    guest: echo.wasm
    grants: { state: [statestore], publish: [pubsub], subscribe: [pubsub], invoke: [\"*\"] }
  - appID: errands
    guest: errands.wasm
    grants: { invoke: [echo] }
";

pub fn trials() -> Vec<Trial> {
    vec![case("ends::a_host_that_ended_is_gone", gone)]
}

async fn gone() -> Result<()> {
    let plugin = format!(
        "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {{ name: doors }}\nspec:\n  type: lock.wasm\n  \
         version: v1\n  metadata:\n    - {{ name: path, value: {} }}\n",
        guest("locksmith").display()
    );
    let project = Project::new(APPS)
        .with("memory", MEMORY)
        .with("plugin", &plugin);
    for round in 0..2 {
        let running = project.start().await?;
        let answer = running.get("/").await?;
        ensure!(answer.status == 200, "{answer:?}");
        let booted = &running.booted;
        let host = Arc::downgrade(&booted.host);
        let (tenant, runtime) = (
            Arc::downgrade(&booted.tenant),
            Arc::downgrade(&booted.ground.runtime),
        );
        ensure!(running.stop().await, "not everything finished");
        // The last instances and tasks go a moment later.
        for _ in 0..600 {
            let held = host.strong_count() + tenant.strong_count() + runtime.strong_count();
            if held == 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let held = (
            host.strong_count(),
            tenant.strong_count(),
            runtime.strong_count(),
        );
        ensure!(held == (0, 0, 0), "round {round}: held {held:?} times");
    }
    Ok(())
}
