//! The request log: a line for each request from outside, once its answer is over. Queries and headers are not in it.

use super::{Client, Trace};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header::CONTENT_LENGTH};
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::BodyExt as _;
use std::{
    net::IpAddr,
    pin::Pin,
    task::{Context, Poll},
    time::Instant,
};
use tracing::Level;
use wythe_blocks::{Body, Error, text::cut};
use wythe_manifest::Name;

/// The target of the lines, by which they are switched on.
pub const ACCESS: &str = "wythe::access";
/// Bytes of a path and of a host that are shown.
const SHOWN: usize = 1_024;

/// A request that is under way. It is logged when it is dropped: with its answer, or because its client left.
pub(super) struct Record {
    begin: Instant,
    client: IpAddr,
    method: Method,
    host: String,
    path: String,
    trace: Trace,
    tenant: Option<Name>,
    app: Option<Name>,
    status: Option<StatusCode>,
    bytes: u64,
    /// The bytes that the answer says it has.
    length: Option<u64>,
    is_whole: bool,
}

impl Record {
    /// A record of a request, if requests are logged.
    pub fn of<B>(request: &Request<B>, client: &Client, trace: Trace) -> Option<Self> {
        if !tracing::enabled!(target: ACCESS, Level::INFO) {
            return None;
        }
        let header = request.headers().get(http::header::HOST);
        let host = match request.uri().authority() {
            Some(authority) => authority.as_str().as_bytes(),
            None => header.map_or(&[][..], |host| host.as_bytes()),
        };
        let shown = |text: &str| cut(text, SHOWN).to_string();
        Some(Record {
            begin: Instant::now(),
            client: client.address,
            method: request.method().clone(),
            host: shown(&named(&String::from_utf8_lossy(host))),
            path: shown(request.uri().path()),
            trace,
            tenant: None,
            app: None,
            status: None,
            bytes: 0,
            length: None,
            is_whole: false,
        })
    }

    /// The answer, which is followed to its end.
    pub fn follow(mut self, answer: Response<Body>) -> Response<Body> {
        self.status = Some(answer.status());
        let length = answer.headers().get(CONTENT_LENGTH);
        self.length = length.and_then(|length| length.to_str().ok()?.parse().ok());
        answer.map(|body| {
            let record = self;
            Followed { body, record }.boxed_unsync()
        })
    }
}

/// Says who is asked, as far as it is known.
pub(super) fn note(record: &mut Option<Record>, tenant: Option<&Name>, app: Option<&Name>) {
    if let Some(record) = record {
        (record.tenant, record.app) = (tenant.cloned(), app.cloned());
    }
}

/// A host as names and addresses are written, for a line has more words; a user and a password before it stay unsaid.
fn named(host: &str) -> String {
    let host = host.rsplit('@').next().unwrap_or_default();
    let is_usual =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '[' | ']');
    host.chars()
        .map(|c| if is_usual(c) { c } else { '?' })
        .collect()
}

impl Drop for Record {
    fn drop(&mut self) {
        let name = |name: &Option<Name>| name.as_ref().map_or("", Name::as_str).to_owned();
        let ended = match (self.status, self.is_whole) {
            (None, _) => "left",
            (Some(_), false) => "cut",
            (Some(_), true) => "whole",
        };
        let milliseconds = self.begin.elapsed().as_micros() as f64 / 1e3;
        tracing::info!(
            target: ACCESS,
            method = self.method.as_str(),
            path = self.path,
            status = self.status.map(|status| status.as_u16()),
            ended,
            bytes = self.bytes,
            milliseconds,
            client = %self.client,
            host = self.host,
            tenant = name(&self.tenant),
            app = name(&self.app),
            trace = %self.trace,
            "request"
        );
    }
}

/// The body of an answer, and the record that ends with it.
struct Followed {
    body: Body,
    record: Record,
}

impl http_body::Body for Followed {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                let bytes = frame.data_ref().map_or(0, Bytes::len);
                self.record.bytes += bytes as u64;
            }
            Poll::Ready(None) => self.record.is_whole = true,
            _ => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Followed {
    fn drop(&mut self) {
        // Where the length is known, nobody asks for the end.
        let is_all = self.record.length == Some(self.record.bytes);
        self.record.is_whole |= is_all || self.body.is_end_stream();
    }
}

#[cfg(test)]
mod tests {
    use super::named;

    #[test]
    fn a_host_is_one_word_and_no_secret() {
        for (host, shown) in [
            ("shop.example:8080", "shop.example:8080"),
            ("[::1]:80", "[::1]:80"),
            ("user:password@shop", "shop"),
            ("x status=200 tenant=bank", "x?status?200?tenant?bank"),
            ("", ""),
        ] {
            assert_eq!(named(host), shown, "{host}");
        }
    }
}
