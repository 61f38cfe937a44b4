//! Number of instances of each app that have not ended: an app has a number of them that it may not pass.

use super::Engine;
use crate::workflow::{core::meta::Meta, store::keys};
use crate::{Error, Kind as ErrorKind, Result};
use parking_lot::{Mutex, MutexGuard};
use std::{
    collections::{HashMap, HashSet, hash_map::RandomState},
    fmt,
    hash::BuildHasher,
};

/// The most parents and children, one in the other.
pub(super) const MAX_DEPTH: u32 = 32;

/// The app has as many instances as it may have. A child is not tried again for this: its parent is one of them.
#[derive(Debug)]
pub(super) struct Full;

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("`limits.instances`")
    }
}

impl std::error::Error for Full {}

/// Ids are kept as keyed hashes of 64 bits: 8 bytes for each, and nobody can choose two with the same.
#[derive(Default)]
pub(super) struct Alive {
    hasher: RandomState,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    by_app: HashMap<String, HashSet<u64>>,
    /// Instances that ended while an earlier process's are still counted.
    ended: HashSet<u64>,
    is_complete: bool,
}

impl Alive {
    /// Counts an instance that is to begin; false where it counts already. `exhausted` where the app has as many as it
    /// may have.
    pub fn admit(&self, app: &str, id: &str, limit: usize) -> Result<bool> {
        let hash = self.hasher.hash_one(id);
        let mut known = self.lock();
        let of_app = known.by_app.entry(app.to_owned()).or_default();
        if !of_app.contains(&hash) && of_app.len() >= limit {
            let error = format!(
                "app `{app}` has {limit} workflow instances that have not ended, which is the most; see `wythe workflow list`, `wythe workflow terminate --all`, or raise `limits.instances`"
            );
            return Err(Error::exhausted(error).with_source(Full));
        }
        let is_new = of_app.insert(hash);
        known.ended.remove(&hash);
        Ok(is_new)
    }

    pub fn end(&self, app: &str, id: &str) {
        let hash = self.hasher.hash_one(id);
        let mut known = self.lock();
        if let Some(of_app) = known.by_app.get_mut(app) {
            of_app.remove(&hash);
        }
        if !known.is_complete {
            known.ended.insert(hash);
        }
    }

    /// Counts an instance that an earlier process left, as it was when it was read.
    fn find(&self, meta: &Meta) {
        let hash = self.hasher.hash_one(&meta.id);
        let mut known = self.lock();
        if !meta.status.has_ended() && !known.ended.contains(&hash) {
            let of_app = known.by_app.entry(meta.app.clone()).or_default();
            of_app.insert(hash);
        }
    }

    fn complete(&self) {
        let mut known = self.lock();
        known.is_complete = true;
        known.ended = HashSet::new();
    }

    #[cfg(test)]
    fn count(&self, app: &str) -> usize {
        self.lock().by_app.get(app).map_or(0, HashSet::len)
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock()
    }
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
        self.alive
            .admit(&meta.app, &meta.id, limit.unwrap_or(usize::MAX))
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

    #[test]
    fn an_app_has_so_many_and_a_place_is_free_again_at_an_end() {
        let alive = Alive::default();
        assert!(alive.admit("a", "1", 2).is_ok_and(|is_new| is_new));
        assert!(alive.admit("a", "2", 2).is_ok_and(|is_new| is_new));
        assert!(alive.admit("a", "2", 2).is_ok_and(|is_new| !is_new));
        let full = alive.admit("a", "3", 2).unwrap_err();
        assert_eq!(full.kind(), ErrorKind::Exhausted);
        assert!(full.message().contains("limits.instances"), "{full}");
        assert!(alive.admit("b", "3", 2).is_ok());
        alive.end("a", "1");
        assert!(alive.admit("a", "3", 2).is_ok());
    }

    #[test]
    fn what_ends_while_the_earlier_ones_are_counted_is_not_counted() {
        let alive = Alive::default();
        alive.end("a", "1");
        alive.find(&meta("1"));
        alive.find(&meta("2"));
        assert_eq!(alive.count("a"), 1);
        assert!(alive.admit("a", "1", 2).is_ok());
        assert_eq!(alive.count("a"), 2);
        alive.complete();
        assert!(alive.lock().ended.is_empty());
    }

    fn meta(id: &str) -> Meta {
        let stored = serde_json::json!({
            "id": id, "name": "w", "app": "a", "digest": "", "status": "running", "created": 0,
            "updated": 0, "run": 1, "next": 1, "hash": vec![0u8; 32], "custom": null, "output": null,
            "failure": null, "suspended": null, "parent": null,
        });
        Meta::decode(stored.to_string().as_bytes()).expect("a record")
    }
}
