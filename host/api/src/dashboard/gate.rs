//! The gate of the dashboard: the hosts by which it is asked, the token that opens it, and what a form has to bring.
//!
//! A browser sends a cookie to every port of a host. So the cookie is for a path that nobody else knows, and both are asked
//! for: what another port of this machine is sent, or a guest behind one, opens nothing.

#[cfg(test)]
mod tests;

use http::{HeaderMap, HeaderName, HeaderValue, header, request::Parts};
use parking_lot::Mutex;
use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};
use wythe_blocks::{Error, Rate, Result, random, time::Clock as _};

/// The time of a session.
const SESSION: Duration = Duration::from_secs(12 * 60 * 60);
/// Sessions at once; the oldest one ends.
const SESSIONS: usize = 16;
/// Lines of the log about wrong tokens, a minute.
const LINES: u32 = 6;
/// The name of the cookie.
const COOKIE: &str = "wythe-dashboard";
/// The header in which a browser says whose page a request is of.
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// A secret as it is compared: by its hash, in a time that tells nothing of it.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Digest(blake3::Hash);

impl Digest {
    fn of(secret: &str) -> Self {
        Digest(blake3::hash(secret.as_bytes()))
    }
}

/// Everything that is asked of a request before it is answered.
pub struct Gate {
    /// The values that `Host` may have.
    hosts: Vec<String>,
    token: Digest,
    /// The first part of all paths behind the gate.
    path: String,
    sessions: Mutex<VecDeque<Session>>,
    wrong: Rate,
}

struct Session {
    cookie: Digest,
    form: String,
    until: Instant,
    note: Option<Note>,
}

/// A word about what was done, for the next page of the session.
pub struct Note {
    pub failed: bool,
    pub text: String,
    /// The answer, where there is one.
    pub answer: Option<String>,
}

/// A session, as a page needs it.
pub struct Visitor {
    cookie: Digest,
    /// The token that each of its forms brings along.
    pub form: String,
}

impl Gate {
    pub fn new(token: &str, hosts: Vec<String>) -> Result<Self> {
        let hosts = hosts.iter().map(|host| host.to_ascii_lowercase());
        Ok(Gate {
            hosts: hosts.collect(),
            token: Digest::of(token),
            path: random::name()?,
            sessions: Mutex::default(),
            wrong: Rate::per_minute(LINES),
        })
    }

    /// The path of all that is behind the gate, with a slash on both sides.
    pub fn base(&self) -> String {
        format!("/{}/", self.path)
    }

    /// Refuses a request by another name: that of somebody's own, which he had lead here.
    pub fn check_host(&self, head: &Parts) -> Result<()> {
        let mut named = head.headers.get_all(header::HOST).iter();
        let header = named.next().map(|host| host.to_str().unwrap_or_default());
        let target = head.uri.authority().map(|target| target.as_str());
        let is_one = named.next().is_none()
            && header.is_none_or(|header| target.is_none_or(|target| target == header));
        let host = target.or(header).unwrap_or_default().to_ascii_lowercase();
        if is_one && self.hosts.contains(&host) {
            return Ok(());
        }
        Err(Error::denied(
            "the dashboard is not asked by this name; open the URL that it printed, or name this host by `--host`",
        ))
    }

    /// Opens a session for whoever has the token: the cookie, as it is set.
    pub fn enter(&self, token: &str) -> Result<HeaderValue> {
        if Digest::of(token) != self.token {
            if let Some(unsaid) = self.wrong.allows() {
                tracing::warn!(unsaid, "somebody came to the dashboard with a wrong token");
            }
            return Err(Error::denied("this is not the token of the dashboard"));
        }
        let (cookie, form) = (random::name()?, random::name()?);
        let session = Session {
            cookie: Digest::of(&cookie),
            form,
            until: Instant::now().after(SESSION),
            note: None,
        };
        let mut sessions = self.sessions.lock();
        sessions.push_back(session);
        while sessions.len() > SESSIONS {
            sessions.pop_front();
        }
        let (path, age) = (self.base(), SESSION.as_secs());
        let set =
            format!("{COOKIE}={cookie}; Path={path}; Max-Age={age}; HttpOnly; SameSite=Strict");
        HeaderValue::from_str(&set)
            .map_err(|error| Error::internal("the cookie is no header").with_source(error))
    }

    /// The session of a request; none where it has no cookie of one.
    pub fn visitor(&self, headers: &HeaderMap) -> Option<Visitor> {
        let mut sessions = self.sessions.lock();
        let now = Instant::now();
        sessions.retain(|session| session.until > now);
        let cookies = headers.get_all(header::COOKIE).iter();
        let mut cookies = cookies
            .filter_map(|cookies| cookies.to_str().ok())
            .flat_map(|cookies| cookies.split(';'))
            .filter_map(|cookie| cookie.trim().split_once('='))
            .filter(|(name, _)| *name == COOKIE)
            .map(|(_, value)| Digest::of(value))
            .take(SESSIONS);
        let session =
            cookies.find_map(|cookie| sessions.iter().find(|session| session.cookie == cookie))?;
        Some(Visitor {
            cookie: session.cookie,
            form: session.form.clone(),
        })
    }

    /// Ends a session.
    pub fn leave(&self, visitor: &Visitor) {
        let mut sessions = self.sessions.lock();
        sessions.retain(|session| session.cookie != visitor.cookie);
    }

    /// Sets what the next page of the session says.
    pub fn note(&self, visitor: &Visitor, note: Note) {
        let mut sessions = self.sessions.lock();
        let session = sessions
            .iter_mut()
            .find(|session| session.cookie == visitor.cookie);
        if let Some(session) = session {
            session.note = Some(note);
        }
    }

    /// Takes what the page of the session says.
    pub fn take_note(&self, visitor: &Visitor) -> Option<Note> {
        let mut sessions = self.sessions.lock();
        let session = sessions
            .iter_mut()
            .find(|session| session.cookie == visitor.cookie);
        session?.note.take()
    }
}

/// Refuses a request that a page of somebody else made the browser send, as far as the browser says so.
pub fn check_site(headers: &HeaderMap) -> Result<()> {
    let is_own = headers.get_all(FETCH_SITE).iter();
    let mut is_own = is_own.map(|site| site == "same-origin" || site == "none");
    match is_own.all(|is_own| is_own) {
        true => Ok(()),
        false => Err(Error::denied(
            "a page of another site asks for this; open the dashboard by the URL that `wythe dashboard` printed",
        )),
    }
}

/// Refuses a form that is not of one of the dashboard's own pages: the browser names its origin, of which the host was
/// checked before.
pub fn check_origin(head: &Parts) -> Result<()> {
    let refused = || Error::denied("a form of another site gives no commands");
    let host = head.uri.authority().map(|target| target.as_str());
    let host = host.or_else(|| head.headers.get(header::HOST)?.to_str().ok());
    let host = host.ok_or_else(refused)?;
    let sites = head.headers.get_all(FETCH_SITE).iter();
    let mut sites = sites.map(|site| site == "same-origin");
    let mut origins = head.headers.get_all(header::ORIGIN).iter();
    let origin = origins.next().and_then(|origin| origin.to_str().ok());
    let named = origin.and_then(|origin| {
        let secure = origin.strip_prefix("https://");
        secure.or_else(|| origin.strip_prefix("http://"))
    });
    let is_own = named.is_some_and(|named| named.eq_ignore_ascii_case(host));
    match is_own && origins.next().is_none() && sites.all(|is_own| is_own) {
        true => Ok(()),
        false => Err(refused()),
    }
}

/// Refuses a form without the token of its session.
pub fn check_form(visitor: &Visitor, form: &str) -> Result<()> {
    match Digest::of(form) == Digest::of(&visitor.form) {
        true => Ok(()),
        false => Err(Error::denied(
            "the form is of another session; open its page again and send it from there",
        )),
    }
}
