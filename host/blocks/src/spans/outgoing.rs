//! Requests of guests to the outside, as spans.

use super::{Recording, Role, Span, Work, begin, span::known};
use crate::{Call, Kind, text::cut};
use http::{HeaderMap, Method, Uri};

/// Bytes of a host's name in a span: the longest name of DNS.
const MAX_HOST: usize = 253;

/// A request to the outside that is under way; it is recorded as dropped where it is.
pub struct Outgoing(Recording);

impl Outgoing {
    /// Begins the span of a request, if it is recorded, and writes the trace into its headers: whoever answers is below
    /// this span, else below that of the call.
    pub fn begin(caller: &Call, method: &Method, uri: &Uri, headers: &mut HeaderMap) -> Self {
        let is_wanted = || caller.trace().sampled && !caller.is_unrecorded();
        let trace = caller.trace().child();
        let recording = begin(is_wanted, || {
            let work = Work::Outside {
                method: known(method.as_str()),
                host: cut(uri.host().unwrap_or_default(), MAX_HOST).to_string(),
                port: uri.port_u16().unwrap_or(match uri.scheme_str() {
                    Some("http") => 80,
                    _ => 443,
                }),
                status: None,
            };
            Span::new(
                trace,
                Role::Client,
                (caller.tenant(), caller.app_id()),
                work,
            )
        });
        match recording.is_on() {
            true => caller.write_trace_of(trace, headers),
            false => caller.write_trace(headers),
        }
        Outgoing(recording)
    }

    /// Records the end: the status of the answer once it begins, or the kind of failure.
    pub fn end(self, ended: Result<u16, Kind>) {
        let _ = self.0.end(ended.err(), ended.ok());
    }
}
