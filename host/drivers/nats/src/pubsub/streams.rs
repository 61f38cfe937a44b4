//! Streams of topics, and the consumers that are groups.
//!
//! Where no stream takes a topic, the first group makes one for it alone. The stream that was made holds what a group has
//! not acknowledged, and nothing where the topic has no group.

mod letters;

use super::names::{name, timestamp};
use crate::{
    client::{Answer, Client},
    failure::{Effect, NO_CONSUMER, NO_STREAM, Refusal, STREAM_EXISTS, SUBJECTS_OVERLAP},
    settings::{Begin, Events, Made},
};
use letters::holder;
use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::{collections::HashMap, sync::Arc, time::Duration};
use wythe_blocks::{Error, Result, time};

/// The time after which the server ends a group of a host that is gone, where it ends with its last member.
const PASSING: Duration = Duration::from_secs(600);
/// Messages of a group that are out, or wait to come again, at once.
const MAX_PENDING: u32 = 20_000;
/// The beginning of the names of streams that are made.
const OWN: &str = "wythe_";

pub(super) struct Streams {
    client: Arc<Client>,
    pub settings: Events,
    made: Made,
    /// Members of each group that ends with the last of them.
    passing: Mutex<HashMap<Group, usize>>,
}

/// A consumer at the server.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Group {
    pub topic: String,
    pub stream: String,
    pub consumer: String,
    pub is_passing: bool,
}

#[derive(Deserialize)]
struct Stream {
    config: Map<String, Value>,
    state: State,
}

#[derive(Deserialize)]
struct State {
    #[serde(default)]
    last_seq: u64,
    #[serde(default)]
    consumer_count: u64,
}

#[derive(Deserialize)]
struct Consumer {
    config: Map<String, Value>,
}

impl Consumer {
    fn text(&self, key: &str) -> Option<&str> {
        self.config.get(key)?.as_str()
    }
}

/// The stream that takes a topic, if there is one.
pub(super) async fn find(client: &Client, topic: &str) -> Result<Option<String>> {
    #[derive(Deserialize)]
    struct Names {
        streams: Option<Vec<String>>,
    }
    let about = format!("the topic `{topic}`");
    let body = json!({ "subject": topic });
    let names = client.api::<Names>(Effect::Read, &about, "STREAM.NAMES", body);
    let names = names.await?.map_err(|refusal| refusal.error(&about))?;
    Ok(names.streams.into_iter().flatten().next())
}

impl Streams {
    pub fn new(client: Arc<Client>, settings: Events, made: Made) -> Self {
        Streams {
            client,
            settings,
            made,
            passing: Mutex::default(),
        }
    }

    /// Returns whether streams are on disk, as far as is known before there are topics.
    pub async fn are_on_disk(&self) -> Result<bool> {
        let Some(stream) = &self.settings.stream else {
            return Ok(!self.made.in_memory);
        };
        match self.info(stream).await? {
            Ok(found) => Ok(found.config.get("storage") == Some(&json!("file"))),
            Err(refusal) if refusal.is(NO_STREAM) => Err(Error::not_found(format!(
                "the server has no stream `{stream}` (`streamName`): make it there, with the topics as subjects, or delete the key: then each topic gets a stream of its own"
            ))),
            Err(refusal) => Err(refusal.error(&format!("the stream `{stream}`"))),
        }
    }

    async fn info(&self, stream: &str) -> Result<Answer<Stream>> {
        let (about, name) = (
            format!("the stream `{stream}`"),
            format!("STREAM.INFO.{stream}"),
        );
        self.client
            .api(Effect::Read, &about, &name, json!({}))
            .await
    }

    /// The error of a topic that is no subject of the stream that is named.
    pub fn missing(&self, topic: &str) -> Error {
        let stream = self.settings.stream.as_deref().unwrap_or_default();
        Error::not_found(format!(
            "the stream `{stream}` (`streamName`) has no subject `{topic}`: add it there"
        ))
    }

    /// The stream of a topic, which is made where there is none.
    async fn stream(&self, topic: &str) -> Result<(String, Stream)> {
        let about = format!("the stream of `{topic}`");
        let found = find(&self.client, topic).await?;
        let name = match (found, &self.settings.stream) {
            (Some(found), Some(named)) if found != *named => return Err(self.missing(topic)),
            (None, Some(_)) => return Err(self.missing(topic)),
            (Some(found), _) => found,
            (None, None) => return self.make(topic, &about).await,
        };
        let stream = self.info(&name).await?;
        let stream = stream.map_err(|refusal| refusal.error(&about))?;
        self.bound(&name, &stream, &about).await?;
        Ok((name, stream))
    }

    async fn make(&self, topic: &str, about: &str) -> Result<(String, Stream)> {
        let own = name(OWN, topic);
        let body = json!({
            "name": own,
            "subjects": [topic],
            "retention": "interest",
            "max_consumers": -1, "max_msgs": -1, "max_bytes": -1, "max_age": 0, "max_msg_size": -1,
            "max_msgs_per_subject": self.settings.max_backlog,
            "discard": "new",
            "discard_new_per_subject": true,
            "storage": self.made.storage(),
            "num_replicas": self.made.replicas,
        });
        let api = format!("STREAM.CREATE.{own}");
        let made = self.client.api::<Stream>(Effect::Read, about, &api, body);
        match made.await? {
            Ok(made) => Ok((own, made)),
            // Another host was faster.
            Err(refusal) if refusal.is(STREAM_EXISTS) || refusal.is(SUBJECTS_OVERLAP) => {
                let found = find(&self.client, topic).await?.unwrap_or(own);
                let stream = self.info(&found).await?;
                Ok((found, stream.map_err(|refusal| refusal.error(about))?))
            }
            Err(refusal) => Err(refusal.error(about).map_message(|text| {
                format!("the topic `{topic}` has no stream, and none could be made: {text}")
            })),
        }
    }

    /// Gives a stream that was made here the bound of the settings.
    async fn bound(&self, name: &str, stream: &Stream, about: &str) -> Result<()> {
        let wanted = json!(self.settings.max_backlog);
        let found = stream.config.get("max_msgs_per_subject");
        if !name.starts_with(OWN) || found == Some(&wanted) {
            return Ok(());
        }
        let mut config = stream.config.clone();
        config.insert("max_msgs_per_subject".to_owned(), wanted);
        let api = format!("STREAM.UPDATE.{name}");
        let updated = self
            .client
            .api::<Value>(Effect::Read, about, &api, config.into());
        updated
            .await?
            .map(drop)
            .map_err(|refusal| refusal.error(about))
    }

    /// Joins a group, which begins where it is new.
    pub async fn join(&self, topic: &str, group: &str, is_passing: bool) -> Result<Group> {
        let (stream, info) = self.stream(topic).await?;
        let settings = &self.settings;
        let shared = settings.group.as_deref().filter(|_| !is_passing);
        let consumer = match &settings.durable {
            Some(durable) if !is_passing => durable.clone(),
            _ => name("", &format!("{} {topic}", shared.unwrap_or(group))),
        };
        let group = Group {
            topic: topic.to_owned(),
            stream,
            consumer,
            is_passing,
        };
        self.enter(&group, info.state.last_seq).await?;
        if is_passing {
            *self.passing.lock().entry(group.clone()).or_default() += 1;
        }
        Ok(group)
    }

    async fn enter(&self, group: &Group, last: u64) -> Result<()> {
        if self.known(group).await? {
            return Ok(());
        }
        let letters = match group.is_passing {
            true => None,
            false => self.letters(group).await?,
        };
        let begin = match (letters, self.settings.begin) {
            (Some(first), Begin::Now) => Begin::Sequence(first),
            (_, Begin::Now) => Begin::Sequence(last + 1),
            (_, begin) => begin,
        };
        self.begin(group, begin).await?;
        match letters {
            Some(_) => self.delete(&group.stream, &holder(&group.topic)).await,
            None => Ok(()),
        }
    }

    /// Makes a group that the server has lost anew, with all that is there; false where it has not.
    pub async fn renew(&self, group: &Group) -> Result<bool> {
        if self.known(group).await? {
            return Ok(false);
        }
        let (topic, name) = (&group.topic, &group.consumer);
        tracing::warn!(
            topic,
            group = name,
            "the server has lost the group, which begins anew with what is there"
        );
        self.stream(topic).await?;
        self.begin(group, Begin::All).await?;
        Ok(true)
    }

    async fn consumer(&self, stream: &str, name: &str) -> Result<Option<Consumer>> {
        let api = format!("CONSUMER.INFO.{stream}.{name}");
        let about = "the group";
        let found = self
            .client
            .api::<Consumer>(Effect::Read, about, &api, json!({}));
        match found.await? {
            Ok(found) => Ok(Some(found)),
            Err(refusal) if refusal.is(NO_CONSUMER) || refusal.is(NO_STREAM) => Ok(None),
            Err(refusal) => Err(refusal.error(about)),
        }
    }

    /// Returns whether the group is there, with the settings as they are now.
    async fn known(&self, group: &Group) -> Result<bool> {
        let Some(found) = self.consumer(&group.stream, &group.consumer).await? else {
            return Ok(false);
        };
        let (name, topic) = (&group.consumer, &group.topic);
        let why = match found.text("deliver_subject").is_some() {
            true => Some("is one to which the server pushes, as Dapr makes them"),
            false if found.text("ack_policy") != Some("explicit") => {
                Some("has another `ackPolicy`")
            }
            false if found.text("filter_subject") != Some(topic) => Some("is of another topic"),
            false => None,
        };
        if let Some(why) = why {
            return Err(Error::unsupported(format!(
                "the consumer `{name}` of the stream `{}` {why}; delete it there, or write another `durableName`, or none",
                group.stream
            )));
        }
        let mut config = found.config.clone();
        config.extend(self.own());
        if config != found.config {
            self.write(group, config).await?.map_err(|refusal| {
                refusal
                    .error("the group")
                    .map_message(|text| format!("the group `{name}` cannot be changed: {text}"))
            })?;
        }
        Ok(true)
    }

    /// The settings of a consumer that may change.
    fn own(&self) -> Map<String, Value> {
        let settings = &self.settings;
        let pending = settings.max_ack_pending.unwrap_or(MAX_PENDING);
        let mut own = Map::new();
        own.insert(
            "ack_wait".into(),
            time::nanoseconds(settings.ack_wait).into(),
        );
        own.insert("max_ack_pending".into(), pending.into());
        let deliver = settings.max_deliver.map_or(-1, i64::from);
        own.insert("max_deliver".into(), deliver.into());
        own
    }

    async fn write(&self, group: &Group, config: Map<String, Value>) -> Result<Answer<Value>> {
        let (stream, name) = (&group.stream, &group.consumer);
        let api = format!("CONSUMER.DURABLE.CREATE.{stream}.{name}");
        let body = json!({ "stream_name": stream, "config": config });
        self.client.api(Effect::Read, "the group", &api, body).await
    }

    async fn begin(&self, group: &Group, begin: Begin) -> Result<()> {
        let mut config = json!({
            "durable_name": group.consumer,
            "ack_policy": "explicit",
            "replay_policy": "instant",
            "filter_subject": group.topic,
            "mem_storage": self.made.in_memory,
        });
        config["deliver_policy"] = match begin {
            Begin::All => "all",
            Begin::Last => "last",
            Begin::Time(_) => "by_start_time",
            Begin::Sequence(_) | Begin::Now => "by_start_sequence",
        }
        .into();
        match begin {
            Begin::Sequence(first) => config["opt_start_seq"] = first.into(),
            Begin::Time(seconds) => config["opt_start_time"] = timestamp(seconds).into(),
            Begin::All | Begin::Last | Begin::Now => {}
        }
        if group.is_passing {
            config["inactive_threshold"] = time::nanoseconds(PASSING).into();
        }
        let Value::Object(mut config) = config else {
            return Err(crate::failure::odd());
        };
        if group.consumer != holder(&group.topic) {
            config.extend(self.own());
        }
        match self.write(group, config).await? {
            Ok(_) => Ok(()),
            Err(refusal) => match self.consumer(&group.stream, &group.consumer).await? {
                // Another host was faster.
                Some(_) => Ok(()),
                None => Err(unmade(&refusal, group)),
            },
        }
    }

    /// Ends a passing group, if this was its last member here.
    pub async fn leave(&self, group: &Group) -> Result<()> {
        if !group.is_passing {
            return Ok(());
        }
        let is_last = {
            let mut passing = self.passing.lock();
            let left = passing
                .get(group)
                .map_or(0, |count| count.saturating_sub(1));
            match left {
                0 => passing.remove(group),
                left => passing.insert(group.clone(), left),
            };
            left == 0
        };
        match is_last {
            true => self.delete(&group.stream, &group.consumer).await,
            false => Ok(()),
        }
    }

    async fn delete(&self, stream: &str, name: &str) -> Result<()> {
        let (about, api) = ("the group", format!("CONSUMER.DELETE.{stream}.{name}"));
        let deleted = self
            .client
            .api::<Value>(Effect::Read, about, &api, json!({}));
        match deleted.await? {
            Ok(_) => Ok(()),
            Err(refusal) if refusal.is(NO_CONSUMER) || refusal.is(NO_STREAM) => Ok(()),
            Err(refusal) => Err(refusal.error(about)),
        }
    }
}

fn unmade(refusal: &Refusal, group: &Group) -> Error {
    let (name, stream) = (&group.consumer, &group.stream);
    refusal.error("the group").map_message(|text| {
        format!("the group `{name}` cannot be made in the stream `{stream}`: {text}")
    })
}
