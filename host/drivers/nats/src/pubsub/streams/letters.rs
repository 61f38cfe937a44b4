//! Letters to topics without a group: a consumer holds those of each topic for its first lasting group.

use super::{Consumer, Group, Streams, name};
use crate::{failure::Effect, settings::Begin};
use serde::Deserialize;
use serde_json::{Value, json};
use wythe_blocks::Result;

/// The beginning of the name of the consumer that holds the letters of a topic for its first group: none of an app is
/// called so.
const LETTERS: &str = "wythe=letters=";
/// Consumers of a stream among which one of a topic is looked for.
const MAX_CONSUMERS: usize = 100_000;

impl Consumer {
    /// Returns whether it holds what is published to a topic, be it a group that stays without members or the holder.
    fn holds(&self, topic: &str) -> bool {
        let inactive = self.config.get("inactive_threshold");
        let is_passing = inactive.and_then(Value::as_u64).unwrap_or(0) > 0;
        self.text("filter_subject") == Some(topic) && !is_passing
    }
}

#[derive(Deserialize)]
struct Consumers {
    #[serde(default)]
    total: usize,
    consumers: Option<Vec<Consumer>>,
}

/// The consumer that holds the letters of a topic.
pub(super) fn holder(topic: &str) -> String {
    name(LETTERS, topic)
}

impl Streams {
    /// The first message that is held for the first group, where there is one.
    pub(super) async fn letters(&self, group: &Group) -> Result<Option<u64>> {
        let topic = group.topic.as_str();
        let found = self.consumer(&group.stream, &holder(topic)).await?;
        let of_topic = found.filter(|found| found.text("filter_subject") == Some(topic));
        Ok(of_topic.and_then(|found| found.config.get("opt_start_seq")?.as_u64()))
    }

    /// Sees to it that a letter to a topic without a group is kept for the first one.
    pub async fn hold_letters(&self, topic: &str) -> Result<()> {
        let (stream, info) = self.stream(topic).await?;
        if info.state.consumer_count > 0 && self.is_held(&stream, topic).await? {
            return Ok(());
        }
        let group = Group {
            topic: topic.to_owned(),
            stream,
            consumer: holder(topic),
            is_passing: false,
        };
        self.begin(&group, Begin::Sequence(info.state.last_seq + 1))
            .await
    }

    /// Returns whether a letter to a topic is held already: other consumers of the stream may be of other topics.
    async fn is_held(&self, stream: &str, topic: &str) -> Result<bool> {
        let (about, api) = ("the groups", format!("CONSUMER.LIST.{stream}"));
        let mut seen = 0;
        loop {
            let body = json!({ "offset": seen });
            let page = self
                .client
                .api::<Consumers>(Effect::Read, about, &api, body);
            let page = page.await?.map_err(|refusal| refusal.error(about))?;
            let found = page.consumers.unwrap_or_default();
            if found.iter().any(|one| one.holds(topic)) {
                return Ok(true);
            }
            seen += found.len();
            if found.is_empty() || seen >= page.total.min(MAX_CONSUMERS) {
                return Ok(false);
            }
        }
    }
}
