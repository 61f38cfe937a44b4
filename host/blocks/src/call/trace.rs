//! The trace of a call: W3C trace context, a span for each hop, and what others put beside it.

use super::Call;
use crate::{invocation::TRACEPARENT, random, spans, text::write_hex};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::fmt;

/// The header of tracing systems (W3C Trace Context).
pub(crate) const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");
/// The header of applications (W3C Baggage).
const BAGGAGE: HeaderName = HeaderName::from_static("baggage");
/// Bytes of `tracestate` and of `baggage` that are passed on; the standards ask for 512 and 8,192 at least. A longer one
/// is left out whole, since a cut one may say another thing.
const MAX_TRACESTATE: usize = 512;
const MAX_BAGGAGE: usize = 8_192;

/// A W3C trace context: one trace through every app that a request reaches, with a span for each hop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trace {
    pub trace: u128,
    pub span: u64,
    /// The span that caused this one; absent at the root, and where the context came from outside.
    pub parent: Option<u64>,
    pub sampled: bool,
}

impl Trace {
    /// A new trace with a random id. Ids need to differ and nothing more, so they come from a fast generator that the
    /// operating system seeds once a thread.
    pub fn start() -> Self {
        let (high, low, span) = (random::next(), random::next(), random::next());
        let trace = (u128::from(high) << 64 | u128::from(low)).max(1);
        Trace {
            trace,
            span: span.max(1),
            parent: None,
            sampled: spans::is_chosen(trace),
        }
    }

    /// A new trace of which no span is recorded: that of what the host does all the time on its own.
    pub(crate) fn quiet() -> Self {
        Trace {
            sampled: false,
            ..Trace::start()
        }
    }

    /// The first span of a request from outside: below its `traceparent`, else of a new trace.
    pub fn enter(headers: &HeaderMap) -> Self {
        let Some(outside) = Self::of(headers) else {
            return Self::start();
        };
        Trace {
            sampled: spans::is_chosen_outside(outside.trace, outside.sampled),
            ..outside.child()
        }
    }

    /// A new span of the same trace, caused by this one.
    #[must_use]
    pub fn child(self) -> Self {
        Trace {
            span: random::next().max(1),
            parent: Some(self.span),
            ..self
        }
    }

    /// The header that makes this span the parent of what a callee does, version 00. Every call of an app has one, so it
    /// is written without `fmt`.
    pub(crate) fn header(self) -> [u8; 55] {
        let mut text = *b"00-00000000000000000000000000000000-0000000000000000-00";
        write_hex(&mut text[3..35], &self.trace.to_be_bytes());
        write_hex(&mut text[36..52], &self.span.to_be_bytes());
        text[54] += u8::from(self.sampled);
        text
    }

    /// The trace of a request, if its `traceparent` can be read.
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let header = headers.get(TRACEPARENT)?;
        Self::parse(header.to_str().ok()?)
    }

    /// Reads a `traceparent` header of version 00; anything else starts a new trace, as the standard says.
    pub fn parse(header: &str) -> Option<Self> {
        let mut parts = header.split('-');
        let (version, trace, span, flags) =
            (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let sizes = (version.len(), trace.len(), span.len(), flags.len());
        let ascii = header.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
        if sizes != (2, 32, 16, 2) || version != "00" || parts.next().is_some() || !ascii {
            return None;
        }
        let trace = u128::from_str_radix(trace, 16).ok().filter(|id| *id != 0)?;
        let span = u64::from_str_radix(span, 16).ok().filter(|id| *id != 0)?;
        let sampled = u8::from_str_radix(flags, 16).ok()? & 1 == 1;
        Some(Trace {
            trace,
            span,
            parent: None,
            sampled,
        })
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(str::from_utf8(&self.header()).map_err(|_| fmt::Error)?)
    }
}

/// The text of the header; where there is one, `<` and the parent come after it. So a span goes into a record whole.
impl Serialize for Trace {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.parent {
            Some(parent) => serializer.collect_str(&format_args!("{self}<{parent:016x}")),
            None => serializer.collect_str(self),
        }
    }
}

impl<'de> Deserialize<'de> for Trace {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let (header, parent) = match text.split_once('<') {
            Some((header, parent)) => (header, Some(parent)),
            None => (text.as_str(), None),
        };
        let read = || {
            let parent = parent.map(|parent| u64::from_str_radix(parent, 16));
            Some((Trace::parse(header)?, parent.transpose().ok()?))
        };
        let (trace, parent) = read().ok_or_else(|| D::Error::custom("no trace context"))?;
        Ok(Trace { parent, ..trace })
    }
}

/// Reads the span of a record. One that cannot be read is none: nothing but the trace is lost by it.
pub(crate) fn trace_or_none<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Trace>, D::Error> {
    let value = serde_json::Value::deserialize(deserializer)?;
    Ok(serde_json::from_value(value).ok())
}

/// Additions of others to a trace: `tracestate` of tracing systems, `baggage` of applications.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Carried {
    pub tracestate: String,
    pub baggage: String,
}

impl Carried {
    /// Takes them out of the headers of a request from outside. Several of one name are one, as the standards say; what
    /// is no text or too long is left out, and so is `tracestate` where the request has no trace.
    pub fn take(headers: &mut HeaderMap) -> Self {
        let mut carried = Carried {
            tracestate: joined(headers, &TRACESTATE, MAX_TRACESTATE),
            baggage: joined(headers, &BAGGAGE, MAX_BAGGAGE),
        };
        if Trace::of(headers).is_none() {
            carried.tracestate.clear();
        }
        headers.remove(TRACESTATE);
        headers.remove(BAGGAGE);
        carried
    }

    pub fn is_empty(&self) -> bool {
        self.tracestate.is_empty() && self.baggage.is_empty()
    }
}

/// The headers of a call's trace.
impl Call {
    /// Writes `traceparent` and `tracestate`, in place of what others wrote there.
    pub fn write_trace(&self, headers: &mut HeaderMap) {
        self.write_trace_of(self.trace(), headers);
    }

    /// Does so for a span below this call.
    pub(crate) fn write_trace_of(&self, trace: Trace, headers: &mut HeaderMap) {
        headers.remove(TRACESTATE);
        if let Ok(value) = HeaderValue::from_bytes(&trace.header()) {
            headers.insert(TRACEPARENT, value);
        }
        if let Some(carried) = self.carried() {
            put(headers, TRACESTATE, &carried.tracestate);
        }
    }

    /// Writes `baggage`, unless the app that asks gives its own along.
    pub fn write_baggage(&self, headers: &mut HeaderMap) {
        if let Some(carried) = self.carried() {
            put(headers, BAGGAGE, &carried.baggage);
        }
    }
}

fn put(headers: &mut HeaderMap, name: HeaderName, text: &str) {
    if let Ok(value) = HeaderValue::from_str(text)
        && !text.is_empty()
    {
        headers.entry(name).or_insert(value);
    }
}

fn joined(headers: &HeaderMap, name: &HeaderName, limit: usize) -> String {
    let mut text = String::new();
    for value in headers.get_all(name) {
        let Ok(more) = value.to_str() else {
            return String::new();
        };
        if !text.is_empty() {
            text.push(',');
        }
        if text.len() + more.len() > limit {
            return String::new();
        }
        text.push_str(more);
    }
    text
}
