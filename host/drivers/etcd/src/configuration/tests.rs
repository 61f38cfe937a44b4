//! Waiting, with a server that is made up.

use super::*;
use crate::{client::Client, settings};
use serde_json::json;
use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    thread,
};

/// A server without items, whose watches say something that is no change, and end. It counts them.
fn server(watches: &Arc<AtomicUsize>) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let address = listener.local_addr().expect("an address");
    let watches = watches.clone();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let watches = watches.clone();
            thread::spawn(move || answer(stream, &watches));
        }
    });
    address
}

fn answer(mut stream: TcpStream, watches: &AtomicUsize) {
    let mut request = vec![0; 64 << 10];
    let read = stream.read(&mut request).unwrap_or_default();
    let body = match request[..read].starts_with(b"POST /v3/watch ") {
        true => {
            watches.fetch_add(1, Relaxed);
            "{\"result\":{\"created\":true}}\n{\"result\":{}}\n"
        }
        false => "{\"header\":{\"revision\":\"9\"}}",
    };
    let head = "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n";
    let _ = stream.write_all(format!("{head}{body}").as_bytes());
}

#[tokio::test]
async fn a_watch_that_tells_no_change_is_not_begun_again_at_once() {
    let watches = Arc::new(AtomicUsize::new(0));
    let address = server(&watches);
    let config = json!({ "endpoints": address.to_string(), "keyPrefixPath": "a" });
    let config = serde_json::from_value(config).expect("settings");
    let parsed = settings::parse_items(config).expect("good ones");
    let client = Arc::new(Client::new(parsed.target).expect("a client"));
    let space = Space::new(client, parsed.bounds, &parsed.prefix);
    let configuration = Configuration { space };
    let waited = timeout(LOOK * 3 / 2, configuration.wait("0-0")).await;
    assert!(waited.is_err(), "nothing has changed");
    let watches = watches.load(Relaxed);
    assert!((1..=2).contains(&watches), "{watches} watches");
}
