//! The settings, by Dapr's names.

use serde::Deserialize;
use std::{path::PathBuf, time::Duration};
use wythe_blocks::{Result, Wrong};
use wythe_manifest::Duration as Time;
use wythe_net::wrong;

/// Time of a request, by default.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The interval at which a map is read anew, whatever its watch says.
pub(crate) const RESYNC: Duration = Duration::from_secs(5);
/// Characters of a namespace, and of other names.
const LABEL: usize = 63;
const SUBDOMAIN: usize = 253;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct SecretsConfig {
    /// The namespace of secrets whose request names none; default that of the account.
    default_namespace: Option<String>,
    /// The file that says where the API server is, and who asks; default the account of the pod.
    kubeconfig_path: Option<PathBuf>,
    /// Time of a request; default 10 s.
    timeout: Option<Time>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct ConfigurationConfig {
    /// The config map whose keys are the items.
    config_map_name: String,
    /// The namespace of the config map; default that of the account.
    namespace: Option<String>,
    /// The file that says where the API server is, and who asks; default the account of the pod.
    kubeconfig_path: Option<PathBuf>,
    /// The interval at which the map is read anew at the latest, which it is every 5 s; default 0, which leaves it at that.
    resync_period: Option<Time>,
    /// Time of a request; default 10 s.
    timeout: Option<Time>,
}

/// A config that was found good.
pub(crate) struct Parsed {
    pub kubeconfig: Option<PathBuf>,
    pub namespace: Option<String>,
    /// The config map; nothing for secrets.
    pub map: String,
    pub timeout: Duration,
    /// The setting that has the namespace.
    pub setting: &'static str,
}

pub(crate) fn parse_secrets(config: SecretsConfig) -> Result<Parsed, Wrong> {
    let setting = "defaultNamespace";
    Ok(Parsed {
        kubeconfig: config.kubeconfig_path,
        namespace: namespace(setting, config.default_namespace)?,
        map: String::new(),
        timeout: timeout(config.timeout)?,
        setting,
    })
}

pub(crate) fn parse_configuration(config: ConfigurationConfig) -> Result<Parsed, Wrong> {
    let map = config.config_map_name;
    if !is_name(&map) {
        let why = "expected the name of a config map, such as `my-app`";
        return Err(wrong("configMapName", why));
    }
    let resync = config.resync_period.map_or(Duration::ZERO, Duration::from);
    if !resync.is_zero() && resync < RESYNC {
        let why = "the map is read anew every 5 s, and not more often: expected 0, or 5s and more";
        return Err(wrong("resyncPeriod", why));
    }
    let setting = "namespace";
    Ok(Parsed {
        kubeconfig: config.kubeconfig_path,
        namespace: namespace(setting, config.namespace)?,
        map,
        timeout: timeout(config.timeout)?,
        setting,
    })
}

fn namespace(setting: &'static str, written: Option<String>) -> Result<Option<String>, Wrong> {
    let written = written.filter(|name| !name.is_empty());
    match written.as_deref().is_none_or(is_namespace) {
        true => Ok(written),
        false => Err(wrong(
            setting,
            "expected the name of a namespace: small letters, digits and `-`",
        )),
    }
}

fn timeout(written: Option<Time>) -> Result<Duration, Wrong> {
    let time = written.map_or(TIMEOUT, Duration::from);
    match (Duration::from_millis(10)..=Duration::from_secs(3_600)).contains(&time) {
        true => Ok(time),
        false => Err(wrong("timeout", "expected 10ms to 1h")),
    }
}

/// Returns whether a text can be a namespace: a label by RFC 1123.
pub(crate) fn is_namespace(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=LABEL).contains(&text.len())
        && text.bytes().all(is_plain)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

/// Returns whether a text can be a name: labels with points between them.
pub(crate) fn is_name(text: &str) -> bool {
    text.len() <= SUBDOMAIN && text.split('.').all(is_namespace)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use wythe_blocks::Error;

    fn parsed(config: Value) -> Result<Parsed, String> {
        let config: ConfigurationConfig =
            serde_json::from_value(config).map_err(|error| error.to_string())?;
        parse_configuration(config).map_err(|wrong| Error::from(wrong).message().to_owned())
    }

    #[test]
    fn settings_are_daprs() {
        let map = parsed(json!({ "configMapName": "my.app", "resyncPeriod": "10m" })).ok();
        let map = map.unwrap();
        assert_eq!((map.map.as_str(), map.timeout), ("my.app", TIMEOUT));
        let config = json!({ "defaultNamespace": "prod", "kubeconfigPath": "kube/config" });
        let secrets = parse_secrets(serde_json::from_value(config).unwrap()).ok();
        assert_eq!(secrets.unwrap().namespace.as_deref(), Some("prod"));
    }

    #[test]
    fn what_does_not_fit_says_so() {
        for (config, expected) in [
            (json!({}), "missing field"),
            (
                json!({ "configMapName": "a/b" }),
                "configMapName: expected the name",
            ),
            (
                json!({ "configMapName": "a", "resyncPeriod": "1s" }),
                "resyncPeriod: the map is read anew every 5 s",
            ),
            (
                json!({ "configMapName": "a", "namespace": "../b" }),
                "namespace: expected the name",
            ),
            (
                json!({ "configMapName": "a", "timeout": "2h" }),
                "timeout: expected",
            ),
            (json!({ "configMapName": "a", "other": 1 }), "unknown field"),
        ] {
            let error = parsed(config).err().unwrap();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn names_are_those_of_the_server() {
        for name in ["a", "a-1", &"a".repeat(LABEL)] {
            assert!(is_namespace(name) && is_name(name), "{name}");
        }
        for name in ["", "-a", "a-", "A", "a b", "a/b", "..", &"a".repeat(64)] {
            assert!(!is_namespace(name) && !is_name(name), "{name}");
        }
        assert!(is_name("a.b-c") && !is_namespace("a.b") && !is_name("a..b"));
    }
}
