//! A project that changes while it runs: sources are built again, the manifest and resources are read again, and what
//! runs becomes what they say.

mod watched;

pub use watched::{Events, Tree, settle, settled, watcher};

use crate::{
    args::Common,
    boot::{self, Plan},
    build,
    live::Live,
    report::{self, Problem},
};
use std::{
    collections::BTreeSet,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};
use watched::{Change, Watched};
use wythe_blocks::{Host, Notice, Tenant};
use wythe_manifest::{App, Name};

/// The time after which a change that was wrong is tried again: what it needs may be there.
const AGAIN: Duration = Duration::from_secs(15);

/// Watches until the host stops.
pub struct Watch {
    pub common: Common,
    /// The manifest, or its directory.
    pub path: PathBuf,
    pub live: Live,
    pub host: Arc<Host>,
    pub tenant: Arc<Tenant>,
    /// True if apps are built by their `build` commands.
    pub is_built: bool,
}

impl Watch {
    pub fn start(self) -> anyhow::Result<()> {
        let (watcher, events) = watcher()?;
        let watched = Watched::of(self.live.plan(), watcher);
        let tasks = self.tenant.tasks.clone();
        tasks.spawn(self.run(watched, events));
        Ok(())
    }

    async fn run(mut self, mut watched: Watched, mut events: Events) {
        let (stopping, mut is_wrong) = (self.tenant.tasks.stopping(), false);
        loop {
            let again = async {
                match is_wrong {
                    true => tokio::time::sleep(AGAIN).await,
                    false => std::future::pending().await,
                }
            };
            let changes = tokio::select! {
                () = stopping.cancelled() => return,
                paths = settled(&mut events) => watched.changes(&paths),
                () = again => BTreeSet::from([Change::Project]),
            };
            if changes.is_empty() {
                continue;
            }
            let applied = self.apply(&changes);
            let Some(plan) = stopping.run_until_cancelled(applied).await else {
                return;
            };
            is_wrong = plan.is_none();
            if let Some(plan) = plan {
                watched.follow(&plan);
            }
        }
    }

    /// Applies changes. What ran before goes on until the change is ready, and stays if that fails; then there is no plan in the answer.
    async fn apply(&mut self, changes: &BTreeSet<Change>) -> Option<Arc<Plan>> {
        let done = self.change(changes).await;
        let problems = done.as_ref().err().map_or(&[] as &[_], Vec::as_slice);
        let notices: Vec<Notice> = problems.iter().map(Problem::notice).collect();
        let name = self.tenant.name().as_str();
        let is_new = self.host.notices().set(name, notices);
        match done {
            Ok(words) => {
                if !words.is_empty() {
                    report::note(&format!("! {}", words.join(", ")));
                }
                Some(self.live.plan().clone())
            }
            Err(problems) => {
                if is_new {
                    report::show(&self.common, &problems);
                    report::note("! the change is not in force; what ran before goes on");
                }
                None
            }
        }
    }

    async fn change(&mut self, changes: &BTreeSet<Change>) -> Result<Vec<String>, Vec<Problem>> {
        let (plan, problems) = boot::read(&self.path);
        let plan = match plan {
            Some(plan) if !boot::has_errors(&problems) => plan,
            _ => return Err(problems),
        };
        if plan.manifest.tenant != *self.tenant.name() {
            let message =
                "the tenant of a project that runs stays what it is; start again to change it";
            return Err(vec![Problem::new(message)]);
        }
        let mut words = Vec::new();
        for app in plan
            .manifest
            .apps
            .iter()
            .filter(|app| self.is_to_build(app, changes))
        {
            let began = Instant::now();
            build::one(&self.common, app)
                .await
                .map_err(|failure| failure.0)?;
            words.push(format!(
                "{} rebuilt in {}",
                app.id,
                report::time(began.elapsed())
            ));
        }
        let done = self.live.change(plan).await?;
        // A build that makes the same file again is not worth a word.
        Ok(match done.is_empty() {
            true => Vec::new(),
            false => words.into_iter().chain(done).collect(),
        })
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
