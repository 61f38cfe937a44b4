//! `kill -9` of a whole host in the midst of transfers: no money is lost and none is made.

use super::ACCOUNT;
use crate::crash::run;
use anyhow::{Result, ensure};
use futures::future::join_all;
use host_tests::{Answer, Project, client, request};
use http::Method;
use std::time::Duration;

const CYCLES: u64 = 6;
const ACCOUNTS: u64 = 8;
const EACH: u64 = 1_000;

/// Transfers around the ring, as many as go, until the host is gone. Returns how many were acknowledged.
async fn cycle(project: &Project, number: u64) -> Result<usize> {
    let mut process = run(project, &[])?;
    let client = client();
    let clients = (0..ACCOUNTS).map(|from| {
        let (url, client) = (process.url.clone(), client.clone());
        async move {
            let mut count = 0;
            for to in (from + 1).. {
                let to = to % ACCOUNTS;
                if to == from {
                    continue;
                }
                let path = format!("{url}/accounts/a{from}/transfer?to=a{to}&amount=1");
                match request(&client, Method::POST, &path, &[], "").await {
                    Ok(answer) if answer.status == 200 => count += 1,
                    // It has nothing left for the moment.
                    Ok(answer) if answer.status == 409 => {}
                    _ => break,
                }
            }
            count
        }
    });
    let kill = async {
        tokio::time::sleep(Duration::from_millis(200 + 100 * number)).await;
        process.child.kill()
    };
    let (counts, killed) = tokio::join!(join_all(clients), kill);
    killed?;
    process.child.wait()?;
    Ok(counts.into_iter().sum())
}

pub(super) async fn transfers() -> Result<()> {
    let project = Project::new(ACCOUNT);
    let running = project.start().await?;
    for number in 0..ACCOUNTS {
        super::posted(&running, &format!("a{number}/deposit?amount={EACH}")).await?;
    }
    ensure!(running.stop().await, "not everything finished");
    let mut acknowledged = 0;
    for number in 0..CYCLES {
        acknowledged += cycle(&project, number).await?;
    }
    ensure!(
        acknowledged > 50,
        "only {acknowledged} transfers prove little"
    );
    let running = project.start().await?;
    // What is still on its way arrives.
    let mut last = 0;
    for _ in 0..200 {
        last = total(&running).await?;
        if last == ACCOUNTS * EACH {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    ensure!(last == ACCOUNTS * EACH, "{last} of {}", ACCOUNTS * EACH);
    tokio::time::sleep(Duration::from_millis(500)).await;
    let last = total(&running).await?;
    ensure!(last == ACCOUNTS * EACH, "{last} of {}", ACCOUNTS * EACH);
    ensure!(running.stop().await, "not everything finished");
    Ok(())
}

async fn total(running: &host_tests::Running) -> Result<u64> {
    let mut total = 0;
    for number in 0..ACCOUNTS {
        let answer: Answer = running.get(&format!("/accounts/a{number}")).await?;
        total += answer.json()["balance"].as_u64().unwrap_or_default();
    }
    Ok(total)
}
