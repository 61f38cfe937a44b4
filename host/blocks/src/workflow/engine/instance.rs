//! The one task that touches an instance: it takes the inputs of the instance, a batch at a time, and ends when there are
//! no more.

use super::{Engine, Message, PAUSE, alive::is_full, live::Live, reading};
use crate::{
    Error, Result,
    state::Etag,
    workflow::{
        core::{
            item::Item,
            machine::{broken as set_broken, misfit},
            meta::{Meta, Status},
        },
        store::keys,
    },
};
use std::{sync::Arc, time::Duration};
use tokio::sync::mpsc::UnboundedReceiver;

/// Messages of one batch.
const BATCH: usize = 128;

enum Found {
    Live(Box<Live>),
    Rest(Rest),
}

/// An instance whose code cannot run.
enum Rest {
    Nothing,
    /// An instance that has ended: nothing runs any more.
    Ended(Box<Meta>),
    /// Its journal is not what was written.
    Broken(Box<Meta>, Etag, String),
}

pub(super) async fn run(engine: Arc<Engine>, id: String, mut inbox: UnboundedReceiver<Message>) {
    let mut live: Option<Box<Live>> = None;
    loop {
        let Some(first) = next(&engine, &mut inbox, live.is_some()).await else {
            live = None;
            if engine.leave(&id, &inbox) {
                return;
            }
            continue;
        };
        let mut batch = vec![first];
        while batch.len() < BATCH
            && let Ok(message) = inbox.try_recv()
        {
            batch.push(message);
        }
        live = step(&engine, &id, live.take(), batch).await;
    }
}

/// Waits a while where the instance is in memory and nobody else needs its place.
async fn next(
    engine: &Engine,
    inbox: &mut UnboundedReceiver<Message>,
    is_live: bool,
) -> Option<Message> {
    if let Ok(message) = inbox.try_recv() {
        return Some(message);
    }
    if !is_live {
        return None;
    }
    tokio::select! {
        biased;
        message = inbox.recv() => message,
        () = engine.crowded.notified() => None,
        () = tokio::time::sleep(engine.linger()) => None,
        () = async { engine.stopping().cancelled().await } => None,
    }
}

async fn step(
    engine: &Arc<Engine>,
    id: &str,
    live: Option<Box<Live>>,
    batch: Vec<Message>,
) -> Option<Box<Live>> {
    let found = match live {
        Some(live) => Ok(Found::Live(live)),
        None => find(engine, id).await,
    };
    match found {
        Ok(Found::Live(live)) => work(engine, id, live, batch).await,
        Ok(Found::Rest(found)) => {
            for message in batch {
                let answer = rest(engine, id, &found, message.item).await;
                let _ = message.reply.send(answer);
            }
            None
        }
        Err(error) => {
            let is_awaited = batch
                .iter()
                .any(|message| matches!(message.item, Item::Run));
            for message in batch {
                let _ = message.reply.send(Err(error.duplicate()));
            }
            if is_awaited {
                engine.nudge_later(id);
            }
            None
        }
    }
}

async fn find(engine: &Arc<Engine>, id: &str) -> Result<Found> {
    let Some((meta, etag)) = engine.meta(id).await? else {
        engine.alive.gone(id);
        return Ok(Found::Rest(Rest::Nothing));
    };
    if meta.status.has_ended() {
        if engine.is_doubtful(id)
            && let Err(error) = engine.take_up_end(&meta).await
        {
            engine.doubt(id);
            return Err(error);
        }
        return Ok(Found::Rest(Rest::Ended(Box::new(meta))));
    }
    engine.alive.see(&meta);
    let Some(room) = engine.room(&meta.app, meta.bytes).await else {
        return Err(Error::unavailable("the host stops; try again when it runs"));
    };
    let journal = engine.journal(id, meta.run, meta.next, &meta.hash).await?;
    Ok(match journal.broken {
        Some(reason) => Found::Rest(Rest::Broken(Box::new(meta), etag, reason)),
        None => {
            let read = (meta, etag);
            let live = Live::new(engine.clone(), read, journal.entries, room);
            if engine.is_doubtful(id) {
                engine.take_up_open(&live.machine.meta, live.machine.open());
            }
            Found::Live(Box::new(live))
        }
    })
}

async fn work(
    engine: &Arc<Engine>,
    id: &str,
    mut live: Box<Live>,
    batch: Vec<Message>,
) -> Option<Box<Live>> {
    let mut waiting = Vec::with_capacity(batch.len());
    for message in batch {
        if live.machine.meta.status.has_ended() {
            // An earlier one of the batch ended it.
            let ended = Rest::Ended(Box::new(live.machine.meta.clone()));
            let answer = rest(engine, id, &ended, message.item).await;
            let _ = message.reply.send(answer);
            continue;
        }
        match live.accept(message.item) {
            Ok(()) => waiting.push(message.reply),
            Err(error) => {
                let _ = message.reply.send(Err(error));
            }
        }
    }
    let ran = engine.is_running();
    let mut stored = live.advance().await;
    if stored.is_ok() {
        stored = live.flush().await;
    }
    if let Err(error) = &stored {
        if error.kind() == crate::Kind::Conflict {
            tracing::debug!(
                instance = id,
                "another host was faster: the journal is read again"
            );
        } else {
            tracing::warn!(
                instance = id,
                "the journal is not kept, and is read again: {}",
                error.chain()
            );
        }
        engine.doubt(id);
        engine.nudge_after(id, pause_after(error));
    } else if !ran && engine.is_running() {
        // Code may run since, and whoever looked then for what is ready did not see what is written only now.
        engine.nudge(id);
    }
    for reply in waiting {
        let answer = stored.as_ref().map_err(|error| error.duplicate());
        let _ = reply.send(answer.copied());
    }
    (stored.is_ok() && live.is_at_work()).then_some(live)
}

/// The pause after a commit that was not kept: it is longer where others have to end first.
fn pause_after(error: &Error) -> Duration {
    let longer = error.retry_after().filter(|_| is_full(error));
    longer.unwrap_or(PAUSE)
}

/// Answers for an instance whose code cannot run any more.
async fn rest(engine: &Arc<Engine>, id: &str, found: &Rest, item: Item) -> Result<()> {
    let row = item.row().map(|row| keys::of(id, &row));
    match (item, found, row) {
        (Item::Run, Rest::Broken(meta, etag, reason), _) => {
            set(engine, meta, etag, Status::Stalled, reason).await
        }
        (Item::Run, _, _) => engine.forget_ready(id).await,
        (_, Rest::Broken(_, _, reason), Some(key)) => {
            tracing::warn!(instance = id, "`{key}` waits: {reason}");
            Err(broken(id, reason))
        }
        // Nobody waits for it any more.
        (_, _, Some(key)) => engine.remove(&key).await,
        (_, Rest::Ended(meta), _) => Err(misfit(
            id,
            meta.status,
            "one that has not ended can be told anything",
        )),
        (Item::Terminate { .. }, Rest::Broken(meta, etag, reason), _) => {
            set(engine, meta, etag, Status::Terminated, reason).await
        }
        (_, Rest::Broken(meta, etag, reason), _) => {
            set(engine, meta, etag, Status::Stalled, reason).await?;
            Err(broken(id, reason))
        }
        _ => Err(reading::unknown(id)),
    }
}

fn broken(id: &str, reason: &str) -> crate::Error {
    crate::Error::conflict(format!(
        "instance `{id}` is stalled: {reason}; terminate it, or run it again from an entry before that"
    ))
}

/// Says of a broken instance what it is; its journal stays as it was found.
async fn set(
    engine: &Arc<Engine>,
    meta: &Meta,
    etag: &Etag,
    status: Status,
    reason: &str,
) -> Result<()> {
    let clock = engine.clock();
    let Some(commit) = set_broken(meta, etag, status, reason, &clock) else {
        return Ok(());
    };
    engine.persist(&commit, None).await?;
    if status.has_ended() {
        engine.alive.end(&meta.app, &meta.id);
    }
    Ok(())
}
