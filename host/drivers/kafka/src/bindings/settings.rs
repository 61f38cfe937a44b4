//! The settings of bindings, by Dapr's names: topics beside those that pub/sub has too.

use crate::{
    names,
    settings::{self, Parsed, config},
};
use wythe_blocks::{Result, Wrong};
use wythe_net::wrong;

/// Topics of an input.
const TOPICS: usize = 100;

config! {
    struct Config {
        /// The topics of the input, with commas between them.
        topics: Option<String>,
        /// The topic of the output.
        publish_topic: Option<String>,
    }
}

impl Config {
    /// The keys that pub/sub has too.
    fn common(self) -> settings::Config {
        settings::Config {
            brokers: self.brokers,
            consumer_group: self.consumer_group,
            client_id: self.client_id,
            auth_type: self.auth_type,
            auth_required: self.auth_required,
            sasl_username: self.sasl_username,
            sasl_password: self.sasl_password,
            sasl_mechanism: self.sasl_mechanism,
            initial_offset: self.initial_offset,
            max_message_bytes: self.max_message_bytes,
            version: self.version,
            ca_cert: self.ca_cert,
            client_cert: self.client_cert,
            client_key: self.client_key,
            skip_verify: self.skip_verify,
            disable_tls: self.disable_tls,
            consume_retry_interval: self.consume_retry_interval,
            consume_retry_enabled: self.consume_retry_enabled,
            heartbeat_interval: self.heartbeat_interval,
            session_timeout: self.session_timeout,
            channel_buffer_size: self.channel_buffer_size,
            consumer_group_rebalance_strategy: self.consumer_group_rebalance_strategy,
            compression: self.compression,
            name_prefix: self.name_prefix,
            timeout: self.timeout,
        }
    }
}

/// The settings that were found good. Topics are those of the cluster, without repetitions.
pub(crate) struct Binding {
    pub parsed: Parsed,
    pub topics: Vec<String>,
    pub publish_topic: Option<String>,
}

pub(crate) fn parse(mut config: Config) -> Result<Binding, Wrong> {
    let (topics, publish_topic) = (config.topics.take(), config.publish_topic.take());
    let parsed = settings::parse(config.common())?;
    let named = |setting, topic: &str| {
        let name = names::topic(&parsed.prefix, topic);
        name.map_err(|error| wrong(setting, error.message()))
    };
    let written = |text: &String| !text.trim().is_empty();
    let publish_topic = publish_topic.filter(written);
    let publish_topic = publish_topic.map(|topic| named("publishTopic", topic.trim()));
    let mut all = Vec::new();
    for topic in topics
        .filter(written)
        .iter()
        .flat_map(|topics| topics.split(','))
    {
        let topic = named("topics", topic.trim())?;
        if !all.contains(&topic) {
            all.push(topic);
        }
        if all.len() > TOPICS {
            return Err(wrong("topics", "expected 100 at most"));
        }
    }
    if all.is_empty() && publish_topic.is_none() {
        let why = "expected the topics to read, or `publishTopic` to write, or both";
        return Err(wrong("topics", why));
    }
    Ok(Binding {
        topics: all,
        publish_topic: publish_topic.transpose()?,
        parsed,
    })
}

/// Warns of what pub/sub warns of.
pub(crate) fn warnings(binding: &Binding) -> Vec<Wrong> {
    settings::warnings(&binding.parsed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use wythe_blocks::Error;

    fn parsed(more: Value) -> Result<Binding, String> {
        let mut whole = json!({ "brokers": "localhost", "authType": "none" });
        for (key, value) in more.as_object().expect("an object") {
            whole[key] = value.clone();
        }
        let config = serde_json::from_value(whole).map_err(|error| error.to_string())?;
        parse(config).map_err(|wrong| Error::from(wrong).message().to_owned())
    }

    #[test]
    fn topics_are_named_in_one_text() {
        let both = json!({ "topics": "a, b,a", "publishTopic": "c", "namePrefix": "x." });
        let both = parsed(both).expect("settings");
        assert_eq!(both.topics, ["x.a", "x.b"]);
        assert_eq!(both.publish_topic.as_deref(), Some("x.c"));
        let input = parsed(json!({ "topics": "a", "publishTopic": "" })).expect("settings");
        assert_eq!((input.topics.len(), input.publish_topic), (1, None));
    }

    #[test]
    fn what_names_no_topic_is_refused() {
        let many: Vec<_> = (0..101).map(|number| format!("t{number}")).collect();
        let cases = [
            (json!({}), "topics"),
            (json!({ "topics": "a,,b" }), "topics"),
            (json!({ "topics": "a b" }), "topics"),
            (json!({ "topics": many.join(",") }), "topics"),
            (json!({ "publishTopic": ".." }), "publishTopic"),
            (
                json!({ "topics": "a", "schemaRegistryURL": "x" }),
                "schemaRegistryURL",
            ),
            (json!({ "topics": "a", "compression": "x" }), "compression"),
        ];
        for (more, name) in cases {
            let error = parsed(more).err().unwrap_or_else(|| panic!("{name}"));
            assert!(error.contains(name), "{name}: {error}");
        }
    }
}
