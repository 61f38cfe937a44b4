//! (p) The price of what is configured: spans, policies and TLS, each beside the same host without it, in turns.

use crate::{
    Scale,
    child::scratch,
    command::{Serving, free},
    guests,
    load::{self, At},
    measure,
    report::{Aim, Row, Section},
};
use anyhow::{Context, Result};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use std::{
    convert::Infallible,
    fmt::Write as _,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};
use tokio::net::TcpListener;
use tokio_rustls::{
    TlsConnector,
    rustls::{
        ClientConfig, RootCertStore,
        crypto::ring,
        pki_types::{CertificateDer, ServerName, pem::PemObject},
    },
};

const ROUND: Duration = Duration::from_millis(1000);
const WARM_UP: Duration = Duration::from_millis(200);
const NAME: &str = "shop.example.org";
/// Warm instances, beside whose requests a price is largest.
const MANIFEST: &str = "version: 1
name: bench
apps:
  - { appID: plain, guest: plain.wasm, ingress: /, reuse: { maxRequests: 1000 } }
  - appID: front
    guest: echo.wasm
    ingress: /chain
    grants: { state: [statestore], publish: [pubsub], subscribe: [pubsub], invoke: [back, front] }
    reuse: { maxRequests: 1000 }
  - appID: back
    guest: echo.wasm
    grants: { state: [statestore], publish: [pubsub], subscribe: [pubsub], invoke: [front] }
    reuse: { maxRequests: 1000 }
  - appID: meter
    guest: meter.wasm
    ingress: /get
    grants: { state: [statestore], publish: [pubsub], invoke: [front] }
    reuse: { maxRequests: 1000 }
";
const RESOURCES: &str = "apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: statestore }
spec: { type: state.memory, version: v1 }
---
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: pubsub }
spec: { type: pubsub.memory, version: v1 }
";
const BREAKERS: &str = "---
apiVersion: dapr.io/v1alpha1
kind: Resiliency
metadata: { name: policies }
spec:
  policies:
    timeouts: { short: 2s }
    retries: { again: { duration: 200ms, maxRetries: 3 } }
    circuitBreakers: { rest: { maxRequests: 1, interval: 30s, timeout: 60s, trip: consecutiveFailures >= 5 } }
  targets:
    apps: { back: { timeout: short, retry: again, circuitBreaker: rest } }
    components: { statestore: { outbound: { timeout: short, retry: again, circuitBreaker: rest } } }
";
const TLS: &str = "apiVersion: wythe/v1
kind: Tenant
metadata: { name: shop }
spec:
  hosts: [shop.example.org]
  tls: { certificate: shop.pem, key: shop.key }
  quotas: { requestsPerSecond: 1000000, calls: 1000, instances: 500, memory: 8GiB }
";
const CLEAR: &str = "apiVersion: wythe/v1
kind: Tenant
metadata: { name: shop }
spec:
  hosts: [localhost]
  quotas: { requestsPerSecond: 1000000, calls: 1000, instances: 500, memory: 8GiB }
";

/// The requests that are made: their name and path.
const REQUESTS: [(&str, &str); 3] = [
    ("hello", "/"),
    ("a call of another app", "/chain?app=back&path=/who"),
    ("100 times state.get", "/get?n=100"),
];

/// One host, and what is configured there.
#[derive(Clone, Copy, Default)]
struct Plan {
    name: &'static str,
    /// The part of traces that is recorded and sent; absent where nothing is.
    rate: Option<&'static str>,
    breakers: bool,
    access: bool,
    tls: bool,
    /// The least part of the throughput without it.
    aim: Option<f64>,
}

fn plans() -> Vec<Plan> {
    let named = |name| Plan {
        name,
        ..Plan::default()
    };
    vec![
        named("nothing configured"),
        Plan {
            rate: Some("0"),
            ..named("spans, a rate of 0")
        },
        Plan {
            rate: Some("0.01"),
            aim: Some(0.95),
            ..named("spans, 1 % recorded")
        },
        Plan {
            rate: Some("1"),
            ..named("spans, all recorded")
        },
        Plan {
            breakers: true,
            ..named("timeout, retry, breaker")
        },
        Plan {
            access: true,
            ..named("access control, 100 operations")
        },
        Plan {
            rate: Some("0.01"),
            breakers: true,
            access: true,
            aim: Some(0.9),
            ..named("these, and 1 % of spans")
        },
        Plan {
            tls: true,
            ..named("TLS, connections kept")
        },
    ]
}

/// A host that serves, with what was measured of each kind of request, a number for each round.
struct Measured {
    plan: Plan,
    serving: Serving,
    targets: Vec<At>,
    cpu: [Vec<f64>; REQUESTS.len()],
    per_second: [Vec<f64>; REQUESTS.len()],
}

pub fn measure(scale: Scale) -> Result<Section> {
    let directory = scratch()?;
    let receiver = Receiver::start()?;
    let mut all = Vec::new();
    for (number, plan) in plans().into_iter().enumerate() {
        let root = directory.path().join(number.to_string());
        all.push(Measured::start(plan, &root, receiver.address)?);
    }
    for _ in 0..scale.pick(7, 1) {
        for measured in &mut all {
            measured.round(scale.time(ROUND))?;
        }
    }
    let mut section = Section::new(
        "(p) the price of what is configured, 32 connections kept alive, warm instances; ratio is of the throughput \
         without it, in the same round",
    );
    for (kind, (name, _)) in REQUESTS.iter().enumerate() {
        for measured in &all {
            section.rows.push(measured.row(kind, name, &all[0]));
        }
    }
    let spans = receiver.bytes.load(Relaxed);
    let text = format!("{:.1} MB in all", spans as f64 / 1e6);
    section.rows.push(Row::new("spans received", text));
    Ok(section)
}

impl Measured {
    fn start(plan: Plan, root: &Path, receiver: SocketAddr) -> Result<Self> {
        let tls = plan.write(root, receiver)?;
        let serving = Serving::start(root)?;
        let connector = plan.tls.then(connector).transpose()?;
        let target = |(_, path): &(_, &str)| match &connector {
            None => Ok(At::clear(serving.address, path)),
            Some(connector) => {
                let name = ServerName::try_from(NAME)?;
                Ok(At {
                    address: tls,
                    path: (*path).to_owned(),
                    tls: Some((connector.clone(), name)),
                })
            }
        };
        let targets = REQUESTS.iter().map(target).collect::<Result<_>>()?;
        Ok(Measured {
            plan,
            serving,
            targets,
            cpu: Default::default(),
            per_second: Default::default(),
        })
    }

    fn round(&mut self, time: Duration) -> Result<()> {
        for (kind, target) in self.targets.iter().enumerate() {
            load::run_at(target, time.min(WARM_UP))?;
            let before = measure::cpu(self.serving.pid())?;
            let load = load::run_at(target, time)?;
            let used = measure::cpu(self.serving.pid())?.saturating_sub(before);
            self.cpu[kind].push(measure::each(used, load.requests));
            self.per_second[kind].push(load.per_second());
        }
        Ok(())
    }

    fn row(&self, kind: usize, request: &str, base: &Measured) -> Row {
        let text = format!("{:>6.0} req/s", measure::median(&self.per_second[kind]));
        let row = Row::new(format!("{request}: {}", self.plan.name), text)
            .cpu(measure::median(&self.cpu[kind]));
        if self.plan.name == base.plan.name {
            return row;
        }
        let pairs = self.per_second[kind].iter().zip(&base.per_second[kind]);
        let ratios: Vec<f64> = pairs.map(|(own, without)| own / without).collect();
        let ratio = measure::median(&ratios);
        let row = row.ratio(format!("x{ratio:.2}"));
        match self.plan.aim {
            Some(aim) => row.aim(Aim::AtLeast(aim, "x"), ratio),
            None => row,
        }
    }
}

impl Plan {
    /// Writes the directory of `wythe serve`, and returns the address at which it answers HTTPS.
    fn write(&self, root: &Path, receiver: SocketAddr) -> Result<SocketAddr> {
        let home = root.join("shop");
        fs::create_dir_all(home.join("resources"))?;
        for guest in ["plain", "echo", "meter"] {
            fs::copy(guests::file(guest), home.join(format!("{guest}.wasm")))?;
        }
        fs::write(home.join("wythe.yaml"), MANIFEST)?;
        let mut resources = RESOURCES.to_owned();
        if self.breakers {
            resources += BREAKERS;
        }
        if self.access {
            resources += &operations()?;
        }
        fs::write(home.join("resources/all.yaml"), resources)?;
        let tls = free()?;
        fs::write(
            root.join(wythe_manifest::HOST_FILE),
            self.host(root, receiver, tls)?,
        )?;
        Ok(tls)
    }

    fn host(&self, root: &Path, receiver: SocketAddr, tls: SocketAddr) -> Result<String> {
        let mut host = "apiVersion: wythe/v1\nkind: Host\nspec:\n".to_owned();
        if self.tls {
            for end in ["pem", "key"] {
                fs::copy(certificate(end), root.join(format!("shop.{end}")))?;
            }
            writeln!(
                host,
                "  tls: {{ listen: {tls}, certificate: shop.pem, key: shop.key }}"
            )?;
        }
        if let Some(rate) = self.rate {
            writeln!(
                host,
                "  tracing: {{ samplingRate: \"{rate}\", otel: {{ endpointAddress: \"{receiver}\", isSecure: false, protocol: http }} }}"
            )?;
        }
        Ok(match (self.tls, self.rate) {
            (true, _) => format!("{host}---\n{TLS}"),
            (false, Some(_)) => format!("{host}---\n{CLEAR}"),
            (false, None) => CLEAR.to_owned(),
        })
    }
}

/// A document that allows what is asked, after many operations that are about other paths.
fn operations() -> Result<String> {
    let mut text = "---
apiVersion: dapr.io/v1alpha1
kind: Configuration
metadata: { name: rules }
spec:
  accessControl:
    defaultAction: deny
    policies:
      - appId: front
        namespace: shop
        operations:
"
    .to_owned();
    for number in 0..99 {
        writeln!(
            text,
            "          - {{ name: /orders/{number}/*, httpVerb: [POST], action: deny }}"
        )?;
    }
    text += "          - { name: /who, httpVerb: [GET], action: allow }\n";
    Ok(text)
}

fn certificate(end: &str) -> PathBuf {
    guests::root().join(format!("tests/host/certificates/shop.{end}"))
}

fn connector() -> Result<TlsConnector> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(certificate("pem"))?)?;
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// A receiver of spans that counts bytes and forgets them.
struct Receiver {
    address: SocketAddr,
    bytes: Arc<AtomicU64>,
}

impl Receiver {
    /// Answers from a thread of its own until the benchmark ends.
    fn start() -> Result<Self> {
        let bytes = Arc::new(AtomicU64::new(0));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
        let address = listener.local_addr()?;
        let counted = bytes.clone();
        thread::Builder::new()
            .name("receiver".into())
            .spawn(move || runtime.block_on(receive(&listener, &counted)))
            .context("a thread")?;
        Ok(Receiver { address, bytes })
    }
}

async fn receive(listener: &TcpListener, bytes: &Arc<AtomicU64>) {
    while let Ok((stream, _)) = listener.accept().await {
        let bytes = bytes.clone();
        let service = service_fn(move |request: http::Request<Incoming>| {
            let bytes = bytes.clone();
            async move {
                if let Ok(body) = request.into_body().collect().await {
                    bytes.fetch_add(body.to_bytes().len() as u64, Relaxed);
                }
                Ok::<_, Infallible>(http::Response::new(Full::new(Bytes::new())))
            }
        });
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}
