//! The way from a name to a login that was taken.

use super::{ANSWERS, Link};
use crate::{
    failure::{forbidden, odd},
    nkey::Key,
    settings::Target,
    wire::{self, Frame, Info},
};
use serde_json::{Value, json};
use std::io;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use wythe_blocks::{Error, Result, random};
use wythe_net::{Hidden, Tls, reach};

pub(super) async fn connect(target: &Target, tls: &Tls, server: &(String, u16)) -> Result<Link> {
    let (host, port) = server;
    let mut stream = BufReader::new(reach("natsURL", host, *port).await?);
    let info = match wire::read(&mut stream).await {
        Ok(Frame::Info(info)) => *info,
        Ok(_) => return Err(odd()),
        Err(error) => return Err(no_greeting(error)),
    };
    check(&info)?;
    if !target.is_secure && !info.tls_required {
        return log_in(stream, info, target, false).await;
    }
    if !info.tls_required && !info.tls_available {
        return Err(Error::unavailable(
            "the server speaks no TLS on this port: write `nats://`, or set up TLS there",
        ));
    }
    // What stands behind the greeting came before TLS, and from whomever.
    if !stream.buffer().is_empty() {
        return Err(odd());
    }
    let stream = tls.connect(host, stream.into_inner()).await;
    let stream = stream.map_err(|error| {
        Error::unavailable(
            "no TLS with the server: its certificate is not one that `tls_ca_cert` or the web's authorities signed for this host name, or it wants another `tls_client_cert`",
        )
        .with_source(error)
    })?;
    log_in(BufReader::new(stream), info, target, true).await
}

fn no_greeting(error: io::Error) -> Error {
    let text = match error.kind() {
        io::ErrorKind::UnexpectedEof => {
            "the server ended the connection before it greeted; is it NATS, and does it greet before TLS?"
        }
        _ => "what answers there does not greet as NATS does",
    };
    Error::unavailable(text).with_source(error)
}

/// The first version whose streams can bound each subject.
const OLDEST: (u64, u64) = (2, 9);
/// The first version with `sync_interval: always`.
pub(crate) const SYNCS: (u64, u64) = (2, 10);

/// Major and minor part of a version.
pub(crate) fn version(text: &str) -> Option<(u64, u64)> {
    let mut parts = text.split('.').map(|part| part.parse::<u64>().ok());
    Some((parts.next()??, parts.next()??))
}

fn check(info: &Info) -> Result<()> {
    let Some(found) = version(&info.version) else {
        return Err(odd());
    };
    let shown: String = info.version.chars().take(30).collect();
    if found < OLDEST {
        return Err(Error::unsupported(format!(
            "the server is of version {shown}; expected 2.9 or later"
        )));
    }
    match info.headers && info.jetstream {
        true => Ok(()),
        false => Err(Error::unsupported(
            "the server has no JetStream, or no headers: start it with `jetstream` in its configuration",
        )),
    }
}

/// Says who connects, and waits until that was taken.
async fn log_in<S>(
    mut stream: BufReader<S>,
    info: Info,
    target: &Target,
    is_secure: bool,
) -> Result<Link>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (words, prefix) = (
        words(&info, target, is_secure)?,
        format!("_INBOX.{}", random::name()?),
    );
    // A user who may not listen to answers is refused here, and not by calls that have none.
    let text = format!("CONNECT {words}\r\nSUB {prefix}.* {ANSWERS}\r\nPING\r\n");
    let cut = |error: io::Error| refusal("", target).with_source(error);
    stream.write_all(text.as_bytes()).await.map_err(cut)?;
    stream.flush().await.map_err(cut)?;
    loop {
        match wire::read(&mut stream).await.map_err(cut)? {
            Frame::Pong => return Ok(Link::begin(stream, info, prefix, target.timeout)),
            Frame::Refusal(text) => {
                let shown: String = text.chars().take(200).collect();
                return Err(refusal(&text, target).with_source(shown));
            }
            Frame::Ping | Frame::Fine | Frame::Info(_) => {}
            Frame::Message(_) => return Err(odd()),
        }
    }
}

fn words(info: &Info, target: &Target, is_secure: bool) -> Result<Value> {
    let login = &target.login;
    let shown = |secret: &Option<Hidden>| secret.as_ref().map(|one| one.0.reveal().to_owned());
    let mut words = json!({
        "verbose": false,
        "pedantic": false,
        "tls_required": is_secure,
        "name": target.name,
        "lang": "rust",
        "version": env!("CARGO_PKG_VERSION"),
        "protocol": 1,
        "headers": true,
        "no_responders": true,
        "user": login.user,
        "pass": shown(&login.password),
        "auth_token": shown(&login.token),
        "jwt": shown(&login.jwt),
    });
    if let Some(seed) = &login.seed {
        let key = Key::read(&seed.0).ok_or_else(|| Error::invalid("`seedKey` is no seed"))?;
        words["sig"] = key.sign(info.nonce.as_deref().unwrap_or_default()).into();
        if login.jwt.is_none() {
            words["nkey"] = key.public().into();
        }
    }
    if let Value::Object(words) = &mut words {
        words.retain(|_, value| !value.is_null());
    }
    Ok(words)
}

/// The error of a server that takes no login.
fn refusal(text: &str, target: &Target) -> Error {
    let text = text.to_ascii_lowercase();
    let has_login = target.login != Default::default();
    match has_login {
        _ if text.contains("permissions violation") => forbidden("_INBOX.>"),
        _ if text.contains("maximum connections") => {
            Error::unavailable("the server takes no more connections")
        }
        _ if text.contains("expired") || text.contains("revoked") => {
            Error::denied("the login of the user or the account is over: renew `jwt` and `seedKey`")
        }
        true if text.contains("authoriz") || text.contains("authent") => Error::denied(
            "the server refuses the login: check the user and the password in `natsURL`, `token`, or `jwt` and `seedKey`",
        ),
        false if text.contains("authoriz") || text.contains("authent") => Error::denied(
            "the server wants a login: set `token`, `jwt` and `seedKey`, a user in `natsURL`, or `tls_client_cert`",
        ),
        _ => Error::unavailable(
            "the server ended the connection before it took the login; does it want `tls_client_cert`?",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_does_not_fit_says_why() {
        let info = |version: &str, jetstream| Info {
            version: version.to_owned(),
            headers: true,
            jetstream,
            ..Info::default()
        };
        assert!(check(&info("2.9.10", true)).is_ok());
        assert!(check(&info("2.15.0-dev", true)).is_ok());
        let cases = [
            (info("2.8.4", true), "version 2.8.4; expected 2.9 or later"),
            (info("2.10.1", false), "has no JetStream"),
            (info("two", true), "is it NATS?"),
        ];
        for (info, expected) in cases {
            let error = check(&info).unwrap_err();
            assert!(error.message().contains(expected), "{error}");
        }
    }
}
