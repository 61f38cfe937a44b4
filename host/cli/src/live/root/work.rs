//! The work at one tenant: it is opened, changed and removed beside the others, in bounded time.

use super::Root;
use crate::{
    boot::{self, Plan},
    isolation::{self, Supervisor},
    live::{Done, Live, apps, components, folder::Folder, print::Print},
    report::{self, Problem},
};
use parking_lot::Mutex;
use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::{Mutex as Turn, OwnedMutexGuard};
use tokio_util::sync::CancellationToken;
use wythe_blocks::{Entrance, Kind, panics};
use wythe_manifest::{Name, SIGNATURE_EXTENSION, Same, Terms};

/// The time after which a change that was wrong is tried again although nothing changed: what it needs may be there.
const AGAIN: Duration = Duration::from_secs(15);
/// Time for what a tenant that is removed has under way.
const GOING: Duration = Duration::from_secs(30);
/// The time in which a change is to be done. One that takes longer goes on, and keeps no place from others.
const LIMIT: Duration = Duration::from_secs(60);

const SLOW: &str = "the change took longer than 60 s; see what the apps do at their start, and \
                    `wallTime`";
const STOPPED: &str = "stopped: its operator's terms changed and its project is wrong under \
                       them; it is served again once it is mended";

/// A tenant among the others.
#[derive(Default)]
pub struct Entry {
    tenure: Arc<Turn<Tenure>>,
    /// Ends what is done for the tenant, since it is gone.
    going: CancellationToken,
    /// The operator's word that is being put in force, while that goes on for longer than it should.
    slow: Mutex<Option<Arc<Terms>>>,
}

impl Entry {
    /// The tenant, unless it is worked at.
    pub fn lock(&self) -> Option<OwnedMutexGuard<Tenure>> {
        self.tenure.clone().try_lock_owned().ok()
    }

    pub fn is_going(&self) -> bool {
        self.going.is_cancelled()
    }

    pub fn is_slow(&self) -> bool {
        self.slow.lock().is_some()
    }

    /// Ends a change that is slow, where the operator's word is another one by now: it does not wait for a tenant.
    pub fn end_if_overruled(&self, terms: &Terms) {
        let slow = self.slow.lock().clone();
        if slow.is_some_and(|slow| !slow.is_same(terms)) {
            self.going.cancel();
        }
    }
}

/// The time in which a tenant is there: what of it runs, and what was tried last for it.
#[derive(Default)]
pub struct Tenure {
    live: Option<Live>,
    /// Its process, where it has one of its own.
    process: Option<Supervisor>,
    pub tried: Option<Tried>,
    /// True where it was stopped, since it could not go on under other terms.
    is_stopped: bool,
}

impl Tenure {
    /// Returns whether it runs under other terms than these.
    pub fn is_overruled(&self, terms: &Terms) -> bool {
        let process = self.process.as_ref();
        let is_overruled = process.is_some_and(|process| !process.is_under(terms));
        let live = self.live.as_ref();
        is_overruled
            || live.is_some_and(|live| {
                let known = live.plan().terms.as_ref();
                known.is_none_or(|known| !known.is_same(terms))
            })
    }
}

pub struct Tried {
    pub print: Print,
    /// The component files and their signatures, wherever they are.
    pub files: Vec<PathBuf>,
    pub terms: Arc<Terms>,
    pub problems: Vec<Problem>,
    /// The time when a failure is tried again.
    pub again: Option<Instant>,
}

/// A tenant whose directory or terms are other ones.
pub struct Job {
    pub folder: Folder,
    pub entry: Arc<Entry>,
    pub tenure: OwnedMutexGuard<Tenure>,
    pub tried: Tried,
}

impl Job {
    /// Says whether the job may begin. New terms wait for no file that is being written.
    pub fn is_due(&self) -> bool {
        self.tried.print.is_settled() || self.tenure.is_overruled(&self.tried.terms)
    }
}

/// A tenant whose directory is gone.
pub struct Gone {
    name: Name,
    entry: Arc<Entry>,
    tenure: OwnedMutexGuard<Tenure>,
}

impl Gone {
    /// Ends what is done for a tenant. One that is worked at ends first, and is removed by a later look.
    pub fn of(name: Name, entry: Arc<Entry>) -> Option<Self> {
        entry.going.cancel();
        let tenure = entry.lock()?;
        Some(Gone {
            name,
            entry,
            tenure,
        })
    }
}

impl Root {
    /// Does what a job asks for, until it is done, the tenant is gone or the host stops.
    pub(super) async fn work(&self, job: Job) {
        let Job {
            folder,
            entry,
            mut tenure,
            tried,
        } = job;
        let stopping = self.ground.host.tasks().stopping();
        tokio::select! {
            () = stopping.cancelled() => {}
            () = entry.going.cancelled() => {}
            () = self.attempt(&folder, &entry, &mut tenure, tried) => {}
        }
        *entry.slow.lock() = None;
    }

    async fn attempt(&self, folder: &Folder, entry: &Entry, tenure: &mut Tenure, mut tried: Tried) {
        let name = folder.tenant.as_str();
        let done = match boot::has_errors(&tried.problems) {
            true => Err(tried.problems.clone()),
            false => {
                self.narrow(&tried.terms);
                self.in_time(folder, entry, tenure, &mut tried).await
            }
        };
        match done {
            Ok(done) => {
                tenure.is_stopped = false;
                self.show(name, &[]);
                self.print(name, &done.warnings);
                if !done.changes.is_empty() {
                    report::note(&format!("! tenant {name}: {}", done.changes.join(", ")));
                }
            }
            Err(mut problems) => {
                // The operator's own mistake changes nothing.
                if !boot::has_errors(&tried.problems) && tenure.is_overruled(&tried.terms) {
                    (tenure.live, tenure.is_stopped) = (None, true);
                    self.end_process(&folder.tenant, tenure).await;
                }
                if tenure.live.is_none() {
                    // That which is stopped, or what a start that ended by a panic left.
                    self.ground.host.remove(&folder.tenant, GOING).await;
                }
                if tenure.is_stopped {
                    problems.push(Problem::new(STOPPED));
                }
                self.show(name, &problems);
                tried.again = Some(Instant::now() + AGAIN);
            }
        }
        tenure.tried = Some(tried);
    }

    /// Applies a change in one of the places. One that takes too long is told and gives its place back. What it has
    /// begun is not torn: it goes on, and no other change of the tenant begins before it has ended.
    async fn in_time(
        &self,
        folder: &Folder,
        entry: &Entry,
        tenure: &mut Tenure,
        tried: &mut Tried,
    ) -> Result<Done, Vec<Problem>> {
        let place = self.places.acquire().await;
        let name = folder.tenant.as_str();
        let is_overruled = tenure.is_overruled(&tried.terms);
        let terms = tried.terms.clone();
        let applied = async {
            Ok(match self.is_apart(&terms) {
                true => self.apply_apart(tried, tenure).await,
                false => self.apply(folder, tried, tenure).await,
            })
        };
        let what = || format!("the change of tenant `{name}`");
        let mut applied = Box::pin(panics::caught(Kind::Internal, what, applied));
        let done = match tokio::time::timeout(LIMIT, &mut applied).await {
            Ok(done) => done,
            // New terms do not wait for the tenant, which is stopped.
            Err(_) if is_overruled => return Err(vec![Problem::new(SLOW)]),
            Err(_) => {
                drop(place);
                *entry.slow.lock() = Some(terms.clone());
                let message = format!("{SLOW}; it goes on, and removing the directory ends it");
                self.show(name, &[Problem::new(message)]);
                applied.await
            }
        };
        done.map_err(|error| vec![Problem::from(error)])?
    }

    async fn apply(
        &self,
        folder: &Folder,
        tried: &mut Tried,
        tenure: &mut Tenure,
    ) -> Result<Done, Vec<Problem>> {
        self.end_process(&folder.tenant, tenure).await;
        let (path, given) = (folder.path.clone(), tried.terms.clone());
        let (data, tenant) = (self.ground.data.clone(), folder.tenant.clone());
        let is_new = tenure.live.is_none();
        let read = move || {
            if is_new {
                isolation::check_shared(&data, &tenant).map_err(one)?;
            }
            boot::plan_under(&path, Some(given))
        };
        let read = tokio::task::spawn_blocking(read).await;
        let read = read.map_err(|error| vec![Problem::new(error.to_string())])?;
        let (plan, warnings) = read?;
        // Before any of them is loaded, so that what changes from now on is another print.
        tried.files = files(&plan);
        tried.print = tried.print.with(&folder.path, &tried.files);
        match &mut tenure.live {
            Some(live) => live.change(plan, warnings).await,
            None => {
                let stamps = apps::stamps(&plan);
                let mut booted = boot::boot_on(&self.ground, &plan).await?;
                booted.warnings.extend(warnings);
                tenure.live = Some(Live::new(&booted, Arc::new(plan), &stamps));
                Ok(Done {
                    changes: vec!["served".to_owned()],
                    warnings: booted.warnings,
                })
            }
        }
    }

    /// Has the tenant run in a process of its own, which finds out by itself what its project is.
    async fn apply_apart(&self, tried: &Tried, tenure: &mut Tenure) -> Result<Done, Vec<Problem>> {
        let (terms, mut changes) = (&tried.terms, Vec::new());
        isolation::check(terms).map_err(one)?;
        if tenure.live.take().is_some() {
            self.ground.host.remove(&terms.tenant, GOING).await;
        }
        let is_it = |known: &Supervisor| known.is_under(terms);
        if !tenure.process.as_ref().is_some_and(is_it) {
            self.end_process(&terms.tenant, tenure).await;
            tenure.process = Some(self.process(&terms.tenant).map_err(one)?);
            changes.push("served in a process of its own".to_owned());
        }
        if let Some(process) = &mut tenure.process {
            process.ready().await.map_err(one)?;
        }
        let warnings = Vec::new();
        Ok(Done { changes, warnings })
    }

    /// Starts the process of a tenant, which is reached from now on, under the terms that are in force at this moment.
    fn process(&self, tenant: &Name) -> Result<Supervisor, Problem> {
        let file = self.file.lock().file.clone();
        let terms = Arc::new(file.terms(tenant));
        // First, so that no process runs of which nothing is reached.
        let entrance = Entrance::of(Some(&terms));
        let entered = self.ground.host.routes().enter(tenant, entrance);
        entered.map_err(|error| Problem::from(error).at(&terms.source))?;
        let started = Supervisor::start(
            (&self.common, &self.ground),
            (&self.directory, self.dev),
            &file,
            terms,
        );
        started.inspect_err(|_| self.ground.host.set_process(tenant, None))
    }

    /// Ends the process of a tenant, with what it has under way.
    async fn end_process(&self, tenant: &Name, tenure: &mut Tenure) {
        let Some(process) = &mut tenure.process else {
            return;
        };
        // Until nothing of it is left, its requests are told to come again, and its data is not purged.
        process.stop().await;
        tenure.process = None;
        self.ground.host.set_process(tenant, None);
    }

    /// Ends a tenant whose directory is gone, or was, or that is to begin again; its data stays.
    pub(super) async fn remove(&self, gone: Gone) {
        let Gone {
            name,
            entry,
            mut tenure,
        } = gone;
        let was_served = tenure.live.take().is_some() || tenure.process.is_some();
        self.end_process(&name, &mut tenure).await;
        // Of a change that was ended, a part may be there.
        self.ground.host.remove(&name, GOING).await;
        let path = self.directory.join(name.as_str());
        let is_there = tokio::fs::try_exists(path).await.unwrap_or(true);
        if was_served && !is_there {
            report::note(&format!(
                "! tenant {name}: removed; its data stays, until `wythe tenants purge {name}`"
            ));
        }
        self.show(name.as_str(), &[]);
        forget(&mut self.entries(), &name, &entry);
    }
}

fn one(problem: Problem) -> Vec<Problem> {
    vec![problem]
}

/// Takes a tenant off the list, unless there is a newer one of its name.
fn forget(entries: &mut BTreeMap<Name, Arc<Entry>>, name: &Name, entry: &Arc<Entry>) {
    let known = entries.get(name);
    if known.is_some_and(|known| Arc::ptr_eq(known, entry)) {
        entries.remove(name);
    }
}

impl Tried {
    pub fn is_same(&self, now: &Tried) -> bool {
        self.print.is_same(&now.print)
            && self.terms.is_same(&now.terms)
            && self.problems_told() == now.problems_told()
            && self.again.is_none_or(|again| Instant::now() < again)
    }

    fn problems_told(&self) -> Vec<&str> {
        self.problems
            .iter()
            .map(|problem| problem.message.as_str())
            .collect()
    }
}

/// The component files of a plan that are followed, wherever they are: those of its apps, and with their signatures, where
/// there must be any, those of its plugins as well.
fn files(plan: &Plan) -> Vec<PathBuf> {
    let apps = plan.manifest.apps.iter();
    let mut files: Vec<_> = apps.map(|app| app.guest.clone()).collect();
    let terms = plan.terms.as_ref();
    if terms.is_some_and(|terms| terms.signing_keys.is_some()) {
        files.extend(components::plugins(plan));
        let signature = |file: &PathBuf| file.with_added_extension(SIGNATURE_EXTENSION);
        let signatures: Vec<_> = files.iter().map(signature).collect();
        files.extend(signatures);
    }
    files
}

#[cfg(test)]
mod tests {
    use super::*;
    use wythe_manifest::HostFile;

    #[test]
    fn what_is_done_for_a_tenant_ends_when_it_is_gone() {
        let name: Name = "shop".parse().unwrap();
        let entry = Arc::new(Entry::default());
        let worked_at = entry.lock().unwrap();
        assert!(entry.lock().is_none() && !entry.is_going());
        assert!(Gone::of(name.clone(), entry.clone()).is_none());
        assert!(entry.is_going());
        drop(worked_at);
        assert!(Gone::of(name, entry).is_some());
    }

    #[test]
    fn a_newer_tenant_of_the_same_name_stays() {
        let name: Name = "shop".parse().unwrap();
        let (old, new) = (Arc::new(Entry::default()), Arc::new(Entry::default()));
        let mut entries = BTreeMap::from([(name.clone(), new.clone())]);
        forget(&mut entries, &name, &old);
        assert!(entries.contains_key(&name));
        forget(&mut entries, &name, &new);
        assert!(entries.is_empty());
    }

    #[test]
    fn new_terms_end_a_change_that_is_slow() {
        let file = HostFile::default();
        let name: Name = "shop".parse().unwrap();
        let before = Arc::new(file.terms(&name));
        let after = Terms {
            by_path: !before.by_path,
            ..Terms::clone(&before)
        };
        let entry = Entry::default();
        entry.end_if_overruled(&after);
        assert!(!entry.is_going() && !entry.is_slow());
        *entry.slow.lock() = Some(before.clone());
        assert!(entry.is_slow());
        entry.end_if_overruled(&before);
        assert!(!entry.is_going());
        entry.end_if_overruled(&after);
        assert!(entry.is_going());
    }
}
