//! Jobs under `kill -9`: no occurrence is early, none is lost, and by its id each is there once.

mod child;

use super::{
    life,
    process::{Order, run_and_kill},
};
use crate::list;
use anyhow::{Context, Result, ensure};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};
use wythe_blocks::jobs::{Driver, Row};

/// Jobs that repeat, each with an interval of its own.
const REPEATING: [(&str, u64); 4] = [
    ("every-3", 3),
    ("every-7", 7),
    ("every-20", 20),
    ("every-31", 31),
];
const START: u64 = 1_000_000;
const APP: &str = "app";
const RAN: &str = "ran.txt";

pub(super) async fn write(order: &Order) -> Result<()> {
    child::live(order).await
}

/// Returns how many occurrences ran and how many schedules were acknowledged.
pub(super) fn check(directory: &Path, cycles: u64) -> Result<usize> {
    let mut scheduled = BTreeSet::new();
    for cycle in 0..cycles {
        let lines = run_and_kill("jobs.redb", START * (cycle + 1), directory, life(cycle))?;
        let named = lines
            .iter()
            .filter_map(|line| line.strip_prefix("scheduled "));
        scheduled.extend(named.map(str::to_owned));
    }
    let runtime = conformance::runtime()?;
    let rows = runtime.block_on(rows(directory))?;
    let ran = Ran::read(&directory.join(RAN))?;
    for name in scheduled.iter().filter(|name| name.starts_with("once-")) {
        let times = ran.ids(name).count();
        ensure!(times <= 1, "{name} has {times} ids");
        ensure!(
            times == 1 || rows.contains_key(name),
            "{name} was acknowledged and is lost"
        );
    }
    for (name, interval) in REPEATING {
        let row = rows.get(name).with_context(|| format!("{name} is lost"))?;
        ran.check_grid(row, interval)?;
    }
    Ok(ran.ids.len() + scheduled.len())
}

async fn rows(directory: &Path) -> Result<BTreeMap<String, Row>> {
    let driver = crate::jobs::open(list::find("jobs.redb"))(directory)().await?;
    let (mut rows, mut cursor) = (BTreeMap::new(), None::<String>);
    loop {
        let page = driver.list(APP, "", cursor.as_deref(), 1_000).await?;
        rows.extend(page.rows.into_iter().map(|row| (row.job.name.clone(), row)));
        match page.next {
            Some(next) => cursor = Some(next),
            None => break,
        }
    }
    Driver::close(&*driver).await?;
    Ok(rows)
}

/// The occurrences that the app wrote down, once for each id.
struct Ran {
    ids: BTreeSet<String>,
}

impl Ran {
    fn read(path: &Path) -> Result<Self> {
        let mut ids = BTreeSet::new();
        for line in fs::read_to_string(path)?.lines() {
            let (id, at) = line.split_once(' ').context("a line is id and time")?;
            let at: u64 = at.parse()?;
            ensure!(at >= due(id)?, "{id} ran at {at}, which is early");
            ids.insert(id.to_owned());
        }
        Ok(Ran { ids })
    }

    fn ids<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a String> {
        let is_of = move |id: &&String| id.split('/').next() == Some(name);
        self.ids.iter().filter(is_of)
    }

    /// Checks that from the first to the one before what the row has next, none is missing, and none is between.
    fn check_grid(&self, row: &Row, interval: u64) -> Result<()> {
        let name = &row.job.name;
        let incarnation = format!("{:016x}", row.incarnation);
        let mut dues = BTreeSet::new();
        for id in self.ids(name) {
            ensure!(
                id.split('/').nth(1) == Some(&incarnation),
                "{id} is of another {incarnation}"
            );
            ensure!(dues.insert(due(id)?), "{id} has the time of another one");
        }
        let next = row.due.context("a job that repeats has a next one")?;
        // What ran and was not written yet comes again, by the id that it had.
        let done: Vec<u64> = dues.range(..next).copied().collect();
        ensure!(
            dues.range(next + 1..).next().is_none(),
            "{name} is ahead of {next}"
        );
        ensure!(
            done.len() as u64 == row.occurrences,
            "{name} counts {} of {}",
            row.occurrences,
            done.len()
        );
        let first = *done.first().with_context(|| format!("{name} never ran"))?;
        let expected: Vec<u64> = (first..next).step_by(interval as usize).collect();
        ensure!(
            done == expected,
            "{name} has gaps: {} of {}",
            done.len(),
            expected.len()
        );
        ensure!(
            (next - first).is_multiple_of(interval),
            "{name} has drifted"
        );
        Ok(())
    }
}

fn due(id: &str) -> Result<u64> {
    let last = id.rsplit('/').next().context("an id ends in a time")?;
    Ok(last.parse()?)
}
