//! A file of `kubectl`, of which the current context counts.

use crate::access::{self, Access, Certificates, Token};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, de::IgnoredAny};
use std::path::Path;
use wythe_blocks::{Error, Result, Site};
use wythe_manifest::Secret;
use wythe_net::wrong;

/// Bytes of a file that is named.
const FILE: u64 = 1 << 20;

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct File {
    current_context: Option<String>,
    contexts: Option<Vec<NamedContext>>,
    clusters: Option<Vec<NamedCluster>>,
    users: Option<Vec<NamedUser>>,
}

#[derive(Deserialize)]
struct NamedContext {
    name: String,
    context: Context,
}

#[derive(Deserialize)]
struct Context {
    cluster: String,
    user: Option<String>,
    namespace: Option<String>,
}

#[derive(Deserialize)]
struct NamedCluster {
    name: String,
    cluster: Cluster,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Cluster {
    server: String,
    certificate_authority: Option<String>,
    certificate_authority_data: Option<String>,
    insecure_skip_tls_verify: Option<bool>,
    tls_server_name: Option<String>,
    proxy_url: Option<String>,
}

#[derive(Deserialize)]
struct NamedUser {
    name: String,
    user: Option<User>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct User {
    token: Option<Secret>,
    #[serde(rename = "tokenFile")]
    token_file: Option<String>,
    client_certificate: Option<String>,
    client_certificate_data: Option<String>,
    client_key: Option<String>,
    client_key_data: Option<Secret>,
    username: Option<IgnoredAny>,
    exec: Option<IgnoredAny>,
    auth_provider: Option<IgnoredAny>,
    #[serde(rename = "as")]
    impersonated: Option<IgnoredAny>,
}

/// The place of a kubeconfig, to which what it names is relative.
struct Here<'a> {
    path: &'a Path,
    site: &'a Site,
}

fn odd(why: &str) -> Error {
    Error::from(wrong("kubeconfigPath", why))
}

pub(crate) fn read(path: &Path, site: &Site) -> Result<Access> {
    let here = Here { path, site };
    let name = path.file_name().and_then(|name| name.to_str());
    let bytes = here.bytes_of(name.ok_or_else(|| odd("expected the path of a file"))?)?;
    let text = String::from_utf8(bytes).map_err(|_| odd("the file is no text"))?;
    let file: File = serde_saphyr::from_str(&text).map_err(|_| {
        // Its words could have a part of a token.
        odd("expected a file of `kubectl`: `kubectl config view` says what is wrong with it")
    })?;
    let current = file.current_context.filter(|name| !name.is_empty());
    let current = current.ok_or_else(|| {
        odd("the file has no `current-context`: `kubectl config use-context` writes one")
    })?;
    let lacking = |what: &str, name: &str| odd(&format!("the file has no {what} `{name}`"));
    let contexts = file.contexts.unwrap_or_default().into_iter();
    let context = contexts.map(|one| (one.name, one.context));
    let context = named(context, &current).ok_or_else(|| lacking("context", &current))?;
    let clusters = file.clusters.unwrap_or_default().into_iter();
    let cluster = named(
        clusters.map(|one| (one.name, one.cluster)),
        &context.cluster,
    );
    let cluster = cluster.ok_or_else(|| lacking("cluster", &context.cluster))?;
    let user = match context.user.filter(|name| !name.is_empty()) {
        None => User::default(),
        Some(name) => {
            let users = file.users.unwrap_or_default().into_iter();
            let user = named(users.map(|one| (one.name, one.user)), &name);
            user.ok_or_else(|| lacking("user", &name))?
                .unwrap_or_default()
        }
    };
    here.access(cluster, user, context.namespace)
}

fn named<T>(mut all: impl Iterator<Item = (String, T)>, name: &str) -> Option<T> {
    all.find_map(|(known, one)| (known == name).then_some(one))
}

/// Keys that are not empty, as `kubectl` takes them.
fn written(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

impl Here<'_> {
    fn access(&self, cluster: Cluster, user: User, namespace: Option<String>) -> Result<Access> {
        check_cluster(&cluster)?;
        check_user(&user)?;
        let url = access::url(&cluster.server).map_err(|why| odd(&format!("`server`: {why}")))?;
        let authority = self.data(
            "certificate-authority",
            cluster.certificate_authority_data,
            cluster.certificate_authority,
        )?;
        let certificate = self.data(
            "client-certificate",
            user.client_certificate_data,
            user.client_certificate,
        )?;
        let key = user.client_key_data.map(|key| key.reveal().to_owned());
        let key = self.data("client-key", key, user.client_key)?;
        let own = match (certificate, key) {
            (None, None) => None,
            (Some(certificate), Some(key)) => {
                let key = String::from_utf8(key);
                let key = key.map_err(|_| odd("`client-key`: expected a key in PEM"))?;
                Some((certificate, Secret::new(key)))
            }
            _ => return Err(odd("`client-certificate` and `client-key` belong together")),
        };
        let token = match (written(user.token_file), user.token) {
            (Some(path), _) => Token::of_file(self.place(&path)?)?,
            (None, Some(token)) if !token.reveal().is_empty() => Token::Written(token),
            _ => Token::None,
        };
        Ok(Access {
            url,
            tls: Certificates {
                authority,
                server_name: written(cluster.tls_server_name),
                own,
            },
            token,
            namespace: written(namespace),
        })
    }

    /// Content that stands in the file in base64, or else in a file of its own.
    fn data(
        &self,
        name: &str,
        data: Option<String>,
        path: Option<String>,
    ) -> Result<Option<Vec<u8>>> {
        match (written(data), written(path)) {
            (Some(data), _) => {
                let data: String = data.split_whitespace().collect();
                let decoded = STANDARD.decode(data);
                let wrong = |_| odd(&format!("`{name}-data`: expected PEM in base64"));
                decoded.map(Some).map_err(wrong)
            }
            (None, Some(path)) => self.bytes_of(&path).map(Some),
            (None, None) => Ok(None),
        }
    }

    fn place(&self, path: &str) -> Result<wythe_manifest::AnchoredPath> {
        let directory = self.path.parent().unwrap_or(Path::new(""));
        self.site.place(directory.join(path))
    }

    fn bytes_of(&self, path: &str) -> Result<Vec<u8>> {
        let unread = |why: String| odd(&format!("`{path}` cannot be read: {why}"));
        let file = self.place(path)?.open();
        let file = file.map_err(|why| unread(why.to_string()))?;
        file.read(FILE).map_err(|why| unread(why.to_string()))
    }
}

fn check_cluster(cluster: &Cluster) -> Result<()> {
    if cluster.insecure_skip_tls_verify == Some(true) {
        return Err(odd(
            "`insecure-skip-tls-verify`: certificates are always checked; name the authority by `certificate-authority-data`",
        ));
    }
    match cluster.proxy_url.as_deref().unwrap_or_default() {
        "" => Ok(()),
        _ => Err(odd(
            "`proxy-url`: no proxy is asked; name the server itself",
        )),
    }
}

fn check_user(user: &User) -> Result<()> {
    let refused = [
        (
            user.exec.is_some(),
            "`exec`: no program is started to log in; make a service account and a token for it (`kubectl create token NAME --duration 8760h`), and write it into `token`, or its file into `tokenFile`",
        ),
        (
            user.auth_provider.is_some(),
            "`auth-provider`: it is not known; write a token of a service account into `token`, or its file into `tokenFile`",
        ),
        (
            user.username.is_some(),
            "`username`: servers take no passwords any more; write a token into `token`, or a certificate into `client-certificate-data`",
        ),
        (
            user.impersonated.is_some(),
            "`as`: nobody is asked for in the name of another; write the account that is meant",
        ),
    ];
    match refused.iter().find(|(is_written, _)| *is_written) {
        Some((_, why)) => Err(odd(why)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use wythe_blocks::Environment;

    fn parsed(cluster: &str, user: &str) -> Result<Access> {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("kube")).unwrap();
        fs::write(directory.path().join("kube/ca.pem"), "of a file").unwrap();
        fs::write(directory.path().join("kube/token"), "of a file\n").unwrap();
        let text = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: a\npreferences: {{}}\n\
             contexts: [{{ name: a, context: {{ cluster: c, user: u, namespace: prod }} }}]\n\
             clusters: [{{ name: c, cluster: {{ server: 'https://k:6443'{cluster} }} }}]\n\
             users: [{{ name: u, user: {{ {user} }} }}]\n"
        );
        fs::write(directory.path().join("kube/config"), text).unwrap();
        let site = Site {
            terms: None,
            ledger: None,
            tenant: "default".parse().unwrap(),
            component: "subject".into(),
            directory: directory.path().to_owned(),
            beside: directory.path().to_owned(),
            root: directory.path().to_owned(),
            environment: Environment::default(),
        };
        read(Path::new("kube/config"), &site)
    }

    #[test]
    fn the_current_context_says_all() {
        let ca = STANDARD.encode("of the text");
        let access = parsed(
            &format!(", certificate-authority-data: {ca}, tls-server-name: kubernetes"),
            "token: t, client-certificate-data: YQ==, client-key-data: Yg==",
        )
        .unwrap();
        assert_eq!(access.url.as_str(), "https://k:6443/");
        assert_eq!(access.namespace.as_deref(), Some("prod"));
        assert_eq!(access.token.known().unwrap().reveal(), "t");
        assert_eq!(access.tls.authority.as_deref(), Some(&b"of the text"[..]));
        assert_eq!(access.tls.server_name.as_deref(), Some("kubernetes"));
        let (certificate, key) = access.tls.own.unwrap();
        assert_eq!((&certificate[..], key.reveal()), (&b"a"[..], "b"));
    }

    #[test]
    fn files_are_beside_it() {
        let access = parsed(", certificate-authority: ca.pem", "tokenFile: token").unwrap();
        assert_eq!(access.tls.authority.as_deref(), Some(&b"of a file"[..]));
        assert_eq!(access.token.known().unwrap().reveal(), "of a file");
    }

    #[test]
    fn what_is_not_done_says_what_to_do() {
        for (cluster, user, expected) in [
            ("", "exec: { command: login }", "kubectl create token"),
            ("", "auth-provider: { name: gcp }", "`auth-provider`: it is"),
            ("", "username: a, password: b", "take no passwords"),
            ("", "as: admin, token: t", "in the name of another"),
            ("", "client-key-data: Yg==", "belong together"),
            (
                "",
                "client-certificate: none.pem",
                "`none.pem` cannot be read",
            ),
            (", insecure-skip-tls-verify: true", "", "always checked"),
            (", proxy-url: 'http://p'", "", "no proxy is asked"),
            (", certificate-authority-data: '!'", "", "PEM in base64"),
            (", server: 1, other: [", "", "`kubectl config view`"),
        ] {
            let error = parsed(cluster, user).err().unwrap();
            let text = error.message();
            assert!(text.starts_with("kubeconfigPath: "), "{text}");
            assert!(text.contains(expected), "{expected}: {text}");
        }
    }
}
