//! The engine of one tenant: which instances are in memory, how inputs reach them, and what is taken up after a start.

mod activities;
mod alive;
mod begins;
mod bulk;
mod directory;
mod effects;
mod ends;
mod hosts;
mod instance;
mod listing;
mod live;
mod management;
mod queues;
mod reading;
mod recovery;
mod rerun;
mod scan;
mod shares;
mod timers;
mod work;

pub use bulk::{Bulk, Swept};
pub(super) use directory::Directory;
pub use listing::{Filter, Page};
pub use management::{Instance, Start};
pub use reading::History;

use super::{
    Settings, Timestamp,
    core::{
        Clock,
        entry::{Kind, Parent},
        item::{Item, end_of_child},
        meta::Meta,
        row::Row,
    },
    now,
    store::keys,
};
use crate::{
    Call, Error, Key, Result, Shard, Tasks, Trace,
    quota::Ledger,
    shares::Shares,
    state::{Condition, Delete, Entry as Record, InternalStore, Operation, Page as Rows},
    time::{self, host_deadline},
};
use alive::Alive;
use bytes::Bytes;
use directory::{Offer, Sort};
use ends::Ends;
use hosts::Hosts;
use parking_lot::{Mutex, MutexGuard, RwLock};
use queues::Queues;
use shares::{ROOM, half_of_room};
use std::{
    collections::{HashMap, HashSet},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};
use timers::Heads;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use work::Work;
use wythe_manifest::Name;

/// Rows of one page of a scan.
const PAGE: u32 = 500;
/// The pause after a failure of the store, or of an app that is busy.
const PAUSE: Duration = Duration::from_secs(1);

/// Rows of work that are read at once.
const LOOKUPS: usize = 16;
/// Rows of an earlier process that wait in memory to be done; the others wait in the store.
const LEFT: usize = 100_000;
/// Instances of one app that begin at once, and children that are begun at once because of its instances.
const BEGIN_AT_ONCE: usize = 16;
/// The time for what an instance waits for to come at once, while others wait for a permit.
const GRACE: Duration = Duration::from_millis(20);

struct Message {
    pub item: Item,
    /// The reply, which comes when what the item causes is persisted.
    pub reply: oneshot::Sender<Result<()>>,
}

type Hot = HashMap<String, mpsc::UnboundedSender<Message>>;

/// A tenant's workflows.
pub struct Engine {
    tenant: Name,
    internal_store: InternalStore,
    settings: Settings,
    tasks: Tasks,
    permits: Arc<Semaphore>,
    /// The permits that one app may have, which are half of them.
    permit_shares: Shares,
    /// Room for the journals in memory, in units of [`ROOM`].
    room: Arc<Semaphore>,
    /// The room that one app may have, which is half of it.
    room_shares: Shares,
    /// Somebody waits for a permit: an instance that waits as well may leave its own.
    crowded: Notify,
    crowd: AtomicUsize,
    flights: Shares,
    /// Instances that are to begin, by their apps, and children that are to be made, by the apps of their parents.
    begins: Queues<String>,
    births: Queues<Work>,
    alive: Alive,
    /// Rows that an earlier process left and that are not done yet.
    left: Arc<Semaphore>,
    /// Rows of work that are read at once.
    lookups: Semaphore,
    /// Keys of the rows of work that are under way.
    working: Mutex<HashSet<String>>,
    /// The time at which the timers are looked at next, those that were set meanwhile, and a bell for an earlier one.
    next_wake: AtomicU64,
    expected: Mutex<Heads>,
    earlier: Notify,
    directory: Arc<RwLock<Directory>>,
    hot: Mutex<Hot>,
    ends: Ends,
    hosts: Hosts,
    /// Instances of which a commit may be kept or not: whatever it asks for is taken up when they are read again.
    doubtful: Mutex<HashSet<String>>,
    has_begun: AtomicBool,
    /// True once code may run: all rows have the keys of this build.
    may_run: watch::Sender<bool>,
    operator: Name,
}

impl Engine {
    pub(super) fn new(
        tenant: Name,
        internal_store: InternalStore,
        directory: Arc<RwLock<Directory>>,
        tasks: Tasks,
        (settings, ledger): (Settings, Arc<Ledger>),
        home: PathBuf,
    ) -> Arc<Self> {
        Arc::new(Engine {
            tenant,
            internal_store,
            permits: Arc::new(Semaphore::new(settings.hot)),
            permit_shares: Shares::new(settings.hot / 2),
            room: Arc::new(Semaphore::new(settings.hot_bytes / ROOM)),
            room_shares: Shares::new(half_of_room(settings.hot_bytes)),
            crowded: Notify::new(),
            crowd: AtomicUsize::new(0),
            flights: Shares::new(settings.in_flight),
            begins: Queues::new(BEGIN_AT_ONCE),
            births: Queues::new(BEGIN_AT_ONCE),
            alive: Alive::new(ledger),
            left: Arc::new(Semaphore::new(LEFT)),
            lookups: Semaphore::new(LOOKUPS),
            settings,
            tasks,
            working: Mutex::default(),
            next_wake: AtomicU64::new(u64::MAX),
            expected: Mutex::new(Heads::none()),
            earlier: Notify::new(),
            directory,
            hot: Mutex::default(),
            ends: Ends::default(),
            hosts: Hosts::new(home),
            doubtful: Mutex::default(),
            has_begun: AtomicBool::new(false),
            may_run: watch::Sender::new(false),
            operator: "workflow".parse().expect("a word is a name"),
        })
    }

    /// Runs code from now on, first of all what an earlier process left.
    pub(super) fn begin(self: &Arc<Self>) {
        if self.has_begun.swap(true, Ordering::SeqCst) {
            return;
        }
        let engine = self.clone();
        self.tasks.supervise(move || engine.clone().recover());
        let engine = self.clone();
        self.tasks.supervise(move || engine.clone().run_timers());
    }

    /// Returns whether code may be started.
    fn is_running(&self) -> bool {
        *self.may_run.borrow() && !self.stopping().is_cancelled()
    }

    fn stopping(&self) -> CancellationToken {
        self.tasks.stopping()
    }

    /// The host's own caller, for one call to the store.
    fn caller(&self) -> Call {
        self.caller_in(None)
    }

    /// The host's own, for one call to the store because of `trace`; absent, it begins one.
    fn caller_in(&self, trace: Option<Trace>) -> Call {
        let tenant = self.tenant.clone();
        let trace = trace.unwrap_or_else(Trace::start);
        Call::host(tenant, self.operator.clone(), trace, host_deadline())
    }

    /// Instances in memory now, and those that wait for their turn to begin.
    pub fn hot(&self) -> usize {
        self.lock().len() + self.begins.waiting()
    }

    fn lock(&self) -> MutexGuard<'_, Hot> {
        self.hot.lock()
    }

    /// The time that an instance that waits keeps its permit.
    fn linger(&self) -> Duration {
        match self.crowd.load(Ordering::SeqCst) {
            0 => self.settings.linger,
            _ => self.settings.linger.min(GRACE),
        }
    }

    /// Delivers an input to an instance, and waits until what that causes is persisted.
    async fn deliver_item(self: &Arc<Self>, id: &str, item: Item) -> Result<()> {
        let (reply, answer) = oneshot::channel();
        self.post(id, Message { item, reply });
        let gone = || Error::unavailable("the host stops; try again when it runs");
        answer.await.unwrap_or_else(|_| Err(gone()))
    }

    /// Lets an instance look whether there is something to do.
    fn nudge(self: &Arc<Self>, id: &str) {
        let (reply, _) = oneshot::channel();
        let item = Item::Run;
        self.post(id, Message { item, reply });
    }

    /// Lets an instance look later, for what cannot be done now.
    fn nudge_later(self: &Arc<Self>, id: &str) {
        self.nudge_after(id, PAUSE);
    }

    fn nudge_after(self: &Arc<Self>, id: &str, pause: Duration) {
        let (engine, id) = (self.clone(), id.to_owned());
        self.tasks.spawn(async move {
            if engine.pause(pause).await {
                engine.nudge(&id);
            }
        });
    }

    /// Waits so long, and returns false where the host stops.
    async fn pause(&self, time: Duration) -> bool {
        time::pause(&self.stopping(), time).await
    }

    fn post(self: &Arc<Self>, id: &str, message: Message) {
        let mut hot = self.lock();
        let message = match hot.get(id) {
            Some(inbox) => match inbox.send(message) {
                Ok(()) => return,
                Err(unsent) => unsent.0,
            },
            None => message,
        };
        let (inbox, received) = mpsc::unbounded_channel();
        // The receiver is in hand, so that this cannot fail.
        let _ = inbox.send(message);
        hot.insert(id.to_owned(), inbox);
        self.tasks
            .spawn(instance::run(self.clone(), id.to_owned(), received));
    }

    /// Takes an instance off the list, unless something was posted to it meanwhile.
    fn leave(&self, id: &str, inbox: &mpsc::UnboundedReceiver<Message>) -> bool {
        let mut hot = self.lock();
        let leaves = inbox.is_empty();
        if leaves {
            hot.remove(id);
        }
        leaves
    }

    fn offer(&self, app: &str) -> Option<Offer> {
        let directory = self.directory.read();
        directory.app(app).cloned()
    }

    fn find(&self, sort: Sort, name: &str) -> Result<(Offer, String)> {
        let directory = self.directory.read();
        directory
            .find(sort, name)
            .map(|(offer, name)| (offer.clone(), name))
    }

    async fn page(&self, prefix: &str, cursor: Option<&str>) -> Result<Rows> {
        let caller = self.caller();
        self.internal_store
            .list(&caller, prefix, cursor, PAGE)
            .await
    }

    async fn remove(&self, key: &str) -> Result<()> {
        let delete = Delete {
            key: key.into(),
            condition: Condition::Always,
        };
        self.internal_store
            .delete(&self.caller(), delete)
            .await
            .map(|_| ())
    }

    /// Removes the row that says that code is behind, of an instance that has ended or is gone. One that begins under the
    /// same id meanwhile keeps its row.
    async fn forget_ready(&self, id: &str) -> Result<()> {
        let key = keys::ready(id);
        let Some(stored) = self.internal_store.get(&self.caller(), &key).await? else {
            return Ok(());
        };
        let meta = self.meta(id).await?;
        if meta.is_some_and(|(meta, _)| !meta.status.has_ended()) {
            return Ok(());
        }
        let condition = Condition::Matches(stored.etag);
        let key = key.into();
        let delete = Delete { key, condition };
        self.internal_store
            .delete(&self.caller(), delete)
            .await
            .map(drop)
    }

    async fn remove_all(&self, prefix: &str) -> Result<()> {
        let mut scan = self.scan(prefix.to_owned());
        while let Some(rows) = scan.next().await? {
            let delete = |(key, _)| {
                Operation::Delete(Delete {
                    key: Key::from(key),
                    condition: Condition::Always,
                })
            };
            let deletes: Vec<_> = rows.into_iter().map(delete).collect();
            if !deletes.is_empty() {
                self.internal_store
                    .transact(&self.caller(), deletes)
                    .await?;
            }
        }
        Ok(())
    }

    /// Tells a parent of its child's end, for as long as it takes.
    fn deliver_end(
        self: &Arc<Self>,
        parent: Parent,
        value: Bytes,
        permit: Option<OwnedSemaphorePermit>,
    ) {
        let (id, run, task) = (parent.instance, parent.run, parent.task);
        let (kind, payload) = end_of_child(task, &value);
        let (engine, row) = (self.clone(), Row::Ended { run, task });
        self.tasks.spawn(async move {
            engine.deliver(&id, row, run, kind, payload).await;
            drop(permit);
        });
    }

    /// Delivers a completion to an instance, again and again until it is persisted.
    async fn deliver(self: &Arc<Self>, id: &str, row: Row, run: u32, kind: Kind, payload: Bytes) {
        loop {
            let item = Item::Completed {
                row: row.clone(),
                run,
                kind: kind.clone(),
                payload: payload.clone(),
            };
            match self.deliver_item(id, item).await {
                Ok(()) => return,
                Err(error) => {
                    tracing::debug!(instance = id, "a completion is not kept yet: {error}");
                }
            }
            if !self.pause(PAUSE).await {
                return;
            }
        }
    }

    /// The record of an instance with the version that it has.
    async fn meta(&self, id: &str) -> Result<Option<(Meta, String)>> {
        let stored = self
            .internal_store
            .get(&self.caller(), &keys::instance(id))
            .await?;
        let decode = |stored: Record| Ok((Meta::decode(&stored.value)?, stored.etag));
        stored.map(decode).transpose()
    }

    /// The clock of decisions.
    fn clock(&self) -> Clock {
        Arc::new(now)
    }

    /// A timer of this instance was set.
    fn expect(&self, id: &str, due: Timestamp) {
        let mut expected = self.expected.lock();
        expected.lower(Shard::of(id), due);
        drop(expected);
        if due < self.next_wake.load(Ordering::SeqCst) {
            self.earlier.notify_one();
        }
    }
}
