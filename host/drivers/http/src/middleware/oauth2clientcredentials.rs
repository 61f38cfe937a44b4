//! A token of the host's own for what is asked (RFC 6749, section 4.4), put into a header of each request.

#[cfg(test)]
mod tests;

use super::routerchecker::pattern;
use crate::fetch::{self, Fetch};
use async_trait::async_trait;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{
    HeaderName, HeaderValue, Method, Request, Response,
    header::{AUTHORIZATION, CONTENT_TYPE},
};
use http_body_util::Full;
use regex::Regex;
use serde::Deserialize;
use serde_json::Value;
use std::{sync::Arc, time::Duration};
use tokio::{sync::Mutex, time::Instant};
use url::{Url, form_urlencoded};
use wythe_blocks::{
    Body, Error, Result, Site, Wrong,
    middleware::{Driver, Next, Visit},
};
use wythe_manifest::Secret;

/// Bytes of a token.
const TOKEN: usize = 16 << 10;
/// Time of a token that says none, and the longest that one is used.
const LIFE: Duration = Duration::from_secs(300);
const MAX_LIFE: Duration = Duration::from_secs(3600);
/// Time before its end after which a token is not used any more.
const MARGIN: Duration = Duration::from_secs(10);
/// Time after a failure within which nobody asks again.
const PAUSE: Duration = Duration::from_secs(1);
/// The type of a token that says none, as it is written in a header.
const BEARER: &str = "Bearer";

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Config {
    /// The id of the client.
    #[serde(rename = "clientID", alias = "clientId")]
    client_id: String,
    /// Its secret.
    client_secret: Secret,
    /// Scopes with commas or spaces between them.
    scopes: String,
    /// The address that gives tokens.
    #[serde(rename = "tokenURL")]
    token_url: String,
    /// The header for the token.
    header_name: String,
    /// Further fields of the question, as a query.
    endpoint_params_query: Option<String>,
    /// The place of the secret: 1 the body, 2 the header; default 0, the header.
    auth_style: Option<u8>,
    /// Regular expression for the paths that get a token; default all.
    path_filter: Option<String>,
}

/// A config that was found good.
pub(super) struct Parsed {
    url: Url,
    header: HeaderName,
    paths: Option<Regex>,
    /// The fields of the question.
    form: String,
    basic: Option<HeaderValue>,
}

pub(super) fn parse(config: Config) -> Result<Parsed, Wrong> {
    let wrong = |setting, message| Wrong::new(setting, Error::invalid(message));
    if config.client_secret.reveal().is_empty() {
        let message = "`clientSecret` is empty; expected one".to_owned();
        return Err(wrong("clientSecret", message));
    }
    let url = fetch::url("tokenURL", &config.token_url).map_err(|why| wrong("tokenURL", why))?;
    let header = HeaderName::try_from(config.header_name.as_str()).map_err(|_| {
        let message = "`headerName`: expected the name of a header, such as `authorization`";
        wrong("headerName", message.to_owned())
    })?;
    let is_in_body = match config.auth_style {
        None | Some(0 | 2) => false,
        Some(1) => true,
        Some(other) => {
            let message = format!("`authStyle: {other}`; expected 0, 1 or 2");
            return Err(wrong("authStyle", message));
        }
    };
    let paths = config.path_filter.as_deref();
    let paths = paths.map(|text| pattern("pathFilter", text)).transpose()?;
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("grant_type", "client_credentials");
    let scopes = config
        .scopes
        .split([',', ' '])
        .filter(|scope| !scope.is_empty());
    let scopes: Vec<_> = scopes.collect();
    if !scopes.is_empty() {
        form.append_pair("scope", &scopes.join(" "));
    }
    let more = config.endpoint_params_query.unwrap_or_default();
    form.extend_pairs(form_urlencoded::parse(more.as_bytes()));
    if is_in_body {
        form.append_pair("client_id", &config.client_id);
        form.append_pair("client_secret", config.client_secret.reveal());
    }
    let basic = (!is_in_body).then(|| basic(&config.client_id, &config.client_secret));
    Ok(Parsed {
        form: form.finish(),
        url,
        header,
        paths,
        basic: basic.flatten(),
    })
}

/// The id and the secret in a header, each written as in a form (RFC 6749, section 2.3.1).
fn basic(id: &str, secret: &Secret) -> Option<HeaderValue> {
    let written = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let both = format!("{}:{}", written(id), written(secret.reveal()));
    let value = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(both)));
    value.ok().map(|mut value| {
        value.set_sensitive(true);
        value
    })
}

pub(super) async fn open(parsed: Parsed, _: Site) -> Result<Arc<dyn Driver>> {
    Ok(Arc::new(ClientCredentials::new(parsed)))
}

struct ClientCredentials {
    asked: Parsed,
    /// Held by whoever asks for a token, so that others wait for that one.
    last: Mutex<Option<Last>>,
}

/// The outcome of the last question.
struct Last {
    token: Result<HeaderValue, String>,
    until: Instant,
}

/// The answer of the server (RFC 6749, section 5.1).
#[derive(Deserialize)]
struct Granted {
    access_token: String,
    token_type: Option<String>,
    expires_in: Option<Value>,
}

/// Seconds as a number or, as some servers write them, as a text.
fn seconds(value: &Value) -> Option<u64> {
    let text = || value.as_str()?.parse().ok();
    value.as_u64().or_else(text)
}

/// The time for which a token is used: until a while before its end, and of a short one for half of it, so that not each
/// request asks for another one.
fn used(life: Duration) -> Duration {
    let life = life.min(MAX_LIFE);
    life - MARGIN.min(life / 2)
}

impl ClientCredentials {
    fn new(asked: Parsed) -> Self {
        ClientCredentials {
            asked,
            last: Mutex::default(),
        }
    }

    /// The token of now: the last one, or a new one where its time is over.
    async fn token(&self) -> Result<HeaderValue> {
        let mut last = self.last.lock().await;
        let now = Instant::now();
        let token = match &*last {
            Some(last) if now < last.until => last.token.clone(),
            _ => {
                let (token, wait) = match self.ask().await {
                    Ok((token, life)) => (Ok(token), used(life)),
                    Err(why) => (Err(why), PAUSE),
                };
                *last = Some(Last {
                    token: token.clone(),
                    until: Instant::now() + wait,
                });
                token
            }
        };
        token.map_err(|why| {
            let host = self.asked.url.host_str().unwrap_or_default();
            Error::unavailable(format!("no token of `{host}` can be had: it {why}"))
        })
    }

    async fn ask(&self) -> Result<(HeaderValue, Duration), String> {
        let mut request = Request::builder()
            .method(Method::POST)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        if let Some(basic) = &self.asked.basic {
            request = request.header(AUTHORIZATION, basic.clone());
        }
        let body = Full::new(Bytes::from(self.asked.form.clone()));
        let request = request.body(body).map_err(|error| error.to_string())?;
        let (status, body) = Fetch::new().send(&self.asked.url, request).await?;
        if !status.is_success() {
            return Err(format!("answered {status}; expected 200"));
        }
        let granted: Granted = serde_json::from_slice(&body)
            .map_err(|_| "answered no token; expected JSON with `access_token`".to_owned())?;
        let kind = granted.token_type.as_deref().unwrap_or_default();
        let is_bearer = kind.is_empty() || kind.eq_ignore_ascii_case(BEARER);
        let kind = if is_bearer { BEARER } else { kind };
        let token = format!("{kind} {}", granted.access_token);
        let value = HeaderValue::try_from(token).ok();
        let value = value.filter(|value| value.len() <= TOKEN);
        let mut value = value.ok_or("answered a token that no header can have")?;
        value.set_sensitive(true);
        let life = granted.expires_in.as_ref().and_then(seconds);
        Ok((value, life.map_or(LIFE, Duration::from_secs)))
    }
}

#[async_trait]
impl Driver for ClientCredentials {
    async fn handle(
        &self,
        _: &Arc<Visit>,
        mut request: Request<Body>,
        next: Next,
    ) -> Result<Response<Body>> {
        let path = request.uri().path();
        let paths = self.asked.paths.as_ref();
        if paths.is_none_or(|paths| paths.is_match(path)) {
            let token = self.token().await?;
            request
                .headers_mut()
                .insert(self.asked.header.clone(), token);
        }
        Ok(next.run(request).await)
    }
}
