//! Every page, after a purchase in the shop; and the tenants of a host that has many.

use super::visitor::{Seen, Visitor, between};
use crate::{
    case,
    serve::root::{Mode, Root, Served},
    shop::{self, buyer::Buyer},
};
use anyhow::{Context, Result, ensure};
use libtest_mimic::Trial;

/// Every page of a tenant, and what it says after a purchase.
pub const PAGES: [(&str, &[&str]); 16] = [
    ("", &["storefront", "0 of 64", "Subscriptions"]),
    (
        "app?id=storefront",
        &["Call it", "Its last traces", "Host memory"],
    ),
    ("app?id=report", &["pubsub", "checkout"]),
    (
        "requests",
        &["storefront", "statestore", "POST /checkout", "95 % within"],
    ),
    ("requests?only=failed", &["No trace yet.", "All traces"]),
    ("logs", &["all apps"]),
    (
        "components",
        &["statestore", "state.memory", "crypto.local.keys", ">ok<"],
    ),
    ("events", &["Backlog of", "email", "report", "Publish"]),
    (
        "letters?component=pubsub&topic=checkout&group=email",
        &["There is none."],
    ),
    ("workflows", &["purchase", "completed"]),
    ("workflows?status=failed", &["No instance of a workflow."]),
    ("actors", &["No actor yet."]),
    ("jobs", &["nightly-report", "Pause"]),
    (
        "locks?component=lockstore&app=checkout&name=a",
        &["Nobody holds this lock."],
    ),
    ("configuration", &["trowel", "Version"]),
    ("quotas", &["This tenant has no quotas"]),
];

pub fn trials() -> Vec<Trial> {
    vec![
        case("dashboard::every_page_answers_with_what_it_should", every),
        case(
            "dashboard::a_purchase_is_one_trace_through_nine_apps",
            purchase,
        ),
        case("dashboard::tenants_have_pages_of_their_own", || {
            tenants(Mode::Shared)
        }),
        case("dashboard::tenants_have_pages_of_their_own::apart", || {
            tenants(Mode::Process)
        }),
        case("dashboard::it_is_off_unless_it_is_asked_for", off),
    ]
}

/// Buys something in the shop.
pub async fn buy(url: &str) -> Result<()> {
    let buyer = Buyer::at(url).await?;
    buyer.put("trowel", 2).await?;
    let page = buyer.order().await?;
    let answer = buyer.get(&page).await?;
    ensure!(answer.status == 200, "{answer:?}");
    Ok(())
}

async fn every() -> Result<()> {
    let project = shop::project()?;
    let seen = Seen::start(&project, &["--dashboard"])?;
    let visitor = Visitor::enter(&seen.dashboard).await?;
    // The first look begins to gather traces.
    visitor.until("requests", "The host has the last").await?;
    buy(&seen.url).await?;
    visitor.until("requests", "POST /checkout").await?;
    for (page, expected) in PAGES {
        let text = visitor.read(page).await?;
        for words in expected {
            ensure!(text.contains(words), "{page} has no `{words}`: {text}");
        }
    }
    let workflows = visitor.read("workflows").await?;
    let id = between(&workflows, "workflow?id=", "\"").context("no instance")?;
    let workflow = visitor.read(&format!("workflow?id={id}")).await?;
    for words in ["activity-completed", "History", "checkout"] {
        ensure!(workflow.contains(words), "no `{words}`: {workflow}");
    }
    // One tenant is all there is, so the first page is its own.
    let first = visitor
        .get(&format!("{}{}", visitor.site, visitor.base))
        .await?;
    let own = format!("{}t/default/", visitor.base);
    ensure!(
        first.status == 303 && first.header("location") == Some(&own),
        "{first:?}"
    );
    for (page, status) in [
        ("nothing", 404),
        ("app?id=nobody", 404),
        ("trace?id=1", 400),
        ("workflow?id=gone", 404),
        ("actor?type=a&id=b", 404),
    ] {
        let answer = visitor.get(&visitor.page("default", page)).await?;
        ensure!(answer.status == status, "{page}: {answer:?}");
        ensure!(
            answer.text().contains("class=\"note bad\""),
            "{page}: {}",
            answer.text()
        );
    }
    Ok(())
}

/// The apps that a purchase goes through.
const SHOP: [&str; 9] = [
    "cart",
    "catalog",
    "checkout",
    "email",
    "payment",
    "purchase",
    "report",
    "shipping",
    "storefront",
];

async fn purchase() -> Result<()> {
    let project = shop::project()?;
    let seen = Seen::start(&project, &["--dashboard"])?;
    let visitor = Visitor::enter(&seen.dashboard).await?;
    visitor.until("requests", "The host has the last").await?;
    buy(&seen.url).await?;
    let page = visitor.until("requests", "POST /checkout").await?;
    let (row, _) = page.split_once("POST /checkout").context("no row")?;
    let id = row
        .rsplit("trace?id=")
        .next()
        .and_then(|rest| rest.get(..32))
        .context("no id")?;
    let trace = format!("trace?id={id}");
    // The letter and the report are written a moment later.
    let text = visitor.until(&trace, "<dt>Apps</dt><dd>9</dd>").await?;
    for app in SHOP {
        ensure!(
            text.contains(&format!("app?id={app}\"")),
            "no {app}: {text}"
        );
    }
    // An activity stands below its workflow, and a driver's call below the app.
    for words in [
        "in in-0",
        "in in-1",
        "in in-2",
        "activity checkout",
        "get statestore",
    ] {
        ensure!(text.contains(words), "no `{words}`: {text}");
    }
    Ok(())
}

/// Asks the shop until its page of requests has that.
async fn asked(served: &Served, visitor: &Visitor) -> Result<()> {
    let mut text = String::new();
    for _ in 0..300 {
        let said = served.said("localhost", "/shop/only-in-the-shop").await?;
        ensure!(said.contains("visitor"), "{said}");
        text = visitor.get(&visitor.page("shop", "requests")).await?.text();
        if text.contains("only-in-the-shop") {
            return Ok(());
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    anyhow::bail!("{text}")
}

async fn tenants(mode: Mode) -> Result<()> {
    let root = Root::of(mode);
    root.hello("shop");
    root.hello("bank");
    let served = root.serve(&["--dashboard"])?;
    let visitor = Visitor::enter(served.dashboard.as_deref().context("no dashboard")?).await?;
    let first = visitor
        .get(&format!("{}{}", visitor.site, visitor.base))
        .await?;
    ensure!(first.status == 200, "{first:?}");
    for words in ["t/bank/", "t/shop/", "Reached by"] {
        ensure!(
            first.text().contains(words),
            "no `{words}`: {}",
            first.text()
        );
    }
    // The first look begins to gather, and what one tenant's app does is not on the other's page.
    visitor.get(&visitor.page("shop", "requests")).await?;
    visitor.get(&visitor.page("bank", "requests")).await?;
    asked(&served, &visitor).await?;
    let bank = visitor.get(&visitor.page("bank", "requests")).await?;
    ensure!(
        bank.status == 200 && !bank.text().contains("only-in-the-shop"),
        "{bank:?}"
    );
    let quotas = visitor.get(&visitor.page("shop", "quotas")).await?.text();
    ensure!(
        quotas.contains("<meter") && quotas.contains("calls"),
        "{quotas}"
    );
    let logs = visitor.get(&visitor.page("shop", "logs")).await?.text();
    ensure!(logs.contains("class=\"tail\""), "{logs}");
    let nobody = visitor.get(&visitor.page("nobody", "requests")).await?;
    ensure!(nobody.status == 404, "{nobody:?}");
    Ok(())
}

async fn off() -> Result<()> {
    let project = shop::project()?;
    let none = Seen::start(&project, &["--no-build"]);
    let words = none
        .err()
        .context("a dashboard that nobody asked for")?
        .to_string();
    ensure!(words.starts_with("no dashboard in"), "{words}");
    let seen = Seen::start(
        &project,
        &[
            "--dev",
            "--data-dir",
            &project.path().join("other").display().to_string(),
        ],
    )?;
    ensure!(
        seen.dashboard.starts_with("http://127.0.0.1:"),
        "{}",
        seen.dashboard
    );
    Ok(())
}
