//! The stage of a test of the loop: a clock it can set, an app that writes down what it ran, and rows in memory.

use crate::{
    App, Call, Callee, Component, Error, Exports, Kind, Profile, Result, Tasks,
    jobs::{
        Configured, Driver, FailurePolicy, Features, IN_HOST, Job, Jobs, Misfire, OPERATIONS,
        Occurrence, Page, Row, Settle, Settler, Status, Stored, Timestamp, Trigger,
    },
    quota::Ledger,
};
use async_trait::async_trait;
use parking_lot::Mutex;
use std::{
    collections::{BTreeMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};
use tokio::time::Instant;
use wythe_manifest::Name;

/// The time at which every test begins.
pub const START: Timestamp = 1_700_000_000_000;

pub struct Stage {
    jobs: Jobs,
    pub ledger: Arc<Ledger>,
    tasks: Tasks,
    app: Arc<Recorder>,
    clock: Arc<TestClock>,
    store: Arc<Store>,
}

struct TestClock {
    began: Instant,
    /// The time by which the clock was set, beside the time that just went by.
    shift: AtomicI64,
}

impl TestClock {
    fn now(&self) -> Timestamp {
        let passed = self.began.elapsed().as_millis() as i64;
        (START as i64 + passed + self.shift.load(SeqCst)) as Timestamp
    }
}

pub fn job(name: &str, trigger: Trigger) -> Job {
    Job {
        name: name.into(),
        trigger,
        start: None,
        end: None,
        repeats: None,
        data: "data".into(),
        on_failure: FailurePolicy::Drop,
        on_misfire: Misfire::One,
    }
}

impl Stage {
    pub async fn open() -> Self {
        let clock = Arc::new(TestClock {
            began: Instant::now(),
            shift: AtomicI64::new(0),
        });
        let (tasks, store, shown) = (Tasks::default(), Arc::new(Store::default()), clock.clone());
        let free = Arc::new(tokio::sync::Semaphore::new(IN_HOST));
        let ledger = Ledger::new(tenant());
        let clocked = Arc::new(move || shown.now());
        let jobs = Jobs::with_clock(tasks.clone(), free, ledger.clone(), clocked);
        let text = "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: { name: jobs }\nspec: { type: jobs.test, version: v1 }\n";
        let (resources, problems) = wythe_manifest::parse_resources(text, "jobs.yaml".as_ref());
        assert!(problems.is_empty(), "{problems}");
        let configured = Arc::new(Configured {
            driver: store.clone(),
            settler: Settler::default(),
            stored: Stored::new(ledger.clone()),
        });
        let manifest = &resources.components[0];
        let component = Component::new(
            &"t".parse().unwrap(),
            "jobs",
            OPERATIONS,
            manifest,
            configured,
        );
        jobs.components
            .insert(&crate::Metrics::default(), component);
        Stage {
            jobs,
            ledger,
            tasks,
            app: Arc::new(Recorder::new(clock.clone())),
            clock,
            store,
        }
    }

    pub fn attach(&self) {
        let profile = Profile::new(tenant(), "app".parse().unwrap());
        self.jobs.attach(&App::new(profile, self.app.clone()));
    }

    pub async fn try_schedule(&self, job: Job, overwrite: bool) -> Result<()> {
        self.jobs.schedule(&caller(), job, overwrite).await
    }

    pub async fn schedule(&self, job: Job) {
        self.try_schedule(job, false).await.unwrap();
    }

    pub async fn overwrite(&self, job: Job) {
        self.try_schedule(job, true).await.unwrap();
    }

    pub async fn get(&self, name: &str) -> Option<Status> {
        self.jobs.get(&caller(), name).await.unwrap()
    }

    pub async fn pause(&self, name: &str) {
        self.jobs.pause(&caller(), name).await.unwrap();
    }

    pub async fn resume(&self, name: &str) {
        self.jobs.resume(&caller(), name).await.unwrap();
    }

    pub async fn delete(&self, name: &str) {
        self.jobs.delete(&caller(), name).await.unwrap();
    }

    pub async fn stop(&self, limit: Duration) -> bool {
        self.tasks.stop(limit).await
    }

    /// Lets so many milliseconds go by.
    pub async fn sleep(&self, milliseconds: u64) {
        tokio::time::sleep(Duration::from_millis(milliseconds)).await;
    }

    pub async fn until(&self, at: Timestamp) {
        self.sleep(at - self.clock.now()).await;
    }

    /// Sets the wall clock; nothing goes by.
    pub fn set(&self, at: Timestamp) {
        let passed = self.clock.began.elapsed().as_millis() as i64;
        self.clock
            .shift
            .store(at as i64 - START as i64 - passed, SeqCst);
    }

    /// Sets how long a run takes from now on.
    pub fn takes(&self, time: Duration) {
        *self.app.takes.lock() = time;
    }

    /// Lets so many runs fail from now on.
    pub fn fails(&self, count: usize, kind: Kind) {
        *self.app.fails.lock() = (count, kind);
    }

    pub fn panics(&self, count: usize) {
        self.app.panics.store(count, SeqCst);
    }

    pub fn ran(&self) -> Vec<Occurrence> {
        let ran = self.app.ran.lock();
        ran.iter()
            .map(|(_, occurrence)| occurrence.clone())
            .collect()
    }

    pub fn peak(&self) -> usize {
        self.app.peak.load(SeqCst)
    }

    /// Lets the driver give out, at each take from now on, as many jobs as it may: new ones, due long ago or never.
    pub fn pretends(&self, wake: Option<Timestamp>) {
        *self.store.fake.lock() = Some(wake);
    }

    /// Lets the driver say no more how many jobs are overdue.
    pub fn says_nothing(&self) {
        self.store.is_silent.store(true, SeqCst);
    }

    /// The metrics of jobs that are overdue.
    pub async fn overdue(&self) -> String {
        let mut page = crate::metrics::Page::new(HashSet::new());
        for overdue in self.jobs.overdue().await {
            overdue.collect(&mut page, "tenant");
        }
        page.write(crate::Format::Prometheus)
    }

    pub fn takes_of_driver(&self) -> usize {
        self.store.takes.load(SeqCst)
    }

    pub fn writes(&self) -> usize {
        self.store.writes.load(SeqCst)
    }

    pub fn never_early(&self) {
        for (at, occurrence) in &*self.app.ran.lock() {
            assert!(*at >= occurrence.due, "{occurrence:?} ran at {at}");
        }
    }
}

fn tenant() -> Name {
    "tenant".parse().unwrap()
}

fn caller() -> Call {
    let deadline = std::time::Instant::now() + Duration::from_secs(3_600);
    Call::operator(tenant(), "app".parse().unwrap(), deadline)
}

struct Recorder {
    clock: Arc<TestClock>,
    ran: Mutex<Vec<(Timestamp, Occurrence)>>,
    takes: Mutex<Duration>,
    fails: Mutex<(usize, Kind)>,
    panics: AtomicUsize,
    at_once: AtomicUsize,
    peak: AtomicUsize,
}

impl Recorder {
    fn new(clock: Arc<TestClock>) -> Self {
        Recorder {
            clock,
            ran: Mutex::default(),
            takes: Mutex::default(),
            fails: Mutex::new((0, Kind::Internal)),
            panics: AtomicUsize::new(0),
            at_once: AtomicUsize::new(0),
            peak: AtomicUsize::new(0),
        }
    }
}

#[async_trait]
impl Callee for Recorder {
    fn exports(&self) -> Exports {
        Exports {
            job_runner: true,
            ..Exports::default()
        }
    }

    async fn run_job(&self, _: Call, occurrence: Occurrence) -> Result<()> {
        let at_once = self.at_once.fetch_add(1, SeqCst) + 1;
        self.peak.fetch_max(at_once, SeqCst);
        self.ran.lock().push((self.clock.now(), occurrence));
        let takes = *self.takes.lock();
        tokio::time::sleep(takes).await;
        self.at_once.fetch_sub(1, SeqCst);
        if self.panics.load(SeqCst) > 0 {
            self.panics.fetch_sub(1, SeqCst);
            panic!("a panic that is meant");
        }
        let mut fails = self.fails.lock();
        if fails.0 > 0 {
            fails.0 -= 1;
            return Err(Error::new(fails.1, "boom"));
        }
        Ok(())
    }
}

/// Rows by app and name, each with the end of its lease.
#[derive(Default)]
struct Store {
    rows: Mutex<Rows>,
    writes: AtomicUsize,
    takes: AtomicUsize,
    fake: Mutex<Option<Option<Timestamp>>>,
    is_silent: AtomicBool,
}

type Rows = BTreeMap<(String, String), (Row, Option<Instant>)>;

fn key(app: &str, name: &str) -> (String, String) {
    (app.into(), name.into())
}

fn is_free(lease: &Option<Instant>) -> bool {
    lease.is_none_or(|lease| lease <= Instant::now())
}

#[async_trait]
impl Driver for Store {
    fn features(&self) -> Features {
        Features {
            durable: false,
            counted: true,
        }
    }

    fn count(&self) -> Result<Option<u64>> {
        Ok(Some(self.rows.lock().len() as u64))
    }

    async fn put(&self, row: Row, overwrite: bool) -> Result<()> {
        let mut rows = self.rows.lock();
        let key = key(&row.app, &row.job.name);
        if rows.contains_key(&key) && !overwrite {
            return Err(Error::conflict("taken"));
        }
        rows.insert(key, (row, None));
        Ok(())
    }

    async fn get(&self, app: &str, name: &str) -> Result<Option<Row>> {
        let rows = self.rows.lock();
        Ok(rows.get(&key(app, name)).map(|(row, _)| row.clone()))
    }

    async fn delete(&self, app: &str, name: &str) -> Result<()> {
        self.rows.lock().remove(&key(app, name));
        Ok(())
    }

    async fn list(&self, _: &str, _: &str, _: Option<&str>, _: u32) -> Result<Page> {
        Ok(Page::default())
    }

    async fn take(
        &self,
        app: &str,
        until: Timestamp,
        limit: u32,
        lease: Duration,
    ) -> Result<Vec<Row>> {
        let take = self.takes.fetch_add(1, SeqCst);
        let mut rows = self.rows.lock();
        if let (Some(wake), Some((row, _))) = (*self.fake.lock(), rows.values().next()) {
            let fake = |number| Row {
                job: Job {
                    name: format!("{take}-{number}"),
                    ..row.job.clone()
                },
                due: wake,
                wake,
                ..row.clone()
            };
            return Ok((0..limit).map(fake).collect());
        }
        let mut due: Vec<_> = rows
            .values_mut()
            .filter(|(row, lease)| row.app == app && is_free(lease))
            .filter(|(row, _)| row.wake.is_some_and(|wake| wake <= until))
            .collect();
        due.sort_by_key(|(row, _)| row.wake);
        due.truncate(limit as usize);
        let hand_out = |(row, end): &mut (Row, Option<Instant>)| {
            *end = Some(Instant::now() + lease);
            row.clone()
        };
        Ok(due.into_iter().map(hand_out).collect())
    }

    async fn next(&self, app: &str) -> Result<Option<Timestamp>> {
        let rows = self.rows.lock();
        let free = rows
            .values()
            .filter(|(row, lease)| row.app == app && is_free(lease));
        Ok(free.filter_map(|(row, _)| row.wake).min())
    }

    async fn overdue(&self, app: &str, until: Timestamp, limit: u32) -> Result<Option<u64>> {
        let rows = self.rows.lock();
        let free = rows
            .values()
            .filter(|(row, lease)| row.app == app && is_free(lease));
        let due = free.filter(|(row, _)| row.wake.is_some_and(|wake| wake <= until));
        let count = due.take(limit as usize).count() as u64;
        Ok((!self.is_silent.load(SeqCst)).then_some(count))
    }

    async fn settle(&self, changes: Vec<Settle>) -> Vec<Result<()>> {
        self.writes.fetch_add(1, SeqCst);
        // As long as a disk takes, so that others wait meanwhile.
        tokio::time::sleep(Duration::from_millis(1)).await;
        let mut rows = self.rows.lock();
        let settle = |change: Settle| {
            let key = key(&change.app, &change.name);
            match rows.get(&key) {
                Some((row, _)) if row.version == change.version => {}
                _ => return Err(Error::conflict("changed")),
            }
            match change.row {
                Some(row) => rows.insert(key, (row, None)),
                None => rows.remove(&key),
            };
            Ok(())
        };
        changes.into_iter().map(settle).collect()
    }
}
