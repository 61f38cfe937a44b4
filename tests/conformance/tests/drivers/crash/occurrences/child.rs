//! The child: a host whose app writes down what it ran, durably, before it answers.

use super::{APP, RAN, REPEATING};
use crate::{
    crash::process::{Order, say},
    open,
};
use anyhow::{Result, anyhow};
use async_trait::async_trait;
use parking_lot::Mutex;
use std::{
    fs::{File, OpenOptions},
    io::Write as _,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};
use wythe_blocks::{
    App, Call, Callee, Error, Exports, Kind, Profile, Settings, Shared, Tenant,
    jobs::{FailurePolicy, Job, Misfire, Occurrence, Trigger},
};
use wythe_manifest::Name;

/// Every so many runs one fails, so that attempts are cut off, too.
const FAILS: u64 = 7;

pub(super) async fn live(order: &Order) -> Result<()> {
    let tenant: Name = "default".parse().map_err(|_| anyhow!("a name"))?;
    let settings = Settings::new(tenant.clone(), order.directory.clone());
    let path = order.directory.join("subject/jobs.redb");
    let metadata = format!("[{{ name: path, value: {} }}]", path.display());
    let component = open::component("jobs", "redb", &metadata);
    let host = Tenant::new(settings, &Shared::default());
    host.open(&wythe_drivers::registry(), &[component])
        .await
        .map_err(|errors| anyhow!("{errors:?}"))?;
    let ran = OpenOptions::new()
        .create(true)
        .append(true)
        .open(order.directory.join(RAN))?;
    let diary = Diary {
        ran: Mutex::new((ran, 0)),
    };
    let id = APP.parse().map_err(|_| anyhow!("a name"))?;
    let app = App::new(Profile::new(tenant.clone(), id), Arc::new(diary));
    host.jobs.attach(&app);
    schedule(&host, &tenant, order.start).await
}

async fn schedule(host: &Tenant, tenant: &Name, start: u64) -> Result<()> {
    for (name, interval) in REPEATING {
        let job = job(name, Trigger::Every(Duration::from_millis(interval)));
        match host.jobs.schedule(&caller(tenant)?, job, false).await {
            Err(error) if error.kind() != Kind::Conflict => return Err(error.into()),
            _ => say(&format!("scheduled {name}"))?,
        }
    }
    for number in start.. {
        let name = format!("once-{number}");
        let at = now() + number % 5 * 4;
        let job = job(&name, Trigger::Once(at));
        host.jobs.schedule(&caller(tenant)?, job, false).await?;
        say(&format!("scheduled {name}"))?;
    }
    Ok(())
}

fn job(name: &str, trigger: Trigger) -> Job {
    Job {
        name: name.into(),
        trigger,
        start: None,
        end: None,
        repeats: None,
        data: vec![7; 100].into(),
        on_failure: FailurePolicy::Retry {
            interval: Duration::from_millis(2),
            max_retries: None,
        },
        on_misfire: Misfire::All,
    }
}

fn caller(tenant: &Name) -> Result<Call> {
    let app = APP.parse().map_err(|_| anyhow!("a name"))?;
    let deadline = Instant::now() + Duration::from_secs(60);
    Ok(Call::operator(tenant.clone(), app, deadline))
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap_or_default().as_millis() as u64
}

struct Diary {
    ran: Mutex<(File, u64)>,
}

impl Diary {
    /// Notes an occurrence in one write, and so whole or not at all.
    fn note(&self, occurrence: &Occurrence) -> std::io::Result<bool> {
        let mut ran = self.ran.lock();
        ran.1 += 1;
        if ran.1.is_multiple_of(FAILS) {
            return Ok(false);
        }
        let line = format!("{} {}\n", occurrence.id, now());
        ran.0.write_all(line.as_bytes())?;
        ran.0.sync_data()?;
        Ok(true)
    }
}

#[async_trait]
impl Callee for Diary {
    fn exports(&self) -> Exports {
        Exports {
            job_runner: true,
            ..Exports::default()
        }
    }

    async fn run_job(&self, _: Call, occurrence: Occurrence) -> wythe_blocks::Result<()> {
        match self.note(&occurrence) {
            Ok(true) => Ok(()),
            Ok(false) => Err(Error::internal("this one fails, as planned")),
            Err(error) => Err(Error::internal("the diary cannot be written").with_source(error)),
        }
    }
}
