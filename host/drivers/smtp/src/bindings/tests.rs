//! The driver against a server that says what the test wants; a real one is met by the tests of a whole host.

use super::*;

mod hostile;
mod warned;

use bytes::Bytes;
use std::{
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    thread,
};

/// A server that answers each line of a client with the next of these; none ends the connection.
struct Scripted {
    port: u16,
    lines: thread::JoinHandle<Vec<String>>,
}

fn serve(answers: &'static [Option<&'static str>]) -> Scripted {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let lines = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut lines = Vec::new();
        stream.write_all(b"220 here\r\n").unwrap();
        for answer in answers {
            let in_data = lines.last().is_some_and(|line| line == "DATA");
            let mut line = String::new();
            while reader.read_line(&mut line).is_ok_and(|count| count > 0) && in_data {
                if line.ends_with("\r\n.\r\n") {
                    break;
                }
            }
            lines.push(line.trim_end().to_owned());
            match answer {
                Some(answer) => stream.write_all(answer.as_bytes()).unwrap(),
                None => return lines,
            }
        }
        lines
    });
    Scripted { port, lines }
}

fn config(port: u16, tls: Security) -> Config {
    Config {
        host: "127.0.0.1".into(),
        port,
        user: None,
        password: None,
        skip_tls_verify: None,
        tls: Some(tls),
        email_from: Some("shop@example.com".into()),
        email_to: Some("ann@example.com".into()),
        email_cc: None,
        email_bcc: None,
        subject: Some("An order".into()),
        priority: None,
    }
}

async fn opened(config: Config) -> Arc<dyn Driver> {
    let site = Site {
        terms: None,
        ledger: None,
        tenant: "default".parse().unwrap(),
        component: "mail".into(),
        directory: Default::default(),
        beside: Default::default(),
        root: Default::default(),
        environment: Default::default(),
    };
    open(parse(config).unwrap(), site).await.unwrap()
}

fn request<'a>(data: &'a Bytes, metadata: &'a [(String, String)]) -> Request<'a> {
    Request {
        operation: "create",
        data,
        metadata,
        max_bytes: 1_000,
        trace: wythe_blocks::Trace::start(),
        account: None,
    }
}

async fn send(port: u16, tls: Security, text: &'static str) -> Result<Outcome> {
    let data = Bytes::from_static(text.as_bytes());
    let driver = opened(config(port, tls)).await;
    driver.invoke(request(&data, &[])).await
}

const HELLO: Option<&str> = Some("250 here\r\n");
const OK: Option<&str> = Some("250 ok\r\n");
const GO_ON: Option<&str> = Some("354 go on\r\n");
const BYE: Option<&str> = Some("221 bye\r\n");

#[tokio::test]
async fn a_mail_goes_step_by_step() {
    let server = serve(&[HELLO, OK, OK, GO_ON, OK, BYE]);
    send(server.port, Security::None, "Thank you.")
        .await
        .unwrap();
    let lines = server.lines.join().unwrap();
    assert_eq!(lines[0], "EHLO mail");
    assert_eq!(lines[1], "MAIL FROM:<shop@example.com>");
    assert_eq!(lines[2..4], ["RCPT TO:<ann@example.com>", "DATA"]);
    assert!(
        lines[4].ends_with("\r\n\r\nThank you.\r\n."),
        "{}",
        lines[4]
    );
    assert_eq!(lines[5], "QUIT");
}

#[tokio::test]
async fn each_refusal_says_what_was_refused() {
    const SENDER: &[Option<&str>] = &[HELLO, Some("550 no\r\n"), BYE];
    const RECIPIENT: &[Option<&str>] = &[HELLO, OK, Some("550 no\r\n"), BYE];
    const LATER: &[Option<&str>] = &[HELLO, OK, Some("450 later\r\n"), BYE];
    const MAIL: &[Option<&str>] = &[HELLO, OK, OK, GO_ON, Some("554 no\r\n"), BYE];
    for (script, kind, message) in [
        (
            SENDER,
            Kind::Invalid,
            "`127.0.0.1` refused the sender with 550",
        ),
        (
            RECIPIENT,
            Kind::Invalid,
            "`127.0.0.1` refused the recipient `ann@example.com` with 550",
        ),
        (
            LATER,
            Kind::Unavailable,
            "`127.0.0.1` refused the recipient `ann@example.com` with 450",
        ),
        (MAIL, Kind::Invalid, "`127.0.0.1` refused the mail with 554"),
    ] {
        let error = send(serve(script).port, Security::None, "x")
            .await
            .unwrap_err();
        assert_eq!((error.kind(), error.message()), (kind, message));
    }
}

#[tokio::test]
async fn a_server_that_goes_away_leaves_it_open_only_after_the_mail() {
    const EARLY: &[Option<&str>] = &[HELLO, OK, None];
    const LATE: &[Option<&str>] = &[HELLO, OK, OK, GO_ON, None];
    let server = serve(EARLY);
    let error = send(server.port, Security::None, "x").await.unwrap_err();
    let expected = format!(
        "the mail server `127.0.0.1:{}` cannot be reached",
        server.port
    );
    assert_eq!(
        (error.kind(), error.message()),
        (Kind::Unavailable, expected.as_str())
    );
    let error = send(serve(LATE).port, Security::None, "x")
        .await
        .unwrap_err();
    let expected = "`127.0.0.1` may have taken the mail: it broke off before it said so";
    assert_eq!(
        (error.kind(), error.message()),
        (Kind::UnknownOutcome, expected)
    );
}

#[tokio::test]
async fn without_tls_nothing_is_sent_unless_it_is_allowed() {
    let server = serve(&[HELLO, BYE]);
    let error = send(server.port, Security::StartTls, "x")
        .await
        .unwrap_err();
    assert_eq!(
        error.message(),
        "`127.0.0.1` offers no TLS; see `tls`, which may be `none` for a server of your own"
    );
}

#[tokio::test]
async fn a_text_that_is_not_ascii_is_sent_in_ascii() {
    let server = serve(&[HELLO, OK, OK, GO_ON, OK, BYE]);
    send(server.port, Security::None, "Gr\u{fc}\u{df}e")
        .await
        .unwrap();
    let lines = server.lines.join().unwrap();
    assert!(lines[4].is_ascii(), "{}", lines[4]);
    assert!(
        lines[4].ends_with("\r\n\r\nR3LDvMOfZQ==\r\n."),
        "{}",
        lines[4]
    );
}

#[tokio::test]
async fn an_address_that_the_server_cannot_take_is_told_before_it_is_sent() {
    let server = serve(&[HELLO, BYE]);
    let (data, to) = (Bytes::from_static(b"x"), "gr\u{fc}n@example.com");
    let metadata = [("emailTo".to_owned(), to.to_owned())];
    let driver = opened(config(server.port, Security::None)).await;
    let error = driver.invoke(request(&data, &metadata)).await.unwrap_err();
    let expected = "`127.0.0.1` does not take addresses that are not ASCII";
    assert_eq!((error.kind(), error.message()), (Kind::Invalid, expected));
    assert_eq!(server.lines.join().unwrap(), ["EHLO mail", "QUIT"]);
}

#[tokio::test]
async fn nobody_there_is_unavailable() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let error = send(port, Security::None, "x").await.unwrap_err();
    let expected = format!("the mail server `127.0.0.1:{port}` cannot be reached");
    assert_eq!(
        (error.kind(), error.message()),
        (Kind::Unavailable, expected.as_str())
    );
}
