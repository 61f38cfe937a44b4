//! A job as a text of JSON, beside the columns that the server looks at.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use wythe_blocks::{
    jobs::{FailurePolicy, Job, Misfire, Row, Timestamp, Trigger},
    time::milliseconds,
};

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Form {
    trigger: When,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    start: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    end: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    repeats: Option<u32>,
    /// Absent where a failed occurrence is dropped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retry: Option<Retry>,
    misfire: Missed,
    incarnation: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    due: Option<Timestamp>,
    attempts: u32,
    paused: bool,
    occurrences: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    failure: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum When {
    Once(Timestamp),
    /// Seconds and nanoseconds.
    Every(u64, u32),
    Cron(String, Option<String>),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Retry {
    milliseconds: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    limit: Option<u32>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Missed {
    One,
    All,
    Skip,
}

pub(super) fn write(row: &Row) -> String {
    let job = &row.job;
    let form = Form {
        trigger: match &job.trigger {
            Trigger::Once(at) => When::Once(*at),
            Trigger::Every(every) => When::Every(every.as_secs(), every.subsec_nanos()),
            Trigger::Cron {
                expression,
                time_zone,
            } => When::Cron(expression.clone(), time_zone.clone()),
        },
        start: job.start,
        end: job.end,
        repeats: job.repeats,
        retry: match job.on_failure {
            FailurePolicy::Drop => None,
            FailurePolicy::Retry {
                interval,
                max_retries,
            } => Some(Retry {
                milliseconds: milliseconds(interval),
                limit: max_retries,
            }),
        },
        misfire: match job.on_misfire {
            Misfire::One => Missed::One,
            Misfire::All => Missed::All,
            Misfire::Skip => Missed::Skip,
        },
        incarnation: row.incarnation,
        due: row.due,
        attempts: row.attempts,
        paused: row.paused,
        occurrences: row.occurrences,
        failure: row.failure.clone(),
    };
    serde_json::to_string(&form).unwrap_or_default()
}

/// Reads a form; what has a column of its own is left empty.
pub(super) fn read(text: &str, name: String, data: Bytes) -> Result<Row, serde_json::Error> {
    let form: Form = serde_json::from_str(text)?;
    let job = Job {
        name,
        trigger: match form.trigger {
            When::Once(at) => Trigger::Once(at),
            When::Every(seconds, rest) => Trigger::Every(
                Duration::from_secs(seconds).saturating_add(Duration::from_nanos(rest.into())),
            ),
            When::Cron(expression, time_zone) => Trigger::Cron {
                expression,
                time_zone,
            },
        },
        start: form.start,
        end: form.end,
        repeats: form.repeats,
        data,
        on_failure: match form.retry {
            None => FailurePolicy::Drop,
            Some(retry) => FailurePolicy::Retry {
                interval: Duration::from_millis(retry.milliseconds),
                max_retries: retry.limit,
            },
        },
        on_misfire: match form.misfire {
            Missed::One => Misfire::One,
            Missed::All => Misfire::All,
            Missed::Skip => Misfire::Skip,
        },
    };
    Ok(Row {
        app: String::new(),
        job,
        incarnation: form.incarnation,
        version: 0,
        due: form.due,
        wake: None,
        attempts: form.attempts,
        paused: form.paused,
        occurrences: form.occurrences,
        failure: form.failure,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_read_as_it_was_written() {
        let triggers = [
            Trigger::Once(u64::MAX),
            Trigger::Every(Duration::new(1, 5)),
            Trigger::Cron {
                expression: "0 * * * *".into(),
                time_zone: Some("Europe/Berlin".into()),
            },
        ];
        for trigger in triggers {
            let row = Row {
                app: String::new(),
                job: Job {
                    name: "tick".into(),
                    trigger,
                    start: Some(1),
                    end: None,
                    repeats: Some(3),
                    data: Bytes::from_static(b"\0\xff"),
                    on_failure: FailurePolicy::Retry {
                        interval: Duration::from_millis(7),
                        max_retries: None,
                    },
                    on_misfire: Misfire::Skip,
                },
                incarnation: u64::MAX,
                version: 0,
                due: Some(9),
                wake: None,
                attempts: 2,
                paused: true,
                occurrences: 4,
                failure: Some("\u{e9}".into()),
            };
            let read = read(&write(&row), "tick".into(), row.job.data.clone());
            assert_eq!(read.unwrap(), row);
        }
    }

    #[test]
    fn a_damaged_form_is_an_error() {
        for text in ["", "{}", "[]", "{\"trigger\":{\"never\":1}}"] {
            assert!(read(text, "tick".into(), Bytes::new()).is_err(), "{text}");
        }
    }
}
