//! The workflow block over the stores of this build: what it promises, across kills, changes and wrong use.

mod bed;
mod bounds;
mod code;
mod elsewhere;
mod formats;
mod kills;
mod management;
mod quotas;
mod rules;
mod wrong;

use crate::list;
use bed::{Bed, Native};
use conformance::runtime;
use futures::future::BoxFuture;
use libtest_mimic::{Failed, Trial};
use std::sync::Arc;
use wythe_blocks::state;

/// A store, and what is asked of the block over it.
type Run = fn(Arc<dyn state::Driver>) -> BoxFuture<'static, anyhow::Result<()>>;

struct Case {
    name: &'static str,
    run: Run,
}

pub(crate) fn trials() -> Vec<Trial> {
    let groups: [&[Case]; 7] = [
        rules::CASES,
        management::CASES,
        wrong::CASES,
        kills::CASES,
        bounds::CASES,
        quotas::CASES,
        formats::CASES,
    ];
    let mut trials = Vec::new();
    for subject in list::of("state").filter(|one| one.hosts()) {
        for Case { name, run } in groups.iter().copied().flatten() {
            trials.push(Trial::test(
                format!("workflow::{}::{name}", subject.name()),
                move || {
                    let directory = tempfile::tempdir()?;
                    let answer = runtime()?.block_on(async {
                        let opened = bed::store(subject, directory.path()).await;
                        let answer = run(opened.clone()).await;
                        opened.close().await.expect("the store closes");
                        answer
                    });
                    answer.map_err(|error| Failed::from(format!("{error:#}")))
                },
            ));
        }
    }
    trials
}

fn app() -> Native {
    Native::new("v1", &code::ALL)
}

async fn bed(store: &Arc<dyn state::Driver>) -> Bed {
    Bed::new(store, app()).await
}
