//! Requests with a signed token of one issuer for one audience (RFC 6750, RFC 7519); all others are refused.

#[cfg(any(fuzzing, test))]
pub(crate) mod fuzzing;
mod keys;
mod source;
#[cfg(test)]
mod tests;

use crate::fetch;
use async_trait::async_trait;
use http::{HeaderMap, Request, Response, header};
use jsonwebtoken::{
    Algorithm, DecodingKey, Header, Validation, decode, decode_header, errors::ErrorKind,
};
use keys::Keys;
use serde::Deserialize;
use source::{Origin, Source};
use std::{sync::Arc, time::Duration};
use wythe_blocks::{
    Body, Detail, Error, Result, Site, Wrong,
    middleware::{Driver, Next, Visit},
};
use wythe_manifest::Duration as Time;

/// Algorithms of public keys. Those of shared keys, and none at all, are no choice.
const ALGORITHMS: [Algorithm; 9] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];
const SKEW: Duration = Duration::from_secs(60);
const MAX_SKEW: Duration = Duration::from_secs(300);
/// Bytes of a token.
const TOKEN: usize = 16 << 10;
const SCHEME: &str = "bearer";

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Config {
    /// The issuer, as tokens name it.
    #[serde(alias = "issuerURL")]
    issuer: String,
    /// The audience, one of those that a token names.
    #[serde(alias = "clientID")]
    audience: String,
    /// The address of the keys; without it, the issuer's configuration says it.
    #[serde(rename = "jwksURL")]
    jwks_url: Option<String>,
    /// The file of the keys, beside the resource.
    jwks_path: Option<String>,
    /// Algorithms with commas between them; default all of public keys.
    algorithms: Option<String>,
    /// The difference of clocks that is allowed for; default 1m.
    clock_skew: Option<Time>,
}

/// A config that was found good.
pub(super) struct Parsed {
    issuer: String,
    keys: KeySet,
    validation: Validation,
}

enum KeySet {
    File(String),
    Url(url::Url),
    Issuer(url::Url),
}

pub(super) fn parse(config: Config) -> Result<Parsed, Wrong> {
    let wrong = |setting, message| Wrong::new(setting, Error::invalid(message));
    for (setting, text) in [("issuer", &config.issuer), ("audience", &config.audience)] {
        if text.trim().is_empty() {
            return Err(wrong(
                setting,
                format!("`{setting}` is empty; expected one"),
            ));
        }
    }
    let url = |setting, text: &str| fetch::url(setting, text).map_err(|why| wrong(setting, why));
    let keys = match (config.jwks_url, config.jwks_path) {
        (Some(_), Some(_)) => {
            let message = "`jwksPath` beside `jwksURL`; expected one of them".to_owned();
            return Err(wrong("jwksPath", message));
        }
        (Some(text), None) => KeySet::Url(url("jwksURL", &text)?),
        (None, Some(path)) => KeySet::File(path),
        (None, None) => KeySet::Issuer(url("issuer", &config.issuer)?),
    };
    let skew = config.clock_skew.map_or(SKEW, Duration::from);
    if skew > MAX_SKEW {
        let message = "`clockSkew`; expected at most 5m".to_owned();
        return Err(wrong("clockSkew", message));
    }
    let algorithms = algorithms(config.algorithms.as_deref());
    let algorithms = algorithms.map_err(|message| wrong("algorithms", message))?;
    let mut validation = Validation::new(Algorithm::RS256);
    validation.algorithms = algorithms;
    validation.leeway = skew.as_secs();
    validation.validate_nbf = true;
    validation.set_required_spec_claims(&["exp", "iss", "aud"]);
    validation.set_issuer(&[&config.issuer]);
    validation.set_audience(&[&config.audience]);
    Ok(Parsed {
        issuer: config.issuer,
        keys,
        validation,
    })
}

fn algorithms(written: Option<&str>) -> Result<Vec<Algorithm>, String> {
    let Some(written) = written else {
        return Ok(ALGORITHMS.to_vec());
    };
    let one = |name: &str| {
        let known = ALGORITHMS.iter().find(|one| format!("{one:?}") == name);
        known.copied().ok_or_else(|| {
            let known = ALGORITHMS.map(|one| format!("{one:?}")).join(", ");
            format!(
                "`algorithms` has `{}`; expected some of {known}",
                name.escape_debug()
            )
        })
    };
    written.split(',').map(|name| one(name.trim())).collect()
}

pub(super) async fn open(parsed: Parsed, site: Site) -> Result<Arc<dyn Driver>> {
    let origin = match parsed.keys {
        KeySet::File(path) => Origin::File(site.place(path)?),
        KeySet::Url(url) => Origin::Url(url),
        KeySet::Issuer(url) => Origin::Issuer(url),
    };
    let source = Source::open(site.component, parsed.issuer, origin).await?;
    Ok(Arc::new(Bearer {
        validation: parsed.validation,
        source,
    }))
}

struct Bearer {
    validation: Validation,
    source: Source,
}

/// The claims are the app's business once the token is known good.
#[derive(Clone, Deserialize)]
struct Claims {}

impl Bearer {
    async fn check(&self, headers: &HeaderMap) -> Result<()> {
        let token = token(headers).map_err(refused)?;
        let head = head(token, &self.validation).map_err(refused)?;
        let find = |keys: &Keys| -> Option<DecodingKey> {
            keys.find(head.kid.as_deref(), head.alg).cloned()
        };
        let key = self.source.find(find).await?;
        let key = key.ok_or_else(|| refused("no key of the issuer is the token's"))?;
        verify(token, head.alg, &key, &self.validation).map_err(refused)
    }
}

/// The head of a token that is of the kind that is taken; nothing of it is proved yet.
fn head(token: &str, validation: &Validation) -> Result<Header, &'static str> {
    let head = decode_header(token).map_err(|_| "the token is no JWT")?;
    if head.crit.is_some() {
        return Err("the token has a `crit` that is not understood");
    }
    match validation.algorithms.contains(&head.alg) {
        true => Ok(head),
        false => Err("the algorithm of the token is not one of `algorithms`"),
    }
}

/// Checks the signature by a key of this algorithm, and then the claims.
fn verify(
    token: &str,
    algorithm: Algorithm,
    key: &DecodingKey,
    validation: &Validation,
) -> Result<(), &'static str> {
    let validation = Validation {
        algorithms: vec![algorithm],
        ..validation.clone()
    };
    let checked = decode::<Claims>(token, key, &validation);
    checked.map(drop).map_err(|error| reason(error.kind()))
}

/// The one token of a request.
fn token(headers: &HeaderMap) -> Result<&str, &'static str> {
    let mut all = headers.get_all(header::AUTHORIZATION).iter();
    let (value, None) = (all.next().ok_or("there is no token")?, all.next()) else {
        return Err("there is more than one `Authorization`");
    };
    let text = value.to_str().map_err(|_| "`Authorization` is no text")?;
    let (scheme, token) = text.split_once(' ').unwrap_or((text, ""));
    if !scheme.eq_ignore_ascii_case(SCHEME) {
        return Err("`Authorization` has another scheme than `Bearer`");
    }
    match token.trim() {
        "" => Err("there is no token"),
        token if token.len() > TOKEN => Err("the token has more than 16 KiB"),
        token => Ok(token),
    }
}

/// The words for the log; the token is in none of them.
fn reason(kind: &ErrorKind) -> &'static str {
    match kind {
        ErrorKind::ExpiredSignature => "the token has expired",
        ErrorKind::ImmatureSignature => "the token is not valid yet",
        ErrorKind::InvalidIssuer => "the token is of another issuer",
        ErrorKind::InvalidAudience => "the token is for another audience",
        ErrorKind::MissingRequiredClaim(_) => "the token lacks `exp`, `iss` or `aud`",
        ErrorKind::InvalidSignature => "the signature of the token is not the issuer's",
        _ => "the token is no JWT of this kind",
    }
}

fn refused(why: &str) -> Error {
    Error::denied(why).with_detail(Detail::Unauthenticated)
}

#[async_trait]
impl Driver for Bearer {
    async fn handle(
        &self,
        _: &Arc<Visit>,
        request: Request<Body>,
        next: Next,
    ) -> Result<Response<Body>> {
        self.check(request.headers()).await?;
        Ok(next.run(request).await)
    }

    async fn health(&self) -> Result<()> {
        self.source.health()
    }
}
