//! Certificates of clients: who comes in, by which name apps know them, and files that change.

use super::*;
use crate::tls::authority::Authority;
use async_trait::async_trait;
use http::{Request, Response};
use std::fs;
use tokio_rustls::rustls::{
    pki_types::{PrivateKeyDer, UnixTime},
    server::danger::ClientCertVerifier,
};
use wythe_blocks::{Admission, App, Body, Call, Callee, Exports, Profile, body_from};
use wythe_manifest::ClientAuthority;

const NAME: &str = "wythe-client-name";
/// Time after which a file counts as whole.
const WHOLE: Duration = Duration::from_millis(200);

pub(super) fn authority(path: PathBuf, is_required: bool) -> ClientAuthority {
    ClientAuthority {
        file: path,
        is_required,
        source: pair("host").source,
    }
}

#[test]
fn a_chain_that_is_long_is_looked_at_by_nobody() {
    let read = Authority::read(&authority(file("clients.pem"), true));
    let (verifier, partner) = (read.trust().expect("an authority"), certificate("partner"));
    let check = |others: &[CertificateDer<'_>]| {
        let checked = verifier.verify_client_cert(&partner, others, UnixTime::now());
        checked.map(drop).map_err(|error| error.to_string())
    };
    assert_eq!(check(&[]), Ok(()));
    assert_eq!(check(&vec![partner.clone(); 4]), Ok(()));
    let refused = check(&vec![partner.clone(); 5]).expect_err("too many");
    assert!(
        refused.contains("ApplicationVerificationFailure"),
        "{refused}"
    );
    let large = CertificateDer::from(vec![0; 16 << 10]);
    let refused = check(&[large]).expect_err("too large");
    assert!(
        refused.contains("ApplicationVerificationFailure"),
        "{refused}"
    );
}

/// An app that says by which name it knows its client.
pub(super) struct Known;

#[async_trait]
impl Callee for Known {
    fn exports(&self) -> Exports {
        Exports {
            http: true,
            ..Exports::default()
        }
    }

    async fn http(
        &self,
        _: Call,
        _: Admission,
        request: Request<Body>,
    ) -> wythe_blocks::Result<Response<Body>> {
        let names = request.headers().get_all(NAME).iter();
        let names: Vec<_> = names.map(|name| name.to_str().unwrap()).collect();
        Ok(Response::new(body_from(names.join(", "))))
    }
}

struct Asked {
    address: SocketAddr,
    host: Arc<Host>,
    certificates: Arc<Certificates>,
}

impl Asked {
    /// A front door for clients of an authority, with an app behind it.
    async fn open(clients: &ClientAuthority) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, host) = (listener.local_addr().unwrap(), Arc::new(Host::default()));
        let profile = Profile::new(tenant("shop"), tenant("known"));
        let app = App::new(profile, Arc::new(Known));
        host.routes().route(Some("/"), &app).unwrap();
        let certificates = Certificates::read(&pair("host"), Some(clients), host.routes());
        let certificates = certificates.unwrap();
        let ingress = Ingress {
            host: host.clone(),
            audience: Audience::Strangers,
        };
        let listeners = Listeners {
            plain: None,
            tls: Some((listener, certificates.clone())),
        };
        let (stopping, drain) = (host.tasks().stopping(), Duration::from_secs(5));
        host.tasks().spawn(async move {
            ingress.serve(listeners, stopping, drain).await;
        });
        Asked {
            address,
            host,
            certificates,
        }
    }

    /// The name by which the app knows a client with this certificate, or with none; none where it is not let in.
    async fn known(&self, own: Option<&str>) -> Option<String> {
        let mut roots = RootCertStore::empty();
        roots.add(certificate("host")).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let config = config.with_protocol_versions(&BOTH).unwrap();
        let config = config.with_root_certificates(roots);
        let config = match own {
            None => config.with_no_client_auth(),
            Some(name) => {
                let key = PrivateKeyDer::from_pem_file(file(&format!("{name}.key"))).unwrap();
                let chain = vec![certificate(name)];
                config.with_client_auth_cert(chain, key).unwrap()
            }
        };
        let name = ServerName::try_from("localhost").unwrap();
        let stream = TcpStream::connect(self.address).await.unwrap();
        let connector = TlsConnector::from(Arc::new(config));
        // In TLS 1.3 a client hears that it is refused when it reads.
        let mut stream = connector.connect(name, stream).await.ok()?;
        let request = format!(
            "GET / HTTP/1.1\r\nhost: localhost\r\n{NAME}: uri:forged\r\nconnection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        assert!(head.starts_with("HTTP/1.1 200 "), "{answer}");
        Some(body.to_owned())
    }

    async fn close(self) {
        assert!(self.host.close(Duration::from_secs(60)).await);
    }
}

#[tokio::test]
async fn a_client_is_known_by_its_certificate_and_says_no_other_name() {
    let asked = Asked::open(&authority(file("clients.pem"), true)).await;
    let name = |text: &str| Some(text.to_owned());
    let partner = name("uri:spiffe://example.org/partner");
    assert_eq!(asked.known(Some("partner")).await, partner);
    assert_eq!(asked.known(Some("named")).await, name("cn:Plain Name"));
    assert_eq!(asked.known(Some("stranger")).await, None);
    assert_eq!(asked.known(None).await, None);
    asked.close().await;
}

#[tokio::test]
async fn a_client_without_a_certificate_has_no_name_where_none_is_required() {
    let asked = Asked::open(&authority(file("clients.pem"), false)).await;
    assert_eq!(asked.known(None).await, Some(String::new()));
    let partner = asked.known(Some("partner")).await;
    assert_eq!(partner.as_deref(), Some("uri:spiffe://example.org/partner"));
    // One that shows a certificate shows one that is good.
    assert_eq!(asked.known(Some("stranger")).await, None);
    asked.close().await;
}

#[tokio::test]
async fn another_authority_is_in_force_at_once_and_a_wrong_file_changes_nothing() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("clients.pem");
    fs::copy(file("clients.pem"), &path).unwrap();
    let written = authority(path.clone(), true);
    let asked = Asked::open(&written).await;
    let look = || {
        let host = pair("host");
        let problems = asked
            .certificates
            .look((&host, Some(&written)), BTreeMap::new());
        let texts = problems.iter().map(|(_, error)| error.message().to_owned());
        texts.collect::<Vec<_>>()
    };
    for (content, expected) in [
        (
            "",
            "has 0 certificates in PEM; expected 1 to 100, with `BEGIN CERTIFICATE`",
        ),
        (
            "-----BEGIN CERTIFICATE-----\n",
            "is no whole PEM; write it anew",
        ),
    ] {
        fs::write(&path, content).unwrap();
        tokio::time::sleep(WHOLE).await;
        let expected = format!("the authority of clients `{}` {expected}", path.display());
        assert_eq!(look(), [expected]);
        assert!(asked.known(Some("partner")).await.is_some());
    }
    fs::copy(file("expired.pem"), &path).unwrap();
    tokio::time::sleep(WHOLE).await;
    assert!(
        look()[0].contains("has expired at 2021-01-01T00:00:00Z"),
        "{:?}",
        look()
    );
    fs::copy(file("others.pem"), &path).unwrap();
    tokio::time::sleep(WHOLE).await;
    assert_eq!(look(), [] as [&str; 0]);
    assert!(asked.known(Some("stranger")).await.is_some());
    assert!(asked.known(Some("partner")).await.is_none());
    asked.close().await;
}

#[test]
fn what_is_wrong_at_the_start_is_an_error_with_its_place() {
    let wrong = authority(file("nobody.pem"), true);
    let (host, routes) = (pair("host"), Host::default().routes().clone());
    let error = Certificates::read(&host, Some(&wrong), &routes)
        .err()
        .unwrap();
    assert!(
        error.message().contains("nobody.pem` cannot be read"),
        "{error}"
    );
    assert_eq!(error.position().unwrap().line, 3);
    assert!(
        Authority::read(&authority(file("clients.pem"), true))
            .problem()
            .is_none()
    );
}
