//! The settings that all types have in common: the account, where its service is, and the key by which requests are signed.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use std::{
    hash::{Hash, Hasher},
    time::Duration,
};
use url::Url;
use wythe_blocks::{Error, Result, Wrong};
use wythe_client::{is_exposed, parse_address};
use wythe_manifest::{Duration as Time, Secret};

/// Time of a request, by default.
const TIMEOUT: Duration = Duration::from_secs(20);
/// Bytes of a key, in base64.
const MAX_KEY: usize = 1 << 10;

/// The keys of a component that name an account.
pub(crate) struct Written {
    pub account_name: Option<String>,
    pub account_key: Option<Secret>,
    pub endpoint: Option<String>,
    pub environment: Option<String>,
    pub connection_string: Option<Secret>,
    pub timeout: Option<Time>,
    /// Names of the keys for tokens of Entra ID that are written.
    pub tokens: Vec<&'static str>,
}

/// Makes the config of a component: the keys that name its account, and those of its own.
macro_rules! config {
    (struct Config { $($(#[$said:meta])* $key:ident: $of:ty,)* }) => {
        #[derive(serde::Deserialize)]
        #[serde(deny_unknown_fields, rename_all = "camelCase")]
        pub(crate) struct Config {
            /// The storage account.
            #[serde(alias = "storageAccountName", alias = "storageAccount")]
            account_name: Option<String>,
            /// The account's key, by which requests are signed.
            #[serde(
                alias = "storageAccountKey",
                alias = "accessKey",
                alias = "storageAccessKey"
            )]
            account_key: Option<wythe_manifest::Secret>,
            /// The address of the service, which the account's name follows; default that of the cloud.
            #[serde(
                alias = "storageEndpoint",
                alias = "storageAccountEndpoint",
                alias = "queueEndpointUrl",
                alias = "queueEndpoint"
            )]
            endpoint: Option<String>,
            /// The cloud; default `AZUREPUBLICCLOUD`.
            azure_environment: Option<String>,
            /// The account in one text, which is an error here.
            connection_string: Option<wythe_manifest::Secret>,
            /// The tenant of Entra ID, which is an error here, as the next ones are.
            azure_tenant_id: Option<String>,
            /// The application.
            azure_client_id: Option<String>,
            /// The application's password.
            azure_client_secret: Option<wythe_manifest::Secret>,
            /// The application's certificate.
            azure_certificate: Option<wythe_manifest::Secret>,
            /// The file with it.
            azure_certificate_file: Option<String>,
            /// The password of that file.
            azure_certificate_password: Option<wythe_manifest::Secret>,
            /// Time of a request; default 20 s.
            timeout: Option<wythe_manifest::Duration>,
            $($(#[$said])* $key: $of,)*
        }

        impl Config {
            /// The keys that name the account, taken out.
            fn account(&mut self) -> $crate::settings::Written {
                let tokens = [
                    ("azureTenantId", self.azure_tenant_id.is_some()),
                    ("azureClientId", self.azure_client_id.is_some()),
                    ("azureClientSecret", self.azure_client_secret.is_some()),
                    ("azureCertificate", self.azure_certificate.is_some()),
                    ("azureCertificateFile", self.azure_certificate_file.is_some()),
                    (
                        "azureCertificatePassword",
                        self.azure_certificate_password.is_some(),
                    ),
                ];
                let tokens = tokens.into_iter().filter(|(_, is_written)| *is_written);
                $crate::settings::Written {
                    account_name: self.account_name.take(),
                    account_key: self.account_key.take(),
                    endpoint: self.endpoint.take(),
                    environment: self.azure_environment.take(),
                    connection_string: self.connection_string.take(),
                    timeout: self.timeout.take(),
                    tokens: tokens.map(|(name, _)| name).collect(),
                }
            }
        }
    };
}
pub(crate) use config;

/// The account's key, in base64 as it is written.
#[derive(Clone)]
pub(crate) struct Key(Secret);

impl Key {
    fn parse(written: Option<Secret>) -> Result<Self, Wrong> {
        let is_good = |key: &Secret| {
            let key = key.reveal();
            (1..=MAX_KEY).contains(&key.len()) && STANDARD.decode(key).is_ok()
        };
        let key = written.filter(is_good).ok_or_else(|| {
            wrong(
                "accountKey",
                "expected a key of the account in base64: the identity of the host itself is never used; write it by `secretKeyRef`, or by `envRef` where the operator allows that",
            )
        })?;
        Ok(Key(key))
    }

    /// The bytes that sign.
    pub fn bytes(&self) -> Vec<u8> {
        STANDARD
            .decode(self.0.reveal())
            .expect("it was found good as it was parsed")
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.0.reveal() == other.0.reveal()
    }
}

impl Eq for Key {}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.reveal().hash(state);
    }
}

/// A service of an account, and how it is asked: equal ones share their connections.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Account {
    pub url: Url,
    pub name: String,
    pub key: Key,
    /// The account's part of each path, or nothing where it is in the host's name.
    pub root: String,
    pub timeout: Duration,
}

impl Account {
    /// Reads the keys; `service` is its part of the host's name.
    pub fn parse(written: Written, service: &str) -> Result<Self, Wrong> {
        if let Some(setting) = written.tokens.first().copied() {
            return Err(wrong(
                setting,
                "this build asks by the account's key, and not by tokens of Entra ID; write `accountKey`",
            ));
        }
        if written.connection_string.is_some() {
            return Err(wrong(
                "connectionString",
                "expected its parts in `accountName`, `accountKey` and `endpoint`",
            ));
        }
        let name = written.account_name.unwrap_or_default();
        let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        if !(3..=24).contains(&name.len()) || !name.chars().all(is_plain) {
            return Err(wrong(
                "accountName",
                "expected the name of a storage account, of 3 to 24 lower letters and digits",
            ));
        }
        let timeout = written.timeout.map_or(TIMEOUT, Duration::from);
        if !(Duration::from_millis(10)..=Duration::from_secs(3_600)).contains(&timeout) {
            return Err(wrong("timeout", "expected 10ms to 1h"));
        }
        let suffix = suffix(written.environment.as_deref())?;
        let endpoint = written.endpoint.filter(|text| !text.trim().is_empty());
        let (text, root) = match endpoint {
            None => (format!("https://{name}.{service}.{suffix}"), String::new()),
            Some(text) => (text.trim().to_owned(), format!("/{name}")),
        };
        let url = parse_address(&text).filter(|url| url.path() == "/");
        let url = url.ok_or_else(|| {
            wrong(
                "endpoint",
                "expected an address such as `http://127.0.0.1:10000`, without a user, a path and a query; the account's name is put behind it",
            )
        })?;
        Ok(Account {
            url,
            name,
            key: Key::parse(written.account_key)?,
            root,
            timeout,
        })
    }

    /// The service's host and port, for people and for the header.
    pub fn authority(&self) -> &str {
        self.url.authority()
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

/// The end of the host names of a cloud.
fn suffix(environment: Option<&str>) -> Result<&'static str, Wrong> {
    let clouds = [
        ("AZUREPUBLICCLOUD", "core.windows.net"),
        ("AZURECHINACLOUD", "core.chinacloudapi.cn"),
        ("AZUREUSGOVERNMENTCLOUD", "core.usgovcloudapi.net"),
    ];
    let name = environment.filter(|name| !name.is_empty());
    let name = name.unwrap_or(clouds[0].0);
    let found = clouds
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(name));
    let odd = || {
        wrong(
            "azureEnvironment",
            "expected `AZUREPUBLICCLOUD`, `AZURECHINACLOUD` or `AZUREUSGOVERNMENTCLOUD`",
        )
    };
    found.map(|(_, suffix)| *suffix).ok_or_else(odd)
}

/// The name of a container or of a queue.
pub(crate) fn name(setting: &'static str, written: Option<String>) -> Result<String, Wrong> {
    let name = written.unwrap_or_default();
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let is_good = (3..=63).contains(&name.len())
        && name.chars().all(is_plain)
        && !name.starts_with('-')
        && !name.ends_with('-')
        && !name.contains("--");
    match is_good {
        true => Ok(name),
        false => Err(wrong(
            setting,
            "expected a name of 3 to 63 lower letters, digits and single `-` between them",
        )),
    }
}

/// A setting that does not fit.
pub(crate) fn wrong(setting: &'static str, why: &str) -> Wrong {
    Wrong::new(setting, Error::invalid(format!("{setting}: {why}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written() -> Written {
        Written {
            account_name: Some("account1".to_owned()),
            account_key: Some(Secret::new("a2V5".to_owned())),
            endpoint: None,
            environment: None,
            connection_string: None,
            timeout: None,
            tokens: Vec::new(),
        }
    }

    fn error(written: Written) -> String {
        let wrong = Account::parse(written, "blob").err().unwrap();
        Error::from(wrong).message().to_owned()
    }

    #[test]
    fn an_account_is_in_its_cloud_or_behind_an_endpoint() {
        for (endpoint, environment, url, root) in [
            (None, None, "https://account1.blob.core.windows.net/", ""),
            (
                None,
                Some("AzureChinaCloud"),
                "https://account1.blob.core.chinacloudapi.cn/",
                "",
            ),
            (
                Some("http://127.0.0.1:10000"),
                None,
                "http://127.0.0.1:10000/",
                "/account1",
            ),
        ] {
            let account = Account::parse(
                Written {
                    endpoint: endpoint.map(str::to_owned),
                    environment: environment.map(str::to_owned),
                    ..written()
                },
                "blob",
            );
            let account = account.ok().unwrap();
            assert_eq!((account.url.as_str(), account.root.as_str()), (url, root));
        }
    }

    #[test]
    fn what_does_not_fit_says_so() {
        fn secret(text: &str) -> Option<Secret> {
            Some(Secret::new(text.to_owned()))
        }
        type Edit = fn(&mut Written);
        let cases: [(Edit, &str); 7] = [
            (
                |written| written.account_key = secret("no base64!"),
                "accountKey: expected a key",
            ),
            (
                |written| written.account_key = secret(""),
                "accountKey: expected a key",
            ),
            (
                |written| written.account_name = Some("A/b".to_owned()),
                "accountName: expected the name",
            ),
            (
                |written| written.endpoint = Some("http://a/account1".to_owned()),
                "endpoint: expected an address",
            ),
            (
                |written| written.environment = Some("MOON".to_owned()),
                "azureEnvironment: expected",
            ),
            (
                |written| written.tokens = vec!["azureClientId"],
                "azureClientId: this build asks by the account's key",
            ),
            (
                |written| written.connection_string = secret("AccountKey=stored"),
                "connectionString: expected its parts",
            ),
        ];
        for (edit, expected) in cases {
            let mut written = written();
            edit(&mut written);
            let error = error(written);
            assert!(error.starts_with(expected), "{error}");
        }
    }

    #[test]
    fn names_are_of_containers_and_queues() {
        for good in ["abc", "a-1-b", &"a".repeat(63)] {
            assert!(name("queueName", Some(good.to_owned())).is_ok(), "{good}");
        }
        for odd in ["", "ab", "Abc", "a--b", "-abc", "abc-", "a/b", "$web"] {
            assert!(name("queueName", Some(odd.to_owned())).is_err(), "{odd}");
        }
    }
}
