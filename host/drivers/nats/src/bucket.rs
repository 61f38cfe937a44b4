//! A bucket of keys and values, as NATS lays it out: a stream with a message for each key, whose number is its version.

mod keys;

use crate::{
    client::{Client, Session},
    failure::{Effect, NO_MESSAGE, NO_STREAM, STREAM_EXISTS, odd},
    settings::Made,
    wire::{self, Outgoing},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use keys::{below, decode, encode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::{collections::HashMap, sync::Arc, time::Duration};
use wythe_blocks::{Error, Result, random};

/// Bytes of a subject: the server bounds the line of a message.
const MAX_SUBJECT: usize = 3_500;
/// Keys of one look at all of them.
pub(crate) const MAX_KEYS: usize = 100_000;
/// Bytes that a message has beside its value.
pub(crate) const RESERVED: u64 = 64 << 10;
/// Tries of a write that others keep overtaking.
const TRIES: u32 = 64;
/// The header with what an entry has beside its value.
const DETAIL: &str = "Wythe-Entry";

/// A bucket that is there.
pub(crate) struct Bucket {
    pub session: Session,
    name: String,
    is_on_disk: bool,
    /// Copies of it, each on a server of its own.
    replicas: u32,
}

/// An entry, or what is left of one that was deleted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Row {
    pub revision: u64,
    /// The value; absent where it was deleted.
    pub value: Option<Bytes>,
    pub detail: Detail,
}

/// The part of an entry beside its value.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(default)]
pub(crate) struct Detail {
    #[serde(rename = "contentType", skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fence: Option<u64>,
}

#[derive(Deserialize)]
struct Configured {
    config: StreamConfig,
    #[serde(default)]
    state: StreamState,
}

#[derive(Deserialize)]
struct StreamConfig {
    #[serde(default)]
    storage: String,
    #[serde(default)]
    num_replicas: u32,
    #[serde(default)]
    max_msgs_per_subject: i64,
}

#[derive(Default, Deserialize)]
struct StreamState {
    #[serde(default)]
    subjects: HashMap<String, u64>,
}

#[derive(Deserialize)]
struct Got {
    message: GotMessage,
}

#[derive(Deserialize)]
struct GotMessage {
    seq: u64,
    #[serde(default)]
    hdrs: String,
    #[serde(default)]
    data: String,
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
        let detail = serde_json::to_string(detail).map_err(|_| odd())?;
        let mut message = Outgoing::new(self.subject(key)?, value);
        if detail != "{}" {
            message = message.with(DETAIL, detail);
        }
        self.write(message, about, revision).await
    }

    async fn write(&self, message: Outgoing, about: &str, revision: u64) -> Result<Option<u64>> {
        let client = self.session.client()?;
        let message = message.with("Nats-Expected-Last-Subject-Sequence", revision.to_string());
        let (size, max) = (message.size(), client.max_payload());
        if size > max {
            return Err(Error::invalid(format!(
                "{about} has {size} bytes with what is sent beside it; the server takes {max} (`max_payload`)"
            )));
        }
        let stored = client.store(about, message).await?;
        let gone = || {
            Error::unavailable(format!(
                "the bucket `{}` is not there any more, or has no leader for now",
                self.name
            ))
        };
        match stored.ok_or_else(gone)? {
            Ok(stored) => Ok(Some(stored.seq)),
            Err(refusal) if refusal.is_overtaken() => Ok(None),
            Err(refusal) => Err(refusal.error(about)),
        }
    }

    /// Deletes an entry if this is still its revision; returns whether it was.
    pub async fn delete(&self, key: &str, about: &str, revision: u64) -> Result<bool> {
        let subject = self.subject(key)?;
        let mark = Outgoing::new(subject.clone(), Bytes::new()).with("KV-Operation", "DEL");
        let Some(marked) = self.write(mark, about, revision).await? else {
            return Ok(false);
        };
        // The mark is of use to whoever watches now; it goes, unless something newer stands there.
        let body = json!({ "filter": subject, "seq": marked + 1 });
        let name = format!("STREAM.PURGE.{}", self.stream());
        let client = self.session.client()?;
        let purged = client.api::<Value>(Effect::Read, about, &name, body).await;
        if let Ok(Err(refusal)) = purged {
            tracing::debug!(bucket = self.name, "a mark stays: {}", refusal.description);
        }
        Ok(true)
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
            // Many that write one entry come apart.
            let pause = Duration::from_micros(random::next() % 500 * u64::from(turn.min(20)));
            tokio::time::sleep(pause).await;
        }
        Err(Error::unavailable(format!(
            "{about} changed under {TRIES} tries to write it"
        )))
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

/// The end of a look at an entry.
pub(crate) enum Change<T> {
    Nothing(T),
    Put(Bytes, Detail, T),
    Delete(T),
}

fn row(message: GotMessage) -> Result<Row> {
    let decoded = |text: &str| STANDARD.decode(text).map_err(|_| odd());
    let head = decoded(&message.hdrs)?;
    let (_, headers) = wire::split(&head).map_err(|error| odd().with_source(error))?;
    let is_gone = matches!(
        wire::header(&headers, "KV-Operation"),
        Some("DEL" | "PURGE")
    );
    let detail = wire::header(&headers, DETAIL).and_then(|text| serde_json::from_str(text).ok());
    let value = match is_gone {
        true => None,
        false => Some(decoded(&message.data)?.into()),
    };
    Ok(Row {
        revision: message.seq,
        value,
        detail: detail.unwrap_or_default(),
    })
}

async fn find_or_make(client: &Client, name: &str, made: Made) -> Result<StreamConfig> {
    let (about, stream) = (format!("the bucket `{name}`"), format!("KV_{name}"));
    let look = async || {
        let named = format!("STREAM.INFO.{stream}");
        client
            .api::<Configured>(Effect::Read, &about, &named, json!({}))
            .await
    };
    match look().await? {
        Ok(found) => return Ok(found.config),
        Err(refusal) if refusal.is(NO_STREAM) => {}
        Err(refusal) => return Err(refusal.error(&about)),
    }
    let body = json!({
        "name": stream,
        "subjects": [format!("$KV.{name}.>")],
        "retention": "limits",
        "max_msgs_per_subject": 1,
        "max_msgs": -1, "max_bytes": -1, "max_age": 0, "max_consumers": -1, "max_msg_size": -1,
        "discard": "new",
        "storage": made.storage(),
        "num_replicas": made.replicas,
        "allow_rollup_hdrs": true,
        "deny_delete": true,
        "allow_direct": false,
    });
    let named = format!("STREAM.CREATE.{stream}");
    let made = client.api::<Configured>(Effect::Read, &about, &named, body);
    match made.await? {
        Ok(made) => Ok(made.config),
        // Another host was faster.
        Err(refusal) if refusal.is(STREAM_EXISTS) => {
            let found = look().await?.map_err(|refusal| refusal.error(&about))?;
            Ok(found.config)
        }
        Err(refusal) => {
            let error = refusal.error(&about);
            Err(error.map_message(|text| {
                format!("the bucket `{name}` is not there, and could not be made: {text}")
            }))
        }
    }
}
