//! An input by HTTP: a path, the methods that it takes, and a signature over the body where a secret is shared.

use async_trait::async_trait;
use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use sha2::Sha256;
use std::sync::Arc;
use wythe_blocks::{
    Error, Result, Site, Wrong,
    bindings::{Driver, Features, Webhook},
};
use wythe_manifest::{ByteSize, Secret};

const MAX_BODY: u64 = 1 << 20;
const HEADER: &str = "x-hub-signature-256";
const PREFIX: &str = "sha256=";

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Config {
    /// Begins with `/`; matched whole.
    path: String,
    /// Methods with commas between them; default POST.
    methods: Option<String>,
    /// Default 1 MiB.
    max_body_bytes: Option<ByteSize>,
    /// Key that a sender signs with; without one anybody may send.
    secret: Option<Secret>,
    /// Default `x-hub-signature-256`.
    signature_header: Option<String>,
}

pub(super) fn parse(config: Config) -> Result<Hook, Wrong> {
    let wrong = |setting| move |error| Wrong::new(setting, error);
    check_path(&config.path).map_err(wrong("path"))?;
    let methods = methods(config.methods.as_deref().unwrap_or("POST"));
    let mac = mac(config.secret.as_ref()).map_err(wrong("secret"))?;
    if mac.is_none() && config.signature_header.is_some() {
        let error = Error::invalid("`signatureHeader` without `secret`; expected both or neither");
        return Err(Wrong::new("signatureHeader", error));
    }
    let header = config.signature_header.unwrap_or_else(|| HEADER.into());
    Ok(Hook {
        webhook: Webhook {
            path: config.path,
            methods: methods.map_err(wrong("methods"))?,
            max_body: config.max_body_bytes.map_or(MAX_BODY, u64::from),
        },
        mac,
        header: header.to_ascii_lowercase(),
    })
}

pub(super) async fn open(hook: Hook, _: Site) -> Result<Arc<dyn Driver>> {
    Ok(Arc::new(hook))
}

fn mac(secret: Option<&Secret>) -> Result<Option<Hmac<Sha256>>> {
    let secret = secret.map(Secret::reveal);
    if secret.is_some_and(str::is_empty) {
        return Err(Error::invalid(
            "`secret` is empty; expected one, or none at all",
        ));
    }
    let mac = secret.map(|secret| Hmac::<Sha256>::new_from_slice(secret.as_bytes()));
    mac.transpose()
        .map_err(|_| Error::invalid("`secret` is too long"))
}

fn check_path(path: &str) -> Result<()> {
    let plain = |c: char| c.is_ascii_graphic() && !"?#\\%".contains(c);
    let mut steps = path.split('/').skip(1);
    let is_good = path.starts_with('/')
        && path.chars().all(plain)
        && (path == "/" || steps.all(|step| !["", ".", ".."].contains(&step)));
    if is_good {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "`path: {}`; expected one that begins with `/`, such as `/hooks/orders`, without a query and a `/` at its end",
        path.escape_debug()
    )))
}

fn methods(list: &str) -> Result<Vec<String>> {
    let methods = list.split(',').map(|name| name.trim().to_ascii_uppercase());
    let methods: Vec<_> = methods.collect();
    let known = ["DELETE", "GET", "PATCH", "POST", "PUT"];
    match methods.iter().find(|name| !known.contains(&name.as_str())) {
        Some(other) => Err(Error::invalid(format!(
            "`methods` has `{}`; expected some of {}",
            other.escape_debug(),
            known.join(", ")
        ))),
        None => Ok(methods),
    }
}

pub(super) struct Hook {
    webhook: Webhook,
    mac: Option<Hmac<Sha256>>,
    header: String,
}

#[async_trait]
impl Driver for Hook {
    fn features(&self) -> Features {
        Features {
            operations: Vec::new(),
            input: true,
            redelivers: false,
            secrets: false,
        }
    }

    fn webhook(&self) -> Option<Webhook> {
        Some(self.webhook.clone())
    }

    fn admit(&self, headers: &[(String, String)], body: &[u8]) -> Result<()> {
        let Some(mac) = &self.mac else {
            return Ok(());
        };
        let mut named = headers.iter().filter(|(name, _)| *name == self.header);
        let signature = named.next().and_then(|(_, value)| decode(value));
        // Two signatures are one too many: it is not said which of them counts.
        let signature = signature.filter(|_| named.next().is_none());
        let mac = mac.clone().chain_update(body);
        // In constant time.
        let fits = signature.is_some_and(|signature| mac.verify_slice(&signature).is_ok());
        match fits {
            true => Ok(()),
            false => Err(Error::denied(format!(
                "the signature in `{}` is missing or does not fit",
                self.header
            ))),
        }
    }
}

fn decode(signature: &str) -> Option<Vec<u8>> {
    let digits = signature.strip_prefix(PREFIX)?.as_bytes();
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    let pair = |pair: &[u8]| match pair {
        [high, low] => u8::try_from(digit(high)? * 16 + digit(low)?).ok(),
        _ => None,
    };
    digits.chunks(2).map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hook(secret: Option<&str>) -> Hook {
        let mac = secret.map(|secret| Hmac::new_from_slice(secret.as_bytes()).unwrap());
        Hook {
            webhook: Webhook {
                path: "/hook".into(),
                methods: vec!["POST".into()],
                max_body: 10,
            },
            mac,
            header: HEADER.into(),
        }
    }

    fn signed(value: &str) -> Vec<(String, String)> {
        vec![(HEADER.into(), value.into())]
    }

    /// Example from the documentation of the most used sender of such signatures.
    const SECRET: &str = "It's a Secret to Everybody";
    const BODY: &[u8] = b"Hello, World!";
    const GOOD: &str = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";

    #[test]
    fn a_signature_over_the_body_is_let_in() {
        hook(Some(SECRET)).admit(&signed(GOOD), BODY).unwrap();
        hook(None).admit(&[], BODY).unwrap();
    }

    #[test]
    fn everything_else_is_denied_in_the_same_words() {
        let hook = hook(Some(SECRET));
        let twice = [signed(GOOD), signed(GOOD)].concat();
        for (headers, body) in [
            (signed(GOOD), b"Hello, World?".as_slice()),
            (signed(&GOOD[..GOOD.len() - 2]), BODY),
            (signed(&GOOD[7..]), BODY),
            (signed("sha256=zz"), BODY),
            (signed("sha256="), BODY),
            (Vec::new(), BODY),
            (twice, BODY),
        ] {
            let error = hook.admit(&headers, body).unwrap_err();
            assert_eq!(error.kind(), wythe_blocks::Kind::Denied);
            assert_eq!(
                error.message(),
                "the signature in `x-hub-signature-256` is missing or does not fit"
            );
        }
    }

    #[test]
    fn a_path_is_whole() {
        for path in ["/", "/hooks/orders", "/a.b/c-d~e"] {
            check_path(path).unwrap();
        }
        for path in ["", "hook", "/a//b", "/a/", "/a?b", "/../a", "/a b", "/%61"] {
            let error = check_path(path).unwrap_err();
            assert_eq!(
                error.message(),
                format!(
                    "`path: {path}`; expected one that begins with `/`, such as `/hooks/orders`, \
                     without a query and a `/` at its end"
                )
            );
        }
    }

    #[test]
    fn methods_are_known() {
        assert_eq!(methods("post, put").unwrap(), ["POST", "PUT"]);
        let error = methods("POST,CONNECT").unwrap_err();
        assert_eq!(
            error.message(),
            "`methods` has `CONNECT`; expected some of DELETE, GET, PATCH, POST, PUT"
        );
    }
}
