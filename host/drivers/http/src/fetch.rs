//! One small answer of a server that the host asks for itself: keys that sign, tokens. It is read whole, within bounds.

use bytes::{Bytes, BytesMut};
use http::{Method, Request, StatusCode, header};
use http_body_util::Full;
use std::{error::Error as StdError, time::Duration};
use tokio::time::timeout;
use url::{Host, Position, Url};
use wythe_blocks::text::{MAX_CAUSE, chain, cut};
use wythe_client::{Connection, Connector, Fault};
use wythe_manifest::is_private;

/// Bytes of an answer.
const LARGEST: usize = 256 << 10;
/// Time of the whole of it: less than a component has to open.
pub(super) const TIME: Duration = Duration::from_secs(4);

/// A client that keeps no connection: it is asked rarely.
pub(super) struct Fetch {
    connector: Connector,
    is_public: bool,
}

impl Fetch {
    /// A client for servers that the component names.
    pub fn new() -> Self {
        Fetch {
            connector: Connector::new(),
            is_public: false,
        }
    }

    /// A client for servers that another server names, which are not to be of the host's own network.
    pub fn public() -> Self {
        Fetch {
            connector: Connector::public(),
            is_public: true,
        }
    }

    /// The body of an answer with the status 200; else the reason, in words that end a sentence about the server.
    pub async fn get(&self, url: &Url) -> Result<Bytes, String> {
        let request = Request::builder()
            .method(Method::GET)
            .body(Full::new(Bytes::new()));
        match self.send(url, request.map_err(text)?).await? {
            (StatusCode::OK, body) => Ok(body),
            (status, _) => Err(format!("answered {status}; expected 200")),
        }
    }

    /// The status and the body of whatever is answered.
    pub async fn send(
        &self,
        url: &Url,
        mut request: Request<Full<Bytes>>,
    ) -> Result<(StatusCode, Bytes), String> {
        if self.is_public && is_of_own_network(url) {
            return Err(
                "is of the host's own network, and only another server names it".to_owned(),
            );
        }
        let target = &url[Position::BeforePath..Position::AfterQuery];
        *request.uri_mut() = target.parse().map_err(text)?;
        let host = &url[Position::BeforeHost..Position::AfterPort];
        let host = http::HeaderValue::from_str(host).map_err(text)?;
        request.headers_mut().insert(header::HOST, host);
        let json = http::HeaderValue::from_static("application/json");
        request.headers_mut().insert(header::ACCEPT, json);
        let answer = timeout(TIME, self.exchange(url, request)).await;
        answer.unwrap_or_else(|_| Err(late()))
    }

    async fn exchange(
        &self,
        url: &Url,
        request: Request<Full<Bytes>>,
    ) -> Result<(StatusCode, Bytes), String> {
        let server = format!("{}/", &url[..Position::AfterPort]);
        let stream = self.connector.connect(server.parse().map_err(text)?).await;
        let stream = stream.map_err(|error| format!("cannot be reached: {}", causes(&*error)))?;
        let mut connection = Connection::new(stream).await.map_err(|e| causes(&*e))?;
        let answer = connection.send(request).await.map_err(broken)?;
        let (head, mut body) = answer.into_parts();
        let mut whole = BytesMut::new();
        while let Some(frame) = connection.frame(&mut body).await {
            let Ok(piece) = frame.map_err(broken)?.into_data() else {
                continue;
            };
            if whole.len() + piece.len() > LARGEST {
                return Err(format!("answered more than {} KiB", LARGEST >> 10));
            }
            whole.extend_from_slice(&piece);
        }
        Ok((head.status, whole.freeze()))
    }
}

/// The reason where a server takes longer than it may.
pub(super) fn late() -> String {
    format!("did not answer within {} s", TIME.as_secs())
}

/// Says whether a URL has an address of the host's own network; names are looked at when they are resolved.
fn is_of_own_network(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => is_private(address.into()),
        Some(Host::Ipv6(address)) => is_private(address.into()),
        _ => false,
    }
}

fn broken(fault: Fault) -> String {
    match fault {
        Fault::Excess(what) => format!("sent {what}"),
        Fault::Connect(error) => causes(&*error),
        Fault::Unsent(error) | Fault::Broken(error) => {
            format!("broke off its answer: {}", causes(&error))
        }
        Fault::Late => "did not answer in time".to_owned(),
    }
}

fn text(error: impl StdError) -> String {
    error.to_string()
}

/// An error with its causes, no longer than a line of the log.
fn causes(error: &(dyn StdError + 'static)) -> String {
    cut(&chain(error), MAX_CAUSE).to_owned()
}

/// Reads a URL that the host is to ask.
pub(super) fn url(setting: &str, written: &str) -> Result<Url, String> {
    let expected =
        || format!("`{setting}`: expected a URL such as `https://login.example.com/keys`");
    let url: Url = written.trim().parse().map_err(|_| expected())?;
    let is_web = ["http", "https"].contains(&url.scheme()) && url.has_host();
    match is_web && url.username().is_empty() && url.password().is_none() {
        true => Ok(url),
        false => Err(format!("{}, without a user and a password", expected())),
    }
}
