//! TLS: who proves to be the server, and by which authorities.

use super::{Kinds, open, starts};
use servers::{MariaDb, Server};
use std::net::SocketAddr;
use wythe_blocks::{Kind, state::Put};

/// A server that lets nobody in without TLS, so that whoever is let in speaks it.
fn server(path: &str) -> Server {
    let options = vec![
        format!("--ssl-cert={path}/host.pem"),
        format!("--ssl-key={path}/host.key"),
        "--require-secure-transport=on".to_owned(),
    ];
    Server::start(MariaDb { options }).expect("a server")
}

/// The text of a file, as the value of a setting.
fn contents(file: &str) -> String {
    let text = std::fs::read_to_string(file).expect("a file");
    let text = serde_json::Value::from(text);
    format!("tls=custom|, {{ name: pemContents, value: {text} }}")
}

pub(super) async fn secure(_: &'static Kinds, _: Server) {
    let path = format!("{}/../host/certificates", env!("CARGO_MANIFEST_DIR"));
    let server = tokio::task::block_in_place(|| server(&path));
    let address = server.address();
    for (more, kind, expected) in [
        // The server says no more than that.
        (
            "tls=false|",
            Kind::Denied,
            "the database does not take the component's user and password",
        ),
        // Its certificate is signed by no authority of the web.
        (
            "tls=true|",
            Kind::Unavailable,
            "the database does not prove to be the one that is named; look at `tls` and `pemPath`",
        ),
        (
            &contents(&format!("{path}/stranger.pem")),
            Kind::Unavailable,
            "the database does not prove to be the one that is named; look at `tls` and `pemPath`",
        ),
        (
            &contents(&format!("{path}/host.key")),
            Kind::Invalid,
            "`pemPath`: expected a file of certificates in PEM",
        ),
        (
            "tls=custom|, { name: pemPath, value: nowhere.pem }",
            Kind::Invalid,
            "`pemPath` cannot be read",
        ),
    ] {
        let error = open(address, more).await.err().expect("an error");
        starts(&error, expected);
        assert_eq!(error.kind(), kind, "{more}");
    }
    trusted(address, &path).await;
}

async fn trusted(address: SocketAddr, path: &str) {
    for more in [
        "tls=skip-verify|",
        "tls=preferred|",
        &contents(&format!("{path}/host.pem")),
    ] {
        let driver = open(address, more).await;
        let driver = driver.unwrap_or_else(|error| panic!("{more}: {}", error.chain()));
        driver.put(Put::new("a", "1")).await.expect("a put");
        let entry = driver.get(&"a".into()).await.expect("an answer");
        assert_eq!(entry.expect("an entry").value, "1");
    }
}
