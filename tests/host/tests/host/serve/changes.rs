//! Tenants, apps, components and terms that come, change and go while the host serves.

use super::{
    both,
    root::{HELLO, MEMORY, Mode, Root, Served},
};
use crate::case;
use anyhow::{Result, ensure};
use libtest_mimic::Trial;
use std::{fs, time::Duration};

pub fn trials() -> Vec<Trial> {
    let both = [
        both("serve::a_tenant_comes_changes_and_goes", tenant),
        both("serve::an_app_comes_changes_and_goes", app),
        both("serve::a_component_comes_changes_and_goes", component),
        both("serve::a_subscription_comes_and_goes", subscription),
        both("serve::a_call_ends_on_the_version_it_began_with", in_flight),
    ];
    let shared = vec![case("serve::the_operators_file_changes", terms)];
    both.into_iter().flatten().chain(shared).collect()
}

async fn tenant(mode: Mode) -> Result<()> {
    let root = Root::of(mode);
    root.hello("shop");
    let served = root.serve(&[])?;
    ensure!(served.said("localhost", "/bank/").await? == "404");
    root.hello("bank");
    served
        .until("localhost", "/bank/", "hello, visitor 1")
        .await?;
    root.guest("bank/hello.wasm", "echo");
    let grants =
        "grants: { state: [statestore], publish: [pubsub], subscribe: [pubsub], invoke: [other] }";
    let old =
        "grants: { state: [statestore], publish: [pubsub/visits], subscribe: [pubsub/visits] }";
    root.write("bank/wythe.yaml", HELLO.replace(old, grants));
    served.until("localhost", "/bank/x", "{").await?;
    fs::remove_dir_all(root.path().join("bank"))?;
    served.until("localhost", "/bank/", "404").await?;
    ensure!(served.said("localhost", "/shop/").await? == "hello, visitor 1\n");
    ensure!(served.problems()?.is_empty());
    Ok(())
}

async fn app(mode: Mode) -> Result<()> {
    let root = Root::of(mode);
    root.hello("shop");
    let first = HELLO.replace("ingress: /", "ingress: /hello");
    root.write("shop/wythe.yaml", &first);
    let served = root.serve(&[])?;
    ensure!(served.said("localhost", "/shop/hello").await? == "hello, visitor 1\n");
    let second = HELLO
        .replace("version: 1\napps:\n", "")
        .replace("appID: hello", "appID: other")
        .replace("ingress: /", "ingress: /other");
    root.write("shop/wythe.yaml", format!("{first}{second}"));
    // The store was not touched, and keeps each app's keys apart.
    served
        .until("localhost", "/shop/other", "hello, visitor 1\n")
        .await?;
    ensure!(served.said("localhost", "/shop/hello").await? == "hello, visitor 2\n");
    let moved = second.replace("/other", "/moved");
    root.write("shop/wythe.yaml", format!("{first}{moved}"));
    served
        .until("localhost", "/shop/moved", "hello, visitor 2\n")
        .await?;
    ensure!(served.said("localhost", "/shop/other").await? == "404");
    root.write("shop/wythe.yaml", &first);
    served.until("localhost", "/shop/moved", "404").await?;
    ensure!(served.said("localhost", "/shop/hello").await? == "hello, visitor 3\n");
    let status = served.json("status")?;
    let apps = status["apps"].as_array().map(Vec::len);
    ensure!(apps == Some(1), "{status}");
    Ok(())
}

async fn component(mode: Mode) -> Result<()> {
    let root = Root::of(mode);
    root.hello("shop");
    let served = root.serve(&[])?;
    ensure!(served.said("localhost", "/shop/").await? == "hello, visitor 1\n");
    // Written again as it was: nothing is opened anew.
    root.write("shop/resources/memory.yaml", format!("# a word\n{MEMORY}"));
    let flags = "\
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: flags }
spec: { type: configuration.memory, version: v1 }
";
    root.write("shop/resources/flags.yaml", flags);
    let mut names = Vec::new();
    for _ in 0..300 {
        names = components(&served.json("status")?);
        if names.len() == 3 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    ensure!(names == ["flags", "pubsub", "statestore"], "{names:?}");
    ensure!(served.said("localhost", "/shop/").await? == "hello, visitor 2\n");
    // A store of other settings is another one, which has forgotten.
    let prefix = "spec: { type: state.memory, version: v1, metadata: [{ name: maxValueBytes, value: \"1000\" }] }";
    let changed = MEMORY.replace("spec: { type: state.memory, version: v1 }", prefix);
    root.write("shop/resources/memory.yaml", changed);
    served
        .until("localhost", "/shop/", "hello, visitor 1")
        .await?;
    fs::remove_file(root.path().join("shop/resources/flags.yaml"))?;
    for _ in 0..300 {
        names = components(&served.json("status")?);
        if names.len() == 2 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    ensure!(names == ["pubsub", "statestore"], "{names:?}");
    Ok(())
}

async fn subscription(mode: Mode) -> Result<()> {
    let root = Root::of(mode);
    root.hello("shop");
    root.write(
        "shop/wythe.yaml",
        HELLO.replace("pubsub/visits] }", "pubsub] }"),
    );
    let served = root.serve(&[])?;
    ensure!(served.said("localhost", "/shop/").await? == "hello, visitor 1\n");
    let declared = "\
apiVersion: dapr.io/v2alpha1
kind: Subscription
metadata: { name: more }
spec: { pubsubname: pubsub, topic: more, routes: { default: /more } }
";
    root.write("shop/resources/more.yaml", declared);
    topics_until(&served, &["more", "visits"]).await?;
    // The event reaches the app, which logs it.
    let published = served.command("publish pubsub more 7 --tenant shop")?;
    ensure!(published.status.success(), "{published:?}");
    let mut lines = String::new();
    for _ in 0..300 {
        let logs = served.command("logs --tenant shop")?;
        lines = String::from_utf8_lossy(&logs.stdout).into_owned();
        if lines.contains("visitor 7") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    ensure!(lines.contains("visitor 7"), "{lines}");
    fs::remove_file(root.path().join("shop/resources/more.yaml"))?;
    topics_until(&served, &["visits"]).await?;
    ensure!(served.said("localhost", "/shop/").await? == "hello, visitor 2\n");
    Ok(())
}

async fn topics_until(served: &Served, expected: &[&str]) -> Result<()> {
    let mut status = serde_json::Value::Null;
    for _ in 0..300 {
        status = served.json("status")?;
        let all = status["subscriptions"].as_array().into_iter().flatten();
        let topics: Vec<_> = all.filter_map(|one| one["topic"].as_str()).collect();
        if topics == expected {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    anyhow::bail!("the topics were never {expected:?}: {status}")
}

fn components(status: &serde_json::Value) -> Vec<String> {
    let all = status["components"].as_array().into_iter().flatten();
    let names = all.filter_map(|one| one["component"].as_str());
    names.map(str::to_owned).collect()
}

async fn terms() -> Result<()> {
    let root = Root::new();
    root.hello("shop");
    let served = root.serve(&[])?;
    ensure!(served.said("localhost", "/shop/").await? == "hello, visitor 1\n");
    let named = "apiVersion: wythe/v1\nkind: Tenant\nmetadata: { name: shop }\nspec: { hosts: [shop.example] }\n";
    root.write("wythe-host.yaml", named);
    served
        .until("shop.example", "/", "hello, visitor 2\n")
        .await?;
    ensure!(served.said("localhost", "/shop/").await? == "404");
    // What it has now is more than it may have from now on: it is stopped, and that is told.
    let less = named.replace(
        "hosts: [shop.example]",
        "hosts: [new.example], quotas: { apps: 0 }",
    );
    root.write("wythe-host.yaml", less);
    let problems = served.problems_until(2).await?;
    let expected = "shop: shop/wythe.yaml:3:5: apps: 1 apps are over the operator's quota of 0: wythe-host.yaml:4";
    ensure!(problems[0] == expected, "{problems:?}");
    let stopped = "shop: : stopped: its operator's terms changed";
    ensure!(problems[1].starts_with(stopped), "{problems:?}");
    ensure!(served.said("shop.example", "/").await? == "404");
    fs::remove_file(root.path().join("wythe-host.yaml"))?;
    served
        .until("localhost", "/shop/", "hello, visitor 3\n")
        .await?;
    ensure!(served.problems_until(0).await?.is_empty());
    Ok(())
}

async fn in_flight(mode: Mode) -> Result<()> {
    let apps = "\
version: 1
apps:
  - appID: one
    guest: one.wasm
    ingress: /
    grants: { state: [statestore], publish: [pubsub], subscribe: [pubsub], invoke: [one], http: [] }
";
    let root = Root::of(mode);
    root.guest("shop/one.wasm", "hostile");
    root.write("shop/resources/memory.yaml", MEMORY);
    root.write("shop/wythe.yaml", apps);
    let served = root.serve(&[])?;
    let slow = async {
        let answer = served.get("localhost", "/shop/sleep?ms=8000").await?;
        anyhow::Ok(answer)
    };
    let change = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        root.guest("shop/one.wasm", "echo");
        // The manifest, too: it is another app by now.
        root.write(
            "shop/wythe.yaml",
            apps.replace("invoke: [one]", "invoke: [other]"),
        );
        served.until("localhost", "/shop/sleep?ms=1", "{").await
    };
    let (slow, changed) = tokio::join!(slow, change);
    changed?;
    let slow = slow?;
    ensure!(
        slow.status == 200 && !slow.text().starts_with('{'),
        "{slow:?}"
    );
    Ok(())
}
