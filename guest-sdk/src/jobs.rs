//! Schedule a `Job`, once or again and again; run its occurrences as a `Runner`.
use std::collections::VecDeque;
use std::time::{Duration, SystemTime};

use serde::{Serialize, de::DeserializeOwned};

use crate::contract::app::wythe::blocks::jobs;
use crate::contract::runs_jobs::exports::wythe::blocks::job_runner;
use crate::{Result, milliseconds, time, timestamp};

#[doc(inline)]
pub use job_runner::Occurrence;
#[doc(inline)]
pub use jobs::{FailurePolicy, Job, Misfire, Page, Status, Trigger};

impl Job {
    /// A job as the contract has it, without bounds and data: a run that fails comes again after a second, three times, and
    /// what was missed comes as one.
    pub fn new(name: &str, trigger: Trigger) -> Self {
        Self {
            name: name.to_owned(),
            trigger,
            start: None,
            end: None,
            repeats: None,
            data: Vec::new(),
            on_failure: FailurePolicy::Retry((1_000, Some(3))),
            on_misfire: Misfire::One,
        }
    }

    /// A job that runs once; a time that has passed already is now.
    pub fn once_at(name: &str, at: SystemTime) -> Self {
        Self::new(name, Trigger::Once(timestamp(at)))
    }

    /// A job that runs once, after this long from now.
    pub fn once_in(name: &str, delay: Duration) -> Self {
        let at = timestamp(SystemTime::now()).saturating_add(milliseconds(delay));
        Self::new(name, Trigger::Once(at))
    }

    /// A job that runs again and again, at least 1 ms apart, for the first time one interval from now, or at its
    /// `start`.
    pub fn every(name: &str, interval: Duration) -> Self {
        Self::new(name, Trigger::Every(milliseconds(interval)))
    }

    /// A job that runs by the calendar: six fields with seconds, five without, a name such as `@daily`, or
    /// `@every 1h30m`; in UTC unless `time_zone` says otherwise.
    ///
    /// ```
    /// use wythe_sdk::jobs::Job;
    ///
    /// let mornings = Job::cron("report", "0 30 7 * * MON-FRI").time_zone("Europe/Vienna");
    /// # assert_eq!(mornings.name, "report");
    /// ```
    pub fn cron(name: &str, expression: &str) -> Self {
        Self::new(name, Trigger::Cron((expression.to_owned(), None)))
    }

    /// The IANA name of the time zone that a cron schedule is in. Other schedules know none, and stay as they are.
    pub fn time_zone(mut self, name: &str) -> Self {
        if let Trigger::Cron((_, zone)) = &mut self.trigger {
            *zone = Some(name.to_owned());
        }
        self
    }

    /// The first occurrence of a schedule that repeats is not before this.
    pub fn start(mut self, at: SystemTime) -> Self {
        self.start = Some(timestamp(at));
        self
    }

    /// Sets the time after which there is no occurrence.
    pub fn end(mut self, at: SystemTime) -> Self {
        self.end = Some(timestamp(at));
        self
    }

    /// Sets the number of occurrences, after which there are no more; at least 1.
    pub fn repeats(mut self, count: u32) -> Self {
        self.repeats = Some(count);
        self
    }

    /// Sets the data that each occurrence brings along, at most 64 KiB.
    pub fn data(mut self, data: impl Into<Vec<u8>>) -> Self {
        self.data = data.into();
        self
    }

    /// Sets the data that each occurrence brings along, as JSON of at most 64 KiB.
    pub fn data_json<T: Serialize + ?Sized>(self, data: &T) -> Result<Self> {
        Ok(self.data(serde_json::to_vec(data)?))
    }

    /// A run that failed is not tried again; a schedule that repeats goes on.
    pub fn on_failure_drop(mut self) -> Self {
        self.on_failure = FailurePolicy::Drop;
        self
    }

    /// A run that failed comes again after this long, at most so many times.
    pub fn on_failure_retry(mut self, interval: Duration, max_retries: u32) -> Self {
        self.on_failure = FailurePolicy::Retry((milliseconds(interval), Some(max_retries)));
        self
    }

    /// A run that failed comes again after this long, until it succeeds.
    pub fn on_failure_retry_forever(mut self, interval: Duration) -> Self {
        self.on_failure = FailurePolicy::Retry((milliseconds(interval), None));
        self
    }

    /// Sets the treatment of occurrences that came due while no host ran, or while the one before was still running.
    pub fn on_misfire(mut self, misfire: Misfire) -> Self {
        self.on_misfire = misfire;
        self
    }
}

impl Status {
    /// The time when the job comes next; none while it is paused.
    pub fn next_time(&self) -> Option<SystemTime> {
        self.next.map(time)
    }
}

impl Occurrence {
    /// The time when it was to come. It is never early.
    pub fn due_time(&self) -> SystemTime {
        time(self.due)
    }

    /// The job's data.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        Ok(serde_json::from_slice(&self.data)?)
    }
}

/// Returns once the job is durable. An error of kind `conflict` if the app has a job of this name, `invalid` for a job that
/// never comes, and for a name that has not 1 to 256 letters, digits, `-`, `_`, `.` and `:`.
///
/// ```no_run
/// # fn main() -> wythe_sdk::Result<()> {
/// use std::time::Duration;
/// use wythe_sdk::jobs::{self, Job};
///
/// jobs::schedule(&Job::once_in("remind-17", Duration::from_secs(600)).data("tea is ready"))?;
/// jobs::schedule_over(&Job::every("sweep", Duration::from_secs(60)))?;
/// # Ok(())
/// # }
/// ```
pub fn schedule(job: &Job) -> Result<()> {
    Ok(jobs::schedule(job, false)?)
}

/// Does what [`schedule`] does, in place of a job of this name: the new one starts anew.
pub fn schedule_over(job: &Job) -> Result<()> {
    Ok(jobs::schedule(job, true)?)
}

/// Reads a job; none once it is over or was deleted.
pub fn get(name: &str) -> Result<Option<Status>> {
    Ok(jobs::get(name)?)
}

/// Deletes a job; deleting what is absent is fine. An occurrence that is running ends by itself.
pub fn delete(name: &str) -> Result<()> {
    Ok(jobs::delete(name)?)
}

/// Pauses a job: no more occurrences come until [`resume`].
pub fn pause(name: &str) -> Result<()> {
    Ok(jobs::pause(name)?)
}

/// Goes on with the schedule; what came due meanwhile is a misfire.
pub fn resume(name: &str) -> Result<()> {
    Ok(jobs::resume(name)?)
}

/// Every job of this app whose name starts with `prefix`, in the order of names, fetched page by page.
pub fn list(prefix: &str) -> Jobs {
    Jobs {
        prefix: prefix.to_owned(),
        page: VecDeque::new(),
        state: Listing::From(None),
    }
}

/// One page of [`list`]: at most `limit` jobs (1 to 1,000) from where the cursor of the last page points.
pub fn list_page(prefix: &str, cursor: Option<&str>, limit: u32) -> Result<Page> {
    Ok(jobs::list(prefix, cursor, Some(limit))?)
}

/// The iterator that [`list`] returns. Ends after the first error.
#[derive(Debug)]
pub struct Jobs {
    prefix: String,
    page: VecDeque<Status>,
    state: Listing,
}

#[derive(Debug)]
enum Listing {
    From(Option<String>),
    Done,
}

impl Iterator for Jobs {
    type Item = Result<Status>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(status) = self.page.pop_front() {
                return Some(Ok(status));
            }
            // A page may be empty though it is not the last.
            let Listing::From(cursor) = std::mem::replace(&mut self.state, Listing::Done) else {
                return None;
            };
            match jobs::list(&self.prefix, cursor.as_deref(), None) {
                Ok(page) => {
                    self.page = page.jobs.into();
                    if page.next.is_some() {
                        self.state = Listing::From(page.next);
                    }
                }
                Err(error) => return Some(Err(error.into())),
            }
        }
    }
}

/// A trait that an app implements to run its jobs; `run_jobs!` exports it.
pub trait Runner {
    /// One occurrence, at least once: its id is the same on every attempt. An error follows the job's failure policy.
    fn run(occurrence: Occurrence) -> Result<()>;
}

/// Exports `wythe:blocks/job-runner` for a type that implements [`jobs::Runner`](Runner).
#[macro_export]
macro_rules! run_jobs {
    ($app:ident) => {
        impl $crate::contract::runs_jobs::exports::wythe::blocks::job_runner::Guest for $app {
            fn run(
                occurrence: $crate::jobs::Occurrence,
            ) -> ::std::result::Result<(), ::std::string::String> {
                <$app as $crate::jobs::Runner>::run(occurrence)
                    .map_err(|error| ::std::string::ToString::to_string(&error))
            }
        }
        $crate::contract::runs_jobs::export_job_runner!($app with_types_in $crate::contract::runs_jobs);
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_built_part_by_part() {
        let job = Job::cron("report", "0 30 7 * * *")
            .time_zone("Europe/Vienna")
            .start(time(5))
            .end(time(9))
            .repeats(3)
            .data_json(&["tea"])
            .unwrap()
            .on_failure_retry_forever(Duration::from_secs(2))
            .on_misfire(Misfire::All);
        let zone = Some("Europe/Vienna".to_owned());
        let expected = Job {
            name: "report".to_owned(),
            trigger: Trigger::Cron(("0 30 7 * * *".to_owned(), zone)),
            start: Some(5),
            end: Some(9),
            repeats: Some(3),
            data: br#"["tea"]"#.to_vec(),
            on_failure: FailurePolicy::Retry((2_000, None)),
            on_misfire: Misfire::All,
        };
        assert_eq!(job, expected);
    }

    #[test]
    fn each_trigger_has_its_builder() {
        let minute = Duration::from_secs(60);
        let once = Job::once_at("a", time(7)).time_zone("UTC");
        assert_eq!(once.trigger, Trigger::Once(7));
        assert_eq!(Job::every("a", minute).trigger, Trigger::Every(60_000));
        let before = timestamp(SystemTime::now()) + 60_000;
        let Trigger::Once(at) = Job::once_in("a", minute).trigger else {
            panic!("a job that comes once");
        };
        assert!((before..=timestamp(SystemTime::now()) + 60_000).contains(&at));
        let dropped = Job::every("a", minute).on_failure_drop();
        assert_eq!(dropped.on_failure, FailurePolicy::Drop);
        let retried = dropped.on_failure_retry(minute, 2);
        assert_eq!(retried.on_failure, FailurePolicy::Retry((60_000, Some(2))));
    }

    #[test]
    fn an_occurrence_has_json() {
        let occurrence = Occurrence {
            name: "a".to_owned(),
            id: "a/1/5".to_owned(),
            due: 5,
            attempt: 1,
            data: b"[1,2]".to_vec(),
        };
        assert_eq!(occurrence.json::<Vec<u32>>().unwrap(), [1, 2]);
        assert_eq!(occurrence.due_time(), time(5));
    }
}
