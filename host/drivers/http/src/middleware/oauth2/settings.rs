//! The settings of the authorization code flow, by Dapr's names.

use crate::{
    fetch,
    middleware::{client::Client, routerchecker::pattern},
};
use http::{HeaderName, header::AUTHORIZATION};
use regex::Regex;
use serde::Deserialize;
use url::Url;
use wythe_blocks::{Error, Wrong};
use wythe_manifest::Secret;

/// The name of the cookies.
const COOKIE: &str = "_dapr_oauth2";
/// Bytes of the name of the cookies.
const LONGEST_NAME: usize = 64;
/// Characters of a key that somebody wrote.
const SHORTEST_KEY: usize = 16;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(in super::super) struct Config {
    /// The way of the token to the client: `cookie` alone, which is the default.
    mode: Option<String>,
    /// The id of the client.
    #[serde(rename = "clientID", alias = "clientId")]
    client_id: String,
    /// Its secret.
    client_secret: Secret,
    /// Scopes with commas or spaces between them; default none.
    scopes: Option<String>,
    /// The address at which people log in.
    #[serde(rename = "authURL")]
    auth_url: String,
    /// The address that gives tokens.
    #[serde(rename = "tokenURL")]
    token_url: String,
    /// The address of this host to which people come back.
    #[serde(rename = "redirectURL")]
    redirect_url: String,
    /// The header for the token; default `authorization`.
    auth_header_name: Option<String>,
    /// HTTPS for `redirectURL`, whatever is written there; default false.
    #[serde(rename = "forceHTTPS")]
    force_https: Option<bool>,
    /// The name of the cookies; default `_dapr_oauth2`.
    cookie_name: Option<String>,
    /// Secret for the seal of the cookies; default a key of its own.
    token_encryption_key: Option<Secret>,
    /// The place of the secret: 1 the body, 2 the header; default 0, the header.
    auth_style: Option<u8>,
    /// Regular expression for the paths that need a login; default all.
    path_filter: Option<String>,
}

/// A config that was found good.
pub(in super::super) struct Settings {
    pub client: Client,
    /// The address at which people log in, with all of the question that is always the same.
    pub login: Url,
    pub redirect: Url,
    pub header: HeaderName,
    pub cookie: String,
    pub key: Option<Secret>,
    pub paths: Option<Regex>,
}

pub(in super::super) fn parse(config: Config) -> Result<Settings, Wrong> {
    let wrong = |setting, message: &str| Wrong::new(setting, Error::invalid(message));
    if config.mode.as_deref().is_some_and(|mode| mode != "cookie") {
        let message = "`mode`: only `cookie` is there; for clients that bring their own token write `middleware.http.bearer`";
        return Err(wrong("mode", message));
    }
    let header = match &config.auth_header_name {
        None => AUTHORIZATION,
        Some(name) => HeaderName::try_from(name.as_str()).map_err(|_| {
            let message =
                "`authHeaderName`: expected the name of a header, such as `authorization`";
            wrong("authHeaderName", message)
        })?,
    };
    let (login, redirect) = (login(&config)?, redirect(&config)?);
    let cookie = config.cookie_name.unwrap_or_else(|| COOKIE.to_owned());
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    if !(1..=LONGEST_NAME).contains(&cookie.len()) || !cookie.bytes().all(is_word) {
        let message = "`cookieName`: expected 1 to 64 letters, digits, `_` and `-`";
        return Err(wrong("cookieName", message));
    }
    let key = config.token_encryption_key;
    let is_short = |key: &Secret| key.reveal().len() < SHORTEST_KEY;
    if key.as_ref().is_some_and(is_short) {
        let message = "`tokenEncryptionKey` is too short; expected at least 16 characters that nobody can guess, or no such setting for a key of the host's own";
        return Err(wrong("tokenEncryptionKey", message));
    }
    let paths = config.path_filter.as_deref();
    let secret = config.client_secret;
    Ok(Settings {
        paths: paths.map(|text| pattern("pathFilter", text)).transpose()?,
        client: Client::parse(
            &config.token_url,
            &config.client_id,
            &secret,
            config.auth_style,
        )?,
        login,
        redirect,
        header,
        cookie,
        key,
    })
}

fn login(config: &Config) -> Result<Url, Wrong> {
    let mut url = fetch::url("authURL", &config.auth_url)
        .map_err(|why| Wrong::new("authURL", Error::invalid(why)))?;
    let scopes = config.scopes.as_deref().unwrap_or_default();
    let scopes = scopes.split([',', ' ']).filter(|scope| !scope.is_empty());
    let scopes: Vec<_> = scopes.collect();
    let redirect = redirect(config)?;
    let mut query = url.query_pairs_mut();
    query.append_pair("response_type", "code");
    query.append_pair("client_id", &config.client_id);
    query.append_pair("redirect_uri", redirect.as_str());
    if !scopes.is_empty() {
        query.append_pair("scope", &scopes.join(" "));
    }
    drop(query);
    url.set_fragment(None);
    Ok(url)
}

fn redirect(config: &Config) -> Result<Url, Wrong> {
    let wrong = |why: String| Wrong::new("redirectURL", Error::invalid(why));
    let mut url = fetch::url("redirectURL", &config.redirect_url).map_err(wrong)?;
    if url.query().is_some() || url.fragment().is_some() {
        let why = "`redirectURL`: expected a URL without a query, for the answer comes in it";
        return Err(wrong(why.to_owned()));
    }
    if config.force_https == Some(true) && url.set_scheme("https").is_err() {
        return Err(wrong("`redirectURL` cannot be HTTPS".to_owned()));
    }
    Ok(url)
}
