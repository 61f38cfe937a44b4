//! The apps of a project that changes.

use super::{Changes, Live, all};
use crate::{boot::Plan, report::Problem};
use std::collections::BTreeMap;
use wythe_manifest::{App, Name, OpenFile, Same, Stamp};
use wythe_runtime::{Guest, Loaded};

/// An app as it runs.
#[derive(Clone)]
pub struct Known {
    app: App,
    loaded: Loaded,
    /// The component file when it was read.
    stamp: Option<Stamp>,
}

impl Known {
    /// An app with its file as it was before it was loaded. A file of which that is not known is read again by the next
    /// change.
    pub fn new(app: &App, loaded: Loaded, stamp: Option<Stamp>) -> Self {
        Known {
            app: app.clone(),
            loaded,
            stamp,
        }
    }
}

/// Component files by app.
pub type Stamps = BTreeMap<Name, Option<Stamp>>;

/// The component files as they are now.
pub fn stamps(plan: &Plan) -> Stamps {
    let apps = plan.manifest.apps.iter();
    apps.map(|app| (app.id.clone(), stamp(app))).collect()
}

fn stamp(app: &App) -> Option<Stamp> {
    let file = OpenFile::open(Some(&app.project), &app.guest);
    file.ok().map(|file| file.stamp())
}

impl Live {
    /// Loads the apps that are new or written otherwise; nothing reaches them yet.
    pub(super) async fn load(
        &self,
        plan: &Plan,
        spare: &BTreeMap<Name, Known>,
    ) -> Result<Vec<Known>, Vec<Problem>> {
        let (mut coming, mut problems) = (Vec::new(), Vec::new());
        for app in &plan.manifest.apps {
            let is_it = |known: &&Known| known.app.is_same(app);
            if self.apps.get(&app.id).filter(is_it).is_some() {
                continue;
            }
            if let Some(known) = spare.get(&app.id).filter(is_it) {
                coming.push(known.clone());
                continue;
            }
            let stamp = stamp(app);
            match Guest::load(&self.ground.runtime, &self.tenant, app).await {
                Ok(loaded) => coming.push(Known {
                    app: app.clone(),
                    loaded,
                    stamp,
                }),
                Err(errors) => {
                    let errors = errors.into_iter().map(Problem::from);
                    problems.extend(errors.map(|problem| problem.at(&app.source)));
                }
            }
        }
        match problems.is_empty() {
            true => Ok(coming),
            false => Err(problems),
        }
    }

    /// Removes the apps that are no more. An app that was half there is removed as well.
    pub(super) async fn remove_apps(
        &mut self,
        plan: &Plan,
        changes: &mut Changes,
    ) -> Result<(), Vec<Problem>> {
        for app in self.tenant.all_apps() {
            if plan
                .manifest
                .apps
                .iter()
                .any(|wanted| wanted.id == *app.id())
            {
                continue;
            }
            let removed = self.tenant.remove(app.id()).await;
            removed.map_err(|error| vec![Problem::from(error)])?;
            self.apps.remove(app.id());
            changes.push(format!("app `{}` removed", app.id()));
        }
        Ok(())
    }

    /// Puts apps in their places: all can be called before the first is reached without being asked.
    pub(super) async fn admit(
        &mut self,
        coming: Vec<Known>,
        changes: &mut Changes,
    ) -> Result<(), Vec<Problem>> {
        for Known { app, loaded, .. } in &coming {
            // Until it has begun, nobody knows what of it is there.
            let old = self.apps.remove(&app.id);
            let verb = old.map_or("added", |_| "changed");
            let admitted = self.tenant.admit(&loaded.app, app.ingress.as_deref()).await;
            at(app, all(admitted))?;
            changes.push(format!("app `{}` {verb}", app.id));
        }
        for known in coming {
            let started = self.tenant.start(&known.loaded.app).await;
            at(&known.app, all(started))?;
            self.apps.insert(known.app.id.clone(), known);
        }
        Ok(())
    }

    /// Puts the code of files that changed in place of the code before. It was looked at already.
    pub(super) async fn swap(
        &mut self,
        stamps: &Stamps,
        changes: &mut Changes,
    ) -> Result<(), Vec<Problem>> {
        for (id, stamp) in stamps {
            let Some(known) = self.apps.get_mut(id).filter(|known| known.stamp != *stamp) else {
                continue;
            };
            let (app, guest) = (&known.app, &known.loaded.guest);
            let swapped = at(app, all(guest.swap(&app.guest).await))?;
            known.stamp = *stamp;
            if swapped {
                at(app, all(self.tenant.renew(&known.loaded.app).await))?;
                changes.push(format!("app `{id}` has new code"));
            }
        }
        Ok(())
    }
}

/// Problems without a place are at the app.
fn at<T>(app: &App, done: Result<T, Vec<Problem>>) -> Result<T, Vec<Problem>> {
    done.map_err(|problems| {
        let problems = problems.into_iter();
        problems.map(|problem| problem.at(&app.source)).collect()
    })
}
