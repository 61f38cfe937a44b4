//! The client of a service: requests that are signed as they go out, and answers in the three forms that services have.

use crate::{
    fault::Fault,
    settings::Target,
    sign::{self, Canonical, Scope, Stamp},
};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, header, uri::PathAndQuery};
use http_body_util::Full;
use serde_json::Value;
use std::{
    sync::Arc,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    time::{Duration, SystemTime},
};
use wythe_blocks::{Clients, Error, Result, Site};
use wythe_client::{Answer, Ask, Connector, Effect, Element, Server};

/// Requests of a client at once, each with a connection of its own.
const AT_ONCE: usize = 64;
/// Bytes of an answer that is read as JSON or XML.
pub(crate) const LARGEST: usize = 16 << 20;
/// Bytes of a service's word for an error, and of its text for the log.
const CODE: usize = 100;
const TEXT: usize = 1_000;

/// The clients of the process, one for each tenant and target.
pub(crate) type Shared = Arc<Clients<Target, Client>>;

/// The client of a component: the tenant's own for that target.
pub(crate) fn shared(clients: &Shared, target: &Target, site: &Site) -> Arc<Client> {
    clients.share(&site.tenant, target.clone(), || Client::new(target.clone()))
}

pub(crate) struct Client {
    pub target: Target,
    server: Server,
}

/// Draws bytes for an answer before they are held.
pub(crate) type Room<'a> = &'a mut (dyn FnMut(usize) -> Result<()> + Send);

/// One request; what is left out is nothing.
pub(crate) struct Call<'a> {
    pub service: &'static str,
    pub method: Method,
    /// The path in percent encoding.
    pub path: &'a str,
    pub query: Vec<(String, String)>,
    /// Headers beside those of the signature, names in lower case.
    pub headers: Vec<(&'static str, String)>,
    pub body: Bytes,
    pub effect: Effect,
    pub largest: usize,
    /// Time beyond that of a plain request, for a service that waits before it answers.
    pub extra: Duration,
}

impl Call<'_> {
    pub fn new(service: &'static str, effect: Effect) -> Self {
        Call {
            service,
            method: Method::POST,
            path: "/",
            query: Vec::new(),
            headers: Vec::new(),
            body: Bytes::new(),
            effect,
            largest: LARGEST,
            extra: Duration::ZERO,
        }
    }
}

/// An operation of a service that speaks JSON.
#[derive(Clone, Copy)]
pub(crate) struct Operation<'a> {
    pub service: &'static str,
    /// The name before the operation's, such as `AmazonSQS`.
    pub prefix: &'static str,
    pub version: &'static str,
    pub name: &'a str,
    pub effect: Effect,
    pub extra: Duration,
}

impl Client {
    fn new(target: Target) -> Self {
        let uri = target.url.as_str().parse().expect("a URL is a URI");
        Client {
            server: Server::new(Connector::new(), uri, AT_ONCE),
            target,
        }
    }

    /// Adds the service to an error that an operator reads when a component opens.
    pub fn named(&self, error: Error) -> Error {
        let (authority, chain) = (self.target.authority(), error.chain());
        error.map_message(|_| format!("the service at {authority}: {chain}"))
    }

    /// Sends a request; an answer that is no success is a fault, with the service's word for it.
    pub async fn send(&self, call: Call<'_>, room: Room<'_>) -> Result<Answer, Fault> {
        let (effect, largest) = (call.effect, call.largest);
        let time = self.target.timeout.saturating_add(call.extra);
        let request = self.signed(call, SystemTime::now()).map_err(Fault::Odd)?;
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

    /// Asks a service that speaks JSON.
    pub async fn json(&self, operation: Operation<'_>, body: &Value) -> Result<Value, Fault> {
        let mut call = Call::new(operation.service, operation.effect);
        call.headers = vec![
            (
                "content-type",
                format!("application/x-amz-json-{}", operation.version),
            ),
            (
                "x-amz-target",
                format!("{}.{}", operation.prefix, operation.name),
            ),
        ];
        call.body = body.to_string().into();
        call.extra = operation.extra;
        let answer = self.send(call, &mut |_| Ok(())).await?;
        match answer.body.is_empty() {
            true => Ok(Value::Null),
            false => {
                serde_json::from_slice(&answer.body).map_err(|error| Fault::Odd(place(&error)))
            }
        }
    }

    /// Asks a service that takes forms and answers in XML; the answer is the operation's result.
    pub async fn form(
        &self,
        service: &'static str,
        effect: Effect,
        fields: &[(String, String)],
    ) -> Result<Element, Fault> {
        let mut call = Call::new(service, effect);
        let kind = "application/x-www-form-urlencoded; charset=utf-8";
        call.headers = vec![("content-type", kind.to_owned())];
        call.body = sign::query(fields).into();
        let answer = self.send(call, &mut |_| Ok(())).await?;
        Element::read(&answer.body).map_err(Fault::Odd)
    }

    /// The query by which somebody without a key may send a request for so many seconds.
    pub fn presigned(&self, service: &str, path: &str, seconds: u64) -> String {
        let headers = [("host".to_owned(), self.target.authority().to_owned())];
        let canonical = Canonical {
            method: "GET",
            path,
            query: &[],
            headers: &headers,
            payload: sign::UNSIGNED,
        };
        let stamp = Stamp::of(SystemTime::now());
        canonical.presigned(
            &self.target.credentials,
            self.scope(service),
            &stamp,
            seconds,
        )
    }

    fn scope<'a>(&'a self, service: &'a str) -> Scope<'a> {
        Scope {
            region: &self.target.region,
            service,
        }
    }

    fn signed(&self, call: Call<'_>, now: SystemTime) -> Result<Request<Full<Bytes>>, String> {
        let (stamp, payload) = (Stamp::of(now), sign::hash(&call.body));
        let credentials = &self.target.credentials;
        let own = call.headers.into_iter();
        let own = own.map(|(name, value)| (name.to_owned(), value));
        let mut headers: Vec<(String, String)> = own.collect();
        let mut add = |name: &str, value: &str| headers.push((name.to_owned(), value.to_owned()));
        add("host", self.target.authority());
        add("x-amz-date", &stamp.time);
        add("x-amz-content-sha256", &payload);
        if let Some(token) = &credentials.token {
            add("x-amz-security-token", token.0.reveal());
        }
        let canonical = Canonical {
            method: call.method.as_str(),
            path: call.path,
            query: &call.query,
            headers: &headers,
            payload: &payload,
        };
        let authorization = canonical.authorization(credentials, self.scope(call.service), &stamp);
        let target = match call.query.is_empty() {
            true => call.path.to_owned(),
            false => format!("{}?{}", call.path, sign::query(&call.query)),
        };
        let target: PathAndQuery = target.parse().map_err(|_| "the path is too long")?;
        let mut request = Request::new(Full::new(call.body));
        *request.method_mut() = call.method;
        *request.uri_mut() = target.into();
        for (name, value) in &headers {
            let name: HeaderName = name.parse().map_err(|_| "a header that cannot be sent")?;
            let value: HeaderValue = value.parse().map_err(|_| "a header that cannot be sent")?;
            request.headers_mut().insert(name, value);
        }
        let mut value: HeaderValue = authorization
            .parse()
            .map_err(|_| "a key that cannot be sent")?;
        value.set_sensitive(true);
        request.headers_mut().insert(header::AUTHORIZATION, value);
        Ok(request)
    }
}

/// The fault of an answer that is no success, in whichever form the service has it.
fn refusal(answer: &Answer) -> Fault {
    let (code, text) = of_json(&answer.body)
        .or_else(|| of_xml(&answer.body))
        .unwrap_or_default();
    let is_plain = |c: &char| c.is_ascii_alphanumeric() || *c == '.';
    Fault::Refused {
        status: answer.status.as_u16(),
        code: code.chars().filter(is_plain).take(CODE).collect(),
        text: text.escape_debug().take(TEXT).collect(),
    }
}

fn of_json(body: &[u8]) -> Option<(String, String)> {
    let value: Value = serde_json::from_slice(body).ok()?;
    let text = |name: &str| value.get(name).and_then(Value::as_str);
    // A service may put its own name before the word, and an address behind it.
    let code = text("__type").or_else(|| text("code"))?;
    let code = code.rsplit('#').next()?.split(':').next()?;
    let said = text("message")
        .or_else(|| text("Message"))
        .unwrap_or_default();
    Some((code.to_owned(), said.to_owned()))
}

fn of_xml(body: &[u8]) -> Option<(String, String)> {
    let root = Element::read(body).ok()?;
    let error = root.find(&["Error"]).unwrap_or(&root);
    let code = error.text(&["Code"])?;
    let said = error.text(&["Message"]).unwrap_or_default();
    Some((code.to_owned(), said.to_owned()))
}

/// The place of what is wrong in JSON, without a word of it.
fn place(error: &serde_json::Error) -> String {
    format!(
        "no JSON at line {}, column {}",
        error.line(),
        error.column()
    )
}

/// The client as one component has it, until that is closed.
pub(crate) struct Session {
    client: Arc<Client>,
    is_closed: AtomicBool,
    /// Subject of the component, for operators.
    shown: String,
}

impl Session {
    pub fn new(client: Arc<Client>, shown: String) -> Self {
        Session {
            client,
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

    pub fn describe(&self) -> Option<String> {
        let target = &self.client.target;
        let (authority, region) = (target.authority(), &target.region);
        Some(format!("{} at {authority}, region {region}", self.shown))
    }

    pub fn close(&self) {
        self.is_closed.store(true, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::StatusCode;

    fn of(body: &str) -> (String, String) {
        let answer = Answer {
            status: StatusCode::BAD_REQUEST,
            headers: http::HeaderMap::new(),
            body: body.to_owned().into(),
        };
        match refusal(&answer) {
            Fault::Refused { code, text, .. } => (code, text),
            _ => panic!("a refusal"),
        }
    }

    #[test]
    fn a_refusal_is_read_in_each_form() {
        let expected = ("NotThere".to_owned(), "no such".to_owned());
        for body in [
            r#"{"__type":"com.amazonaws.x#NotThere","message":"no such"}"#,
            r#"{"__type":"NotThere:http://internal/","Message":"no such"}"#,
            "<Error><Code>NotThere</Code><Message>no such</Message></Error>",
            "<E><Error><Type>Sender</Type><Code>NotThere</Code><Message>no such</Message></Error></E>",
        ] {
            assert_eq!(of(body), expected, "{body}");
        }
        assert_eq!(of("<html>"), (String::new(), String::new()));
        let long = format!(r#"{{"__type":"{}","message":"a\nb"}}"#, "x`".repeat(1_000));
        let (code, text) = of(&long);
        assert_eq!((code.len(), text.as_str()), (CODE, "a\\nb"));
    }
}
