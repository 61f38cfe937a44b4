//! The settings that all types have in common: where a service is, and by which keys requests to it are signed.

use std::time::Duration;
use url::{Host, Url};
use wythe_blocks::{Error, Result, Wrong};
use wythe_client::{is_exposed, parse_address};
use wythe_manifest::{Duration as Time, Secret};
use wythe_net::Hidden;

/// Time of a request, by default.
const TIMEOUT: Duration = Duration::from_secs(20);
/// Bytes of a key's name or of a token.
const MAX_KEY: usize = 4 << 10;

/// The keys of a component that name a service.
pub(crate) struct Written {
    pub region: Option<String>,
    pub endpoint: Option<String>,
    pub access_key: Option<Secret>,
    pub secret_key: Option<Secret>,
    pub session_token: Option<Secret>,
    pub timeout: Option<Time>,
}

/// Makes the config of a component: the keys that name its service, and those of its own.
macro_rules! config {
    (struct Config { $($(#[$said:meta])* $key:ident: $of:ty,)* }) => {
        #[derive(serde::Deserialize)]
        #[serde(deny_unknown_fields, rename_all = "camelCase")]
        pub(crate) struct Config {
            /// The region, such as `eu-central-1`.
            #[serde(alias = "awsRegion")]
            region: Option<String>,
            /// The address of the service; default that of the region.
            endpoint: Option<String>,
            /// The id of the key by which requests are signed.
            #[serde(alias = "awsAccountID")]
            access_key: Option<wythe_manifest::Secret>,
            /// The key itself.
            #[serde(alias = "awsSecret")]
            secret_key: Option<wythe_manifest::Secret>,
            /// The token of a key that is good for a time.
            session_token: Option<wythe_manifest::Secret>,
            /// Time of a request; default 20 s.
            timeout: Option<wythe_manifest::Duration>,
            $($(#[$said])* $key: $of,)*
        }

        impl Config {
            /// The keys that name the service, taken out.
            fn service(&mut self) -> $crate::settings::Written {
                $crate::settings::Written {
                    region: self.region.take(),
                    endpoint: self.endpoint.take(),
                    access_key: self.access_key.take(),
                    secret_key: self.secret_key.take(),
                    session_token: self.session_token.take(),
                    timeout: self.timeout.take(),
                }
            }
        }
    };
}
pub(crate) use config;

/// The keys by which requests are signed.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Credentials {
    /// The id of the key, which is no secret.
    pub key: String,
    pub secret: Hidden,
    pub token: Option<Hidden>,
}

/// A service, and how it is asked: equal ones share their connections.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Target {
    pub url: Url,
    pub region: String,
    pub credentials: Credentials,
    pub timeout: Duration,
}

/// The service of a component: its part in the address and in signatures, and whether it may be asked without TLS.
#[derive(Clone, Copy)]
pub(crate) struct Service {
    pub name: &'static str,
    pub is_plain: bool,
}

impl Service {
    pub const fn named(name: &'static str) -> Self {
        Service {
            name,
            is_plain: false,
        }
    }
}

impl Target {
    pub fn parse(written: Written, service: Service) -> Result<Self, Wrong> {
        let region = region(written.region)?;
        let timeout = written.timeout.map_or(TIMEOUT, Duration::from);
        let bounds = Duration::from_millis(10)..=Duration::from_secs(3_600);
        if !bounds.contains(&timeout) {
            return Err(wrong("timeout", "expected 10ms to 1h"));
        }
        Ok(Target {
            url: url(written.endpoint.as_deref(), &region, service)?,
            region,
            credentials: Credentials {
                key: key("accessKey", written.access_key)?.reveal().to_owned(),
                secret: Hidden(key("secretKey", written.secret_key)?),
                token: written
                    .session_token
                    .filter(|token| !token.reveal().is_empty())
                    .map(Hidden),
            },
            timeout,
        })
    }

    /// The service's host and port, for people and for the header.
    pub fn authority(&self) -> &str {
        self.url.authority()
    }

    /// Returns whether the host of the service is an address, or this machine: no name can be put before it.
    pub fn is_bare(&self) -> bool {
        match self.url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            _ => true,
        }
    }

    /// Warns of data that others may read on their way.
    pub fn warnings(&self) -> Vec<Wrong> {
        match is_exposed(&self.url) {
            false => Vec::new(),
            true => vec![wrong(
                "endpoint",
                "requests go to another machine without TLS: who is on their way reads and changes what they carry; write `https://`",
            )],
        }
    }
}

fn region(written: Option<String>) -> Result<String, Wrong> {
    let region = written.unwrap_or_default();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
    match (1..=64).contains(&region.len()) && region.chars().all(is_plain) {
        true => Ok(region),
        false => Err(wrong(
            "region",
            "expected a region such as `eu-central-1`, which signatures are for",
        )),
    }
}

fn key(setting: &'static str, written: Option<Secret>) -> Result<Secret, Wrong> {
    let plain = |key: &Secret| {
        let key = key.reveal();
        !key.is_empty() && key.len() <= MAX_KEY && key.chars().all(|c| c.is_ascii_graphic())
    };
    written.filter(plain).ok_or_else(|| {
        wrong(
            setting,
            "expected a key: the credentials of the host itself (its environment, its files, its machine's role) are never used; write it by `secretKeyRef`, or by `envRef` where the operator allows that",
        )
    })
}

/// The address that is written, or that of the region.
fn url(written: Option<&str>, region: &str, service: Service) -> Result<Url, Wrong> {
    let scheme = match service.is_plain {
        true => "http",
        false => "https",
    };
    let text = match written.map(str::trim).filter(|text| !text.is_empty()) {
        Some(text) if text.contains("://") => text.to_owned(),
        Some(text) => format!("{scheme}://{text}"),
        None => {
            let end = match region.starts_with("cn-") {
                true => "amazonaws.com.cn",
                false => "amazonaws.com",
            };
            format!("{scheme}://{}.{region}.{end}", service.name)
        }
    };
    let odd = || {
        wrong(
            "endpoint",
            "expected an address such as `https://localhost:4566`, without a user, a path and a query",
        )
    };
    let url = parse_address(&text).filter(|url| url.path() == "/");
    url.ok_or_else(odd)
}

/// A setting that does not fit.
pub(crate) fn wrong(setting: &'static str, why: &str) -> Wrong {
    Wrong::new(setting, Error::invalid(format!("{setting}: {why}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(region: &str, endpoint: Option<&str>, key: Option<&str>) -> Result<Target, String> {
        let secret = |text: &str| Secret::new(text.to_owned());
        let written = Written {
            region: Some(region.to_owned()),
            endpoint: endpoint.map(str::to_owned),
            access_key: key.map(secret),
            secret_key: Some(secret("kept")),
            session_token: None,
            timeout: None,
        };
        let target = Target::parse(written, Service::named("sqs"));
        target.map_err(|wrong| Error::from(wrong).message().to_owned())
    }

    #[test]
    fn a_service_is_at_its_region_or_at_its_endpoint() {
        for (region, endpoint, expected) in [
            ("eu-west-1", None, "https://sqs.eu-west-1.amazonaws.com/"),
            (
                "cn-north-1",
                None,
                "https://sqs.cn-north-1.amazonaws.com.cn/",
            ),
            (
                "us-east-1",
                Some("http://localhost:4566"),
                "http://localhost:4566/",
            ),
            ("us-east-1", Some("example.com"), "https://example.com/"),
        ] {
            let target = parsed(region, endpoint, Some("id")).unwrap();
            assert_eq!(target.url.as_str(), expected);
        }
    }

    #[test]
    fn what_does_not_fit_says_so() {
        for (region, endpoint, key, expected) in [
            ("", None, Some("id"), "region: expected a region"),
            ("a/../b", None, Some("id"), "region: expected a region"),
            (
                "a",
                Some("http://me@b"),
                Some("id"),
                "endpoint: expected an address",
            ),
            (
                "a",
                Some("http://b/path"),
                Some("id"),
                "endpoint: expected an address",
            ),
            (
                "a",
                Some("http://a{b"),
                Some("id"),
                "endpoint: expected an address",
            ),
            (
                "a",
                Some("ftp://b"),
                Some("id"),
                "endpoint: expected an address",
            ),
            (
                "a",
                None,
                None,
                "accessKey: expected a key: the credentials of the host itself",
            ),
            ("a", None, Some(""), "accessKey: expected a key"),
            ("a", None, Some("a\nb"), "accessKey: expected a key"),
        ] {
            let error = parsed(region, endpoint, key).err().unwrap();
            assert!(error.starts_with(expected), "{error}");
        }
    }

    #[test]
    fn another_machine_without_tls_is_warned_of() {
        let warned = |endpoint| {
            !parsed("a", Some(endpoint), Some("id"))
                .unwrap()
                .warnings()
                .is_empty()
        };
        assert!(warned("http://example.com") && warned("http://10.0.0.1"));
        assert!(!warned("http://127.0.0.1:5000") && !warned("https://example.com"));
    }
}
