//! Certificates of clients by authorities of tenants: who is let in where, by which name, and what policies say of it.

use super::{
    both,
    root::{MEMORY, Mode, Root, Served},
    tls::{ask_as, certificate, problems_soon, put},
};
use anyhow::{Result, ensure};
use libtest_mimic::Trial;
use std::time::Duration;
use tokio::time::Instant;

pub fn trials() -> Vec<Trial> {
    let both = [
        both("serve::each_tenant_has_clients_of_its_own", apart),
        both("serve::an_authority_of_a_tenant_is_replaced", replaced),
        both("serve::policies_name_clients", policies),
    ];
    both.into_iter().flatten().collect()
}

const HOSTS: &str = "\
apiVersion: wythe/v1
kind: Host
spec:
  tls: { listen: 127.0.0.1:0, certificate: host.pem, key: host.key }
---
apiVersion: wythe/v1
kind: Tenant
metadata: { name: shop }
spec:
  hosts: [shop.example.org]
  tls: { clientCa: shop-clients.pem }
---
apiVersion: wythe/v1
kind: Tenant
metadata: { name: bank }
spec:
  hosts: [bank.example.org]
  tls: { clientCa: others.pem, clientCertificates: optional }
";

const ECHO: &str = "\
version: 1
apps:
  - appID: echo
    guest: echo.wasm
    ingress: /
    grants: { state: [statestore], publish: [pubsub], subscribe: [pubsub], invoke: [other] }
";

const RULES: &str = "\
apiVersion: dapr.io/v1alpha1
kind: Configuration
metadata: { name: rules }
spec:
  accessControl:
    policies:
      - client: uri:spiffe://example.org/partner
        operations:
          - { name: /orders/**, httpVerb: [GET], action: allow }
";

const SHOP: &str = "shop.example.org";
const BANK: &str = "bank.example.org";
const PARTNER: &str = "uri:spiffe://example.org/partner";
const STRANGER: &str = "dns:stranger.example.org";
/// The time in which a change is in force, 2 s, and more for a busy machine.
const SOON: Duration = Duration::from_secs(20);

fn root(mode: Mode) -> Root {
    let root = Root::of(mode);
    for tenant in ["shop", "bank"] {
        root.guest(&format!("{tenant}/echo.wasm"), "echo");
        root.write(&format!("{tenant}/resources/memory.yaml"), MEMORY);
        root.write(&format!("{tenant}/wythe.yaml"), ECHO);
    }
    put(&root, "host", "host");
    root.write("shop-clients.pem", certificate("clients.pem"));
    root.write("others.pem", certificate("others.pem"));
    root.operator(HOSTS);
    root
}

/// The answer to a client: the name by which the app knows it, else the status; `refused` where it is not let in.
async fn known(served: &Served, own: Option<&str>, sni: &'static str, host: &str) -> String {
    asked(served, own, sni, (host, "/a")).await
}

async fn asked(
    served: &Served,
    own: Option<&str>,
    sni: &'static str,
    target: (&str, &str),
) -> String {
    let Ok(said) = ask_as(served, own, sni, target).await else {
        return "refused".to_owned();
    };
    if !said.text.starts_with("HTTP/1.1 200 ") {
        return said.text.get(9..12).unwrap_or("refused").to_owned();
    }
    let names = [PARTNER, STRANGER, "uri:forged", "wythe-client-name"];
    let name = names.iter().find(|name| said.text.contains(**name));
    name.map_or("nobody", |name| *name).to_owned()
}

async fn apart(mode: Mode) -> Result<()> {
    let root = root(mode);
    let served = root.serve(&[])?;
    ensure!(served.problems()?.is_empty(), "{:?}", served.problems());
    for (own, sni, host, expected) in [
        (Some("partner"), SHOP, SHOP, PARTNER),
        (Some("stranger"), BANK, BANK, STRANGER),
        (None, BANK, BANK, "nobody"),
        (None, SHOP, SHOP, "refused"),
        (Some("stranger"), SHOP, SHOP, "refused"),
        (Some("partner"), BANK, BANK, "refused"),
        (Some("partner"), SHOP, BANK, "421"),
        (Some("stranger"), BANK, SHOP, "421"),
        (Some("partner"), "localhost", SHOP, "421"),
    ] {
        let found = known(&served, own, sni, host).await;
        ensure!(found == expected, "{own:?} {sni} {host}: {found}");
    }
    // In clear nobody shows a certificate.
    ensure!(served.get(SHOP, "/a").await?.status == 421);
    let answer = served.get(BANK, "/a").await?;
    ensure!(answer.status == 200 && !answer.text().contains("wythe-client-name"));
    ensure!(served.problems()?.is_empty());
    Ok(())
}

/// Asks the shop until a client is known so.
async fn soon(served: &Served, own: Option<&str>, expected: &str) -> Result<()> {
    let begun = Instant::now();
    loop {
        let found = known(served, own, SHOP, SHOP).await;
        if found == expected {
            return Ok(());
        }
        ensure!(begun.elapsed() < SOON, "{own:?}: {found}, not {expected}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn replaced(mode: Mode) -> Result<()> {
    let root = root(mode);
    let served = root.serve(&[])?;
    soon(&served, Some("partner"), PARTNER).await?;
    root.write("shop-clients.pem", certificate("others.pem"));
    soon(&served, Some("stranger"), STRANGER).await?;
    soon(&served, Some("partner"), "refused").await?;
    root.write("shop-clients.pem", "nothing");
    let wrong = "certificate of shop: wythe-host.yaml:11:20: the authority of clients `shop-clients.pem` has 0 certificates in PEM; expected 1 to 100, with `BEGIN CERTIFICATE`";
    problems_soon(&served, &[wrong]).await?;
    ensure!(known(&served, Some("stranger"), SHOP, SHOP).await == STRANGER);
    root.write("shop-clients.pem", certificate("clients.pem"));
    soon(&served, Some("partner"), PARTNER).await?;
    problems_soon(&served, &[]).await?;
    // The operator's word changes, and another host name of the tenant with it.
    root.operator(&HOSTS.replace(
        "  tls: { clientCa: shop-clients.pem }\n",
        "  tls: { clientCa: shop-clients.pem, clientCertificates: optional }\n",
    ));
    soon(&served, None, "nobody").await?;
    soon(&served, Some("partner"), PARTNER).await?;
    root.operator(&HOSTS.replace("  tls: { clientCa: shop-clients.pem }\n", ""));
    soon(&served, Some("partner"), "nobody").await?;
    root.operator(HOSTS);
    soon(&served, None, "refused").await?;
    soon(&served, Some("partner"), PARTNER).await
}

async fn policies(mode: Mode) -> Result<()> {
    let root = root(mode);
    root.write("shop/resources/rules.yaml", RULES);
    root.write("bank/resources/rules.yaml", RULES);
    let served = root.serve(&[])?;
    ensure!(served.problems()?.is_empty(), "{:?}", served.problems());
    for (own, host, path, expected) in [
        (Some("partner"), SHOP, "/orders/1", PARTNER),
        (Some("partner"), SHOP, "/ORDERS/1?n=1", PARTNER),
        (Some("partner"), SHOP, "/a", "403"),
        (Some("partner"), SHOP, "/orders/%2e%2e/a", "400"),
        // Another client, and one without a certificate, has the default action.
        (Some("stranger"), BANK, "/orders/1", "403"),
        (None, BANK, "/orders/1", "403"),
    ] {
        let found = asked(&served, own, host, (host, path)).await;
        ensure!(found == expected, "{own:?} {host}{path}: {found}");
    }
    let answer = served.get(BANK, "/orders/1").await?;
    ensure!(answer.status == 403, "{answer:?}");
    Ok(())
}
