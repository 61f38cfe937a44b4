//! The root of a host with many tenants: each directory below it is one, and what changes there is done without a restart.

use super::{
    Changes, Live, apps,
    folder::{self, Folder},
    print::{self, Print},
};
use crate::{
    args::Common,
    boot::{self, Ground, Plan},
    report::{self, Problem},
};
use futures::future::join_all;
use parking_lot::{Mutex, MutexGuard};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::{Mutex as Turn, OwnedMutexGuard, Semaphore};
use wythe_blocks::Notice;
use wythe_manifest::{HOST_FILE, HostFile, Name, Terms};

/// The time after which a change that was wrong is tried again although nothing changed: what it needs may be there.
const AGAIN: Duration = Duration::from_secs(15);
/// Time for what a tenant that is removed has under way.
const GOING: Duration = Duration::from_secs(30);
/// Tenants that are opened or changed at once.
const AT_ONCE: usize = 4;

/// The tenants of a directory.
pub struct Root {
    common: Common,
    ground: Ground,
    directory: PathBuf,
    /// The addresses that the operator's file had at the start.
    addresses: [Option<String>; 2],
    /// The operator's file as it was when it could be read last.
    file: Mutex<Arc<HostFile>>,
    consumers: Mutex<BTreeMap<Name, Arc<Turn<Consumer>>>>,
    /// Directories that were refused when they were looked at last.
    refused: Mutex<BTreeSet<String>>,
    places: Arc<Semaphore>,
}

/// One tenant, and what was tried last for it.
#[derive(Default)]
struct Consumer {
    live: Option<Live>,
    tried: Option<Tried>,
}

struct Tried {
    print: Print,
    /// The component files, wherever they are.
    guests: Vec<PathBuf>,
    terms: Arc<Terms>,
    problems: Vec<Problem>,
    /// The time when a failure is tried again.
    again: Option<Instant>,
}

/// A tenant whose directory or terms are other ones.
struct Job {
    folder: Folder,
    consumer: OwnedMutexGuard<Consumer>,
    tried: Tried,
}

/// The work that a look found.
#[derive(Default)]
struct Work {
    jobs: Vec<Job>,
    gone: Vec<(Name, OwnedMutexGuard<Consumer>)>,
}

/// One look at the directory.
pub struct Look {
    root: Arc<Root>,
    work: Work,
    /// True where something is to be looked at again soon, for it may be only half written.
    pub is_young: bool,
    /// The time that looking took.
    pub took: Duration,
}

impl Look {
    /// Returns whether all is as it was.
    pub fn is_idle(&self) -> bool {
        self.work.jobs.is_empty() && self.work.gone.is_empty()
    }

    /// Does what has changed.
    pub async fn act(self) {
        let (root, Work { jobs, gone }) = (&self.root, self.work);
        let jobs = join_all(jobs.into_iter().map(|job| root.work(job)));
        let gone = join_all(
            gone.into_iter()
                .map(|(name, consumer)| root.remove(name, consumer)),
        );
        futures::future::join(jobs, gone).await;
    }
}

impl Root {
    pub fn new(common: &Common, ground: Ground, directory: &Path, file: HostFile) -> Arc<Self> {
        Arc::new(Root {
            common: *common,
            ground,
            directory: directory.to_owned(),
            addresses: addresses(&file),
            file: Mutex::new(Arc::new(file)),
            consumers: Mutex::default(),
            refused: Mutex::default(),
            places: Arc::new(Semaphore::new(AT_ONCE)),
        })
    }

    /// Looks at the directory once. The answer has the work that is to be done, which may be done beside other looks.
    pub async fn look(self: &Arc<Self>) -> Look {
        let (root, began) = (self.clone(), Instant::now());
        let compared = tokio::task::spawn_blocking(move || root.compare()).await;
        let (work, is_young) = compared.unwrap_or_default();
        Look {
            root: self.clone(),
            work,
            is_young,
            took: began.elapsed(),
        }
    }

    /// Finds the tenants that are to be changed and those that are gone. Tenants that are worked at are left for later.
    fn compare(&self) -> (Work, bool) {
        let file = self.read_file();
        let folders = match folder::list(&self.directory) {
            Ok(folders) => folders,
            Err(error) => {
                let message = format!("{} cannot be read: {error}", self.directory.display());
                self.show(HOST_FILE, &[Problem::new(message)]);
                return (Work::default(), true);
            }
        };
        self.refuse(&folders.refused);
        let (mut jobs, mut is_young) = (Vec::new(), false);
        let mut gone = self.consumers().clone();
        for folder in folders.tenants {
            gone.remove(&folder.tenant);
            let consumer = self
                .consumers()
                .entry(folder.tenant.clone())
                .or_default()
                .clone();
            let Ok(consumer) = consumer.try_lock_owned() else {
                is_young = true;
                continue;
            };
            match self.job(&file, folder, consumer) {
                Some(job) if job.tried.print.is_settled() => jobs.push(job),
                Some(_) => is_young = true,
                None => {}
            }
        }
        // A directory that cannot be a tenant's any more changes nothing.
        let refused: Vec<_> = folders
            .refused
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        gone.retain(|name, _| !refused.contains(&name.as_str()));
        let gone = gone.into_iter();
        let gone =
            gone.filter_map(|(name, consumer)| Some((name, consumer.try_lock_owned().ok()?)));
        let work = Work {
            jobs,
            gone: gone.collect(),
        };
        (work, is_young)
    }

    /// The operator's file. One that cannot be read is told, and the one before stays in force.
    fn read_file(&self) -> Arc<HostFile> {
        let (file, problems) = wythe_manifest::load_host_file(&self.directory);
        let (is_good, mut problems) = (!problems.has_errors(), Problem::all(problems));
        if is_good && addresses(&file) != self.addresses {
            let message =
                "`listen` and `metrics` are those of the start; start again to change them";
            let written = file.listen.as_ref().or(file.metrics.as_ref());
            let problem = Problem::new(message);
            problems.push(match written {
                Some((_, place)) => problem.at(place),
                None => problem,
            });
        }
        self.show(HOST_FILE, &problems);
        let mut known = self.file.lock();
        if is_good {
            *known = Arc::new(file);
        }
        known.clone()
    }

    fn refuse(&self, refused: &[(String, Problem)]) {
        for (name, problem) in refused {
            self.show(name, std::slice::from_ref(problem));
        }
        let now = refused.iter().map(|(name, _)| name.clone()).collect();
        let mut known = self.refused.lock();
        for mended in known.difference(&now) {
            self.show(mended, &[]);
        }
        *known = now;
    }

    /// The work for a tenant; none if all is as it was when it was tried last.
    fn job(
        &self,
        file: &HostFile,
        folder: Folder,
        consumer: OwnedMutexGuard<Consumer>,
    ) -> Option<Job> {
        let guests = consumer.tried.as_ref().map(|last| last.guests.clone());
        let guests = guests.unwrap_or_default();
        let tried = Tried {
            print: print::of(&folder.path, &guests),
            guests,
            terms: Arc::new(file.terms(&folder.tenant)),
            problems: Problem::all(file.problems_of(&folder.tenant)),
            again: None,
        };
        let is_known = consumer
            .tried
            .as_ref()
            .is_some_and(|last| last.is_same(&tried));
        (!is_known).then_some(Job {
            folder,
            consumer,
            tried,
        })
    }

    async fn work(&self, job: Job) {
        let _place = self.places.acquire().await;
        let Job {
            folder,
            mut consumer,
            mut tried,
        } = job;
        let name = folder.tenant.as_str();
        let done = match boot::has_errors(&tried.problems) {
            true => Err(tried.problems.clone()),
            false => self.apply(&folder, &mut tried, &mut consumer).await,
        };
        match done {
            Ok(changes) => {
                self.show(name, &[]);
                if !changes.is_empty() {
                    report::note(&format!("! tenant {name}: {}", changes.join(", ")));
                }
            }
            Err(problems) => {
                self.show(name, &problems);
                tried.again = Some(Instant::now() + AGAIN);
            }
        }
        consumer.tried = Some(tried);
    }

    async fn apply(
        &self,
        folder: &Folder,
        tried: &mut Tried,
        consumer: &mut Consumer,
    ) -> Result<Changes, Vec<Problem>> {
        let (path, given) = (folder.path.clone(), tried.terms.clone());
        let read = move || boot::read_under(&path, Some(given));
        let read = tokio::task::spawn_blocking(read).await;
        let (plan, problems) = read.map_err(|error| vec![Problem::new(error.to_string())])?;
        let plan = match plan {
            Some(plan) if !boot::has_errors(&problems) => plan,
            _ => return Err(problems),
        };
        // Before any of them is loaded, so that what changes from now on is another print.
        tried.guests = guests(&plan);
        tried.print = tried.print.with(&tried.guests);
        match &mut consumer.live {
            Some(live) => live.change(plan).await,
            None => {
                let stamps = apps::stamps(&plan);
                let booted = boot::boot_on(&self.ground, &plan).await?;
                consumer.live = Some(Live::new(&booted, Arc::new(plan), &stamps));
                Ok(vec!["served".to_owned()])
            }
        }
    }

    /// Ends a tenant whose directory is gone; its data stays.
    async fn remove(&self, name: Name, mut consumer: OwnedMutexGuard<Consumer>) {
        if consumer.live.take().is_some() {
            self.ground.host.remove(&name, GOING).await;
            report::note(&format!(
                "! tenant {name}: removed; its data stays, until `wythe tenants purge {name}`"
            ));
        }
        self.show(name.as_str(), &[]);
        self.consumers().remove(&name);
    }

    /// Tells what is wrong, once, until it is another thing.
    fn show(&self, about: &str, problems: &[Problem]) {
        let notices = problems.iter().filter(|problem| !problem.is_warning);
        let notices: Vec<Notice> = notices.map(Problem::notice).collect();
        let is_wrong = !notices.is_empty();
        if self.ground.host.notices().set(about, notices) && is_wrong {
            report::show(&self.common, problems);
            report::note(&format!("! {about}: the change is not in force"));
        }
    }

    fn consumers(&self) -> MutexGuard<'_, BTreeMap<Name, Arc<Turn<Consumer>>>> {
        self.consumers.lock()
    }
}

impl Tried {
    fn is_same(&self, now: &Tried) -> bool {
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

fn addresses(file: &HostFile) -> [Option<String>; 2] {
    [&file.listen, &file.metrics].map(|written| written.as_ref().map(|(text, _)| text.clone()))
}

/// The component files of a plan, wherever they are.
fn guests(plan: &Plan) -> Vec<PathBuf> {
    plan.manifest
        .apps
        .iter()
        .map(|app| app.guest.clone())
        .collect()
}
