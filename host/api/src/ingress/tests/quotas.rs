//! Refusals at the front door by a tenant's quotas.

use super::{ingress, said_until_closed};
use async_trait::async_trait;
use std::{collections::BTreeSet, fs, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use wythe_blocks::{
    Admission, App, Body, Call, Callee, Entrance, Exports, Host, KnownBy, Profile, Ready, Registry,
    Settings, Tenant,
    bindings::{Driver, Features, Webhook},
    body_from,
};
use wythe_manifest::{HOST_FILE, Metered, Terms, load_host_file, parse_resources};

/// A webhook at `/hook` that takes everything.
struct Hook;

impl Driver for Hook {
    fn features(&self) -> Features {
        Features {
            input: true,
            ..Features::default()
        }
    }

    fn webhook(&self) -> Option<Webhook> {
        Some(Webhook {
            path: "/hook".into(),
            methods: vec!["POST".into()],
            max_body: 1_000,
        })
    }
}

fn terms(quotas: &str) -> Terms {
    let directory = tempfile::tempdir().expect("a directory");
    let document =
        format!("apiVersion: wythe/v1\nkind: Tenant\nspec: {{ quotas: {{ {quotas} }} }}\n");
    fs::write(directory.path().join(HOST_FILE), document).expect("a file");
    let file = load_host_file(directory.path()).0;
    file.terms(&"shop".parse().expect("a name"))
}

/// A tenant with a webhook that nobody listens to.
async fn tenant(host: &Host, quotas: &str) -> Arc<Tenant> {
    let mut registry = Registry::default();
    registry.bindings.add_raw("hook", |_, _| async {
        Ok(Ready::new(|| async {
            let driver: Arc<dyn Driver> = Arc::new(Hook);
            Ok(driver)
        }))
    });
    let settings = Settings {
        terms: Some(Arc::new(terms(quotas))),
        ..Settings::new("shop".parse().expect("a name"), "")
    };
    let tenant = host.open(settings).expect("a new tenant");
    let text = "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: { name: hook }\nspec: { type: bindings.hook, version: v1 }\n";
    let (resources, problems) = parse_resources(text, "hook.yaml".as_ref());
    assert!(problems.is_empty(), "{problems}");
    let opened = tenant.open(&registry, &resources.components).await;
    opened.expect("it opens");
    tenant
}

#[tokio::test(start_paused = true)]
async fn webhooks_draw_from_the_requests_of_their_tenant() {
    let (address, host) = ingress().await;
    let tenant = tenant(&host, "requestsPerSecond: 1").await;
    let request = "POST /hook HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\n{}";
    let said = said_until_closed(address, request.repeat(50).as_bytes()).await;
    // Nobody listens; what is over the rate is not even looked at.
    assert!(said.starts_with("HTTP/1.1 503 "), "{said}");
    assert_eq!(said.matches("HTTP/1.1 ").count(), 50, "{said}");
    let refused = said.matches("HTTP/1.1 429 ").count();
    assert!(refused > 0 && said.contains("retry-after: 1\r\n"), "{said}");
    let readings = tenant.ledger.readings();
    let counted = readings[Metered::Requests as usize].refused;
    assert_eq!(counted, refused as u64);
    assert!(host.close(Duration::from_secs(60)).await);
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_its_tenant_s_from_its_first_request_on() {
    let (address, host) = ingress().await;
    let tenant = tenant(&host, "connections: 1").await;
    let entrance = Entrance::Named {
        hosts: BTreeSet::new(),
        by_path: true,
        clients: KnownBy::Host,
    };
    tenant.enter(entrance).expect("a path of its own");
    let used = || tenant.ledger.readings()[Metered::Connections as usize].used;
    let connect = || TcpStream::connect(address);
    let (mut silent, mut first) = (connect().await.unwrap(), connect().await.unwrap());
    assert_eq!(used(), 0);
    let get = b"GET /shop/ HTTP/1.1\r\nhost: a\r\n\r\n";
    assert!(said(&mut first, get).await.starts_with("HTTP/1.1 404 "));
    assert_eq!(used(), 1);
    // Another one takes its place while it is idle.
    let mut second = connect().await.unwrap();
    assert!(said(&mut second, get).await.starts_with("HTTP/1.1 404 "));
    assert_eq!(first.read(&mut [0]).await.unwrap_or(0), 0, "it is closed");
    // While a body is awaited it is busy: whoever comes is refused, and that connection ends.
    let post =
        b"POST /shop/hook HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\nexpect: 100-continue\r\n\r\n";
    assert!(said(&mut second, post).await.starts_with("HTTP/1.1 100 "));
    let refused = said_until_closed(address, get).await;
    assert!(refused.starts_with("HTTP/1.1 429 "), "{refused}");
    assert!(refused.contains("retry-after: 1\r\n"), "{refused}");
    assert_eq!(used(), 1);
    // Somebody else is none of this tenant's business.
    let other = said(&mut silent, b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert!(other.starts_with("HTTP/1.1 404 "), "{other}");
    assert!(said(&mut second, b"{}").await.starts_with("HTTP/1.1 503 "));
    drop(second);
    while used() > 0 {
        tokio::task::yield_now().await;
    }
    assert!(host.close(Duration::from_secs(60)).await);
}

/// The next bytes of an answer.
async fn said(stream: &mut TcpStream, sent: &[u8]) -> String {
    stream.write_all(sent).await.expect("bytes are taken");
    let mut said = vec![0; 4_096];
    let length = stream.read(&mut said).await.expect("an answer");
    String::from_utf8_lossy(&said[..length]).into_owned()
}

/// An app that answers a MiB at once.
struct Large;

#[async_trait]
impl Callee for Large {
    fn exports(&self) -> Exports {
        Exports::default()
    }

    async fn http(
        &self,
        _: Call,
        _: Admission,
        _: http::Request<Body>,
    ) -> wythe_blocks::Result<http::Response<Body>> {
        Ok(http::Response::new(body_from(vec![b'x'; 1 << 20])))
    }
}

#[tokio::test(start_paused = true)]
async fn answers_leave_at_the_rate_of_their_tenant() {
    let (address, host) = ingress().await;
    let tenant = tenant(&host, "egressBytesPerSecond: 1KiB").await;
    let profile = Profile {
        ledger: tenant.ledger.clone(),
        ..Profile::new(tenant.name().clone(), "large".parse().expect("a name"))
    };
    let app = App::new(profile, Arc::new(Large));
    tenant.admit(&app, Some("/")).await.expect("an app");
    let get = b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    let first = said_until_closed(address, get).await;
    assert!(first.starts_with("HTTP/1.1 200 ") && first.len() > 1 << 20);
    let used = tenant.ledger.readings()[Metered::EgressBytes as usize].used;
    assert_eq!(used, 1 << 10, "a second's worth, and far more");
    // The next answer begins, and the first byte of its body is a quarter of an hour away.
    let mut second = TcpStream::connect(address).await.expect("a connection");
    let head = said(&mut second, get).await;
    assert!(
        head.starts_with("HTTP/1.1 200 ") && head.ends_with("\r\n\r\n"),
        "{head}"
    );
    let more = timeout(Duration::from_secs(5), second.read(&mut [0])).await;
    assert!(more.is_err(), "{more:?}");
    // A rate that is higher holds at once.
    tenant.ledger.set(None);
    let mut body = Vec::new();
    second.read_to_end(&mut body).await.expect("the body");
    assert_eq!(body.len(), 1 << 20);
    assert!(host.close(Duration::from_secs(60)).await);
}
