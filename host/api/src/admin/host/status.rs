//! The state of a host: its tenants, their apps and components, and the changes that are not in force.

use super::{super::process, House};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, fs, path::Path};
use wythe_blocks::time::{milliseconds, timestamp};
use wythe_blocks::{self as blocks, Entrance, Health, Host, Notice, quota::Reading};
use wythe_manifest::{self as manifest, Name};

/// Digits of a version that are shown.
const DIGITS: usize = 12;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Status {
    pub pid: u32,
    pub version: String,
    /// Changes that are not in force.
    pub problems: Vec<Problem>,
    pub apps: Vec<App>,
    pub components: Vec<Component>,
    pub subscriptions: Vec<Subscription>,
    /// Circuit breakers; of those of single actors the ones that are not closed.
    pub breakers: Vec<Breaker>,
    /// The quotas of which the use is measured, of tenants that have an operator.
    pub quotas: Vec<Quota>,
}

impl Status {
    /// Keeps what is about such tenants alone.
    pub fn retain(&mut self, is_meant: impl Fn(&str) -> bool) {
        self.problems.retain(|one| is_meant(&one.about));
        self.apps.retain(|one| is_meant(&one.running.tenant));
        self.components.retain(|one| is_meant(&one.tenant));
        self.subscriptions.retain(|one| is_meant(&one.tenant));
        self.breakers.retain(|one| is_meant(&one.tenant));
        self.quotas.retain(|one| is_meant(&one.tenant));
    }
}

/// One reason why a change is not in force.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Problem {
    /// The tenant, or the name of the operator's file.
    pub about: String,
    pub kind: String,
    pub position: Option<String>,
    pub message: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct App {
    #[serde(flatten)]
    pub running: Running,
    /// The beginning of the digest of its code.
    pub version: String,
    /// Bytes that the host holds for it.
    pub host_memory: usize,
    pub host_memory_limit: u64,
    /// `ok`, or `starting` or `ill` by its health check.
    pub health: String,
    /// The reason of the last look that failed, where it is not well.
    pub health_reason: Option<String>,
    pub last_error: Option<Failed>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Component {
    pub tenant: String,
    pub component: String,
    #[serde(rename = "type")]
    pub kind: String,
    /// `ok`, or the kind of the error.
    pub health: String,
    pub last_error: Option<Failed>,
    /// The server that it speaks to, if it speaks to one.
    #[serde(default)]
    pub description: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Subscription {
    pub tenant: String,
    pub app: String,
    pub component: String,
    pub topic: String,
}

/// A call that failed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Failed {
    /// Milliseconds since 1970.
    pub time: u64,
    pub kind: String,
    pub message: String,
}

/// A tenant in a list.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Tenant {
    pub tenant: String,
    /// False where it is gone and its data is stored.
    pub served: bool,
    /// The names by which it is reached; `*` for all that are no other tenant's.
    pub reached: Vec<String>,
    pub apps: usize,
    pub components: usize,
    /// Problems of its last change.
    pub problems: usize,
    /// Bytes of its log that are in memory, and the most.
    pub log: usize,
    pub log_limit: usize,
    /// True where it runs in a process of its own.
    pub process: bool,
}

/// One circuit breaker of a tenant.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Breaker {
    pub tenant: String,
    /// The target in words.
    pub target: String,
    /// The name of its policy.
    pub policy: String,
    /// The app that it is for, where that is not every app.
    pub app: Option<String>,
    /// The actor, of a breaker of its own.
    pub actor: Option<String>,
    /// `closed`, `half-open` or `open`.
    pub state: String,
    /// Failures in a row.
    pub failures: u32,
    /// Milliseconds for which it stays open.
    pub open_for: Option<u64>,
}

/// One quota of a tenant.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Quota {
    pub tenant: String,
    pub quota: String,
    pub unit: Unit,
    pub used: u64,
    pub limit: u64,
    /// Times that something over it was refused.
    pub refused: u64,
}

/// The unit of a quota's amounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    Count,
    Bytes,
    PerSecond,
    BytesPerSecond,
    Milliseconds,
}

/// The calls and instances that an app has now.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Running {
    pub tenant: String,
    pub app: String,
    pub calls: usize,
    pub calls_limit: u32,
    pub instances: usize,
}

pub async fn of(host: &Host) -> Status {
    let mut status = Status {
        pid: std::process::id(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        problems: problems(host),
        ..Status::default()
    };
    for tenant in host.tenants() {
        add(&mut status, of_tenant(&tenant).await);
    }
    for (_, report) in process::reports(host).await {
        // One that does not answer has a notice that says why.
        let there = report.ok().and_then(|report| report.status);
        add(&mut status, there.unwrap_or_default());
    }
    status
        .problems
        .sort_by(|one, other| one.about.cmp(&other.about));
    status
}

async fn of_tenant(tenant: &blocks::Tenant) -> Status {
    let name = tenant.name().to_string();
    let reports = tenant.report().await.into_iter();
    let breakers = tenant.resiliency.breakers().into_iter();
    let readings = tenant.ledger.readings().into_iter();
    let subscribed = tenant.pubsub.subscribed().into_iter();
    let subscription = |(app, component, topic): (Name, String, String)| Subscription {
        tenant: name.clone(),
        app: app.to_string(),
        component,
        topic,
    };
    Status {
        apps: tenant.all_apps().iter().map(|one| app(one)).collect(),
        components: reports.map(|report| component(&name, report)).collect(),
        breakers: breakers.map(|one| breaker(&name, one)).collect(),
        quotas: readings.filter_map(|one| quota(&name, one)).collect(),
        subscriptions: subscribed.map(subscription).collect(),
        ..Status::default()
    }
}

/// Adds what is of one tenant, or of another process.
fn add(status: &mut Status, there: Status) {
    status.problems.extend(there.problems);
    status.apps.extend(there.apps);
    status.components.extend(there.components);
    status.subscriptions.extend(there.subscriptions);
    status.breakers.extend(there.breakers);
    status.quotas.extend(there.quotas);
}

fn problems(host: &Host) -> Vec<Problem> {
    let shown = |(about, all): (String, Vec<Notice>)| {
        all.into_iter().map(move |notice| Problem {
            about: about.clone(),
            kind: notice.kind,
            position: notice.position,
            message: notice.message,
        })
    };
    host.notices().list().into_iter().flat_map(shown).collect()
}

fn app(app: &blocks::App) -> App {
    let (usage, health) = (app.usage(), app.health());
    App {
        health: health.as_str().to_owned(),
        health_reason: match health {
            Health::Ill(reason) | Health::Starting(Some(reason)) => Some(reason),
            Health::Well | Health::Starting(None) => None,
        },
        running: running_of(app, usage),
        version: app.digest().chars().take(DIGITS).collect(),
        host_memory: usage.host_memory,
        host_memory_limit: app.limits().host_memory,
        last_error: app.last_error().map(failed),
    }
}

fn component(tenant: &str, report: blocks::Report) -> Component {
    let health = report.unwell.map_or("ok", |error| error.kind().as_str());
    Component {
        tenant: tenant.to_owned(),
        component: report.name.to_string(),
        kind: report.kind,
        health: health.to_owned(),
        last_error: report.last_error.map(failed),
        description: report.description,
    }
}

fn breaker(tenant: &str, reading: blocks::Reading) -> Breaker {
    Breaker {
        tenant: tenant.to_owned(),
        target: reading.target,
        policy: reading.policy,
        app: reading.app.map(|app| app.to_string()),
        actor: reading.actor,
        state: reading.state.to_owned(),
        failures: reading.failures,
        open_for: reading.open_for.map(milliseconds),
    }
}

fn failed(failed: blocks::Failed) -> Failed {
    Failed {
        time: timestamp(failed.time),
        kind: failed.kind.to_string(),
        message: failed.message,
    }
}

/// Apps that have calls or instances now.
pub async fn running(host: &Host) -> Vec<Running> {
    let tenants = host.tenants();
    let apps = tenants.iter().flat_map(|tenant| tenant.all_apps());
    let shown = apps.map(|app| running_of(&app, app.usage()));
    let mut running: Vec<_> = shown
        .filter(|app| app.calls > 0 || app.instances > 0)
        .collect();
    for (_, report) in process::reports(host).await {
        running.extend(report.map(|report| report.running).unwrap_or_default());
    }
    running
}

fn running_of(app: &blocks::App, usage: blocks::Usage) -> Running {
    Running {
        tenant: app.tenant().to_string(),
        app: app.id().to_string(),
        calls: app.under_way(),
        calls_limit: app.limits().concurrency,
        instances: usage.instances,
    }
}

/// Every tenant that is served, and every one of which data is stored.
pub async fn tenants(house: &House) -> Vec<Tenant> {
    let mut tenants = Vec::new();
    let mut gone = stored(&house.data);
    for tenant in house.host.tenants() {
        gone.remove(tenant.name());
        let (log, log_limit) = tenant.logs.bytes();
        tenants.push(Tenant {
            tenant: tenant.name().to_string(),
            served: true,
            reached: reached(house.host.routes().entrance(tenant.name())),
            apps: tenant.all_apps().len(),
            components: tenant.component_count(),
            problems: house.host.notices().of(tenant.name().as_str()).len(),
            log,
            log_limit,
            process: false,
        });
    }
    for (process, report) in process::reports(&house.host).await {
        let name = process.tenant();
        gone.remove(name);
        tenants.push(apart(house, name, report.unwrap_or_default()));
    }
    tenants.sort_by(|one, other| one.tenant.cmp(&other.tenant));
    tenants.extend(gone.into_iter().map(|name| Tenant {
        problems: house.host.notices().of(name.as_str()).len(),
        tenant: name.to_string(),
        served: false,
        reached: Vec::new(),
        apps: 0,
        components: 0,
        log: 0,
        log_limit: 0,
        process: false,
    }));
    tenants
}

/// A tenant that runs in a process of its own, as far as that tells; it is not served where the process does not answer.
fn apart(house: &House, name: &Name, report: process::Report) -> Tenant {
    let known = house.host.notices().of(name.as_str()).len();
    let own = report.tenant;
    let served = own.as_ref().is_some_and(|own| own.served);
    let (apps, components) = own
        .as_ref()
        .map_or((0, 0), |own| (own.apps, own.components));
    let (log, log_limit) = own.map_or((0, 0), |own| (own.log, own.log_limit));
    let problems = report.status.map_or(0, |status| status.problems.len());
    Tenant {
        tenant: name.to_string(),
        served,
        reached: reached(house.host.routes().entrance(name)),
        apps,
        components,
        problems: known + problems,
        log,
        log_limit,
        process: true,
    }
}

fn quota(tenant: &str, reading: Reading) -> Option<Quota> {
    Some(Quota {
        tenant: tenant.to_owned(),
        quota: reading.quota.key().to_owned(),
        unit: match reading.quota.unit() {
            manifest::Unit::Count => Unit::Count,
            manifest::Unit::Bytes => Unit::Bytes,
            manifest::Unit::PerSecond => Unit::PerSecond,
            manifest::Unit::BytesPerSecond => Unit::BytesPerSecond,
            manifest::Unit::Milliseconds => Unit::Milliseconds,
        },
        used: reading.used,
        limit: reading.limit?,
        refused: reading.refused,
    })
}

fn reached(entrance: Entrance) -> Vec<String> {
    match entrance {
        Entrance::Open => vec!["*".to_owned()],
        Entrance::Named { hosts, by_path, .. } => {
            let hosts = hosts.iter().map(ToString::to_string);
            hosts.chain(by_path.then(|| "path".to_owned())).collect()
        }
    }
}

/// The names of tenants of which there is data.
fn stored(data: &Path) -> BTreeSet<Name> {
    let entries = fs::read_dir(data).into_iter().flatten().flatten();
    let names = entries.filter(|entry| entry.path().is_dir());
    let names = names.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    names.collect()
}
