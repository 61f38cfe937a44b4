//! Two hosts, each a process with data of its own, over one store, either of which is killed now and then.

use super::{Ground, Standing, over};
use crate::{
    crash::Process,
    shop::{
        buyer::{Buyer, CARD},
        shop_of,
    },
};
use anyhow::{Context, Result, ensure};
use futures::future::join_all;
use host_tests::{Project, client, request};
use http::Method;
use libtest_mimic::Trial;
use parking_lot::Mutex;
use serde_json::Value;
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

const BANK: &str = "\
  - appID: account
    guest: account.wasm
    ingress: /
    grants: { actors: [account], publish: [pubsub/transfers], subscribe: [pubsub/transfers] }
";
const REMINDER: &str = "\
  - appID: reminder
    guest: reminder.wasm
    ingress: /
    grants: { state: [statestore], jobs: [remind-*] }
";
const ACCOUNTS: u64 = 6;
const EACH: u64 = 500;
const KILLS: usize = 6;

pub(super) fn trials(ground: Ground) -> Vec<Trial> {
    let name = |what: &str| format!("backends::{what}_on_{}", ground.name);
    let mut trials = vec![
        over(&name("two_hosts_lose_and_make_no_money"), ground, bank),
        over(
            &name("a_purchase_goes_on_at_the_other_host"),
            ground,
            purchase,
        ),
    ];
    if ground.has_jobs {
        trials.push(over(&name("two_hosts_run_each_job"), ground, jobs));
    }
    trials
}

/// Two hosts of one project, and where they are now.
struct Hosts {
    standing: Standing,
    project: Project,
    processes: [Mutex<Option<Process>>; 2],
    urls: [Mutex<String>; 2],
}

impl Hosts {
    fn start(standing: Standing, project: Project) -> Result<Arc<Self>> {
        let hosts = Hosts {
            standing,
            project,
            processes: Default::default(),
            urls: Default::default(),
        };
        for number in 0..2 {
            hosts.begin(number)?;
        }
        Ok(Arc::new(hosts))
    }

    fn begin(&self, number: usize) -> Result<()> {
        let process = self
            .standing
            .host(&self.project, &format!("data{number}"))?;
        *self.urls[number].lock() = process.url.clone();
        *self.processes[number].lock() = Some(process);
        Ok(())
    }

    fn url(&self, number: usize) -> String {
        self.urls[number].lock().clone()
    }

    fn kill(&self, number: usize) -> Result<()> {
        if let Some(mut process) = self.processes[number].lock().take() {
            process.child.kill()?;
            process.child.wait()?;
        }
        Ok(())
    }

    /// Kills one after the other, and starts each again.
    async fn disturb(self: Arc<Self>, is_over: Arc<AtomicBool>) -> Result<()> {
        for number in 0..KILLS {
            tokio::time::sleep(Duration::from_millis(700 + 150 * number as u64)).await;
            self.kill(number % 2)?;
            tokio::time::sleep(Duration::from_millis(300)).await;
            let this = self.clone();
            tokio::task::spawn_blocking(move || this.begin(number % 2)).await??;
        }
        is_over.store(true, SeqCst);
        Ok(())
    }
}

impl Drop for Hosts {
    fn drop(&mut self) {
        for number in 0..2 {
            // The test has its result already.
            let _ = self.kill(number);
        }
    }
}

async fn bank(standing: Standing) -> Result<()> {
    let hosts = Hosts::start(standing, Project::new(BANK))?;
    for number in 0..ACCOUNTS {
        let path = format!("/accounts/a{number}/deposit?amount={EACH}");
        posted(&hosts.url(0), &path)
            .await?
            .context("a first deposit")?;
    }
    let (is_over, acknowledged) = (Arc::new(AtomicBool::new(false)), AtomicU64::new(0));
    let disturbing = tokio::spawn(hosts.clone().disturb(is_over.clone()));
    let buyers = (0..ACCOUNTS).map(|from| {
        let (hosts, is_over, acknowledged) = (&hosts, &is_over, &acknowledged);
        async move {
            for turn in 0_u64.. {
                if is_over.load(SeqCst) {
                    return;
                }
                let to = (from + 1 + turn % (ACCOUNTS - 1)) % ACCOUNTS;
                let path = format!("/accounts/a{from}/transfer?to=a{to}&amount=1");
                let url = hosts.url((turn % 2) as usize);
                // One whose host is killed may have come to pass or not; the sum is the same.
                if let Ok(Some(_)) = posted(&url, &path).await {
                    acknowledged.fetch_add(1, SeqCst);
                }
            }
        }
    });
    join_all(buyers).await;
    disturbing.await??;
    let count = acknowledged.load(SeqCst);
    ensure!(count > 50, "only {count} transfers prove little");
    sum(&hosts, count).await
}

/// Waits until both hosts tell of all the money, and no more.
async fn sum(hosts: &Hosts, count: u64) -> Result<()> {
    let (mut sums, expected) = ([0; 2], ACCOUNTS * EACH);
    for _ in 0..600 {
        for (number, sum) in sums.iter_mut().enumerate() {
            *sum = total(&hosts.url(number)).await?;
        }
        if sums == [expected; 2] {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    ensure!(
        sums == [expected; 2],
        "{sums:?} of {expected} after {count} transfers"
    );
    tokio::time::sleep(Duration::from_secs(1)).await;
    let last = total(&hosts.url(1)).await?;
    ensure!(last == expected, "{last} of {expected}");
    Ok(())
}

/// The answer of a host, where it was a good one.
async fn posted(url: &str, path: &str) -> Result<Option<Value>> {
    let answer = request(&client(), Method::POST, &format!("{url}{path}"), &[], "").await?;
    Ok((answer.status < 300).then(|| answer.json()))
}

async fn total(url: &str) -> Result<u64> {
    let mut total = 0;
    for number in 0..ACCOUNTS {
        let path = format!("{url}/accounts/a{number}");
        total += balance(&path).await?;
    }
    Ok(total)
}

/// The balance of an account. A turn whose actor the other host takes over in the midst of it is a conflict, to be asked again: a
/// transfer that is still under way there may be the cause.
async fn balance(path: &str) -> Result<u64> {
    for _ in 0..100 {
        let answer = request(&client(), Method::GET, path, &[], "").await?;
        if answer.status != 409 {
            ensure!(answer.status == 200, "{answer:?}");
            return Ok(answer.json()["balance"].as_u64().unwrap_or_default());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    anyhow::bail!("the hosts take {path} from each other")
}

/// A purchase begins at one host, which is killed in the midst of it; the other one brings it to its end.
async fn purchase(standing: Standing) -> Result<()> {
    let hosts = Hosts::start(standing, shop_of("env: { PACE: '1500' }")?)?;
    let buyer = Buyer::at(&hosts.url(0)).await?;
    buyer.put("trowel", 2).await?;
    let sending = tokio::spawn({
        let buyer = buyer.clone();
        async move { buyer.buy("one", "Lane+1", CARD).await }
    });
    let other = Buyer {
        url: hosts.url(1),
        ..buyer.clone()
    };
    until(&other, |page| page.contains("taken from the shelf")).await?;
    hosts.kill(0)?;
    ensure!(sending.await?.is_err(), "an answer of a host that is gone");
    until(&other, |page| page.contains("Thank you for your order")).await?;
    for _ in 0..600 {
        let outbox = other.get("/outbox").await?.text();
        if outbox.contains("\"sent\":true") {
            ensure!(outbox.matches("\"order\":\"one\"").count() == 1, "{outbox}");
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    anyhow::bail!("no letter")
}

/// Waits until the order's page is as wanted.
async fn until(buyer: &Buyer, wanted: impl Fn(&str) -> bool) -> Result<()> {
    let mut page = String::new();
    for _ in 0..2_400 {
        page = buyer.get("/orders/one").await?.text();
        if wanted(&page) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    anyhow::bail!("{page}")
}

/// Jobs that repeat, while hosts come and go: each of their occurrences runs, and none on both hosts at a time.
async fn jobs(standing: Standing) -> Result<()> {
    const TIMES: usize = 12;
    let hosts = Hosts::start(standing, Project::new(REMINDER))?;
    for number in 0..4 {
        let path = format!("/remind?every=500ms&times={TIMES}&name=remind-{number}&text=tea");
        posted(&hosts.url(0), &path).await?.context("a reminder")?;
    }
    hosts.clone().disturb(Arc::default()).await?;
    let mut found = BTreeMap::new();
    for _ in 0..900 {
        let url = format!("{}/reminders", hosts.url(1));
        let answer = request(&client(), Method::GET, &url, &[], "").await?;
        found = BTreeMap::new();
        for reminded in answer.json().as_array().context("a list")? {
            let name = reminded["name"].as_str().context("a name")?.to_owned();
            *found.entry(name).or_insert(0) += 1;
        }
        if found.len() == 4 && found.values().all(|count| *count == TIMES) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    anyhow::bail!("{found:?}, expected {TIMES} of each")
}
