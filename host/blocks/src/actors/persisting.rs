//! Persists the changes of a turn, and starts the work that follows from them.

use super::{
    activation::superseded,
    core::{
        commit::{Commit, Effect},
        names::Actor,
        staged::Staged,
    },
    engine::{Hosted, Space},
    slot::Awake,
    store::commit,
};
use crate::{Detail, Error, Kind, Result, time::now};
use std::time::SystemTime;

/// Writes what the turn staged in one transaction; after an error nobody may believe the activation any more, unless it is
/// `exhausted`, by which nothing was written.
pub(super) async fn persist(
    space: &Space,
    hosted: &Hosted,
    activation: &mut Awake,
    staged: Staged,
) -> Result<()> {
    let (actor, app) = (&activation.actor.clone(), hosted.app.id());
    let commit = Commit::of(&activation.meta, activation.etag.as_deref(), &staged);
    let (have_moved, time) = (space.moved.is_over(), SystemTime::now());
    let operations = commit::operations(actor, &commit, have_moved, time);
    let (meta, effects) = (commit.meta.clone(), commit.effects());
    let caller = space.caller(app, activation.trace);
    let written = space.internal_store.transact(&caller, operations).await;
    for effect in effects {
        match effect {
            Effect::Expect { name, due } => {
                space.due.set(app, actor, &name, due, now());
                space.reminded.notify_one();
            }
            Effect::Forget { name, due } if written.is_ok() => {
                space.due.forget(app, actor, &name, due);
            }
            Effect::Send if written.is_ok() => space.sent.notify_one(),
            Effect::Forget { .. } | Effect::Send => {}
        }
    }
    let etags = written.map_err(|error| translated(actor, error))?;
    let etag = etags.into_iter().next().flatten();
    let none = || Error::internal("the driver gave no etag for an actor's record");
    activation.etag = Some(etag.ok_or_else(none)?);
    activation.meta = meta;
    activation.memory.apply(staged);
    Ok(())
}

/// The store speaks of the host's own keys, and a lost condition has one meaning here.
fn translated(actor: &Actor, error: Error) -> Error {
    match error.kind() {
        Kind::Conflict => superseded(actor),
        Kind::UnknownOutcome => Error::unknown_outcome(format!(
            "nobody can say whether the turn of actor `{actor}` is kept; read back before trying again"
        ))
        .with_source(error),
        _ if error.detail() == Some(Detail::OverQuota) => {
            error.map_message(|quota| format!("the turn of actor `{actor}` cannot be kept: {quota}"))
        }
        kind => Error::new(kind, format!("the turn of actor `{actor}` cannot be kept")).with_source(error),
    }
}
