//! State over a cache: an entry is one of the server's, its number there the etag. One whose time is over counts as none,
//! though the server may still have it for a few seconds.

use crate::{
    client::{Call, Client, Server},
    facts::Life,
    failure::{self, Effect},
    keys,
    layout::{self, BESIDE, Written},
    wire::{Answer, Command, Marks, Only},
};
use async_trait::async_trait;
use futures::{StreamExt as _, stream};
use std::{
    borrow::Cow,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::SystemTime,
};
use wythe_blocks::{
    Error, Key, Result,
    state::{Condition, Delete, Driver, Entry, Etag, Features, MAX_ANSWER, Put, beyond},
    time::now,
};

/// Entries that are asked for at once.
const AT_ONCE: usize = 16;
/// Tries of a first write, while others write and delete the same.
const TRIES: usize = 16;

pub(crate) async fn open(client: Arc<Client>) -> Result<Arc<dyn Driver>> {
    client.ping().await?;
    let max_value = client.largest().saturating_sub(BESIDE);
    if max_value == 0 {
        return Err(Error::unsupported(format!(
            "a server takes entries of less than {BESIDE} bytes: raise its item size (`-I`)"
        )));
    }
    Ok(Arc::new(Cache {
        client,
        max_value,
        is_closed: AtomicBool::new(false),
    }))
}

struct Cache {
    client: Arc<Client>,
    max_value: u64,
    is_closed: AtomicBool,
}

/// A key at its server.
struct Slot<'a> {
    key: &'a Key,
    about: String,
    sent: Cow<'a, str>,
    server: &'a Server,
}

/// An entry as it was seen at its server.
struct Seen {
    cas: u64,
    life: Life,
    is_over: bool,
}

impl Seen {
    fn etag(&self) -> Etag {
        self.life.etag(self.cas)
    }
}

fn is_over(end: Option<SystemTime>) -> bool {
    end.is_some_and(|end| end <= SystemTime::now())
}

fn exists(key: &Key) -> Error {
    Error::conflict(format!("`{}` has an entry already", key.shown()))
}

fn another(key: &Key) -> Error {
    Error::conflict(format!("`{}` has another etag, or no entry", key.shown()))
}

fn overtaken(key: &Key) -> Error {
    let message = format!(
        "`{}` was written and deleted by others at each of {TRIES} tries",
        key.shown()
    );
    Error::unavailable(message)
}

impl Cache {
    fn client(&self) -> Result<&Client> {
        match self.is_closed.load(Relaxed) {
            false => Ok(&self.client),
            true => Err(Error::unavailable("the store is closed")),
        }
    }

    fn place<'a>(&'a self, key: &'a Key) -> Result<Slot<'a>> {
        let sent = keys::sent(key.whole());
        Ok(Slot {
            key,
            about: format!("`{}`", key.shown()),
            server: self.client()?.server(&sent),
            sent,
        })
    }

    async fn ask(
        &self,
        place: &Slot<'_>,
        command: Command,
        effect: Effect,
        life: Option<Life>,
    ) -> Result<(Answer, Life)> {
        let call = Call {
            command,
            effect,
            about: &place.about,
            life,
        };
        self.client()?.ask(place.server, call).await
    }

    async fn read(&self, key: &Key) -> Result<Option<Entry>> {
        let place = self.place(key)?;
        let asked = self.ask(&place, Command::get(&place.sent), Effect::Read, None);
        let (value, marks, life) = match asked.await? {
            (Answer::Missing, _) => return Ok(None),
            (Answer::Value(value, marks), life) => (value, marks, life),
            _ => return failure::odd(Effect::Read, &place.about),
        };
        let expires = layout::ends(marks.flags, marks.left, now());
        if is_over(expires) {
            return Ok(None);
        }
        let strange = || {
            Error::invalid(format!(
                "{} is an entry of somebody else, who marks it as this host does: delete it there",
                place.about
            ))
        };
        let (value, content_type) = layout::read(marks.flags, value).ok_or_else(strange)?;
        let Some(cas) = marks.cas else {
            return failure::odd(Effect::Read, &place.about);
        };
        Ok(Some(Entry {
            value,
            etag: life.etag(cas),
            content_type,
            expires,
        }))
    }

    /// The entry without its value.
    async fn look(&self, place: &Slot<'_>) -> Result<Option<Seen>> {
        let asked = self.ask(place, Command::look(&place.sent), Effect::Read, None);
        match asked.await? {
            (Answer::Missing, _) => Ok(None),
            (
                Answer::Done(Marks {
                    flags,
                    cas: Some(cas),
                    left,
                }),
                life,
            ) => Ok(Some(Seen {
                cas,
                life,
                is_over: is_over(layout::ends(flags, left, now())),
            })),
            _ => failure::odd(Effect::Read, &place.about),
        }
    }

    /// The entry that an etag is of, as long as its time is not over.
    async fn matching(&self, place: &Slot<'_>, etag: &str) -> Result<Seen> {
        let seen = self.look(place).await?;
        let seen = seen.filter(|seen| !seen.is_over && seen.etag() == etag);
        seen.ok_or_else(|| another(place.key))
    }

    /// Writes where the condition holds at the server; none where it does not.
    async fn store(
        &self,
        place: &Slot<'_>,
        put: &Put,
        only: Only,
        life: Option<Life>,
    ) -> Result<Option<Etag>> {
        let options = &put.options;
        let Written {
            flags,
            ttl,
            trailer,
        } = Written::new(options.ttl, options.content_type.as_deref(), now())?;
        let mut value = Vec::with_capacity(put.value.len() + trailer.len());
        value.extend_from_slice(&put.value);
        value.extend_from_slice(&trailer);
        let command = Command::set(&place.sent, value, flags, ttl, only);
        match self.ask(place, command, Effect::Write, life).await? {
            (Answer::Done(Marks { cas: Some(cas), .. }), life) => Ok(Some(life.etag(cas))),
            (Answer::NotStored | Answer::Changed | Answer::Missing, _) => Ok(None),
            _ => failure::odd(Effect::Write, &place.about),
        }
    }

    /// The first write of an entry, or one in place of an entry whose time is over.
    async fn store_first(&self, place: &Slot<'_>, put: &Put) -> Result<Etag> {
        for _ in 0..TRIES {
            if let Some(etag) = self.store(place, put, Only::IfAbsent, None).await? {
                return Ok(etag);
            }
            let Some(seen) = self.look(place).await? else {
                continue;
            };
            if !seen.is_over {
                return Err(exists(place.key));
            }
            let only = Only::If(seen.cas);
            if let Some(etag) = self.store(place, put, only, Some(seen.life)).await? {
                return Ok(etag);
            }
        }
        Err(overtaken(place.key))
    }
}

#[async_trait]
impl Driver for Cache {
    fn features(&self) -> Features {
        Features {
            transactions: false,
            ttl: true,
            list: false,
            increment: false,
            // A mark that is forgotten holds nobody back.
            fence: false,
            durable: false,
            linearizable: false,
            counted: false,
            max_value_bytes: self.max_value,
            max_operations: 1,
        }
    }

    async fn get(&self, key: &Key) -> Result<Option<Entry>> {
        self.read(key).await
    }

    async fn get_many(&self, keys: Vec<Key>) -> Vec<Result<Option<Entry>>> {
        let (mut answers, mut bytes) = (Vec::with_capacity(keys.len()), 0);
        let mut read = stream::iter(keys.clone())
            .map(|key| async move { self.read(&key).await })
            .buffered(AT_ONCE);
        while bytes < MAX_ANSWER
            && let Some(answer) = read.next().await
        {
            let entry = answer.as_ref().ok().and_then(Option::as_ref);
            bytes += entry.map_or(0, |entry| entry.value.len());
            answers.push(answer);
        }
        answers.resize_with(keys.len(), || Err(beyond()));
        answers
    }

    async fn put(&self, put: Put) -> Result<Etag> {
        let place = self.place(&put.key)?;
        if put.options.fence.is_some() {
            return Err(Error::unsupported(
                "the driver has no fence; its features say so",
            ));
        }
        if put.value.len() as u64 > self.max_value {
            return Err(Error::invalid(format!(
                "the value of {} has {} bytes; at most {} are allowed, by the server's item size (`-I`)",
                place.about,
                put.value.len(),
                self.max_value
            )));
        }
        match &put.options.condition {
            Condition::Absent => self.store_first(&place, &put).await,
            Condition::Always => {
                let stored = self.store(&place, &put, Only::Always, None).await?;
                stored.map_or_else(|| failure::odd(Effect::Write, &place.about), Ok)
            }
            Condition::Matches(etag) => {
                let seen = self.matching(&place, etag).await?;
                let only = Only::If(seen.cas);
                let stored = self.store(&place, &put, only, Some(seen.life)).await?;
                stored.ok_or_else(|| another(&put.key))
            }
        }
    }

    async fn put_many(&self, puts: Vec<Put>) -> Vec<Result<Etag>> {
        let mut keys: Vec<_> = puts.iter().map(|put| put.key.whole()).collect();
        keys.sort_unstable();
        keys.dedup();
        // Several writes of one entry happen in their order.
        let at_once = if keys.len() == puts.len() { AT_ONCE } else { 1 };
        let written = stream::iter(puts).map(|put| self.put(put));
        written.buffered(at_once).collect().await
    }

    async fn delete(&self, delete: Delete) -> Result<()> {
        let key = &delete.key;
        let place = self.place(key)?;
        let seen = match &delete.condition {
            Condition::Always => None,
            Condition::Matches(etag) => Some(self.matching(&place, etag).await?),
            Condition::Absent => {
                let seen = self.look(&place).await?;
                return match seen.is_some_and(|seen| !seen.is_over) {
                    true => Err(exists(key)),
                    false => Ok(()),
                };
            }
        };
        let only = seen
            .as_ref()
            .map_or(Only::Always, |seen| Only::If(seen.cas));
        let command = Command::delete(&place.sent, only);
        let life = seen.as_ref().map(|seen| seen.life);
        match self.ask(&place, command, Effect::Write, life).await?.0 {
            Answer::Done(_) => Ok(()),
            Answer::Missing if seen.is_none() => Ok(()),
            Answer::Missing | Answer::Changed => Err(another(key)),
            _ => failure::odd(Effect::Write, &place.about),
        }
    }

    fn describe(&self) -> Option<String> {
        Some(self.client.describe())
    }

    async fn health(&self) -> Result<()> {
        self.client()?.ping().await
    }

    async fn close(&self) -> Result<()> {
        self.is_closed.store(true, Relaxed);
        Ok(())
    }
}
