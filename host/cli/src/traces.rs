//! The export of spans, as a file and the environment say it.

use crate::{
    log::Queue,
    report::{Outcome, Problem},
};
use std::{ffi::OsString, io, path::PathBuf, sync::Arc, time::Duration};
use wythe_export::{CERTIFICATES, Exporting, NAMES, Plan, Print, Wrong};
use wythe_manifest::{Same, Source, Tracing};

/// The time for the last spans when the host stops.
const FLUSH: Duration = Duration::from_secs(5);

/// The export that runs, and the printer of spans.
pub struct Traces {
    exporting: Exporting,
    lines: Option<Queue>,
}

/// Starts what a file and the environment say. A wrong variable is an error, whatever the file says.
pub fn start(tracing: Option<&Tracing>, out: Out) -> Outcome<Traces> {
    let plan = Plan::new(tracing, &variable).map_err(problems)?;
    let mut lines = None;
    let print: Print = match (out, tracing.is_some_and(|tracing| tracing.stdout)) {
        (Out::Standard, true) => {
            let queue = Queue::start(io::stdout()).map_err(anyhow::Error::new)?;
            lines = Some(queue.clone());
            Arc::new(move |line: &str| queue.push(format!("{line}\n").as_bytes()))
        }
        _ => Arc::new(|line: &str| crate::log::pass(&format!("{line}\n"))),
    };
    let exporting = plan.start(print).map_err(problems)?;
    Ok(Traces { exporting, lines })
}

/// The place where spans are printed.
#[derive(Clone, Copy)]
pub enum Out {
    Standard,
    /// The log, where standard output is something else.
    Log,
}

impl Traces {
    /// Sends and prints what there is, within bounds.
    pub async fn close(self) {
        self.exporting.close(FLUSH).await;
        if let Some(lines) = self.lines {
            lines.flush(FLUSH);
        }
    }
}

/// The tracing of a project: that of the one configuration of its tenant that has some.
pub fn of_project(plan: &crate::boot::Plan) -> Option<&Tracing> {
    let tenant = &plan.manifest.tenant;
    let mut own = plan.resources.configurations.iter();
    own.find_map(|one| {
        let tracing = one.tracing.as_ref();
        tracing.filter(|_| tenant.has(one.namespace.as_ref()))
    })
}

/// The words for a change of tracing, and its position: what runs was made at the start.
pub fn moved<'a>(
    written: Option<&'a Tracing>,
    before: Option<&Tracing>,
) -> Option<(&'static str, Option<&'a Source>)> {
    let is_same = match (written, before) {
        (Some(one), Some(other)) => one.is_same(other),
        (one, other) => one.is_none() && other.is_none(),
    };
    let message = "`tracing` is that of the start; start again to change it";
    (!is_same).then_some((message, written.map(|tracing| &tracing.source)))
}

/// The variables by which spans are exported, for a process that exports its own.
pub fn is_variable(name: &str) -> bool {
    NAMES.contains(&name)
}

/// The file of authorities that these variables name.
pub fn authorities() -> Option<PathBuf> {
    let mut named = CERTIFICATES.iter().filter_map(|name| variable(name));
    let is_blank = |path: &OsString| path.to_str().is_some_and(|path| path.trim().is_empty());
    named.find(|path| !is_blank(path)).map(PathBuf::from)
}

#[expect(
    clippy::disallowed_methods,
    reason = "the command reads the environment"
)]
fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

fn problems(wrong: Vec<Wrong>) -> Vec<Problem> {
    let problem = |wrong: Wrong| Problem::new(wrong.message).placed(wrong.source.as_ref());
    wrong.into_iter().map(problem).collect()
}
