//! A bucket of keys and values, as NATS lays it out: a stream with a message for each key, whose number is its version.

mod backing;
mod entry;
mod keys;

use crate::{
    batch::{self, Batch},
    client::{Answer, Client, Session, Stored},
    failure::{Effect, NO_MESSAGE, odd},
    settings::Made,
    wire::Outgoing,
};
use backing::{Configured, find_or_make};
use bytes::Bytes;
pub(crate) use entry::{Detail, Row};
use entry::{GotMessage, message, row};
use futures::{TryStreamExt as _, stream};
use keys::{below, decode, encode};
use serde::Deserialize;
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};
use tokio::sync::Semaphore;
use wythe_blocks::{Error, Key, Result, random};

/// Bytes of a subject: the server bounds the line of a message.
const MAX_SUBJECT: usize = 3_500;
/// Keys of one look at all of them.
pub(crate) const MAX_KEYS: usize = 100_000;
/// Bytes that a message has beside its value.
pub(crate) const RESERVED: u64 = 64 << 10;
/// Tries of a write that others keep overtaking.
pub(crate) const TRIES: u32 = 64;
/// The pause of each turn after one that somebody overtook, at most.
pub(crate) const STEP: Duration = Duration::from_micros(500);
/// Batches under way at once: the server has at most 50 of a stream, of all hosts.
const BATCHES: usize = 16;
/// Marks that are removed at once.
const SWEEPS: usize = 16;

/// A bucket that is there.
pub(crate) struct Bucket {
    pub session: Session,
    name: String,
    is_on_disk: bool,
    /// Copies of it, each on a server of its own.
    replicas: u32,
    /// Several entries can be written together.
    has_batches: bool,
    /// The server removes entries at their end.
    has_ends: bool,
    batches: Semaphore,
}

#[derive(Deserialize)]
struct Got {
    message: GotMessage,
}

impl Bucket {
    /// Opens the bucket, and makes it where it is missing.
    pub async fn open(
        client: Arc<Client>,
        name: &str,
        made: Made,
        component: &str,
    ) -> Result<Self> {
        let session = Session::open(client.clone(), component).await?;
        let opened = find_or_make(&client, name, made).await;
        let found = opened.map_err(|error| client.named(error))?;
        if found.max_msgs_per_subject != 1 {
            let error = Error::unsupported(format!(
                "the bucket `{name}` keeps more than the last value of each key; name one with `history: 1`"
            ));
            return Err(client.named(error));
        }
        Ok(Bucket {
            has_batches: found.allow_atomic && client.is_from(batch::SINCE),
            has_ends: found.allow_msg_ttl && client.is_from(backing::ENDS),
            batches: Semaphore::new(BATCHES),
            session,
            name: name.to_owned(),
            is_on_disk: found.storage == "file",
            replicas: found.num_replicas.max(1),
        })
    }

    pub fn is_durable(&self) -> bool {
        self.is_on_disk && self.session.known().target.sync_always
    }

    /// Returns whether no other server may take the place of the one that answers.
    pub fn is_alone(&self) -> bool {
        self.replicas == 1
    }

    /// Returns whether several entries can be written together.
    pub fn has_batches(&self) -> bool {
        self.has_batches
    }

    /// Returns whether an entry can have an end.
    pub fn has_ends(&self) -> bool {
        self.has_ends
    }

    /// Bytes of a value.
    pub fn max_value(&self) -> u64 {
        let payload = self.session.known().max_payload();
        payload.min(16 << 20).saturating_sub(RESERVED)
    }

    fn stream(&self) -> String {
        format!("KV_{}", self.name)
    }

    fn subject(&self, key: &str) -> Result<String> {
        let subject = format!("$KV.{}.{}", self.name, encode(key));
        match subject.len() <= MAX_SUBJECT {
            true => Ok(subject),
            false => Err(Error::invalid(format!(
                "the key has more than {MAX_SUBJECT} bytes as the server has it, where all but letters, digits, `-`, `_` and `/` have three"
            ))),
        }
    }

    /// Reads an entry, from the server that leads.
    pub async fn get(&self, key: &str, about: &str) -> Result<Row> {
        let body = json!({ "last_by_subj": self.subject(key)? });
        let name = format!("STREAM.MSG.GET.{}", self.stream());
        let client = self.session.client()?;
        match client.api::<Got>(Effect::Read, about, &name, body).await? {
            Ok(got) => row(got.message),
            Err(refusal) if refusal.is(NO_MESSAGE) => Ok(Row::default()),
            Err(refusal) => Err(refusal.error(about)),
        }
    }

    /// Writes an entry if this is still its revision, 0 where it must not be there; else nothing happens.
    pub async fn put(
        &self,
        key: &str,
        about: &str,
        revision: u64,
        value: Bytes,
        detail: &Detail,
    ) -> Result<Option<u64>> {
        let message = message(self.subject(key)?, Some(value), detail)?;
        self.write(message, about, revision).await
    }

    async fn write(&self, message: Outgoing, about: &str, revision: u64) -> Result<Option<u64>> {
        let client = self.session.client()?;
        let message = self.follow(message, about, revision)?;
        let stored = client.store(about, message).await?;
        match stored.ok_or_else(|| self.gone())? {
            Ok(stored) => Ok(Some(stored.seq)),
            Err(refusal) if refusal.is_overtaken() => Ok(None),
            Err(refusal) => Err(refusal.error(about)),
        }
    }

    /// The message with the revision that it follows.
    fn follow(&self, message: Outgoing, about: &str, revision: u64) -> Result<Outgoing> {
        let message = message.with("Nats-Expected-Last-Subject-Sequence", revision.to_string());
        let (size, max) = (message.size(), self.session.known().max_payload());
        match size <= max {
            true => Ok(message),
            false => Err(Error::invalid(format!(
                "{about} has {size} bytes with what is sent beside it; the server takes {max} (`max_payload`)"
            ))),
        }
    }

    fn gone(&self) -> Error {
        Error::unavailable(format!(
            "the bucket `{}` is not there any more, or has no leader for now",
            self.name
        ))
    }

    /// Writes rows, or deletes those without a value, if each has still the revision of its row: all or none.
    pub async fn commit(&self, rows: &[(&Key, Row)], about: &str) -> Result<Committed> {
        // Marks come first: while the last message of a batch is there, the server knows it as a whole one.
        let mut order: Vec<_> = (0..rows.len()).collect();
        order.sort_by_key(|at| rows[*at].1.value.is_some());
        let mut messages = Vec::with_capacity(rows.len());
        for (key, row) in order.iter().map(|at| &rows[*at]) {
            let message = message(self.subject(key.whole())?, row.value.clone(), &row.detail)?;
            messages.push(self.follow(message, about, row.revision)?);
        }
        let marks = rows.iter().filter(|(_, row)| row.value.is_none()).count();
        let subjects: Vec<_> = messages[..marks]
            .iter()
            .map(|one| one.subject.clone())
            .collect();
        let last = match self.store(messages, about).await? {
            Ok(stored) => stored.seq,
            Err(refusal) if refusal.is_overtaken() => return Ok(Committed::Overtaken),
            Err(refusal) if refusal.is_crowded() => return Ok(Committed::Crowded),
            Err(refusal) => return Err(refusal.error(about)),
        };
        let mut revisions = vec![0; rows.len()];
        // The messages of a batch have numbers that follow each other.
        let before = last.checked_sub(rows.len() as u64).ok_or_else(odd)?;
        let first = before.saturating_add(1);
        for (revision, at) in (first..).zip(order) {
            revisions[at] = revision;
        }
        let sweeps = stream::iter(subjects.into_iter().zip(first..).map(Ok));
        let sweep = |(subject, mark)| self.sweep(subject, mark, about);
        // The batch is stored, whatever becomes of its marks; a server that is gone is not asked again.
        let _ = sweeps.try_for_each_concurrent(SWEEPS, sweep).await;
        Ok(Committed::Done(revisions))
    }

    /// Stores messages, all or none.
    async fn store(&self, mut messages: Vec<Outgoing>, about: &str) -> Result<Answer<Stored>> {
        let client = self.session.client()?;
        let last = messages.pop().ok_or_else(odd)?;
        let stored = match messages.is_empty() {
            // One is whole by itself.
            true => client.store(about, last).await?,
            false => {
                let closed = |_| Error::internal("the batches of the bucket have an end");
                let _room = self.batches.acquire().await.map_err(closed)?;
                Batch::new(messages, last)?.store(client, about).await?
            }
        };
        stored.ok_or_else(|| self.gone())
    }

    /// Deletes an entry if this is still its revision; returns whether it was.
    pub async fn delete(&self, key: &str, about: &str, revision: u64) -> Result<bool> {
        let subject = self.subject(key)?;
        let mark = message(subject.clone(), None, &Detail::default())?;
        let Some(marked) = self.write(mark, about, revision).await? else {
            return Ok(false);
        };
        // The entry is gone, with its mark or without.
        let _ = self.sweep(subject, marked, about).await;
        Ok(true)
    }

    /// Removes the mark of what was deleted: it is of use to whoever watches now. Something newer that stands there stays.
    async fn sweep(&self, subject: String, mark: u64, about: &str) -> Result<()> {
        let body = json!({ "filter": subject, "seq": mark.saturating_add(1) });
        let name = format!("STREAM.PURGE.{}", self.stream());
        let client = self.session.client()?;
        let purged = client
            .api::<Value>(Effect::Read, about, &name, body)
            .await?;
        if let Err(refusal) = purged {
            tracing::debug!(bucket = self.name, "a mark stays: {}", refusal.description);
        }
        Ok(())
    }

    /// Does what is decided for the entry as it is, until nobody has overtaken it. One that is thought to be absent is
    /// not read first.
    pub async fn change<T>(
        &self,
        key: &str,
        about: &str,
        is_absent: bool,
        decide: impl Fn(&Row) -> Result<Change<T>>,
    ) -> Result<(u64, T)> {
        for turn in 0..TRIES {
            let row = match is_absent && turn == 0 {
                true => Row::default(),
                false => self.get(key, about).await?,
            };
            let (done, answer) = match decide(&row)? {
                Change::Nothing(answer) => return Ok((row.revision, answer)),
                Change::Put(value, detail, answer) => {
                    let put = self.put(key, about, row.revision, value, &detail);
                    (put.await?, answer)
                }
                Change::Delete(answer) => {
                    let deleted = self.delete(key, about, row.revision).await?;
                    (deleted.then_some(0), answer)
                }
            };
            if let Some(revision) = done {
                return Ok((revision, answer));
            }
            apart(turn, STEP).await;
        }
        Err(overtaken(about))
    }

    /// The keys that are below a prefix, as far as the server can look for it: those of other prefixes may be among them.
    /// Marks of what was deleted are, too, and the prefix itself.
    pub async fn keys(&self, prefix: &str) -> Result<Vec<String>> {
        let root = format!("$KV.{}.", self.name);
        let filter = format!("{root}{}>", below(prefix));
        let name = format!("STREAM.INFO.{}", self.stream());
        let client = self.session.client()?;
        // The prefix may be a key itself, which is not below it.
        let (mut keys, mut offset) = (vec![prefix.to_owned()], 0);
        loop {
            let body = json!({ "subjects_filter": filter, "offset": offset });
            let about = "the keys";
            let info = client.api::<Configured>(Effect::Read, about, &name, body);
            let info = info.await?.map_err(|refusal| refusal.error(about))?;
            let found = info.state.subjects.len();
            let known = info.state.subjects.into_keys();
            keys.extend(known.filter_map(|subject| decode(subject.strip_prefix(&root)?)));
            offset += found;
            match offset {
                offset if offset > MAX_KEYS => {
                    return Err(Error::exhausted(format!(
                        "the bucket has more than {MAX_KEYS} keys there: ask for a longer prefix"
                    )));
                }
                // The server sends pages of so many.
                _ if found == MAX_KEYS => {}
                _ => return Ok(keys),
            }
        }
    }
}

/// The end of a transaction.
pub(crate) enum Committed {
    /// It happened, with these revisions of the rows.
    Done(Vec<u64>),
    /// Somebody else wrote one of the rows, so that nothing happened.
    Overtaken,
    /// The server had no room for it, so that nothing happened.
    Crowded,
}

/// The end of a look at an entry.
pub(crate) enum Change<T> {
    Nothing(T),
    Put(Bytes, Detail, T),
    Delete(T),
}

/// Waits up to a step for each turn, so that many that write one entry come apart.
pub(crate) async fn apart(turn: u32, step: Duration) {
    let part = (random::next() % 1_000) as u32;
    tokio::time::sleep(step * turn.min(20) * part / 1_000).await;
}

/// The error of a write that others overtook each time.
pub(crate) fn overtaken(about: &str) -> Error {
    Error::unavailable(format!("{about} changed under {TRIES} tries to write it"))
}
