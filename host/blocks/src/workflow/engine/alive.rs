//! Number and bytes of the instances that have not ended: an app has a number of them that it may not pass, and its tenant
//! a number of instances and of bytes of their journals (`quotas.workflows`, `quotas.journalBytes`).

use super::Engine;
use crate::workflow::{core::meta::Meta, store::keys};
use crate::{
    Error, Kind as ErrorKind, Result,
    quota::{Held, Ledger},
};
use parking_lot::{Mutex, MutexGuard};
use std::{
    collections::{
        HashMap, HashSet,
        hash_map::{Entry, RandomState},
    },
    fmt,
    hash::BuildHasher,
    sync::Arc,
    time::Duration,
};
use wythe_manifest::Metered;

/// The most parents and children, one in the other.
pub(super) const MAX_DEPTH: u32 = 32;

/// The time after which a step is tried again for whose journal the tenant has no bytes left.
const AGAIN: Duration = Duration::from_secs(10);

/// The most bytes that an instance counts as, whatever its record says: the highest quota, which a hundred thousand such
/// records do not make overflow.
const MOST: u64 = 1 << 40;

/// The app or its tenant has as much of instances as it may have. A child is not tried again for this: its parent is one
/// of them.
#[derive(Debug)]
struct Full;

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the most instances of workflows")
    }
}

impl std::error::Error for Full {}

/// Ids are kept as keyed hashes of 64 bits: 16 bytes for each with the bytes of its journal, and nobody can choose two with
/// the same.
pub(super) struct Alive {
    hasher: RandomState,
    ledger: Arc<Ledger>,
    known: Mutex<Known>,
}

struct Known {
    /// Bytes of the journal of each instance, by app.
    by_app: HashMap<String, HashMap<u64, u64>>,
    /// Instances that ended while an earlier process's are still counted.
    ended: HashSet<u64>,
    is_complete: bool,
    /// The parts of the tenant's quotas that are used.
    instances: Held,
    bytes: Held,
}

impl Known {
    /// Counts an instance as it is kept, whatever the quotas say: it is there.
    fn see(&mut self, app: &str, hash: u64, bytes: u64) {
        let before = match self.by_app.get_mut(app) {
            Some(of_app) => of_app.insert(hash, bytes),
            None => {
                let of_app = HashMap::from([(hash, bytes)]);
                self.by_app.insert(app.to_owned(), of_app);
                None
            }
        };
        let before = match before {
            Some(before) => before,
            None => {
                self.instances.set(self.instances.amount() + 1);
                0
            }
        };
        self.bytes.set(self.bytes.amount() + bytes - before);
    }

    fn forget(&mut self, app: &str, hash: u64) {
        let of_app = self.by_app.get_mut(app);
        if let Some(bytes) = of_app.and_then(|of_app| of_app.remove(&hash)) {
            self.instances.set(self.instances.amount() - 1);
            self.bytes.set(self.bytes.amount() - bytes);
        }
    }
}

impl Alive {
    pub fn new(ledger: Arc<Ledger>) -> Self {
        Alive {
            hasher: RandomState::default(),
            known: Mutex::new(Known {
                by_app: HashMap::new(),
                ended: HashSet::new(),
                is_complete: false,
                instances: ledger.nothing(Metered::Workflows),
                bytes: ledger.nothing(Metered::JournalBytes),
            }),
            ledger,
        }
    }

    /// Counts an instance that is to begin; false where it counts already. `exhausted` where the app or its tenant has as
    /// many as it may have, or as many bytes.
    pub fn admit(&self, meta: &Meta, limit: usize) -> Result<bool> {
        let (app, bytes) = (meta.app.as_str(), weight(meta));
        let hash = self.hasher.hash_one(&meta.id);
        let mut guard = self.lock();
        let known = &mut *guard;
        let of_app = known.by_app.entry(app.to_owned()).or_default();
        let count = of_app.len();
        let Entry::Vacant(vacant) = of_app.entry(hash) else {
            return Ok(false);
        };
        if count >= limit {
            let error = format!(
                "app `{app}` has {limit} workflow instances that have not ended, which is the most; see `wythe workflow list`, `wythe workflow terminate --all`, or raise `limits.instances`"
            );
            return Err(Error::exhausted(error).with_source(Full));
        }
        self.check_room()?;
        known.instances.grow(1).map_err(full)?;
        if let Err(error) = known.bytes.grow(bytes) {
            known.instances.set(known.instances.amount() - 1);
            return Err(full(error));
        }
        vacant.insert(bytes);
        known.ended.remove(&hash);
        Ok(true)
    }

    /// Refuses an instance or an event where the last quarter of the tenant's bytes begins: that is for the steps of
    /// instances that have begun, so that they come to their ends.
    pub fn check_room(&self) -> Result<()> {
        self.ledger.leave_room(Metered::JournalBytes).map_err(full)
    }

    /// Counts an instance as it is about to be written. `exhausted` where its tenant has not as many bytes left; an end is
    /// always written, and gives all of them back.
    pub fn grow(&self, meta: &Meta) -> Result<()> {
        if meta.status.has_ended() {
            return Ok(());
        }
        let (hash, bytes) = (self.hasher.hash_one(&meta.id), weight(meta));
        let mut guard = self.lock();
        let known = &mut *guard;
        let of_app = known.by_app.get(&meta.app);
        let before = of_app.and_then(|of_app| of_app.get(&hash));
        let more = bytes.saturating_sub(before.copied().unwrap_or(0));
        let room = known.bytes.check(more).map_err(full);
        room.map_err(|error| error.with_retry_after(AGAIN))?;
        known.see(&meta.app, hash, bytes);
        Ok(())
    }

    /// Counts an instance as it was read.
    pub fn see(&self, meta: &Meta) {
        if !meta.status.has_ended() {
            let hash = self.hasher.hash_one(&meta.id);
            self.lock().see(&meta.app, hash, weight(meta));
        }
    }

    pub fn end(&self, app: &str, id: &str) {
        let hash = self.hasher.hash_one(id);
        let mut known = self.lock();
        known.forget(app, hash);
        if !known.is_complete {
            known.ended.insert(hash);
        }
    }

    /// Forgets an instance that is not in the store: nobody knew the outcome of its start, and it was not kept.
    pub fn gone(&self, id: &str) {
        let hash = self.hasher.hash_one(id);
        let mut known = self.lock();
        let has_it = |(app, known): (&String, &HashMap<u64, u64>)| {
            known.contains_key(&hash).then(|| app.clone())
        };
        let apps: Vec<_> = known.by_app.iter().filter_map(has_it).collect();
        for app in apps {
            known.forget(&app, hash);
        }
    }

    /// Counts an instance that an earlier process left, as it was when it was read.
    fn find(&self, meta: &Meta) {
        let hash = self.hasher.hash_one(&meta.id);
        let mut known = self.lock();
        let of_app = known.by_app.get(&meta.app);
        // One that is known was read or written later than this.
        let is_known = of_app.is_some_and(|of_app| of_app.contains_key(&hash));
        if !meta.status.has_ended() && !is_known && !known.ended.contains(&hash) {
            known.see(&meta.app, hash, weight(meta));
        }
    }

    fn complete(&self) {
        let mut known = self.lock();
        known.is_complete = true;
        known.ended = HashSet::new();
    }

    #[cfg(test)]
    fn count(&self, app: &str) -> usize {
        self.lock().by_app.get(app).map_or(0, HashMap::len)
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock()
    }
}

/// Bytes of an instance's journal.
fn weight(meta: &Meta) -> u64 {
    (meta.bytes as u64).min(MOST)
}

/// Says whether an error is that the app or its tenant has as much as it may have.
pub(super) fn is_full(error: &Error) -> bool {
    std::error::Error::source(error).is_some_and(|source| source.is::<Full>())
}

/// Says what to do about a quota of the tenant.
fn full(error: Error) -> Error {
    let advised = |message| {
        format!(
            "{message}; see `wythe workflow list`, `wythe workflow terminate --all`, or let the operator raise it"
        )
    };
    error.map_message(advised).with_source(Full)
}

impl Engine {
    /// Counts an instance that is to begin. Whoever does not begin it says so by [`Engine::not_begun`].
    pub(super) fn admit(&self, meta: &Meta) -> Result<bool> {
        if meta.depth > MAX_DEPTH {
            return Err(Error::invalid(format!(
                "workflow `{}` would be the child of a child and so on, {} deep; at most {MAX_DEPTH} are",
                meta.name, meta.depth
            )));
        }
        let limit = self
            .offer(&meta.app)
            .map(|offer| offer.app.limits().instances as usize);
        self.alive.admit(meta, limit.unwrap_or(usize::MAX))
    }

    /// Takes back what was admitted and not kept. Where nobody knows, or another start has the id, it counts on.
    pub(super) fn not_begun(&self, meta: &Meta, was_new: bool, error: &Error) {
        let may_be = matches!(
            error.kind(),
            ErrorKind::Conflict | ErrorKind::UnknownOutcome | ErrorKind::Timeout
        );
        if was_new && !may_be {
            self.alive.end(&meta.app, &meta.id);
        }
    }

    /// Counts what an earlier process left, behind everything else.
    pub(super) async fn count_alive(&self) -> Result<()> {
        let mut scan = self.scan(keys::instance(""));
        while let Some(rows) = scan.next().await? {
            for (_, row) in rows {
                self.alive.find(&Meta::decode(&row.value)?);
            }
        }
        self.alive.complete();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wythe_manifest::Quotas;

    fn alive() -> Alive {
        Alive::new(Ledger::new("shop".parse().expect("a name")))
    }

    fn used(alive: &Alive) -> [u64; 2] {
        let readings = alive.ledger.readings();
        [Metered::Workflows, Metered::JournalBytes].map(|quota| readings[quota as usize].used)
    }

    #[test]
    fn an_app_has_so_many_and_a_place_is_free_again_at_an_end() {
        let alive = alive();
        assert!(
            alive
                .admit(&meta("a", "1", 5), 2)
                .is_ok_and(|is_new| is_new)
        );
        assert!(
            alive
                .admit(&meta("a", "2", 5), 2)
                .is_ok_and(|is_new| is_new)
        );
        assert!(
            alive
                .admit(&meta("a", "2", 5), 2)
                .is_ok_and(|is_new| !is_new)
        );
        let full = alive.admit(&meta("a", "3", 5), 2).unwrap_err();
        assert_eq!(full.kind(), ErrorKind::Exhausted);
        assert!(full.message().contains("limits.instances"), "{full}");
        assert!(alive.admit(&meta("b", "3", 5), 2).is_ok());
        assert_eq!(used(&alive), [3, 15]);
        alive.end("a", "1");
        alive.gone("1");
        assert_eq!(used(&alive), [2, 10]);
        assert!(alive.admit(&meta("a", "3", 5), 2).is_ok());
    }

    #[test]
    fn a_tenant_has_so_many_whichever_app_they_are_of() {
        let alive = alive();
        alive.ledger.set(Some(&Quotas::default()));
        let limit = Metered::Workflows.default_amount();
        for id in 0..limit {
            let app = ["a", "b"][id as usize % 2];
            alive
                .admit(&meta(app, &id.to_string(), 1), usize::MAX)
                .unwrap();
        }
        let full = alive
            .admit(&meta("c", "one more", 1), usize::MAX)
            .unwrap_err();
        assert!(is_full(&full), "{full}");
        assert_eq!(
            full.message(),
            "tenant `shop` uses all of `quotas.workflows`, which is 10000; see `wythe workflow list`, `wythe workflow terminate --all`, or let the operator raise it"
        );
        // What was refused holds nothing.
        assert_eq!(used(&alive), [limit, limit]);
        alive.end("b", "1");
        alive.admit(&meta("c", "one more", 1), usize::MAX).unwrap();
        let ledger = alive.ledger.clone();
        drop(alive);
        let readings = ledger.readings();
        assert!(readings.iter().all(|reading| reading.used == 0));
    }

    #[test]
    fn journals_grow_to_the_tenant_s_bytes_and_their_last_quarter_is_for_what_has_begun() {
        let alive = alive();
        alive.ledger.set(Some(&Quotas::default()));
        let limit = Metered::JournalBytes.default_amount() as usize;
        alive.admit(&meta("a", "1", 10), 9).unwrap();
        alive.grow(&meta("a", "1", limit / 4 * 3)).unwrap();
        let refused = alive.admit(&meta("a", "2", 10), 9).unwrap_err();
        assert!(
            refused.message().starts_with(
                "tenant `shop` uses what may begin of `quotas.journalBytes`, which is "
            ),
            "{refused}"
        );
        assert!(alive.check_room().is_err());
        alive.grow(&meta("a", "1", limit)).unwrap();
        let refused = alive.grow(&meta("a", "1", limit + 1)).unwrap_err();
        assert!(is_full(&refused), "{refused}");
        assert_eq!(refused.retry_after(), Some(AGAIN));
        assert_eq!(used(&alive), [1, limit as u64]);
        // An end is written however full it is, and another run has a journal of its own.
        let mut over = meta("a", "1", limit + 1);
        over.status = crate::workflow::Status::Completed;
        alive.grow(&over).unwrap();
        alive.grow(&meta("a", "1", 7)).unwrap();
        assert_eq!(used(&alive), [1, 7]);
        alive.admit(&meta("a", "2", 10), 9).unwrap();
    }

    #[test]
    fn what_ends_while_the_earlier_ones_are_counted_is_not_counted() {
        let alive = alive();
        alive.end("a", "1");
        alive.find(&meta("a", "1", 5));
        alive.find(&meta("a", "2", 5));
        assert_eq!((alive.count("a"), used(&alive)), (1, [1, 5]));
        // What was read before it grew is older than what is known.
        alive.grow(&meta("a", "2", 50)).unwrap();
        alive.find(&meta("a", "2", 5));
        assert_eq!(used(&alive), [1, 50]);
        alive.see(&meta("a", "2", 5));
        assert_eq!(used(&alive), [1, 5]);
        // A record may say anything.
        for id in ["3", "4", "5"] {
            alive.see(&meta("b", id, usize::MAX));
        }
        assert_eq!(used(&alive), [4, 5 + 3 * MOST]);
        for id in ["3", "4", "5"] {
            alive.end("b", id);
        }
        assert_eq!(used(&alive), [1, 5]);
        assert!(alive.admit(&meta("a", "1", 5), 2).is_ok());
        assert_eq!(alive.count("a"), 2);
        alive.complete();
        assert!(alive.lock().ended.is_empty());
    }

    fn meta(app: &str, id: &str, bytes: usize) -> Meta {
        let stored = serde_json::json!({
            "id": id, "name": "w", "app": app, "digest": "", "status": "running", "created": 0,
            "updated": 0, "run": 1, "next": 1, "hash": vec![0u8; 32], "custom": null, "output": null,
            "failure": null, "suspended": null, "parent": null, "bytes": bytes,
        });
        Meta::decode(stored.to_string().as_bytes()).expect("a record")
    }
}
