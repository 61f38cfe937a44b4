//! etcd: logins, TLS, bounds, and rows that nobody expects.

mod made_up;
mod rows;

use super::{Kinds, Test, check, run};
use crate::open::site;
use servers::{Etcd, Proxy, Server};
use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    sync::Arc,
};
use wythe_blocks::{
    Error, Kind,
    state::{Driver, Put},
};

pub(super) const TESTS: &[(&str, Test)] = &[
    ("a_wrong_login_says_so", |kind, server| {
        run(wrong_login(kind, server))
    }),
    ("a_user_who_may_not_read_is_told_so", |kind, server| {
        run(forbidden(kind, server))
    }),
    ("a_token_that_is_lost_is_asked_for_anew", |kind, server| {
        run(renewed(kind, server))
    }),
    ("tls_that_does_not_fit_says_so", |kind, server| {
        tls(kind, &server);
    }),
    ("a_certificate_proves_the_host", |kind, _| proof(kind)),
    ("bounds_that_are_not_the_servers_say_so", |kind, server| {
        run(rows::bounds(kind, server))
    }),
    ("rows_of_dapr_are_read_and_written", |kind, server| {
        run(rows::of_dapr(kind, server))
    }),
    ("a_lease_that_is_gone_is_asked_for_anew", |kind, server| {
        run(rows::leases(kind, server))
    }),
    (
        "another_server_answers_for_one_that_is_gone",
        |kind, server| run(several(kind, server)),
    ),
    ("a_watch_comes_back", |kind, server| {
        run(rows::watched(kind, server))
    }),
    ("items_are_rows_that_anybody_writes", |kind, server| {
        run(rows::written(kind, server))
    }),
    ("a_grant_outlives_its_server", |kind, server| {
        run(rows::granted(kind, server))
    }),
    ("servers_that_are_none_are_told_apart", |kind, _| {
        run(made_up::servers(kind))
    }),
    ("an_answer_without_end_is_given_up", |kind, _| {
        run(made_up::endless(kind))
    }),
];

pub(super) fn metadata(_: &str, address: SocketAddr) -> String {
    format!("{{ name: endpoints, value: \"{address}\" }}, {{ name: keyPrefixPath, value: rows }}")
}

async fn error(kind: &'static Kinds, address: SocketAddr, more: &str) -> Error {
    let directory = tempfile::tempdir().expect("a directory");
    let opened = kind.state(address, directory.path(), more).await;
    opened.err().expect("an error")
}

async fn works(kind: &'static Kinds, address: SocketAddr, more: &str) -> Arc<dyn Driver> {
    let directory = tempfile::tempdir().expect("a directory");
    let driver = kind.state(address, directory.path(), more).await;
    let driver = driver.unwrap_or_else(|error| panic!("{}", error.chain()));
    driver.put(Put::new("a", "1")).await.expect("a put");
    driver
}

fn login(user: &str, password: &str) -> String {
    format!(", {{ name: username, value: {user} }}, {{ name: password, value: {password} }}")
}

async fn wrong_login(kind: &'static Kinds, server: Server) {
    let address = server.address();
    // A server that asks nobody for a login takes one that is written.
    works(kind, address, &login("root", "kept-secret")).await;
    Etcd::lock_up(address);
    let none = error(kind, address, "").await;
    assert_eq!(none.kind(), Kind::Denied, "{}", none.chain());
    assert!(
        none.message().contains("wants a login: set `username`"),
        "{none}"
    );
    let wrong = error(kind, address, &login("root", "wrong-secret")).await;
    assert_eq!(wrong.kind(), Kind::Denied, "{}", wrong.chain());
    let text = format!("{}{wrong:?}", wrong.chain());
    let expected = "refuses the login: check `username` and `password`";
    assert!(
        text.contains(expected) && !text.contains("secret"),
        "{text}"
    );
    let driver = works(kind, address, &login("root", "kept-secret")).await;
    let described = driver.describe().expect("a description");
    let expected = format!("at {address}, keys below `rows/`");
    assert!(
        described.starts_with("etcd 3.") && described.ends_with(&expected),
        "{described}"
    );
}

async fn forbidden(kind: &'static Kinds, server: Server) {
    let address = server.address();
    Etcd::lock_up(address);
    let token = token(address);
    for (path, body) in [
        ("user/add", r#"{"name":"ada","password":"kept-secret"}"#),
        ("role/add", r#"{"name":"other"}"#),
        ("user/grant", r#"{"user":"ada","role":"other"}"#),
    ] {
        let answer = Etcd::ask(address, &token, &format!("/v3/auth/{path}"), body);
        assert!(answer.starts_with("HTTP/1.1 200"), "{path}: {answer}");
    }
    let denied = error(kind, address, &login("ada", "kept-secret")).await;
    assert_eq!(denied.kind(), Kind::Denied, "{}", denied.chain());
    assert!(
        denied.message().contains("a role has to allow the keys"),
        "{denied}"
    );
}

fn token(address: SocketAddr) -> String {
    let body = r#"{"name":"root","password":"kept-secret"}"#;
    let answer = Etcd::ask(address, "", "/v3/auth/authenticate", body);
    let token = answer
        .split("\"token\":\"")
        .nth(1)
        .and_then(|rest| rest.split('"').next());
    token.expect("a token").to_owned()
}

/// Tokens are in the memory of the server.
async fn renewed(kind: &'static Kinds, server: Server) {
    Etcd::lock_up(server.address());
    let driver = works(kind, server.address(), &login("root", "kept-secret")).await;
    server.kill();
    server.restart();
    let entry = loop {
        match driver.get(&"a".into()).await {
            Ok(entry) => break entry,
            Err(error) => check(&error),
        }
    };
    assert_eq!(entry.expect("an entry").value, "1");
    driver.put(Put::new("a", "2")).await.expect("a put");
}

fn certificates() -> String {
    format!("{}/../host/certificates", env!("CARGO_MANIFEST_DIR"))
}

/// A text of a file, as a value in YAML.
fn pem(name: &str) -> serde_json::Value {
    let text = std::fs::read_to_string(format!("{}/{name}", certificates()));
    text.expect("a file").into()
}

const SECURE: &str = ", { name: tlsEnable, value: true }";

fn tls(kind: &'static Kinds, plain: &Server) {
    let path = certificates();
    let etcd = Etcd::default();
    let etcd = etcd.with_tls(&format!("{path}/host.pem"), &format!("{path}/host.key"));
    let server = Server::start(etcd).expect("a server");
    let trusting = format!("{SECURE}, {{ name: ca, value: {} }}", pem("host.pem"));
    run(async {
        let address = server.address();
        let without = error(kind, address, "").await;
        assert_eq!(without.kind(), Kind::Unavailable, "{}", without.chain());
        assert!(
            without.message().contains("set `tlsEnable: true`"),
            "{without}"
        );
        // Its certificate is signed by no authority of the web.
        let strange = error(kind, address, SECURE).await;
        assert_eq!(strange.kind(), Kind::Unavailable, "{}", strange.chain());
        assert!(strange.message().contains("that `ca` signed"), "{strange}");
        works(kind, address, &trusting).await;
        let both = error(kind, plain.address(), &trusting).await;
        assert_eq!(both.kind(), Kind::Unavailable, "{}", both.chain());
        assert!(both.message().contains("with TLS `tlsEnable`"), "{both}");
        let damaged = format!(
            "{SECURE}, {{ name: ca, value: \"-----BEGIN CERTIFICATE-----\\nAAAA\\n-----END CERTIFICATE-----\\n\" }}"
        );
        let damaged = error(kind, address, &damaged).await;
        assert_eq!(damaged.kind(), Kind::Invalid);
        assert!(
            damaged.message().starts_with("ca: a certificate"),
            "{damaged}"
        );
    });
}

fn proof(kind: &'static Kinds) {
    let path = certificates();
    let directory = tempfile::tempdir().expect("a directory");
    let both = directory.path().join("both.pem");
    // The gateway speaks to its own server, by the server's certificate.
    let text =
        ["clients.pem", "host.pem"].map(|name| std::fs::read_to_string(format!("{path}/{name}")));
    let text = text.map(|text| text.expect("a file")).concat();
    std::fs::write(&both, text).expect("a file");
    let etcd = Etcd::default()
        .with_tls(&format!("{path}/host.pem"), &format!("{path}/host.key"))
        .with("--client-cert-auth")
        .with(format!("--trusted-ca-file={}", both.display()));
    let server = Server::start(etcd).expect("a server");
    let with = |own: &str| {
        format!(
            "{SECURE}, {{ name: ca, value: {} }}, {{ name: cert, value: {} }}, {{ name: key, value: {} }}",
            pem("host.pem"),
            pem(&format!("{own}.pem")),
            pem(&format!("{own}.key"))
        )
    };
    run(async {
        let address = server.address();
        works(kind, address, &with("partner")).await;
        let stranger = error(kind, address, &with("stranger")).await;
        assert_eq!(stranger.kind(), Kind::Unavailable, "{}", stranger.chain());
        let nobody = format!("{SECURE}, {{ name: ca, value: {} }}", pem("host.pem"));
        let nobody = error(kind, address, &nobody).await;
        assert_eq!(nobody.kind(), Kind::Unavailable, "{}", nobody.chain());
    });
}

async fn several(kind: &'static Kinds, server: Server) {
    let gone = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|gone| gone.local_addr());
    let gone = gone.expect("a port that nobody listens to");
    let proxy = Proxy::start(server.address()).expect("a proxy");
    let all = format!("{gone},{},{}", proxy.address(), server.address());
    let metadata =
        format!("[{{ name: endpoints, value: \"{all}\" }}, {{ name: timeout, value: 3s }}]");
    let component = crate::open::component("state", kind.driver, &metadata);
    let directory = tempfile::tempdir().expect("a directory");
    let registry = wythe_drivers::registry();
    let driver = registry
        .state
        .open(&component, site(directory.path()))
        .await;
    let driver = driver.expect("it opens");
    driver.put(Put::new("a", "1")).await.expect("a put");
    proxy.silence();
    // A read goes on to the next one; a write says that nobody knows, and the next one is asked from then on.
    let entry = driver.get(&"a".into()).await.expect("a get");
    assert_eq!(entry.expect("an entry").value, "1");
    driver.put(Put::new("a", "2")).await.expect("a put");
    proxy.cut();
    driver.put(Put::new("a", "3")).await.expect("a put");
}
