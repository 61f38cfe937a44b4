//! The sweep: actors that nobody has called for a while are not here any more.

use super::{
    IDLE,
    activation::{Place, Slot},
    engine::{Engine, Space, Why},
};
use futures::stream::{self, StreamExt};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

const EVERY: Duration = Duration::from_secs(1);
/// Deactivations at once.
const AT_ONCE: usize = 64;
/// Actors of a tenant that are here; above it, those go that were not called for longest.
const MOST: usize = 100_000;

pub(super) async fn run(engine: Arc<Engine>, space: Arc<Space>) {
    let stop = engine.tasks.stopping();
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
        let over = over(&engine, space.slots(), MOST);
        stream::iter(over)
            .for_each_concurrent(AT_ONCE, |(slot, since)| {
                deactivate(&engine, &space, slot, since)
            })
            .await;
    }
}

/// Those that are to go, each with the time of its last turn.
fn over(engine: &Engine, slots: Vec<Arc<Slot>>, most: usize) -> Vec<(Arc<Slot>, Instant)> {
    let mut slots: Vec<_> = slots.into_iter().map(|slot| (slot.since(), slot)).collect();
    let too_many = slots.len().saturating_sub(most);
    if too_many > 0 {
        slots.sort_by_key(|(since, _)| *since);
    }
    let is_idle = |since: &Instant, slot: &Slot| since.elapsed() >= limit(engine, slot);
    let over = slots.into_iter().enumerate();
    over.filter(|(index, (since, slot))| *index < too_many || is_idle(since, slot))
        .map(|(_, (since, slot))| (slot, since))
        .collect()
}

fn limit(engine: &Engine, slot: &Slot) -> Duration {
    let hosted = engine.hosted(&slot.actor.tenant, &slot.actor.kind);
    hosted.map_or(IDLE, |hosted| hosted.kind.idle)
}

/// One that has a turn now, or had one meanwhile, stays.
async fn deactivate(engine: &Arc<Engine>, space: &Space, slot: Arc<Slot>, since: Instant) {
    let Ok(permit) = slot.turns.clone().try_acquire_owned() else {
        return;
    };
    if slot.since() != since {
        return;
    }
    let place = Place {
        slot,
        _permit: permit,
    };
    let actor = &place.slot.actor;
    if let Some(hosted) = engine.hosted(&actor.tenant, &actor.kind)
        && let Err(error) = engine.turn(&place, &hosted, None, &Why::Idle).await
    {
        tracing::warn!(actor = %actor, "its last turn failed: {}", error.chain());
    }
    space.leave(&place);
}
