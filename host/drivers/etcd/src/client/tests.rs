//! A login that hangs.

use super::*;
use crate::settings;
use futures::future::join_all;
use std::{
    io::Read as _,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    thread,
};
use wythe_blocks::Kind;

/// A server that reads and never answers; it counts the requests.
fn silent(asked: &Arc<AtomicUsize>) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let address = listener.local_addr().expect("an address");
    let asked = asked.clone();
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let asked = asked.clone();
            thread::spawn(move || {
                while let Ok(1..) = stream.read(&mut [0; 16 << 10]) {
                    asked.fetch_add(1, Relaxed);
                }
            });
        }
    });
    address
}

#[tokio::test]
async fn who_waits_for_a_login_that_hangs_waits_once() {
    let asked = Arc::new(AtomicUsize::new(0));
    let address = silent(&asked).to_string();
    let config = json!({
        "endpoints": address, "username": "a", "password": "b", "timeout": "200ms",
    });
    let config = serde_json::from_value(config).expect("settings");
    let parsed = settings::parse(config).expect("good ones");
    let client = Client::new(parsed.target).expect("a client");
    let body = json!({});
    let ask = || client.ask::<Status>(Effect::Read, "/v3/maintenance/status", &body);
    for answer in join_all((0..20).map(|_| ask())).await {
        let fault = answer.expect_err("nobody answers");
        assert_eq!(fault.error(Effect::Read, "it").kind(), Kind::Unavailable);
    }
    // One after the other they would have asked as often as there are, and the last one waited for all.
    let asked = asked.load(Relaxed);
    assert!((1..=10).contains(&asked), "{asked}");
}
