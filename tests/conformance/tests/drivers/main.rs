//! Every native driver through every case, each pair as a test of its own, and what survives `kill -9`.

mod crash;
mod open;

use conformance::{features, jobs, pubsub, secrets, state, trial};
use libtest_mimic::Arguments;

const JOBS: [&str; 2] = ["memory", "redb"];
const STATE: [&str; 3] = ["memory", "redb", "sled"];
const PUBSUB: [&str; 2] = ["memory", "redb"];
/// Each with whether nested objects are secrets of several values.
const SECRETS: [(&str, bool); 5] = [
    ("local.env", false),
    ("local.file", false),
    ("local.file", true),
    ("memory", false),
    ("memory", true),
];

fn main() -> anyhow::Result<()> {
    if crash::write_if_asked()? {
        return Ok(());
    }
    let arguments = Arguments::from_args();
    let mut trials = Vec::new();
    for driver in JOBS {
        let features = features(&open::jobs(driver), |driver| driver.features());
        for case in jobs::CASES {
            let name = format!("jobs::{driver}::{}", case.name);
            let opener = open::jobs(driver);
            trials.push(trial(name, (case.needs)(&features), opener, case.run));
        }
    }
    for driver in STATE {
        let features = features(&open::state(driver), |driver| driver.features());
        for case in state::CASES {
            let name = format!("state::{driver}::{}", case.name);
            trials.push(trial(
                name,
                (case.needs)(&features),
                open::state(driver),
                case.run,
            ));
        }
    }
    for driver in PUBSUB {
        let open = || open::pubsub(driver, pubsub::BACKLOG);
        let features = features(&open(), |driver| driver.features());
        for case in pubsub::CASES {
            let name = format!("pubsub::{driver}::{}", case.name);
            trials.push(trial(name, (case.needs)(&features), open(), case.run));
        }
    }
    for (driver, several) in SECRETS {
        let open = || open::secrets(driver, several);
        let features = features(&open(), |driver| driver.features());
        let driver = match several {
            true => format!("{driver}_of_several_values"),
            false => driver.to_owned(),
        };
        for case in secrets::CASES {
            let name = format!("secrets::{driver}::{}", case.name);
            trials.push(trial(name, (case.needs)(&features), open(), case.run));
        }
    }
    trials.extend(crash::trials());
    libtest_mimic::run(&arguments, trials).exit();
}
