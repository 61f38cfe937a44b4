//! HTTPS of a host with many tenants: certificates by name, their renewal, and those that are wrong.

use super::root::{Root, Served};
use crate::case;
use anyhow::{Context, Result, ensure};
use libtest_mimic::Trial;
use std::{path::Path, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::Instant,
};
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        ClientConfig, RootCertStore,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
    },
};

pub fn trials() -> Vec<Trial> {
    vec![
        case("serve::https_is_answered_by_name", answered),
        case("serve::a_renewed_certificate_is_shown_at_once", renewed),
        case(
            "serve::a_wrong_certificate_of_the_host_is_no_start",
            refused,
        ),
        case(
            "serve::a_wrong_certificate_of_a_tenant_concerns_it_alone",
            alone,
        ),
    ]
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
  tls: { certificate: shop.pem, key: shop.key }
";

const SHOP: &str = "shop.example.org";
/// The time in which a change is in force, 2 s, and more for a busy machine.
const SOON: Duration = Duration::from_secs(10);
const EXPIRED: &str = "certificate of shop: wythe-host.yaml:11:8: the certificate `shop.pem` has expired at 2021-01-01T00:00:00Z; put a new one in its place";
const NO_KEY: &str = "certificate of shop: wythe-host.yaml:11:8: the certificate `shop.pem` has no key in `shop.key`; expected a private key in PEM that is not encrypted";

pub fn certificate(name: &str) -> Vec<u8> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("certificates");
    std::fs::read(directory.join(name)).expect("a file of the tests")
}

/// A root with a tenant that has a name and one that has none; the certificate of `shop` is this one.
fn root(shop: &str) -> Root {
    let root = Root::new();
    root.hello("shop");
    root.hello("bank");
    put(&root, "host", "host");
    put(&root, "shop", shop);
    root.write("wythe-host.yaml", HOSTS);
    root
}

/// Puts a certificate and its key in place of those before.
pub fn put(root: &Root, to: &str, name: &str) {
    for end in ["pem", "key"] {
        let content = certificate(&format!("{name}.{end}"));
        root.write(&format!("{to}.{end}"), content);
    }
}

/// An answer as it came, and the name of the certificate that was shown.
pub struct Said {
    pub text: String,
    shown: &'static str,
}

async fn ask(served: &Served, sni: &'static str, host: &str, path: &str) -> Result<Said> {
    ask_as(served, None, sni, (host, path)).await
}

/// The certificates that are shown, by name.
fn known() -> [(&'static str, CertificateDer<'static>); 3] {
    ["host", "shop", "renewed"].map(|name| {
        let pem = certificate(&format!("{name}.pem"));
        let certificate = CertificateDer::from_pem_slice(&pem).expect("a certificate");
        (name, certificate)
    })
}

/// A client with this certificate, or with none, that knows those of servers.
fn client<'a>(
    own: Option<&str>,
    servers: impl Iterator<Item = &'a CertificateDer<'static>>,
) -> Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    for certificate in servers {
        roots.add(certificate.clone())?;
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let config = config.with_safe_default_protocol_versions()?;
    let config = config.with_root_certificates(roots);
    let Some(name) = own else {
        return Ok(config.with_no_client_auth());
    };
    let chain = CertificateDer::from_pem_slice(&certificate(&format!("{name}.pem")))?;
    let key = PrivateKeyDer::from_pem_slice(&certificate(&format!("{name}.key")))?;
    Ok(config.with_client_auth_cert(vec![chain], key)?)
}

/// Opens a connection as a client with this certificate, or with none. In TLS 1.3 one that is not let in hears so when it reads.
pub async fn connect_as(
    served: &Served,
    own: Option<&str>,
    sni: &'static str,
) -> Result<TlsStream<TcpStream>> {
    let known = known();
    let config = client(own, known.iter().map(|(_, certificate)| certificate))?;
    let address = served.tls.as_deref().context("no HTTPS")?;
    let stream = TcpStream::connect(address).await?;
    let connector = TlsConnector::from(Arc::new(config));
    let name = ServerName::try_from(sni)?;
    Ok(connector.connect(name, stream).await?)
}

/// Asks as a client with this certificate, or with none; an error where it is not let in.
pub async fn ask_as(
    served: &Served,
    own: Option<&str>,
    sni: &'static str,
    (host, path): (&str, &str),
) -> Result<Said> {
    let mut stream = connect_as(served, own, sni).await?;
    let shown = stream.get_ref().1.peer_certificates();
    let shown = shown.and_then(|all| all.first()).cloned();
    let request = format!(
        "GET {path} HTTP/1.1\r\nhost: {host}\r\nwythe-client-name: uri:forged\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut text = Vec::new();
    stream.read_to_end(&mut text).await?;
    let known = known().into_iter();
    let mut found = known
        .filter(|(_, certificate)| Some(certificate) == shown.as_ref())
        .map(|(name, _)| name);
    Ok(Said {
        text: String::from_utf8_lossy(&text).into_owned(),
        shown: found.next_back().context("an unknown certificate")?,
    })
}

async fn answered() -> Result<()> {
    let root = root("shop");
    let served = root.serve(&[])?;
    let said = ask(&served, SHOP, "shop.example.org:8443", "/").await?;
    ensure!(said.text.contains("hello, visitor 1\n"), "{}", said.text);
    ensure!(said.shown == "shop", "{}", said.shown);
    let said = ask(&served, "localhost", "localhost", "/bank/").await?;
    ensure!(said.text.contains("hello, visitor 1\n"), "{}", said.text);
    ensure!(said.shown == "host", "{}", said.shown);
    for (sni, host) in [("localhost", SHOP), (SHOP, "localhost")] {
        let said = ask(&served, sni, host, "/").await?;
        ensure!(said.text.starts_with("HTTP/1.1 421 "), "{}", said.text);
    }
    // `--listen` asks for HTTP in clear as well.
    ensure!(served.said(SHOP, "/").await? == "hello, visitor 2\n");
    ensure!(served.problems()?.is_empty());
    Ok(())
}

/// Asks until this certificate is shown.
async fn shown_soon(served: &Served, expected: &str) -> Result<()> {
    let begun = Instant::now();
    while ask(served, SHOP, SHOP, "/").await?.shown != expected {
        ensure!(begun.elapsed() < SOON, "`{expected}` is not shown");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

/// Looks until these are all that is wrong.
pub async fn problems_soon(served: &Served, expected: &[&str]) -> Result<()> {
    let begun = Instant::now();
    loop {
        let problems = served.problems()?;
        if problems == expected {
            return Ok(());
        }
        ensure!(begun.elapsed() < SOON, "{problems:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn renewed() -> Result<()> {
    let root = root("shop");
    let served = root.serve(&[])?;
    shown_soon(&served, "shop").await?;
    put(&root, "shop", "renewed");
    shown_soon(&served, "renewed").await?;
    put(&root, "shop", "expired");
    problems_soon(&served, &[EXPIRED]).await?;
    ensure!(ask(&served, SHOP, SHOP, "/").await?.shown == "renewed");
    put(&root, "shop", "shop");
    shown_soon(&served, "shop").await?;
    problems_soon(&served, &[]).await?;
    // Without one of its own, it has that of the host.
    let without = HOSTS.replace("  tls: { certificate: shop.pem, key: shop.key }\n", "");
    root.write("wythe-host.yaml", without);
    shown_soon(&served, "host").await
}

async fn refused() -> Result<()> {
    let root = root("shop");
    root.write("host.key", certificate("shop.key"));
    let Err(error) = root.serve(&[]) else {
        anyhow::bail!("it started");
    };
    let reported = error.to_string();
    for expected in [
        "\"column\":8,",
        "wythe-host.yaml\",\"kind\":\"invalid\",\"line\":4,",
        "the certificate `",
        "host.key`; expected the two of one pair",
    ] {
        ensure!(reported.contains(expected), "{reported}");
    }
    Ok(())
}

async fn alone() -> Result<()> {
    let root = root("shop");
    root.write("shop.key", "no key");
    let served = root.serve(&[])?;
    let problems = served.problems()?;
    ensure!(problems == [NO_KEY], "{problems:?}");
    let said = ask(&served, SHOP, SHOP, "/").await?;
    ensure!(said.text.contains("hello, visitor 1\n"), "{}", said.text);
    ensure!(said.shown == "host", "{}", said.shown);
    Ok(())
}
