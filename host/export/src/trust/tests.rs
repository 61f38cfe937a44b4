//! Receivers with a certificate of no public authority, and what the variables say of them.

use super::*;
use crate::{exporter::Exporter, plan::Plan};
use std::ffi::OsString;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    net::TcpListener,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, pki_types::PrivateKeyDer},
};

const CERTIFICATE: &str = "OTEL_EXPORTER_OTLP_CERTIFICATE";
const OF_TRACES: &str = "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE";

fn certificate(name: &str) -> String {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/host/certificates");
    format!("{directory}/{name}")
}

/// TLS with a certificate that is for `localhost` and signed by itself.
fn acceptor(is_http2: bool) -> TlsAcceptor {
    let read = |name| std::fs::read(certificate(name)).unwrap();
    let own = CertificateDer::from_pem_slice(&read("host.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_slice(&read("host.key")).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let config = config.with_safe_default_protocol_versions().unwrap();
    let config = config.with_no_client_auth();
    let mut config = config.with_single_cert(vec![own], key).unwrap();
    if is_http2 {
        config.alpn_protocols = vec![b"h2".to_vec()];
    }
    TlsAcceptor::from(Arc::new(config))
}

/// The first line that comes by TLS to a receiver with that certificate.
async fn first_line(listener: TcpListener, is_http2: bool) -> String {
    let acceptor = acceptor(is_http2);
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        if let Ok(stream) = acceptor.accept(stream).await {
            let mut lines = BufReader::new(stream).lines();
            return lines.next_line().await.unwrap().unwrap();
        }
    }
}

/// A plan by these variables.
fn plan(variables: &[(&str, &str)]) -> Result<Plan, String> {
    let get = |name: &str| {
        let found = variables.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| OsString::from(value))
    };
    let wrong = |wrong: Vec<crate::Wrong>| wrong[0].message.clone();
    Plan::new(None, &get).map_err(wrong)
}

/// The first line that a receiver is sent by a protocol, with more variables; an error in the words of the exporter.
async fn sent(protocol: &str, more: &[(&str, &str)]) -> Result<String, String> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let endpoint = format!("https://localhost:{port}");
    let variables = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
    ];
    let plan = plan(&[&variables[..], more].concat())?;
    let (otlp, trust) = plan.receiver().unwrap();
    let exporter = Exporter::otlp(otlp, trust, Arc::default()).map_err(|wrong| wrong.message)?;
    tokio::select! {
        line = first_line(listener, protocol == "grpc") => Ok(line),
        Err(failure) = exporter.send(&[]) => Err(failure.words),
    }
}

#[tokio::test]
async fn a_receiver_is_believed_whose_authority_a_variable_names() {
    let (own, other) = (certificate("host.pem"), certificate("clients.pem"));
    for (protocol, line) in [
        ("http/protobuf", "POST /v1/traces HTTP/1.1"),
        ("grpc", "PRI * HTTP/2.0"),
    ] {
        let named = [(CERTIFICATE, own.as_str())];
        assert_eq!(sent(protocol, &named).await.as_deref(), Ok(line));
        let of_traces = [(CERTIFICATE, other.as_str()), (OF_TRACES, own.as_str())];
        assert_eq!(sent(protocol, &of_traces).await.as_deref(), Ok(line));
        for more in [&[][..], &[(CERTIFICATE, other.as_str())]] {
            let refused = sent(protocol, more).await.unwrap_err();
            assert!(refused.contains("certificate"), "{protocol}: {refused}");
        }
    }
}

#[test]
fn a_file_that_has_no_authority_is_refused_by_the_name_of_its_variable() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let large = vec![b'x'; (1 << 20) + 1];
    let host = std::fs::read_to_string(certificate("host.pem")).unwrap();
    let damaged = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for (name, text, expected) in [
        (
            "empty",
            &b""[..],
            "has 0 certificates in PEM; expected 1 to 100",
        ),
        ("large", &large, "larger than 1 MiB"),
        (
            "many",
            host.repeat(101).as_bytes(),
            "has 101 certificates in PEM",
        ),
        (
            "damaged",
            damaged.as_bytes(),
            "has a certificate that is damaged",
        ),
        (
            "cut",
            &host.as_bytes()[..host.len() - 30],
            "is no whole PEM",
        ),
    ] {
        std::fs::write(path(name), text).unwrap();
        let wrong = plan(&[(CERTIFICATE, &path(name))]).unwrap_err();
        let begin = format!("the variable {CERTIFICATE}: the file `{}` ", path(name));
        assert!(
            wrong.starts_with(&begin) && wrong.contains(expected),
            "{wrong}"
        );
    }
    let missing = plan(&[(OF_TRACES, &path("missing"))]).unwrap_err();
    assert!(
        missing.contains(OF_TRACES) && missing.contains("cannot be read"),
        "{missing}"
    );
}
