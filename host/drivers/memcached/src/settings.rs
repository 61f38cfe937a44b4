//! The settings, by Dapr's names.

use serde::Deserialize;
use std::time::Duration;
use wythe_blocks::{Result, Wrong};
use wythe_manifest::Duration as Time;
use wythe_net::wrong;

const PORT: u16 = 11211;
/// Servers of one component.
const HOSTS: usize = 100;
const IDLE: usize = 2;
const TIMEOUT: Duration = Duration::from_secs(1);

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Config {
    /// The servers, `host:port` parted by commas, with port 11211 where none is written; their order matters.
    hosts: String,
    /// Connections to each server that wait for the next call; default 2.
    max_idle_connections: Option<usize>,
    /// Time of a call, connecting included: milliseconds, or a duration such as `2s`; default 1 s.
    timeout: Option<String>,
}

/// The settings of the connections: components with equal ones share them.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Target {
    pub hosts: Vec<(String, u16)>,
    pub idle: usize,
    pub timeout: Duration,
}

pub(crate) fn parse(config: Config) -> Result<Target, Wrong> {
    let hosts = config.hosts.split(',').map(address);
    let hosts = hosts.collect::<Result<Vec<_>, _>>()?;
    let is_twice = |number: usize| hosts[..number].contains(&hosts[number]);
    if hosts.len() > HOSTS || (0..hosts.len()).any(is_twice) {
        let why = format!("expected 1 to {HOSTS} servers, each of them once");
        return Err(wrong("hosts", &why));
    }
    let idle = config.max_idle_connections.unwrap_or(IDLE);
    if !(1..=100).contains(&idle) {
        return Err(wrong("maxIdleConnections", "expected 1 to 100"));
    }
    Ok(Target {
        hosts,
        idle,
        timeout: config.timeout.as_deref().map_or(Ok(TIMEOUT), time)?,
    })
}

/// A time in milliseconds, as Dapr has it, or with a unit.
fn time(text: &str) -> Result<Duration, Wrong> {
    let odd = || {
        wrong(
            "timeout",
            "expected milliseconds such as `1000`, or a duration, of 10ms to 1h",
        )
    };
    let text = text.trim();
    let time = match text.parse::<u64>() {
        Ok(milliseconds) => Duration::from_millis(milliseconds),
        Err(_) => text.parse::<Time>().map_err(|_| odd())?.into(),
    };
    match (Duration::from_millis(10)..=Duration::from_secs(3_600)).contains(&time) {
        true => Ok(time),
        false => Err(odd()),
    }
}

fn address(text: &str) -> Result<(String, u16), Wrong> {
    let text = text.trim();
    let odd = || {
        wrong(
            "hosts",
            "expected `host:port` of each server, parted by commas: no URL, and no path of a socket",
        )
    };
    let (host, port) = match text.rsplit_once(':') {
        // An address of IPv6 alone, without brackets.
        Some((before, _)) if before.contains(':') && !before.ends_with(']') => (text, PORT),
        Some((host, port)) => (host, port.parse().map_err(|_| odd())?),
        None => (text, PORT),
    };
    let host = host.trim_matches(['[', ']']);
    let is_odd = |c: char| c.is_whitespace() || c.is_control() || "/@".contains(c);
    match host.is_empty() || host.len() > 255 || port == 0 || host.contains(is_odd) {
        true => Err(odd()),
        false => Ok((host.to_owned(), port)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use wythe_blocks::Error;

    fn parsed(config: Value) -> Result<Target, String> {
        let config: Config = serde_json::from_value(config).map_err(|error| error.to_string())?;
        parse(config).map_err(|wrong| Error::from(wrong).message().to_owned())
    }

    #[test]
    fn settings_are_daprs() {
        let target = parsed(json!({ "hosts": "a, b:1,[::1]:2,::1" })).unwrap();
        let hosts = [("a", PORT), ("b", 1), ("::1", 2), ("::1", PORT)];
        assert_eq!(target.hosts, hosts.map(|(name, port)| (name.into(), port)));
        assert_eq!((target.idle, target.timeout), (IDLE, TIMEOUT));
        let written = json!({ "hosts": "a", "maxIdleConnections": 5, "timeout": "250" });
        let target = parsed(written).unwrap();
        assert_eq!(
            (target.idle, target.timeout),
            (5, Duration::from_millis(250))
        );
        let target = parsed(json!({ "hosts": "a", "timeout": "2s" })).unwrap();
        assert_eq!(target.timeout, Duration::from_secs(2));
    }

    #[test]
    fn what_does_not_fit_says_so() {
        for hosts in [
            "",
            "a,",
            "a,a",
            "a:x",
            "a:0",
            "memcached://a",
            "/run/s",
            "a b",
        ] {
            let error = parsed(json!({ "hosts": hosts })).err().unwrap();
            assert!(error.starts_with("hosts: expected"), "{hosts}: {error}");
        }
        for (name, value) in [
            ("maxIdleConnections", json!(0)),
            ("maxIdleConnections", json!(101)),
            ("timeout", json!("0")),
            ("timeout", json!("soon")),
            ("timeout", json!("2h")),
            ("timeout", json!("18446744073709551615")),
        ] {
            let error = parsed(json!({ "hosts": "a", name: value })).err().unwrap();
            assert!(error.starts_with(&format!("{name}: expected")), "{error}");
        }
        let error = parsed(json!({ "hosts": "a", "user": "b" })).err().unwrap();
        assert!(error.contains("unknown field"), "{error}");
    }
}
