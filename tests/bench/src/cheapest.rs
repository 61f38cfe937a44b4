//! (l) The cost to a guest of the cheapest call of each block, over its driver alone: the boundary, the handle, the
//! grants, the deadline and the trace.

use crate::{
    Scale,
    child::scratch,
    measure,
    project::{Project, Wythe},
    report::{Aim, Row, Section},
};
use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};
use wythe_blocks::{
    Environment, Registry, Site, bindings, configuration, crypto, jobs,
    lock::{self, Acquired},
    secrets, state,
};
use wythe_manifest::Component;

const APPS: &str = "  - appID: gauge
    guest: gauge.wasm
    grants:
      state: [statestore]
      secrets: [vault]
      configuration: [settings]
      lock: [locks]
      crypto: [keys]
      bindings: [box]
      jobs: [\"*\"]
    reuse: { maxRequests: 1000000, idle: 1h }
";
const AIM: Aim = Aim::AtMost(2.0, "us");
/// Calls in one call of the guest, so that entering it does not count.
const TIMES: u64 = 20_000;
const LONG: Duration = Duration::from_secs(60);

/// Name and type of each component, and a setting.
const COMPONENTS: [(&str, &str, &str); 7] = [
    ("statestore", "state.memory", ""),
    (
        "vault",
        "secretstores.memory",
        "name: secrets, value: '{\"a\": \"b\"}'",
    ),
    (
        "settings",
        "configuration.memory",
        "name: items, value: '{\"a\": \"b\"}'",
    ),
    ("locks", "lock.memory", ""),
    (
        "keys",
        "crypto.memory",
        "name: jwks, value: '{\"keys\":[{\"kty\":\"oct\",\"kid\":\"gauge\",\"k\":\"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A\"}]}'",
    ),
    ("box", "bindings.memory", ""),
    ("jobs", "jobs.memory", ""),
];

fn resources() -> String {
    let text = |(name, kind, setting): (&str, &str, &str)| {
        let setting = match setting {
            "" => String::new(),
            setting => format!("{{ {setting} }}"),
        };
        format!(
            "---
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: {{ name: {name} }}
spec:
  type: {kind}
  version: v1
  metadata: [{setting}]
"
        )
    };
    COMPONENTS.map(text).concat()
}

/// The cheapest call of a block.
#[derive(Clone, Copy)]
enum Call {
    State,
    Secrets,
    Configuration,
    Lock,
    Crypto,
    Bindings,
    Jobs,
}

impl Call {
    const ALL: [Self; 7] = [
        Self::State,
        Self::Secrets,
        Self::Configuration,
        Self::Lock,
        Self::Crypto,
        Self::Bindings,
        Self::Jobs,
    ];

    fn text(self) -> &'static str {
        match self {
            Self::State => "state.get of 64 bytes",
            Self::Secrets => "secrets.get, a handle",
            Self::Configuration => "configuration.get of one item",
            Self::Lock => "lock: the mean of acquire and release",
            Self::Crypto => "crypto.wrap of 16 bytes by A256KW",
            Self::Bindings => "bindings.invoke `get` of 64 bytes",
            Self::Jobs => "jobs.get of a name that is free",
        }
    }

    /// The guest's name for it.
    fn name(self) -> &'static str {
        match self {
            Self::State => "state",
            Self::Secrets => "secrets",
            Self::Configuration => "configuration",
            Self::Lock => "lock",
            Self::Crypto => "crypto",
            Self::Bindings => "bindings",
            Self::Jobs => "jobs",
        }
    }

    /// Calls in one turn of its guest's loop.
    fn calls(self) -> u64 {
        match self {
            Self::Lock => 2,
            _ => 1,
        }
    }
}

/// The drivers themselves, opened a second time.
struct Alone {
    state: Arc<dyn state::Driver>,
    secrets: Arc<dyn secrets::Driver>,
    configuration: Arc<dyn configuration::Driver>,
    lock: Arc<dyn lock::Driver>,
    crypto: Arc<dyn crypto::Driver>,
    bindings: Arc<dyn bindings::Driver>,
    jobs: Arc<dyn jobs::Driver>,
}

pub async fn measure(scale: Scale) -> Result<Section> {
    let directory = scratch()?;
    let project = Project::write(directory.path(), APPS, &resources())?;
    let wythe = project.start().await?;
    let alone = Alone::open(directory.path()).await?;
    let mut section = Section::new(
        "(l) the cheapest call of each block from a guest, over its driver alone (in memory, called in this process)",
    );
    for call in Call::ALL {
        let (mut guest, mut driver, mut over) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..scale.pick(7, 1) {
            for _ in 0..scale.pick(5, 1) {
                let bare = measure::each(alone.calls(call).await?, TIMES * call.calls());
                let whole = measure::each(guest_calls(&wythe, call).await?, TIMES * call.calls());
                guest.push(whole);
                driver.push(bare);
                over.push(whole - bare);
            }
        }
        let (guest, driver) = (measure::median(&guest), measure::median(&driver));
        let over = measure::median(&over);
        let text = format!("{over:.3} us more ({guest:.3} us, the driver {driver:.3} us)");
        section
            .rows
            .push(Row::new(call.text(), text).aim(AIM, over));
    }
    wythe.stop().await;
    Ok(section)
}

async fn guest_calls(wythe: &Wythe, call: Call) -> Result<Duration> {
    let path = format!("/?call={}&n={TIMES}", call.name());
    let answer = wythe.ask("gauge", &path).await?;
    let nanoseconds = answer.parse().context("the guest answers nanoseconds")?;
    Ok(Duration::from_nanos(nanoseconds))
}

impl Alone {
    async fn open(directory: &Path) -> Result<Self> {
        let (resources, problems) =
            wythe_manifest::parse_resources(&resources(), Path::new("resources.yaml"));
        if problems.has_errors() {
            bail!("{problems}");
        }
        let registry = wythe_drivers::registry();
        let find = |name: &str| -> Result<(&Component, Site)> {
            let mut all = resources.components.iter();
            let found = all.find(|component| component.name.as_str() == name);
            Ok((found.context("a component")?, site(name, directory)?))
        };
        Self::of(&registry, find).await
    }

    async fn of<'a>(
        registry: &Registry,
        find: impl Fn(&str) -> Result<(&'a Component, Site)>,
    ) -> Result<Self> {
        let ((a, b), (c, d)) = (find("statestore")?, find("vault")?);
        let ((e, f), (g, h)) = (find("settings")?, find("locks")?);
        let ((i, j), (k, l), (m, n)) = (find("keys")?, find("box")?, find("jobs")?);
        let alone = Alone {
            state: registry.state.open(a, b).await?,
            secrets: registry.secrets.open(c, d).await?,
            configuration: registry.configuration.open(e, f).await?,
            lock: registry.lock.open(g, h).await?,
            crypto: registry.crypto.open(i, j).await?,
            bindings: registry.bindings.open(k, l).await?,
            jobs: registry.jobs.open(m, n).await?,
        };
        alone.fill().await?;
        Ok(alone)
    }

    async fn fill(&self) -> Result<()> {
        let data = Bytes::from(vec![b'x'; 64]);
        self.state
            .put(state::Put::new("gauge", data.clone()))
            .await?;
        self.record("create", &data).await
    }

    async fn record(&self, operation: &str, data: &Bytes) -> Result<()> {
        let request = bindings::Request {
            operation,
            data,
            metadata: &[("key".to_owned(), "gauge".to_owned())],
            max_bytes: 4 << 20,
            trace: wythe_blocks::Trace::start(),
            account: None,
        };
        self.bindings.invoke(request).await?;
        Ok(())
    }

    async fn calls(&self, call: Call) -> Result<Duration> {
        let begin = Instant::now();
        for _ in 0..TIMES {
            self.call(call).await?;
        }
        Ok(begin.elapsed())
    }

    async fn call(&self, call: Call) -> Result<()> {
        match call {
            Call::State => ensure!(self.state.get(&"gauge".into()).await?.is_some()),
            Call::Secrets => ensure!(self.secrets.get("a", &[]).await?.is_some()),
            Call::Configuration => {
                ensure!(self.configuration.get(&["a".into()]).await?.len() == 1);
            }
            Call::Lock => match self.lock.acquire(&"gauge".into(), "gauge", LONG).await? {
                Acquired::Granted(grant) => self.lock.release(&"gauge".into(), grant.token).await?,
                Acquired::Held { .. } => bail!("the lock is nobody else's"),
            },
            Call::Crypto => {
                let by = crypto::WrapAlgorithm::A256Kw;
                self.crypto.wrap("gauge", by, &[1; 16]).await?;
            }
            Call::Bindings => self.record("get", &Bytes::new()).await?,
            Call::Jobs => ensure!(self.jobs.get("gauge", "gauge").await?.is_none()),
        }
        Ok(())
    }
}

/// The site of a component that is opened a second time, with data of its own.
pub fn site(component: &str, directory: &Path) -> Result<Site> {
    Ok(Site {
        terms: None,
        ledger: None,
        tenant: "default".parse()?,
        component: component.to_owned(),
        directory: directory.join("alone").join(component),
        beside: directory.to_owned(),
        root: directory.to_owned(),
        environment: Environment::default(),
    })
}
