//! A simulation of two hosts over one store, either of which may die for good: the decisions are those of the core and of the store's module, as production
//! runs them; tasks, time, the store and death are of a schedule that a seed makes.
//!
//! One thread, one generator of random numbers, no clock: a seed that fails fails again.

pub(in crate::workflow) mod bugs;
mod clients;
mod code;
mod host;
mod jobs;
mod random;
mod recovery;
mod store;
mod world;

use bugs::Bug;
use std::panic::{AssertUnwindSafe, catch_unwind};
use world::World;

/// Seeds that failed once, each with a fault that is mended: an instance that was read was taken for one whose code had
/// seen all; what a commit asks for whose answer was lost was never begun; an instance that began anew was looked for in
/// the memory of a host that had the run before.
const REGRESSIONS: &[u64] = &[19, 74, 98, 27, 159, 183, 138, 1_215, 1_833];
/// The variable that says how many schedules are run, and the number where it says nothing.
const SCHEDULES: &str = "WYTHE_SCHEDULES";
const USUAL: u64 = 1_000;

/// Runs the schedule of a seed; an error says what was not as it must be.
fn run(seed: u64) -> Result<(), String> {
    let ran = catch_unwind(AssertUnwindSafe(|| World::new(seed).run()));
    let panicked = |panic: Box<dyn std::any::Any + Send>| {
        let text = crate::panics::text(&*panic).to_owned();
        Err(format!("a panic: {text}"))
    };
    ran.unwrap_or_else(panicked)
        .map_err(|fault| format!("seed {seed}: {fault}"))
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "who runs the tests says how long"
)]
fn every_schedule_comes_to_what_the_model_says() {
    let count = std::env::var(SCHEDULES).map_or(USUAL, |text| text.parse().expect(SCHEDULES));
    let seeds = REGRESSIONS.iter().copied().chain(0..count);
    let faults: Vec<_> = seeds.filter_map(|seed| run(seed).err()).take(5).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn each_planted_fault_is_found() {
    for bug in Bug::ALL {
        bugs::plant(Some(bug));
        let found = (0..USUAL).find_map(|seed| run(seed).err());
        bugs::plant(None);
        assert!(found.is_some(), "{bug:?} is not found");
    }
}
