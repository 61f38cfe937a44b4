//! A child process writes and says what was acknowledged; it is killed at a random moment; nothing it said is lost.

mod events;
mod grants;
mod items;
mod occurrences;
mod process;
mod values;

use conformance::random::Random;
use libtest_mimic::{Failed, Trial};
use std::{env, path::Path};

const CYCLES: u64 = 40;
/// Acknowledgements per cycle, on average, below which the test proves nothing.
const FAIR: usize = 5;

/// The child's part: true if this process is one.
pub(crate) fn write_if_asked() -> anyhow::Result<bool> {
    let Some(order) = process::Order::read()? else {
        return Ok(false);
    };
    let runtime = conformance::runtime()?;
    runtime.block_on(async {
        match order.kind.as_str() {
            "configuration.redb" | "configuration.sqlite" => items::write(&order).await,
            "jobs.redb" => occurrences::write(&order).await,
            "lock.redb" => grants::write(&order).await,
            "state.redb" | "state.sled" | "state.sqlite" => values::write(&order).await,
            _ => events::write(&order).await,
        }
    })?;
    Ok(true)
}

pub(crate) fn trials() -> Vec<Trial> {
    let check = |name: &str, run: fn(&Path, u64) -> anyhow::Result<usize>| {
        Trial::test(format!("crash::{name}"), move || {
            let cycles = env::var("WYTHE_CRASH_CYCLES")
                .ok()
                .map_or(Ok(CYCLES), |text| text.parse())?;
            let directory = tempfile::tempdir()?;
            let acknowledged =
                run(directory.path(), cycles).map_err(|error| format!("{error:#}"))?;
            if acknowledged < cycles as usize * FAIR {
                return Err(Failed::from(format!(
                    "only {acknowledged} acknowledgements in {cycles} cycles"
                )));
            }
            Ok(())
        })
    };
    vec![
        check("configuration::redb", |directory, cycles| {
            items::check("configuration.redb", directory, cycles)
        }),
        check("configuration::sqlite", |directory, cycles| {
            items::check("configuration.sqlite", directory, cycles)
        }),
        check("jobs::redb", occurrences::check),
        check("lock::redb", grants::check),
        check("state::redb", |directory, cycles| {
            values::check("state.redb", directory, cycles)
        }),
        check("state::sled", |directory, cycles| {
            values::check("state.sled", directory, cycles)
        }),
        check("state::sqlite", |directory, cycles| {
            values::check("state.sqlite", directory, cycles)
        }),
        check("pubsub::redb", events::check),
    ]
}

/// The time that the child of a cycle may write, from its first acknowledgement.
fn life(cycle: u64) -> std::time::Duration {
    std::time::Duration::from_millis(5 + Random::new(cycle).below(200))
}
