//! The way to the API server and who asks there: by a file of `kubectl`, or as the account of the pod.

use crate::{kubeconfig, settings::Parsed};
use std::{
    path::Path,
    time::{Duration, Instant},
};
use url::{Host, Url};
use wythe_blocks::{Error, Result, Site};
use wythe_manifest::{AnchoredPath, Secret, Unreadable};
use wythe_net::wrong;

/// The directory that a pod has of its account.
const ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
/// Bytes of a token, and of each other file.
const TOKEN: u64 = 64 << 10;
const FILE: u64 = 1 << 20;
/// The age at which a token in a file is read anew: it is written anew long before it ends.
const AGE: Duration = Duration::from_secs(60);

pub(crate) struct Access {
    /// The server, with a path below which it is, if there is one.
    pub url: Url,
    pub tls: Certificates,
    pub token: Token,
    /// The namespace that stands beside them.
    pub namespace: Option<String>,
}

/// The authorities that the server is believed by, and the certificate that it is shown; in PEM.
#[derive(Default)]
pub(crate) struct Certificates {
    /// The authorities that are believed; none for those of the web.
    pub authority: Option<Vec<u8>>,
    pub server_name: Option<String>,
    /// The own certificate with its key.
    pub own: Option<(Vec<u8>, Secret)>,
}

/// The token that is shown to the server.
pub(crate) enum Token {
    None,
    Written(Secret),
    /// A file that somebody writes anew, with the token as it was read last.
    File {
        place: AnchoredPath,
        read: Secret,
        at: Instant,
    },
}

impl Access {
    pub fn of(parsed: &Parsed, site: &Site) -> Result<Self> {
        match &parsed.kubeconfig {
            Some(path) => kubeconfig::read(path, site),
            None => Self::of_pod(site, Path::new(ACCOUNT)),
        }
    }

    /// The account of the pod, whose directory is given.
    fn of_pod(site: &Site, account: &Path) -> Result<Self> {
        let variable = |name: &str| {
            let value = site.environment.get(name).map(Secret::reveal);
            value.filter(|value| !value.is_empty())
        };
        let outside = || {
            Error::from(wrong(
                "kubeconfigPath",
                "expected it, for this is no pod (there is no `KUBERNETES_SERVICE_HOST`): write the path of a file such as `~/.kube/config`",
            ))
        };
        let host = variable("KUBERNETES_SERVICE_HOST").ok_or_else(outside)?;
        let port = variable("KUBERNETES_SERVICE_PORT").unwrap_or("443");
        let host = match host.contains(':') {
            true => format!("[{host}]"),
            false => host.to_owned(),
        };
        let unread = |name: &str, why: Unreadable| {
            let path = account.join(name).display().to_string();
            Error::unavailable(format!(
                "the account of the pod cannot be read at {path}: {why}; does `automountServiceAccountToken` forbid it?"
            ))
        };
        let place = |name: &str| site.place_of(&account.join(name));
        let file = |name: &'static str| -> Result<Vec<u8>> {
            let file = place(name)?.open().map_err(|why| unread(name, why))?;
            file.read(FILE).map_err(|why| unread(name, why))
        };
        let namespace = String::from_utf8(file("namespace")?).ok();
        Ok(Access {
            url: url(&format!("https://{host}:{port}")).map_err(Error::invalid)?,
            tls: Certificates {
                authority: Some(file("ca.crt")?),
                ..Certificates::default()
            },
            token: Token::of_file(place("token")?)?,
            namespace: namespace.map(|text| text.trim().to_owned()),
        })
    }
}

impl Token {
    pub fn of_file(place: AnchoredPath) -> Result<Self> {
        let read = read(&place)?;
        Ok(Token::File {
            place,
            read,
            at: Instant::now(),
        })
    }

    /// The token as it is known.
    pub fn known(&self) -> Option<&Secret> {
        match self {
            Token::None => None,
            Token::Written(token) => Some(token),
            Token::File { read, .. } => Some(read),
        }
    }

    /// The file of a token; none where no file has it.
    pub fn file(&self) -> Option<AnchoredPath> {
        match self {
            Token::File { place, .. } => Some(place.clone()),
            _ => None,
        }
    }

    /// Returns whether the token is to be read anew before it is used.
    pub fn is_old(&self) -> bool {
        matches!(self, Token::File { at, .. } if at.elapsed() >= AGE)
    }

    /// Takes a token that was read; returns whether it is another one.
    pub fn renew(&mut self, new: Secret) -> bool {
        let Token::File { read, at, .. } = self else {
            return false;
        };
        let is_new = read.reveal() != new.reveal();
        (*read, *at) = (new, Instant::now());
        is_new
    }
}

/// Reads a token from its file.
pub(crate) fn read(place: &AnchoredPath) -> Result<Secret> {
    let unread = |why: String| {
        let path = place.path().display();
        Error::unavailable(format!("the token at {path} cannot be read: {why}"))
    };
    let file = place.open().map_err(|why| unread(why.to_string()))?;
    let bytes = file.read(TOKEN).map_err(|why| unread(why.to_string()))?;
    let text = std::str::from_utf8(&bytes).map_err(|_| unread("it is no text".to_owned()))?;
    match text.trim() {
        "" => Err(unread("it is empty".to_owned())),
        token => Ok(Secret::new(token)),
    }
}

/// The address of an API server. An error is in words that follow the setting.
pub(crate) fn url(written: &str) -> Result<Url, String> {
    let odd = || {
        "expected an address such as `https://cluster.example.com:6443`, without a user and a query"
            .to_owned()
    };
    let url: Url = written.trim().parse().map_err(|_| odd())?;
    let is_plain = ["http", "https"].contains(&url.scheme())
        && url.has_host()
        && url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    let is_here = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    match is_plain {
        false => Err(odd()),
        true if url.scheme() == "http" && !is_here => Err(
            "the token and the secrets would go to another machine without TLS: write `https://`"
                .to_owned(),
        ),
        true => Ok(url),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use wythe_blocks::Environment;

    fn site(directory: &Path, variables: &[(&str, &str)]) -> Site {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Site {
            terms: None,
            ledger: None,
            tenant: "default".parse().unwrap(),
            component: "subject".into(),
            directory: directory.to_owned(),
            beside: directory.to_owned(),
            root: directory.to_owned(),
            environment: variables.iter().map(owned).collect::<Environment>(),
        }
    }

    #[test]
    fn a_pod_has_an_account() {
        let directory = tempfile::tempdir().unwrap();
        let variables = [("KUBERNETES_SERVICE_HOST", "fd00::1")];
        let site = site(directory.path(), &variables);
        let of_pod = || Access::of_pod(&site, directory.path());
        let error = of_pod().err().unwrap();
        assert!(
            error
                .message()
                .contains("account of the pod cannot be read"),
            "{error}"
        );
        for (name, text) in [
            ("namespace", "prod\n"),
            ("ca.crt", "pem"),
            ("token", "first\n"),
        ] {
            fs::write(directory.path().join(name), text).unwrap();
        }
        let mut access = of_pod().unwrap();
        assert_eq!(access.url.as_str(), "https://[fd00::1]/");
        assert_eq!(access.namespace.as_deref(), Some("prod"));
        assert_eq!(access.tls.authority.as_deref(), Some(&b"pem"[..]));
        assert_eq!(access.token.known().unwrap().reveal(), "first");
        assert!(!access.token.is_old(), "it was read just now");
        let place = access.token.file().unwrap();
        assert!(!access.token.renew(read(&place).unwrap()));
        fs::write(directory.path().join("token"), "second").unwrap();
        assert!(access.token.renew(read(&place).unwrap()));
        assert_eq!(access.token.known().unwrap().reveal(), "second");
        fs::write(directory.path().join("token"), " \n").unwrap();
        assert!(read(&place).unwrap_err().message().contains("it is empty"));
    }

    #[test]
    fn outside_of_a_pod_a_file_is_needed() {
        let directory = tempfile::tempdir().unwrap();
        let site = site(directory.path(), &[]);
        let error = Access::of_pod(&site, directory.path()).err().unwrap();
        let expected = "kubeconfigPath: expected it, for this is no pod";
        assert!(error.message().starts_with(expected), "{error}");
    }

    #[test]
    fn no_token_goes_out_in_plain_text() {
        assert!(url("https://10.0.0.1:6443").is_ok() && url("http://127.0.0.1:8001").is_ok());
        assert!(url("https://rancher.example.com/k8s/clusters/c-1").is_ok());
        for odd in [
            "http://10.0.0.1",
            "https://u:p@a",
            "ftp://a",
            "a",
            "https://a?b",
        ] {
            assert!(url(odd).is_err(), "{odd}");
        }
    }
}
