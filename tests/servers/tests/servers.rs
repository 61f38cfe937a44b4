//! The fixtures themselves: a server that restarts, is killed, is paused, ends with its owner; a proxy that fails.

use libtest_mimic::{Arguments, Trial};
use servers::{Proxy, Redis, Server, are_required};
use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

/// A case, and its name.
type Case = (&'static str, fn(Server));

fn main() {
    let cases: [Case; 4] = [
        ("restarts_and_kills_lose_nothing", restarts_and_kills),
        ("a_pause_is_one", a_pause),
        ("it_ends_with_its_owner", the_end_of_its_owner),
        ("a_proxy_fails_as_it_is_asked_to", a_proxy),
    ];
    let missing = Server::start(Redis::default()).err();
    let trials = cases.map(|(name, run)| {
        let reason = missing.as_ref().map(ToString::to_string);
        let name = reason.map_or(name.to_owned(), |reason| format!("{name} ({reason})"));
        let trial = Trial::test(name, move || {
            run(Server::start(Redis::default())?);
            Ok(())
        });
        trial.with_ignored_flag(missing.is_some() && !are_required())
    });
    libtest_mimic::run(&Arguments::from_args(), trials.into()).exit();
}

/// Sends a line and returns the first line of the answer.
fn ask(address: SocketAddr, line: &str, limit: Duration) -> io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(limit))?;
    stream.write_all(format!("{line}\r\n").as_bytes())?;
    let (mut answer, mut byte) = (String::new(), [0]);
    while stream.read(&mut byte)? == 1 && byte[0] != b'\r' {
        answer.push(char::from(byte[0]));
    }
    match answer.is_empty() {
        true => Err(io::ErrorKind::UnexpectedEof.into()),
        false => Ok(answer),
    }
}

const LONG: Duration = Duration::from_secs(120);
const SHORT: Duration = Duration::from_millis(200);

fn restarts_and_kills(server: Server) {
    assert_eq!(
        ask(server.address(), "SET a 1", LONG).expect("it works"),
        "+OK"
    );
    server.restart();
    assert_eq!(
        ask(server.address(), "INCR a", LONG).expect("it works"),
        ":2"
    );
    server.kill();
    assert!(TcpStream::connect(server.address()).is_err());
    server.restart();
    assert_eq!(
        ask(server.address(), "INCR a", LONG).expect("it works"),
        ":3"
    );
}

fn a_pause(server: Server) {
    server.pause();
    assert!(ask(server.address(), "PING", SHORT).is_err());
    server.resume();
    assert_eq!(
        ask(server.address(), "PING", LONG).expect("it works"),
        "+PONG"
    );
}

fn the_end_of_its_owner(server: Server) {
    let (address, directory) = (server.address(), server.site().directory.clone());
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
        let _owned = server;
        panic!("a test fails");
    }));
    assert!(caught.is_err());
    assert!(TcpStream::connect(address).is_err());
    assert!(!directory.exists());
}

fn a_proxy(server: Server) {
    let proxy = Proxy::start(server.address()).expect("it works");
    proxy.delay(Duration::from_millis(1));
    proxy.throttle(1_000);
    assert_eq!(
        ask(proxy.address(), "PING", LONG).expect("it works"),
        "+PONG"
    );
    proxy.cut();
    assert!(ask(proxy.address(), "PING", LONG).is_err());
    proxy.restore();
    proxy.silence();
    assert!(ask(proxy.address(), "PING", SHORT).is_err());
    proxy.restore();
    assert_eq!(
        ask(proxy.address(), "PING", LONG).expect("it works"),
        "+PONG"
    );
    assert_eq!(proxy.accepted(), 4);
}
