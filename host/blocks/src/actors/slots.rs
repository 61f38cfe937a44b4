//! The actors that are here, and how many of each app: at the limit, or at their tenant's quota, no other one comes.

use super::{core::names::Actor, slot::Slot};
use crate::{Error, Result, quota::Ledger};
use parking_lot::{Mutex, MutexGuard};
use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::Notify;
use wythe_manifest::{Metered, Name};

/// Hundredths of a limit: from the first on those actors go that were not called for longest, until the second is left.
const CROWDED: usize = 95;
const LEFT: usize = 90;
/// Wait for a caller that comes too early.
const AGAIN: Duration = Duration::from_secs(1);

pub(super) struct Slots {
    here: Mutex<Here>,
    /// The most actors of a tenant; an app has half of them.
    limit: usize,
    ledger: Arc<Ledger>,
    /// Somebody had to be refused.
    pub crowded: Notify,
}

#[derive(Default)]
struct Here {
    slots: HashMap<Arc<Actor>, Arc<Slot>>,
    by_app: HashMap<Name, usize>,
}

impl Slots {
    pub fn new(limit: usize, ledger: Arc<Ledger>) -> Self {
        Slots {
            here: Mutex::default(),
            limit,
            ledger,
            crowded: Notify::new(),
        }
    }

    fn here(&self) -> MutexGuard<'_, Here> {
        self.here.lock()
    }

    /// The actor's slot, which is made for this app where there is none. `exhausted` where there are too many.
    pub fn of(&self, actor: &Arc<Actor>, app: &Name) -> Result<Arc<Slot>> {
        let mut here = self.here();
        if let Some(slot) = here.slots.get(actor) {
            return Ok(slot.clone());
        }
        let (limit, of_app) = (self.limit, here.by_app.get(app).copied().unwrap_or(0));
        if of_app >= limit / 2 || here.slots.len() >= limit {
            self.crowded.notify_one();
            return Err(full(actor, app, of_app, limit));
        }
        let held = self.ledger.hold(Metered::Actors, 1);
        let held = held.map_err(|error| {
            self.crowded.notify_one();
            error.map_message(|message| {
                format!(
                    "{message}; `{actor}` can be called when another one was idle for long enough, or the operator raises it"
                )
            })
        })?;
        let slot = Arc::new(Slot::new(actor.clone(), app.clone(), held));
        here.slots.insert(actor.clone(), slot.clone());
        *here.by_app.entry(app.clone()).or_default() += 1;
        Ok(slot)
    }

    pub fn all(&self) -> Vec<Arc<Slot>> {
        self.here().slots.values().cloned().collect()
    }

    /// The number of actors that are here, by app.
    pub fn counts(&self) -> HashMap<Name, usize> {
        self.here().by_app.clone()
    }

    pub fn has(&self, actor: &Actor) -> bool {
        self.here().slots.contains_key(actor)
    }

    /// The actor is not here any more; who stands in its queue looks again.
    pub fn leave(&self, slot: &Arc<Slot>) {
        let mut here = self.here();
        let is_there = |there: &Arc<Slot>| Arc::ptr_eq(there, slot);
        if here.slots.get(&slot.actor).is_some_and(is_there) {
            here.slots.remove(&slot.actor);
            let count = here.by_app.get_mut(&slot.app);
            if let Some(count) = count {
                *count = count.saturating_sub(1);
            }
        }
        slot.turns.close();
    }

    /// Slots that are to go, by app, each with the time of its last turn: the idle ones, and where there are nearly too
    /// many, those that were not called for longest.
    pub fn over(
        &self,
        idle: impl Fn(&Slot) -> Duration,
    ) -> HashMap<Name, Vec<(Arc<Slot>, Instant)>> {
        let limit = self.limit;
        let quota = self.ledger.limit(Metered::Actors);
        let quota = usize::try_from(quota).unwrap_or(usize::MAX);
        let mut slots: Vec<_> = self
            .all()
            .into_iter()
            .map(|slot| (slot.since(), slot))
            .collect();
        let by_app = self.counts();
        let mut of_all = excess(slots.len(), limit.min(quota));
        let mut excess: HashMap<_, _> = by_app
            .iter()
            .map(|(app, count)| (app, excess(*count, limit / 2)))
            .filter(|(_, excess)| *excess > 0)
            .collect();
        if of_all > 0 || !excess.is_empty() {
            slots.sort_by_key(|(since, _)| *since);
        }
        let mut over = HashMap::<_, Vec<_>>::new();
        for (since, slot) in slots {
            let of_app = excess.get_mut(&slot.app).filter(|of_app| **of_app > 0);
            let is_one_too_many = of_all > 0 || of_app.is_some();
            if let Some(of_app) = of_app {
                *of_app -= 1;
            }
            of_all = of_all.saturating_sub(1);
            if is_one_too_many || since.elapsed() >= idle(&slot) {
                over.entry(slot.app.clone())
                    .or_default()
                    .push((slot, since));
            }
        }
        over
    }
}

/// Tells how many have to go.
fn excess(count: usize, limit: usize) -> usize {
    match count * 100 >= limit * CROWDED {
        true => count.saturating_sub(limit * LEFT / 100),
        false => 0,
    }
}

fn full(actor: &Actor, app: &Name, of_app: usize, limit: usize) -> Error {
    let message = match of_app >= limit / 2 {
        true => format!("{of_app} actors of app `{app}` are active, which is the most"),
        false => format!("{limit} actors are active, which is the most"),
    };
    Error::exhausted(format!(
        "{message}; `{actor}` can be called when one of them was idle for long enough"
    ))
    .with_retry_after(AGAIN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Kind;
    use wythe_manifest::Quotas;

    fn actor(id: usize) -> Arc<Actor> {
        let tenant = "default".parse().expect("a name");
        Arc::new(Actor::new(&tenant, "x", &id.to_string()).expect("an actor"))
    }

    fn slots(limit: usize) -> Slots {
        Slots::new(limit, Ledger::new("default".parse().expect("a name")))
    }

    fn used(ledger: &Ledger) -> u64 {
        ledger.readings()[Metered::Actors as usize].used
    }

    #[test]
    fn a_tenant_has_its_quota_whatever_its_apps_are() {
        let (slots, a, b) = (slots(200_000), "a".parse().unwrap(), "b".parse().unwrap());
        slots.ledger.set(Some(&Quotas::default()));
        let quota = Metered::Actors.default_amount() as usize;
        for id in 0..quota {
            slots.of(&actor(id), if id == 0 { &b } else { &a }).unwrap();
        }
        let full = slots.of(&actor(quota), &b).err().expect("it is full");
        assert_eq!(full.kind(), Kind::Exhausted);
        assert_eq!(full.retry_after(), Some(AGAIN));
        assert!(
            full.message()
                .starts_with("tenant `default` uses all of `quotas.actors`, which is 10000; `"),
            "{full}"
        );
        // Who is here is called on, and those that were not called for longest go.
        let first = slots.of(&actor(0), &b).expect("who is here stays");
        let over = slots.over(|_| Duration::MAX);
        let gone: usize = over.values().map(Vec::len).sum();
        assert_eq!(gone, quota / 10);
        slots.leave(&first);
        drop((first, over));
        slots.of(&actor(quota), &b).unwrap();
        let ledger = slots.ledger.clone();
        assert_eq!(used(&ledger), quota as u64);
        drop(slots);
        assert_eq!(used(&ledger), 0);
    }

    #[test]
    fn an_app_has_half_and_no_more() {
        let (slots, a, b) = (slots(20), "a".parse().unwrap(), "b".parse().unwrap());
        for id in 0..10 {
            slots.of(&actor(id), &a).unwrap();
        }
        let full = slots.of(&actor(10), &a).err().expect("it is full");
        assert_eq!(full.kind(), Kind::Exhausted);
        assert_eq!(full.retry_after(), Some(AGAIN));
        let first = slots.of(&actor(0), &a).expect("who is here stays");
        for id in 10..20 {
            slots.of(&actor(id), &b).unwrap();
        }
        slots.leave(&first);
        slots.leave(&first);
        slots.of(&actor(20), &a).unwrap();
        assert!(slots.of(&actor(21), &a).is_err());
    }

    #[test]
    fn those_that_were_not_called_for_longest_make_room() {
        let (slots, a, b) = (slots(200), "a".parse().unwrap(), "b".parse().unwrap());
        let over = |slots: &Slots| {
            let over = slots.over(|_| Duration::MAX);
            let count = |app| over.get(app).map_or(0, Vec::len);
            (count(&a), count(&b))
        };
        for id in 0..94 {
            slots.of(&actor(id), &a).unwrap();
        }
        assert_eq!(over(&slots), (0, 0));
        slots.of(&actor(94), &a).unwrap();
        assert_eq!(over(&slots), (5, 0));
        slots.of(&actor(0), &a).unwrap().touch();
        let gone = slots.over(|_| Duration::MAX).remove(&a).unwrap();
        assert!(gone.iter().all(|(slot, _)| slot.actor.id != "0"));
        for id in 100..190 {
            slots.of(&actor(id), &b).unwrap();
        }
        assert_eq!(over(&slots), (5, 0), "the other app has room");
        let idle = slots.over(|_| Duration::ZERO);
        assert_eq!((idle[&a].len(), idle[&b].len()), (95, 90));
    }
}
