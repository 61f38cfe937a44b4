//! The root of a host with many tenants: each directory below it is one, and what changes there is done without a restart.

mod certificates;
mod work;

use super::{
    folder::{self, Folder, Folders},
    print::{self, Print},
};
use crate::{
    args::Common,
    boot::{self, Ground},
    report::{self, Problem},
    traces,
};
use certificates::Followed;
pub use certificates::unenforced;
use parking_lot::{Mutex, MutexGuard};
use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::{
    OwnedMutexGuard, Semaphore,
    mpsc::{self, Receiver},
};
use work::{Entry, Gone, Job, Tenure, Tried};
use wythe_api::Certificates;
use wythe_blocks::Notice;
use wythe_manifest::{
    HOST_FILE, HostFile, Isolation, Name, OpenFile, Source, Stamp, Terms, Tracing,
};

/// Problems of one tenant that are printed each time.
const PRINTED: usize = 20;
/// Tenants that are opened or changed at once.
const AT_ONCE: usize = 4;

/// The tenants of a directory.
pub struct Root {
    common: Common,
    ground: Ground,
    directory: PathBuf,
    /// The tenant, where this is the process of one: what is listed and what the operator says are given.
    alone: Option<Name>,
    /// True to tell callers what is wrong.
    dev: bool,
    /// The addresses that the operator's file had at the start.
    addresses: [Option<String>; 3],
    /// The address of HTTP in clear, where that is answered.
    plain: Option<SocketAddr>,
    /// The tracing that it had then.
    tracing: Option<Tracing>,
    file: Mutex<Written>,
    /// The certificates, where HTTPS is answered.
    certificates: Option<Followed>,
    entries: Mutex<BTreeMap<Name, Arc<Entry>>>,
    /// Directories that were refused when they were looked at last.
    refused: Mutex<BTreeSet<String>>,
    places: Semaphore,
}

/// The operator's file as it is in force.
struct Written {
    file: Arc<HostFile>,
    /// The problems of the file that was read last. Where it could not be read, an earlier one is in force.
    problems: Vec<Problem>,
    /// The stamp of the file that was read last, unless it was so young that a change may have left the stamp as it is.
    stamp: Option<Stamp>,
}

/// The work that a look found.
#[derive(Default)]
struct Work {
    jobs: Vec<Job>,
    gone: Vec<Gone>,
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

    /// Begins what is to be done, each tenant in a task of its own, so that none waits for another or ends with it. The
    /// channel closes when all of it has ended.
    pub fn start(self) -> Receiver<()> {
        let (ending, ended) = mpsc::channel(1);
        let tasks = self.root.ground.host.tasks();
        for job in self.work.jobs {
            let (root, ending) = (self.root.clone(), ending.clone());
            tasks.spawn(async move {
                root.work(job).await;
                drop(ending);
            });
        }
        for gone in self.work.gone {
            let (root, ending) = (self.root.clone(), ending.clone());
            tasks.spawn(async move {
                root.remove(gone).await;
                drop(ending);
            });
        }
        ended
    }
}

impl Root {
    pub fn new(
        common: &Common,
        ground: Ground,
        (directory, dev): (&Path, bool),
        file: HostFile,
        (certificates, plain): (Option<Arc<Certificates>>, Option<SocketAddr>),
    ) -> Self {
        Root {
            common: *common,
            ground,
            directory: directory.to_owned(),
            alone: None,
            dev,
            addresses: addresses(&file),
            plain,
            tracing: file.tracing.clone(),
            file: Mutex::new(Written {
                file: Arc::new(file),
                problems: Vec::new(),
                stamp: None,
            }),
            certificates: certificates.map(Followed::new),
            entries: Mutex::default(),
            refused: Mutex::default(),
            places: Semaphore::new(AT_ONCE),
        }
    }

    /// A root of which this process has one tenant, under terms that stay as they are.
    pub fn of_one(
        common: &Common,
        ground: Ground,
        directory: &Path,
        file: HostFile,
        tenant: Name,
    ) -> Self {
        Root {
            alone: Some(tenant),
            ..Root::new(common, ground, (directory, false), file, (None, None))
        }
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
        let Some(folders) = self.list() else {
            return (Work::default(), false);
        };
        let file = self.read_file();
        self.refuse(&folders.refused);
        let (mut jobs, mut is_young) = (Vec::new(), false);
        let mut gone = self.entries().clone();
        for folder in folders.tenants {
            let entry = self.entry(&folder.tenant);
            if entry.is_going() {
                // It was away for a moment: what is left of it goes first.
                is_young = true;
                continue;
            }
            gone.remove(&folder.tenant);
            let Some(tenure) = entry.lock() else {
                entry.end_if_overruled(&file.terms(&folder.tenant));
                is_young |= !entry.is_slow();
                continue;
            };
            match self.job(&file, folder, entry, tenure) {
                Some(job) if job.is_due() => jobs.push(job),
                Some(_) => is_young = true,
                None => {}
            }
        }
        // A directory that cannot be a tenant's any more changes nothing.
        let refused = self.refused.lock();
        gone.retain(|name, _| !refused.contains(name.as_str()));
        let all = gone.len();
        let gone = gone
            .into_iter()
            .filter_map(|(name, entry)| Gone::of(name, entry));
        let gone: Vec<_> = gone.collect();
        // One that is worked at is removed once that has ended, which is soon.
        is_young |= gone.len() < all;
        (Work { jobs, gone }, is_young)
    }

    /// The directories of the tenants. Where they cannot be listed, that is told beside the problems of the operator's file,
    /// which is not looked at: what is in force stays so.
    fn list(&self) -> Option<Folders> {
        let error = match self.folders() {
            Ok(folders) => return Some(folders),
            Err(error) => error,
        };
        let mut problems = self.file.lock().problems.clone();
        let message = format!("{} cannot be read: {error}", self.directory.display());
        problems.push(Problem::new(message));
        self.show(HOST_FILE, &problems);
        None
    }

    /// The directories of the tenants of this process.
    pub fn folders(&self) -> io::Result<Folders> {
        match &self.alone {
            Some(tenant) => folder::one(&self.directory, tenant),
            None => folder::list(&self.directory),
        }
    }

    /// Returns whether this is the process of one tenant, to which no other comes.
    pub fn is_alone(&self) -> bool {
        self.alone.is_some()
    }

    /// The operator's file, which is read where it is another one than before. One that cannot be read is told, and the one
    /// before stays in force.
    fn read_file(&self) -> Arc<HostFile> {
        if self.is_alone() {
            return self.file.lock().file.clone();
        }
        let open = OpenFile::open(Some(&self.directory), &self.directory.join(HOST_FILE));
        let stamp = open.ok().map(|file| file.stamp());
        // Before it is read: what changes from now on has another stamp.
        let lasting = stamp.filter(|stamp| print::is_settled(stamp.changed()));
        let mut known = self.file.lock();
        if stamp.is_none() || stamp != known.stamp {
            let (file, problems) = self.load_file();
            if let Some(file) = file {
                known.file = Arc::new(file);
            }
            known.problems = problems;
            known.stamp = lasting;
        }
        self.show(HOST_FILE, &known.problems);
        known.file.clone()
    }

    /// Reads the operator's file; none where it is wrong.
    fn load_file(&self) -> (Option<HostFile>, Vec<Problem>) {
        let (file, problems) = wythe_manifest::load_host_file(&self.directory);
        let (mut is_good, mut problems) = (!problems.has_errors(), Problem::all(problems));
        if let Some(problem) = unenforced(self.plain, &file).filter(|_| is_good) {
            is_good = false;
            problems.push(problem);
        }
        if is_good && addresses(&file) != self.addresses {
            let message = "the addresses (`listen`, `metrics`, `tls.listen`) are those of the \
                           start; start again to change them";
            let written = listens(&file).into_iter().flatten().next();
            let problem = Problem::new(message);
            problems.push(match written {
                Some((_, place)) => problem.at(place),
                None => problem,
            });
        }
        if is_good {
            let moved = traces::moved(file.tracing.as_ref(), self.tracing.as_ref());
            problems.extend(moved.map(|(message, place)| Problem::new(message).placed(place)));
        }
        (is_good.then_some(file), problems)
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
        entry: Arc<Entry>,
        tenure: OwnedMutexGuard<Tenure>,
    ) -> Option<Job> {
        let files = tenure.tried.as_ref().map(|last| last.files.clone());
        let files = files.unwrap_or_default();
        let terms = Arc::new(file.terms(&folder.tenant));
        let tried = Tried {
            print: match self.is_apart(&terms) {
                // Its own process looks at it.
                true => Print::default(),
                false => print::of(&folder.path, &files),
            },
            files,
            terms,
            problems: Problem::all(file.problems_of(&folder.tenant)),
            again: None,
        };
        let is_known = tenure
            .tried
            .as_ref()
            .is_some_and(|last| last.is_same(&tried));
        (!is_known).then_some(Job {
            folder,
            entry,
            tenure,
            tried,
        })
    }

    /// Says whether a tenant of these terms runs in another process than this one.
    fn is_apart(&self, terms: &Terms) -> bool {
        terms.isolation == Isolation::Process && !self.is_alone()
    }

    /// Tells what is wrong, once, until it is another thing.
    fn show(&self, about: &str, problems: &[Problem]) {
        let notices = problems.iter().filter(|problem| !problem.is_warning);
        let notices: Vec<Notice> = notices.map(Problem::notice).collect();
        let is_wrong = !notices.is_empty();
        if self.ground.host.notices().set(about, notices) && is_wrong {
            self.print(about, problems);
            report::note(&format!("! {about}: the change is not in force"));
        }
    }

    /// Prints problems, or the warnings of a change that is in force.
    fn print(&self, about: &str, problems: &[Problem]) {
        let (shown, more) = to_print(problems);
        report::show(&self.common, &shown);
        if more > 0 {
            let rest = match boot::has_errors(problems) {
                true => "more; see `wythe status`",
                false => "more warnings",
            };
            report::note(&format!("! {about}: and {more} {rest}"));
        }
    }

    fn entry(&self, tenant: &Name) -> Arc<Entry> {
        let mut entries = self.entries();
        entries.entry(tenant.clone()).or_default().clone()
    }

    fn entries(&self) -> MutexGuard<'_, BTreeMap<Name, Arc<Entry>>> {
        self.entries.lock()
    }
}

fn addresses(file: &HostFile) -> [Option<String>; 3] {
    listens(file).map(|written| written.map(|(text, _)| text.clone()))
}

/// Addresses as they are written: of HTTP, of metrics, and of HTTPS.
fn listens(file: &HostFile) -> [Option<&(String, Source)>; 3] {
    let tls = file.tls.as_ref().map(|tls| &tls.listen);
    [file.listen.as_ref(), file.metrics.as_ref(), tls]
}

/// The problems that are printed, errors before warnings, and how many are not.
fn to_print(problems: &[Problem]) -> (Vec<Problem>, usize) {
    let (warnings, errors): (Vec<_>, Vec<_>) =
        problems.iter().partition(|problem| problem.is_warning);
    let all = errors.into_iter().chain(warnings);
    (
        all.take(PRINTED).cloned().collect(),
        problems.len().saturating_sub(PRINTED),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_with_many_problems_fills_no_log() {
        let mut problems = vec![Problem::warning("old"); 30];
        problems.push(Problem::new("wrong"));
        let (shown, more) = to_print(&problems);
        assert_eq!((shown.len(), more), (PRINTED, 11));
        assert_eq!(shown[0].message, "wrong");
        let (shown, more) = to_print(&problems[..2]);
        assert_eq!((shown.len(), more), (2, 0));
    }
}
