//! Tenants in processes of their own: the walls around them, and what becomes of one that ends.

use super::{
    root::{HELLO, MEMORY, Mode, Root, Served},
    tls::certificate,
};
use crate::{case, crash::command};
use anyhow::{Context, Result, ensure};
use conformance::receiver::{Received, Receiver};
use host_tests::{client, request};
use http::Method;
use libtest_mimic::Trial;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::{collections::BTreeMap, fs, os::unix::fs::MetadataExt, time::Duration};

pub fn trials() -> Vec<Trial> {
    vec![
        case("serve::a_process_that_is_killed_comes_back", killed),
        case("serve::a_process_that_fails_again_and_again_is_told", down),
        case("serve::a_process_is_behind_its_walls", walls),
        case("serve::a_process_ends_with_its_tenant_and_its_host", ends),
        case("serve::terms_choose_the_process_of_a_tenant", chosen),
        case("serve::what_is_passed_on_is_what_came", passed_on),
        case("serve::what_is_streamed_is_not_held", streamed),
        case("serve::a_process_sends_its_spans_itself", spans),
    ]
}

/// A tenant `shop` with a process of its own, and a neighbour without one. Their stores last.
fn root() -> Root {
    let root = Root::of(Mode::Process);
    root.write("wythe-host.yaml", SHOP);
    for tenant in ["shop", "bank"] {
        root.guest(&format!("{tenant}/hello.wasm"), "hello");
        root.write(&format!("{tenant}/wythe.yaml"), HELLO);
    }
    root
}

const SHOP: &str = "\
apiVersion: wythe/v1
kind: Tenant
metadata: { name: shop }
spec: { isolation: process }
";

/// The processes of tenants of a host, by their numbers, with what the kernel says of each.
fn processes(host: u32) -> Result<BTreeMap<u32, BTreeMap<String, String>>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir("/proc")?.flatten() {
        let Some(id) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok())
        else {
            continue;
        };
        // One that ends meanwhile is none.
        let Ok(status) = fs::read_to_string(entry.path().join("status")) else {
            continue;
        };
        let lines = status.lines().filter_map(|line| line.split_once(":\t"));
        let status: BTreeMap<_, _> = lines
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let command = fs::read_to_string(entry.path().join("cmdline")).unwrap_or_default();
        let is_its = status
            .get("PPid")
            .is_some_and(|parent| *parent == host.to_string());
        if is_its && command.split('\0').nth(1) == Some("tenant-process") {
            found.insert(id, status);
        }
    }
    Ok(found)
}

/// The one process of a tenant, once it is another one than before.
async fn process(served: &Served, before: Option<u32>) -> Result<u32> {
    for _ in 0..1_200 {
        let all = processes(served.id())?;
        if let Some(id) = all.keys().find(|id| Some(**id) != before) {
            return Ok(*id);
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    anyhow::bail!("no process of a tenant came")
}

fn kill(id: u32) -> Result<()> {
    let id = Pid::from_raw(id.try_into()?).context("no number of a process")?;
    Ok(kill_process(id, Signal::KILL)?)
}

async fn gone(id: u32) -> Result<()> {
    for _ in 0..1_200 {
        if !fs::exists(format!("/proc/{id}"))? {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    anyhow::bail!("process {id} did not end")
}

/// A visit of the neighbour, which is always answered.
async fn neighbour(served: &Served, visitors: &mut u32) -> Result<()> {
    *visitors += 1;
    let said = served.said("localhost", "/bank/").await?;
    ensure!(said == format!("hello, visitor {visitors}\n"), "{said}");
    Ok(())
}

async fn killed() -> Result<()> {
    let root = root();
    let served = root.serve(&[])?;
    let (mut visitors, mut before) = (0, None);
    ensure!(served.said("localhost", "/shop/").await? == "hello, visitor 1\n");
    for visitor in 2..5 {
        let id = process(&served, before).await?;
        kill(id)?;
        gone(id).await?;
        // Never a hang and never an answer of somebody else.
        let expected = format!("hello, visitor {visitor}\n");
        loop {
            neighbour(&served, &mut visitors).await?;
            let answer = served.get("localhost", "/shop/").await?;
            if answer.status == 200 {
                ensure!(answer.text() == expected, "{answer:?}");
                break;
            }
            ensure!(answer.status == 503, "{answer:?}");
            ensure!(answer.json()["error"] == "unavailable", "{answer:?}");
            ensure!(answer.header("retry-after").is_some(), "{answer:?}");
        }
        before = Some(id);
    }
    ensure!(served.problems_until(0).await?.is_empty());
    Ok(())
}

/// Six deaths in a row: the pause is 8 s by then.
async fn down() -> Result<()> {
    let root = root();
    let served = root.serve(&[])?;
    let mut before = None;
    for _ in 0..6 {
        let id = process(&served, before).await?;
        kill(id)?;
        gone(id).await?;
        before = Some(id);
    }
    let mut problems = Vec::new();
    for _ in 0..300 {
        problems = served.problems()?;
        if problems.len() == 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let expected =
        "shop: : the process of tenant `shop` ended (signal: 9 (SIGKILL)); it is started again";
    ensure!(problems == [expected], "{problems:?}");
    let ready = served.ready().await?;
    let text = ready.text();
    ensure!(
        ready.status == 200 && text.contains("the process of tenant `shop` does not serve\n"),
        "{text}"
    );
    let tenants = served.json("tenants")?;
    ensure!(
        tenants[1]["tenant"] == "shop" && tenants[1]["served"] == false,
        "{tenants}"
    );
    let asked = served.command("state get statestore visits --tenant shop")?;
    let reported = String::from_utf8_lossy(&asked.stderr).into_owned();
    ensure!(
        reported.contains("the process of tenant `shop`"),
        "{reported}"
    );
    served
        .until("localhost", "/shop/", "hello, visitor 1\n")
        .await?;
    ensure!(served.problems_until(0).await?.is_empty());
    Ok(())
}

async fn walls() -> Result<()> {
    let root = Root::of(Mode::Process);
    root.hello("shop");
    root.hello("bank");
    let served = root.serve(&[])?;
    let all = processes(served.id())?;
    ensure!(all.len() == 2, "{:?}", all.keys());
    let mut users = Vec::new();
    for status in all.values() {
        let said = |name: &str| status.get(name).cloned().unwrap_or_default();
        ensure!(
            said("NoNewPrivs") == "1" && said("Seccomp") == "2",
            "{status:?}"
        );
        if rustix::process::geteuid().is_root() {
            let ids: Vec<u32> = said("Uid")
                .split('\t')
                .filter_map(|id| id.parse().ok())
                .collect();
            ensure!(ids.len() == 4 && ids.iter().all(|id| *id == ids[0] && *id >= 1_000));
            ensure!(
                said("Gid") == said("Uid") && said("Groups").trim().is_empty(),
                "{status:?}"
            );
            ensure!(
                said("CapEff").chars().all(|digit| digit == '0'),
                "{status:?}"
            );
            users.push(ids[0]);
        }
    }
    let data = |tenant: &str| fs::metadata(root.path().join(".wythe/data").join(tenant));
    for tenant in ["shop", "bank"] {
        let directory = data(tenant)?;
        ensure!(directory.mode() & 0o777 == 0o700, "{:o}", directory.mode());
        users.retain(|user| *user != directory.uid());
    }
    // Each has its own.
    ensure!(
        users.is_empty() && data("shop")?.uid() != data("bank")?.uid()
            || !rustix::process::geteuid().is_root()
    );
    ensure!(served.said("localhost", "/shop/").await? == "hello, visitor 1\n");
    Ok(())
}

async fn ends() -> Result<()> {
    let root = root();
    let served = root.serve(&[])?;
    let first = process(&served, None).await?;
    fs::rename(root.path().join("shop"), root.path().join(".shop"))?;
    gone(first).await?;
    served.until("localhost", "/shop/", "404").await?;
    fs::rename(root.path().join(".shop"), root.path().join("shop"))?;
    served
        .until("localhost", "/shop/", "hello, visitor 1\n")
        .await?;
    let second = process(&served, None).await?;
    ensure!(served.command("stop")?.status.success());
    ensure!(served.ended()? == Some(0));
    ensure!(
        !fs::exists(format!("/proc/{second}"))?,
        "it outlived a stop"
    );
    // A host that is killed takes them with it.
    let served = root.serve(&[])?;
    let third = process(&served, None).await?;
    drop(served);
    gone(third).await
}

async fn chosen() -> Result<()> {
    let root = root();
    let served = root.serve(&[])?;
    let first = process(&served, None).await?;
    ensure!(served.said("localhost", "/shop/").await? == "hello, visitor 1\n");
    // Other terms are those of another process; what was begun is done.
    root.write(
        "wythe-host.yaml",
        SHOP.replace("process }", "process, hosts: [shop.example] }"),
    );
    served
        .until("shop.example", "/", "hello, visitor 2\n")
        .await?;
    let second = process(&served, Some(first)).await?;
    gone(first).await?;
    // Without a process of its own it has the same data.
    fs::remove_file(root.path().join("wythe-host.yaml"))?;
    gone(second).await?;
    served
        .until("localhost", "/shop/", "hello, visitor 3\n")
        .await?;
    ensure!(processes(served.id())?.is_empty());
    root.write("wythe-host.yaml", SHOP);
    process(&served, None).await?;
    served
        .until("localhost", "/shop/", "hello, visitor 4\n")
        .await?;
    root.write("wythe-host.yaml", SHOP.replace("process", "thread"));
    let problems = served.problems_until(1).await?;
    let expected = "shop: wythe-host.yaml:4:20: spec.isolation: expected `shared` or `process`, found `thread`";
    ensure!(problems == [expected], "{problems:?}");
    ensure!(served.said("localhost", "/shop/").await? == "hello, visitor 5\n");
    Ok(())
}

const ECHO: &str = "\
version: 1
apps:
  - appID: echo
    guest: echo.wasm
    ingress: /
    grants: { state: [statestore], publish: [pubsub], subscribe: [pubsub], invoke: [other] }
";

async fn passed_on() -> Result<()> {
    let root = Root::of(Mode::Process);
    root.guest("shop/echo.wasm", "echo");
    root.write("shop/resources/memory.yaml", MEMORY);
    root.write("shop/wythe.yaml", ECHO);
    let served = root.serve(&[])?;
    let url = |path: &str| format!("{}{path}", served.url);
    // Host-only headers of a stranger, and those of the connection, do not arrive; others do.
    let headers = [
        ("wythe-client", "192.0.2.1"),
        ("dapr-caller-app-id", "bank"),
        ("connection", "x-hop"),
        ("x-hop", "1"),
        ("x-kept", "2"),
    ];
    let answer = request(
        &client(),
        Method::PUT,
        &url("/shop/a/b?c=d"),
        &headers,
        "text",
    )
    .await?;
    let heard: Value = answer.json();
    let text = heard.to_string();
    ensure!(answer.status == 200 && text.contains("/a/b?c=d"), "{text}");
    ensure!(text.contains("x-kept") && !text.contains("x-hop"), "{text}");
    ensure!(
        !text.contains("wythe-client") && !text.contains("bank"),
        "{text}"
    );
    let answer = request(&client(), Method::HEAD, &url("/shop/x"), &[], "").await?;
    ensure!(answer.status == 200 && answer.body.is_empty(), "{answer:?}");
    Ok(())
}

async fn streamed() -> Result<()> {
    let root = Root::of(Mode::Process);
    root.guest("shop/echo.wasm", "echo");
    root.write("shop/resources/memory.yaml", MEMORY);
    root.write("shop/wythe.yaml", ECHO);
    let served = root.serve(&[])?;
    let url = format!("{}/shop/stream", served.url);
    // More than any buffer on the way, there and back.
    let body = "0123456789abcdef".repeat(200_000);
    let answer = request(&client(), Method::POST, &url, &[], body.clone()).await?;
    ensure!(
        answer.status == 200 && answer.body == body.as_bytes(),
        "{}",
        answer.body.len()
    );
    Ok(())
}

async fn spans() -> Result<()> {
    let (root, receiver) = (root(), Receiver::start().await);
    let to = receiver.address;
    let tracing = format!(
        "{{ samplingRate: '1', otel: {{ endpointAddress: '{to}', isSecure: false, protocol: grpc }} }}"
    );
    let host = format!("apiVersion: wythe/v1\nkind: Host\nspec: {{ tracing: {tracing} }}\n");
    root.write("wythe-host.yaml", format!("{host}---\n{SHOP}"));
    // It is read at the start, within the walls too.
    root.write("authorities.pem", certificate("host.pem"));
    let mut command = command();
    let authorities = root.path().join("authorities.pem");
    command.env("OTEL_EXPORTER_OTLP_CERTIFICATE", authorities);
    let served = root.serve_by(command, &[])?;
    // One app is in a process of its own, the other in the host.
    for (tenant, trace) in [("shop", "a"), ("bank", "b")] {
        let trace = trace.repeat(32);
        let parent = format!("00-{trace}-00f067aa0ba902b7-01");
        let url = format!("{}/{tenant}/", served.url);
        let headers = [("traceparent", parent.as_str())];
        let answer = request(&client(), Method::GET, &url, &headers, "").await?;
        ensure!(answer.status == 200, "{answer:?}");
        let sent = receiver.wait(&trace, 1);
        let spans = tokio::time::timeout(Duration::from_secs(60), sent).await?;
        let says = |key: &str, value: &str| {
            let has = |span: &Received| span.attributes.get(key).map(String::as_str) == Some(value);
            spans.iter().any(has)
        };
        ensure!(says("wythe.tenant", tenant), "{spans:#?}");
    }
    Ok(())
}
