//! The rules that a job must keep before it is stored, each with words of its own for a job that breaks it.

use super::{
    FailurePolicy, Job, Row, Timestamp, Trigger,
    calendar::{Calendar, LAST, shown_time},
};
use crate::{Error, Result, random};

/// Bytes of a name.
const MAX_NAME: usize = 256;
/// Bytes of a job's data.
pub const MAX_DATA: usize = 64 << 10;
/// Rows of a page.
pub(super) const MAX_PAGE: u32 = 1_000;
pub(super) const DEFAULT_PAGE: u32 = 100;

/// Letters, digits, `-`, `_`, `.` and `:`, and not too many.
pub fn check_name(name: &str) -> Result<()> {
    if !name.is_empty() && is_plain(name) {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "the job name `{}`; expected 1 to {MAX_NAME} bytes of letters, digits, `-`, `_`, `.` and `:`",
        shown(name)
    )))
}

pub(super) fn check_prefix(prefix: &str) -> Result<()> {
    if is_plain(prefix) {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "the prefix `{}`; expected at most {MAX_NAME} bytes of letters, digits, `-`, `_`, `.` and `:`",
        shown(prefix)
    )))
}

pub(super) fn check_limit(limit: Option<u32>) -> Result<u32> {
    match limit.unwrap_or(DEFAULT_PAGE) {
        limit if (1..=MAX_PAGE).contains(&limit) => Ok(limit),
        limit => Err(Error::invalid(format!(
            "a page of {limit}; expected 1 to {MAX_PAGE}"
        ))),
    }
}

fn is_plain(name: &str) -> bool {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
    name.len() <= MAX_NAME && name.bytes().all(good)
}

fn shown(name: &str) -> String {
    match name.char_indices().nth(80) {
        Some((end, _)) => format!("{}…", &name[..end]),
        None => name.to_owned(),
    }
}

/// The row of a job that is scheduled now.
pub(super) fn row(app: &str, job: Job, now: Timestamp) -> Result<Row> {
    check_name(&job.name)?;
    check_bounds(&job)?;
    let calendar = Calendar::read(&job.trigger)?;
    let due = calendar.first(job.start, now).ok_or_else(|| {
        Error::invalid(format!(
            "job `{}` has no occurrence before the year 10000",
            job.name
        ))
    })?;
    // What is due already comes now; it was not missed, for there was no such job.
    let wake = due.max(now);
    if let Some(end) = job.end.filter(|end| *end < wake) {
        return Err(Error::invalid(format!(
            "job `{}` ends at {}, before its first occurrence at {}",
            job.name,
            shown_time(end),
            shown_time(wake)
        )));
    }
    Ok(Row {
        app: app.to_owned(),
        job,
        incarnation: u64::from_ne_bytes(random::bytes()?),
        version: u64::from_ne_bytes(random::bytes()?),
        due: Some(due),
        wake: Some(wake),
        attempts: 0,
        paused: false,
        occurrences: 0,
        failure: None,
    })
}

fn check_bounds(job: &Job) -> Result<()> {
    let name = &job.name;
    if job.data.len() > MAX_DATA {
        return Err(Error::invalid(format!(
            "the data of job `{name}` has {} bytes; at most {MAX_DATA} are allowed",
            job.data.len()
        )));
    }
    if job.repeats == Some(0) {
        return Err(Error::invalid(format!(
            "job `{name}` has 0 repeats; expected at least 1, or none where there is no last one"
        )));
    }
    for (what, at) in [("start", job.start), ("end", job.end)] {
        if let Some(at) = at.filter(|at| *at > LAST) {
            return Err(Error::invalid(format!(
                "the {what} {at} of job `{name}`; expected milliseconds since 1970, before the year 10000"
            )));
        }
    }
    if let (Trigger::Once(_), Some(_)) = (&job.trigger, job.start) {
        return Err(Error::invalid(format!(
            "job `{name}` comes once and has a start; a start is for what repeats, so leave it out"
        )));
    }
    if let (Some(start), Some(end)) = (job.start, job.end)
        && end < start
    {
        return Err(Error::invalid(format!(
            "job `{name}` ends at {}, before its start at {}",
            shown_time(end),
            shown_time(start)
        )));
    }
    if let FailurePolicy::Retry { interval, .. } = job.on_failure
        && interval.as_millis() == 0
    {
        return Err(Error::invalid(format!(
            "job `{name}` retries after {interval:?}; expected at least 1 ms"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
