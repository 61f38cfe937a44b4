//! `wythe:blocks/jobs` for guests.

use crate::{
    bindings::app::wythe::blocks::jobs::{self as wit, Host},
    ctx::Ctx,
    wit::{Answer, milliseconds},
};
use std::time::Duration;
use wythe_blocks::jobs;

impl Host for Ctx {
    async fn schedule(&mut self, job: wit::Job, overwrite: bool) -> Answer<()> {
        let jobs = &self.identity.tenant.jobs;
        let scheduled = jobs.schedule(&self.caller, job.into(), overwrite);
        Ok(scheduled.await?)
    }

    async fn get(&mut self, name: String) -> Answer<Option<wit::Status>> {
        let jobs = &self.identity.tenant.jobs;
        Ok(jobs.get(&self.caller, &name).await?.map(Into::into))
    }

    async fn delete(&mut self, name: String) -> Answer<()> {
        let jobs = &self.identity.tenant.jobs;
        Ok(jobs.delete(&self.caller, &name).await?)
    }

    async fn list(
        &mut self,
        prefix: String,
        cursor: Option<String>,
        limit: Option<u32>,
    ) -> Answer<wit::Page> {
        let jobs = &self.identity.tenant.jobs;
        let answer = jobs.list(&self.caller, &prefix, cursor.as_deref(), limit);
        Ok(answer.await?.into())
    }

    async fn pause(&mut self, name: String) -> Answer<()> {
        let jobs = &self.identity.tenant.jobs;
        Ok(jobs.pause(&self.caller, &name).await?)
    }

    async fn resume(&mut self, name: String) -> Answer<()> {
        let jobs = &self.identity.tenant.jobs;
        Ok(jobs.resume(&self.caller, &name).await?)
    }
}

impl From<jobs::Listing> for wit::Page {
    fn from(listing: jobs::Listing) -> Self {
        wit::Page {
            jobs: listing.jobs.into_iter().map(Into::into).collect(),
            next: listing.next,
        }
    }
}

impl From<jobs::Status> for wit::Status {
    fn from(status: jobs::Status) -> Self {
        wit::Status {
            job: status.job.into(),
            next: status.next,
            paused: status.paused,
            occurrences: status.occurrences,
            failure: status.failure,
        }
    }
}

impl From<wit::Job> for jobs::Job {
    fn from(job: wit::Job) -> Self {
        jobs::Job {
            name: job.name,
            trigger: job.trigger.into(),
            start: job.start,
            end: job.end,
            repeats: job.repeats,
            data: job.data.into(),
            on_failure: job.on_failure.into(),
            on_misfire: job.on_misfire.into(),
        }
    }
}

impl From<jobs::Job> for wit::Job {
    fn from(job: jobs::Job) -> Self {
        wit::Job {
            name: job.name,
            trigger: job.trigger.into(),
            start: job.start,
            end: job.end,
            repeats: job.repeats,
            data: job.data.into(),
            on_failure: job.on_failure.into(),
            on_misfire: job.on_misfire.into(),
        }
    }
}

impl From<wit::Trigger> for jobs::Trigger {
    fn from(trigger: wit::Trigger) -> Self {
        match trigger {
            wit::Trigger::Once(at) => jobs::Trigger::Once(at),
            wit::Trigger::Every(interval) => jobs::Trigger::Every(Duration::from_millis(interval)),
            wit::Trigger::Cron((expression, time_zone)) => jobs::Trigger::Cron {
                expression,
                time_zone,
            },
        }
    }
}

impl From<jobs::Trigger> for wit::Trigger {
    fn from(trigger: jobs::Trigger) -> Self {
        match trigger {
            jobs::Trigger::Once(at) => wit::Trigger::Once(at),
            jobs::Trigger::Every(interval) => wit::Trigger::Every(milliseconds(interval)),
            jobs::Trigger::Cron {
                expression,
                time_zone,
            } => wit::Trigger::Cron((expression, time_zone)),
        }
    }
}

impl From<wit::FailurePolicy> for jobs::FailurePolicy {
    fn from(policy: wit::FailurePolicy) -> Self {
        match policy {
            wit::FailurePolicy::Drop => jobs::FailurePolicy::Drop,
            wit::FailurePolicy::Retry((interval, max_retries)) => jobs::FailurePolicy::Retry {
                interval: Duration::from_millis(interval),
                max_retries,
            },
        }
    }
}

impl From<jobs::FailurePolicy> for wit::FailurePolicy {
    fn from(policy: jobs::FailurePolicy) -> Self {
        match policy {
            jobs::FailurePolicy::Drop => wit::FailurePolicy::Drop,
            jobs::FailurePolicy::Retry {
                interval,
                max_retries,
            } => wit::FailurePolicy::Retry((milliseconds(interval), max_retries)),
        }
    }
}

impl From<wit::Misfire> for jobs::Misfire {
    fn from(misfire: wit::Misfire) -> Self {
        match misfire {
            wit::Misfire::One => jobs::Misfire::One,
            wit::Misfire::All => jobs::Misfire::All,
            wit::Misfire::Skip => jobs::Misfire::Skip,
        }
    }
}

impl From<jobs::Misfire> for wit::Misfire {
    fn from(misfire: jobs::Misfire) -> Self {
        match misfire {
            jobs::Misfire::One => wit::Misfire::One,
            jobs::Misfire::All => wit::Misfire::All,
            jobs::Misfire::Skip => wit::Misfire::Skip,
        }
    }
}
