//! Zipkin's JSON, version 2.

use crate::{client::Client, exporter::Failure, otlp::check_status, resource::Resource};
use http::header::CONTENT_TYPE;
use serde_json::{Map, Value as Json, json};
use std::sync::Arc;
use wythe_blocks::{
    spans::{Role, Span, Value},
    time::{microseconds, since_1970},
};

/// Sends spans to a collector of Zipkin's.
pub async fn send(
    client: &Client,
    spans: &[Arc<Span>],
    resource: &Resource,
) -> Result<usize, Failure> {
    let all: Vec<Json> = spans.iter().map(|span| encode(span, resource)).collect();
    let body = Json::from(all).to_string().into_bytes();
    let headers = [(CONTENT_TYPE, "application/json")];
    let answer = client.post(&headers, body).await?;
    check_status(answer.head.status).map(|()| 0)
}

fn encode(span: &Span, resource: &Resource) -> Json {
    let trace = span.trace;
    let mut tags = Map::new();
    for (key, value) in resource.of(span) {
        tags.insert(key.to_owned(), value.into());
    }
    for (key, value) in span.attributes() {
        let text = match value {
            Value::Text(text) => text,
            Value::Number(number) => number.to_string(),
        };
        if key == "error.type" && span.is_error() {
            tags.insert("error".to_owned(), text.clone().into());
        }
        tags.insert(key.to_owned(), text.into());
    }
    let mut all = json!({
        "traceId": format!("{:032x}", trace.trace),
        "id": format!("{:016x}", trace.span),
        "name": span.name(),
        "timestamp": microseconds(since_1970(span.start)),
        // None is no duration to Zipkin.
        "duration": microseconds(span.took).max(1),
        "localEndpoint": { "serviceName": resource.service_of(span) },
        "tags": tags,
    });
    if let Some(parent) = trace.parent {
        all["parentId"] = format!("{parent:016x}").into();
    }
    if let Some(kind) = kind(span.role) {
        all["kind"] = kind.into();
    }
    all
}

fn kind(role: Role) -> Option<&'static str> {
    match role {
        Role::Internal => None,
        Role::Server => Some("SERVER"),
        Role::Client => Some("CLIENT"),
        Role::Producer => Some("PRODUCER"),
        Role::Consumer => Some("CONSUMER"),
    }
}
