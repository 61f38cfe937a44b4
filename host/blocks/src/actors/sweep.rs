//! The sweep: actors that nobody has called for a while are not here any more.

use super::{
    IDLE,
    engine::{Cause, Engine, Hosted, Space, Why},
    slot::{Slot, TurnPermit},
};
use crate::{Error, Result, time::HOST_CALL};
use futures::stream::{self, StreamExt};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::OwnedSemaphorePermit;
use wythe_manifest::Name;

const EVERY: Duration = Duration::from_secs(1);
/// Time between two looks where somebody had to be refused.
const SOON: Duration = Duration::from_millis(100);
/// The time for which a last turn that found no room is tried again.
const PATIENCE: Duration = Duration::from_secs(60);
/// Deactivations at once, of one app.
const AT_ONCE: usize = 64;

/// Looks for those that are to go. Each app's go beside those of others, so that none waits for another's last turns.
pub(super) async fn run(engine: Arc<Engine>, space: Arc<Space>) {
    let stop = engine.tasks.stopping();
    loop {
        let crowded = async {
            tokio::time::sleep(SOON).await;
            space.slots.crowded.notified().await;
        };
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
            () = crowded => {}
        }
        for (app, over) in space.slots.over(|slot| limit(&engine, slot)) {
            // The last ones of this app are still at it.
            let Ok(permit) = space.sweeps.of(app.as_str()).try_acquire_owned() else {
                continue;
            };
            let (engine, space) = (engine.clone(), space.clone());
            let tasks = engine.tasks.clone();
            tasks.spawn(sweep(engine, space, over, permit));
        }
    }
}

/// Ends those of one app; when the host stops, it begins with no other one.
async fn sweep(
    engine: Arc<Engine>,
    space: Arc<Space>,
    over: Vec<(Arc<Slot>, Instant)>,
    _place: OwnedSemaphorePermit,
) {
    let stop = engine.tasks.stopping();
    stream::iter(over)
        .take_until(stop.cancelled())
        .for_each_concurrent(AT_ONCE, |(slot, since)| {
            deactivate(&engine, &space, slot, since)
        })
        .await;
}

/// Ends all of one app's, whose types are gone: each when its turn under way is over, and none is waited for any longer
/// than a turn may take.
pub(super) async fn evict(engine: &Arc<Engine>, space: &Space, app: &Name, gone: &[Arc<Hosted>]) {
    let own = space
        .slots
        .all()
        .into_iter()
        .filter(|slot| slot.app == *app);
    stream::iter(own)
        .for_each_concurrent(AT_ONCE, |slot| async {
            let turn = slot.turns.clone().acquire_owned();
            if let Ok(Ok(permit)) = tokio::time::timeout(HOST_CALL, turn).await {
                let kind = &slot.actor.kind;
                let hosted = gone.iter().find(|hosted| hosted.kind.name == *kind);
                let permit = TurnPermit {
                    slot,
                    _permit: permit,
                };
                end(engine, space, permit, hosted.cloned()).await;
            }
        })
        .await;
}

fn limit(engine: &Engine, slot: &Slot) -> Duration {
    let hosted = engine.hosted(&slot.actor.tenant, &slot.actor.kind);
    hosted.map_or(IDLE, |hosted| hosted.kind.idle)
}

/// One that has a turn now, or had one meanwhile, stays; and so does, for a while, one whose last turn the tenant has no
/// room for.
async fn deactivate(engine: &Arc<Engine>, space: &Space, slot: Arc<Slot>, since: Instant) {
    let Ok(permit) = slot.turns.clone().try_acquire_owned() else {
        return;
    };
    if slot.since() != since {
        return;
    }
    let permit = TurnPermit {
        slot,
        _permit: permit,
    };
    let actor = &permit.slot.actor;
    let hosted = engine.hosted(&actor.tenant, &actor.kind);
    let app = hosted.as_ref().map(|hosted| hosted.app.clone());
    let patience = limit(engine, &permit.slot).saturating_add(PATIENCE);
    let waits = since.elapsed() < patience && !engine.tasks.stopping().is_cancelled();
    if let Err(error) = last_turn(engine, &permit, hosted).await {
        // For want of room, or since the app is not well.
        if waits && app.is_some_and(|app| app.has_refused(&error)) {
            return;
        }
        warn(&permit, &error);
    }
    space.slots.leave(&permit.slot);
}

/// Gives an actor its last turn, and lets it go.
async fn end(engine: &Arc<Engine>, space: &Space, permit: TurnPermit, hosted: Option<Arc<Hosted>>) {
    if let Err(error) = last_turn(engine, &permit, hosted).await {
        warn(&permit, &error);
    }
    space.slots.leave(&permit.slot);
}

/// The last turn of an actor, if its app is here.
async fn last_turn(
    engine: &Arc<Engine>,
    permit: &TurnPermit,
    hosted: Option<Arc<Hosted>>,
) -> Result<()> {
    if let Some(hosted) = hosted {
        let cause = Cause::host();
        engine.turn(permit, &hosted, &cause, &Why::Idle).await?;
    }
    Ok(())
}

fn warn(permit: &TurnPermit, error: &Error) {
    tracing::warn!(actor = %permit.slot.actor, "its last turn failed: {}", error.chain());
}
