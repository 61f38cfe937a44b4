//! The engine of one tenant: which instances are in memory, who is told what, and what is taken up after a start.

use super::{
    Settings, Timestamp,
    alive::Alive,
    directory::{Directory, Offer, Sort},
    ends::Ends,
    entry::{Kind, Parent},
    instance, keys,
    meta::Meta,
    shares::{ROOM, half_of_room},
    timers::Heads,
};
use crate::{
    Caller, Error, Result, Shard, Tasks, Trace,
    shares::Shares,
    state::{Condition, Delete, Entry as Row, Keeper, Operation, Page},
};
use bytes::Bytes;
use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex, MutexGuard, RwLock,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use wythe_manifest::Name;

/// The timeout of one call to the store.
const STORE: Duration = Duration::from_secs(30);
/// Rows of one page of a scan.
pub(super) const PAGE: u32 = 500;
/// The pause after a failure of the store, or of an app that is busy.
pub(super) const PAUSE: Duration = Duration::from_secs(1);

/// Rows of work that are read at once.
const LOOKUPS: usize = 16;
/// Rows of an earlier process that wait in memory to be done; the others wait in the store.
const LEFT: usize = 100_000;
/// The time for what an instance waits for to come at once, while others wait for a place.
const GRACE: Duration = Duration::from_millis(20);

/// A message to an instance.
pub(super) enum Item {
    /// Looks whether there is something to do.
    Run,
    /// The row with the key goes with it.
    Completed {
        key: String,
        run: u32,
        kind: Kind,
        payload: Bytes,
    },
    /// A timer that fired; with no task, the instance is to begin.
    Fired {
        key: String,
        run: u32,
        task: Option<u32>,
    },
    Event {
        name: String,
        data: Bytes,
    },
    Suspend {
        reason: String,
    },
    Resume {
        reason: String,
    },
    Terminate {
        output: Bytes,
    },
}

pub(super) struct Message {
    pub item: Item,
    /// The reply, which comes when what the item causes is kept.
    pub reply: oneshot::Sender<Result<()>>,
}

type Hot = HashMap<String, mpsc::UnboundedSender<Message>>;

/// A tenant's workflows.
pub struct Engine {
    pub(super) tenant: Name,
    pub(super) keeper: Keeper,
    pub(super) settings: Settings,
    pub(super) tasks: Tasks,
    pub(super) places: Arc<Semaphore>,
    /// The places that one app may have, which are half of them.
    pub(super) place_shares: Shares,
    /// Room for the journals in memory, in units of [`ROOM`].
    pub(super) room: Arc<Semaphore>,
    /// The room that one app may have, which is half of it.
    pub(super) room_shares: Shares,
    /// Somebody waits for a place: an instance that waits as well may leave its own.
    pub(super) crowded: Notify,
    pub(super) crowd: AtomicUsize,
    pub(super) flights: Shares,
    pub(super) alive: Alive,
    /// Rows that an earlier process left and that are not done yet.
    pub(super) left: Arc<Semaphore>,
    /// Rows of work that are read at once.
    pub(super) lookups: Semaphore,
    /// Keys of the rows of work that are under way.
    pub(super) working: Mutex<HashSet<String>>,
    /// The time at which the timers are looked at next, those that were set meanwhile, and a bell for an earlier one.
    pub(super) next_wake: AtomicU64,
    pub(super) expected: Mutex<Heads>,
    pub(super) earlier: Notify,
    directory: Arc<RwLock<Directory>>,
    hot: Mutex<Hot>,
    pub(super) ends: Ends,
    has_begun: AtomicBool,
    /// True once code may run: all rows have the keys of this build.
    pub(super) may_run: watch::Sender<bool>,
    operator: Name,
}

impl Engine {
    pub(super) fn new(
        tenant: Name,
        keeper: Keeper,
        directory: Arc<RwLock<Directory>>,
        tasks: Tasks,
        settings: Settings,
    ) -> Arc<Self> {
        Arc::new(Engine {
            tenant,
            keeper,
            places: Arc::new(Semaphore::new(settings.hot)),
            place_shares: Shares::new(settings.hot / 2),
            room: Arc::new(Semaphore::new(settings.hot_bytes / ROOM)),
            room_shares: Shares::new(half_of_room(settings.hot_bytes)),
            crowded: Notify::new(),
            crowd: AtomicUsize::new(0),
            flights: Shares::new(settings.in_flight),
            alive: Alive::default(),
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
        self.tasks.keep(move || engine.clone().recover());
        let engine = self.clone();
        self.tasks.keep(move || engine.clone().keep_time());
    }

    /// Returns whether code may be started.
    pub(super) fn is_running(&self) -> bool {
        *self.may_run.borrow() && !self.stopping().is_cancelled()
    }

    pub(super) fn stopping(&self) -> CancellationToken {
        self.tasks.stopping()
    }

    /// The host's own caller, for one call to the store.
    pub(super) fn caller(&self) -> Caller {
        self.caller_in(None)
    }

    /// The host's own, for one call to the store because of `trace`; absent, it begins one.
    pub(super) fn caller_in(&self, trace: Option<Trace>) -> Caller {
        let (tenant, deadline) = (self.tenant.clone(), Instant::now() + STORE);
        let trace = trace.unwrap_or_else(Trace::start);
        Caller::host(tenant, self.operator.clone(), trace, deadline)
    }

    /// Instances in memory now.
    pub fn hot(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, Hot> {
        self.hot.lock().unwrap_or_else(|lock| lock.into_inner())
    }

    /// The time that an instance that waits keeps its place.
    pub(super) fn linger(&self) -> Duration {
        match self.crowd.load(Ordering::SeqCst) {
            0 => self.settings.linger,
            _ => self.settings.linger.min(GRACE),
        }
    }

    /// Tells an instance, and waits until what that causes is kept.
    pub(super) async fn tell(self: &Arc<Self>, id: &str, item: Item) -> Result<()> {
        let (reply, answer) = oneshot::channel();
        self.post(id, Message { item, reply });
        let gone = || Error::unavailable("the host stops; try again when it runs");
        answer.await.unwrap_or_else(|_| Err(gone()))
    }

    /// Lets an instance look whether there is something to do.
    pub(super) fn nudge(self: &Arc<Self>, id: &str) {
        let (reply, _) = oneshot::channel();
        let item = Item::Run;
        self.post(id, Message { item, reply });
    }

    /// Lets an instance look later, for what cannot be done now.
    pub(super) fn nudge_later(self: &Arc<Self>, id: &str) {
        self.nudge_after(id, PAUSE);
    }

    pub(super) fn nudge_after(self: &Arc<Self>, id: &str, pause: Duration) {
        let (engine, id) = (self.clone(), id.to_owned());
        self.tasks.spawn(async move {
            if engine.pause(pause).await {
                engine.nudge(&id);
            }
        });
    }

    /// Waits so long, and returns false where the host stops.
    pub(super) async fn pause(&self, time: Duration) -> bool {
        tokio::select! {
            () = tokio::time::sleep(time) => true,
            () = async { self.stopping().cancelled().await } => false,
        }
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
    pub(super) fn leave(&self, id: &str, inbox: &mpsc::UnboundedReceiver<Message>) -> bool {
        let mut hot = self.lock();
        let leaves = inbox.is_empty();
        if leaves {
            hot.remove(id);
        }
        leaves
    }

    pub(super) fn offer(&self, app: &str) -> Option<Offer> {
        let directory = self
            .directory
            .read()
            .unwrap_or_else(|lock| lock.into_inner());
        directory.app(app).cloned()
    }

    pub(super) fn find(&self, sort: Sort, name: &str) -> Result<(Offer, String)> {
        let directory = self
            .directory
            .read()
            .unwrap_or_else(|lock| lock.into_inner());
        directory
            .find(sort, name)
            .map(|(offer, name)| (offer.clone(), name))
    }

    pub(super) async fn page(&self, prefix: &str, cursor: Option<&str>) -> Result<Page> {
        let caller = self.caller();
        self.keeper.list(&caller, prefix, cursor, PAGE).await
    }

    pub(super) async fn remove(&self, key: &str) -> Result<()> {
        let delete = Delete {
            key: key.to_owned(),
            condition: Condition::Always,
        };
        self.keeper.delete(&self.caller(), delete).await.map(|_| ())
    }

    pub(super) async fn remove_all(&self, prefix: &str) -> Result<()> {
        let mut scan = self.scan(prefix.to_owned());
        while let Some(rows) = scan.next().await? {
            let delete = |(key, _)| {
                Operation::Delete(Delete {
                    key,
                    condition: Condition::Always,
                })
            };
            let deletes: Vec<_> = rows.into_iter().map(delete).collect();
            if !deletes.is_empty() {
                self.keeper.transact(&self.caller(), deletes).await?;
            }
        }
        Ok(())
    }

    /// Tells a parent of its child's end, for as long as it takes.
    pub(super) fn deliver_end(
        self: &Arc<Self>,
        key: &str,
        value: Bytes,
        place: Option<OwnedSemaphorePermit>,
    ) {
        let Some((id, run, task)) = keys::parse_row(key, keys::ENDED) else {
            return;
        };
        let id = id.to_owned();
        let failed = value.first() != Some(&0);
        let rest = value.slice(value.len().min(1)..);
        let failure = String::from_utf8_lossy(&rest).into_owned();
        let (kind, payload) = match failed {
            true => (Kind::ChildFailed { task, failure }, Bytes::new()),
            false => (Kind::ChildCompleted { task }, rest),
        };
        let (engine, key) = (self.clone(), key.to_owned());
        self.tasks.spawn(async move {
            engine.deliver(&id, &key, run, kind, payload).await;
            drop(place);
        });
    }

    /// Tells an instance of a completion until that is kept.
    pub(super) async fn deliver(
        self: &Arc<Self>,
        id: &str,
        key: &str,
        run: u32,
        kind: Kind,
        payload: Bytes,
    ) {
        loop {
            let item = Item::Completed {
                key: key.to_owned(),
                run,
                kind: kind.clone(),
                payload: payload.clone(),
            };
            match self.tell(id, item).await {
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
    pub(super) async fn meta(&self, id: &str) -> Result<Option<(Meta, String)>> {
        let kept = self.keeper.get(&self.caller(), &keys::instance(id)).await?;
        let decode = |kept: Row| Ok((Meta::decode(&kept.value)?, kept.etag));
        kept.map(decode).transpose()
    }

    /// The row by which a parent hears of this instance's end.
    pub(super) fn end_key(parent: &Parent) -> String {
        keys::ended(&parent.instance, parent.run, parent.task)
    }

    /// A timer of this instance was set.
    pub(super) fn expect(&self, id: &str, due: Timestamp) {
        let mut expected = self
            .expected
            .lock()
            .unwrap_or_else(|lock| lock.into_inner());
        expected.lower(Shard::of(id), due);
        drop(expected);
        if due < self.next_wake.load(Ordering::SeqCst) {
            self.earlier.notify_one();
        }
    }
}
