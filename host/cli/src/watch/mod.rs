//! A project that changes while it runs: sources are built again, the manifest and resources are read again, and what
//! runs becomes what they say.

mod watched;

pub use watched::{Events, Tree, settle, watcher};

use crate::{
    args::Common,
    boot::{self, Plan},
    build,
    choice::Choice,
    live::{Done, Live},
    report::{self, Problem},
};
use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};
use watched::{Change, Watched};
use wythe_blocks::{Host, Notice, Tenant, time::deadline};
use wythe_manifest::{App, Name};

/// The time after which a change that was wrong is tried again: what it needs may be there.
const AGAIN: Duration = Duration::from_secs(15);
/// Events of files that are held. Nothing else tells of a change, so that they are many.
const EVENTS: usize = 1 << 20;

/// Watches until the host stops.
pub struct Watch {
    pub common: Common,
    pub project: Choice,
    pub live: Live,
    pub host: Arc<Host>,
    pub tenant: Arc<Tenant>,
    /// True if apps are built by their `build` commands.
    pub is_built: bool,
}

impl Watch {
    pub fn start(self) -> anyhow::Result<()> {
        let (watcher, events) = watcher(EVENTS)?;
        let watched = Watched::of(self.live.plan(), watcher);
        let tasks = self.tenant.tasks.clone();
        tasks.spawn(self.run(watched, events));
        Ok(())
    }

    async fn run(mut self, mut watched: Watched, mut events: Events) {
        let (stopping, mut pending) = (self.tenant.tasks.stopping(), Pending::default());
        loop {
            tokio::select! {
                () = stopping.cancelled() => return,
                first = events.recv() => {
                    let Some(first) = first else {
                        // Nobody sends any more.
                        return stopping.cancelled().await;
                    };
                    let found = watched.changes(&settle(&mut events, first).await);
                    if found.is_empty() {
                        continue;
                    }
                    pending.changes.extend(found);
                }
                () = pending.due() => {}
            }
            let applied = self.apply(&mut pending);
            let Some(plan) = stopping.run_until_cancelled(applied).await else {
                return;
            };
            if let Some(plan) = plan {
                watched.follow(&plan);
            }
        }
    }

    /// Applies changes. What ran before goes on until the change is ready, and stays if that fails; then there is no plan
    /// in the answer.
    async fn apply(&mut self, pending: &mut Pending) -> Option<Arc<Plan>> {
        let done = self.change(&mut pending.changes).await;
        let problems = done.as_ref().err().map_or(&[] as &[_], Vec::as_slice);
        let notices: Vec<Notice> = problems.iter().map(Problem::notice).collect();
        let name = self.tenant.name().as_str();
        let is_new = self.host.notices().set(name, notices);
        match done {
            Ok(done) => {
                *pending = Pending::default();
                report::show(&self.common, &done.warnings);
                if !done.changes.is_empty() {
                    report::note(&format!("! {}", done.changes.join(", ")));
                }
                Some(self.live.plan().clone())
            }
            Err(problems) => {
                pending.fail(&problems);
                if is_new {
                    report::show(&self.common, &problems);
                    report::note("! the change is not in force; what ran before goes on");
                }
                None
            }
        }
    }

    /// Does what changes ask for. A build that is done is not done again for the same change of an app's sources.
    async fn change(&mut self, changes: &mut BTreeSet<Change>) -> Result<Done, Vec<Problem>> {
        let (plan, warnings) = boot::plan(self.project.clone())?;
        if plan.manifest.tenant != *self.tenant.name() {
            let message =
                "the tenant of a project that runs stays what it is; start again to change it";
            return Err(vec![Problem::new(message)]);
        }
        let apps = plan.manifest.apps.iter();
        let to_build: Vec<&App> = apps.filter(|app| self.is_to_build(app, changes)).collect();
        let mut words = Vec::new();
        for app in to_build {
            let began = Instant::now();
            let built = build::one(&self.common, app).await;
            built.map_err(|failure| failure.0)?;
            changes.remove(&Change::App(app.id.clone()));
            changes.insert(Change::Project);
            let took = report::time(began.elapsed());
            words.push(format!("{} rebuilt in {took}", app.id));
        }
        let mut done = self.live.change(plan, warnings).await?;
        // A build that makes the same file again is not worth a word.
        if !done.changes.is_empty() {
            words.append(&mut done.changes);
            done.changes = words;
        }
        Ok(done)
    }

    /// Says whether an app is to be built: one whose sources changed, and one that is not there yet.
    fn is_to_build(&self, app: &App, changes: &BTreeSet<Change>) -> bool {
        let known = |id: &Name| {
            self.live
                .plan()
                .manifest
                .apps
                .iter()
                .any(|one| one.id == *id)
        };
        let is_changed = changes.contains(&Change::App(app.id.clone())) || !known(&app.id);
        self.is_built && app.build.is_some() && is_changed
    }
}

/// Changes that are not in force yet.
#[derive(Default)]
struct Pending {
    changes: BTreeSet<Change>,
    /// The time at which they are tried again although no file changed.
    again: Option<Instant>,
}

impl Pending {
    /// Waits for the time at which the changes are tried again, for ever where there is none.
    async fn due(&self) {
        match self.again {
            Some(again) => tokio::time::sleep_until(again.into()).await,
            None => std::future::pending().await,
        }
    }

    /// Keeps changes that could not be done. A build that failed needs another file, and is not begun again before there is
    /// one.
    fn fail(&mut self, problems: &[Problem]) {
        let is_of_build = problems.iter().any(|problem| problem.kind == build::FAILED);
        self.again = (!is_of_build).then(|| deadline(AGAIN));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_change_that_failed_is_tried_again_unless_it_was_a_build() {
        let mut pending = Pending::default();
        let longer = AGAIN * 2;
        let is_due = async |pending: &Pending| {
            let due = tokio::time::timeout(longer, pending.due()).await;
            due.is_ok()
        };
        assert!(!is_due(&pending).await);
        pending.changes.insert(Change::Project);
        pending.fail(&[Problem::new("wrong")]);
        assert!(is_due(&pending).await);
        let build = Problem {
            kind: build::FAILED.into(),
            ..Problem::new("an error of the compiler")
        };
        pending.fail(&[build]);
        assert!(!is_due(&pending).await);
        assert_eq!(pending.changes, BTreeSet::from([Change::Project]));
    }
}
