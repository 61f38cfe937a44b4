//! A client of an authorization server, which gives it tokens (RFC 6749, sections 2.3.1 and 5.1).

use crate::fetch::{self, Fetch};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{
    HeaderValue, Method, Request,
    header::{AUTHORIZATION, CONTENT_TYPE},
};
use http_body_util::Full;
use serde::Deserialize;
use serde_json::Value;
use std::time::Duration;
use url::{Url, form_urlencoded};
use wythe_blocks::{Error, Wrong};
use wythe_manifest::Secret;

/// Bytes of a token.
const TOKEN: usize = 16 << 10;
/// The type of a token that says none, as it is written in a header.
const BEARER: &str = "Bearer";

/// The address of the server, and how the client proves itself there.
pub(super) struct Client {
    url: Url,
    pub(super) basic: Option<HeaderValue>,
    /// The id and the secret, where they go into the body.
    fields: Option<(String, Secret)>,
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

impl Client {
    /// Reads the settings that are the same for every way to a token.
    pub fn parse(url: &str, id: &str, secret: &Secret, style: Option<u8>) -> Result<Self, Wrong> {
        let wrong = |setting, message| Wrong::new(setting, Error::invalid(message));
        if secret.reveal().is_empty() {
            let message = "`clientSecret` is empty; expected one".to_owned();
            return Err(wrong("clientSecret", message));
        }
        let url = fetch::url("tokenURL", url).map_err(|why| wrong("tokenURL", why))?;
        let is_in_body = match style {
            None | Some(0 | 2) => false,
            Some(1) => true,
            Some(other) => {
                let message = format!("`authStyle: {other}`; expected 0, 1 or 2");
                return Err(wrong("authStyle", message));
            }
        };
        Ok(Client {
            url,
            basic: match is_in_body {
                true => None,
                false => basic(id, secret),
            },
            fields: is_in_body.then(|| (id.to_owned(), secret.clone())),
        })
    }

    /// The host of the server, as errors name it.
    pub fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }

    /// A question with these fields, and with those by which the client proves itself.
    pub fn form<'a>(&self, fields: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(fields);
        if let Some((id, secret)) = &self.fields {
            form.append_pair("client_id", id);
            form.append_pair("client_secret", secret.reveal());
        }
        form.finish()
    }

    /// Asks for a token by a form: the value of a header, and for how long it is good where the server says. Else the
    /// reason, in words that end a sentence about the server.
    pub async fn ask(&self, form: String) -> Result<(HeaderValue, Option<Duration>), String> {
        let mut request = Request::builder()
            .method(Method::POST)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        if let Some(basic) = &self.basic {
            request = request.header(AUTHORIZATION, basic.clone());
        }
        let body = Full::new(Bytes::from(form));
        let request = request.body(body).map_err(|error| error.to_string())?;
        let (status, body) = Fetch::new().send(&self.url, request).await?;
        if !status.is_success() {
            return Err(format!("answered {status}; expected 200"));
        }
        granted(&body)
    }
}

fn granted(body: &[u8]) -> Result<(HeaderValue, Option<Duration>), String> {
    let granted: Granted = serde_json::from_slice(body)
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
    Ok((value, life.map(Duration::from_secs)))
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
