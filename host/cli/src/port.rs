//! Binding a port, and what to do instead when it cannot be had.

use crate::{
    owner,
    report::{Outcome, Problem},
};
use std::{
    io::ErrorKind,
    net::{SocketAddr, ToSocketAddrs},
};
use tokio::net::TcpListener;

/// Ports that are tried for a free one to propose.
const NEIGHBOURS: u16 = 100;

/// `127.0.0.1:8080`, `localhost:8080`, `:8080` or `8080`: without a host it is this one alone.
pub fn address(text: &str) -> Result<SocketAddr, String> {
    let text = text.strip_prefix(':').unwrap_or(text);
    if let Ok(port) = text.parse() {
        return Ok(SocketAddr::from(([127, 0, 0, 1], port)));
    }
    let mut found = text.to_socket_addrs().map_err(|error| {
        format!("expected an address such as 127.0.0.1:8080, localhost:8080 or 8080 ({error})")
    })?;
    found
        .next()
        .ok_or_else(|| "the host has no address".to_owned())
}

/// Binds `address`; `flag` is how the user may name another one.
pub async fn bind(address: SocketAddr, flag: &str) -> Outcome<TcpListener> {
    let error = match TcpListener::bind(address).await {
        Ok(listener) => return Ok(listener),
        Err(error) => error,
    };
    let message = match error.kind() {
        ErrorKind::AddrInUse => in_use(address, flag).await,
        ErrorKind::PermissionDenied => format!(
            "{address} may not be bound by this user ({error}); add `{flag} {}`",
            SocketAddr::new(address.ip(), 8080)
        ),
        _ => format!("{address} cannot be bound: {error}; name another one by `{flag}`"),
    };
    Err(Problem {
        kind: "unavailable".into(),
        ..Problem::new(message)
    }
    .into())
}

async fn in_use(address: SocketAddr, flag: &str) -> String {
    let owner = owner::of(address).map_or(String::new(), |owner| format!(" by {owner}"));
    let free = match next_free(address).await {
        Some(free) => format!("; {} is free: add `{flag} {free}`", free.port()),
        None => format!(
            "; add `{flag} {}` for any free one",
            SocketAddr::new(address.ip(), 0)
        ),
    };
    format!("port {} is in use{owner}{free}", address.port())
}

async fn next_free(address: SocketAddr) -> Option<SocketAddr> {
    let last = address.port().saturating_add(NEIGHBOURS);
    for port in address.port().saturating_add(1)..=last {
        let candidate = SocketAddr::new(address.ip(), port);
        if TcpListener::bind(candidate).await.is_ok() {
            return Some(candidate);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_may_be_short() {
        let local = |port| Ok(SocketAddr::from(([127, 0, 0, 1], port)));
        assert_eq!(address("127.0.0.1:80"), local(80));
        assert_eq!(address(":8081"), local(8081));
        assert_eq!(address("8081"), local(8081));
        assert_eq!(address("[::1]:1").map(|found| found.is_ipv6()), Ok(true));
        assert!(address("nonsense").is_err());
    }

    #[tokio::test]
    async fn a_taken_port_is_explained() {
        let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = taken.local_addr().unwrap();
        let failure = bind(address, "--listen").await.unwrap_err();
        let message = &failure.0[0].message;
        let start = format!("port {} is in use by `", address.port());
        assert!(message.starts_with(&start), "{message}");
        assert!(
            message.contains("is free: add `--listen 127.0.0.1:"),
            "{message}"
        );
    }
}
