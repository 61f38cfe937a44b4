//! The file that a component names, and how it is opened.

use std::{path::PathBuf, time::Duration};
use wythe_blocks::{Error, Result, Wrong};
use wythe_manifest::Duration as Time;

/// Time of one piece of work, by default.
const TIMEOUT: Duration = Duration::from_secs(20);
/// Time to wait for another process that has the file locked, by default.
const BUSY: Duration = Duration::from_secs(2);
/// Longest time of either kind: a thread is held as long.
const LONGEST: Duration = Duration::from_secs(600);

/// Makes the config of a component: the keys that name its file, and those of its own.
macro_rules! config {
    (struct Config { $($(#[$said:meta])* $key:ident: $of:ty,)* }) => {
        #[derive(serde::Deserialize)]
        #[serde(deny_unknown_fields, rename_all = "camelCase")]
        pub(super) struct Config {
            /// The file.
            #[serde(alias = "url")]
            connection_string: String,
            /// Time to wait for another process that has the file locked; default 2 s.
            busy_timeout: Option<wythe_manifest::Duration>,
            /// Does without a write-ahead log; default false.
            #[serde(rename = "disableWAL")]
            disable_wal: Option<bool>,
            /// Time of one piece of work; default 20 s.
            timeout: Option<wythe_manifest::Duration>,
            $($(#[$said])* $key: $of,)*
        }

        impl Config {
            /// The file that the keys name.
            fn file(self) -> Result<$crate::settings::Settings, wythe_blocks::Wrong> {
                $crate::settings::Settings::parse(
                    &self.connection_string,
                    self.busy_timeout,
                    self.disable_wal.unwrap_or(false),
                    self.timeout,
                )
            }
        }
    };
}
pub(super) use config;

/// A file, and how it is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Settings {
    /// The path as it is written.
    pub path: PathBuf,
    pub busy: Duration,
    pub wal: bool,
    pub timeout: Duration,
}

impl Settings {
    pub fn parse(
        written: &str,
        busy: Option<Time>,
        disable_wal: bool,
        timeout: Option<Time>,
    ) -> Result<Self, Wrong> {
        let path = path(written).map_err(|error| Wrong::new("connectionString", error))?;
        let timeout = bounded("timeout", timeout, TIMEOUT)?;
        if timeout.is_zero() {
            let text = "`timeout: 0s`; expected at least 1 ms";
            return Err(Wrong::new("timeout", Error::invalid(text)));
        }
        Ok(Settings {
            path,
            busy: bounded("busyTimeout", busy, BUSY)?,
            wal: !disable_wal,
            timeout,
        })
    }
}

fn bounded(
    setting: &'static str,
    written: Option<Time>,
    default: Duration,
) -> Result<Duration, Wrong> {
    let time = written.map_or(default, Duration::from);
    match time <= LONGEST {
        true => Ok(time),
        false => Err(Wrong::new(
            setting,
            Error::invalid(format!("`{setting}`: expected at most {LONGEST:?}")),
        )),
    }
}

/// The path in a connection string. No parameter may stand behind it, for some of them open other files or make a write less
/// than durable.
fn path(written: &str) -> Result<PathBuf> {
    let invalid = |text: &str| Err(Error::invalid(format!("`connectionString`: {text}")));
    let plain = written.trim();
    let plain = plain.strip_prefix("file:").unwrap_or(plain);
    if plain.to_ascii_lowercase().starts_with(":memory:") {
        return invalid(
            "a database in memory keeps nothing; write `type: state.memory` or `configuration.memory`",
        );
    }
    if let Some((_, parameters)) = plain.split_once('?') {
        let name = parameters.split(['=', '&']).next().unwrap_or_default();
        let shown = name.escape_debug().take(40).collect::<String>();
        return invalid(&format!(
            "the parameter `{shown}` is not taken; expected the path of a file alone: `busyTimeout`, `disableWAL` and `timeout` say \
             the rest"
        ));
    }
    let is_url = plain.starts_with("//") || plain.contains("://");
    match plain {
        "" => invalid("expected the path of a file"),
        _ if is_url => invalid("expected the path of a file, and no URL"),
        _ if plain.contains(['\0', '%', '#']) => {
            invalid("expected the path of a file, without `%`, `#` and NUL")
        }
        _ => Ok(plain.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(written: &str) -> Result<Settings, String> {
        let parsed = Settings::parse(written, None, false, None);
        parsed.map_err(|wrong| Error::from(wrong).message().to_owned())
    }

    #[test]
    fn a_path_is_read_with_and_without_its_scheme() {
        for written in ["data/a.db", "file:data/a.db", " data/a.db "] {
            assert_eq!(parse(written).unwrap().path, PathBuf::from("data/a.db"));
        }
        let settings = parse("/var/a.db").unwrap();
        assert_eq!(
            (settings.busy, settings.timeout, settings.wal),
            (BUSY, TIMEOUT, true)
        );
    }

    #[test]
    fn what_is_no_path_says_so() {
        for (written, expected) in [
            ("", "expected the path of a file"),
            ("file:", "expected the path of a file"),
            (":memory:", "a database in memory keeps nothing"),
            (
                "file::memory:?cache=shared",
                "a database in memory keeps nothing",
            ),
            (
                "a.db?_pragma=synchronous(0)",
                "the parameter `_pragma` is not taken",
            ),
            (
                "file:a.db?vfs=unix-none",
                "the parameter `vfs` is not taken",
            ),
            (
                "file://host/a.db",
                "expected the path of a file, and no URL",
            ),
            (
                "http://host/a.db",
                "expected the path of a file, and no URL",
            ),
            ("a%2f.db", "expected the path of a file, without `%`"),
        ] {
            let said = parse(written).unwrap_err();
            assert!(said.contains(expected), "{written}: {said}");
        }
    }

    #[test]
    fn a_time_that_is_none_is_refused() {
        let time = |seconds| Some(Time(Duration::from_secs(seconds)));
        let busy = Settings::parse("a.db", time(601), false, None).unwrap_err();
        assert!(Error::from(busy).message().contains("`busyTimeout`"));
        let zero = Settings::parse("a.db", None, false, time(0)).unwrap_err();
        assert!(Error::from(zero).message().contains("`timeout: 0s`"));
    }
}
