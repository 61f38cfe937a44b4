//! Calls of actors under policies: retries and breakers stand before the queue of an actor, the timeout is that of its
//! turn.

use super::{
    Trigger,
    core::names::Actor,
    engine::{Engine, Hosted},
};
use crate::{
    Call, Kind, Result,
    resiliency::{Guard, Guarded, Limit, Nature},
    time,
};
use bytes::Bytes;
use std::{sync::Arc, time::Duration};

/// Calls an actor until a turn of it ends well, or none may follow.
pub(super) async fn call(
    engine: &Arc<Engine>,
    (hosted, guard): (&Arc<Hosted>, &Guard),
    caller: &Call,
    actor: Arc<Actor>,
    trigger: Trigger,
) -> Result<Bytes> {
    let call = Guarded {
        id: &actor.id,
        is_timed: true,
        ..Guarded::new("call", Nature::Turn, caller.deadline())
    };
    let target = &hosted.target;
    let attempt = |limit: Limit| {
        let (actor, trigger) = (actor.clone(), trigger.clone());
        async move {
            let timeout = limit.timeout;
            let answer = engine.call(caller, hosted, actor, trigger, timeout).await;
            let is_late = |kind| matches!(kind, Kind::Timeout | Kind::UnknownOutcome);
            let is_early = time::deadline(Duration::ZERO) < caller.deadline();
            if timeout.is_some() && is_early && answer.as_ref().is_err_and(|e| is_late(e.kind())) {
                target.count_timeout();
            }
            answer
        }
    };
    target.run(guard, call, attempt, |_| None).await
}
