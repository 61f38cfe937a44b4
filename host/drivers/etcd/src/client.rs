//! The client of a cluster: requests with the login's token, to one server after the other where one does not answer.

use crate::{
    fault::Fault,
    settings::Target,
    wire::{Authenticated, Refusal, Status},
};
use bytes::Bytes;
use http::{
    HeaderValue, Method, Request, Uri,
    header::{AUTHORIZATION, CONTENT_TYPE, HOST},
    uri::PathAndQuery,
};
use http_body_util::Full;
use parking_lot::Mutex;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
};
use tokio::time::{Instant, timeout};
use url::Url;
use wythe_blocks::{Clients, Error, Result, time::Clock as _};
use wythe_client::{Answer, Ask, Connector, Effect, Failed, Flow, Server, Trust};
use wythe_net::wrong;

/// Requests of a client to one server at once, each with a connection of its own.
const AT_ONCE: usize = 64;
/// Bytes of an answer: the values of a page, and one more, in base64.
const LARGEST: usize = 24 << 20;
/// Bytes of the server's words, and of its version.
const TEXT: usize = 1_000;
const VERSION: usize = 30;

/// The clients of the process, one for each tenant and cluster.
pub(crate) type Shared = Arc<Clients<Target, Client>>;

pub(crate) struct Client {
    pub target: Target,
    servers: Vec<One>,
    /// The server that is asked first: the last one that answered.
    first: AtomicUsize,
    login: tokio::sync::Mutex<Login>,
    /// The version of the server that was asked when a component opened.
    version: Mutex<String>,
}

/// One server of the cluster.
struct One {
    server: Server,
    /// The way to it for whoever watches, with a connection of its own.
    connector: Connector,
    uri: Uri,
    host: HeaderValue,
}

/// The login as far as it is known, and how often it was renewed.
#[derive(Clone, Default)]
struct Login {
    is_known: bool,
    number: u64,
    token: Option<HeaderValue>,
}

impl Client {
    /// A client with what the settings name; nothing is asked yet.
    pub fn new(target: Target) -> Result<Self> {
        let connector = match (&target.authorities, &target.own) {
            (None, None) => Connector::new(),
            (authorities, own) => {
                let own = own
                    .as_ref()
                    .map(|(certificate, key)| (certificate.as_bytes(), key.0.reveal().as_bytes()));
                let trust = Trust::proving(authorities.as_deref().map(str::as_bytes), None, own);
                let setting = match own {
                    Some(_) => "cert",
                    None => "ca",
                };
                Connector::trusting(trust.map_err(|why| Error::from(wrong(setting, &why)))?)
            }
        };
        let servers = target.servers.iter().map(|url| one(&connector, url));
        Ok(Client {
            servers: servers.collect::<Result<_>>()?,
            target,
            first: AtomicUsize::new(0),
            login: tokio::sync::Mutex::default(),
            version: Mutex::default(),
        })
    }

    /// The servers in messages and descriptions.
    pub fn address(&self) -> String {
        let servers = self.target.servers.iter().map(Url::authority);
        servers.collect::<Vec<_>>().join(", ")
    }

    pub fn version(&self) -> String {
        self.version.lock().clone()
    }

    /// Adds the servers to an error that an operator reads when a component opens.
    pub fn named(&self, error: Error) -> Error {
        let (address, chain) = (self.address(), error.chain());
        error.map_message(|_| format!("etcd at {address}: {chain}"))
    }

    /// Asks by a path of the gateway; the answer is JSON.
    pub async fn ask<T: DeserializeOwned>(
        &self,
        effect: Effect,
        path: &'static str,
        body: &Value,
    ) -> Result<T, Fault> {
        let body = Bytes::from(body.to_string());
        let login = self.soon(None).await?;
        let answer = self.send(effect, path, &body, login.token.as_ref()).await;
        let answer = match answer {
            // It was refused before anything else, so that it can be asked again.
            Err(fault) if self.target.login.is_some() && fault.is_about_token() => {
                let login = self.soon(Some(login.number)).await?;
                self.send(effect, path, &body, login.token.as_ref()).await?
            }
            answer => answer?,
        };
        read(&answer.body)
    }

    /// Finds out which version the server has.
    pub async fn look(&self) -> Result<(), Fault> {
        let status: Result<Status, _> = self
            .ask(Effect::Read, "/v3/maintenance/status", &json!({}))
            .await;
        match status {
            Ok(status) => {
                let plain = |c: &char| c.is_ascii_graphic();
                let version = status.version.chars().filter(plain).take(VERSION);
                *self.version.lock() = version.collect();
                match status.errors.first() {
                    None => Ok(()),
                    Some(error) => Err(Fault::Refused {
                        status: 503,
                        code: 14,
                        text: words(error),
                    }),
                }
            }
            // Servers differ in who may ask for their state.
            Err(Fault::Refused { code: 7 | 16, .. }) => Ok(()),
            Err(fault) => Err(fault),
        }
    }

    /// The login within the time of a request: many wait for one that is asked for, and where that fails each asks again.
    async fn soon(&self, refused: Option<u64>) -> Result<Login, Fault> {
        let login = timeout(self.target.timeout, self.login(refused)).await;
        let late = Failed::Fault {
            fault: wythe_client::Fault::Late,
            was_sent: false,
        };
        login.unwrap_or(Err(Fault::Way(late)))
    }

    /// The login as it is, or a new one where that is the one that was refused.
    async fn login(&self, refused: Option<u64>) -> Result<Login, Fault> {
        let Some((user, password)) = &self.target.login else {
            return Ok(Login::default());
        };
        let mut login = self.login.lock().await;
        if login.is_known && refused != Some(login.number) {
            return Ok(login.clone());
        }
        let body = json!({ "name": user, "password": password.0.reveal() });
        let body = Bytes::from(body.to_string());
        let answer = self.send(Effect::Read, "/v3/auth/authenticate", &body, None);
        let token = match answer.await {
            Ok(answer) => {
                let token = read::<Authenticated>(&answer.body)?.token;
                let token = HeaderValue::from_str(&token);
                let mut token = token.map_err(|_| Fault::Odd("a token of no text".to_owned()))?;
                token.set_sensitive(true);
                Some(token)
            }
            Err(fault) if fault.is_open_to_all() => None,
            Err(fault) => return Err(fault),
        };
        *login = Login {
            is_known: true,
            number: login.number.wrapping_add(1),
            token,
        };
        Ok(login.clone())
    }

    /// Sends a request to a server that answers, within the time of one request.
    async fn send(
        &self,
        effect: Effect,
        path: &'static str,
        body: &Bytes,
        token: Option<&HeaderValue>,
    ) -> Result<Answer, Fault> {
        let end = Instant::now().after(self.target.timeout);
        let mut turn = 0;
        loop {
            let at = self.first.load(Relaxed) % self.servers.len();
            let left = u32::try_from(self.servers.len() - turn).unwrap_or(1).max(1);
            let time = end.saturating_duration_since(Instant::now());
            let one = &self.servers[at];
            let ask = Ask {
                request: request(one, path, body.clone(), token),
                largest: LARGEST,
                // A server that is silent leaves time for the others, which a write has no use for.
                time: match effect {
                    Effect::Read => time / left,
                    Effect::Write => time,
                },
                is_safe: effect == Effect::Read,
                room: &mut |_| Ok(()),
            };
            let fault = match one.server.ask(ask).await {
                Ok(answer) if answer.status.is_success() => return Ok(answer),
                Ok(answer) => refusal(&answer),
                Err(failed) => Fault::Way(failed),
            };
            if fault.may_go_elsewhere(Effect::Read) {
                self.leave(at);
            }
            turn += 1;
            if turn >= self.servers.len() || !fault.may_go_elsewhere(effect) {
                return Err(fault);
            }
        }
    }

    /// Asks another server first from now on, unless somebody else has said so.
    fn leave(&self, at: usize) {
        let next = (at + 1) % self.servers.len();
        // Whoever was faster has left it, too.
        let _ = self.first.compare_exchange(at, next, Relaxed, Relaxed);
    }

    /// Begins an answer that goes on, by a connection of its own to the server that is asked first.
    pub async fn flow(&self, path: &'static str, body: &Value) -> Result<Flow, Fault> {
        let login = self.login(None).await?;
        let one = &self.servers[self.first.load(Relaxed) % self.servers.len()];
        let body = Bytes::from(body.to_string());
        let request = request(one, path, body, login.token.as_ref());
        let flow = Flow::open(&one.connector, one.uri.clone(), request).await;
        flow.map_err(|fault| {
            Fault::Way(Failed::Fault {
                fault,
                was_sent: true,
            })
        })
    }
}

fn one(connector: &Connector, url: &Url) -> Result<One> {
    let odd = || Error::invalid("endpoints: expected an address that can be sent");
    let uri: Uri = url.as_str().parse().map_err(|_| odd())?;
    Ok(One {
        server: Server::new(connector.clone(), uri.clone(), AT_ONCE),
        connector: connector.clone(),
        uri,
        host: HeaderValue::from_str(url.authority()).map_err(|_| odd())?,
    })
}

fn request(
    one: &One,
    path: &'static str,
    body: Bytes,
    token: Option<&HeaderValue>,
) -> Request<Full<Bytes>> {
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = PathAndQuery::from_static(path).into();
    let headers = request.headers_mut();
    headers.insert(HOST, one.host.clone());
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(token) = token {
        headers.insert(AUTHORIZATION, token.clone());
    }
    request
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Fault> {
    serde_json::from_slice(body).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        Fault::Odd(format!("no such JSON at line {line}, column {column}"))
    })
}

/// Words of a server, for the log.
fn words(text: &str) -> String {
    text.escape_debug().take(TEXT).collect()
}

/// The fault of an answer that is no success.
fn refusal(answer: &Answer) -> Fault {
    let status = answer.status.as_u16();
    match serde_json::from_slice::<Refusal>(&answer.body) {
        Ok(refusal) => Fault::Refused {
            status,
            code: refusal.code,
            text: match refusal.message.as_str() {
                "" => words(&refusal.error),
                message => words(message),
            },
        },
        Err(_) => Fault::Refused {
            status,
            code: 0,
            text: words(&String::from_utf8_lossy(
                &answer.body[..answer.body.len().min(TEXT)],
            )),
        },
    }
}

/// The client as one component has it, until that is closed.
pub(crate) struct Session {
    client: Arc<Client>,
    is_closed: AtomicBool,
}

impl Session {
    pub fn new(client: Arc<Client>) -> Self {
        Session {
            client,
            is_closed: AtomicBool::new(false),
        }
    }

    /// The client, while the component is open.
    pub fn client(&self) -> Result<&Arc<Client>> {
        match self.is_closed.load(Relaxed) {
            false => Ok(&self.client),
            true => Err(Error::unavailable("the component is closed")),
        }
    }

    /// The client, be the component open or not.
    pub fn known(&self) -> &Client {
        &self.client
    }

    pub fn close(&self) {
        self.is_closed.store(true, Relaxed);
    }
}

#[cfg(test)]
mod tests;
