//! The client of a server: requests with the token, and what their answers mean.

use crate::settings::{Authorities, Parsed, Token, wrong};
use bytes::Bytes;
use http::{HeaderValue, Method, Request, StatusCode, header::HOST, uri::PathAndQuery};
use http_body_util::Full;
use parking_lot::RwLock;
use serde_json::Value;
use std::time::Duration;
use tokio::task::spawn_blocking;
use wythe_blocks::{Error, Kind, Result, Site};
use wythe_client::{Answer, Ask, Connector, Failed, Fault, Server, Trust};
use wythe_manifest::{AnchoredPath, Secret};

/// Requests at once, each with a connection of its own.
const AT_ONCE: usize = 16;
/// Bytes of an answer, of a file with a token, and of the files with authorities.
const LARGEST: usize = 4 << 20;
const TOKEN: u64 = 16 << 10;
const PEM: u64 = 1 << 20;
/// Files of a directory of authorities.
const FILES: usize = 100;

pub(crate) struct Client {
    server: Server,
    host: String,
    timeout: Duration,
    token: RwLock<Secret>,
    /// The file of the token, which somebody may write anew.
    file: Option<AnchoredPath>,
}

impl Client {
    /// A client with what the settings name; nothing is asked yet.
    pub fn new(parsed: &Parsed, site: &Site) -> Result<Self> {
        let (token, file) = match &parsed.token {
            Token::Written(token) => (token.clone(), None),
            Token::File(path) => {
                let place = site.place(path)?;
                (read_token(&place)?, Some(place))
            }
        };
        let authorities = authorities(&parsed.authorities, site)?;
        let connector = match (&authorities, &parsed.server_name) {
            (None, None) => Connector::new(),
            (pem, name) => {
                let trust = Trust::new(pem.as_deref(), name.as_deref());
                let setting = match (&parsed.authorities, pem) {
                    (_, None) => "tlsServerName",
                    (Authorities::Directory(_), _) => "caPath",
                    (Authorities::File(_), _) => "caCert",
                    _ => "caPem",
                };
                Connector::trusting(trust.map_err(|why| Error::from(wrong(setting, &why)))?)
            }
        };
        let uri = parsed.url.as_str().parse();
        let uri = uri.map_err(|_| Error::invalid("vaultAddr: expected an address"))?;
        Ok(Client {
            server: Server::new(connector, uri, AT_ONCE),
            host: parsed.url.authority().to_owned(),
            timeout: parsed.timeout,
            token: RwLock::new(token),
            file,
        })
    }

    pub fn host(&self) -> &str {
        &self.host
    }

    pub fn close(&self) {
        self.server.close();
    }

    /// The answer of a path in percent encoding; none where there is nothing. A token that is refused is read anew once,
    /// where a file has it.
    pub async fn ask(&self, method: &str, path: &str, about: &str) -> Result<Option<Value>> {
        let shown = self.token.read().clone();
        let answer = self.send(method, path).await?;
        let answer = match &self.file {
            Some(file) if answer.status == StatusCode::FORBIDDEN => {
                let file = file.clone();
                let read = spawn_blocking(move || read_token(&file)).await;
                let token =
                    read.map_err(|error| Error::internal("no thread").with_source(error))??;
                // Another request may have read it anew since this one was sent.
                match shown.reveal() != token.reveal() {
                    false => answer,
                    true => {
                        *self.token.write() = token;
                        self.send(method, path).await?
                    }
                }
            }
            _ => answer,
        };
        match answer.status {
            StatusCode::OK => {
                let value = serde_json::from_slice(&answer.body);
                value.map(Some).map_err(|error| {
                    let (line, column) = (error.line(), error.column());
                    odd(about).with_source(format!("no JSON at line {line}, column {column}"))
                })
            }
            StatusCode::NOT_FOUND => Ok(None),
            status => Err(refused(status, &answer.body, about)),
        }
    }

    async fn send(&self, method: &str, path: &str) -> Result<Answer> {
        let asked = Ask {
            request: self.request(method, path)?,
            largest: LARGEST,
            time: self.timeout,
            is_safe: true,
            room: &mut |_| Ok(()),
        };
        self.server.ask(asked).await.map_err(failed)
    }

    fn request(&self, method: &str, path: &str) -> Result<Request<Full<Bytes>>> {
        let long = |_| Error::invalid("the name of the secret is too long");
        let target: PathAndQuery = path.parse().map_err(long)?;
        let mut request = Request::new(Full::new(Bytes::new()));
        let unknown = |_| Error::internal("a method that cannot be sent");
        *request.method_mut() = Method::from_bytes(method.as_bytes()).map_err(unknown)?;
        *request.uri_mut() = target.into();
        let odd = |_| Error::invalid("vaultToken: expected a text that can be sent");
        let mut token = HeaderValue::from_str(self.token.read().reveal()).map_err(odd)?;
        token.set_sensitive(true);
        let host = HeaderValue::from_str(&self.host).map_err(odd)?;
        let headers = request.headers_mut();
        headers.insert(HOST, host);
        headers.insert("x-vault-token", token);
        headers.insert("x-vault-request", HeaderValue::from_static("true"));
        Ok(request)
    }
}

fn read_token(place: &AnchoredPath) -> Result<Secret> {
    let unread =
        |why: String| Error::invalid(format!("vaultTokenMountPath: it cannot be read: {why}"));
    let file = place.open().map_err(|why| unread(why.to_string()))?;
    let bytes = file.read(TOKEN).map_err(|why| unread(why.to_string()))?;
    let text = std::str::from_utf8(&bytes).map_err(|_| unread("it is no text".to_owned()))?;
    match text.trim() {
        "" => Err(unread("it is empty".to_owned())),
        token => Ok(Secret::new(token.to_owned())),
    }
}

/// The text of the authorities that are believed; none where they are those of the web.
fn authorities(written: &Authorities, site: &Site) -> Result<Option<Vec<u8>>> {
    let unread =
        |setting: &str, why: String| Error::invalid(format!("{setting}: it cannot be read: {why}"));
    match written {
        Authorities::Web => Ok(None),
        Authorities::Pem(text) => Ok(Some(text.clone().into_bytes())),
        Authorities::File(path) => {
            let unread = |why: String| unread("caCert", why);
            let file = site
                .place(path)?
                .open()
                .map_err(|why| unread(why.to_string()))?;
            file.read(PEM)
                .map(Some)
                .map_err(|why| unread(why.to_string()))
        }
        Authorities::Directory(path) => {
            let unread = |why: String| unread("caPath", why);
            let directory = site.place(path)?.open_directory();
            let directory = directory.map_err(|why| unread(why.to_string()))?;
            let entries = directory.entries().map_err(|why| unread(why.to_string()))?;
            let mut all = Vec::new();
            for entry in entries.take(FILES) {
                let entry = entry.map_err(|why| unread(why.to_string()))?;
                let metadata = entry.metadata().map_err(|why| unread(why.to_string()))?;
                if metadata.is_file() && metadata.len() <= PEM {
                    let text = directory.read(entry.file_name());
                    all.extend(text.map_err(|why| unread(why.to_string()))?);
                    all.push(b'\n');
                }
            }
            Ok(Some(all))
        }
    }
}

pub(crate) fn odd(about: &str) -> Error {
    Error::internal(format!(
        "the answer about {about} is not one of this server: check `vaultAddr` and `enginePath`, whose engine is of version 2"
    ))
}

fn failed(failed: Failed) -> Error {
    let (fault, was_sent) = match failed {
        Failed::Fault { fault, was_sent } => (fault, was_sent),
        Failed::Large => {
            return Error::invalid(format!("the answer has more than {LARGEST} bytes"));
        }
        Failed::Room(error) => return error,
    };
    let error = Error::unavailable(match (was_sent, &fault) {
        (true, Fault::Late) => "the server did not answer within `timeout`",
        (true, _) => "the server broke off its answer; does it want TLS?",
        (false, _) => {
            "the server cannot be reached: check `vaultAddr`, and that its certificate is believed (`caPem`, `tlsServerName`)"
        }
    });
    match fault {
        Fault::Connect(cause) => error.with_source(cause),
        Fault::Unsent(cause) | Fault::Broken(cause) => error.with_source(cause),
        Fault::Excess(what) => error.with_source(format!("the server sent {what}")),
        Fault::Late => error.with_source("the time of the request is over"),
    }
}

/// The error of a status that is no answer. What the server says is for the log.
fn refused(status: StatusCode, body: &[u8], about: &str) -> Error {
    let (kind, message) = match status.as_u16() {
        401 | 403 => (
            Kind::Denied,
            format!("the server denies {about}: check the token, and that its policy allows it"),
        ),
        301 | 302 | 307 | 308 => (
            Kind::Unavailable,
            "the server sends on to another one, where no token is sent: name the active server by `vaultAddr`".to_owned(),
        ),
        412 => (Kind::Unavailable, "the server is behind the others".to_owned()),
        429 => (Kind::Exhausted, "the server is asked too often, or on standby".to_owned()),
        503 => (Kind::Unavailable, "the server is sealed, or in maintenance".to_owned()),
        400 => (
            Kind::Invalid,
            format!("the server does not take the request for {about}: is the engine at `enginePath` of version 2?"),
        ),
        500.. => (Kind::Unavailable, format!("the server failed at {about} ({status})")),
        _ => (Kind::Internal, format!("the server answered {about} with {status}")),
    };
    let value: Option<Value> = serde_json::from_slice(body).ok();
    let errors = value
        .as_ref()
        .and_then(|value| value.get("errors")?.as_array());
    let said: Vec<_> = errors
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let said: String = said.join("; ").escape_debug().take(1_000).collect();
    Error::new(kind, message).with_source(format!("{status}: {said}"))
}
