//! `wythe jobs`: schedule, see, pause and remove the jobs of an app.

use crate::{
    args::{self, Common, Format, JobsVerb},
    project::{self, Needs, Opened},
    report::{self, Failure, Outcome, Problem},
};
use serde_json::{Value, json};
use std::{process::ExitCode, time::Duration};
use wythe_api::admin::{
    self, Binary, Command,
    jobs::{Action, Answer, Job, Jobs, Misfire, Retry, Status, Trigger},
};
use wythe_blocks::{
    jobs::shown_time,
    time::{milliseconds, now},
};

/// Characters of a failure in the table.
const FAILURE: usize = 60;

pub async fn jobs(common: &Common, args: &args::Jobs) -> Outcome {
    let opened = Opened::new(common, &args.project)?;
    let app = opened.app(common, args.app.as_deref())?;
    let action = action(&args.verb)?;
    let command = Command::Jobs(Jobs {
        app: app.clone(),
        action,
    });
    let admin::Answer::Jobs(answer) = opened.ask(Needs::Components, command).await? else {
        return Err(project::misfit());
    };
    match answer {
        Answer::Page { jobs, next } => page(common, &jobs, next),
        Answer::Job(Some(status)) => one(common, &args.verb, &status),
        Answer::Job(None) => absent(common, &args.verb, &app)?,
        Answer::Done if common.output == Format::Json => report::print_json(&json!({})),
        Answer::Done => {}
    }
    Ok(ExitCode::SUCCESS)
}

fn action(verb: &JobsVerb) -> Outcome<Action> {
    Ok(match verb.clone() {
        JobsVerb::List {
            prefix,
            limit,
            cursor,
        } => Action::List {
            prefix,
            limit,
            cursor,
        },
        JobsVerb::Get { name } => Action::Get { name },
        JobsVerb::Schedule(args) => Action::Schedule {
            overwrite: args.overwrite,
            job: Box::new(job(*args)?),
        },
        JobsVerb::Delete { name } => Action::Delete { name },
        JobsVerb::Pause { name } => Action::Pause { name },
        JobsVerb::Resume { name } => Action::Resume { name },
    })
}

fn job(args: args::Schedule) -> Outcome<Job> {
    Ok(Job {
        name: args.name,
        trigger: trigger(args.when, args.time_zone)?,
        start: args.start,
        end: args.end,
        repeats: args.repeats,
        data: Binary(project::argument(&args.data)?),
        retry: Some(Retry {
            interval: milliseconds(args.retry.0),
            max_retries: args.retries.0,
        }),
        misfire: match args.misfire {
            args::Misfire::One => Misfire::One,
            args::Misfire::All => Misfire::All,
            args::Misfire::Skip => Misfire::Skip,
        },
    })
}

/// One of them is there, or the words would not have been taken.
fn trigger(when: args::When, time_zone: Option<String>) -> Outcome<Trigger> {
    if let Some(expression) = when.cron {
        return Ok(Trigger::Cron {
            expression,
            time_zone,
        });
    }
    let in_a_while = |after: wythe_manifest::Duration| now().saturating_add(milliseconds(after.0));
    match (when.every, when.at.or(when.after.map(in_a_while))) {
        (Some(every), _) => Ok(Trigger::Every(milliseconds(every.0))),
        (None, Some(at)) => Ok(Trigger::Once(at)),
        (None, None) => {
            Err(Problem::new("say when, by one of --cron, --every, --at and --in").into())
        }
    }
}

/// A job that was scheduled may have run, and be over, before anybody could look.
fn absent(common: &Common, verb: &JobsVerb, app: &str) -> Result<(), Failure> {
    match verb {
        JobsVerb::Get { name } => Err(Problem {
            kind: "not-found".into(),
            ..Problem::new(format!("app `{app}` has no job `{name}`"))
        }
        .into()),
        _ => {
            if common.output == Format::Json {
                report::print_json(&json!({}));
            }
            Ok(())
        }
    }
}

fn one(common: &Common, verb: &JobsVerb, status: &Status) {
    if common.output == Format::Json {
        return report::print_json(&json(status));
    }
    match verb {
        JobsVerb::Get { .. } => report::print_text(details(status)),
        _ => report::print_text(format!("{}\n", next(status))),
    }
}

fn page(common: &Common, jobs: &[Status], more: Option<String>) {
    if common.output == Format::Json {
        let jobs: Vec<Value> = jobs.iter().map(json).collect();
        return report::print_json(&json!({ "jobs": jobs, "next": more }));
    }
    if !jobs.is_empty() {
        report::print_text(table(jobs));
    }
    if let Some(name) = more {
        report::note(&format!("there is more: add `--cursor '{name}'`"));
    }
}

fn table(jobs: &[Status]) -> String {
    let head = ["NAME", "NEXT", "TRIGGER", "RUNS", "STATE"];
    let row = |status: &Status| {
        [
            status.job.name.clone(),
            next(status),
            shown_trigger(&status.job.trigger),
            status.runs.to_string(),
            state(status),
        ]
    };
    report::table(head, jobs.iter().map(row))
}

fn next(status: &Status) -> String {
    status.next.map_or_else(|| "-".to_owned(), shown_time)
}

fn shown_trigger(trigger: &Trigger) -> String {
    match trigger {
        Trigger::Once(_) => "once".to_owned(),
        Trigger::Every(interval) => format!("every {}", shown_duration(*interval)),
        Trigger::Cron {
            expression,
            time_zone: None,
        } => expression.clone(),
        Trigger::Cron {
            expression,
            time_zone: Some(zone),
        } => format!("{expression} {zone}"),
    }
}

fn shown_duration(milliseconds: u64) -> String {
    wythe_manifest::Duration(Duration::from_millis(milliseconds)).to_string()
}

fn state(status: &Status) -> String {
    let word = if status.paused { "paused" } else { "scheduled" };
    let Some(failure) = &status.failure else {
        return word.to_owned();
    };
    let line = failure.lines().next().unwrap_or_default();
    let shown: String = line.chars().take(FAILURE).collect();
    let cut = if shown.len() < failure.len() {
        "…"
    } else {
        ""
    };
    format!("{word}, failed: {shown}{cut}")
}

fn details(status: &Status) -> String {
    let job = &status.job;
    let time = |at: Option<u64>| at.map(shown_time);
    let retry = job.retry.as_ref().map_or("none".to_owned(), |retry| {
        let max_retries = retry
            .max_retries
            .map_or("until it succeeds".to_owned(), |max_retries| {
                format!("at most {max_retries} times")
            });
        format!("after {}, {max_retries}", shown_duration(retry.interval))
    });
    let misfire = match job.misfire {
        Misfire::One => "one",
        Misfire::All => "all",
        Misfire::Skip => "skip",
    };
    let data = match std::str::from_utf8(&job.data.0) {
        Ok(text) => text.to_owned(),
        Err(_) => format!("{} bytes", job.data.0.len()),
    };
    let parts = [
        ("name", Some(job.name.clone())),
        ("trigger", Some(shown_trigger(&job.trigger))),
        ("next", Some(next(status))),
        ("runs", Some(status.runs.to_string())),
        (
            "state",
            Some(if status.paused { "paused" } else { "scheduled" }.to_owned()),
        ),
        ("failure", status.failure.clone()),
        ("start", time(job.start)),
        ("end", time(job.end)),
        ("repeats", job.repeats.map(|repeats| repeats.to_string())),
        ("retry", Some(retry)),
        ("misfire", Some(misfire.to_owned())),
        ("data", (!data.is_empty()).then_some(data)),
    ];
    report::details(parts)
}

fn json(status: &Status) -> Value {
    let job = &status.job;
    let trigger = match &job.trigger {
        Trigger::Once(at) => json!({ "once": shown_time(*at) }),
        Trigger::Every(interval) => json!({ "every": shown_duration(*interval) }),
        Trigger::Cron {
            expression,
            time_zone,
        } => json!({ "cron": expression, "time_zone": time_zone }),
    };
    json!({
        "name": job.name,
        "trigger": trigger,
        "next": status.next.map(shown_time),
        "runs": status.runs,
        "paused": status.paused,
        "failure": status.failure,
        "start": job.start.map(shown_time),
        "end": job.end.map(shown_time),
        "repeats": job.repeats,
        "retry": job.retry.as_ref().map(|retry| json!({
            "interval": shown_duration(retry.interval),
            "most": retry.max_retries,
        })),
        "misfire": job.misfire,
        "data": project::shown(&job.data.0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(name: &str, trigger: Trigger) -> Status {
        Status {
            job: Job {
                name: name.into(),
                trigger,
                start: None,
                end: None,
                repeats: Some(3),
                data: Binary(b"tea".to_vec()),
                retry: Some(Retry {
                    interval: 1_000,
                    max_retries: Some(3),
                }),
                misfire: Misfire::One,
            },
            next: Some(1_896_075_000_000),
            paused: false,
            runs: 2,
            failure: None,
        }
    }

    #[test]
    fn a_table_reads_well() {
        let cron = Trigger::Cron {
            expression: "0 30 7 * * *".into(),
            time_zone: Some("Europe/Vienna".into()),
        };
        let broken = Status {
            next: None,
            paused: true,
            failure: Some("internal: no tea\nat all".into()),
            ..status("sweep", Trigger::Every(90_000))
        };
        let expected = "\
NAME    NEXT                  TRIGGER                     RUNS  STATE
report  2030-01-31T07:30:00Z  0 30 7 * * * Europe/Vienna  2     scheduled
sweep   -                     every 90s                   2     paused, failed: internal: no tea…
";
        assert_eq!(table(&[status("report", cron), broken]), expected);
    }

    #[test]
    fn details_are_those_that_are_there() {
        let expected = "\
name     tea
trigger  once
next     2030-01-31T07:30:00Z
runs     2
state    scheduled
repeats  3
retry    after 1s, at most 3 times
misfire  one
data     tea
";
        assert_eq!(details(&status("tea", Trigger::Once(5))), expected);
    }

    #[test]
    fn json_has_times_that_people_read() {
        let shown = json(&status("tea", Trigger::Once(1_896_075_000_000)));
        assert_eq!(shown["trigger"]["once"], "2030-01-31T07:30:00Z");
        assert_eq!(shown["next"], "2030-01-31T07:30:00Z");
        assert_eq!(
            (&shown["data"], &shown["misfire"]),
            (&json!("tea"), &json!("one"))
        );
    }
}
