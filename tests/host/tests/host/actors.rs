//! Actors in a whole host: accounts whose turns are kept or not at all, over restarts and kills too.

mod bad_input;
mod command;
mod kills;

use crate::case;
use anyhow::{Result, ensure};
use host_tests::{Answer, MEMORY, Project, Running};
use http::Method;
use libtest_mimic::Trial;
use serde_json::{Value, json};

const ACCOUNT: &str = "\
  - appID: account
    guest: account.wasm
    ingress: /
    grants: { actors: [account], publish: [pubsub/transfers], subscribe: [pubsub/transfers] }
";

pub fn trials() -> Vec<Trial> {
    let mut trials = vec![
        case("actors::an_account_keeps_what_it_is_told", stored),
        case("actors::a_transfer_arrives_once", transfer),
        case("actors::a_failed_turn_changes_nothing", failed),
        case("actors::interest_comes_by_a_reminder", interest),
        case(
            "actors::calls_that_would_wait_for_themselves_are_refused",
            waits,
        ),
        case("actors::a_reentrant_account_is_called_back", reentrant),
        case("actors::a_warm_account_keeps_its_instance", warm),
        case("actors::many_warm_accounts_share_what_there_is", many_warm),
        case("actors::many_accounts_call_each_other_at_once", crowd),
        case("actors::a_restart_keeps_accounts_and_reminders", restart),
        case("actors::transfers_survive_kill_9", kills::transfers),
    ];
    trials.extend(bad_input::trials());
    trials.extend(command::trials());
    trials
}

fn in_memory(env: &str) -> Project {
    let apps = match env {
        "" => ACCOUNT.to_owned(),
        env => format!("{ACCOUNT}    env: {{ ACCOUNTS: {env} }}\n"),
    };
    Project::new(&apps).with("memory", MEMORY)
}

async fn post(running: &Running, path: &str) -> Result<Answer> {
    let path = format!("/accounts/{path}");
    running.send(Method::POST, &path, &[], "").await
}

async fn posted(running: &Running, path: &str) -> Result<Value> {
    let answer = post(running, path).await?;
    ensure!(answer.status == 200, "{path}: {answer:?}");
    Ok(answer.json())
}

async fn balance(running: &Running, id: &str) -> Result<Value> {
    let answer = running.get(&format!("/accounts/{id}")).await?;
    ensure!(answer.status == 200, "{answer:?}");
    Ok(answer.json()["balance"].clone())
}

async fn eventually(running: &Running, id: &str, expected: u64) -> Result<()> {
    let has = |answer: &Answer| answer.json()["balance"] == expected;
    running.eventually(&format!("/accounts/{id}"), has).await?;
    Ok(())
}

async fn stored() -> Result<()> {
    let running = in_memory("").start().await?;
    ensure!(balance(&running, "ada").await? == 0);
    ensure!(posted(&running, "ada/deposit?amount=100").await? == 100);
    ensure!(posted(&running, "ada/withdraw?amount=30").await? == 70);
    ensure!(balance(&running, "ada").await? == 70);
    ensure!(balance(&running, "bob").await? == 0);
    ensure!(running.stop().await, "not everything finished");
    Ok(())
}

async fn transfer() -> Result<()> {
    let running = in_memory("").start().await?;
    posted(&running, "ada/deposit?amount=100").await?;
    for rest in [90, 80, 70] {
        let answer = posted(&running, "ada/transfer?to=bob&amount=10").await?;
        ensure!(answer == rest, "{answer}");
    }
    eventually(&running, "bob", 30).await?;
    ensure!(running.stop().await, "not everything finished");
    Ok(())
}

async fn failed() -> Result<()> {
    let running = in_memory("").start().await?;
    posted(&running, "ada/deposit?amount=100").await?;
    let answer = post(&running, "ada/rob").await?;
    ensure!((answer.status, answer.message().as_str()) == (403, "the vault is closed"));
    let answer = post(&running, "ada/transfer?to=bob&amount=101").await?;
    ensure!((answer.status, answer.message().as_str()) == (409, "account `ada` has 100, not 101"));
    ensure!(balance(&running, "ada").await? == 100);
    ensure!(balance(&running, "bob").await? == 0);
    Ok(())
}

async fn interest() -> Result<()> {
    let running = in_memory("").start().await?;
    posted(&running, "ada/deposit?amount=1000").await?;
    posted(&running, "ada/interest?percent=1&every=50").await?;
    let has = |answer: &Answer| answer.json()["interest"].as_u64() >= Some(3);
    let answer = running.eventually("/accounts/ada", has).await?.json();
    let times = answer["interest"].as_u64().unwrap_or_default();
    let expected = (0..times).fold(1000, |balance, _| balance + balance / 100);
    ensure!(answer["balance"] == expected, "{answer}");
    ensure!(running.stop().await, "not everything finished");
    Ok(())
}

async fn waits() -> Result<()> {
    let running = in_memory("").start().await?;
    for (id, partner) in [("ada", "bob"), ("bob", "cy"), ("cy", "ada"), ("me", "me")] {
        posted(&running, &format!("{id}/partner?id={partner}")).await?;
    }
    let answer = running.get("/accounts/ada/wealth").await?;
    let expected = "the call to actor `account/ada` would wait for itself: account/ada -> account/bob -> account/cy -> account/ada";
    ensure!(
        (answer.status, answer.message().as_str()) == (409, expected),
        "{answer:?}"
    );
    let answer = running.get("/accounts/me/wealth").await?;
    let expected = "the call to actor `account/me` would wait for itself: account/me -> account/me";
    ensure!(
        (answer.status, answer.message().as_str()) == (409, expected),
        "{answer:?}"
    );
    posted(&running, "cy/partner?id=dan").await?;
    posted(&running, "dan/deposit?amount=5").await?;
    ensure!(running.get("/accounts/ada/wealth").await?.json() == 5);
    Ok(())
}

async fn reentrant() -> Result<()> {
    for env in ["reentrant", "warm reentrant"] {
        let running = in_memory(env).start().await?;
        posted(&running, "bank/deposit?amount=1000").await?;
        posted(&running, "ada/deposit?amount=1").await?;
        // What the lender saw is what this turn had staged.
        let seen = posted(&running, "ada/borrow?from=bank&amount=9").await?;
        ensure!(seen == 10, "{seen}");
        ensure!(balance(&running, "ada").await? == 10);
        let answer = post(&running, "ada/borrow?from=bank&amount=5000").await?;
        let expected = (403, "`bank` lends nothing to the rich".to_owned());
        ensure!((answer.status, answer.message()) == expected, "{answer:?}");
        ensure!(balance(&running, "ada").await? == 10);
    }
    let running = in_memory("").start().await?;
    let answer = post(&running, "ada/borrow?from=bank&amount=9").await?;
    ensure!(answer.status == 409, "{answer:?}");
    Ok(())
}

async fn turns(running: &Running, id: &str) -> Result<Value> {
    let answer = running.get(&format!("/accounts/{id}")).await?.json();
    Ok(answer["turns_of_this_instance"].clone())
}

async fn warm() -> Result<()> {
    let running = in_memory("warm").start().await?;
    for expected in 1..=3 {
        ensure!(turns(&running, "ada").await? == expected);
    }
    ensure!(turns(&running, "bob").await? == 1, "each has its own");
    // What a failed turn left in the instance is gone with it.
    ensure!(post(&running, "ada/rob").await?.status == 403);
    ensure!(turns(&running, "ada").await? == 1);
    let fresh = in_memory("").start().await?;
    for _ in 0..3 {
        ensure!(turns(&fresh, "ada").await? == 1);
    }
    Ok(())
}

/// More actors than may keep an instance: those that were not used for longest give way.
async fn many_warm() -> Result<()> {
    let running = in_memory("warm").start().await?;
    for number in 0..300 {
        ensure!(turns(&running, &format!("a{number}")).await? == 1);
    }
    ensure!(turns(&running, "a299").await? == 2);
    ensure!(turns(&running, "a0").await? == 1, "it gave way");
    Ok(())
}

/// Turns that wait for turns of the same app do not wait for a place, too, where there are few places for calls.
async fn crowd() -> Result<()> {
    let apps = format!("{ACCOUNT}    limits: {{ concurrency: 4 }}\n");
    let running = Project::new(&apps).with("memory", MEMORY).start().await?;
    for number in 0..12 {
        let next = number + 12;
        posted(&running, &format!("a{number}/partner?id=a{next}")).await?;
        posted(&running, &format!("a{next}/deposit?amount=7")).await?;
    }
    let asked = (0..12).map(|number| {
        let running = &running;
        async move { running.get(&format!("/accounts/a{number}/wealth")).await }
    });
    for answer in futures::future::join_all(asked).await {
        let answer = answer?;
        ensure!(answer.json() == 7, "{answer:?}");
    }
    Ok(())
}

async fn restart() -> Result<()> {
    let project = Project::new(ACCOUNT);
    let running = project.start().await?;
    posted(&running, "ada/deposit?amount=1000").await?;
    posted(&running, "ada/interest?percent=10&every=300").await?;
    ensure!(running.stop().await, "not everything finished");
    let running = project.start().await?;
    // Nobody calls it: the reminder wakes it.
    let before = running.booted.tenant.actors.active(&operator()?, None);
    ensure!(before.is_empty(), "{before:?}");
    let begin = std::time::Instant::now();
    while running
        .booted
        .tenant
        .actors
        .active(&operator()?, None)
        .is_empty()
    {
        ensure!(begin.elapsed().as_secs() < 60, "it was not woken");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let has = |answer: &Answer| answer.json()["interest"].as_u64() >= Some(1);
    let answer = running.eventually("/accounts/ada", has).await?.json();
    ensure!(answer["balance"].as_u64() >= Some(1100), "{answer}");
    ensure!(answer["id"] == json!("ada"));
    ensure!(running.stop().await, "not everything finished");
    Ok(())
}

fn operator() -> Result<wythe_blocks::Call> {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    let (tenant, app) = ("default".parse()?, "operator".parse()?);
    Ok(wythe_blocks::Call::operator(tenant, app, deadline))
}
