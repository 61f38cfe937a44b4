//! The client of an API server: requests with the token or the certificate of an account, and what their answers mean.

use crate::{
    access::{self, Access, Certificates, Token},
    failure::{self, odd, of_request, of_way, refused},
};
use bytes::Bytes;
use http::{
    HeaderValue, Request, Response, StatusCode,
    header::{ACCEPT, AUTHORIZATION, HOST},
    uri::PathAndQuery,
};
use http_body_util::Full;
use parking_lot::RwLock;
use serde::{Deserialize, de::DeserializeOwned};
use std::time::Duration;
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    task::spawn_blocking,
    time::timeout,
};
use wythe_blocks::{Error, Result};
use wythe_client::{Answer, Ask, Body, Connection, Connector, Fault, Pool, Server, Trust};
use wythe_manifest::Secret;

/// Requests at once, and watches, each with a connection of its own.
const AT_ONCE: usize = 16;
const WATCHES: usize = 8;
/// Bytes of an answer, and of all that one watch tells.
pub(crate) const LARGEST: usize = 8 << 20;

pub(crate) const JSON: &str = "application/json";
/// Lists without what their objects hold, which a server that does not know them answers in full.
pub(crate) const NAMES: &str =
    "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json";

pub(crate) struct Client {
    server: Server,
    /// Connections of watches, whose answers do not end.
    watches: Pool,
    permits: Semaphore,
    host: String,
    /// The path below which the server is.
    base: String,
    timeout: Duration,
    token: RwLock<Token>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Version {
    git_version: String,
}

/// One request, which only reads.
pub(crate) struct Asked<'a> {
    /// The path with its query, in percent encoding.
    pub path: &'a str,
    pub accept: &'static str,
    /// The right that a request needs, and the object it is about, in words for whoever has it not.
    pub verb: &'static str,
    pub about: &'a str,
}

/// The answer to a request, as far as it is one.
pub(crate) enum Reply<T> {
    Is(T),
    /// The object is absent.
    Missing,
    /// The server has forgotten what the request goes on from.
    Forgotten,
}

/// An answer that goes on; its connection can be used again once it is through.
pub(crate) struct Opened<'a> {
    pub connection: Connection,
    pub response: Response<Body>,
    _permit: SemaphorePermit<'a>,
}

impl Client {
    /// A client with what is written; nothing is asked yet.
    pub fn new(access: Access, timeout: Duration) -> Result<Self> {
        let connector = connector(&access.tls)?;
        let odd = |_| Error::invalid("kubeconfigPath: `server`: expected an address");
        let uri: http::Uri = access.url.as_str().parse().map_err(odd)?;
        Ok(Client {
            server: Server::new(connector.clone(), uri.clone(), AT_ONCE),
            watches: Pool::new(connector, uri),
            permits: Semaphore::new(WATCHES),
            host: access.url.authority().to_owned(),
            base: access.url.path().trim_end_matches('/').to_owned(),
            timeout,
            token: RwLock::new(access.token),
        })
    }

    pub fn host(&self) -> &str {
        &self.host
    }

    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Adds the server to an error that an operator reads when a component opens.
    pub fn named(&self, error: Error) -> Error {
        let chain = error.chain();
        error.map_message(|_| format!("Kubernetes at {}: {chain}", self.host))
    }

    pub fn close(&self) {
        self.server.close();
        self.watches.close();
        self.permits.close();
    }

    /// The version of the server, which it tells anybody whom it knows.
    pub async fn version(&self) -> Result<String> {
        let asked = Asked {
            path: "/version",
            accept: JSON,
            verb: "get",
            about: "its version",
        };
        let version: Option<Version> = self.ask(&asked).await?;
        let version = version.ok_or_else(|| odd(asked.about))?.git_version;
        let plain = version.chars().filter(char::is_ascii_graphic);
        Ok(plain.take(32).collect())
    }

    /// The answer to a request; none where there is no such object.
    pub async fn ask<T: DeserializeOwned>(&self, asked: &Asked<'_>) -> Result<Option<T>> {
        match self.reply(asked).await? {
            Reply::Is(value) => Ok(Some(value)),
            Reply::Missing => Ok(None),
            Reply::Forgotten => Err(refused(StatusCode::GONE, &[], asked.verb, asked.about)),
        }
    }

    /// The answer to a request. A token that is refused is read anew once, where a file has it.
    pub async fn reply<T: DeserializeOwned>(&self, asked: &Asked<'_>) -> Result<Reply<T>> {
        self.renew_old().await;
        let shown = self.shown();
        let mut answer = self.send(asked).await?;
        if answer.status == StatusCode::UNAUTHORIZED && self.renew(shown.as_ref()).await? {
            answer = self.send(asked).await?;
        }
        match answer.status {
            StatusCode::OK => {
                let value = serde_json::from_slice(&answer.body);
                value.map(Reply::Is).map_err(|error: serde_json::Error| {
                    let (line, column) = (error.line(), error.column());
                    odd(asked.about).with_source(format!("no JSON at line {line}, column {column}"))
                })
            }
            StatusCode::NOT_FOUND if failure::is_status(&answer.body) => Ok(Reply::Missing),
            StatusCode::NOT_FOUND => Err(odd(asked.about)),
            StatusCode::GONE => Ok(Reply::Forgotten),
            status => Err(refused(status, &answer.body, asked.verb, asked.about)),
        }
    }

    async fn send(&self, asked: &Asked<'_>) -> Result<Answer> {
        let ask = Ask {
            request: self.request(asked)?,
            largest: LARGEST,
            time: self.timeout,
            is_safe: true,
            room: &mut |_| Ok(()),
        };
        let answer = self.server.ask(ask).await;
        answer.map_err(|failed| of_request(failed, LARGEST))
    }

    /// Opens an answer that goes on.
    pub async fn open(&self, asked: &Asked<'_>) -> Result<Opened<'_>> {
        self.renew_old().await;
        let closed = |_| Error::unavailable("the component is closed");
        let permit = self.permits.acquire().await.map_err(closed)?;
        loop {
            let waiting = self.watches.take().await;
            let is_new = waiting.is_none();
            let mut connection = match waiting {
                Some(connection) => connection,
                None => {
                    let made = self.watches.connect().await;
                    made.map_err(|fault| of_way(fault, false))?
                }
            };
            let sent = timeout(self.timeout, connection.send(self.request(asked)?)).await;
            match sent.unwrap_or(Err(Fault::Late)) {
                Ok(response) => {
                    return Ok(Opened {
                        connection,
                        response,
                        _permit: permit,
                    });
                }
                // The server had enough of a connection that waited.
                Err(Fault::Unsent(_) | Fault::Broken(_)) if !is_new => {}
                Err(fault) => return Err(of_way(fault, true)),
            }
        }
    }

    /// Takes back the connection of an answer that is through.
    pub async fn put_back(&self, connection: Connection) {
        self.watches.put_back(connection).await;
    }

    fn request(&self, asked: &Asked<'_>) -> Result<Request<Full<Bytes>>> {
        let long = |_| Error::invalid("the name is too long");
        let target: PathAndQuery = format!("{}{}", self.base, asked.path)
            .parse()
            .map_err(long)?;
        let mut request = Request::new(Full::new(Bytes::new()));
        *request.uri_mut() = target.into();
        let unsendable =
            |_| Error::invalid("the token or the address of the server cannot be sent");
        let host = HeaderValue::from_str(&self.host).map_err(unsendable)?;
        let headers = request.headers_mut();
        headers.insert(HOST, host);
        headers.insert(ACCEPT, HeaderValue::from_static(asked.accept));
        if let Some(token) = self.token.read().known() {
            let text = format!("Bearer {}", token.reveal());
            let mut value = HeaderValue::from_str(&text).map_err(unsendable)?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        Ok(request)
    }

    /// Reads a token anew that is of some age. While its file cannot be read, the one that is known is good enough.
    async fn renew_old(&self) {
        if self.token.read().is_old() {
            drop(self.renew(self.shown().as_ref()).await);
        }
    }

    /// The token that a request shows which is sent now.
    pub fn shown(&self) -> Option<Secret> {
        self.token.read().known().cloned()
    }

    /// Reads the token anew, where a file has it; returns whether it is another one than a request has shown.
    pub async fn renew(&self, shown: Option<&Secret>) -> Result<bool> {
        let place = self.token.read().file();
        let (Some(place), Some(shown)) = (place, shown) else {
            return Ok(false);
        };
        let read = spawn_blocking(move || access::read(&place)).await;
        let token = read.map_err(|error| Error::internal("no thread").with_source(error))??;
        Ok(self.token.write().renew(token, shown))
    }
}

fn connector(tls: &Certificates) -> Result<Connector> {
    if tls.authority.is_none() && tls.server_name.is_none() && tls.own.is_none() {
        return Ok(Connector::new());
    }
    let own = tls.own.as_ref();
    let own = own.map(|(certificate, key)| (&certificate[..], key.reveal().as_bytes()));
    let trust = Trust::proving(tls.authority.as_deref(), tls.server_name.as_deref(), own);
    let trust =
        trust.map_err(|why| Error::invalid(format!("the certificates of the cluster: {why}")))?;
    Ok(Connector::trusting(trust))
}
