//! The headers of a call as a target of the fuzzer.

use super::{Call, Carried, Trace};
use http::{HeaderMap, HeaderName, HeaderValue};
use std::time::Instant;

/// Headers of a peer or a stranger, one a line; without a colon, a trace as it stands in a record.
pub fn call(data: &[u8]) {
    let now = Instant::now();
    let mut headers = read(data);
    if let Some(trace) = Trace::of(&headers) {
        assert_eq!(Trace::parse(&trace.to_string()), Some(trace));
    }
    if let Ok(call) = Call::from_headers(&headers, now, |_| None) {
        let again = Call::from_headers(&call.to_headers(now), now, |_| None);
        let again = again.expect("a call that was written is read");
        assert_eq!(shown(&again, now), shown(&call, now));
    }
    Carried::take(&mut headers);
}

fn read(data: &[u8]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in data.split(|byte| *byte == b'\n') {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else {
            record(line);
            continue;
        };
        let name = HeaderName::from_bytes(&line[..colon]);
        let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii());
        if let (Ok(name), Ok(value)) = (name, value)
            && headers.try_append(name, value).is_err()
        {
            break;
        }
    }
    headers
}

fn record(text: &[u8]) {
    let text = String::from_utf8_lossy(text).into_owned();
    if let Ok(trace) = serde_json::from_value::<Trace>(text.into()) {
        let written = serde_json::to_value(trace).expect("a trace is a text");
        let again: Trace = serde_json::from_value(written).expect("its own text");
        assert_eq!(again, trace);
    }
}

/// All that travels of a call.
pub(super) fn shown(call: &Call, now: Instant) -> String {
    let turns = std::iter::successors(Some(call), |call| call.parent()).map(Call::turn_id);
    format!(
        "{} {} {:?} {:?} {:?} {:?}",
        call.tenant(),
        call.chain(),
        call.trace(),
        call.carried(),
        call.deadline().saturating_duration_since(now),
        turns.collect::<Vec<_>>(),
    )
}
