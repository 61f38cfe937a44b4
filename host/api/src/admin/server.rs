//! The control socket: commands as requests of HTTP, from its owner and from root, and from no page in a browser.

use super::{
    Answer, Command, execute,
    host::{House, Whose},
    is_trusted,
    memory::{ALL, End, MAX, Memory, Whole},
    process, traces,
    wire::{Path, Refusal},
};
use crate::serve::{Client, Front, Manner, Plain};
use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, header, request::Parts,
};
use hyper::body::Incoming;
use std::{io, net::IpAddr, sync::Arc, time::Duration};
use tokio::net::{UnixListener, UnixStream};
use wythe_blocks::{
    Body, Error, Tenant, body_from,
    connections::{Allowed, Connections, Listener},
};

/// Connections at once: each is one command of one person.
const CONNECTIONS: usize = 16;
/// Time for a client to read its answer.
const WRITE: Duration = Duration::from_secs(10);
/// Time for commands that are under way when the host stops.
const DRAIN: Duration = Duration::from_millis(500);
/// The only host of a request.
const HOST: &str = "localhost";
const JSON: &str = "application/json";
/// The header that names the tenant of a command, where there is more than one.
pub const TENANT: &str = "wythe-tenant";

/// Answers commands until the host stops. The listener is the socket of `owner`, which nobody else may open.
pub async fn serve(house: House, listener: UnixListener, owner: u32) {
    let memory = Memory::new(ALL);
    let desk = Desk { house, memory };
    desk.serve(listener, owner).await;
}

/// A socket of which only connections of its owner and of root come out.
struct Trusted {
    listener: UnixListener,
    owner: u32,
}

impl Listener for Trusted {
    type Stream = UnixStream;

    async fn next(&self) -> io::Result<(UnixStream, Option<IpAddr>)> {
        loop {
            let (stream, peer) = self.listener.next().await?;
            if is_trusted(&stream, self.owner) {
                return Ok((stream, peer));
            }
            tracing::warn!("somebody else's connection to the control socket was refused");
        }
    }
}

/// The place where commands are read and done.
struct Desk {
    house: House,
    memory: Memory,
}

/// A request that has no answer but the reason.
struct Refused {
    status: StatusCode,
    error: Error,
    allow: Option<&'static str>,
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Refused::new(error.kind().status(), error)
    }
}

impl From<End> for Refused {
    fn from(end: End) -> Self {
        match end {
            End::TooLong => Refused::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                Error::invalid(format!("the command has more than {MAX} bytes")),
            ),
            End::Full => Error::exhausted(format!(
                "the commands and answers under way have {ALL} bytes in all; try again in a moment"
            ))
            .into(),
            End::Slow => Refused::new(
                StatusCode::REQUEST_TIMEOUT,
                Error::invalid("the command comes too slowly"),
            ),
            End::Early => Error::invalid("the command ended early").into(),
        }
    }
}

impl Refused {
    fn new(status: StatusCode, error: Error) -> Self {
        Refused {
            status,
            error,
            allow: None,
        }
    }

    fn response(self) -> Response<Body> {
        let refusal = Refusal {
            error: self.error.kind().as_str().to_owned(),
            message: self.error.message().to_owned(),
        };
        let mut body = serde_json::to_vec(&refusal).unwrap_or_default();
        body.push(b'\n');
        let mut response = json(body_from(body));
        *response.status_mut() = self.status;
        if let Some(allow) = self.allow {
            let allow = HeaderValue::from_static(allow);
            response.headers_mut().insert(header::ALLOW, allow);
        }
        response
    }
}

impl Desk {
    async fn serve(self, listener: UnixListener, owner: u32) {
        let tasks = self.house.host.tasks().clone();
        let stopping = tasks.stopping();
        let front = Front {
            listener: Trusted { listener, owner },
            connections: Connections::new("control socket", Allowed::unshared(CONNECTIONS)),
            tasks,
            manner: || Manner::Commands { whole: WRITE },
            layer: Plain,
        };
        let desk = Arc::new(self);
        let service = move |request, _: Client| {
            let desk = desk.clone();
            async move { desk.answer(request).await }
        };
        front.serve(service, stopping, DRAIN).await;
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let answered = match self.reply(request).await {
            Ok(answer) => self.held(&answer),
            Err(refused) => Err(refused),
        };
        let response = answered.map(|whole| json(body_from(Bytes::from_owner(whole))));
        response.unwrap_or_else(Refused::response)
    }

    async fn reply(&self, request: Request<Incoming>) -> Result<Answer, Refused> {
        let (head, body) = request.into_parts();
        let path = path_of(&head)?;
        let body = self.memory.read(body).await?;
        let command = path.command(body.as_ref()).map_err(|error| {
            Error::invalid(format!(
                "the command is not understood: {error}; is the host of another version?"
            ))
        })?;
        let _held = body.held();
        let named = tenant_of(&head.headers)?;
        Ok(match command {
            Command::Host(action) => self.house.execute(action).await?,
            _ => match self.house.whose(named)? {
                Whose::Here(tenant) => self.execute(&tenant, command).await?,
                Whose::There(process) => process::ask(&process, &command).await?,
            },
        })
    }

    async fn execute(&self, tenant: &Tenant, command: Command) -> Result<Answer, Error> {
        match command {
            Command::Traces(action) => traces::execute(&self.house.host, tenant, action),
            command => execute(tenant, command).await,
        }
    }

    fn held(&self, answer: &Answer) -> Result<Whole, Refused> {
        let mut text = serde_json::to_vec(answer)
            .map_err(|error| Error::internal("the answer is no JSON").with_source(error))?;
        text.push(b'\n');
        Ok(self.memory.hold(text).ok_or(End::Full)?)
    }
}

fn json(body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    let kind = HeaderValue::from_static(JSON);
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

/// The command that a request is for, before anything of its body is read.
fn path_of(head: &Parts) -> Result<Path, Refused> {
    refuse_browsers(head)?;
    let path = head.uri.path();
    let found = Path::find(path).filter(|_| head.uri.query().is_none());
    let found = found.ok_or_else(|| {
        let path = path.escape_debug();
        Error::not_found(format!(
            "the host knows no command {path}; is it of another version?"
        ))
    })?;
    if head.method != found.method() {
        let method = found.method();
        return Err(Refused {
            allow: Some(method),
            ..Refused::new(
                StatusCode::METHOD_NOT_ALLOWED,
                Error::invalid(format!("the method of this path; expected {method}")),
            )
        });
    }
    let length = head.headers.get(header::CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > MAX as u64) {
        return Err(End::TooLong.into());
    }
    if found != Path::Ping && !is_json(&head.headers) {
        return Err(Refused::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Error::invalid(format!("the content type of a command; expected {JSON}")),
        ));
    }
    Ok(found)
}

/// A page can make a browser send a request wherever something forwards to this socket. It cannot leave out these
/// headers, nor name another host than its own.
fn refuse_browsers(head: &Parts) -> Result<(), Error> {
    let is_browsers = |name: &HeaderName| {
        [header::ORIGIN, header::REFERER].contains(name) || name.as_str().starts_with("sec-")
    };
    if head.headers.keys().any(is_browsers) {
        return Err(Error::denied("a page in a browser gives no commands"));
    }
    let mut hosts = head.headers.get_all(header::HOST).iter();
    let is_named = hosts.next().is_some_and(|host| host == HOST) && hosts.next().is_none();
    let target = head.uri.authority();
    if is_named && target.is_none_or(|target| target.as_str() == HOST) {
        return Ok(());
    }
    Err(Error::denied(format!(
        "the request is for another host; expected http://{HOST}/"
    )))
}

fn tenant_of(headers: &HeaderMap) -> Result<Option<&str>, Error> {
    let named = headers.get(TENANT).map(HeaderValue::to_str).transpose();
    named.map_err(|_| Error::invalid(format!("the header `{TENANT}`; expected a tenant's name")))
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok());
    let kind = kind.and_then(|kind| kind.split(';').next());
    kind.is_some_and(|kind| kind.trim().eq_ignore_ascii_case(JSON))
}

#[cfg(test)]
mod tests;
