//! `kill -9` of the shop's host in the midst of each part of a purchase: every part comes to pass, once.

use super::{
    buyer::{Buyer, CARD},
    shop_of,
};
use crate::{
    case,
    crash::{Process, command, run},
};
use anyhow::{Context, Result, ensure};
use host_tests::Project;
use libtest_mimic::Trial;
use serde_json::Value;
use std::{
    fs,
    time::{Duration, Instant},
};

/// The time that each part of a purchase takes until the kill.
const PACE: &str = "env: { PACE: '1500' }";

/// Each part of a purchase, and what the order's page says when it is done and the host does not know yet.
const PARTS: [(&str, &str); 5] = [
    ("reserve", "taken from the shelf"),
    ("charge", "card is charged"),
    ("ship", "handed to the carrier"),
    ("keep", "Thank you for your order"),
    ("publish", "Thank you for your order"),
];
const UNDOING: [(&str, &str); 4] = [
    ("reserve", "taken from the shelf"),
    ("charge", "card is charged"),
    ("refund", "paid back"),
    ("release", "put back on the shelf"),
];

pub fn trials() -> Vec<Trial> {
    vec![
        case("shop::a_purchase_survives_kill_9_in_each_part", shipped),
        case("shop::an_undoing_survives_kill_9_in_each_part", undone),
    ]
}

/// A project that is durable, and slow until the host was killed.
struct Shop(Project);

impl Shop {
    fn new() -> Result<Self> {
        Ok(Shop(shop_of(PACE)?))
    }

    fn pace(&self, from: &str, to: &str) -> Result<()> {
        let path = self.0.path().join("wythe.yaml");
        let text = fs::read_to_string(&path)?;
        ensure!(text.contains(from), "{text}");
        fs::write(path, text.replace(from, to))?;
        Ok(())
    }

    /// Buys one, kills the host when that part is done and nobody knows of it yet, and starts it again; what the
    /// order's page says in the end.
    async fn killed(&self, part: (&'static str, &str), address: &str) -> Result<String> {
        let (id, reported) = part;
        let mut process = run(&self.0, &[])?;
        let mut buyer = Buyer::at(&process.url).await?;
        buyer.put("level", 1).await?;
        let sending = tokio::spawn({
            let (buyer, address) = (buyer.clone(), address.to_owned());
            async move { buyer.buy(id, &address, CARD).await }
        });
        until(&buyer, id, |page| page.contains(reported)).await?;
        while self.step(id)? != id {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
        ensure!(self.step(id)? == id, "killed too late");
        end(&mut process)?;
        ensure!(
            sending.await?.is_err(),
            "an answer from a host that is gone"
        );
        self.pace(PACE, "env: { PACE: '0' }")?;
        let mut process = run(&self.0, &[])?;
        buyer.url = process.url.clone();
        let page = until(&buyer, id, |page| !page.contains("A moment, please")).await?;
        if page.contains("Thank you") {
            let letter = format!("\"order\":\"{id}\"");
            let sent = buyer.clone();
            let one =
                async || anyhow::Ok(sent.get("/outbox").await?.text().matches(&letter).count());
            let begin = Instant::now();
            while one().await? != 1 {
                ensure!(begin.elapsed().as_secs() < 60, "no letter for {id}");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        end(&mut process)?;
        self.pace("env: { PACE: '0' }", PACE)?;
        Ok(page)
    }

    /// The part that is under way.
    fn step(&self, id: &str) -> Result<String> {
        let output = command()
            .args(["workflow", "get", id, "-o", "json"])
            .current_dir(self.0.path())
            .output()?;
        let found: Value =
            serde_json::from_slice(&output.stdout).with_context(|| format!("{output:?}"))?;
        let step = found["custom_status"].as_str();
        ensure!(step != Some("done"), "{found}");
        Ok(step.unwrap_or_default().to_owned())
    }

    /// Reads what an app keeps under a key, if anything.
    fn stored(&self, app: &str, key: &str) -> Result<Option<String>> {
        let output = command()
            .args(["state", "get", "statestore", key, "--app", app])
            .current_dir(self.0.path())
            .output()?;
        Ok(output
            .status
            .success()
            .then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned()))
    }

    fn charge(&self, id: &str) -> Result<Value> {
        let stored = self.stored("payment", &format!("charge/{id}"))?;
        Ok(serde_json::from_str(&stored.context("no charge")?)?)
    }
}

fn end(process: &mut Process) -> Result<()> {
    process.child.kill()?;
    process.child.wait()?;
    Ok(())
}

/// The text of the order's page, once it is as wanted.
async fn until(buyer: &Buyer, id: &str, wanted: impl Fn(&str) -> bool) -> Result<String> {
    let begin = Instant::now();
    loop {
        let page = buyer.get(&format!("/orders/{id}")).await?.text();
        if wanted(&page) {
            return Ok(page);
        }
        ensure!(begin.elapsed().as_secs() < 120, "{page}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn shipped() -> Result<()> {
    let shop = Shop::new()?;
    for part in PARTS {
        let page = shop.killed(part, "Lane+1").await?;
        ensure!(
            page.contains("Thank you for your order"),
            "{part:?}: {page}"
        );
        ensure!(shop.charge(part.0)?["refunded"] == false, "{part:?}");
        let parcel = shop.stored("shipping", &format!("parcel/{}", part.0))?;
        ensure!(parcel.is_some(), "{part:?}");
    }
    let left = shop.stored("checkout", "stock/level")?;
    ensure!(left.as_deref() == Some("13"), "{left:?} of 18 - 5");
    Ok(())
}

async fn undone() -> Result<()> {
    let shop = Shop::new()?;
    for part in UNDOING {
        let page = shop.killed(part, "P.O.+Box+7").await?;
        let reported = "was not placed: the carrier brings nothing to a post office box";
        ensure!(page.contains(reported), "{part:?}: {page}");
        ensure!(shop.charge(part.0)?["refunded"] == true, "{part:?}");
        let parcel = shop.stored("shipping", &format!("parcel/{}", part.0))?;
        ensure!(parcel.is_none(), "{part:?}: {parcel:?}");
    }
    let left = shop.stored("checkout", "stock/level")?;
    ensure!(left.as_deref() == Some("18"), "{left:?} of 18");
    Ok(())
}
