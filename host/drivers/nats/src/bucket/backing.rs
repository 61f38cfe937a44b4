//! The stream behind a bucket, which is made where it is missing.

use crate::{
    batch,
    client::Client,
    failure::{Effect, NO_STREAM, STREAM_EXISTS},
    settings::Made,
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::HashMap;
use wythe_blocks::Result;

/// The first version that removes messages at their end.
pub(super) const ENDS: (u64, u64) = (2, 11);

#[derive(Deserialize)]
pub(super) struct Configured {
    pub config: StreamConfig,
    #[serde(default)]
    pub state: StreamState,
}

#[derive(Deserialize)]
pub(super) struct StreamConfig {
    #[serde(default)]
    pub storage: String,
    #[serde(default)]
    pub num_replicas: u32,
    #[serde(default)]
    pub max_msgs_per_subject: i64,
    #[serde(default)]
    pub allow_atomic: bool,
    #[serde(default)]
    pub allow_msg_ttl: bool,
}

#[derive(Default, Deserialize)]
pub(super) struct StreamState {
    #[serde(default)]
    pub subjects: HashMap<String, u64>,
}

/// Finds the stream of a bucket, or makes it.
pub(super) async fn find_or_make(client: &Client, name: &str, made: Made) -> Result<StreamConfig> {
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
    let body = wanted(client, name, &stream, made);
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

/// The stream as it is made: with all that a server of this version can have of it.
fn wanted(client: &Client, name: &str, stream: &str, made: Made) -> Value {
    let mut body = json!({
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
    if client.is_from(ENDS) {
        body["allow_msg_ttl"] = true.into();
    }
    if client.is_from(batch::SINCE) {
        body["allow_atomic"] = true.into();
    }
    body
}
