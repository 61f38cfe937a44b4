//! A host and a command at the two ends of a real socket.

use super::*;
use wythe_api::admin::state::{Action, State};
use wythe_blocks::Settings;

/// A limit against hanging alone.
const LONG: Duration = Duration::from_secs(60);

fn host() -> Arc<Host> {
    let (host, settings) = (
        Host::default(),
        Settings::new("default".parse().unwrap(), "nowhere"),
    );
    host.open(settings).unwrap();
    Arc::new(host)
}

#[tokio::test]
async fn answers_and_leaves_nothing_behind() {
    let directory = tempfile::tempdir().unwrap();
    // Longer than the kernel takes for a socket.
    let data = directory.path().join("a".repeat(120));
    assert!(
        ask(&data, &Command::Ping).await.unwrap().is_none(),
        "nobody is there"
    );
    let host = host();
    serve(&host, &data, &CancellationToken::new()).unwrap();
    let mode = fs::metadata(path(&data)).unwrap().mode();
    assert_eq!(mode & 0o777, 0o600);
    let answer = ask(&data, &Command::Ping).await.unwrap();
    assert!(matches!(answer, Some(Answer::Pong { .. })), "{answer:?}");
    let (component, app) = ("s".into(), "a".into());
    let action = Action::Get { key: "k".into() };
    let failure = ask(
        &data,
        &Command::State(State {
            component,
            app,
            action,
        }),
    )
    .await
    .unwrap_err();
    assert_eq!(failure.0[0].message, "no state component `s` for app `a`");
    assert_eq!(failure.0[0].kind, "not-found");
    assert!(host.close(LONG).await);
    assert!(!path(&data).exists());
}

#[tokio::test]
async fn a_socket_of_a_host_that_was_killed_is_replaced() {
    let directory = tempfile::tempdir().unwrap();
    drop(std::os::unix::net::UnixListener::bind(path(directory.path())).unwrap());
    let asked = ask(directory.path(), &Command::Ping).await.unwrap();
    assert!(asked.is_none(), "nobody listens");
    let host = host();
    serve(&host, directory.path(), &CancellationToken::new()).unwrap();
    let asked = ask(directory.path(), &Command::Ping).await.unwrap();
    assert!(asked.is_some());
    host.close(LONG).await;
}

#[tokio::test(start_paused = true)]
async fn a_host_that_says_nothing_or_no_http_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let listener = UnixListener::bind(path(directory.path())).unwrap();
    let answers = async {
        let mut held = Vec::new();
        for said in [
            None,
            Some("hello\n"),
            Some("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"),
        ] {
            let (stream, _) = listener.accept().await.unwrap();
            if let Some(said) = said {
                stream.writable().await.unwrap();
                stream.try_write(said.as_bytes()).unwrap();
            }
            held.push(stream);
        }
        held
    };
    let asks = async {
        let mut messages = Vec::new();
        for _ in 0..3 {
            let failure = ask(directory.path(), &Command::Ping).await.unwrap_err();
            messages.push(failure.0[0].message.clone());
        }
        messages
    };
    let (messages, _held) = tokio::join!(asks, answers);
    let silent = "the host that runs did not answer in time: deadline has elapsed";
    assert_eq!(messages[0], silent);
    for message in &messages[1..] {
        let expected = "the host that runs did not answer: ";
        assert!(message.starts_with(expected), "{message}");
    }
}

#[test]
fn a_command_that_no_host_reads_is_not_sent() {
    let command = |length| {
        let (component, app) = ("s".into(), "a".into());
        let key = "k".repeat(length);
        Command::State(State {
            component,
            app,
            action: Action::Get { key },
        })
    };
    assert!(client::request(None, &command(1_000)).is_ok());
    let failure = client::request(None, &command(MAX)).unwrap_err();
    assert_eq!(
        failure.message(),
        "the command has more than 100663296 bytes"
    );
}
