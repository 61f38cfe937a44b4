//! Every sample guest does what it says.

use crate::case;
use anyhow::{Context, Result, ensure};
use host_tests::{Answer, MEMORY, Project, Running};
use http::Method;
use libtest_mimic::Trial;

pub const SHOP: &str = "\
  - appID: catalog
    guest: catalog.wasm
  - appID: cart
    guest: cart.wasm
    grants: { state: [statestore] }
  - appID: checkout
    guest: checkout.wasm
    grants: { state: [statestore], invoke: [cart, catalog], publish: [pubsub/checkout] }
  - appID: email
    guest: email.wasm
    ingress: /outbox
    grants: { state: [statestore], subscribe: [pubsub/checkout] }
  - appID: storefront
    guest: storefront.wasm
    ingress: /
    grants: { invoke: [cart, catalog, checkout] }
";

pub fn trials() -> Vec<Trial> {
    vec![
        case("samples::hello_counts_its_visitors", hello),
        case("samples::hello_keeps_its_count_over_a_restart", restart),
        case(
            "samples::plain_component_of_wasi_0_2_works_unmodified",
            plain,
        ),
        case(
            "samples::plain_component_of_wasi_0_3_works_unmodified",
            plain3,
        ),
        case("samples::a_person_buys_something_in_the_shop", shop),
        case("samples::the_shops_own_manifest_is_good", shop_manifest),
        case("samples::meter_counts_what_it_is_told_to_do", meter),
    ]
}

const HELLO: &str = "\
  - appID: hello
    guest: hello.wasm
    ingress: /
    grants: { state: [statestore], publish: [pubsub/visits], subscribe: [pubsub/visits] }
";

async fn hello() -> Result<()> {
    let running = Project::new(HELLO).with("memory", MEMORY).start().await?;
    for visitor in 1..=3 {
        let answer = running.get("/").await?;
        ensure!(
            answer.text() == format!("hello, visitor {visitor}\n"),
            "{answer:?}"
        );
    }
    ensure!(running.stop().await, "not everything finished");
    Ok(())
}

/// With the embedded defaults, nothing is declared and nothing is lost.
async fn restart() -> Result<()> {
    let project = Project::new(HELLO);
    for visitor in 1..=3 {
        let running = project.start().await?;
        let answer = running.get("/").await?;
        ensure!(
            answer.text() == format!("hello, visitor {visitor}\n"),
            "{answer:?}"
        );
        ensure!(running.stop().await, "not everything finished");
    }
    Ok(())
}

async fn serves_hello(guest: &str) -> Result<()> {
    let apps = format!("  - appID: plain\n    guest: {guest}.wasm\n    ingress: /\n");
    let running = Project::new(&apps).with("memory", MEMORY).start().await?;
    let answer = running.get("/").await?;
    ensure!(
        answer.status == 200 && answer.text().to_lowercase().contains("hello"),
        "{answer:?}"
    );
    Ok(())
}

async fn plain() -> Result<()> {
    serves_hello("plain").await
}

async fn plain3() -> Result<()> {
    serves_hello("plain3").await
}

async fn meter() -> Result<()> {
    let apps = "\
  - appID: meter
    guest: meter.wasm
    ingress: /
    grants: { state: [statestore], publish: [pubsub], invoke: [meter] }
";
    let running = Project::new(apps).with("memory", MEMORY).start().await?;
    let answer = running.get("/get?n=10").await?;
    ensure!(answer.status == 200, "{answer:?}");
    Ok(())
}

async fn post(running: &Running, path: &str, cookie: &str, form: &str) -> Result<Answer> {
    let headers = [
        ("cookie", cookie),
        ("content-type", "application/x-www-form-urlencoded"),
    ];
    running
        .send(Method::POST, path, &headers, form.to_owned())
        .await
}

/// The path a browser takes: home, a product, the cart, the order, and the mail.
async fn shop() -> Result<()> {
    let running = Project::new(SHOP).with("memory", MEMORY).start().await?;
    let home = running.get("/").await?;
    ensure!(home.status == 200, "{home:?}");
    let cookie = home.headers.get("set-cookie").context("no session")?;
    let cookie = cookie.to_str()?.split(';').next().unwrap_or_default();
    let link = product_on(&home.text())?;
    let shown = running.get(&link).await?;
    ensure!(shown.status == 200, "{shown:?}");
    let product = link.rsplit('/').next().unwrap_or_default();
    for (path, form, status) in [
        ("/cart", format!("product={product}&quantity=2"), 303),
        ("/checkout", "email=nonsense&address=Lane+1".to_owned(), 422),
        (
            "/checkout",
            "email=ann%40example.com&address=Lane+1".to_owned(),
            303,
        ),
    ] {
        let answer = post(&running, path, cookie, &form).await?;
        ensure!(answer.status == status, "{path} {form}: {answer:?}");
    }
    let has = |outbox: &Answer| outbox.text().contains("ann@example.com");
    let mailed = running.eventually("/outbox", has).await?.json();
    let times = mailed.to_string().matches("ann@example.com").count();
    ensure!(times == 1, "{mailed}");
    ensure!(running.stop().await, "not everything finished");
    Ok(())
}

/// The first link to a product.
fn product_on(page: &str) -> Result<String> {
    let start = page.find("/products/").context("no product on the page")?;
    let end = page[start..].find('"').context("an open link")?;
    Ok(page[start..start + end].to_owned())
}

async fn shop_manifest() -> Result<()> {
    let (plan, problems) =
        wythe::boot::plan(&host_tests::sample("shop")).map_err(|p| anyhow::anyhow!("{p:?}"))?;
    ensure!(problems.is_empty(), "{problems:?}");
    ensure!(plan.manifest.apps.len() == 5);
    Ok(())
}
