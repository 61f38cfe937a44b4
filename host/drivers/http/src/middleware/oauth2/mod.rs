//! People who log in at another server (RFC 6749, section 4.1, with RFC 7636): a browser is sent there and comes back with a
//! code, and the host gets a token for it, which goes to the app. All that is kept of it is in sealed cookies.

mod cookie;
pub(super) mod settings;
#[cfg(test)]
mod tests;

use async_trait::async_trait;
use aws_lc_rs::{
    constant_time::verify_slices_are_equal,
    digest::{SHA256, digest},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use cookie::Jar;
use http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode,
    header::{CACHE_CONTROL, LOCATION, SET_COOKIE},
};
use serde::{Deserialize, Serialize};
use settings::Settings;
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::sync::Semaphore;
use url::form_urlencoded;
use wythe_blocks::{
    Body, Detail, Error, Result, Site, body_from, key_file,
    middleware::{Driver, Next, Visit},
    random,
};
use wythe_manifest::percent_decoded;

/// Time in which somebody logs in.
const LOGIN: Duration = Duration::from_secs(600);
/// Time of a token that says none, and the longest that one is used.
const LIFE: Duration = Duration::from_secs(3_600);
const LONGEST: Duration = Duration::from_secs(86_400);
/// Codes for which the server is asked at once.
const AT_ONCE: usize = 16;
/// Bytes of a code, and of the target to which a browser comes back.
const CODE: usize = 4 << 10;
const TARGET: usize = 2 << 10;
/// The file of the key for the cookies, in the directory of the component.
const KEY: &str = "cookies.key";
/// The purpose of the cookie of a login that is under way; that of one that is over has no name.
const FLOW: &str = "flow";

/// A login that is under way, as its browser keeps it.
#[derive(Serialize, Deserialize)]
struct Flow {
    state: String,
    verifier: String,
    /// The target that was asked for.
    target: String,
    until: u64,
}

/// A login that is over, as its browser keeps it.
#[derive(Serialize, Deserialize)]
struct Session {
    token: String,
    until: u64,
}

pub(super) async fn open(settings: Settings, site: Site) -> Result<Arc<dyn Driver>> {
    let secret = match &settings.key {
        Some(key) => key.reveal().as_bytes().to_vec(),
        None => own_key(site).await?,
    };
    Ok(Arc::new(Login::new(settings, &secret)?))
}

/// The key that the component has of its own, which is made at its first start.
async fn own_key(site: Site) -> Result<Vec<u8>> {
    let path = site.directory.join(KEY);
    let loaded = tokio::task::spawn_blocking(move || key_file::load(&path)).await;
    let loaded = loaded.map_err(|error| Error::internal("no key was read").with_source(error))?;
    match loaded {
        Ok(key) => Ok(key.to_vec()),
        Err(error) => Err(Error::unavailable(format!(
            "no key for cookies: {error}; or write one as `tokenEncryptionKey`"
        ))),
    }
}

struct Login {
    settings: Settings,
    jar: Jar,
    exchanges: Semaphore,
}

impl Login {
    fn new(settings: Settings, secret: &[u8]) -> Result<Self> {
        let is_secure = settings.redirect.scheme() == "https";
        let (name, login) = (settings.cookie.clone(), settings.login.as_str());
        Ok(Login {
            jar: Jar::new(name, login, secret, is_secure)?,
            exchanges: Semaphore::new(AT_ONCE),
            settings,
        })
    }

    /// Sends a browser away to log in. What is no page that somebody opens would not come back, and is refused.
    fn send_away(&self, visit: &Visit, request: &Request<Body>) -> Result<Response<Body>> {
        let mode = request.headers().get("sec-fetch-mode");
        let is_page = mode.is_none_or(|mode| mode.as_bytes() == b"navigate");
        if !is_page || ![Method::GET, Method::HEAD].contains(request.method()) {
            let refused = Error::denied("nobody is logged in");
            return Err(refused.with_detail(Detail::Unauthenticated));
        }
        let target = request
            .uri()
            .path_and_query()
            .map_or("/", |one| one.as_str());
        let target = format!("{}{target}", visit.base);
        let flow = Flow {
            state: secret()?,
            verifier: secret()?,
            // One that is too long for a cookie is given up, and the login is not.
            target: match target.len() <= TARGET {
                true => target,
                false => format!("{}/", visit.base),
            },
            until: seconds() + LOGIN.as_secs(),
        };
        let challenge = digest(&SHA256, flow.verifier.as_bytes());
        let mut url = self.settings.login.clone();
        url.query_pairs_mut()
            .append_pair("state", &flow.state)
            .append_pair("code_challenge", &URL_SAFE_NO_PAD.encode(challenge))
            .append_pair("code_challenge_method", "S256");
        let cookies = self.jar.give(FLOW, &flow, &visit.base, LOGIN)?;
        redirect(StatusCode::FOUND, url.as_str(), cookies)
    }

    /// Answers a browser that comes back: it has to be the one that was sent away, with the very state.
    async fn come_back(
        &self,
        visit: &Visit,
        query: &str,
        headers: &HeaderMap,
    ) -> Result<Response<Body>> {
        let fields: HashMap<_, _> = form_urlencoded::parse(query.as_bytes()).collect();
        let field = |name: &str| fields.get(name).map_or("", |value| &**value);
        let flow = self.jar.shown::<Flow>(FLOW, headers);
        let flow = flow.filter(|flow| seconds() < flow.until).ok_or_else(|| {
            Error::invalid("the login was begun in another browser or by another host name, or more than ten minutes ago; begin again")
        })?;
        let (shown, own) = (field("state").as_bytes(), flow.state.as_bytes());
        verify_slices_are_equal(shown, own)
            .map_err(|_| Error::invalid("the `state` of the login is another one; begin again"))?;
        let code = field("code");
        if code.is_empty() || code.len() > CODE {
            let said: String = field("error").chars().take(64).collect();
            return Err(Error::denied(format!(
                "the login ended without a code; the server said `{}`",
                said.escape_debug()
            )));
        }
        let (token, life) = self.exchange(code, &flow.verifier).await?;
        let life = life.unwrap_or(LIFE).min(LONGEST);
        let session = Session {
            token,
            until: seconds() + life.as_secs(),
        };
        let mut cookies = self.jar.give("", &session, &visit.base, life)?;
        cookies.push(self.jar.end(FLOW, &visit.base)?);
        redirect(StatusCode::SEE_OTHER, &flow.target, cookies)
    }

    /// Gets the token for a code.
    async fn exchange(&self, code: &str, verifier: &str) -> Result<(String, Option<Duration>)> {
        let busy = |_| {
            let busy = Error::exhausted("too many people log in at once");
            busy.with_retry_after(Duration::from_secs(1))
        };
        let _permit = self.exchanges.try_acquire().map_err(busy)?;
        let client = &self.settings.client;
        let form = client.form([
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", self.settings.redirect.as_str()),
            ("code_verifier", verifier),
        ]);
        let (token, life) = client.ask(form).await.map_err(|why| {
            let host = client.host();
            Error::unavailable(format!("no token of `{host}` can be had: it {why}"))
        })?;
        let text = token.to_str().map(str::to_owned);
        let text = text.map_err(|_| Error::unavailable("the token is no text"))?;
        Ok((text, life))
    }

    /// Says whether a path is one that needs a login, as it is written or as an app may read it.
    fn needs_login(&self, path: &str) -> bool {
        let Some(paths) = &self.settings.paths else {
            return true;
        };
        let is_meant = |path: Vec<u8>| paths.is_match(&String::from_utf8_lossy(&path));
        paths.is_match(path) || path.contains('%') && percent_decoded(path).is_none_or(is_meant)
    }

    /// The token of a browser that is logged in, as the value of a header.
    fn token(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        let session = self.jar.shown::<Session>("", headers);
        let session = session.filter(|session| seconds() < session.until)?;
        let mut value = HeaderValue::try_from(session.token).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

/// A word that nobody can guess.
fn secret() -> Result<String> {
    random::bytes::<32>().map(|bytes| URL_SAFE_NO_PAD.encode(bytes))
}

/// Seconds since 1970.
fn seconds() -> u64 {
    wythe_blocks::time::now() / 1_000
}

fn redirect(status: StatusCode, target: &str, cookies: Vec<HeaderValue>) -> Result<Response<Body>> {
    let wrong = |_| Error::invalid("a target that no header can have");
    let mut answer = Response::new(body_from(""));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(LOCATION, HeaderValue::from_str(target).map_err(wrong)?);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    for cookie in cookies {
        headers.append(SET_COOKIE, cookie);
    }
    Ok(answer)
}

#[async_trait]
impl Driver for Login {
    async fn handle(
        &self,
        visit: &Arc<Visit>,
        mut request: Request<Body>,
        next: Next,
    ) -> Result<Response<Body>> {
        let path = request.uri().path();
        let is_back = self.settings.redirect.path() == format!("{}{path}", visit.base);
        let query = request.uri().query().unwrap_or_default();
        if is_back && query.split('&').any(|field| field.starts_with("state=")) {
            let (query, headers) = (query.to_owned(), request.headers().clone());
            return self.come_back(visit, &query, &headers).await;
        }
        if self.needs_login(path) {
            let Some(token) = self.token(request.headers()) else {
                return self.send_away(visit, &request);
            };
            let header = self.settings.header.clone();
            request.headers_mut().insert(header, token);
        }
        self.jar.take(request.headers_mut());
        Ok(next.run(request).await)
    }
}
