//! The driver against servers and go-betweens that mean no good, with TLS and without.

use super::*;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use std::{cell::Cell, error::Error as _, time::Instant};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, crypto::ring, pki_types::PrivatePkcs8KeyDer},
};
use wythe_blocks::Call;

/// Certificate of `localhost` and 127.0.0.1, signed by itself, until the year 2126; and its key.
const CERTIFICATE: &str = "MIIBmzCCAUGgAwIBAgIUFszh4Hwnon8/TVLCMQ/aynNvZ30wCgYIKoZIzj0EAwIwFDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyOTEzMTIyNFoYDzIxMjYxMTA1MTMxMjI0WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAATaAGqrlsV1t4kE8LXEVU3lQCr3v9aM5OrD4UfpXdMN5XFA1nFPgLsBd3FpXEpMR9KWmLuMo/I7CmRFBJGdho/4o28wbTAdBgNVHQ4EFgQU53pbC9TO2w4XvBl84IvU9BsAQBswHwYDVR0jBBgwFoAU53pbC9TO2w4XvBl84IvU9BsAQBswDwYDVR0TAQH/BAUwAwEB/zAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwCgYIKoZIzj0EAwIDSAAwRQIhAK+v8yh/pGAGpvqGVDRXnBKFP+2Y/SmcZYW8yr7w2nLdAiA9iKngxlkqA7vv/ZpzQnXvoBaYXJwfGHKogoBDfYIJ8g==";
const KEY: &str = "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgxFiPtdAFKLAZy/yzOaM6MW8cwDBrPRxW20xglyIKXxuhRANCAATaAGqrlsV1t4kE8LXEVU3lQCr3v9aM5OrD4UfpXdMN5XFA1nFPgLsBd3FpXEpMR9KWmLuMo/I7CmRFBJGdho/4";

fn acceptor() -> TlsAcceptor {
    let certificate = STANDARD.decode(CERTIFICATE).unwrap();
    let key = PrivatePkcs8KeyDer::from(STANDARD.decode(KEY).unwrap());
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.into()], key.into())
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

async fn listening() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

async fn accepted(listener: &TcpListener) -> TcpStream {
    listener.accept().await.unwrap().0
}

/// A config with user and password, which takes any certificate.
fn trusting(port: u16, tls: Security) -> Config {
    Config {
        user: Some(Secret::new("ann")),
        password: Some(Secret::new("pass")),
        skip_tls_verify: Some(true),
        ..config(port, tls)
    }
}

async fn outcome(config: Config) -> Result<Outcome> {
    let (driver, data) = (opened(config).await, Bytes::from_static(b"Thank you."));
    driver.invoke(request(&data, &[])).await
}

/// Says so for as long as somebody is there: far longer than anybody should be, and no longer.
async fn for_ever(stream: &mut (impl AsyncWrite + Unpin), again: &[u8]) {
    let mut left: usize = 64 << 20;
    while left > 0 && stream.write_all(again).await.is_ok() {
        left = left.saturating_sub(again.len());
    }
}

/// Answers a line with each of these, and a mail as a whole; returns what it heard.
async fn converse<S>(stream: S, answers: &[&str]) -> (tokio::io::BufReader<S>, Vec<String>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut stream = tokio::io::BufReader::new(stream);
    let mut heard = Vec::new();
    for answer in answers {
        let mut line = String::new();
        let in_data = heard.last().is_some_and(|line| line == "DATA");
        loop {
            let count = stream.read_line(&mut line).await.unwrap_or(0);
            if count == 0 || !in_data || line.ends_with("\r\n.\r\n") {
                break;
            }
        }
        heard.push(line.trim_end().to_owned());
        stream.write_all(answer.as_bytes()).await.unwrap();
        stream.flush().await.unwrap();
    }
    (stream, heard)
}

fn unreached(error: &Error, port: u16) -> String {
    let message = format!("the mail server `127.0.0.1:{port}` cannot be reached");
    assert_eq!(
        (error.kind(), error.message()),
        (Kind::Unavailable, &*message)
    );
    error.source().unwrap().to_string()
}

#[tokio::test]
async fn a_greeting_without_an_end_is_unavailable() {
    for (begin, again, expected) in [
        (
            "220 ",
            "x",
            "an answer of the server has more than 16384 bytes",
        ),
        (
            "",
            "220-x\r\n",
            "an answer of the server has more than 100 lines",
        ),
    ] {
        let (listener, port) = listening().await;
        let server = async {
            let mut stream = accepted(&listener).await;
            stream.write_all(begin.as_bytes()).await.unwrap();
            for_ever(&mut stream, again.repeat(10_000).as_bytes()).await;
        };
        let ((), sent) = tokio::join!(server, outcome(config(port, Security::None)));
        assert_eq!(unreached(&sent.unwrap_err(), port), expected);
    }
}

/// The clock goes on by itself where everybody waits.
#[tokio::test(start_paused = true)]
async fn a_server_that_says_nothing_is_unavailable() {
    for greeting in ["", "220 hi\r\n"] {
        let (listener, port) = listening().await;
        let server = async {
            let mut stream = accepted(&listener).await;
            stream.write_all(greeting.as_bytes()).await.unwrap();
            let mut heard = Vec::new();
            let _ = stream.read_to_end(&mut heard).await;
        };
        let sent = async {
            let config = config(port, Security::None);
            let hour = Duration::from_secs(3_600);
            tokio::time::timeout(hour, outcome(config)).await.unwrap()
        };
        let ((), sent) = tokio::join!(server, sent);
        unreached(&sent.unwrap_err(), port);
    }
}

/// The server has the mail, and nobody knows what it does with it.
#[tokio::test]
async fn an_answer_to_a_mail_without_an_end_leaves_it_open() {
    for again in ["x", "250-x\r\n"] {
        let (listener, port) = listening().await;
        let server = async {
            let mut stream = accepted(&listener).await;
            stream.write_all(b"220 hi\r\n").await.unwrap();
            let answers = [
                "250 hi\r\n",
                "250 ok\r\n",
                "250 ok\r\n",
                "354 go\r\n",
                "250-",
            ];
            let (mut stream, _) = converse(stream, &answers).await;
            for_ever(&mut stream, again.repeat(10_000).as_bytes()).await;
        };
        let ((), sent) = tokio::join!(server, outcome(config(port, Security::None)));
        let error = sent.unwrap_err();
        assert_eq!(error.kind(), Kind::UnknownOutcome);
        let why = error.source().unwrap().to_string();
        assert!(
            why.starts_with("an answer of the server has more than"),
            "{why}"
        );
    }
}

#[tokio::test]
async fn an_answer_without_an_end_under_tls_is_unavailable() {
    let (listener, port) = listening().await;
    let server = async {
        let stream = accepted(&listener).await;
        let mut stream = acceptor().accept(stream).await.unwrap();
        for_ever(&mut stream, "220-x\r\n".repeat(10_000).as_bytes()).await;
    };
    let ((), sent) = tokio::join!(server, outcome(trusting(port, Security::Implicit)));
    let expected = "an answer of the server has more than 100 lines";
    assert_eq!(unreached(&sent.unwrap_err(), port), expected);
}

const INJECTED: &str = "250-injected\r\n250 AUTH PLAIN\r\n235 injected\r\n250 injected\r\n250 injected\r\n\
                        354 injected\r\n250 injected\r\n";

#[tokio::test]
async fn answers_in_clear_do_not_count_under_tls() {
    let (listener, port) = listening().await;
    let server = async {
        let mut stream = accepted(&listener).await;
        stream.write_all(b"220 hi\r\n").await.unwrap();
        let go = format!("220 go\r\n{INJECTED}");
        let (mut stream, heard) = converse(stream, &["250-hi\r\n250 STARTTLS\r\n", &go]).await;
        assert_eq!(heard, ["EHLO mail", "STARTTLS"]);
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await;
        rest
    };
    let (rest, sent) = tokio::join!(server, outcome(trusting(port, Security::StartTls)));
    let expected = "the server answered before it was asked";
    assert_eq!(unreached(&sent.unwrap_err(), port), expected);
    assert_eq!(rest, b"", "no handshake is begun");
}

#[tokio::test]
async fn answers_in_clear_during_the_handshake_end_it() {
    let (listener, port) = listening().await;
    let server = async {
        let mut stream = accepted(&listener).await;
        stream.write_all(b"220 hi\r\n").await.unwrap();
        let answers = ["250-hi\r\n250 STARTTLS\r\n", "220 go\r\n"];
        let (mut stream, _) = converse(stream, &answers).await;
        assert_eq!(stream.read_u8().await.unwrap(), 22, "a handshake");
        stream.write_all(INJECTED.as_bytes()).await.unwrap();
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await;
        String::from_utf8_lossy(&rest).into_owned()
    };
    let (rest, sent) = tokio::join!(server, outcome(trusting(port, Security::StartTls)));
    unreached(&sent.unwrap_err(), port);
    assert!(!rest.contains("AUTH"), "{rest:?}");
}

const ABLE: &str = "250-hi\r\n250-STARTTLS\r\n250 AUTH PLAIN\r\n";
const TAKEN: [&str; 7] = [
    ABLE,
    "235 welcome\r\n",
    "250 ok\r\n",
    "250 ok\r\n",
    "354 go\r\n",
    "250 ok\r\n",
    "221 bye\r\n",
];

fn check_taken(heard: &[String]) {
    assert_eq!(heard[0], "EHLO mail");
    assert_eq!(
        heard[1],
        format!("AUTH PLAIN {}", STANDARD.encode("\0ann\0pass"))
    );
    assert_eq!(heard[2], "MAIL FROM:<shop@example.com>");
    assert_eq!(heard[3..5], ["RCPT TO:<ann@example.com>", "DATA"]);
    assert!(
        heard[5].ends_with("\r\n\r\nThank you.\r\n."),
        "{}",
        heard[5]
    );
    assert_eq!(heard[6], "QUIT");
}

#[tokio::test]
async fn a_mail_goes_under_tls_that_comes_first() {
    let (listener, port) = listening().await;
    let server = async {
        let stream = accepted(&listener).await;
        let mut stream = acceptor().accept(stream).await.unwrap();
        stream.write_all(b"220 hi\r\n").await.unwrap();
        stream.flush().await.unwrap();
        converse(stream, &TAKEN).await.1
    };
    let (heard, sent) = tokio::join!(server, outcome(trusting(port, Security::Implicit)));
    sent.unwrap();
    check_taken(&heard);
}

#[tokio::test]
async fn a_mail_goes_under_tls_that_is_asked_for() {
    let (listener, port) = listening().await;
    let server = async {
        let mut stream = accepted(&listener).await;
        stream.write_all(b"220 hi\r\n").await.unwrap();
        let (stream, heard) = converse(stream, &[ABLE, "220 go\r\n"]).await;
        assert_eq!(heard, ["EHLO mail", "STARTTLS"]);
        let stream = acceptor().accept(stream).await.unwrap();
        converse(stream, &TAKEN).await.1
    };
    let (heard, sent) = tokio::join!(server, outcome(trusting(port, Security::StartTls)));
    sent.unwrap();
    check_taken(&heard);
}

#[tokio::test]
async fn a_certificate_of_nobody_is_refused() {
    for tls in [Security::StartTls, Security::Implicit] {
        let (listener, port) = listening().await;
        let server = async {
            let mut stream = accepted(&listener).await;
            if tls == Security::StartTls {
                stream.write_all(b"220 hi\r\n").await.unwrap();
                stream = converse(stream, &[ABLE, "220 go\r\n"]).await.0.into_inner();
            }
            acceptor().accept(stream).await.map(drop).unwrap_err();
        };
        let config = Config {
            skip_tls_verify: None,
            ..trusting(port, tls)
        };
        let ((), sent) = tokio::join!(server, outcome(config));
        let why = unreached(&sent.unwrap_err(), port);
        assert!(why.starts_with("invalid peer certificate"), "{why}");
    }
}

#[tokio::test]
async fn a_server_is_tried_once() {
    let (listener, port) = listening().await;
    let port = port.to_string();
    let (host, checked) = warned::checked(&[
        ("host", "127.0.0.1"),
        ("port", &port),
        ("tls", "none"),
        ("emailFrom", "shop@example.com"),
        ("emailTo", "ann@example.com"),
        ("subject", "An order"),
    ])
    .await;
    host.open_checked(checked).await.unwrap();
    let app = "shop".parse().unwrap();
    let deadline = Instant::now() + Duration::from_secs(600);
    let caller = Call::operator(host.name().clone(), app, deadline);
    let tries = Cell::new(0);
    let server = async {
        loop {
            let mut stream = accepted(&listener).await;
            tries.set(tries.get() + 1);
            for_ever(&mut stream, &[b'2'; 10_000]).await;
        }
    };
    let (data, none) = (Bytes::from_static(b"x"), Vec::new());
    let sent = host.bindings.invoke(&caller, "post", "create", data, none);
    let error = tokio::select! {
        sent = sent => sent.unwrap_err(),
        () = server => unreachable!("it serves for ever"),
    };
    assert_eq!((error.kind(), tries.get()), (Kind::Unavailable, 1));
}
