//! The settings, by Dapr's names.

use serde::Deserialize;
use std::{path::PathBuf, time::Duration};
use url::Url;
use wythe_blocks::{Error, Result, Wrong};
use wythe_client::is_exposed;
use wythe_manifest::{Duration as Time, Secret};

const ADDRESS: &str = "https://127.0.0.1:8200";
const ENGINE: &str = "secret";
const PREFIX: &str = "dapr";
/// Time of a request, by default.
const TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Config {
    /// The address of the server; default `https://127.0.0.1:8200`.
    vault_addr: Option<String>,
    /// The token that is shown to the server.
    vault_token: Option<Secret>,
    /// The file with the token, relative to the resource.
    vault_token_mount_path: Option<PathBuf>,
    /// The directory of the secrets; default `dapr`.
    #[serde(rename = "vaultKVPrefix")]
    vault_kv_prefix: Option<String>,
    /// False asks without a directory; default true.
    #[serde(rename = "vaultKVUsePrefix")]
    vault_kv_use_prefix: Option<bool>,
    /// The path of the engine, of version 2; default `secret`.
    engine_path: Option<String>,
    /// `map` for secrets of several values, or `text`; default `map`.
    vault_value_type: Option<Kind>,
    /// The file with the authorities that are believed, relative to the resource; default those of the web.
    ca_cert: Option<PathBuf>,
    /// The directory of such files.
    ca_path: Option<PathBuf>,
    /// The authorities themselves, in PEM.
    ca_pem: Option<String>,
    /// True takes any certificate, which is an error here; default false.
    skip_verify: Option<bool>,
    /// The name that the server's certificate has; default that of the address.
    #[serde(rename = "tlsServerName")]
    tls_server_name: Option<String>,
    /// Time of a request; default 10 s.
    timeout: Option<Time>,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    Map,
    Text,
}

/// The place of the token.
pub(crate) enum Token {
    Written(Secret),
    File(PathBuf),
}

/// The authorities that are believed.
pub(crate) enum Authorities {
    Web,
    Pem(String),
    File(PathBuf),
    Directory(PathBuf),
}

/// A config that was found good.
pub(crate) struct Parsed {
    pub url: Url,
    pub token: Token,
    pub engine: String,
    /// The directory of the secrets, or nothing.
    pub prefix: String,
    pub kind: Kind,
    pub authorities: Authorities,
    pub server_name: Option<String>,
    pub timeout: Duration,
}

pub(crate) fn parse(config: Config) -> Result<Parsed, Wrong> {
    if config.skip_verify == Some(true) {
        return Err(wrong(
            "skipVerify",
            "certificates are always checked; name the authority that signed the server's by `caPem`, `caCert` or `caPath`",
        ));
    }
    let token = token(config.vault_token, config.vault_token_mount_path)?;
    let authorities = authorities(config.ca_pem, config.ca_path, config.ca_cert)?;
    let prefix = match config.vault_kv_use_prefix.unwrap_or(true) {
        false => String::new(),
        true => {
            let written = config.vault_kv_prefix.filter(|prefix| !prefix.is_empty());
            path(
                "vaultKVPrefix",
                &written.unwrap_or_else(|| PREFIX.to_owned()),
            )?
        }
    };
    let timeout = config.timeout.map_or(TIMEOUT, Duration::from);
    if !(Duration::from_millis(10)..=Duration::from_secs(3_600)).contains(&timeout) {
        return Err(wrong("timeout", "expected 10ms to 1h"));
    }
    let engine = config.engine_path.filter(|engine| !engine.is_empty());
    Ok(Parsed {
        url: url(config.vault_addr.as_deref().unwrap_or(ADDRESS))?,
        token,
        engine: path("enginePath", &engine.unwrap_or_else(|| ENGINE.to_owned()))?,
        prefix,
        kind: config.vault_value_type.unwrap_or(Kind::Map),
        authorities,
        server_name: config.tls_server_name.filter(|name| !name.is_empty()),
        timeout,
    })
}

/// The token, or the file that has it.
fn token(token: Option<Secret>, path: Option<PathBuf>) -> Result<Token, Wrong> {
    match (token, path) {
        (Some(token), None) if !token.reveal().is_empty() => Ok(Token::Written(token)),
        (None, Some(path)) => Ok(Token::File(path)),
        (Some(_), Some(_)) => Err(wrong(
            "vaultToken",
            "expected it or `vaultTokenMountPath`, not both",
        )),
        _ => Err(wrong("vaultToken", "expected it, or `vaultTokenMountPath`")),
    }
}

fn authorities(
    pem: Option<String>,
    directory: Option<PathBuf>,
    file: Option<PathBuf>,
) -> Result<Authorities, Wrong> {
    match (pem, directory, file) {
        (None, None, None) => Ok(Authorities::Web),
        (Some(pem), None, None) => Ok(Authorities::Pem(pem)),
        (None, Some(path), None) => Ok(Authorities::Directory(path)),
        (None, None, Some(path)) => Ok(Authorities::File(path)),
        _ => Err(wrong(
            "caPem",
            "expected one of `caPem`, `caPath` and `caCert`",
        )),
    }
}

/// Warns of a token and secrets that others may read on their way.
pub(crate) fn warnings(parsed: &Parsed) -> Vec<Wrong> {
    match is_exposed(&parsed.url) {
        false => Vec::new(),
        true => vec![wrong(
            "vaultAddr",
            "the token and the secrets go to another machine without TLS: who is on their way reads them; write `https://`",
        )],
    }
}

/// A path of plain parts, without slashes at its ends.
fn path(setting: &'static str, written: &str) -> Result<String, Wrong> {
    let path = written.trim_matches('/');
    match is_path(path) {
        true => Ok(path.to_owned()),
        false => Err(wrong(setting, "expected a path such as `team/app`")),
    }
}

/// Returns whether a text is a path below another one: no part of it leads elsewhere.
pub(crate) fn is_path(text: &str) -> bool {
    let mut parts = text.split('/');
    parts.all(|part| !["", ".", ".."].contains(&part)) && !text.contains(char::is_control)
}

fn url(written: &str) -> Result<Url, Wrong> {
    let odd = || {
        wrong(
            "vaultAddr",
            "expected an address such as `https://vault.example.com:8200`, without a user, a path and a query",
        )
    };
    let url: Url = written.trim().parse().map_err(|_| odd())?;
    let is_plain = ["http", "https"].contains(&url.scheme())
        && url.has_host()
        && url.username().is_empty()
        && url.password().is_none()
        && url.path() == "/"
        && url.query().is_none()
        && url.fragment().is_none();
    match is_plain {
        true => Ok(url),
        false => Err(odd()),
    }
}

/// A setting that does not fit.
pub(crate) fn wrong(setting: &'static str, why: &str) -> Wrong {
    Wrong::new(setting, Error::invalid(format!("{setting}: {why}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn parsed(config: Value) -> Result<Parsed, String> {
        let config: Config = serde_json::from_value(config).map_err(|error| error.to_string())?;
        parse(config).map_err(|wrong| Error::from(wrong).message().to_owned())
    }

    #[test]
    fn defaults_are_daprs() {
        let parsed = parsed(json!({ "vaultToken": "t" })).ok().unwrap();
        assert_eq!(parsed.url.as_str(), "https://127.0.0.1:8200/");
        assert_eq!((&*parsed.engine, &*parsed.prefix), ("secret", "dapr"));
        assert!(parsed.kind == Kind::Map && matches!(parsed.authorities, Authorities::Web));
    }

    #[test]
    fn what_does_not_fit_says_so() {
        for (config, expected) in [
            (
                json!({}),
                "vaultToken: expected it, or `vaultTokenMountPath`",
            ),
            (
                json!({ "vaultToken": "t", "vaultTokenMountPath": "p" }),
                "not both",
            ),
            (
                json!({ "vaultToken": "t", "skipVerify": true }),
                "skipVerify: certificates are always checked",
            ),
            (
                json!({ "vaultToken": "t", "caPem": "p", "caCert": "c" }),
                "expected one of",
            ),
            (
                json!({ "vaultToken": "t", "vaultKVPrefix": "a/../b" }),
                "vaultKVPrefix: expected a path",
            ),
            (
                json!({ "vaultToken": "t", "enginePath": "a//b" }),
                "enginePath: expected a path",
            ),
            (
                json!({ "vaultToken": "t", "vaultAddr": "http://a/v1" }),
                "vaultAddr: expected an address",
            ),
            (json!({ "vaultToken": "t", "other": 1 }), "unknown field"),
        ] {
            let error = parsed(config).err().unwrap();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn another_machine_without_tls_is_warned_of() {
        let warned = |address: &str| {
            let parsed = parsed(json!({ "vaultToken": "t", "vaultAddr": address }));
            !warnings(&parsed.ok().unwrap()).is_empty()
        };
        assert!(warned("http://vault.example.com:8200"));
        assert!(!warned("http://127.0.0.1:8200") && !warned("https://vault.example.com"));
    }
}
