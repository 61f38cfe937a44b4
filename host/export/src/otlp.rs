//! OTLP: spans as protobuf, by gRPC or by HTTP.

use crate::{
    client::{Answer, Client},
    exporter::Failure,
    resource::Resource,
};
use http::{HeaderMap, HeaderName, StatusCode, header::CONTENT_TYPE, header::TE};
use opentelemetry_proto::tonic::{
    collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse},
    common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value},
    resource::v1::Resource as ProtoResource,
    trace::v1::{
        ResourceSpans, ScopeSpans, Span as ProtoSpan, Status, span::SpanKind,
        status::StatusCode as Code,
    },
};
use prost::Message;
use std::{collections::BTreeMap, sync::Arc, time::SystemTime};
use wythe_blocks::{
    spans::{Role, Span, Value},
    time::{nanoseconds, since_1970},
};
use wythe_manifest::Name;

/// Bytes before a message of gRPC: whether it is compressed, and its length.
const FRAME: usize = 5;
/// The flag of a span whose trace is sampled.
const SAMPLED: u32 = 1;
/// Codes of gRPC after which the same may be asked again: cancelled, deadline exceeded, resource exhausted, aborted, out of
/// range, unavailable, data loss.
const PASSING: [u32; 7] = [1, 4, 8, 10, 11, 14, 15];
/// Bytes of a receiver's own words that are logged.
const MAX_WORDS: usize = 200;

/// Sends spans by HTTP.
pub async fn by_http(
    client: &Client,
    spans: &[Arc<Span>],
    resource: &Resource,
) -> Result<usize, Failure> {
    let body = request(spans, resource).encode_to_vec();
    let headers = [(CONTENT_TYPE, "application/x-protobuf")];
    let answer = client.post(&headers, body).await?;
    check_status(answer.head.status)?;
    Ok(refused(&answer.body))
}

/// The meaning of a status for a batch, as OTLP has it.
pub fn check_status(status: StatusCode) -> Result<(), Failure> {
    let words = format!("it answered {status}");
    match status.as_u16() {
        200..=299 => Ok(()),
        408 | 429 | 502 | 503 | 504 => Err(Failure::passing(words)),
        _ => Err(Failure::lasting(words)),
    }
}

/// Sends spans by gRPC: one message in a frame, and a status in the trailers.
pub async fn by_grpc(
    client: &Client,
    spans: &[Arc<Span>],
    resource: &Resource,
) -> Result<usize, Failure> {
    let message = request(spans, resource);
    let mut body = Vec::with_capacity(FRAME + message.encoded_len());
    body.push(0);
    let length = u32::try_from(message.encoded_len());
    let length = length.map_err(|_| Failure::lasting("the batch is too large"))?;
    body.extend(length.to_be_bytes());
    body.extend(message.encode_to_vec());
    let headers = [(CONTENT_TYPE, "application/grpc"), (TE, "trailers")];
    let answer = client.post(&headers, body).await?;
    check_code(&answer)?;
    Ok(answer.body.get(FRAME..).map_or(0, refused))
}

fn check_code(answer: &Answer) -> Result<(), Failure> {
    if answer.head.status != StatusCode::OK {
        return Err(Failure::passing(format!(
            "it answered {} and speaks no gRPC there",
            answer.head.status
        )));
    }
    // An answer without a message has all in its head.
    let code = number(&answer.trailers).or_else(|| number(&answer.head.headers));
    match code {
        Some(0) => Ok(()),
        Some(code) => Err(Failure {
            words: format!("it answered gRPC's code {code}{}", words(answer)),
            is_passing: PASSING.contains(&code),
        }),
        None => Err(Failure::passing("its answer has no `grpc-status`")),
    }
}

fn number(headers: &HeaderMap) -> Option<u32> {
    headers.get("grpc-status")?.to_str().ok()?.parse().ok()
}

/// The receiver's own words, cut and without characters that move a cursor.
fn words(answer: &Answer) -> String {
    let name = HeaderName::from_static("grpc-message");
    let found = answer.trailers.get(&name);
    let found = found.or_else(|| answer.head.headers.get(&name));
    let text = found
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    match text.is_empty() {
        true => String::new(),
        false => format!(": {}", wythe_blocks::text::cut(text, MAX_WORDS)),
    }
}

/// The spans that a receiver says it did not take.
fn refused(body: &[u8]) -> usize {
    let answer = ExportTraceServiceResponse::decode(body).unwrap_or_default();
    let refused = answer.partial_success.unwrap_or_default().rejected_spans;
    usize::try_from(refused).unwrap_or_default()
}

fn request(spans: &[Arc<Span>], resource: &Resource) -> ExportTraceServiceRequest {
    let mut groups: BTreeMap<(&Name, &Name), Vec<&Arc<Span>>> = BTreeMap::new();
    for span in spans {
        let group = groups.entry((&span.tenant, &span.app)).or_default();
        group.push(span);
    }
    let groups = groups.into_values();
    ExportTraceServiceRequest {
        resource_spans: groups.map(|group| of_app(&group, resource)).collect(),
    }
}

/// The spans of one app, of which there is one at least.
fn of_app(spans: &[&Arc<Span>], resource: &Resource) -> ResourceSpans {
    let attributes = spans.first().map(|span| resource.of(span));
    let attributes = attributes.into_iter().flatten();
    let scope = InstrumentationScope {
        name: "wythe".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ..InstrumentationScope::default()
    };
    ResourceSpans {
        resource: Some(ProtoResource {
            attributes: attributes
                .map(|(key, value)| attribute(key, Value::Text(value)))
                .collect(),
            ..ProtoResource::default()
        }),
        scope_spans: vec![ScopeSpans {
            scope: Some(scope),
            spans: spans.iter().map(|span| encode(span)).collect(),
            ..ScopeSpans::default()
        }],
        ..ResourceSpans::default()
    }
}

fn encode(span: &Span) -> ProtoSpan {
    let trace = span.trace;
    let end = span.start + span.took;
    let attributes = span.attributes().into_iter();
    let failed = Status {
        code: Code::Error.into(),
        ..Status::default()
    };
    ProtoSpan {
        trace_id: trace.trace.to_be_bytes().to_vec(),
        span_id: trace.span.to_be_bytes().to_vec(),
        parent_span_id: trace
            .parent
            .map_or_else(Vec::new, |id| id.to_be_bytes().to_vec()),
        flags: SAMPLED,
        name: span.name().into_owned(),
        kind: kind(span.role).into(),
        start_time_unix_nano: unix(span.start),
        end_time_unix_nano: unix(end),
        attributes: attributes
            .map(|(key, value)| attribute(key, value))
            .collect(),
        status: span.is_error().then_some(failed),
        ..ProtoSpan::default()
    }
}

fn unix(time: SystemTime) -> u64 {
    nanoseconds(since_1970(time))
}

fn kind(role: Role) -> SpanKind {
    match role {
        Role::Internal => SpanKind::Internal,
        Role::Server => SpanKind::Server,
        Role::Client => SpanKind::Client,
        Role::Producer => SpanKind::Producer,
        Role::Consumer => SpanKind::Consumer,
    }
}

fn attribute(key: &str, value: Value) -> KeyValue {
    let value = match value {
        Value::Text(text) => any_value::Value::StringValue(text),
        Value::Number(number) => any_value::Value::IntValue(number),
    };
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    }
}
