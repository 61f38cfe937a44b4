//! Authorities of tenants: whose certificate opens which door, and what is nobody else's business.

mod standing;

use super::{clients::Known, *};
use std::fs;
use tokio_rustls::rustls::{
    HandshakeKind,
    client::{ClientSessionMemoryCache, Resumption},
    pki_types::PrivateKeyDer,
};
use wythe_blocks::{App, Profile};
use wythe_manifest::ClientAuthority;

const SHOP_NAME: &str = "uri:spiffe://example.org/partner";
const BANK: &str = "bank.example.org";
const STRANGER: &str = "dns:stranger.example.org";

/// A front door for three tenants, each with an app that says by which name it knows its client: `shop` and `bank` have host
/// names, and `plain` is reached by path.
struct House {
    addresses: [SocketAddr; 2],
    host: Arc<Host>,
    certificates: Arc<Certificates>,
}

fn authority(name: &str, is_required: bool) -> ClientAuthority {
    clients::authority(file(name), is_required)
}

/// The authorities of tenants, by name.
type Wanted<'a> = [(&'a str, ClientAuthority)];

fn tls(wanted: &Wanted) -> BTreeMap<Name, TenantTls> {
    let all = wanted.iter().map(|(name, clients)| {
        let own = TenantTls {
            files: None,
            clients: Some(clients.clone()),
        };
        (tenant(name), own)
    });
    all.collect()
}

fn enter(host: &Host, name: &str, own: Option<&str>, clients: KnownBy) {
    let hosts = own.iter().map(|own| own.parse().unwrap());
    let entrance = Entrance::Named {
        hosts: hosts.collect(),
        by_path: own.is_none(),
        clients,
    };
    host.routes().enter(&tenant(name), entrance).unwrap();
}

fn wanted(clients: &ClientAuthority) -> KnownBy {
    KnownBy::Tenant {
        is_required: clients.is_required,
    }
}

impl House {
    async fn open(of_host: Option<&ClientAuthority>, of_tenants: &Wanted<'_>) -> Self {
        let listeners = [
            TcpListener::bind("127.0.0.1:0").await.unwrap(),
            TcpListener::bind("127.0.0.1:0").await.unwrap(),
        ];
        let addresses = listeners.each_ref().map(|one| one.local_addr().unwrap());
        let host = Arc::new(Host::default());
        for (name, own) in [("shop", Some(SHOP)), ("bank", Some(BANK)), ("plain", None)] {
            let clients = of_tenants.iter().find(|(known, _)| *known == name);
            let clients = clients.map(|(_, clients)| wanted(clients));
            enter(&host, name, own, clients.unwrap_or_default());
            let app = App::new(Profile::new(tenant(name), tenant("known")), Arc::new(Known));
            host.routes().route(Some("/"), &app).unwrap();
        }
        let certificates = Certificates::read(&pair("host"), of_host, host.routes()).unwrap();
        let problems = certificates.look((&pair("host"), of_host), tls(of_tenants));
        assert!(problems.is_empty(), "{problems:?}");
        let ingress = Ingress {
            host: host.clone(),
            audience: Audience::Strangers,
        };
        let [plain, secured] = listeners;
        let listeners = Listeners {
            plain: Some(plain),
            tls: Some((secured, certificates.clone())),
        };
        let (stopping, drain) = (host.tasks().stopping(), Duration::from_secs(5));
        host.tasks().spawn(async move {
            ingress.serve(listeners, stopping, drain).await;
        });
        House {
            addresses,
            host,
            certificates,
        }
    }

    /// A connection for a name; none where the handshake fails.
    async fn connect(&self, client: &Arc<ClientConfig>, sni: &str) -> Option<Connection> {
        let stream = TcpStream::connect(self.addresses[1]).await.unwrap();
        let name = ServerName::try_from(sni.to_owned()).unwrap();
        let connector = TlsConnector::from(client.clone());
        connector.connect(name, stream).await.ok()
    }

    /// The answer over a connection of its own: the name by which the app knows its client, or the status; none where the
    /// client is not let in.
    async fn said(&self, own: Option<&str>, sni: &str, target: &str) -> Option<String> {
        let mut connection = self.connect(&client(own, &BOTH), sni).await?;
        ask(&mut connection, target).await
    }

    async fn said_in_clear(&self, target: &str) -> String {
        let mut stream = TcpStream::connect(self.addresses[0]).await.unwrap();
        ask(&mut stream, target).await.unwrap()
    }

    async fn close(self) {
        assert!(self.host.close(Duration::from_secs(60)).await);
    }
}

type Connection = client::TlsStream<TcpStream>;

/// A client with one of the certificates, or with none.
fn client(own: Option<&str>, versions: &[&'static SupportedProtocolVersion]) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate("host")).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let config = config.with_protocol_versions(versions).unwrap();
    let config = config.with_root_certificates(roots);
    let config = match own {
        None => config.with_no_client_auth(),
        Some(name) => {
            let key = PrivateKeyDer::from_pem_file(file(&format!("{name}.key"))).unwrap();
            let chain = vec![certificate(name)];
            config.with_client_auth_cert(chain, key).unwrap()
        }
    };
    Arc::new(config)
}

/// Asks for `HOST/PATH` in HTTP/1.1, over a connection that stays open.
async fn ask<S: AsyncReadExt + AsyncWriteExt + Unpin>(
    stream: &mut S,
    target: &str,
) -> Option<String> {
    let (host, path) = target.split_once('/').unwrap();
    let request =
        format!("GET /{path} HTTP/1.1\r\nhost: {host}\r\nwythe-client-name: uri:forged\r\n\r\n");
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut said = Vec::new();
    loop {
        let mut part = [0; 4_096];
        // In TLS 1.3 a client hears that it is refused when it reads.
        let count = stream.read(&mut part).await.ok()?;
        if count == 0 {
            return None;
        }
        said.extend_from_slice(&part[..count]);
        let text = String::from_utf8_lossy(&said).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.expect("a length").parse().unwrap();
        if body.len() >= length {
            return Some(match &head[9..12] {
                "200" => body.to_owned(),
                status => status.to_owned(),
            });
        }
    }
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[tokio::test]
async fn each_tenant_has_clients_of_its_own() {
    let (one, other) = (
        authority("clients.pem", true),
        authority("others.pem", true),
    );
    let house = House::open(None, &[("shop", one), ("bank", other)]).await;
    for (own, sni, target, expected) in [
        (Some("partner"), SHOP, "shop.example.org/", some(SHOP_NAME)),
        (Some("stranger"), BANK, "bank.example.org/", some(STRANGER)),
        // Another's certificate, or none, opens nothing.
        (Some("partner"), BANK, "bank.example.org/", None),
        (Some("stranger"), SHOP, "shop.example.org/", None),
        (None, SHOP, "shop.example.org/", None),
        // A connection is for its tenant alone.
        (Some("partner"), SHOP, "bank.example.org/", some("421")),
        (Some("stranger"), BANK, "shop.example.org/", some("421")),
        (Some("partner"), SHOP, "localhost/plain/", some("421")),
        (
            Some("partner"),
            "localhost",
            "shop.example.org/",
            some("421"),
        ),
        (None, "127.0.0.1", "shop.example.org/", some("421")),
        // The host asks nobody, so that nobody has a name.
        (Some("partner"), "localhost", "localhost/plain/", some("")),
    ] {
        let said = house.said(own, sni, target).await;
        assert_eq!(said, expected, "{own:?} {sni} {target}");
    }
    assert_eq!(house.said_in_clear("shop.example.org/").await, "421");
    assert_eq!(house.said_in_clear("localhost/plain/").await, "");
    house.close().await;
}

#[tokio::test]
async fn a_tenant_s_authority_stands_in_place_of_the_host_s() {
    let of_host = authority("others.pem", true);
    let own = authority("clients.pem", false);
    let house = House::open(Some(&of_host), &[("shop", own)]).await;
    for (own, sni, target, expected) in [
        (Some("partner"), SHOP, "shop.example.org/", some(SHOP_NAME)),
        (None, SHOP, "shop.example.org/", some("")),
        (Some("stranger"), SHOP, "shop.example.org/", None),
        (Some("stranger"), BANK, "bank.example.org/", some(STRANGER)),
        (
            Some("stranger"),
            "localhost",
            "localhost/plain/",
            some(STRANGER),
        ),
        (Some("partner"), BANK, "bank.example.org/", None),
        (None, BANK, "bank.example.org/", None),
    ] {
        let said = house.said(own, sni, target).await;
        assert_eq!(said, expected, "{own:?} {sni} {target}");
    }
    // Where none is required, a client in clear is one without a certificate.
    assert_eq!(house.said_in_clear("shop.example.org/").await, "");
    house.close().await;
}

#[tokio::test]
async fn a_name_goes_no_further_than_the_authority_that_vouches_for_it() {
    let of_host = authority("others.pem", true);
    let house = House::open(Some(&of_host), &[]).await;
    let mut early = house.connect(&client(Some("stranger"), &BOTH), SHOP).await;
    let early = early.as_mut().unwrap();
    assert_eq!(ask(early, "shop.example.org/").await, some(STRANGER));
    // The tenant's word is in force before any file of it is read.
    for (is_required, expected) in [(false, ""), (true, "421")] {
        enter(
            &house.host,
            "shop",
            Some(SHOP),
            KnownBy::Tenant { is_required },
        );
        assert_eq!(ask(early, "shop.example.org/").await, some(expected));
        let said = house
            .said(Some("stranger"), SHOP, "shop.example.org/")
            .await;
        assert_eq!(said.as_deref(), Some(expected));
    }
    // A name that is another tenant's by now.
    enter(&house.host, "shop", Some("old.example.org"), KnownBy::Host);
    enter(&house.host, "bank", Some(SHOP), KnownBy::Host);
    assert_eq!(ask(early, "shop.example.org/").await, some("421"));
    let said = house
        .said(Some("stranger"), SHOP, "shop.example.org/")
        .await;
    assert_eq!(said.as_deref(), Some(STRANGER));
    house.close().await;
}

#[tokio::test]
async fn a_session_goes_on_at_its_own_tenant_alone() {
    let (one, other) = (
        authority("clients.pem", true),
        authority("others.pem", true),
    );
    let house = House::open(None, &[("shop", one.clone()), ("bank", other)]).await;
    for version in BOTH {
        let mut config = ClientConfig::clone(&client(Some("partner"), &[version]));
        let store = Arc::new(ClientSessionMemoryCache::new(8));
        config.resumption = Resumption::store(store);
        let known = Arc::new(config);
        let mut kinds = Vec::new();
        for _ in 0..2 {
            let mut connection = house.connect(&known, SHOP).await.unwrap();
            assert_eq!(
                ask(&mut connection, "shop.example.org/").await,
                some(SHOP_NAME)
            );
            kinds.push(connection.get_ref().1.handshake_kind());
        }
        let resumed = [Some(HandshakeKind::Full), Some(HandshakeKind::Resumed)];
        assert_eq!(kinds, resumed, "{version:?}");
        // The name is the bank's now, whose authority did not sign what the session has.
        enter(&house.host, "shop", Some("old.example.org"), wanted(&one));
        enter(&house.host, "bank", Some(SHOP), wanted(&one));
        let connection = house.connect(&known, SHOP).await;
        let said = match connection {
            Some(mut connection) => ask(&mut connection, "shop.example.org/").await,
            None => None,
        };
        assert_eq!(said, None, "{version:?}");
        enter(&house.host, "bank", Some(BANK), wanted(&one));
        enter(&house.host, "shop", Some(SHOP), wanted(&one));
    }
    house.close().await;
}

/// The problem of a file without a certificate.
fn wrong(path: &Path) -> String {
    format!(
        "the authority of clients `{}` has 0 certificates in PEM; expected 1 to 100, with `BEGIN CERTIFICATE`",
        path.display()
    )
}

#[tokio::test]
async fn files_of_an_authority_change_and_a_wrong_one_lets_nobody_in() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("clients.pem");
    fs::write(&path, "nothing").unwrap();
    let written = ClientAuthority {
        file: path.clone(),
        ..authority("clients.pem", true)
    };
    let of_shop = [("shop", written.clone())];
    let house = House::open(None, &[]).await;
    enter(&house.host, "shop", Some(SHOP), wanted(&written));
    let look = |wanted: &Wanted| {
        let problems = house.certificates.look((&pair("host"), None), tls(wanted));
        let texts = problems.iter().map(|(owner, error)| {
            assert_eq!(*owner, Some(tenant("shop")));
            assert_eq!(error.position().unwrap().line, 3);
            error.message().to_owned()
        });
        texts.collect::<Vec<_>>()
    };
    let wrong = wrong(&path);
    let partner = async || house.said(Some("partner"), SHOP, "shop.example.org/").await;
    // One that was never good lets nobody in, by a certificate or without.
    for own in [Some("partner"), None] {
        assert_eq!(look(&of_shop), std::slice::from_ref(&wrong));
        assert_eq!(house.said(own, SHOP, "shop.example.org/").await, None);
    }
    let put = async |name: &str| {
        fs::copy(file(name), &path).unwrap();
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    put("clients.pem").await;
    assert_eq!(look(&of_shop), [] as [&str; 0]);
    assert_eq!(partner().await, some(SHOP_NAME));
    // What is wrong later changes nothing.
    fs::write(&path, "nothing").unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(look(&of_shop), [wrong]);
    assert_eq!(partner().await, some(SHOP_NAME));
    put("others.pem").await;
    assert_eq!(look(&of_shop), [] as [&str; 0]);
    assert_eq!(partner().await, None);
    // Without an authority of its own the tenant has the host's, which is none.
    enter(&house.host, "shop", Some(SHOP), KnownBy::Host);
    assert_eq!(look(&[]), [] as [&str; 0]);
    assert_eq!(partner().await, some(""));
    house.close().await;
}

#[tokio::test]
async fn a_wrong_authority_of_the_host_is_in_no_tenants_way() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("clients.pem");
    fs::write(&path, "nothing").unwrap();
    let of_host = clients::authority(path.clone(), true);
    let house = House::open(None, &[]).await;
    let of_shop = authority("clients.pem", true);
    enter(&house.host, "shop", Some(SHOP), wanted(&of_shop));
    let of_tenants = tls(&[("shop", of_shop)]);
    for _ in 0..2 {
        let written = (&pair("host"), Some(&of_host));
        let problems = house.certificates.look(written, of_tenants.clone());
        assert!(matches!(&problems[..], [(None, error)] if error.message() == wrong(&path)));
        for (own, sni, target, expected) in [
            (Some("partner"), SHOP, "shop.example.org/", some(SHOP_NAME)),
            (Some("stranger"), SHOP, "shop.example.org/", None),
            // Of the host what was before stays: it asks nobody.
            (None, "localhost", "localhost/plain/", some("")),
        ] {
            let said = house.said(own, sni, target).await;
            assert_eq!(said, expected, "{own:?} {sni} {target}");
        }
    }
    house.close().await;
}
