//! (q) Drivers: `state.get` by a guest over a bare client that asks the same server, and events a second; the embedded
//! drivers stand beside those of servers.
//!
//! Each server runs while its driver is measured, and no longer. A server that this machine does not have is named in its
//! row, which has no figure.

mod clients;
mod entries;
mod events;
mod exchange;
mod subject;

use crate::{
    Scale,
    report::{Row, Section},
};
use anyhow::{Context, Result};

const TITLE: &str = "(q) drivers: `state.get` of 64 bytes by a guest, by its driver called in this process, and by a bare \
client; and events of 256 bytes.\n    us more: the median of the rounds' differences, with their quartiles; a second: the \
median of the rounds, with the smallest and the largest";

pub async fn measure(scale: Scale) -> Result<Section> {
    // A task runs on the threads that guests run on; the thread that waits here is woken by one of them.
    let rows = tokio::spawn(async move {
        let mut rows = Vec::new();
        for case in &entries::CASES {
            rows.push(or_why(case.subject.kind, case.measure(scale).await));
        }
        for subject in &events::SUBJECTS {
            rows.push(or_why(subject.kind, events::measure(subject, scale).await));
        }
        rows
    });
    let rows = rows.await.context("the measuring task ends")?;
    let mut section = Section::new(TITLE);
    section.rows = rows;
    Ok(section)
}

/// The row, or the reason why there is none: what is wrong with one server leaves the others' figures.
fn or_why(what: &str, measured: Result<Row>) -> Row {
    measured.unwrap_or_else(|error| Row::not_measured(what, format!("{error:#}")))
}
