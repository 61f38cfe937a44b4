//! The whole of the invocation block's rules: who may call whom, what a good path is, and how an answer comes back.

mod access;
mod converted;
#[cfg(any(fuzzing, test))]
pub(crate) mod fuzzing;
mod guarded;
mod path;
#[cfg(test)]
mod tests;

pub use access::AccessPolicies;
pub use path::Path;

use crate::{
    App, Body, CALL, Call, Error, Origin, Resiliency, Result, body_from, error::Cut,
    resiliency::Target,
};
use arc_swap::ArcSwap;
use bytes::Bytes;
use futures::future::join_all;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri,
    header::{CONNECTION, CONTENT_LENGTH, TE, TRAILER, TRANSFER_ENCODING, UPGRADE},
};
use http_body_util::{BodyExt, Limited};
use std::{collections::HashMap, sync::Arc};
use wythe_manifest::{Aim, Name};

/// Bytes of a body that is not streamed.
pub const MAX_BODY: usize = 4 << 20;
/// Calls of one `invoke-many`.
pub const MAX_CALLS: usize = 64;
/// The authority of an app inside the host, after its id.
pub const INTERNAL_SUFFIX: &str = ".wythe.internal";

/// The app that calls, as the callee may trust it: the host removes what a guest sets.
pub const CALLER_APP: HeaderName = HeaderName::from_static("dapr-caller-app-id");
pub const CALLER_NAMESPACE: HeaderName = HeaderName::from_static("dapr-caller-namespace");
/// The address of a client, which a host that passes a request on tells the process of its tenant.
pub const CLIENT: HeaderName = HeaderName::from_static("wythe-client");
/// The header in which the host names the client by its certificate.
pub const CLIENT_NAME: HeaderName = HeaderName::from_static("wythe-client-name");
/// The header by which a client shows the token of a project, which no app is given.
pub const API_TOKEN: HeaderName = HeaderName::from_static("dapr-api-token");
/// The headers in which only hosts speak of a call.
pub(crate) const HOST_SPEAKS: [HeaderName; 5] =
    [CALLER_APP, CALLER_NAMESPACE, CALL, CLIENT, CLIENT_NAME];
/// The trace of a request, which the host sets.
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// Headers of one call, fewer than the map of them would panic at.
const MAX_HEADERS: usize = 1_000;

#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    pub path: String,
    pub headers: Vec<(String, Bytes)>,
    pub body: Bytes,
}

#[derive(Clone, Debug)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<(String, Bytes)>,
    pub body: Bytes,
}

/// A request whose method and path were parsed: policies judged them, and the callee is given them.
#[derive(Clone)]
struct Parsed {
    method: Method,
    path: Path,
    headers: Vec<(String, Bytes)>,
    body: Bytes,
}

impl Parsed {
    fn parse(request: Request) -> Result<Self> {
        let method = request.method.parse().map_err(|_| {
            Error::invalid(format!(
                "the method `{}`; expected one such as GET",
                Cut(request.method.escape_debug())
            ))
        })?;
        Ok(Parsed {
            method,
            path: Path::parse(request.path)?,
            headers: request.headers,
            body: request.body,
        })
    }
}

type Apps = HashMap<Name, Callable>;

/// An app, and the policies of calls of it.
#[derive(Clone)]
struct Callable {
    app: Arc<App>,
    target: Arc<Target>,
}

/// The invocation block: every app of the tenant, by id.
pub struct Invocation {
    apps: ArcSwap<Apps>,
    policies: Arc<Resiliency>,
    access: Arc<AccessPolicies>,
}

impl Invocation {
    /// The block without apps yet, which others call under these policies.
    pub fn new(policies: Arc<Resiliency>, access: AccessPolicies) -> Self {
        Invocation {
            apps: ArcSwap::default(),
            policies,
            access: Arc::new(access),
        }
    }

    /// The policies of who may call what.
    pub fn access(&self) -> &Arc<AccessPolicies> {
        &self.access
    }

    /// Makes an app callable, in place of one with the same id.
    pub fn add(&self, app: &Arc<App>) {
        let callee = Callable {
            target: self.policies.target(Aim::App, app.id().as_str(), ""),
            app: app.clone(),
        };
        self.apps.rcu(|apps| {
            let mut apps = Apps::clone(apps);
            apps.insert(app.id().clone(), callee.clone());
            apps
        });
    }

    /// Makes an app that is gone unknown, unless another one has its id by now.
    pub(crate) fn remove(&self, app: &Arc<App>) {
        self.apps.rcu(|apps| {
            let mut apps = Apps::clone(apps);
            if apps
                .get(app.id())
                .is_some_and(|known| Arc::ptr_eq(&known.app, app))
            {
                apps.remove(app.id());
            }
            apps
        });
    }

    /// Forgets every app: none can be called any more.
    pub(crate) fn clear(&self) {
        self.apps.store(Arc::default());
    }

    /// The callee's answer, whatever its status; an error means that it gave none.
    pub async fn invoke(&self, caller: &Call, app: &str, request: Request) -> Result<Response> {
        let callee = self.find(caller, app)?;
        let asked = Parsed::parse(request)?;
        self.access
            .require(caller, app, &asked.method, &asked.path)?;
        if asked.body.len() > MAX_BODY {
            return Err(Error::invalid(format!(
                "a body of {} bytes; expected at most {MAX_BODY}; stream larger ones by HTTP to {app}{INTERNAL_SUFFIX}",
                asked.body.len()
            )));
        }
        caller.charge(asked.body.len())?;
        let answer = match callee.target.guard(caller.app_id()) {
            None => self.ask(caller, callee.app, app, asked).await?,
            Some(guard) => {
                let answer = self.ask_guarded(caller, (&callee, &guard), app, asked);
                Box::pin(answer).await?
            }
        };
        caller.charge(answer.body.len())?;
        Ok(answer)
    }

    async fn ask(
        &self,
        caller: &Call,
        callee: Arc<App>,
        app: &str,
        asked: Parsed,
    ) -> Result<Response> {
        if callee.exports().invocation {
            let headers = parse_headers(&asked.headers)?;
            let request = Request {
                method: asked.method.as_str().to_owned(),
                path: asked.path.as_str().to_owned(),
                headers: list_headers(&headers),
                body: asked.body,
            };
            return callee.invoke(caller, request).await;
        }
        // Boxed, so that the future of the call above stays small.
        Box::pin(self.ask_http(caller, callee, app, asked)).await
    }

    /// Asks by HTTP an app that knows no other way.
    async fn ask_http(
        &self,
        caller: &Call,
        callee: Arc<App>,
        app: &str,
        asked: Parsed,
    ) -> Result<Response> {
        let mut http = http::Request::new(body_from(asked.body));
        *http.method_mut() = asked.method;
        *http.headers_mut() = unframed(parse_headers(&asked.headers)?);
        let answer = self.send(caller, callee, (app, asked.path), http);
        answer.await?.buffered().await
    }

    /// One result per call, in order, all at once.
    pub async fn invoke_many(
        &self,
        caller: &Call,
        calls: Vec<(String, Request)>,
    ) -> Vec<Result<Response>> {
        if calls.len() > MAX_CALLS {
            let error = Error::invalid(format!(
                "{} calls at once; at most {MAX_CALLS} are allowed",
                calls.len()
            ));
            return calls.iter().map(|_| Err(error.duplicate())).collect();
        }
        join_all(
            calls
                .into_iter()
                .map(|(app, request)| async move { self.invoke(caller, &app, request).await }),
        )
        .await
    }

    /// One HTTP request to an app of this host, streamed both ways, with no socket between.
    pub async fn http(
        &self,
        caller: &Call,
        app: &str,
        request: http::Request<Body>,
    ) -> Result<http::Response<Body>> {
        let callee = self.find(caller, app)?;
        let path = Path::of(request.uri())?;
        self.access.require(caller, app, request.method(), &path)?;
        match callee.target.guard(caller.app_id()) {
            None => Ok(self.send(caller, callee.app, (app, path), request).await?.0),
            Some(guard) => {
                let sent = self.send_guarded(caller, (&callee, &guard), (app, path), request);
                Box::pin(sent).await
            }
        }
    }

    async fn send(
        &self,
        caller: &Call,
        callee: Arc<App>,
        (app, path): (&str, Path),
        mut request: http::Request<Body>,
    ) -> Result<Answer> {
        if !callee.exports().http {
            return Err(Error::unsupported(format!(
                "app `{app}` exports neither wasi:http/incoming-handler nor wythe:blocks/invocation-handler"
            )));
        }
        let authority = format!("{app}{INTERNAL_SUFFIX}");
        let headers = request.headers_mut();
        strip(headers);
        headers.insert(http::header::HOST, value(&authority)?);
        headers.insert(CALLER_APP, value(caller.app_id().as_str())?);
        headers.insert(CALLER_NAMESPACE, value(caller.tenant().as_str())?);
        *request.uri_mut() = Uri::builder()
            .scheme("http")
            .authority(authority)
            .path_and_query(path.into_inner())
            .build()
            .map_err(|error| Error::invalid(format!("the path of a call to `{app}`: {error}")))?;
        let method = request.method().clone();
        let response = callee.http(Origin::Call(caller), request).await?;
        settled(&method, response).map(Answer)
    }

    fn find(&self, caller: &Call, app: &str) -> Result<Callable> {
        let what = format_args!("to invoke `{app}`");
        caller.require_grant(|grants| grants.invoke(app), what, "invoke", app)?;
        let missing = || Error::not_found(format!("no app `{app}` for app `{}`", caller.app_id()));
        self.apps.load().get(app).cloned().ok_or_else(missing)
    }
}

/// An answer as it would come over the wire: a final one, and without content where HTTP has none (RFC 9110 6.4.1).
pub fn settled(method: &Method, response: http::Response<Body>) -> Result<http::Response<Body>> {
    let status = response.status();
    if status.is_informational() {
        return Err(Error::internal(format!(
            "the app answered {status}, which is no final answer; expected 200 to 599"
        )));
    }
    let is_empty = [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED].contains(&status);
    if !is_empty && method != Method::HEAD {
        return Ok(response);
    }
    let mut response = response.map(|_| body_from(Bytes::new()));
    response.headers_mut().remove(TRANSFER_ENCODING);
    if status == StatusCode::NO_CONTENT {
        response.headers_mut().remove(CONTENT_LENGTH);
    }
    Ok(response)
}

/// Removes headers that speak of a connection, of which there is none, or of the length of a body that is there.
fn unframed(mut headers: HeaderMap) -> HeaderMap {
    headers.remove(CONTENT_LENGTH);
    headers.remove(TRAILER);
    disconnect(&mut headers);
    headers
}

/// Removes the headers that speak of the connection on which they came (RFC 9110, section 7.6.1).
pub fn disconnect(headers: &mut HeaderMap) {
    let listed = headers.get_all(CONNECTION).iter();
    let listed = listed.filter_map(|names| names.to_str().ok());
    let listed: Vec<HeaderName> = listed
        .flat_map(|names| names.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    let known = [
        CONNECTION,
        HeaderName::from_static("keep-alive"),
        HeaderName::from_static("proxy-connection"),
        TE,
        TRANSFER_ENCODING,
        UPGRADE,
    ];
    for name in listed.into_iter().chain(known) {
        headers.remove(name);
    }
}

struct Answer(http::Response<Body>);

impl Answer {
    async fn buffered(self) -> Result<Response> {
        let (head, body) = self.0.into_parts();
        let body = Limited::new(body, MAX_BODY)
            .collect()
            .await
            .map_err(|error| match error.downcast::<Error>() {
                Ok(error) => *error,
                Err(_) => Error::invalid(format!(
                    "the answer has more than {MAX_BODY} bytes; stream it by HTTP"
                )),
            })?;
        Ok(Response {
            status: head.status.as_u16(),
            headers: list_headers(&head.headers),
            body: body.to_bytes(),
        })
    }
}

fn value(text: &str) -> Result<HeaderValue> {
    HeaderValue::from_str(text)
        .map_err(|error| Error::internal("a header of the host's own").with_source(error))
}

/// Removes the headers in which only hosts speak of a call, also with `_`, which many libraries for apps read as `-`.
pub fn strip(headers: &mut HeaderMap) {
    for name in HOST_SPEAKS {
        headers.remove(name);
    }
    let is_alike = |name: &&HeaderName| {
        let name = name.as_str();
        let is = |own: HeaderName| own == name.replace('_', "-").as_str();
        name.contains('_') && HOST_SPEAKS.into_iter().any(is)
    };
    let alike: Vec<HeaderName> = headers.keys().filter(is_alike).cloned().collect();
    for name in alike {
        headers.remove(name);
    }
}

/// Headers in which the host speaks are not taken from a guest.
fn parse_headers(headers: &[(String, Bytes)]) -> Result<HeaderMap> {
    if headers.len() > MAX_HEADERS {
        return Err(Error::invalid(format!(
            "{} headers; expected at most {MAX_HEADERS}",
            headers.len()
        )));
    }
    let mut map = HeaderMap::with_capacity(headers.len());
    for (name, value) in headers {
        let bad = || {
            Error::invalid(format!(
                "the header `{}`; expected an HTTP name and value",
                Cut(name.escape_debug())
            ))
        };
        let parsed = HeaderName::try_from(name.as_str()).map_err(|_| bad())?;
        let value = HeaderValue::from_bytes(value).map_err(|_| bad())?;
        map.append(parsed, value);
    }
    strip(&mut map);
    Ok(map)
}

fn list_headers(headers: &HeaderMap) -> Vec<(String, Bytes)> {
    headers
        .iter()
        .map(|(name, value)| (name.to_string(), Bytes::copy_from_slice(value.as_bytes())))
        .collect()
}
