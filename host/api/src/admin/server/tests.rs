//! The control socket as an attacker meets it: what is refused, what is bounded, and what goes on.

use super::*;
use crate::admin::{Binary, Command, invocation};
use async_trait::async_trait;
use std::path::PathBuf;
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::Notify,
    time::timeout,
};
use tokio_util::sync::CancellationToken;
use wythe_blocks::{
    App, Call, Callee, Exports, Host, Profile, Result, Settings, Tenant, invocation as block,
};

/// A limit against hanging alone; where time is paused, it does not pass while anybody has something to do.
const LONG: Duration = Duration::from_secs(600);
const READ: &str = r#"{"component": "s", "app": "a", "key": "k"}"#;

/// A host with a control socket in a directory of its own.
struct Stage {
    directory: TempDir,
    host: Arc<Host>,
    tenant: Arc<Tenant>,
}

impl Stage {
    fn new() -> Self {
        Stage::with(ALL)
    }

    /// A host whose commands and answers have so many bytes in all.
    fn with(bytes: usize) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let settings = Settings::new("default".parse().expect("a name"), directory.path());
        let host = Arc::new(Host::default());
        let tenant = host.open(settings).expect("a tenant");
        let stage = Stage {
            directory,
            host,
            tenant,
        };
        let listener = UnixListener::bind(stage.path()).expect("a socket");
        let pair = UnixStream::pair().expect("a pair of sockets");
        let owner = pair.0.peer_cred().expect("the user of this process").uid();
        let desk = Desk {
            house: House {
                host: stage.host.clone(),
                data: stage.directory.path().to_owned(),
                stop: CancellationToken::new(),
            },
            memory: Memory::new(bytes),
        };
        let serving = async move { desk.serve(listener, owner).await };
        stage.host.tasks().spawn(serving);
        stage
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("control.sock")
    }

    async fn connect(&self) -> UnixStream {
        UnixStream::connect(self.path())
            .await
            .expect("a connection")
    }

    /// The text that the host says until it closes the connection.
    async fn said(&self, sent: impl AsRef<[u8]>) -> String {
        let mut stream = self.connect().await;
        // The host may have heard enough before all of it is sent.
        let _ = stream.write_all(sent.as_ref()).await;
        until_closed(&mut stream).await
    }
}

async fn until_closed(stream: &mut UnixStream) -> String {
    let mut said = Vec::new();
    let ended = timeout(LONG, stream.read_to_end(&mut said)).await;
    assert!(ended.is_ok(), "the connection is still open");
    String::from_utf8_lossy(&said).into_owned()
}

/// A request that ends its connection, with more headers.
fn request(line: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "{line} HTTP/1.1\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
    )
}

/// A command as the socket takes it.
fn good(path: &str, body: &str) -> String {
    let headers = "host: localhost\r\ncontent-type: application/json\r\n";
    request(&format!("POST {path}"), headers, body)
}

#[tokio::test]
async fn commands_are_requests_of_http() {
    let stage = Stage::new();
    let ping = request("GET /v1/ping", "host: localhost\r\n", "");
    let said = stage.said(ping).await;
    assert!(said.starts_with("HTTP/1.1 200 OK\r\n"), "{said}");
    assert!(
        said.contains("\r\ncontent-type: application/json\r\n"),
        "{said}"
    );
    let pong = format!(r#"{{"pong":{{"pid":{},"#, std::process::id());
    assert!(said.contains(&pong) && said.ends_with("}}\n"), "{said}");
    let said = stage.said(good("/v1/state/get", READ)).await;
    assert!(said.starts_with("HTTP/1.1 404 "), "{said}");
    let refusal =
        r#"{"error":"not-found","message":"no state component `s` for app `a`"}"#.to_owned() + "\n";
    assert!(said.ends_with(&refusal), "{said}");
    assert!(stage.host.close(LONG).await);
}

/// Sends requests whose body never comes: by line, more headers and the status that is expected.
async fn refused(cases: &[(&str, &str, u16)]) {
    let stage = Stage::new();
    for (line, headers, status) in cases {
        let unread = request(line, headers, "").replace("length: 0", "length: 9");
        let said = stage.said(unread).await;
        let expected = format!("HTTP/1.1 {status} ");
        assert!(said.starts_with(&expected), "{line} {headers}: {said}");
        assert!(said.contains(r#"{"error":""#), "{said}");
        let allow = match line.ends_with("ping") {
            true => "\r\nallow: GET\r\n",
            false => "\r\nallow: POST\r\n",
        };
        assert_eq!(said.contains(allow), *status == 405, "{line}: {said}");
    }
    assert!(stage.host.close(LONG).await);
}

#[tokio::test]
async fn a_page_in_a_browser_gives_no_commands() {
    let line = "POST /v1/state/get";
    let local = "host: localhost\r\ncontent-type: application/json\r\n";
    for more in [
        "origin: http://localhost",
        "origin: null",
        "referer: http://localhost/",
        "sec-fetch-site: same-origin",
        "host: localhost",
    ] {
        refused(&[(line, &format!("{local}{more}\r\n"), 403)]).await;
    }
    let json = "content-type: application/json\r\n";
    for host in ["", "host: a.example\r\n", "host: localhost:8080\r\n"] {
        refused(&[(line, &format!("{host}{json}"), 403)]).await;
    }
    refused(&[
        ("POST http://a.example/v1/state/get", local, 403),
        ("CONNECT a.example:80", local, 403),
        (line, "host: localhost\r\n", 415),
        (line, "host: localhost\r\ncontent-type: text/plain\r\n", 415),
    ])
    .await;
}

#[tokio::test]
async fn another_method_or_path_is_refused_before_its_body_is_read() {
    let local = "host: localhost\r\ncontent-type: application/json\r\n";
    refused(&[
        ("GET /v1/state/get", local, 405),
        ("PUT /v1/state/get", local, 405),
        ("OPTIONS /v1/state/get", local, 405),
        ("BREW /v1/state/get", local, 405),
        ("POST /v1/ping", local, 405),
        ("OPTIONS *", local, 404),
        ("POST /", local, 404),
        ("POST /v1/state/erase", local, 404),
        ("POST /v1/state/get?key=k", local, 404),
        ("POST /v1/state/../state/get", local, 404),
        ("GET /metrics", local, 404),
    ])
    .await;
}

#[tokio::test]
async fn a_body_that_is_no_command_is_told_why() {
    let stage = Stage::new();
    for (body, message) in [
        ("", "EOF while parsing"),
        ("[1", "invalid type: sequence, expected an object"),
        (
            "{\"key\": 1}",
            "invalid type: integer `1`, expected a string",
        ),
    ] {
        let said = stage.said(good("/v1/state/get", body)).await;
        assert!(said.starts_with("HTTP/1.1 400 "), "{said}");
        assert!(said.contains(message), "{said}");
    }
    assert!(stage.host.close(LONG).await);
}

#[tokio::test]
async fn what_is_no_http_or_too_much_of_it_ends_the_connection() {
    let stage = Stage::new();
    let many: String = (0..200)
        .map(|number| format!("x-{number}: y\r\n"))
        .collect();
    let large = format!("x: {}\r\n", "y".repeat(300 << 10));
    let long = (MAX + 1).to_string();
    let cases = [
        ("\"ping\"\n".to_owned(), "HTTP/1.1 400 "),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(), ""),
        (request("GET /v1/ping", &many, ""), "HTTP/1.1 431 "),
        (request("GET /v1/ping", &large, ""), ""),
        (
            good("/v1/state/get", "").replace("length: 0", &format!("length: {long}")),
            "HTTP/1.1 413 ",
        ),
    ];
    for (sent, expected) in cases {
        let said = stage.said(&sent).await;
        let shown: String = sent.chars().take(80).collect();
        assert!(said.starts_with(expected), "{shown}: {said}");
        assert!(!said.starts_with("HTTP/1.1 2"), "{shown}: {said}");
    }
    assert!(stage.host.close(LONG).await);
}

#[tokio::test]
async fn commands_in_one_breath_are_answered_in_order() {
    let stage = Stage::new();
    let first = good("/v1/state/get", READ).replace("connection: close\r\n", "");
    let ping = request("GET /v1/ping", "host: localhost\r\n", "");
    let said = stage.said(first.repeat(20) + &ping).await;
    let statuses: Vec<_> = said
        .split("HTTP/1.1 ")
        .skip(1)
        .map(|one| &one[..3])
        .collect();
    assert_eq!(statuses, [["404"; 20].as_slice(), &["200"]].concat());
    assert!(stage.host.close(LONG).await);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_go_on_is_closed() {
    let stage = Stage::new();
    let cases = [
        (String::new(), ""),
        ("P".to_owned(), ""),
        (
            "POST /v1/state/get HTTP/1.1\r\nhost: localhost\r\n".to_owned(),
            "",
        ),
        (
            good("/v1/state/get", "{").replace("length: 1", "length: 9"),
            "HTTP/1.1 408 ",
        ),
    ];
    for (sent, expected) in cases {
        let said = stage.said(&sent).await;
        assert!(said.starts_with(expected), "{sent}: {said}");
        assert_eq!(said.is_empty(), expected.is_empty(), "{sent}: {said}");
    }
    assert!(stage.host.close(LONG).await);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_reads_nothing_does_not_stay() {
    let stage = Stage::new();
    let mut stream = stage.connect().await;
    let ping = "GET /v1/ping HTTP/1.1\r\nhost: localhost\r\n\r\n";
    // Answers gather until nothing more fits into the socket.
    let ended = async { while stream.write_all(ping.as_bytes()).await.is_ok() {} };
    assert!(timeout(LONG, ended).await.is_ok());
    assert!(stage.host.close(LONG).await);
}

#[tokio::test(start_paused = true)]
async fn connections_are_few_and_idle_ones_make_room() {
    let stage = Stage::new();
    let mut silent = Vec::new();
    for _ in 0..CONNECTIONS * 2 {
        silent.push(stage.connect().await);
    }
    let ping = request("GET /v1/ping", "host: localhost\r\n", "");
    let said = stage.said(ping).await;
    assert!(said.starts_with("HTTP/1.1 200 "), "{said}");
    for stream in &mut silent {
        // Closed to make room, or because its time was over.
        assert_eq!(until_closed(stream).await, "");
    }
    assert!(stage.host.close(LONG).await);
}

/// An app that says when it was called, and when it may answer.
#[derive(Default)]
struct Slow {
    called: Notify,
    may: Notify,
    ended: Notify,
}

#[async_trait]
impl Callee for Slow {
    fn exports(&self) -> Exports {
        Exports {
            invocation: true,
            ..Exports::default()
        }
    }

    async fn invoke(&self, _: Call, _: block::Request) -> Result<block::Response> {
        self.called.notify_one();
        self.may.notified().await;
        self.ended.notify_one();
        Err(Error::conflict("it was called"))
    }
}

/// A stage with that app, and the command that calls it with so many bytes.
async fn with_app(all: usize, body: usize) -> (Stage, Arc<Slow>, String) {
    let (stage, slow) = (Stage::with(all), Arc::new(Slow::default()));
    let name = |name: &str| name.parse().expect("a name");
    let profile = Profile::new(name("default"), name("slow"));
    let app = App::new(profile, slow.clone());
    stage.tenant.admit(&app, None).await.expect("the app");
    let call = invocation::Invoke {
        app: "slow".into(),
        method: "GET".into(),
        path: "/".into(),
        headers: Vec::new(),
        body: Binary(vec![0; body]),
    };
    let command = Command::Invocation(invocation::Action::Invoke(call));
    let (_, path, body) = command.request().expect("JSON");
    let body = String::from_utf8(body).expect("a text");
    (stage, slow, good(&path, &body))
}

#[tokio::test]
async fn a_command_goes_on_when_its_client_sends_no_more_or_leaves() {
    let (stage, slow, call) = with_app(ALL, 0).await;
    let mut stream = stage.connect().await;
    stream
        .write_all(call.as_bytes())
        .await
        .expect("bytes are taken");
    stream.shutdown().await.expect("no more is sent");
    slow.called.notified().await;
    slow.may.notify_one();
    let said = until_closed(&mut stream).await;
    assert!(said.starts_with("HTTP/1.1 409 "), "{said}");
    slow.ended.notified().await;

    let mut stream = stage.connect().await;
    stream
        .write_all(call.as_bytes())
        .await
        .expect("bytes are taken");
    slow.called.notified().await;
    drop(stream);
    // Others are served meanwhile.
    let ping = request("GET /v1/ping", "host: localhost\r\n", "");
    assert!(stage.said(ping).await.starts_with("HTTP/1.1 200 "));
    slow.may.notify_one();
    assert!(timeout(LONG, slow.ended.notified()).await.is_ok());
    assert!(stage.host.close(LONG).await);
}

#[tokio::test(start_paused = true)]
async fn a_command_under_way_does_not_keep_a_host_that_stops() {
    let (stage, slow, call) = with_app(ALL, 0).await;
    let mut stream = stage.connect().await;
    stream
        .write_all(call.as_bytes())
        .await
        .expect("bytes are taken");
    slow.called.notified().await;
    assert!(stage.host.close(DRAIN * 4).await);
    assert_eq!(until_closed(&mut stream).await, "");
}

#[tokio::test]
async fn commands_under_way_have_so_many_bytes_together() {
    // In base64, each is a little less than half.
    let (stage, slow, call) = with_app(64 << 10, 20 << 10).await;
    let mut streams = Vec::new();
    for _ in 0..2 {
        let mut stream = stage.connect().await;
        let sent = stream.write_all(call.as_bytes()).await;
        sent.expect("bytes are taken");
        slow.called.notified().await;
        streams.push(stream);
    }
    let said = stage.said(&call).await;
    assert!(said.starts_with("HTTP/1.1 429 "), "{said}");
    assert!(said.contains(r#"{"error":"exhausted""#), "{said}");
    for stream in &mut streams {
        slow.may.notify_one();
        slow.ended.notified().await;
        assert_ne!(until_closed(stream).await, "");
    }
    slow.may.notify_one();
    let said = stage.said(&call).await;
    assert!(said.starts_with("HTTP/1.1 409 "), "{said}");
    assert!(stage.host.close(LONG).await);
}
