//! The server as it says it is: its version, its bounds, and which of its lives this is.

use crate::{failure::Fault, wire::Wire};
use wythe_blocks::{Error, Result};

/// The first version that is known to have all that the driver needs of the meta protocol.
const OLDEST: (u64, u64, u64) = (1, 6, 13);
/// Characters of a version.
const WORD: usize = 32;

/// A server as a connection found it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Facts {
    pub version: String,
    /// Bytes of an entry, with all that belongs to it.
    pub largest: u64,
    pub life: Life,
}

/// One life of a server: the numbers of its entries begin anew with the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Life {
    /// The second in which it began.
    began: u64,
    process: u64,
}

impl Life {
    /// The etag of an entry by its number.
    pub fn etag(self, cas: u64) -> String {
        let Life { began, process } = self;
        format!("{cas}-{began:x}-{process:x}")
    }
}

type Statistics = Vec<(String, String)>;

impl Facts {
    pub async fn of(wire: &mut Wire) -> Result<Result<Self>, Fault> {
        let (own, settings) = (
            wire.statistics("").await?,
            wire.statistics("settings").await?,
        );
        Ok(Self::read(&own, &settings))
    }

    fn read(own: &Statistics, settings: &Statistics) -> Result<Self> {
        let version: String = text(own, "version")?
            .chars()
            .filter(char::is_ascii_graphic)
            .take(WORD)
            .collect();
        check_version(&version)?;
        if text(settings, "cas_enabled")? != "yes" {
            return Err(Error::unsupported(
                "the server gives its entries no numbers, by which etags are told apart: start it without `-C`",
            ));
        }
        let (time, uptime) = (number(own, "time")?, number(own, "uptime")?);
        Ok(Facts {
            version,
            largest: number(settings, "item_size_max")?,
            life: Life {
                began: time.saturating_sub(uptime),
                process: number(own, "pid")?,
            },
        })
    }
}

fn text<'a>(statistics: &'a Statistics, name: &str) -> Result<&'a str> {
    let found = statistics.iter().find(|(known, _)| known == name);
    let odd = || {
        Error::unavailable(format!(
            "the server does not tell its `{name}`: is it memcached, and no proxy before it?"
        ))
    };
    found.map(|(_, value)| value.as_str()).ok_or_else(odd)
}

fn number(statistics: &Statistics, name: &str) -> Result<u64> {
    let odd = || Error::unavailable(format!("the server's `{name}` is no number"));
    text(statistics, name)?.parse().map_err(|_| odd())
}

fn check_version(version: &str) -> Result<()> {
    let mut numbers = version.split(['.', '-', '_']).map(str::parse::<u64>);
    let mut next = || numbers.next().and_then(Result::ok);
    let found = (next(), next(), next().unwrap_or(0));
    match found {
        (Some(major), Some(minor), patch) if (major, minor, patch) >= OLDEST => Ok(()),
        _ => {
            let (major, minor, patch) = OLDEST;
            Err(Error::unsupported(format!(
                "the server is of version {version}; expected {major}.{minor}.{patch} or later"
            )))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(changes: &[(&str, &str)]) -> Result<Facts> {
        let known = [
            ("pid", "7"),
            ("uptime", "4"),
            ("time", "1004"),
            ("version", "1.6.18"),
            ("cas_enabled", "yes"),
            ("item_size_max", "1048576"),
        ];
        let all: Statistics = changes
            .iter()
            .chain(&known)
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        Facts::read(&all, &all)
    }

    #[test]
    fn lives_are_told_apart() {
        let etag = |changes: &[_]| read(changes).unwrap().life.etag(5);
        let first = etag(&[]);
        assert_eq!(etag(&[("uptime", "5"), ("time", "1005")]), first);
        assert_ne!(etag(&[("uptime", "5")]), first);
        assert_ne!(etag(&[("pid", "8")]), first);
    }

    #[test]
    fn a_server_that_does_not_fit_says_why() {
        assert_eq!(read(&[]).unwrap().largest, 1 << 20);
        for (name, value, expected) in [
            ("version", "1.5.22", "is of version 1.5.22; expected 1.6."),
            ("version", "1.6.9", "expected 1.6."),
            ("version", "new", "is of version new"),
            ("cas_enabled", "no", "start it without `-C`"),
            ("pid", "x", "`pid` is no number"),
        ] {
            let error = read(&[(name, value)]).unwrap_err();
            assert!(error.message().contains(expected), "{error}");
        }
        assert!(Facts::read(&Vec::new(), &Vec::new()).is_err());
        assert!(read(&[("version", "1.6.99_beta")]).is_ok());
    }
}
