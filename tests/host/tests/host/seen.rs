//! The sight of an operator of apps that fall ill, crash and are waited for: health, metrics, the words of a crash.

use crate::case;
use anyhow::{Result, ensure};
use host_tests::{MEMORY, Project, Running};
use http::Method;
use libtest_mimic::Trial;
use std::time::Duration;
use wythe_blocks::{Format, Health};

/// `echo` is ill while the key `ill` of the store says so, which `hostile` writes.
const APPS: &str = "\
  - appID: echo
    guest: echo.wasm
    ingress: /echo
    health: { path: /health, interval: 1s, timeout: 1s, threshold: 1 }
    grants: { state: [statestore], publish: [pubsub], subscribe: [pubsub], invoke: [echo] }
  - appID: hostile
    guest: hostile.wasm
    ingress: /
    grants: { state: [statestore], publish: [pubsub/echo], invoke: [echo], http: [\"api.example.com\"] }
";

const SHARED: &str = "\
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: statestore }
spec: { type: state.memory, version: v1, metadata: [{ name: keyPrefix, value: none }] }
---
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: pubsub }
spec: { type: pubsub.memory, version: v1 }
";

const SMALL: &str = "\
  - appID: echo
    guest: echo.wasm
    ingress: /
    limits: { memory: 2MiB }
    grants: { state: [statestore], publish: [pubsub], subscribe: [pubsub], invoke: [echo] }
";

pub fn trials() -> Vec<Trial> {
    vec![
        case(
            "seen::an_ill_app_is_asked_for_nothing_until_it_is_well",
            ill,
        ),
        case("seen::a_crash_for_want_of_memory_names_the_limit", memory),
        case("seen::a_stack_that_is_used_up_is_named_and_counted", stack),
    ]
}

async fn ill() -> Result<()> {
    let running = Project::new(APPS).with("shared", SHARED).start().await?;
    running
        .eventually("/echo/a", |answer| answer.status == 200)
        .await?;
    let app = running.booted.tenant.all_apps();
    let echo = app.iter().find(|app| app.id().as_str() == "echo");
    let echo = echo.expect("it is there");
    ensure!(echo.health() == Health::Well);
    say(&running, "/put?component=statestore&key=ill&bytes=2").await?;
    let refused = running
        .eventually("/echo/a", |answer| answer.status == 503)
        .await?;
    ensure!(refused.header("retry-after").is_some(), "{refused:?}");
    ensure!(echo.health() == Health::Ill("it answered 503".into()));
    say(&running, "/publish?component=pubsub&topic=echo").await?;
    let invoked = say(&running, "/invoke?app=echo&path=/a").await?;
    ensure!(
        invoked.contains("unavailable") && invoked.contains("app `echo` is not well"),
        "{invoked}"
    );
    let labels = "{tenant=\"default\",app=\"echo\"";
    let of_topic = format!("{labels},component=\"pubsub\",topic=\"echo\"");
    let waits = format!("wythe_backlog_messages{of_topic}}} 1\n");
    let page = page(&running, Format::Prometheus).await;
    ensure!(page.contains(&waits), "{page}");
    let bytes = format!("wythe_subscription_backlog_bytes{of_topic}}} ");
    ensure!(
        value(&page, &bytes).is_some_and(|bytes| bytes > 0),
        "{page}"
    );
    ensure!(
        page.contains(&format!("wythe_app_healthy{labels}}} 0\n")),
        "{page}"
    );
    say(&running, "/put?component=statestore&key=ill&bytes=1").await?;
    running
        .eventually("/echo/a", |answer| answer.status == 200)
        .await?;
    let acknowledged = format!("wythe_deliveries_total{of_topic},verdict=\"ack\"}} 1\n");
    becomes(&running, &acknowledged).await?;
    becomes(&running, &format!("wythe_backlog_messages{of_topic}}} 0\n")).await?;
    whole(&running).await
}

/// The page has what the host knows without being told, in both formats.
async fn whole(running: &Running) -> Result<()> {
    let open = page(running, Format::OpenMetrics).await;
    ensure!(open.ends_with("# EOF\n"), "{open}");
    for sample in [
        "wythe_app_healthy{tenant=\"default\",app=\"echo\"} 1\n",
        "wythe_components{tenant=\"default\",type=\"pubsub.memory\"} 1\n",
        "wythe_app_calls_total{tenant=\"default\",app=\"echo\",kind=\"health\",outcome=\"ok\"} ",
        "wythe_guest_memory_bytes",
        "wythe_cpu_seconds_total",
        "wythe_instances{tenant=\"default\"} ",
        "dapr_runtime_component_loaded{namespace=\"default\",app_id=\"*\",component=\"state.memory\"} 1\n",
        "dapr_http_server_request_count{namespace=\"default\",app_id=\"echo\",status=\"200\"} ",
    ] {
        ensure!(open.contains(sample), "{sample} in {open}");
    }
    Ok(())
}

/// The whole number after the beginning of a line.
fn value(page: &str, begin: &str) -> Option<u64> {
    let (_, rest) = page.split_once(begin)?;
    rest.lines().next()?.parse().ok()
}

async fn say(running: &Running, path: &str) -> Result<String> {
    let answer = running.get(path).await?;
    ensure!(answer.status == 200, "{path}: {answer:?}");
    Ok(answer.text())
}

async fn page(running: &Running, format: Format) -> String {
    running.booted.host.render_metrics(format, ()).await
}

/// Looks at the metrics until they have a line.
async fn becomes(running: &Running, line: &str) -> Result<()> {
    for _ in 0..1_200 {
        if page(running, Format::Prometheus).await.contains(line) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    anyhow::bail!(
        "never {line} in {}",
        page(running, Format::Prometheus).await
    )
}

/// Its body is more than the guest has room for.
async fn memory() -> Result<()> {
    let running = Project::new(SMALL).with("memory", MEMORY).start().await?;
    let answer = running
        .send(Method::POST, "/a", &[], vec![b'x'; 3 << 20])
        .await?;
    let message = answer.message();
    ensure!(answer.status == 502, "{answer:?}");
    ensure!(
        message.contains("it was refused memory before: it may have 2MiB, see `limits.memory`"),
        "{message}"
    );
    let trap = "wythe_traps_total{tenant=\"default\",app=\"echo\",cause=\"memory\"} 1\n";
    becomes(&running, trap).await
}

async fn stack() -> Result<()> {
    let running = Project::new(APPS).with("shared", SHARED).start().await?;
    let answer = running.get("/recurse").await?;
    let message = answer.message();
    ensure!(
        message.contains("its stack of 512KiB is used up"),
        "{message}"
    );
    let trap = "wythe_traps_total{tenant=\"default\",app=\"hostile\",cause=\"stack\"} 1\n";
    becomes(&running, trap).await
}
