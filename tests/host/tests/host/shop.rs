//! The shop: every block at work in one application.

pub mod buyer;
mod kills;

use crate::case;
use anyhow::{Context, Result, ensure};
use buyer::{Buyer, CARD};
use futures::future::{join, join_all};
use host_tests::{Answer, MEMORY, Project, SmtpServer, sample};
use libtest_mimic::Trial;
use std::{
    collections::BTreeSet,
    fs,
    time::{Duration, Instant},
};
use wythe_blocks::{Call, invocation};

const APPS: &str = "\
  - appID: cart
    guest: cart.wasm
    grants: { state: [statestore] }
  - appID: catalog
    guest: catalog.wasm
    grants: { configuration: [catalog] }
  - appID: checkout
    guest: checkout.wasm
    grants:
      state: [statestore]
      publish: [pubsub/checkout]
      invoke: [cart, catalog, payment, shipping]
      lock: [lockstore]
      crypto: [keys/receipts]
      workflow: [purchase]
  - appID: email
    guest: email.wasm
    ingress: /outbox
    grants: { state: [statestore], subscribe: [pubsub/checkout], bindings: [mail/create] }
  - appID: payment
    guest: payment.wasm
    grants: { state: [statestore], secrets: [payments/gateway-key], reveal: [payments/gateway-key] }
  - appID: purchase
    guest: purchase.wasm
    grants: { invoke: [checkout] }
  - appID: report
    guest: report.wasm
    ingress: /reports
    env: { REPORT_AT: '* * * * * *' }
    grants: { state: [statestore], subscribe: [pubsub/checkout], jobs: [nightly-report] }
  - appID: shipping
    guest: shipping.wasm
    grants: { state: [statestore] }
  - appID: storefront
    guest: storefront.wasm
    ingress: /
    grants: { invoke: [cart, catalog, checkout] }
";

/// The files that the sample's manifest stands beside.
const FILES: [&str; 7] = [
    "catalog.yaml",
    "secrets.json",
    "keys/receipts",
    "resources/catalog.yaml",
    "resources/keys.yaml",
    "resources/mail.yaml",
    "resources/payments.yaml",
];

pub fn trials() -> Vec<Trial> {
    let mail = "shop::the_letter_reaches_a_real_mail_server";
    let mut trials = kills::trials();
    trials.extend([
        case("shop::a_person_buys_something", bought),
        case("shop::a_refused_card_buys_nothing", refused),
        case("shop::a_purchase_needs_a_grant", ungranted),
        case("shop::what_cannot_be_shipped_is_undone", undone),
        case("shop::a_form_that_is_sent_twice_is_one_purchase", twice),
        case("shop::buyers_at_once_never_take_more_than_there_is", raced),
        case("shop::the_catalog_follows_its_file", followed),
        case("shop::the_night_has_its_report", reported),
        case(
            "shop::its_own_manifest_grants_what_is_tested_here",
            manifest,
        ),
        match SmtpServer::missing() {
            None => case(mail, mailed),
            Some(reason) => case(&format!("{mail} ({reason})"), mailed).with_ignored_flag(true),
        },
    ]);
    trials
}

pub fn project() -> Result<Project> {
    with_files(Project::new(APPS).with("memory", MEMORY))
}

/// A project of the shop without components for state and events; `checkout` has one more setting.
pub fn shop_of(setting: &str) -> Result<Project> {
    let checkout = "    guest: checkout.wasm\n";
    let apps = APPS.replace(checkout, &format!("{checkout}    {setting}\n"));
    with_files(Project::new(&apps))
}

fn with_files(project: Project) -> Result<Project> {
    for file in FILES {
        let path = sample("shop").join(file);
        project.write(
            file,
            fs::read(&path).with_context(|| path.display().to_string())?,
        );
    }
    Ok(project)
}

/// The path a browser takes: home, a product, the cart, the order, its receipt, and the outbox.
async fn bought() -> Result<()> {
    let project = project()?;
    let running = project.start().await?;
    let buyer = Buyer::arrive(&running).await?;
    let shown = buyer.get("/products/trowel").await?;
    ensure!(
        shown.status == 200 && shown.text().contains("Pointing trowel"),
        "{shown:?}"
    );
    buyer.put("trowel", 2).await?;
    let wrong = buyer.post(
        "/checkout",
        "email=nonsense&address=L&card=4242+4242+4242+4242",
    );
    let wrong = wrong.await?;
    ensure!(wrong.status == 422, "{wrong:?}");
    let page = buyer.order().await?;
    let order = buyer.get(&page).await?.text();
    ensure!(order.contains("•••• 4242"), "{order}");
    ensure!(!order.contains("4242 4242"), "a whole card number: {order}");
    let receipt = buyer.get(&format!("{page}/receipt")).await?.text();
    for part in [
        "2 x Pointing trowel",
        "Total 49.00 EUR",
        "•••• 4242",
        "Charge ",
    ] {
        ensure!(receipt.contains(part), "no {part:?} in {receipt}");
    }
    let sent = |outbox: &Answer| outbox.text().contains("\"sent\":true");
    let mailed = running.eventually("/outbox", sent).await?.text();
    let times = mailed.matches("\"to\":\"ann@example.com\"").count();
    ensure!(times == 1, "{mailed}");
    ensure!(running.stop().await, "not everything finished");
    Ok(())
}

async fn refused() -> Result<()> {
    let project = project()?;
    let running = project.start().await?;
    let buyer = Buyer::arrive(&running).await?;
    buyer.put("level", 10).await?;
    let answer = buyer.pay("4242+4242+4242+4241").await?;
    ensure!(
        answer.status == 422 && answer.text().contains("that is no card number"),
        "{answer:?}"
    );
    // All eighteen are there still, and the cart is as it was.
    buyer.order().await?;
    buyer.put("level", 9).await?;
    let answer = buyer.pay(CARD).await?;
    ensure!(
        answer.status == 422 && answer.text().contains("only 8 of `Spirit level` are left"),
        "{answer:?}"
    );
    ensure!(running.stop().await, "not everything finished");
    Ok(())
}

async fn undone() -> Result<()> {
    let project = project()?;
    let running = project.start().await?;
    let buyer = Buyer::arrive(&running).await?;
    buyer.put("level", 10).await?;
    let answer = buyer.buy("one", "P.O.+Box+7", CARD).await?;
    ensure!(
        answer.status == 422
            && answer
                .text()
                .contains("the carrier brings nothing to a post office box"),
        "{answer:?}"
    );
    // An order that was refused stays so, and says why.
    let answer = buyer.get("/orders/one").await?;
    ensure!(
        answer.status == 409 && answer.text().contains("was not placed: the carrier"),
        "{answer:?}"
    );
    ensure!(running.get("/outbox").await?.text() == "[]", "a letter");
    // All eighteen are there still.
    buyer.order().await?;
    buyer.put("level", 8).await?;
    buyer.order().await?;
    ensure!(running.stop().await, "not everything finished");
    Ok(())
}

async fn ungranted() -> Result<()> {
    let apps = APPS.replace("workflow: [purchase]", "workflow: [other]");
    let project = with_files(Project::new(&apps).with("memory", MEMORY))?;
    let running = project.start().await?;
    let buyer = Buyer::arrive(&running).await?;
    buyer.put("level", 1).await?;
    let (_, user) = buyer.cookie.split_once('=').context("a session")?;
    let form = format!(
        r#"{{"user": "{user}", "email": "ann@example.com", "address": "Lane 1", "card": "4242424242424242"}}"#
    );
    let request = invocation::Request {
        method: "POST".into(),
        path: "/orders".into(),
        body: form.into(),
        headers: Vec::new(),
    };
    let deadline = Instant::now() + Duration::from_secs(60);
    let caller = Call::operator("default".parse()?, "test".parse()?, deadline);
    let tenant = &running.booted.tenant;
    let answer = tenant
        .invocation
        .invoke(&caller, "checkout", request)
        .await?;
    let reported = String::from_utf8_lossy(&answer.body);
    let expected = "app `checkout` is not granted workflow `purchase`; add it to `grants: { workflow: [purchase] }` at \
                    wythe.yaml:10";
    ensure!(
        answer.status == 403 && reported.contains(expected),
        "{} {reported}",
        answer.status
    );
    ensure!(running.stop().await, "not everything finished");
    Ok(())
}

/// A buyer buys twice at the same moment, and once more when it is done.
async fn twice() -> Result<()> {
    let project = project()?;
    let running = project.start().await?;
    let buyer = Buyer::arrive(&running).await?;
    buyer.put("level", 10).await?;
    let buy = || buyer.buy("one", "Lane+1", CARD);
    let (first, second) = join(buy(), buy()).await;
    for answer in [first?, second?, buy().await?] {
        ensure!(answer.status == 303, "{answer:?}");
        ensure!(answer.headers["location"] == "/orders/one", "{answer:?}");
    }
    let sent = |outbox: &Answer| outbox.text().contains("\"sent\":true");
    let outbox = running.eventually("/outbox", sent).await?.text();
    ensure!(outbox.matches("\"order\":").count() == 1, "{outbox}");
    // Eight are left.
    buyer.put("level", 9).await?;
    let answer = buyer.pay(CARD).await?;
    ensure!(
        answer.status == 422 && answer.text().contains("only 8 of `Spirit level` are left"),
        "{answer:?}"
    );
    ensure!(running.stop().await, "not everything finished");
    Ok(())
}

/// Sixteen buyers want two each of what there are eighteen of.
async fn raced() -> Result<()> {
    let project = project()?;
    let running = project.start().await?;
    let buyers = join_all((0..16).map(|_| async {
        let buyer = Buyer::arrive(&running).await?;
        buyer.put("level", 2).await?;
        anyhow::Ok(buyer)
    }));
    let buyers = buyers.await.into_iter().collect::<Result<Vec<_>>>()?;
    let answers = join_all(buyers.iter().map(|buyer| buyer.pay(CARD))).await;
    let mut statuses = Vec::new();
    for answer in answers {
        let answer = answer?;
        let reported = answer.text().contains("only 0 of `Spirit level` are left");
        ensure!(answer.status == 303 || reported, "{answer:?}");
        statuses.push(answer.status);
    }
    let sold = statuses.iter().filter(|status| **status == 303).count();
    ensure!(sold == 9, "{sold} orders of 9: {statuses:?}");
    ensure!(running.stop().await, "not everything finished");
    Ok(())
}

async fn followed() -> Result<()> {
    let project = project()?;
    let running = project.start().await?;
    let before = running.get("/products/trowel").await?.text();
    ensure!(before.contains("24.50"), "{before}");
    let catalog = fs::read_to_string(project.path().join("catalog.yaml"))?;
    project.write("catalog.yaml", catalog.replace("2450", "1999"));
    let cheaper = |page: &Answer| page.text().contains("19.99");
    running.eventually("/products/trowel", cheaper).await?;
    ensure!(running.stop().await, "not everything finished");
    Ok(())
}

/// A night that comes every second.
async fn reported() -> Result<()> {
    let project = project()?;
    let running = project.start().await?;
    let buyer = Buyer::arrive(&running).await?;
    buyer.put("trowel", 2).await?;
    buyer.order().await?;
    let whole = |answer: &Answer| {
        let text = answer.text();
        text.contains("\"orders\":1") && text.contains("\"total\":4900")
    };
    running.eventually("/reports", whole).await?;
    ensure!(running.stop().await, "not everything finished");
    Ok(())
}

async fn mailed() -> Result<()> {
    let server = SmtpServer::start().await?;
    let port = server.port;
    let project = project()?;
    project.write(
        "resources/mail.yaml",
        format!(
            "\
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: {{ name: mail }}
spec:
  type: bindings.smtp
  metadata:
    - {{ name: host, value: 127.0.0.1 }}
    - {{ name: port, value: \"{port}\" }}
    - {{ name: tls, value: none }}
    - {{ name: emailFrom, value: shop@example.com }}
scopes: [email]
"
        ),
    );
    let running = project.start().await?;
    let buyer = Buyer::arrive(&running).await?;
    buyer.put("trowel", 2).await?;
    let page = buyer.order().await?;
    let id = page.rsplit('/').next().unwrap_or_default();
    let mails = server.mails(1).await?;
    for part in [
        "From: shop@example.com\n",
        "To: ann@example.com\n",
        &format!("Subject: Your order {id}\n"),
        "  2 x Pointing trowel\n",
    ] {
        ensure!(mails[0].contains(part), "no {part:?} in {}", mails[0]);
    }
    ensure!(running.stop().await, "not everything finished");
    Ok(())
}

/// Apps, grants and scopes of the manifest that people run are those above.
async fn manifest() -> Result<()> {
    let plan =
        |path: &std::path::Path| wythe::boot::plan(path).map_err(|p| anyhow::anyhow!("{p:?}"));
    let (own, problems) = plan(&sample("shop"))?;
    ensure!(problems.is_empty(), "{problems:?}");
    let project = project()?;
    let (here, _) = plan(project.path())?;
    let granted = |plan: &wythe::boot::Plan| -> BTreeSet<String> {
        let apps = plan.manifest.apps.iter();
        // Where a grant is written differs; what it grants does not.
        let reported = apps.map(|app| format!("{:?} {:?} {:?}", app.id, app.ingress, app.grants));
        reported
            .filter_map(|reported| Some(reported.split_once(", source:")?.0.to_owned()))
            .collect()
    };
    ensure!(
        granted(&own).len() == 9 && granted(&own) == granted(&here),
        "{:?}\n{:?}",
        granted(&own),
        granted(&here)
    );
    Ok(())
}
