//! The client of a service: requests that are signed as they go out, and answers with the service's word for a refusal.

use crate::{
    fault::Fault,
    settings::Account,
    sign::{self, Canonical, VERSION},
};
use bytes::Bytes;
use http::{HeaderMap, Method, Request};
use http_body_util::Full;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, SystemTime},
};
use wythe_blocks::{Clients, Error, Result, Site};
use wythe_client::{Answer, Ask, Connector, Effect, Element, Server, encode, signed};

/// Requests of a client at once, each with a connection of its own.
const AT_ONCE: usize = 64;
/// Bytes of an answer that is read as XML.
pub(crate) const LARGEST: usize = 16 << 20;
/// Bytes of a service's word for an error, and of its text for the log.
const CODE: usize = 100;
const TEXT: usize = 1_000;

/// The clients of the process, one for each tenant and account.
pub(crate) type Shared = Arc<Clients<Account, Client>>;

pub(crate) struct Client {
    pub account: Account,
    server: Server,
}

/// Draws bytes for an answer before they are held.
pub(crate) type Room<'a> = &'a mut (dyn FnMut(usize) -> Result<()> + Send);

/// One request; what is left out is nothing.
pub(crate) struct Call {
    pub method: Method,
    /// The path in percent encoding, without the account's part.
    pub path: String,
    /// The query, each name once and in lower case.
    pub query: Vec<(&'static str, String)>,
    /// Headers beside those of the signature, names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Bytes,
    pub effect: Effect,
    pub largest: usize,
    /// Time beyond that of a small request.
    pub extra: Duration,
}

impl Call {
    pub fn new(method: Method, path: String, effect: Effect) -> Self {
        Call {
            method,
            path,
            query: Vec::new(),
            headers: Vec::new(),
            body: Bytes::new(),
            effect,
            largest: LARGEST,
            extra: Duration::ZERO,
        }
    }

    /// Adds a header.
    pub fn header(&mut self, name: &str, value: impl Into<String>) {
        self.headers.push((name.to_owned(), value.into()));
    }
}

impl Client {
    fn new(account: Account) -> Self {
        let uri = account.url.as_str().parse().expect("a URL is a URI");
        Client {
            server: Server::new(Connector::new(), uri, AT_ONCE),
            account,
        }
    }

    /// Sends a request; an answer that is no success is a fault, with the service's word for it.
    pub async fn send(&self, call: Call, room: Room<'_>) -> Result<Answer, Fault> {
        let (effect, largest) = (call.effect, call.largest);
        let time = self.account.timeout.saturating_add(call.extra);
        let request = self.signed(call, SystemTime::now());
        let request = request.map_err(Fault::Unsendable)?;
        let asked = self.server.ask(Ask {
            request,
            largest,
            time,
            is_safe: effect == Effect::Read,
            room,
        });
        let answer = asked.await.map_err(Fault::Way)?;
        match answer.status.is_success() {
            true => Ok(answer),
            false => Err(refusal(&answer)),
        }
    }

    fn signed(&self, call: Call, now: SystemTime) -> Result<Request<Full<Bytes>>, String> {
        let path = format!("{}{}", self.account.root, call.path);
        let mut headers = call.headers;
        let mut add = |name: &str, value: &str| headers.push((name.to_owned(), value.to_owned()));
        add("host", self.account.authority());
        add("x-ms-date", &sign::date(now));
        add("x-ms-version", VERSION);
        if call.method != Method::GET {
            add("content-length", &call.body.len().to_string());
        }
        let canonical = Canonical {
            method: call.method.as_str(),
            path: &path,
            query: &call.query,
            headers: &headers,
        };
        let authorization = canonical.authorization(&self.account);
        let pairs = call.query.iter();
        let pairs: Vec<_> = pairs
            .map(|(name, value)| format!("{name}={}", encode(value, "")))
            .collect();
        let target = match pairs.is_empty() {
            true => path,
            false => format!("{path}?{}", pairs.join("&")),
        };
        let request = signed(call.method, &target, &headers, &authorization, call.body);
        request.map_err(str::to_owned)
    }
}

/// The text of a header, if there is one.
pub(crate) fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// The fault of an answer that is no success: its word is in a header, and again in the body where there is one.
fn refusal(answer: &Answer) -> Fault {
    let root = Element::read(&answer.body).ok();
    let of_body = |name: &str| root.as_ref()?.text(&[name]);
    let code = text(&answer.headers, "x-ms-error-code").or_else(|| of_body("Code"));
    let said = of_body("Message").unwrap_or_default();
    let is_plain = |c: &char| c.is_ascii_alphanumeric();
    Fault::Refused {
        status: answer.status.as_u16(),
        code: code
            .unwrap_or_default()
            .chars()
            .filter(is_plain)
            .take(CODE)
            .collect(),
        text: said.escape_debug().take(TEXT).collect(),
    }
}

/// The client as one component has it, until that is closed.
pub(crate) struct Session {
    client: Arc<Client>,
    is_closed: AtomicBool,
    /// Subject of the component, for operators.
    shown: String,
}

impl Session {
    /// The tenant's client of an account, which all of its components share.
    pub fn new(clients: &Shared, account: &Account, site: &Site, shown: String) -> Self {
        let make = || Client::new(account.clone());
        Session {
            client: clients.share(&site.tenant, account.clone(), make),
            is_closed: AtomicBool::new(false),
            shown,
        }
    }

    /// The client, while the component is open.
    pub fn client(&self) -> Result<&Arc<Client>> {
        match self.is_closed.load(Relaxed) {
            false => Ok(&self.client),
            true => Err(Error::unavailable("the component is closed")),
        }
    }

    /// Sends a request whose answer has a bound of its own.
    pub async fn send(&self, call: Call) -> Result<Result<Answer, Fault>> {
        Ok(self.client()?.send(call, &mut |_| Ok(())).await)
    }

    /// Adds the service to an error that an operator reads when a component opens.
    pub fn named(&self, error: Error) -> Error {
        let (authority, chain) = (self.client.account.authority(), error.chain());
        error.map_message(|_| format!("the service at {authority}: {chain}"))
    }

    pub fn describe(&self) -> Option<String> {
        let account = &self.client.account;
        let (name, authority) = (&account.name, account.authority());
        Some(format!("{} of account `{name}` at {authority}", self.shown))
    }

    pub fn close(&self) {
        self.is_closed.store(true, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderValue, StatusCode};

    fn of(header: Option<&'static str>, body: &str) -> (String, String) {
        let mut headers = HeaderMap::new();
        if let Some(code) = header {
            headers.insert("x-ms-error-code", HeaderValue::from_static(code));
        }
        let answer = Answer {
            status: StatusCode::BAD_REQUEST,
            headers,
            body: body.to_owned().into(),
        };
        match refusal(&answer) {
            Fault::Refused { code, text, .. } => (code, text),
            _ => panic!("a refusal"),
        }
    }

    #[test]
    fn a_refusal_is_read_from_its_header_or_its_body() {
        let body = "<?xml version=\"1.0\"?><Error><Code>NotThere</Code><Message>no\nsuch</Message></Error>";
        let expected = ("NotThere".to_owned(), "no\\nsuch".to_owned());
        assert_eq!(of(None, body), expected);
        assert_eq!(of(Some("NotThere"), "").0, expected.0);
        assert_eq!(of(None, "<html>"), (String::new(), String::new()));
        let (code, _) = of(Some("a`b c"), "");
        assert_eq!(code, "abc");
    }
}
