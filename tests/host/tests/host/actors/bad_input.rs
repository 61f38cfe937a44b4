//! The exact words for what is wrong.

use super::{ACCOUNT, in_memory, post, posted};
use crate::case;
use anyhow::{Result, ensure};
use host_tests::{MEMORY, Project};
use http::Method;
use libtest_mimic::Trial;

pub fn trials() -> Vec<Trial> {
    vec![
        case("actors::what_cannot_be_is_told", wrong),
        case("actors::actors_need_a_grant", grants),
        case("actors::a_grant_is_for_a_type", other_type),
        case("actors::a_type_is_of_one_app", twice),
        case("actors::actors_need_a_store_that_can_keep_them", store),
    ]
}

const ALPHABET: &str = "expected letters, digits, `-`, `_`, `.`, `:` and `@`";

async fn wrong() -> Result<()> {
    let running = in_memory("").start().await?;
    let long = "x".repeat(257);
    for (path, status, message) in [
        (
            "a%20b/deposit?amount=1",
            400,
            format!("the actor id `a b`; {ALPHABET}"),
        ),
        (
            "%C3%A4/deposit?amount=1",
            400,
            format!("the actor id `ä`; {ALPHABET}"),
        ),
        (
            &format!("{long}/deposit?amount=1"),
            400,
            "the actor id has 257 bytes; expected 1 to 256".into(),
        ),
        (
            "ada/transfer?to=ada&amount=1",
            400,
            "a transfer goes to another account".into(),
        ),
        (
            "ada/interest?percent=1&every=0",
            400,
            "the period of `interest` is 0; expected at least 1 ms".into(),
        ),
    ] {
        let answer = post(&running, path).await?;
        ensure!(
            (answer.status, answer.message()) == (status, message),
            "{path}: {answer:?}"
        );
    }
    // The others go on.
    ensure!(posted(&running, "ada/deposit?amount=1").await? == 1);
    Ok(())
}

async fn other_type() -> Result<()> {
    let apps = ACCOUNT.replace("actors: [account]", "actors: [other]");
    let running = Project::new(&apps).with("memory", MEMORY).start().await?;
    let answer = running
        .send(Method::POST, "/accounts/ada/deposit?amount=1", &[], "")
        .await?;
    let expected = "app `account` is not granted actor type `account`; add it to `grants: { actors: [account] }` at wythe.yaml:4";
    ensure!(
        (answer.status, answer.message().as_str()) == (403, expected),
        "{answer:?}"
    );
    Ok(())
}

async fn grants() -> Result<()> {
    let apps = ACCOUNT.replace("actors: [account], ", "");
    let problems = Project::new(&apps).with("memory", MEMORY).problems().await;
    let expected = "app `account` imports `wythe:blocks/actors@0.1.0`, which is not granted; add `grants: { actors: [\"*\"] }` at wythe.yaml:4";
    ensure!(problems == [expected], "{problems:?}");
    Ok(())
}

async fn twice() -> Result<()> {
    let other = ACCOUNT
        .replace("appID: account", "appID: branch")
        .replace("ingress: /", "ingress: /branch");
    let project = Project::new(&format!("{ACCOUNT}  {other}")).with("memory", MEMORY);
    let problems = project.problems().await;
    let expected =
        "actor type `account` is of app `account` and of app `branch`; expected one of them";
    ensure!(problems == [expected], "{problems:?}");
    Ok(())
}

async fn store() -> Result<()> {
    let more = MEMORY.replace("name: statestore", "name: first");
    let other = MEMORY
        .replace("name: statestore", "name: second")
        .replace("name: pubsub", "name: other");
    let both = format!("{more}---\n{other}");
    let problems = Project::new(ACCOUNT).with("memory", &both).problems().await;
    let expected = "app `account` has actors or workflows, and no state component keeps actors and workflows; mark one by `actorStateStore: \"true\"` in its metadata";
    ensure!(problems == [expected], "{problems:?}");
    let mark = "version: v1, metadata: [ { name: actorStateStore, value: \"true\" } ] }";
    let marked = both.replacen("version: v1 }", mark, 1);
    let running = Project::new(ACCOUNT)
        .with("memory", &marked)
        .start()
        .await?;
    ensure!(posted(&running, "ada/deposit?amount=1").await? == 1);
    Ok(())
}
