//! Peers that say too much before they answer, or after it.

use super::*;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use tokio::task::yield_now;

/// Bytes beyond what a system buffers for both sides, and fewer than are read of one who is heard for ever.
const TAKEN: u64 = 64 << 20;

/// Says `first`, and then this for ever; the answer is how much of it was taken, once the connection has ended.
fn flood(first: &'static str, again: &'static str) -> (String, mpsc::Receiver<u64>) {
    let (sender, taken) = mpsc::channel();
    let url = listen(move |mut stream| {
        let again = again.repeat(1_000);
        let mut bytes = 0;
        let begun = read(&mut stream).is_some() && stream.write_all(first.as_bytes()).is_ok();
        while begun && stream.write_all(again.as_bytes()).is_ok() {
            bytes += again.len() as u64;
        }
        let _ = sender.send(bytes);
    });
    (url, taken)
}

/// The error of a call whose peer never ends; there is one thread for it and for the neighbour, which has turns
/// meanwhile.
#[expect(clippy::disallowed_methods, reason = "the test waits for it")]
async fn flooded(operation: &str, first: &'static str, again: &'static str) -> Error {
    let (url, taken) = flood(first, again);
    let (turns, over) = (
        Arc::new(AtomicU64::new(0)),
        Arc::new(AtomicBool::new(false)),
    );
    let neighbour = tokio::spawn({
        let (turns, over) = (turns.clone(), over.clone());
        async move {
            while !over.load(Relaxed) {
                turns.fetch_add(1, Relaxed);
                yield_now().await;
            }
        }
    });
    let driver = driver(&url, true, Some(PATIENCE * 2)).await;
    let asked = ask(&*driver, operation, "", &[]);
    let error = tokio::time::timeout(PATIENCE, asked).await.unwrap();
    over.store(true, Relaxed);
    neighbour.await.unwrap();
    assert!(turns.load(Relaxed) > 1, "the neighbour had no turn");
    let taken = taken.recv_timeout(PATIENCE).unwrap();
    assert!(taken < TAKEN, "{taken} bytes were taken");
    error.unwrap_err()
}

#[tokio::test]
async fn interim_answers_for_ever_end_the_call() {
    for again in [
        "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/1.1 102 \r\n\r\n",
    ] {
        let error = flooded("get", "", again).await;
        assert_eq!(
            (error.kind(), error.message()),
            (
                Kind::Invalid,
                "`127.0.0.1` sent more than 16 interim answers"
            )
        );
        let error = flooded("post", "", again).await;
        assert_eq!(error.kind(), Kind::UnknownOutcome);
    }
}

const BYTES: &str = "`127.0.0.1` sent more than 256 KiB before the end of its headers";
const HEADERS: &str = "`127.0.0.1` sent more than 100 headers";

#[tokio::test]
async fn headers_for_ever_end_the_call() {
    for (first, again) in [
        ("HTTP/1.1 200 OK\r\na: ", "b"),
        ("HTTP/1.1 200 ", "OK"),
        ("HTTP/1.1 200 OK\r\n", "a: b\r\n"),
        ("HTTP/1.1 103 Early Hints\r\n", "a: b\r\n"),
    ] {
        let error = flooded("get", first, again).await;
        assert_eq!(error.kind(), Kind::Invalid, "{first}");
        // They are counted when the beginning comes in one piece, and at the end, which never comes.
        let counted = again.contains(':') && error.message() == HEADERS;
        assert!(counted || error.message() == BYTES, "{first}: {error}");
    }
}

#[tokio::test]
async fn headers_are_counted() {
    for (more, is_well) in [(98, true), (99, false)] {
        // Two are there already.
        let headers = "a: b\r\n".repeat(more);
        let (url, _requests) = serve(vec![answer("200 OK", &headers, "")]);
        let heard = ask(&*driver(&url, true, None).await, "get", "", &[]).await;
        let error = heard.err();
        let error = error.as_ref().map(|error| error.message());
        assert_eq!(error, (!is_well).then_some(HEADERS));
    }
}

#[tokio::test]
async fn a_body_for_ever_ends_at_its_limit() {
    for (first, again) in [
        ("HTTP/1.1 200 OK\r\n\r\n", "x"),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
            "1\r\nx\r\n",
        ),
        ("HTTP/1.1 200 OK\r\ncontent-length: 101\r\n\r\n", "x"),
    ] {
        let error = flooded("get", first, again).await;
        assert_eq!(
            error.message(),
            "the answer of `127.0.0.1` has more than 100 bytes; see `maxDataBytes`"
        );
    }
}

/// An answer after so many interim ones, in one piece.
async fn after(interim: usize) -> Result<Outcome> {
    let hint = "HTTP/1.1 103 Early Hints\r\n\r\n".repeat(interim);
    let (url, _requests) = serve(vec![hint + &answer("200 OK", "", "well")]);
    ask(&*driver(&url, true, None).await, "get", "", &[]).await
}

#[tokio::test]
async fn some_interim_answers_are_passed_over() {
    assert_eq!(after(16).await.unwrap().data, "well");
    let error = after(17).await.unwrap_err();
    assert_eq!(
        error.message(),
        "`127.0.0.1` sent more than 16 interim answers"
    );
}

/// A count for one answer does not go on with the next one of the connection.
#[tokio::test]
async fn large_headers_are_heard_each_time() {
    let connections = Arc::new(AtomicU64::new(0));
    let counted = connections.clone();
    let url = listen(move |mut stream| {
        counted.fetch_add(1, Relaxed);
        let large = "x".repeat(200 << 10);
        while read(&mut stream).is_some() {
            let hint = "HTTP/1.1 103 Early Hints\r\n\r\n".repeat(16);
            let answer =
                format!("{hint}HTTP/1.1 200 OK\r\ncontent-length: 0\r\nlarge: {large}\r\n\r\n");
            stream.write_all(answer.as_bytes()).unwrap();
        }
    });
    let driver = driver(&url, true, Some(PATIENCE)).await;
    for _ in 0..4 {
        let outcome = ask(&*driver, "get", "", &[]).await.unwrap();
        let (name, value) = outcome.metadata.last().unwrap();
        assert_eq!((name.as_str(), value.len()), ("large", 200 << 10));
    }
    assert_eq!(connections.load(Relaxed), 1);
}

#[tokio::test]
async fn the_answers_of_a_component_have_their_bytes_in_all() {
    let body = "x".repeat(90);
    let (url, _requests) = serve(vec![answer("200 OK", "", &body)]);
    let mut web = web(&url, true, None);
    web.share = Share::of(50);
    let error = ask(&web, "get", "", &[]).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Exhausted);
    assert!(
        error.message().contains("hold all of its 256 MiB"),
        "{error}"
    );
    web.share = Share::of(500);
    let (url, _requests) = serve(vec![answer("200 OK", "", &body); 3]);
    let again = super::web(&url, true, None);
    web.pool = again.pool;
    for _ in 0..3 {
        ask(&web, "get", "", &[]).await.unwrap();
    }
}
