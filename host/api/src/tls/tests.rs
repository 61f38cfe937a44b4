//! Handshakes over loopback: which certificate is shown, what is spoken then, and clients that do not get that far.

mod clients;
mod files;
mod requests;
mod tenants;

use super::*;
use crate::{Audience, Ingress, Listeners};
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::{Instant, timeout},
};
use tokio_rustls::{
    TlsConnector, client,
    rustls::{
        ClientConfig, ProtocolVersion, RootCertStore, SupportedProtocolVersion,
        crypto::ring,
        pki_types::{CertificateDer, ServerName, pem::PemObject},
        version::{TLS12, TLS13},
    },
};
use wythe_blocks::{
    Entrance, Error, Host, KnownBy,
    connections::{FIRST_REQUEST, IDLE},
};
use wythe_manifest::{CertificateFiles, Name, Source, TenantTls};

const SHOP: &str = "shop.example.org";
const BOTH: [&SupportedProtocolVersion; 2] = [&TLS13, &TLS12];

/// A file of a certificate or of a key that signs itself.
fn file(name: &str) -> PathBuf {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/host/certificates");
    directory.join(name)
}

/// The pair of this name.
fn pair(name: &str) -> CertificateFiles {
    files(file(&format!("{name}.pem")), file(&format!("{name}.key")))
}

fn files(certificate: PathBuf, key: PathBuf) -> CertificateFiles {
    let (file, line, column) = ("wythe-host.yaml".into(), 3, 9);
    CertificateFiles {
        certificate,
        key,
        source: Source { file, line, column },
    }
}

/// The files of a tenant that has a certificate and no more.
fn own(files: CertificateFiles) -> TenantTls {
    TenantTls {
        files: Some(files),
        clients: None,
    }
}

fn certificate(name: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_file(file(&format!("{name}.pem"))).unwrap()
}

fn tenant(text: &str) -> Name {
    text.parse().unwrap()
}

/// A front door without apps; the tenant `shop` has a name and a certificate, and `bank` a name.
struct Server {
    address: SocketAddr,
    host: Arc<Host>,
    certificates: Arc<Certificates>,
}

impl Server {
    async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, host) = (listener.local_addr().unwrap(), Arc::new(Host::default()));
        for (name, own) in [("shop", SHOP), ("bank", "bank.example.org")] {
            let entrance = Entrance::Named {
                hosts: [own.parse().unwrap()].into(),
                by_path: false,
                clients: KnownBy::Host,
            };
            host.routes().enter(&tenant(name), entrance).unwrap();
        }
        let certificates = Certificates::read(&pair("host"), None, host.routes()).unwrap();
        let tenants = BTreeMap::from([(tenant("shop"), own(pair("shop")))]);
        assert!(certificates.look((&pair("host"), None), tenants).is_empty());
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
        Server {
            address,
            host,
            certificates,
        }
    }

    /// A connection to a name, by a client that trusts every certificate of this test for the names in it.
    async fn connect(
        &self,
        name: &str,
        versions: &[&'static SupportedProtocolVersion],
        protocols: &[&str],
    ) -> std::io::Result<client::TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        for name in ["host", "shop", "renewed"] {
            roots.add(certificate(name)).unwrap();
        }
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let config = config.with_protocol_versions(versions).unwrap();
        let mut config = config.with_root_certificates(roots).with_no_client_auth();
        let protocols = protocols.iter().map(|name| name.as_bytes().to_vec());
        config.alpn_protocols = protocols.collect();
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let stream = TcpStream::connect(self.address).await?;
        TlsConnector::from(Arc::new(config))
            .connect(name, stream)
            .await
    }

    /// The name of the certificate that a client is shown.
    async fn shown(&self, name: &str) -> &'static str {
        let stream = self.connect(name, &BOTH, &[]).await.unwrap();
        let shown = &stream.get_ref().1.peer_certificates().unwrap()[0];
        let mut names = ["host", "shop", "renewed"].into_iter();
        names.find(|name| certificate(name) == *shown).unwrap()
    }

    async fn close(self) {
        assert!(self.host.close(Duration::from_secs(60)).await);
    }
}

#[tokio::test]
async fn a_name_has_the_certificate_of_its_tenant_else_that_of_the_host() {
    let server = Server::open().await;
    for (name, expected) in [
        (SHOP, "shop"),
        ("localhost", "host"),
        ("bank.example.org", "host"),
        ("nobody.example.org", "host"),
        // An address is no name.
        ("127.0.0.1", "host"),
    ] {
        assert_eq!(server.shown(name).await, expected, "{name}");
    }
    server.close().await;
}

#[tokio::test]
async fn protocols_are_agreed_on() {
    let server = Server::open().await;
    for (offered, expected) in [
        (&["h2", "http/1.1"] as &[_], Some("h2")),
        (&["http/1.1", "h2"], Some("h2")),
        (&["http/1.1"], Some("http/1.1")),
        (&[], None),
    ] {
        let stream = server.connect("localhost", &BOTH, offered).await.unwrap();
        let chosen = stream.get_ref().1.alpn_protocol();
        assert_eq!(chosen, expected.map(str::as_bytes), "{offered:?}");
    }
    assert!(
        server
            .connect("localhost", &BOTH, &["spdy/3"])
            .await
            .is_err()
    );
    for (version, expected) in [
        (&TLS13, ProtocolVersion::TLSv1_3),
        (&TLS12, ProtocolVersion::TLSv1_2),
    ] {
        let stream = server.connect(SHOP, &[version], &[]).await.unwrap();
        assert_eq!(stream.get_ref().1.protocol_version(), Some(expected));
    }
    server.close().await;
}

/// The bytes that the host says until it closes the connection, and when that was.
async fn said_until_closed(address: SocketAddr, sent: &[u8]) -> (Vec<u8>, Duration) {
    let begun = Instant::now();
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(sent).await.unwrap();
    let mut said = Vec::new();
    // It may be closed with bytes unread, which the client is then shown as an error.
    let ended = timeout(IDLE * 5, stream.read_to_end(&mut said)).await;
    assert!(ended.is_ok(), "still open after {sent:?}");
    (said, begun.elapsed())
}

/// Time is not waited for: it goes on when nobody has anything to do.
#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_finish_its_handshake_is_cut() {
    let server = Server::open().await;
    // The beginning of a handshake record, and the head of a message in it.
    let begun: [&[u8]; 4] = [
        b"",
        b"\x16",
        b"\x16\x03\x01\x02\0",
        b"\x16\x03\x01\x02\0\x01\0\x01\xfc",
    ];
    for sent in begun {
        let (said, took) = said_until_closed(server.address, sent).await;
        assert!(said.is_empty(), "{said:?}");
        assert!(
            took >= FIRST_REQUEST && took < FIRST_REQUEST * 2,
            "{took:?}"
        );
    }
    server.close().await;
}

#[tokio::test]
async fn garbage_is_answered_by_no_more_than_an_alert() {
    let server = Server::open().await;
    let garbage: [&[u8]; 4] = [
        b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        &[0xff; 4_096],
        // SSL 2, and a record of data before any handshake.
        b"\x80\x2e\x01\0\x02\0\x15\0\0\0\x10",
    ];
    for sent in garbage {
        let (said, took) = said_until_closed(server.address, sent).await;
        assert!(said.len() < 16 && !said.starts_with(b"HTTP"), "{said:?}");
        assert!(took < FIRST_REQUEST, "{took:?}");
    }
    server.close().await;
}

#[tokio::test]
async fn the_oldest_of_too_many_handshakes_ends() {
    let Server {
        certificates, host, ..
    } = Server::open().await;
    let tls = Tls {
        certificates,
        handshakes: Connections::new("handshakes of a test", Allowed::unshared(1)),
    };
    let address = IpAddr::from([127, 0, 0, 1]);
    let ((first, _one), (second, _other)) = (tokio::io::duplex(64), tokio::io::duplex(64));
    let first = tls.clone().open(first, address);
    let second = tls.open(second, address);
    tokio::select! {
        biased;
        opened = first => assert!(opened.is_none()),
        _ = second => panic!("its client says nothing"),
        () = tokio::time::sleep(IDLE) => panic!("the first one goes on"),
    }
    assert!(host.close(Duration::from_secs(60)).await);
}
