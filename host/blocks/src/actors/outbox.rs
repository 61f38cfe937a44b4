//! The outbox: events of turns that were kept, sent afterwards, and removed once the broker has them.
//!
//! A host that ends in between leaves rows behind; whoever looks next sends them, with the ids that they have. So each
//! event is sent at least once, and always as the same one.

use super::{
    engine::{Engine, Space},
    rows::{self, Outgoing},
};
use crate::{
    Result,
    pubsub::{Event, PublishOptions},
    state::{Condition, Delete, Operation},
};
use std::{sync::Arc, time::Duration};

/// What was left behind is looked for so often.
const LOOK: Duration = Duration::from_secs(5);
/// After events that a broker did not take.
const PAUSE: Duration = Duration::from_secs(1);
const PAGE: u32 = 100;

pub(super) async fn run(engine: Arc<Engine>, space: Arc<Space>) {
    let stop = engine.tasks.stopping();
    loop {
        let all = send_all(&engine, &space).await;
        if let Err(error) = &all {
            tracing::warn!(tenant = %space.tenant, "send events of actors: {}", error.chain());
        }
        // New events do not hurry a broker that did not take the last ones.
        let waits = !matches!(all, Ok(true));
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            () = space.sent.notified(), if !waits => {}
            () = tokio::time::sleep(if waits { PAUSE } else { LOOK }) => {}
        }
    }
}

/// In the order of the rows, which is that of each actor's turns. False where some of them wait.
async fn send_all(engine: &Engine, space: &Space) -> Result<bool> {
    let (mut cursor, mut are_all_sent) = (None::<String>, true);
    loop {
        let caller = space.caller(&space.tenant);
        let page = space
            .keeper
            .list(&caller, &rows::sort("outbox"), cursor.as_deref(), PAGE)
            .await?;
        let mut group: Vec<(String, Outgoing)> = Vec::new();
        for (key, entry) in page.entries {
            let Ok(row) = rows::read::<Outgoing>(&key, &entry.value) else {
                tracing::error!("an event of an actor cannot be read: {key}");
                continue;
            };
            if group
                .first()
                .is_some_and(|(_, first)| !first.goes_with(&row))
            {
                are_all_sent &= send(engine, space, std::mem::take(&mut group)).await?;
            }
            group.push((key, row));
        }
        are_all_sent &= send(engine, space, group).await?;
        match page.next {
            Some(next) => cursor = Some(next),
            None => return Ok(are_all_sent),
        }
    }
}

impl Outgoing {
    fn goes_with(&self, other: &Self) -> bool {
        let to = |row: &Self| (row.app.clone(), row.component.clone(), row.topic.clone());
        to(self) == to(other)
    }
}

/// Events of one app to one topic. What the broker does not take stays, and is tried again later: then it is false.
async fn send(engine: &Engine, space: &Space, group: Vec<(String, Outgoing)>) -> Result<bool> {
    let Some((_, first)) = group.first() else {
        return Ok(true);
    };
    let Ok(app) = first.app.parse() else {
        return Ok(true);
    };
    // The grants were asked when the event was staged; here the host speaks for the app.
    let caller = space.caller(&app);
    let topic = match engine.pubsub.open(&caller, &first.component, &first.topic) {
        Ok(topic) => topic,
        Err(error) => {
            tracing::warn!(app = %app, events = group.len(), "events of actors wait: {}", error.chain());
            return Ok(false);
        }
    };
    let count = group.len();
    let (keys, rows): (Vec<_>, Vec<_>) = group.into_iter().unzip();
    let events: Vec<Event> = rows.into_iter().map(Outgoing::event).collect();
    let answers = topic
        .publish_many(&caller, events, &PublishOptions::default())
        .await;
    let mut sent = Vec::new();
    for (key, answer) in keys.into_iter().zip(answers) {
        match answer {
            Ok(_) => sent.push(Operation::Delete(Delete {
                key,
                condition: Condition::Always,
            })),
            Err(error) => {
                tracing::warn!(app = %app, "an event of an actor waits: {}", error.chain())
            }
        }
    }
    let are_all_sent = sent.len() == count;
    for chunk in sent.chunks(space.keeper.max_operations().max(1)) {
        space.keeper.transact(&caller, chunk.to_vec()).await?;
    }
    Ok(are_all_sent)
}
