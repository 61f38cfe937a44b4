//! Benchmarks, side by side in one run: `cargo run --release -p bench [-- [--quick] [a b c d e f g h i j k l m n o p q]]`.
//!
//! What is compared with something is measured in turns with it, several rounds of each, and medians are shown: what
//! disturbs the machine disturbs both. CPU time stands beside wall time, since the load comes from the same cores.

#![expect(clippy::print_stdout, reason = "what was measured is printed")]

mod actors;
mod calls;
mod cheapest;
mod child;
mod command;
mod drivers;
mod events;
mod guests;
mod hello;
mod idle;
mod invoke;
mod jobs;
mod load;
mod locks;
mod machine;
mod many;
mod measure;
mod neighbours;
mod prices;
mod project;
mod report;
mod sealing;
mod start;
mod tenants;
mod wasmtime_serve;
mod workflows;
mod writes;

use anyhow::{Result, bail};
use report::Section;
use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

/// The allocator of the command.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The amount that is measured.
#[derive(Clone, Copy)]
pub struct Scale {
    quick: bool,
}

impl Scale {
    /// `full`, or what is enough to see that it works.
    pub fn pick<T>(self, full: T, quick: T) -> T {
        if self.quick { quick } else { full }
    }

    pub fn time(self, full: Duration) -> Duration {
        self.pick(full, full / 10)
    }
}

const SECTIONS: &str = "abcdefghijklmnopq";

fn main() -> Result<ExitCode> {
    if let Some(code) = command::command() {
        return Ok(code);
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some(job) = child::Job::parse(&arguments) {
        job.run()?;
        return Ok(ExitCode::SUCCESS);
    }
    child::forget_backtraces(&arguments)?;
    let mut scale = Scale { quick: false };
    let mut wanted = String::new();
    for argument in &arguments {
        match argument.as_str() {
            "--quick" => scale.quick = true,
            section if section.len() == 1 && SECTIONS.contains(section) => wanted += section,
            other => bail!(
                "`{other}` is unknown; expected --quick, and letters of sections: a HTTP, b host calls, \
                 c invocation, d events and writes, e start, f memory, g neighbours, h tenants, \
                 i locks, j jobs, k crypto, l the cheapest call of each block, m actors, n workflows, o many tenants, p prices of policies, q drivers"
            ),
        }
    }
    if wanted.is_empty() {
        wanted = SECTIONS.to_owned();
    }
    if cfg!(debug_assertions) {
        bail!("a debug build measures nothing of use; run `cargo run --release -p bench`");
    }
    guests::build()?;
    run(&wanted, scale)?;
    Ok(ExitCode::SUCCESS)
}

fn run(wanted: &str, scale: Scale) -> Result<()> {
    let begin = Instant::now();
    println!("{}", machine::describe());
    let mut score = report::Score::default();
    for letter in wanted.chars() {
        let section = measure_section(letter, scale)?;
        println!("{section}");
        score.add(&section);
    }
    println!("{score}");
    println!(
        "load average at the end {}; {:.0} s in all{}",
        machine::load_average(),
        begin.elapsed().as_secs_f64(),
        scale.pick("", "; a quick run, whose numbers mean little"),
    );
    Ok(())
}

fn measure_section(letter: char, scale: Scale) -> Result<Section> {
    match letter {
        'a' => hello::measure(scale),
        'b' => measure::runtime()?.block_on(calls::measure(scale)),
        'c' => measure::runtime()?.block_on(invoke::measure(scale)),
        'd' => {
            let events = measure::runtime()?.block_on(events::measure(scale))?;
            let writes = measure::runtime()?.block_on(writes::measure(scale))?;
            Ok(events.with(writes))
        }
        'e' => start::measure(scale),
        'g' => neighbours::measure(scale),
        'h' => tenants::measure(scale),
        'i' => measure::runtime()?.block_on(locks::measure(scale)),
        'j' => measure::runtime()?.block_on(jobs::measure(scale)),
        'k' => measure::runtime()?.block_on(sealing::measure(scale)),
        'l' => measure::runtime()?.block_on(cheapest::measure(scale)),
        'm' => measure::runtime()?.block_on(actors::measure(scale)),
        'n' => measure::runtime()?.block_on(workflows::measure(scale)),
        'o' => many::measure(scale),
        'p' => prices::measure(scale),
        'q' => measure::runtime()?.block_on(drivers::measure(scale)),
        _ => idle::measure(scale),
    }
}
