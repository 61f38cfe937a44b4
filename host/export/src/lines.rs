//! A span as one line of JSON.

use crate::resource::Resource;
use serde_json::{Map, Value as Json, json};
use wythe_blocks::{
    spans::{Span, Value},
    time::{nanoseconds, since_1970},
};

/// The line, without its end.
pub fn line(span: &Span, resource: &Resource) -> String {
    let trace = span.trace;
    let mut attributes = Map::new();
    for (key, value) in span.attributes() {
        let value = match value {
            Value::Text(text) => Json::from(text),
            Value::Number(number) => Json::from(number),
        };
        attributes.insert(key.to_owned(), value);
    }
    let line = json!({
        "trace": format!("{:032x}", trace.trace),
        "span": format!("{:016x}", trace.span),
        "parent": trace.parent.map(|parent| format!("{parent:016x}")),
        "service": resource.service_of(span),
        "name": span.name(),
        "kind": format!("{:?}", span.role).to_lowercase(),
        "startUnixNano": nanoseconds(since_1970(span.start)),
        "durationNano": nanoseconds(span.took),
        "error": span.is_error(),
        "attributes": attributes,
    });
    line.to_string()
}
