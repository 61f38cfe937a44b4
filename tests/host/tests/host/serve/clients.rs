//! Certificates of clients by authorities of tenants: who is let in where, by which name, and what policies say of it.

use super::{
    both,
    root::{MEMORY, Mode, Root, Served},
    tls::{ask_as, certificate, connect_as, problems_soon, put},
};
use crate::{
    case,
    crash::{command, spawn},
};
use anyhow::{Result, ensure};
use libtest_mimic::Trial;
use std::time::Duration;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    time::Instant,
};

pub fn trials() -> Vec<Trial> {
    let both = [
        both("serve::each_tenant_has_clients_of_its_own", apart),
        both("serve::an_authority_of_a_tenant_is_replaced", replaced),
        both("serve::policies_name_clients", policies),
        both(
            "serve::an_open_connection_is_judged_by_what_is_in_force",
            judged,
        ),
    ];
    let alone = case(
        "serve::who_requires_certificates_answers_nobody_else_in_clear",
        in_clear,
    );
    both.into_iter().flatten().chain([alone]).collect()
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

/// The status of an answer over a connection that stays open; none where it is over.
async fn status(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> Option<String> {
    let request = format!("HEAD /a HTTP/1.1\r\nhost: {SHOP}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut said = Vec::new();
    while !said.ends_with(b"\r\n\r\n") {
        said.push(stream.read_u8().await.ok()?);
    }
    let said = String::from_utf8_lossy(&said).into_owned();
    Some(said.get(9..12)?.to_owned())
}

async fn judged(mode: Mode) -> Result<()> {
    let root = root(mode);
    let served = root.serve(&[])?;
    // By another file, and by none of its own beside the host's.
    let of_host = HOSTS.replace("key: host.key }", "key: host.key, clientCa: others.pem }");
    let without = of_host.replace("  tls: { clientCa: shop-clients.pem }\n", "");
    for is_file in [true, false] {
        soon(&served, Some("partner"), PARTNER).await?;
        let mut early = connect_as(&served, Some("partner"), SHOP).await?;
        ensure!(status(&mut early).await.as_deref() == Some("200"));
        match is_file {
            true => root.write("shop-clients.pem", certificate("others.pem")),
            false => root.operator(&without),
        }
        let (begun, mut last) = (Instant::now(), String::new());
        while let Some(found) = status(&mut early).await {
            // A process of its own begins again by other terms.
            ensure!(["200", "421", "503"].contains(&&*found), "{found}");
            ensure!(begun.elapsed() < SOON, "it is let in for ever");
            tokio::time::sleep(Duration::from_millis(50)).await;
            last = found;
        }
        ensure!(last == "421", "it ended after {last}");
        soon(&served, Some("stranger"), STRANGER).await?;
        root.write("shop-clients.pem", certificate("clients.pem"));
        root.operator(HOSTS);
    }
    Ok(())
}

async fn in_clear() -> Result<()> {
    let root = root(Mode::Shared);
    root.write("clients.pem", certificate("clients.pem"));
    let required = "key: host.key, clientCa: clients.pem }\n  listen: 0.0.0.0:0\n";
    root.operator(&HOSTS.replace("key: host.key }\n", required));
    let mut serve = command();
    serve.args(["serve", "--root"]).arg(root.path());
    let Err(error) = spawn(serve) else {
        anyhow::bail!("it started");
    };
    let reported = error.to_string();
    for expected in [
        "wythe-host.yaml:4:",
        "clients that ask in clear, at 0.0.0.0:0, show no certificate",
    ] {
        ensure!(reported.contains(expected), "{reported}");
    }
    Ok(())
}
