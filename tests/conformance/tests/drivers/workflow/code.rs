//! The workflows of these tests, written as a guest would write them.

use super::bed::{Answer, Code, text};
use bytes::Bytes;
use futures::future::BoxFuture;
use std::time::Duration;
use wythe_blocks::{
    Result,
    workflow::{Context, Outcome, Retry, Task},
};

pub const ALL: [(&str, Code); 22] = [
    ("chain", |c, i| Box::pin(chain(c, i))),
    ("fan", |c, i| Box::pin(fan(c, i))),
    ("race", |c, i| Box::pin(race(c, i))),
    ("once", |c, i| Box::pin(once(c, i))),
    ("insist", |c, i| Box::pin(insist(c, i))),
    ("patient", |c, i| Box::pin(patient(c, i))),
    ("sleeper", |c, i| Box::pin(sleeper(c, i))),
    ("listener", |c, i| Box::pin(listener(c, i))),
    ("parent", |c, i| Box::pin(parent(c, i))),
    ("counter", |c, i| Box::pin(counter(c, i))),
    ("chance", |c, i| Box::pin(chance(c, i))),
    ("fails", |_, i| {
        Box::pin(async move { Ok(Err(format!("no {}", text(&i)))) })
    }),
    ("large", |c, i| Box::pin(large(c, i))),
    ("forgets", |c, i| Box::pin(forgets(c, i))),
    ("mixed", |c, i| Box::pin(mixed(c, i))),
    ("faulty", |_, _| {
        Box::pin(async { Err(wythe_blocks::Error::internal("`app` trapped: unreachable")) })
    }),
    ("wild", |c, i| Box::pin(wild(c, i))),
    ("heap", |c, i| Box::pin(heap(c, i))),
    ("again", |c, i| Box::pin(again(c, i))),
    ("fork", |c, i| Box::pin(fork(c, i))),
    ("deep", |c, i| Box::pin(deep(c, i))),
    ("stuck", |_, _| Box::pin(std::future::pending())),
];

fn number(input: &Bytes) -> u32 {
    text(input).parse().unwrap_or_default()
}

fn done(text: impl Into<Bytes>) -> Answer {
    Ok(Ok(text.into()))
}

/// The value that an SDK makes of an outcome.
async fn value(context: &Context, task: Task) -> Result<Result<Bytes, String>> {
    Ok(match context.wait(task).await? {
        Outcome::Done(value) => Ok(value),
        Outcome::Failed(failure) => Err(failure),
        Outcome::Cancelled => Err("cancelled".into()),
        Outcome::Timeout => Err("timeout".into()),
    })
}

fn call<'a>(
    context: &'a Context,
    name: &str,
    input: impl Into<Bytes>,
) -> BoxFuture<'a, Result<Result<Bytes, String>>> {
    let task = context.activity(name, input.into(), None);
    Box::pin(async move { value(context, task?).await })
}

/// Calls as many activities as the input says, one after the other, each given what the one before answered.
async fn chain(context: Context, input: Bytes) -> Answer {
    let mut last = Bytes::from("x");
    for step in 0..number(&input) {
        let next = format!("{step},{}", &text(&last)[..text(&last).len().min(40)]);
        last = call(&context, "echo", next).await?.unwrap_or_default();
    }
    done(last)
}

/// Calls so many activities at once, and returns their sum.
async fn fan(context: Context, input: Bytes) -> Answer {
    let start = |n: u32| context.activity("echo", n.to_string().into(), None);
    let tasks = (0..number(&input)).map(start).collect::<Result<Vec<_>>>()?;
    let mut sum = 0;
    for task in tasks {
        sum += number(&value(&context, task).await?.unwrap_or_default());
    }
    done(sum.to_string())
}

/// Does the same, each taken when it has completed.
async fn race(context: Context, input: Bytes) -> Answer {
    let start = |n: u32| context.activity("echo", n.to_string().into(), None);
    let mut tasks = (0..number(&input)).map(start).collect::<Result<Vec<_>>>()?;
    let mut sum = 0;
    while !tasks.is_empty() {
        let first = context.select(&tasks).await?;
        let answer = value(&context, tasks.remove(first)).await?;
        sum += number(&answer.unwrap_or_default());
    }
    done(sum.to_string())
}

/// The activity that the input names.
async fn once(context: Context, input: Bytes) -> Answer {
    call(&context, &text(&input), "1").await
}

/// Calls `flaky` until it is enough, three times at most.
async fn insist(context: Context, input: Bytes) -> Answer {
    let retry = Retry {
        attempts: 3,
        first_interval: Duration::from_millis(1),
        ..Retry::default()
    };
    let task = context.activity("flaky", input, Some(retry))?;
    value(&context, task).await
}

/// Waits no longer than so many milliseconds for an activity that never returns.
async fn patient(context: Context, input: Bytes) -> Answer {
    let limit = Duration::from_millis(number(&input).into());
    let retry = Retry {
        timeout: Some(limit),
        ..Retry::default()
    };
    let task = context.activity("never", Bytes::new(), Some(retry))?;
    value(&context, task).await
}

async fn sleeper(context: Context, input: Bytes) -> Answer {
    let before = context.now();
    let limit = Duration::from_millis(number(&input).into());
    let task = context.sleep(limit)?;
    value(&context, task).await?.ok();
    let slept = context.now() - before;
    done((slept >= u64::from(number(&input))).to_string())
}

/// Waits for two events of the name `paid`, and then so long for one of the name `shipped`.
async fn listener(context: Context, input: Bytes) -> Answer {
    let mut heard = Vec::new();
    for _ in 0..2 {
        let task = context.event("paid", None)?;
        heard.push(text(&value(&context, task).await?.unwrap_or_default()));
        context.set_status(&format!("heard {}", heard.len()))?;
    }
    let limit = Duration::from_millis(number(&input).into());
    let task = context.event("shipped", Some(limit))?;
    let last = value(&context, task).await?;
    heard.push(last.map_or_else(|failure| failure, |data| text(&data)));
    done(heard.join(","))
}

/// The child that the input names, with the input `2`.
async fn parent(context: Context, input: Bytes) -> Answer {
    let task = context.child(&text(&input), "2".into(), None)?;
    value(&context, task).await
}

/// Begins anew, with one less, until there are none left; each run takes one event.
async fn counter(context: Context, input: Bytes) -> Answer {
    let (left, heard) = text(&input).split_once(':').map_or_else(
        || (number(&input), String::new()),
        |(left, heard)| (left.parse().unwrap_or_default(), heard.to_owned()),
    );
    if left == 0 {
        return done(heard);
    }
    let task = context.event("more", None)?;
    let data = text(&value(&context, task).await?.unwrap_or_default());
    context.continue_as_new(format!("{}:{heard}{data}", left - 1).into())?;
    done("")
}

/// Everything that is random, before and after a wait.
async fn chance(context: Context, _: Bytes) -> Answer {
    let mut all = vec![u128::from(context.random()), context.seed()];
    let task = context.event("go", None)?;
    value(&context, task).await?.ok();
    all.push(context.random().into());
    let all: Vec<_> = all.iter().map(u128::to_string).collect();
    call(&context, "echo", all.join(",")).await
}

async fn large(context: Context, input: Bytes) -> Answer {
    let length = number(&input) as usize;
    call(&context, "echo", vec![b'x'; length]).await
}

/// A task that it waits for, and one that it cancels.
async fn forgets(context: Context, _: Bytes) -> Answer {
    let slow = context.activity("never", Bytes::new(), None)?;
    let quick = context.activity("echo", "quick".into(), None)?;
    let first = context.select(&[slow, quick]).await?;
    context.cancel(slow)?;
    let slow = value(&context, slow).await?;
    done(format!("{first} {}", slow.err().unwrap_or_default()))
}

/// Does a little of everything, so often.
async fn mixed(context: Context, input: Bytes) -> Answer {
    let mut reported = String::new();
    for round in 0..number(&input) {
        let timer = context.sleep(Duration::from_millis(1))?;
        let two = [
            context.activity("echo", format!("a{round}").into(), None)?,
            context.activity("flaky", "1".into(), None)?,
        ];
        for task in two {
            reported += &text(&value(&context, task).await?.unwrap_or_default());
        }
        let child = context.child("chain", "2".into(), None)?;
        reported += &text(&value(&context, child).await?.unwrap_or_default());
        value(&context, timer).await?.ok();
    }
    done(reported)
}

/// Asks for so many activities in one step, each with an input of 1,000 bytes.
async fn heap(context: Context, input: Bytes) -> Answer {
    for _ in 0..number(&input) {
        context.activity("echo", vec![b'x'; 1_000].into(), None)?;
    }
    let task = context.event("never", None)?;
    value(&context, task).await
}

/// Begins anew for ever, and waits for nothing; its status says how often.
async fn again(context: Context, input: Bytes) -> Answer {
    let runs = number(&input) + 1;
    context.set_status(&runs.to_string())?;
    context.continue_as_new(runs.to_string().into())?;
    done("")
}

/// Ends by a task that it never began.
async fn wild(context: Context, _: Bytes) -> Answer {
    let task = context.task(7)?;
    value(&context, task).await
}

/// Starts two of its own kind and ends soon; the input is the rest of their ids.
async fn fork(context: Context, input: Bytes) -> Answer {
    for side in ["l", "r"] {
        let path = format!("{}{side}", text(&input));
        context.child("fork", path.clone().into(), Some(&format!("f{path}")))?;
    }
    call(&context, "echo", "").await?.unwrap_or_default();
    done("")
}

/// A child of its own kind, and so on for ever; ends with what the innermost was told.
async fn deep(context: Context, input: Bytes) -> Answer {
    let next = number(&input) + 1;
    let child = context.child("deep", next.to_string().into(), Some(&format!("d{next}")))?;
    match value(&context, child).await? {
        Ok(reported) => done(reported),
        Err(failure) => done(format!("{next}: {failure}")),
    }
}
