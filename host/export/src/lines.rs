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
    plain(&line.to_string())
}

/// The same JSON in printable ASCII, which moves no cursor.
fn plain(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    for c in line.chars() {
        match c {
            ' '..='~' => plain.push(c),
            c => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    plain += &format!("\\u{unit:04x}");
                }
            }
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn a_line_is_printable_and_the_same_json() {
        let text = "a\u{9b}31m\u{202e}\u{1f600}\u{7f}\n";
        let line = plain(&serde_json::to_string(text).unwrap());
        assert!(
            line.bytes().all(|byte| (b' '..=b'~').contains(&byte)),
            "{line}"
        );
        assert_eq!(serde_json::from_str::<String>(&line).unwrap(), text);
    }
}
