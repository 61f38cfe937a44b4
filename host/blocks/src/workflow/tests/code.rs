//! The workflows of the simulation, written as a guest would write them, and what each of them comes to.

use crate::workflow::{
    ActivityCall, Context, Failure, Outcome, Retry, Task, core::machine::step::Answer,
};
use bytes::Bytes;
use futures::future::BoxFuture;
use std::time::Duration;

pub(super) const ALL: [&str; 7] = ["steps", "fan", "naps", "events", "parent", "anew", "mixed"];

pub(super) fn begin(name: &str, context: Context, input: Bytes) -> BoxFuture<'static, Answer> {
    match name {
        "steps" => Box::pin(steps(context, number(&input))),
        "fan" => Box::pin(fan(context, number(&input))),
        "naps" => Box::pin(naps(context, number(&input))),
        "events" => Box::pin(events(context, number(&input))),
        "parent" => Box::pin(parent(context, input)),
        "anew" => Box::pin(anew(context, input)),
        _ => Box::pin(mixed(context, number(&input))),
    }
}

/// The number of events that an instance takes until it ends.
pub(super) fn wanted(name: &str, input: u32) -> u32 {
    match name {
        "events" | "anew" => input,
        "mixed" => 1,
        _ => 0,
    }
}

/// The output that an instance must end with, given the events that it took.
pub(super) fn model(name: &str, input: u32, events: &str) -> String {
    match name {
        "steps" | "parent" => chained(input),
        "fan" => (0..input).sum::<u32>().to_string(),
        "naps" => format!("{input} naps"),
        "events" | "anew" => events.to_owned(),
        _ => format!("{};{events};timeout;2", chained(input)),
    }
}

fn chained(steps: u32) -> String {
    (0..steps).fold("x".to_owned(), |last, step| format!("{step}{last}"))
}

/// An activity: `echo` gives its input back, `flaky` does so in its third attempt, `poor` never.
pub(super) fn activity(call: &ActivityCall) -> Result<Bytes, Failure> {
    match call.name.as_str() {
        "flaky" if call.attempt < 3 => Err(Failure::Retryable("not yet".into())),
        "poor" => Err(Failure::Permanent("never".into())),
        _ => Ok(call.input.clone()),
    }
}

fn number(input: &[u8]) -> u32 {
    String::from_utf8_lossy(input).parse().unwrap_or_default()
}

fn done(output: impl Into<Bytes>) -> Answer {
    Ok(Ok(output.into()))
}

async fn value(context: &Context, task: Task) -> crate::Result<String> {
    Ok(match context.wait(task).await? {
        Outcome::Done(value) => String::from_utf8_lossy(&value).into_owned(),
        Outcome::Failed(failure) => failure,
        Outcome::Cancelled => "cancelled".into(),
        Outcome::Timeout => "timeout".into(),
    })
}

fn flaky() -> Option<Retry> {
    Some(Retry {
        attempts: 5,
        first_interval: Duration::from_millis(100),
        ..Retry::default()
    })
}

async fn steps(context: Context, count: u32) -> Answer {
    let mut last = "x".to_owned();
    for step in 0..count {
        let (name, retry) = if step % 3 == 1 {
            ("flaky", flaky())
        } else {
            ("echo", None)
        };
        let task = context.activity(name, format!("{step}{last}").into(), retry)?;
        last = value(&context, task).await?;
    }
    done(last)
}

async fn fan(context: Context, count: u32) -> Answer {
    let start = |n: u32| context.activity("echo", n.to_string().into(), None);
    let mut tasks = (0..count).map(start).collect::<crate::Result<Vec<_>>>()?;
    let mut sum = 0;
    while !tasks.is_empty() {
        let first = context.select(&tasks).await?;
        let task = tasks.remove(first);
        sum += number(value(&context, task).await?.as_bytes());
    }
    done(sum.to_string())
}

async fn naps(context: Context, count: u32) -> Answer {
    for nap in 0..count {
        let task = context.sleep(Duration::from_millis(u64::from(nap) * 700 + 1))?;
        value(&context, task).await?;
    }
    done(format!("{count} naps"))
}

async fn events(context: Context, count: u32) -> Answer {
    let mut heard = String::new();
    for _ in 0..count {
        let task = context.event("more", None)?;
        heard += &value(&context, task).await?;
    }
    done(heard)
}

async fn parent(context: Context, input: Bytes) -> Answer {
    let task = context.child("steps", input, None)?;
    done(value(&context, task).await?)
}

/// Takes one event in each run; the input is what is left, and what was heard.
async fn anew(context: Context, input: Bytes) -> Answer {
    let text = String::from_utf8_lossy(&input).into_owned();
    let (left, heard) = text.split_once(':').unwrap_or((&text, ""));
    let left = number(left.as_bytes());
    if left == 0 {
        return done(heard.to_owned());
    }
    let task = context.event("more", None)?;
    let data = value(&context, task).await?;
    context.continue_as_new(format!("{}:{heard}{data}", left - 1).into())?;
    done("")
}

/// A child, an event, an event that never comes, and tasks of which one is cancelled.
async fn mixed(context: Context, count: u32) -> Answer {
    let child = context.child("steps", count.to_string().into(), None)?;
    let nap = context.sleep(Duration::from_millis(300))?;
    let event = context.event("more", None)?;
    let poor = context.activity("poor", Bytes::new(), None)?;
    let reported = value(&context, child).await?;
    let heard = value(&context, event).await?;
    value(&context, nap).await?;
    let limit = Some(Duration::from_millis(900));
    let never = context.event("never", limit)?;
    let never = value(&context, never).await?;
    let long = context.sleep(Duration::from_secs(3_600))?;
    context.cancel(long)?;
    let ends = [value(&context, poor).await?, value(&context, long).await?];
    done(format!(
        "{reported};{heard};{never};{}",
        ends.iter().filter(|end| !end.is_empty()).count()
    ))
}
