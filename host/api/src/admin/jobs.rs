//! The commands of the jobs block, as an operator gives them.

use super::Binary;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use wythe_blocks::{Call, Result, Tenant, jobs, time::milliseconds};

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Jobs {
    /// The app whose jobs they are.
    pub app: String,
    pub action: Action,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Action {
    List {
        prefix: String,
        limit: u32,
        cursor: Option<String>,
    },
    Get {
        name: String,
    },
    Schedule {
        job: Box<Job>,
        overwrite: bool,
    },
    Delete {
        name: String,
    },
    Pause {
        name: String,
    },
    Resume {
        name: String,
    },
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    Page {
        jobs: Vec<Status>,
        next: Option<String>,
    },
    /// A job; absent where there is none, or it is over.
    Job(Option<Box<Status>>),
    Done,
}

/// Times are milliseconds since 1970, lengths of time milliseconds.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Job {
    pub name: String,
    pub trigger: Trigger,
    pub start: Option<u64>,
    pub end: Option<u64>,
    pub repeats: Option<u32>,
    pub data: Binary,
    /// The retries; absent where a run that failed is not tried again.
    pub retry: Option<Retry>,
    pub misfire: Misfire,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trigger {
    Once(u64),
    Every(u64),
    Cron {
        expression: String,
        time_zone: Option<String>,
    },
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Retry {
    pub interval: u64,
    /// The most tries; absent for tries until it succeeds.
    #[serde(rename = "most")]
    pub max_retries: Option<u32>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Misfire {
    One,
    All,
    Skip,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Status {
    pub job: Job,
    pub next: Option<u64>,
    pub paused: bool,
    pub runs: u64,
    pub failure: Option<String>,
}

pub(super) async fn execute(tenant: &Tenant, caller: &Call, action: Action) -> Result<Answer> {
    let jobs = &tenant.jobs;
    match action {
        Action::List {
            prefix,
            limit,
            cursor,
        } => {
            let found = jobs.list(caller, &prefix, cursor.as_deref(), Some(limit));
            let found = found.await?;
            Ok(Answer::Page {
                jobs: found.jobs.into_iter().map(Into::into).collect(),
                next: found.next,
            })
        }
        Action::Get { name } => job(tenant, caller, &name).await,
        Action::Schedule {
            job: wanted,
            overwrite,
        } => {
            let name = wanted.name.clone();
            jobs.schedule(caller, (*wanted).into(), overwrite).await?;
            job(tenant, caller, &name).await
        }
        Action::Delete { name } => jobs.delete(caller, &name).await.map(|()| Answer::Done),
        Action::Pause { name } => jobs.pause(caller, &name).await.map(|()| Answer::Done),
        Action::Resume { name } => jobs.resume(caller, &name).await.map(|()| Answer::Done),
    }
}

async fn job(tenant: &Tenant, caller: &Call, name: &str) -> Result<Answer> {
    let found = tenant.jobs.get(caller, name).await?;
    Ok(Answer::Job(found.map(|status| Box::new(status.into()))))
}

impl From<jobs::Status> for Status {
    fn from(status: jobs::Status) -> Self {
        Status {
            job: status.job.into(),
            next: status.next,
            paused: status.paused,
            runs: status.occurrences,
            failure: status.failure,
        }
    }
}

impl From<Job> for jobs::Job {
    fn from(job: Job) -> Self {
        let interval = |retry: Retry| jobs::FailurePolicy::Retry {
            interval: Duration::from_millis(retry.interval),
            max_retries: retry.max_retries,
        };
        jobs::Job {
            name: job.name,
            trigger: match job.trigger {
                Trigger::Once(at) => jobs::Trigger::Once(at),
                Trigger::Every(interval) => jobs::Trigger::Every(Duration::from_millis(interval)),
                Trigger::Cron {
                    expression,
                    time_zone,
                } => jobs::Trigger::Cron {
                    expression,
                    time_zone,
                },
            },
            start: job.start,
            end: job.end,
            repeats: job.repeats,
            data: job.data.0.into(),
            on_failure: job.retry.map_or(jobs::FailurePolicy::Drop, interval),
            on_misfire: match job.misfire {
                Misfire::One => jobs::Misfire::One,
                Misfire::All => jobs::Misfire::All,
                Misfire::Skip => jobs::Misfire::Skip,
            },
        }
    }
}

impl From<jobs::Job> for Job {
    fn from(job: jobs::Job) -> Self {
        Job {
            name: job.name,
            trigger: match job.trigger {
                jobs::Trigger::Once(at) => Trigger::Once(at),
                jobs::Trigger::Every(interval) => Trigger::Every(milliseconds(interval)),
                jobs::Trigger::Cron {
                    expression,
                    time_zone,
                } => Trigger::Cron {
                    expression,
                    time_zone,
                },
            },
            start: job.start,
            end: job.end,
            repeats: job.repeats,
            data: Binary(job.data.into()),
            retry: match job.on_failure {
                jobs::FailurePolicy::Drop => None,
                jobs::FailurePolicy::Retry {
                    interval,
                    max_retries,
                } => Some(Retry {
                    interval: milliseconds(interval),
                    max_retries,
                }),
            },
            misfire: match job.on_misfire {
                jobs::Misfire::One => Misfire::One,
                jobs::Misfire::All => Misfire::All,
                jobs::Misfire::Skip => Misfire::Skip,
            },
        }
    }
}
