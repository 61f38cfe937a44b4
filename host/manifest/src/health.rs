//! The health check of an app: `health`, or Dapr's keys for the same.

use std::time::Duration;

use crate::limits::{count, time};
use crate::name::shown;
use crate::reader::{At, Fields};

/// Dapr's keys, of an app or of all apps in `common`.
pub(crate) const DAPRS: [&str; 5] = [
    ENABLE,
    "appHealthCheckPath",
    "appHealthProbeInterval",
    "appHealthProbeTimeout",
    "appHealthThreshold",
];
const ENABLE: &str = "enableAppHealthCheck";

/// Bytes of a path.
const MAX_PATH: usize = 1_024;

/// A look whether an app can do its work, again and again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthCheck {
    /// The path that it is asked for, by GET; default `/healthz`. An answer of 200 to 299 is well.
    pub path: String,
    /// Time from the beginning of one look to that of the next; default 5 s.
    pub interval: Duration,
    /// The time for an answer; default 500 ms.
    pub timeout: Duration,
    /// Failures in a row after which the app is ill; default 3.
    pub threshold: u32,
}

impl Default for HealthCheck {
    fn default() -> Self {
        HealthCheck {
            path: "/healthz".to_owned(),
            interval: Duration::from_secs(5),
            timeout: Duration::from_millis(500),
            threshold: 3,
        }
    }
}

/// A check as it is written, key by key.
#[derive(Clone, Default)]
pub(crate) struct Written {
    enabled: Option<bool>,
    path: Option<String>,
    interval: Option<Duration>,
    timeout: Option<Duration>,
    threshold: Option<u32>,
}

/// Reads the check of an app; what it does not say is as `common` has it.
pub(crate) fn read(app: &Fields, common: &Written) -> Option<HealthCheck> {
    let (written, at) = match app.get("health") {
        Some(at) => {
            for (_, other) in app.each_of(&DAPRS) {
                other.error("`health` is written as well; expected one of the two");
            }
            (read_own(&at)?, at)
        }
        None => {
            let at = app.get(ENABLE).unwrap_or_else(|| app.at.clone());
            (read_daprs(app).or(common.clone()), at)
        }
    };
    let default = HealthCheck::default();
    let check = HealthCheck {
        path: written.path.unwrap_or(default.path),
        interval: written.interval.unwrap_or(default.interval),
        timeout: written.timeout.unwrap_or(default.timeout),
        threshold: written.threshold.unwrap_or(default.threshold),
    };
    let is_on = written.enabled.unwrap_or_default();
    if is_on && check.timeout > check.interval {
        at.error(&format!(
            "a look may take {:?}, and the next one is after {:?}; expected a timeout that is not longer than the interval",
            check.timeout, check.interval
        ));
    }
    is_on.then_some(check)
}

fn read_own(at: &At) -> Option<Written> {
    let fields = at.fields(&["enabled", "path", "interval", "timeout", "threshold"])?;
    let second = Duration::from_secs(1);
    Some(Written {
        enabled: Some(fields.read("enabled", At::boolean).unwrap_or(true)),
        path: fields.read("path", read_path),
        interval: time(&fields, "interval", second..=3_600 * second),
        timeout: time(&fields, "timeout", second / 1_000..=3_600 * second),
        threshold: count(&fields, "threshold", 1..=1_000),
    })
}

/// Dapr's keys: whole seconds between looks, whole milliseconds for one.
pub(crate) fn read_daprs(fields: &Fields) -> Written {
    let enabled = fields.read(ENABLE, At::boolean);
    let interval = count(fields, "appHealthProbeInterval", 1..=3_600);
    let timeout = count(fields, "appHealthProbeTimeout", 1..=3_600_000);
    Written {
        enabled,
        path: fields.read("appHealthCheckPath", read_path),
        interval: interval.map(|seconds| Duration::from_secs(seconds.into())),
        timeout: timeout.map(|millis| Duration::from_millis(millis.into())),
        threshold: count(fields, "appHealthThreshold", 1..=1_000),
    }
}

impl Written {
    /// Takes from the other what this one does not say.
    fn or(self, other: Written) -> Self {
        Written {
            enabled: self.enabled.or(other.enabled),
            path: self.path.or(other.path),
            interval: self.interval.or(other.interval),
            timeout: self.timeout.or(other.timeout),
            threshold: self.threshold.or(other.threshold),
        }
    }
}

/// Reads a path, with or without the slash at its beginning, as in Dapr.
fn read_path(at: &At) -> Option<String> {
    let text = at.filled()?;
    let is_plain = |byte: u8| byte.is_ascii_graphic() && byte != b'#';
    if text.len() > MAX_PATH || !text.bytes().all(is_plain) {
        at.error(&format!(
            "expected a path of {MAX_PATH} letters, digits and signs at most, such as `/healthz`, found `{}`",
            shown(text)
        ));
        return None;
    }
    Some(format!("/{}", text.trim_start_matches('/')))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse_manifest;

    /// The check of the first app, and the problems.
    fn read_all(common: &str, app: &str) -> (Option<HealthCheck>, String) {
        let text =
            format!("version: 1\nname: n\n{common}apps:\n  - appID: a\n    guest: a.wasm\n{app}");
        let (manifest, problems) = parse_manifest(&text, "wythe.yaml".as_ref());
        let check = manifest.and_then(|manifest| manifest.apps.first()?.health.clone());
        let texts = problems.0.iter().map(|problem| format!("{problem}\n"));
        (check, texts.collect())
    }

    #[test]
    fn an_app_without_a_check_has_none() {
        assert_eq!(read_all("", ""), (None, String::new()));
        assert_eq!(read_all("", "    health: { enabled: false }\n").0, None);
    }

    #[test]
    fn the_defaults_are_daprs() {
        let check = HealthCheck {
            path: "/healthz".into(),
            interval: Duration::from_secs(5),
            timeout: Duration::from_millis(500),
            threshold: 3,
        };
        for app in ["    health: {}\n", "    enableAppHealthCheck: true\n"] {
            assert_eq!(
                read_all("", app),
                (Some(check.clone()), String::new()),
                "{app}"
            );
        }
    }

    #[test]
    fn daprs_keys_are_in_its_units_and_those_of_an_app_come_first() {
        let common = "common: { enableAppHealthCheck: true, appHealthProbeInterval: 7, appHealthThreshold: 9 }\n";
        let app = "    appHealthCheckPath: hz\n    appHealthThreshold: 2\n    appHealthProbeTimeout: 300\n";
        let check = HealthCheck {
            path: "/hz".into(),
            interval: Duration::from_secs(7),
            timeout: Duration::from_millis(300),
            threshold: 2,
        };
        assert_eq!(read_all(common, app), (Some(check.clone()), String::new()));
        let own = "    health: { path: /hz, interval: 7s, timeout: 300ms, threshold: 2 }\n";
        assert_eq!(read_all("", own), (Some(check), String::new()));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        for (app, expected) in [
            (
                "    health: { path: 'a b' }\n",
                "wythe.yaml:6:21: apps[0].health.path: expected a path of 1024 letters, digits and signs at most, such as `/healthz`, found `a b`\n",
            ),
            (
                "    health: { interval: 10ms }\n",
                "wythe.yaml:6:25: apps[0].health.interval: expected 1s to 1h, found `10ms`\n",
            ),
            (
                "    health: { timeout: 6s }\n",
                "wythe.yaml:6:13: apps[0].health: a look may take 6s, and the next one is after 5s; expected a timeout that is not longer than the interval\n",
            ),
            (
                "    health: {}\n    appHealthThreshold: 2\n",
                "wythe.yaml:7:25: apps[0].appHealthThreshold: `health` is written as well; expected one of the two\n",
            ),
            (
                "    appHealthThreshold: 0\n",
                "wythe.yaml:6:25: apps[0].appHealthThreshold: expected 1 to 1000, found `0`\n",
            ),
        ] {
            assert_eq!(read_all("", app).1, expected, "{app}");
        }
    }
}
