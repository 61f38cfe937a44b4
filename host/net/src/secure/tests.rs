//! Each proof before a server whose certificate is for `localhost`, and signed by itself.

use super::*;
use tokio::io::duplex;
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::ring,
        pki_types::{PrivateKeyDer, pem::PemObject as _},
    },
};

/// Bytes that are on their way between the two ends.
const WAY: usize = 64 << 10;

fn read(file: &str) -> Vec<u8> {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/host/certificates");
    std::fs::read(format!("{directory}/{file}")).unwrap()
}

fn server() -> TlsAcceptor {
    let certificate = CertificateDer::from_pem_slice(&read("host.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_slice(&read("host.key")).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let config = config.with_safe_default_protocol_versions().unwrap();
    let config = config.with_no_client_auth();
    let config = config.with_single_cert(vec![certificate], key).unwrap();
    TlsAcceptor::from(Arc::new(config))
}

/// Returns whether the server is believed.
async fn believes(host: &str, proof: Proof, authority: Option<&str>) -> bool {
    let text = authority.map(read);
    let written = text.as_deref().map(|text| ("authorities", text));
    let secure = Secure::new(host, proof, written).unwrap();
    let (ours, theirs) = duplex(WAY);
    let accepting = async { server().accept(theirs).await.is_ok() };
    let connecting = async { secure.connect(ours).await.is_ok() };
    let (is_believed, _) = tokio::join!(connecting, accepting);
    is_believed
}

#[tokio::test]
async fn a_server_gives_the_proof_that_is_asked_for() {
    let (own, other) = (Some("host.pem"), Some("stranger.pem"));
    for (host, proof, authority, expected) in [
        ("localhost", Proof::Full, own, true),
        ("127.0.0.1", Proof::Full, own, true),
        ("other.test", Proof::Full, own, false),
        ("localhost", Proof::Full, other, false),
        ("localhost", Proof::Full, None, false),
        ("localhost", Proof::Authority, own, true),
        ("other.test", Proof::Authority, own, true),
        ("localhost", Proof::Authority, other, false),
        ("localhost", Proof::Authority, None, false),
        ("other.test", Proof::Any, None, true),
    ] {
        let is_believed = believes(host, proof, authority).await;
        assert_eq!(is_believed, expected, "{host}, {proof:?}, {authority:?}");
    }
}

#[test]
fn authorities_that_are_none_are_an_error_with_each_proof() {
    for proof in [Proof::Any, Proof::Authority, Proof::Full] {
        for text in [&b""[..], b"text", &read("host.key")] {
            let made = Secure::new("localhost", proof, Some(("authorities", text)));
            let error = made.err().unwrap();
            let expected = "`authorities`: expected a file of certificates in PEM";
            assert!(error.message().starts_with(expected), "{error}");
        }
    }
    assert!(Secure::new("no host", Proof::Full, None).is_err());
}
