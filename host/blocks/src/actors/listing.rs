//! The operator's view: the actors that are here, the actors that are kept, and what is kept of one.

use super::{
    Actor, Actors,
    core::{names, record},
    store::rows,
};
use crate::{Call, Error, Result};
use bytes::Bytes;
use std::time::SystemTime;

const PAGE: u32 = 1_000;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    pub kind: String,
    pub id: String,
}

/// One page of the actors that are stored, in order of type and id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    pub actors: Vec<Listed>,
    /// The place at which the next page begins.
    pub next: Option<String>,
}

/// A reminder of an actor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alarm {
    pub name: String,
    /// Milliseconds since 1970.
    pub due: u64,
    pub period: Option<u64>,
    pub data: Bytes,
}

/// The record, entries and reminders that are kept of an actor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Turns that changed something.
    pub turns: u64,
    pub active: bool,
    /// The first entries by key, at most 1,000.
    pub entries: Vec<(String, Bytes, Option<SystemTime>)>,
    /// The first reminders, at most 1,000.
    pub reminders: Vec<Alarm>,
}

impl Actors {
    /// The actors that are active on this host, in order of type and id.
    pub fn active(&self, caller: &Call, kind: Option<&str>) -> Vec<Listed> {
        let space = self.engine.space(caller.tenant());
        let slots = space.map(|space| space.slots.all()).unwrap_or_default();
        let actors = slots.iter().map(|slot| &slot.actor);
        let actors = actors.filter(|actor| kind.is_none_or(|kind| kind == actor.kind));
        let mut listed: Vec<_> = actors
            .map(|actor| Listed {
                kind: actor.kind.clone(),
                id: actor.id.clone(),
            })
            .collect();
        listed.sort_by(|a, b| (&a.kind, &a.id).cmp(&(&b.kind, &b.id)));
        listed
    }

    /// The actors of which something is kept.
    pub async fn stored(
        &self,
        caller: &Call,
        kind: Option<&str>,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<Listing> {
        if !(1..=PAGE).contains(&limit) {
            return Err(Error::invalid(format!(
                "a page of {limit}; expected 1 to {PAGE}"
            )));
        }
        let prefix = match kind {
            Some(kind) => {
                names::check("actor type", kind)?;
                rows::metas(kind)
            }
            None => rows::sort("meta"),
        };
        let cursor = cursor.map(|cursor| after(caller, cursor)).transpose()?;
        let space = self.engine.space(caller.tenant())?;
        let page = space
            .internal_store
            .list(caller, &prefix, cursor.as_deref(), limit)
            .await?;
        let next = page.next.as_deref().and_then(listed);
        Ok(Listing {
            actors: page
                .entries
                .iter()
                .filter_map(|(key, _)| listed(key))
                .collect(),
            next: next.map(|last| format!("{}/{}", last.kind, last.id)),
        })
    }

    /// Reads the stored state of the actor; absent where there is none.
    pub async fn show(&self, caller: &Call, kind: &str, id: &str) -> Result<Option<Stored>> {
        let actor = Actor::new(caller.tenant(), kind, id)?;
        let space = self.engine.space(caller.tenant())?;
        let key = rows::meta(&actor);
        let Some(meta) = space.internal_store.get(caller, &key).await? else {
            return Ok(None);
        };
        let meta: record::Meta = rows::read(&key, &meta.value)?;
        let prefix = rows::entry(&actor, "");
        let page = space
            .internal_store
            .list(caller, &prefix, None, PAGE)
            .await?;
        let entries = page.entries.into_iter().map(|(key, entry)| {
            let key = key.strip_prefix(&prefix).unwrap_or(&key).to_owned();
            (key, entry.value, entry.expires)
        });
        let entries = entries.collect();
        Ok(Some(Stored {
            turns: meta.turns,
            active: space.slots.has(&actor),
            entries,
            reminders: self.alarms(caller, &actor).await?,
        }))
    }

    async fn alarms(&self, caller: &Call, actor: &Actor) -> Result<Vec<Alarm>> {
        let space = self.engine.space(&actor.tenant)?;
        let prefix = rows::reminder(actor, "");
        let page = space
            .internal_store
            .list(caller, &prefix, None, PAGE)
            .await?;
        let wake = |(key, entry): (String, crate::state::Entry)| {
            let row: record::Reminder = rows::read(&key, &entry.value)?;
            let name = key.strip_prefix(&prefix).unwrap_or(&key).to_owned();
            Ok(Alarm {
                name,
                due: row.due,
                period: row.period,
                data: row.data.0,
            })
        };
        page.entries.into_iter().map(wake).collect()
    }
}

/// The key of the actor that a page ended with.
fn after(caller: &Call, cursor: &str) -> Result<String> {
    let Some((kind, id)) = cursor.split_once('/') else {
        return Err(Error::invalid(
            "the cursor; expected one that a page gave, TYPE/ID",
        ));
    };
    Ok(rows::meta(&Actor::new(caller.tenant(), kind, id)?))
}

fn listed(key: &str) -> Option<Listed> {
    let (kind, id) = rows::parse_meta(key)?;
    Some(Listed {
        kind: kind.to_owned(),
        id: id.to_owned(),
    })
}
