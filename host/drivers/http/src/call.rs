//! One call: a request, the redirects below the component's URL, and the answer.

use super::{
    answer::{Body, Held},
    asked::{Asked, Redirect, is_safe},
    bindings::Web,
};
use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use http_body::Body as _;
use hyper::body::Incoming;
use tokio::task::yield_now;
use wythe_blocks::{
    Error, Kind, Result,
    bindings::{Outcome, Request},
};
use wythe_client::{Connection, Fault};

/// Redirects that are followed.
const REDIRECTS: usize = 5;
/// Bytes of an answer after which others have a turn.
const STRETCH: usize = 256 << 10;

pub(super) struct HttpCall<'a> {
    web: &'a Web,
    request: Request<'a>,
    asked: Asked,
    /// Safety of the operation, whatever a redirect made of it: asking twice does no harm.
    safe: bool,
    /// Says whether the server may have heard of the call.
    sent: bool,
}

impl<'a> HttpCall<'a> {
    pub fn new(web: &'a Web, request: Request<'a>) -> Result<Self> {
        let asked = Asked::new(&web.base, &request)?;
        Ok(HttpCall {
            web,
            request,
            safe: is_safe(asked.method()),
            asked,
            sent: false,
        })
    }

    pub async fn run(&mut self) -> Result<Outcome> {
        let mut followed = 0;
        loop {
            let (connection, response) = self.send().await?;
            let stays = match self.asked.redirected(&self.web.base, &response) {
                Redirect::No => None,
                Redirect::Below(next) if followed < REDIRECTS => {
                    followed += 1;
                    self.asked = *next;
                    if response.body().is_end_stream() {
                        self.web.pool.put_back(connection).await;
                    }
                    continue;
                }
                Redirect::Below(_) => Some("more redirects than the 5 that are followed"),
                Redirect::Away => {
                    Some("a redirect out of the component's `url`, where nothing is sent")
                }
            };
            return self.answer(connection, response, stays).await;
        }
    }

    /// Sends the request by a connection that waits, or by a new one.
    async fn send(&mut self) -> Result<(Connection, Response<Incoming>)> {
        let sent = self.sent;
        loop {
            let (mut connection, is_new) = match self.web.pool.take().await {
                Some(connection) => (connection, false),
                None => {
                    let made = self.web.pool.connect().await;
                    (made.map_err(|fault| self.failed(fault))?, true)
                }
            };
            self.sent = true;
            let fault = match connection.send(self.asked.message()).await {
                Ok(response) => return Ok((connection, response)),
                Err(fault) => fault,
            };
            if matches!(fault, Fault::Unsent(_)) {
                self.sent = sent;
                // The server had enough of it while it waited.
                if !is_new {
                    continue;
                }
            }
            return Err(self.failed(fault));
        }
    }

    async fn answer(
        &self,
        mut connection: Connection,
        response: Response<Incoming>,
        stays: Option<&str>,
    ) -> Result<Outcome> {
        let (head, mut body) = response.into_parts();
        let mut held = Held::new(&self.web.share, &self.request)?;
        let data = self.body(&mut connection, &mut body, &mut held).await?;
        self.web.pool.put_back(connection).await;
        self.judge(head.status, stays)?;
        let sizes = head.headers.iter();
        held.grow(
            sizes
                .map(|(name, value)| name.as_str().len() + value.len())
                .sum(),
        )?;
        let metadata = described(head.status, &head.headers);
        Ok(Outcome { data, metadata })
    }

    /// The body, within the limit; what has come of it counts for the app that asks.
    async fn body(
        &self,
        connection: &mut Connection,
        incoming: &mut Incoming,
        held: &mut Held,
    ) -> Result<Bytes> {
        let max_bytes = self.request.max_bytes;
        let large = || {
            let host = self.web.base.host();
            Error::invalid(format!(
                "the answer of `{host}` has more than {max_bytes} bytes; see `maxDataBytes`"
            ))
        };
        let mut body = Body::new(max_bytes, incoming.size_hint().exact()).ok_or_else(large)?;
        let mut stretch = 0;
        while let Some(frame) = connection.frame(incoming).await {
            let frame = frame.map_err(|fault| self.failed(fault))?;
            let Ok(piece) = frame.into_data() else {
                continue;
            };
            if !body.push(&piece, held)? {
                return Err(large());
            }
            stretch += piece.len();
            if stretch >= STRETCH {
                stretch = 0;
                yield_now().await;
            }
        }
        Ok(body.whole())
    }

    fn judge(&self, status: StatusCode, stays: Option<&str>) -> Result<()> {
        if !self.web.strict || status.is_success() {
            return Ok(());
        }
        let kind = match status.as_u16() {
            401 | 403 | 407 => Kind::Denied,
            404 | 410 => Kind::NotFound,
            409 | 412 => Kind::Conflict,
            429 => Kind::Exhausted,
            500.. if self.safe => Kind::Unavailable,
            500.. => Kind::UnknownOutcome,
            _ => Kind::Invalid,
        };
        let host = self.web.base.host();
        let why = stays.map_or(String::new(), |why| format!(", {why}"));
        Err(Error::new(
            kind,
            format!("`{host}` answered {status}{why}; see `errorIfNot2XX`"),
        ))
    }

    /// The one translation of what goes wrong. The client's own words are for the log.
    pub fn failed(&self, fault: Fault) -> Error {
        let host = self.web.base.host();
        let (kind, message) = match &fault {
            _ if !self.sent => (Kind::Unavailable, format!("`{host}` cannot be reached")),
            Fault::Excess(what) if self.safe => (Kind::Invalid, format!("`{host}` sent {what}")),
            Fault::Late if self.safe => (
                Kind::Timeout,
                format!("`{host}` did not answer in time; see `responseTimeout`"),
            ),
            _ if self.safe => (Kind::Unavailable, format!("`{host}` broke off its answer")),
            _ => (
                Kind::UnknownOutcome,
                format!("`{host}` may have done it: the request was sent and no whole answer came"),
            ),
        };
        let error = Error::new(kind, message);
        match fault {
            Fault::Connect(cause) => error.with_source(cause),
            Fault::Unsent(cause) | Fault::Broken(cause) => error.with_source(cause),
            Fault::Excess(what) => error.with_source(format!("the peer sent {what}")),
            Fault::Late => error.with_source("the time of `responseTimeout` is over"),
        }
    }
}

fn described(status: StatusCode, headers: &HeaderMap) -> Vec<(String, String)> {
    let mut metadata = vec![
        ("statusCode".to_owned(), status.as_u16().to_string()),
        ("status".to_owned(), status.to_string()),
    ];
    for name in headers.keys() {
        let values = headers.get_all(name).iter();
        let values: Vec<_> = values
            .map(|value| String::from_utf8_lossy(value.as_bytes()))
            .collect();
        metadata.push((name.as_str().to_owned(), values.join(", ")));
    }
    metadata
}
