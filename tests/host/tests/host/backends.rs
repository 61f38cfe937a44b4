//! Apps on real servers: the same shop over other components, two hosts on one store, and state that moves.

mod hosts;
mod moved;

use crate::{
    crash::{Process, run_in},
    shop::{
        buyer::{Buyer, CARD},
        shop_of,
    },
    trial,
};
use anyhow::{Context, Result, ensure};
use host_tests::{Project, sample};
use libtest_mimic::Trial;
use servers::{Missing, Nats, Postgres, RabbitMq, Redis, Server, must_be_there};
use std::{fs, path::PathBuf, time::Duration};

/// The secret of hosts that share a broker.
const SEAL_KEY: &str = "a secret of this test, and of no other one";

/// The usual address of a server, and that of a server of tests, as resources write them.
type Address = (&'static str, fn(&Server) -> String);

/// Servers that the shop can stand on.
#[derive(Clone, Copy)]
pub(crate) struct Ground {
    /// The directory of its resources.
    name: &'static str,
    start: fn() -> Result<Vec<Server>, Missing>,
    missing: fn() -> Option<Missing>,
    /// The addresses of the servers, in their order.
    addresses: &'static [Address],
    /// Jobs are there, too, which two hosts run.
    has_jobs: bool,
    /// Two hosts and a migration are tested on it, too.
    has_migration: bool,
}

const POSTGRESQL: Address = ("host=127.0.0.1 port=5432", |server| {
    format!("host=127.0.0.1 port={}", server.address().port())
});

const NATS: Ground = Ground {
    name: "nats",
    start: || Ok(vec![Server::start(Nats::default())?]),
    missing: || Nats::check_batches().err(),
    addresses: &[("127.0.0.1:4222", |server| server.address().to_string())],
    has_jobs: false,
    has_migration: true,
};

pub(crate) const GROUNDS: [Ground; 4] = [
    NATS,
    Ground {
        name: "redis",
        start: || Ok(vec![Server::start(Redis::default())?]),
        missing: || Server::missing(&Redis::default()),
        addresses: &[("127.0.0.1:6379", |server| server.address().to_string())],
        has_jobs: false,
        has_migration: true,
    },
    Ground {
        name: "postgresql",
        start: || Ok(vec![Server::start(Postgres)?]),
        missing: || Server::missing(&Postgres),
        addresses: &[POSTGRESQL],
        has_jobs: true,
        has_migration: true,
    },
    Ground {
        name: "postgresql-rabbitmq",
        start: || {
            let events = Server::start(RabbitMq::default())?;
            Ok(vec![Server::start(Postgres)?, events])
        },
        missing: || Server::missing(&Postgres).or_else(|| Server::missing(&RabbitMq::default())),
        addresses: &[
            POSTGRESQL,
            ("127.0.0.1:5672", |server| server.address().to_string()),
        ],
        has_jobs: true,
        has_migration: false,
    },
];

pub fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    for ground in GROUNDS {
        let shop = format!("backends::the_shop_buys_on_{}", ground.name);
        trials.push(over(&shop, ground, bought));
        if ground.has_migration {
            trials.extend(hosts::trials(ground));
            trials.extend(moved::trials(ground));
        }
    }
    trials.push(crate::case(
        "backends::the_shop_buys_on_what_is_embedded",
        embedded,
    ));
    trials
}

/// A test over a server, which is ignored with the reason where this machine cannot have one.
fn over<F>(name: &str, ground: Ground, run: fn(Standing) -> F) -> Trial
where
    F: Future<Output = Result<()>> + 'static,
{
    let missing = (ground.missing)().filter(|missing| !must_be_there(missing));
    let name = missing
        .as_ref()
        .map_or(name.to_owned(), |why| format!("{name} ({why})"));
    let test = trial(&name, move || async move {
        let servers = (ground.start)()?;
        run(Standing { ground, servers }).await
    });
    test.with_ignored_flag(missing.is_some())
}

/// Servers that run, and what stands on them.
struct Standing {
    ground: Ground,
    servers: Vec<Server>,
}

impl Standing {
    /// The resources of the sample, with the addresses of these servers in place of the usual ones, in a directory of the
    /// project.
    fn resources(&self, project: &Project) -> Result<PathBuf> {
        let name = self.ground.name;
        let file = format!("backends/{name}/{name}.yaml");
        let mut text = fs::read_to_string(sample("shop").join(&file))?;
        for ((usual, here), server) in self.ground.addresses.iter().zip(&self.servers) {
            ensure!(text.contains(usual), "no {usual} in {text}");
            text = text.replace(usual, &here(server));
        }
        // Two hosts on one broker believe each other's events by it.
        let key = format!("  metadata:\n    - {{ name: sealKey, value: \"{SEAL_KEY}\" }}\n");
        let events = text.find("  type: pubsub.");
        let metadata = events.and_then(|at| Some(at + text[at..].find("  metadata:\n")?));
        let at = metadata.context("no events in the resources")?;
        text.replace_range(at..at + "  metadata:\n".len(), &key);
        let path = project.write(&file, text);
        Ok(path.parent().map(PathBuf::from).unwrap_or_default())
    }

    /// Starts a host of a project over the servers.
    fn host(&self, project: &Project, data: &str) -> Result<Process> {
        let resources = self.resources(project)?.display().to_string();
        let own = project.path().join("resources");
        let data = project.path().join(data).display().to_string();
        let mut args = vec!["--data-dir", &data, "--resources", &resources];
        let own = own.is_dir().then(|| own.display().to_string());
        if let Some(own) = &own {
            args.extend(["--resources", own]);
        }
        run_in(project.path(), &args)
    }
}

async fn bought(standing: Standing) -> Result<()> {
    let project = shop_of("")?;
    let mut process = standing.host(&project, ".wythe")?;
    purchase(&process).await?;
    process.child.kill()?;
    process.child.wait()?;
    let embedded = project.path().join(".wythe/data/default/statestore");
    ensure!(!embedded.exists(), "state beside the server");
    Ok(())
}

async fn embedded() -> Result<()> {
    let project = shop_of("")?;
    let own = project.path().join("resources").display().to_string();
    let mut process = run_in(project.path(), &["--resources", &own])?;
    purchase(&process).await?;
    process.child.kill()?;
    process.child.wait()?;
    let missing = run_in(project.path(), &["--resources", "nowhere"]);
    let error = missing
        .err()
        .map(|error| error.to_string())
        .unwrap_or_default();
    ensure!(
        error.contains("nowhere") && error.contains("cannot be read as a directory of resources"),
        "{error}"
    );
    Ok(())
}

/// Buys something, and waits for the letter.
async fn purchase(process: &Process) -> Result<()> {
    let buyer = Buyer::at(&process.url).await?;
    buyer.put("trowel", 2).await?;
    let answer = buyer.buy("one", "Lane+1", CARD).await?;
    ensure!(answer.status == 303, "{answer:?}");
    for _ in 0..600 {
        let outbox = buyer.get("/outbox").await?.text();
        if outbox.contains("\"sent\":true") {
            ensure!(outbox.matches("\"order\":\"one\"").count() == 1, "{outbox}");
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    anyhow::bail!("no letter")
}
