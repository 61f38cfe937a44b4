//! Turns of actors into a guest that exports `wythe:blocks/actor-handler`, and the instances that actors keep.

use crate::{
    bindings::app::exports::wythe::blocks::actor_handler as wit,
    ctx::Ctx,
    engine::Runtime,
    instance::{Pool, Warm},
    slots::{Holder, Slot, Slots},
};
use bytes::Bytes;
use parking_lot::{Mutex, MutexGuard};
use std::{collections::HashMap, sync::Arc, time::Duration};
use wasmtime::component::InstancePre;
use wythe_blocks::{
    Call, Error, Result,
    actors::{Actor, IDLE, Trigger, Type},
};

/// Instances that the actors of an app keep.
const MAX_INSTANCES: usize = 256;

/// The actors' part of one version of a guest.
pub struct Acts {
    indices: wit::GuestIndices,
    cached: Mutex<Cached>,
    /// The slots of the whole host.
    slots: Arc<Slots>,
    holder: Holder,
}

#[derive(Default)]
struct Cached {
    instances: HashMap<Arc<Actor>, Instance>,
    /// Grows with each turn.
    now: u64,
}

struct Instance {
    warm: Warm,
    used: u64,
    slot: Slot,
}

impl Acts {
    pub fn new(
        pre: &InstancePre<Ctx>,
        runtime: &Runtime,
        holder: Holder,
    ) -> wasmtime::Result<Self> {
        Ok(Acts {
            indices: wit::GuestIndices::new(pre)?,
            cached: Mutex::default(),
            slots: runtime.warm.clone(),
            holder,
        })
    }

    pub async fn types(&self, pool: &Pool, caller: Call) -> Result<Vec<Type>> {
        let types = pool
            .run(caller, async |store, instance| {
                let guest = self.indices.load(&mut *store, instance)?;
                guest.call_types(store).await
            })
            .await?;
        Ok(types.into_iter().map(Into::into).collect())
    }

    /// The caller is inside the turn.
    pub async fn turn(&self, pool: &Pool, caller: Call, trigger: Trigger) -> Result<Bytes> {
        let Some(inside) = caller.inside() else {
            return Err(Error::internal("a turn of no actor"));
        };
        let (actor, is_warm) = (inside.turn.actor().clone(), inside.is_warm());
        let cached = is_warm.then(|| self.take(&actor)).flatten();
        let (warm, slot) = cached.map(|cached| (cached.warm, cached.slot)).unzip();
        let (named, trigger) = (named(&actor), trigger.into());
        let (answer, warm) = pool
            .run_in(warm, caller, async |store, instance| {
                let guest = self.indices.load(&mut *store, instance)?;
                guest.call_turn(store, &named, &trigger).await
            })
            .await?;
        // An instance whose turn failed may hold what is undone.
        if answer.is_ok() && is_warm {
            self.cache(actor, warm, slot);
        }
        answer.map(Bytes::from).map_err(Into::into)
    }

    /// Forgets the instance of an actor: its next turn has a fresh one.
    pub fn forget(&self, actor: &Actor) {
        // Dropped outside the lock.
        let _gone = self.lock().instances.remove(actor);
    }

    fn take(&self, actor: &Actor) -> Option<Instance> {
        self.lock().instances.remove(actor)
    }

    /// Keeps an instance, in place of the one that was used least lately where there is no room.
    fn cache(&self, actor: Arc<Actor>, warm: Warm, slot: Option<Slot>) {
        let may_take = warm.store.data().identity.may_keep();
        let another = || may_take.then(|| self.slots.try_take(self.holder)).flatten();
        let slot = slot.or_else(another);
        let mut cached = self.lock();
        let is_full = slot.is_none() || cached.instances.len() >= MAX_INSTANCES;
        let oldest = if is_full { cached.take_oldest() } else { None };
        // Dropped outside the lock, at the end.
        let (_gone, freed) = oldest.map(|old| (old.warm, old.slot)).unzip();
        let Some(slot) = slot.or(freed) else {
            return;
        };
        cached.now += 1;
        let used = cached.now;
        let instance = Instance { warm, used, slot };
        cached.instances.insert(actor, instance);
        drop(cached);
    }

    fn lock(&self) -> MutexGuard<'_, Cached> {
        self.cached.lock()
    }
}

impl Cached {
    fn take_oldest(&mut self) -> Option<Instance> {
        let oldest = self.instances.iter().min_by_key(|(_, cached)| cached.used);
        let oldest = oldest.map(|(actor, _)| actor.clone())?;
        self.instances.remove(&oldest)
    }
}

fn named(actor: &Actor) -> wit::Actor {
    wit::Actor {
        actor_type: actor.kind.clone(),
        id: actor.id.clone(),
    }
}

impl From<wit::ActorType> for Type {
    fn from(kind: wit::ActorType) -> Self {
        Type {
            name: kind.name,
            reentrant: kind.reentrant,
            warm: kind.warm,
            lifecycle: kind.lifecycle,
            idle: kind.idle.map_or(IDLE, Duration::from_millis),
        }
    }
}

impl From<Trigger> for wit::Trigger {
    fn from(trigger: Trigger) -> Self {
        match trigger {
            Trigger::Activate => wit::Trigger::Activate,
            Trigger::Call(method, data) => wit::Trigger::Call((method, data.into())),
            Trigger::Timer(name, data) => wit::Trigger::Timer((name, data.into())),
            Trigger::Reminder(name, data) => wit::Trigger::Reminder((name, data.into())),
            Trigger::Deactivate => wit::Trigger::Deactivate,
        }
    }
}
