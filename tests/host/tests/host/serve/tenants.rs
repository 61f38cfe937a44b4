//! Tenants by host name and by path, apart from each other, and what is asked of a host that has them.

use super::{
    both,
    root::{HELLO, MEMORY, Mode, Root, Served},
};
use anyhow::{Context, Result, ensure};
use libtest_mimic::Trial;
use serde_json::json;
use std::time::Duration;

pub fn trials() -> Vec<Trial> {
    let both = [
        both("serve::tenants_answer_by_host_name_and_by_path", reached),
        both("serve::a_tenant_is_asked_by_the_commands", commands),
        both("serve::what_is_absent_looks_like_what_is_denied", denied),
        both(
            "serve::a_tenant_that_is_gone_leaves_data_until_it_is_purged",
            purge,
        ),
    ];
    both.into_iter().flatten().collect()
}

const HOSTS: &str = "\
apiVersion: wythe/v1
kind: Tenant
metadata: { name: bank }
spec: { hosts: [bank.example] }
";

async fn reached(mode: Mode) -> Result<()> {
    let root = Root::of(mode);
    root.hello("shop");
    root.hello("bank");
    root.operator(HOSTS);
    let served = root.serve(&[])?;
    // Each has a store of its own, and an app that does not know by what it was reached.
    for visitor in 1..3 {
        let expected = format!("hello, visitor {visitor}\n");
        ensure!(served.said("localhost", "/shop/").await? == expected);
        ensure!(served.said("BANK.example:8080", "/any").await? == expected);
    }
    for (host, path) in [
        ("localhost", "/"),
        ("localhost", "/bank/"),
        ("localhost", "/none/"),
    ] {
        let answer = served.get(host, path).await?;
        ensure!(answer.status == 404, "{host}{path}: {answer:?}");
    }
    // A name of one tenant in the path of another is a path like any.
    ensure!(served.said("bank.example", "/shop/").await? == "hello, visitor 3\n");
    ensure!(served.problems()?.is_empty());
    Ok(())
}

async fn commands(mode: Mode) -> Result<()> {
    let root = Root::of(mode);
    root.hello("shop");
    root.hello("bank");
    let served = root.serve(&[])?;
    ensure!(served.said("localhost", "/shop/").await? == "hello, visitor 1\n");
    let status = served.json("status --tenant shop")?;
    ensure!(status["apps"][0]["app"] == "hello" && status["apps"][0]["calls_limit"] == 64);
    ensure!(
        status["components"]
            .as_array()
            .is_some_and(|all| all.len() == 2),
        "{status}"
    );
    let subscription =
        json!([{ "tenant": "shop", "app": "hello", "component": "pubsub", "topic": "visits" }]);
    ensure!(status["subscriptions"] == subscription, "{status}");
    let tenants = served.json("tenants")?;
    ensure!(
        tenants[0]["tenant"] == "bank" && tenants[1]["reached"] == json!(["path"]),
        "{tenants}"
    );
    let value = served.command("state get statestore visits --tenant shop")?;
    ensure!(value.stdout == b"1", "{value:?}");
    let unsaid = served.command("logs")?;
    let reported = String::from_utf8_lossy(&unsaid.stderr);
    ensure!(
        reported.contains("say which tenant is meant by `--tenant`, one of: bank, shop"),
        "{reported}"
    );
    logs(&served).await?;
    ensure!(served.json("ps")?.is_array());
    ensure!(served.command("stop")?.status.success());
    ensure!(served.ended()? == Some(0));
    Ok(())
}

/// Lines of one tenant's app, and none of another's.
async fn logs(served: &Served) -> Result<()> {
    // The event of the visit is heard a moment later.
    let mut lines = String::new();
    for _ in 0..100 {
        let logs = served.command("logs hello --since 1h --tenant shop")?;
        lines = String::from_utf8_lossy(&logs.stdout).into_owned();
        if lines.contains("hello | INFO  visitor 1") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    ensure!(lines.contains("hello | INFO  visitor 1"), "{lines}");
    let none = served.command("logs hello --tenant bank")?;
    ensure!(none.stdout.is_empty(), "{none:?}");
    Ok(())
}

/// Two tenants with an app of the same name, which asks for what it is granted and for what it is not.
const TWO_APPS: &str = "\
version: 1
apps:
  - appID: hostile
    guest: hostile.wasm
    ingress: /
    grants: { state: [statestore], publish: [pubsub], invoke: [other], http: [] }
  - appID: secret
    guest: hostile.wasm
    grants: { state: [vault], publish: [pubsub], invoke: [other], http: [] }
";

const VAULT: &str = "\
---
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: vault }
spec: { type: state.memory, version: v1 }
";

async fn denied(mode: Mode) -> Result<()> {
    let root = Root::of(mode);
    root.guest("shop/hostile.wasm", "hostile");
    root.write("shop/resources/memory.yaml", format!("{MEMORY}{VAULT}"));
    root.write("shop/wythe.yaml", TWO_APPS);
    let served = root.serve(&[])?;
    let same = |text: String, name: &str| text.replace(name, "NAME");
    for (there, absent, path) in [
        ("vault", "zilch", "/shop/get?component=NAME&key=a"),
        ("secret", "nobody", "/shop/invoke?app=NAME&path=/"),
    ] {
        let denied = served
            .get("localhost", &path.replace("NAME", there))
            .await?;
        let missing = served
            .get("localhost", &path.replace("NAME", absent))
            .await?;
        ensure!(denied.status == missing.status, "{denied:?} {missing:?}");
        let (one, other) = (same(denied.text(), there), same(missing.text(), absent));
        ensure!(one == other, "{one} {other}");
    }
    // From outside: a tenant that is not there, and one whose app answers nothing at that path.
    let answer = served.get("localhost", "/nobody/").await?;
    let body = answer.json();
    ensure!(
        answer.status == 404 && body["message"] == "nothing answers here",
        "{body}"
    );
    ensure!(body["trace"].as_str().context("no trace")?.len() == 32);
    drop(served);
    let served = root.serve(&["--dev"])?;
    let body = served.get("localhost", "/nobody/").await?.json();
    ensure!(
        body["message"] == "no app answers /nobody/; see `ingress` in the manifest",
        "{body}"
    );
    Ok(())
}

async fn purge(mode: Mode) -> Result<()> {
    let root = Root::of(mode);
    root.guest("shop/hello.wasm", "hello");
    root.write("shop/wythe.yaml", HELLO);
    let served = root.serve(&[])?;
    ensure!(served.said("localhost", "/shop/").await? == "hello, visitor 1\n");
    let early = served.command("tenants purge shop")?;
    let reported = String::from_utf8_lossy(&early.stderr);
    ensure!(
        reported.contains("tenant `shop` is served, or its directory is there; remove that first"),
        "{reported}"
    );
    let away = root.path().join(".shop");
    std::fs::rename(root.path().join("shop"), &away)?;
    served.until("localhost", "/shop/", "404").await?;
    left(&served).await?;
    // Its data stayed.
    std::fs::rename(&away, root.path().join("shop"))?;
    served
        .until("localhost", "/shop/", "hello, visitor 2")
        .await?;
    std::fs::rename(root.path().join("shop"), &away)?;
    served.until("localhost", "/shop/", "404").await?;
    left(&served).await?;
    // A process of its own may end a moment after it is not served any more.
    let mut purged = served.command("tenants purge shop")?;
    for _ in 0..300 {
        if mode == Mode::Shared || purged.status.success() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        purged = served.command("tenants purge shop")?;
    }
    ensure!(purged.status.success(), "{purged:?}");
    ensure!(served.json("tenants")? == json!([]));
    std::fs::rename(&away, root.path().join("shop"))?;
    served
        .until("localhost", "/shop/", "hello, visitor 1")
        .await
}

/// Waits until the tenant has data alone: it ends a moment after it has nothing to answer any more.
async fn left(served: &Served) -> Result<()> {
    let mut tenants = json!([]);
    for _ in 0..300 {
        tenants = served.json("tenants")?;
        if tenants[0]["served"] == false {
            ensure!(tenants[0]["tenant"] == "shop", "{tenants}");
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    anyhow::bail!("{tenants}")
}
