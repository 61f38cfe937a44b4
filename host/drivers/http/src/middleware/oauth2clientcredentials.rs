//! A token of the host's own for what is asked (RFC 6749, section 4.4), put into a header of each request.

#[cfg(test)]
mod tests;

use super::{client::Client, routerchecker::pattern};
use async_trait::async_trait;
use http::{HeaderName, HeaderValue, Request, Response};
use regex::Regex;
use serde::Deserialize;
use std::{sync::Arc, time::Duration};
use tokio::{sync::Mutex, time::Instant};
use url::form_urlencoded;
use wythe_blocks::time::Clock as _;
use wythe_blocks::{
    Body, Error, Result, Site, Wrong,
    middleware::{Driver, Next, Visit},
};
use wythe_manifest::Secret;

/// Time of a token that says none, and the longest that one is used.
const LIFE: Duration = Duration::from_secs(300);
const MAX_LIFE: Duration = Duration::from_secs(3600);
/// Time before its end after which a token is not used any more.
const MARGIN: Duration = Duration::from_secs(10);
/// Time after a failure within which nobody asks again.
const PAUSE: Duration = Duration::from_secs(1);

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
    client: Client,
    header: HeaderName,
    paths: Option<Regex>,
    /// The question, as a form.
    form: String,
}

pub(super) fn parse(config: Config) -> Result<Parsed, Wrong> {
    let (url, id) = (&config.token_url, &config.client_id);
    let client = Client::parse(url, id, &config.client_secret, config.auth_style)?;
    let header = HeaderName::try_from(config.header_name.as_str()).map_err(|_| {
        let message = "`headerName`: expected the name of a header, such as `authorization`";
        Wrong::new("headerName", Error::invalid(message))
    })?;
    let paths = config.path_filter.as_deref();
    let paths = paths.map(|text| pattern("pathFilter", text)).transpose()?;
    let scopes = config
        .scopes
        .split([',', ' '])
        .filter(|scope| !scope.is_empty());
    let scopes = scopes.collect::<Vec<_>>().join(" ");
    let scope = (!scopes.is_empty()).then_some(("scope", scopes.as_str()));
    let more = config.endpoint_params_query.unwrap_or_default();
    let more: Vec<_> = form_urlencoded::parse(more.as_bytes()).collect();
    let more = more.iter().map(|(name, value)| (&**name, &**value));
    let fields = [("grant_type", "client_credentials")].into_iter();
    Ok(Parsed {
        form: client.form(fields.chain(scope).chain(more)),
        client,
        header,
        paths,
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
                    until: Instant::now().after(wait),
                });
                token
            }
        };
        token.map_err(|why| {
            let host = self.asked.client.host();
            Error::unavailable(format!("no token of `{host}` can be had: it {why}"))
        })
    }

    async fn ask(&self) -> Result<(HeaderValue, Duration), String> {
        let (token, life) = self.asked.client.ask(self.asked.form.clone()).await?;
        Ok((token, life.unwrap_or(LIFE)))
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
