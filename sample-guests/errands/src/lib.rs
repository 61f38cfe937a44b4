//! Small workflows, each of which shows one thing that their code may count on, or may not do.
mod hostile;

use std::collections::HashMap;
use std::time::{Duration, Instant, SystemTime};

use wythe_sdk::workflow::{Context, Task};
use wythe_sdk::{Error, Result};

/// Calls so many activities one after the other, each given what the one before answered.
fn chain(ctx: &Context, steps: u32) -> Result<u32> {
    let mut last = 0;
    for _ in 0..steps {
        last = ctx.call("increment", &last)?;
    }
    Ok(last)
}

/// Starts so many at once, and returns their sum.
fn fan(ctx: &Context, many: u32) -> Result<u32> {
    let tasks: Vec<Task<u32>> = (0..many)
        .map(|n| ctx.start("increment", &n))
        .collect::<Result<_>>()?;
    Ok(ctx.join(tasks)?.into_iter().sum())
}

/// Everything that is another one each time, in an ordinary program: before a wait, and after it.
fn dice(ctx: &Context, _: ()) -> Result<String> {
    let (begun, clock) = (SystemTime::now(), Instant::now());
    let before = throw();
    ctx.sleep(Duration::from_millis(20))?;
    let slept = clock.elapsed() >= Duration::from_millis(20) && begun.elapsed().is_ok();
    let told = format!("{before} {} {begun:?} {slept}", throw());
    ctx.wait_event::<()>("go")?;
    // The journal has this as an input, and a run that says something else is found out.
    ctx.call("repeat", &told)
}

fn throw() -> String {
    let map: HashMap<u32, ()> = (0..20).map(|n| (n, ())).collect();
    let order: Vec<_> = map.keys().collect();
    let number = wythe_sdk::wasip2::random::random::get_random_u64();
    format!("{order:?} {number}")
}

/// A person says yes or no, or nobody does in time.
fn ask(ctx: &Context, limit: u64) -> Result<String> {
    ctx.set_status("asking");
    let answer = ctx.wait_event_for::<bool>("answer", Duration::from_millis(limit))?;
    Ok(match answer {
        Some(true) => "yes".into(),
        Some(false) => "no".into(),
        None => "nobody answered".into(),
    })
}

/// Runs two children at once.
fn family(ctx: &Context, steps: u32) -> Result<u32> {
    let one = ctx.start_child("chain", None, &steps)?;
    let id = format!("{}-other", ctx.instance());
    let other = ctx.start_child("fan", Some(&id), &steps)?;
    let (one, other): (u32, u32) = ctx.join((one, other))?;
    Ok(one + other)
}

/// A sum that goes on for ever with a journal that stays short.
fn rounds(ctx: &Context, (left, sum): (u32, u32)) -> Result<u32> {
    match left {
        0 => Ok(sum),
        _ => {
            let sum: u32 = ctx.call("increment", &sum)?;
            ctx.continue_as_new(&(left - 1, sum))
        }
    }
}

fn spin(_: &Context, _: ()) -> Result<u64> {
    let mut n = 0u64;
    loop {
        n = std::hint::black_box(n.wrapping_add(1));
        if n == u64::MAX {
            return Ok(n);
        }
    }
}

fn nap(_: &Context, _: ()) -> Result<()> {
    std::thread::sleep(Duration::from_millis(1));
    Ok(())
}

fn panics(_: &Context, _: ()) -> Result<()> {
    let nothing: Option<()> = None;
    nothing
        .ok_or_else(|| Error::internal("nothing"))
        .expect("something");
    Ok(())
}

use hostile::{again, calls, waits};

wythe_sdk::workflows!(
    chain, fan, dice, ask, family, rounds, spin, nap, panics, again, calls, waits
);
