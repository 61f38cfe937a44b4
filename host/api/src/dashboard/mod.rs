//! The dashboard: pages over the commands of the control socket, for a browser of the operator's.
//!
//! It is a client of the host as the commands of `wythe` are, and has no way of its own into it: what a page shows is an
//! answer of [`admin`](crate::admin), and what a form does is a command.

pub(crate) mod act;
mod answer;
mod desk;
mod frame;
mod gate;
mod link;
mod pages;
mod text;
mod watch;

pub use desk::Ask;

use crate::serve::{Client, Front, Manner, Plain};
use answer::{Reply, page};
use desk::Desk;
use frame::Frame;
use gate::{Gate, Visitor, check_form, check_origin, check_site};
use http::{Method, Request, Response, request::Parts};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use link::Fields;
use std::{sync::Arc, time::Duration};
use tokio::{net::TcpListener, sync::Semaphore};
use tokio_util::sync::CancellationToken;
use wythe_blocks::{
    Body, Error, Result, Tasks,
    connections::{Allowed, Connections},
};

/// Connections at once: those of some browsers.
const CONNECTIONS: usize = 64;
/// Requests of visitors that are answered at once; others wait.
const REQUESTS: usize = 16;
/// Time for which a client may take none of its answer.
const SILENCE: Duration = Duration::from_secs(30);
/// Time for answers that are under way when the dashboard stops.
const DRAIN: Duration = Duration::from_millis(500);
/// Time for the whole of a form to come.
const FORM_TIME: Duration = Duration::from_secs(10);
/// Bytes of a form, and of the one that opens the gate.
const FORM: usize = 1 << 20;
const LOGIN: usize = 4 << 10;

/// A dashboard of one host.
pub struct Dashboard {
    gate: Gate,
    host: Arc<dyn Ask>,
    requests: Semaphore,
}

impl Dashboard {
    /// A dashboard that this token opens, asked by one of these hosts: each as `Host` says it, with the port.
    pub fn new(token: &str, hosts: Vec<String>, host: Arc<dyn Ask>) -> Result<Self> {
        Ok(Dashboard {
            gate: Gate::new(token, hosts)?,
            host,
            requests: Semaphore::new(REQUESTS),
        })
    }

    /// Serves until `stop`.
    pub async fn serve(self, listener: TcpListener, tasks: &Tasks, stop: CancellationToken) {
        tasks.spawn(watch::traces(self.host.clone(), stop.clone()));
        let front = Front {
            listener,
            connections: Connections::new("dashboard", Allowed::unshared(CONNECTIONS)),
            tasks: tasks.clone(),
            manner: || Manner::Web { silence: SILENCE },
            layer: Plain,
        };
        let dashboard = Arc::new(self);
        let service = move |request: Request<Incoming>, _: Client| {
            let dashboard = dashboard.clone();
            async move { dashboard.answer(request).await }
        };
        front.serve(service, stop, DRAIN).await;
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let (head, body) = request.into_parts();
        let reply = self.reply(&head, body).await;
        reply.unwrap_or_else(|error| self.refusal(&error)).secured()
    }

    async fn reply(&self, head: &Parts, body: Incoming) -> Result<Reply> {
        self.gate.check_host(head)?;
        let is_read = matches!(head.method, Method::GET | Method::HEAD);
        let path = head.uri.path();
        if let Some(file) = answer::file(path).filter(|_| is_read) {
            return Ok(file);
        }
        let base = self.gate.base();
        match path.strip_prefix(&base) {
            Some(rest) if is_read => self.read(head, rest).await,
            Some(rest) if head.method == Method::POST => self.write(head, body, rest).await,
            None if path == "/" && is_read => self.enter(head),
            None if path == "/" && head.method == Method::POST => self.log_in(head, body).await,
            _ => Err(Error::not_found("the dashboard has no such page")),
        }
    }

    /// The page before the gate, or, with the token in the query, the way behind it.
    fn enter(&self, head: &Parts) -> Result<Reply> {
        let query = Fields::new(head.uri.query().unwrap_or_default().as_bytes());
        match query.get("token") {
            Some(token) => Ok(answer::entered(&self.gate.base(), self.gate.enter(token)?)),
            None => Ok(Reply::html(answer::login(None))),
        }
    }

    async fn log_in(&self, head: &Parts, body: Incoming) -> Result<Reply> {
        check_origin(head)?;
        let form = form(body, LOGIN).await?;
        let cookie = self.gate.enter(form.get("token").unwrap_or_default())?;
        Ok(answer::entered(&self.gate.base(), cookie))
    }

    fn visitor(&self, head: &Parts) -> Result<Visitor> {
        let visitor = self.gate.visitor(&head.headers);
        visitor.ok_or_else(|| Error::denied("log in first, by the token of the dashboard"))
    }

    /// Answers with a page behind the gate.
    async fn read(&self, head: &Parts, path: &str) -> Result<Reply> {
        check_site(&head.headers)?;
        let visitor = self.visitor(head)?;
        let _request = self.requests.acquire().await;
        let base = self.gate.base();
        let mut desk = Desk {
            host: &*self.host,
            base: &base,
            visitor: &visitor,
            tenant: String::new(),
            query: Fields::new(head.uri.query().unwrap_or_default().as_bytes()),
        };
        let Some((tenant, section)) = tenant_of(path) else {
            return match path {
                "" => pages::first(&desk)
                    .await
                    .map(|found| self.framed(&desk, found)),
                _ => Err(Error::not_found("the dashboard has no such page")),
            };
        };
        desk.tenant = tenant;
        let shown = pages::page(&desk, section).await;
        Ok(self.framed(&desk, shown))
    }

    fn framed(&self, desk: &Desk<'_>, shown: pages::Page) -> Reply {
        let pages::Page {
            section,
            title,
            main,
            failed,
            to,
        } = shown;
        if let Some(to) = to {
            return Reply::redirect(to.as_str());
        }
        let frame = Frame {
            base: Some(desk.base),
            tenant: Some(desk.tenant.as_str()).filter(|tenant| !tenant.is_empty()),
            section,
            title: &title,
            note: self.gate.take_note(desk.visitor),
            visitor: Some(desk.visitor),
        };
        let reply = Reply::html(frame.around(&main));
        match failed {
            Some(kind) => reply.with_status(kind.status()),
            None => reply,
        }
    }

    /// Does what a form says.
    async fn write(&self, head: &Parts, body: Incoming, path: &str) -> Result<Reply> {
        check_origin(head)?;
        let visitor = self.visitor(head)?;
        let _request = self.requests.acquire().await;
        let form = form(body, FORM).await?;
        check_form(&visitor, form.get("form").unwrap_or_default())?;
        if path == "leave" {
            self.gate.leave(&visitor);
            return Ok(Reply::redirect("/"));
        }
        let action =
            tenant_of(path).and_then(|(tenant, rest)| Some((tenant, rest.strip_prefix("do/")?)));
        let (tenant, action) =
            action.ok_or_else(|| Error::not_found("the dashboard has no such form"))?;
        let base = self.gate.base();
        let desk = Desk {
            host: &*self.host,
            base: &base,
            visitor: &visitor,
            tenant,
            query: form,
        };
        let (note, back) = act::act(&desk, action).await?;
        self.gate.note(&visitor, note);
        Ok(Reply::redirect(back.as_str()))
    }

    /// The answer where nothing is shown or done. It names nothing of the host.
    fn refusal(&self, error: &Error) -> Reply {
        let page = match error.kind() {
            wythe_blocks::Kind::Denied => answer::login(Some(error)),
            _ => page("This did not work", &desk::failure(error)),
        };
        Reply::html(page).with_status(error.kind().status())
    }
}

/// The tenant of a path, and what comes after it.
fn tenant_of(path: &str) -> Option<(String, &str)> {
    let (tenant, rest) = path.strip_prefix("t/")?.split_once('/')?;
    let fields = Fields::new(format!("t={tenant}").as_bytes());
    Some((fields.get("t")?.to_owned(), rest))
}

/// Reads a form, which has so many bytes at most and 10 s to come.
async fn form(body: Incoming, bytes: usize) -> Result<Fields> {
    let read = tokio::time::timeout(FORM_TIME, Limited::new(body, bytes).collect()).await;
    let read = read.map_err(|_| Error::invalid("the form comes too slowly"))?;
    let read = read.map_err(|_| {
        Error::invalid(format!(
            "the form ended early, or has more than {bytes} bytes"
        ))
    })?;
    Ok(Fields::new(&read.to_bytes()))
}
