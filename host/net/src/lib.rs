//! Connections to servers, below any protocol: TCP, TLS, and the secrets by which one connection differs from another.

mod hidden;
mod secure;
mod tls;

pub use hidden::Hidden;
pub use secure::{Proof, Secure};
pub use tls::{Tls, Written};

use std::{io, time::Duration};
use tokio::net::{TcpStream, lookup_host};
use wythe_blocks::{Error, Result, Wrong};

/// Connects to the first address of a name that answers; `setting` is where the name is written. The caller bounds the time.
pub async fn reach(setting: &str, host: &str, port: u16) -> Result<TcpStream> {
    let unknown = |error: io::Error| {
        let message = format!("the host of `{setting}` has no address: check its name");
        Error::unavailable(message).with_source(error)
    };
    let addresses = lookup_host((host, port)).await.map_err(unknown)?;
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => {
                stream.set_nodelay(true).map_err(unknown)?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(Error::unavailable("the server takes no connection").with_source(last))
}

/// A setting that does not fit.
pub fn wrong(setting: &'static str, why: &str) -> Wrong {
    Wrong::new(setting, Error::invalid(format!("{setting}: {why}")))
}

/// A time that is written, within bounds: 0 would end everything, and a day holds whoever waits.
pub fn limit(
    setting: &'static str,
    written: Option<impl Into<Duration>>,
    default: Duration,
) -> Result<Duration, Wrong> {
    let time = written.map_or(default, Into::into);
    match (Duration::from_millis(10)..=Duration::from_secs(24 * 3_600)).contains(&time) {
        true => Ok(time),
        false => Err(wrong(setting, "expected 10ms to 24h")),
    }
}

/// Undoes the percent-encoding of a part of a URL; absent for what is no text afterwards.
pub fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let digits = after.get(..2)?;
        if !digits.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        let digits = std::str::from_utf8(digits).ok()?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        rest = &after[2..];
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_is_text_again() {
        let cases = [
            ("a%2Fb", Some("a/b")),
            ("%c3%a4", Some("ä")),
            ("", Some("")),
            ("%", None),
            ("%2", None),
            ("%zz", None),
            ("%+f", None),
            ("%ff", None),
        ];
        for (text, expected) in cases {
            assert_eq!(decode(text).as_deref(), expected, "{text}");
        }
    }
}
