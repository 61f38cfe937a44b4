//! Secrets in variables of the environment. Those that are the host's own are nobody's secrets.

use async_trait::async_trait;
use serde::Deserialize;
use std::{collections::BTreeSet, sync::Arc};
use wythe_blocks::{
    Environment, Result, Site,
    secrets::{Driver, Features, Found, Value},
};

/// Variables by which the host itself, or a Dapr beside it, is configured, some of them with tokens.
const OWN: [&str; 3] = ["APP_API_TOKEN", "DAPR_", "WYTHE_"];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Config {
    /// Prefix of a variable's name, before the secret's name; default nothing.
    #[serde(default)]
    prefix: String,
}

pub(super) async fn open(config: Config, site: Site) -> Result<Arc<dyn Driver>> {
    Ok(Arc::new(Variables {
        prefix: config.prefix,
        environment: site.environment,
    }))
}

struct Variables {
    prefix: String,
    environment: Environment,
}

/// Compares without regard to case, as some systems do for variables.
fn is_own(variable: &str) -> bool {
    let upper = variable.to_ascii_uppercase();
    OWN.iter().any(|own| upper.starts_with(own))
}

#[async_trait]
impl Driver for Variables {
    fn features(&self) -> Features {
        Features {
            multiple_values: false,
            names: true,
        }
    }

    async fn get(&self, name: &str, _: &[(String, String)]) -> Result<Option<Found>> {
        let variable = format!("{}{name}", self.prefix);
        if is_own(&variable) {
            return Ok(None);
        }
        let found = self.environment.get(&variable);
        Ok(found.map(|secret| Found::one(name, Value::new(secret.reveal()))))
    }

    async fn names(&self) -> Result<Vec<String>> {
        let variables = self.environment.names();
        let served = variables.filter(|variable| !is_own(variable));
        let names = served.filter_map(|variable| variable.strip_prefix(&self.prefix));
        let names: BTreeSet<_> = names.filter(|name| !name.is_empty()).collect();
        Ok(names.into_iter().map(str::to_owned).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_hosts_own_variables_are_not_served() {
        let names = [
            "APP_API_TOKEN",
            "DAPR_API_TOKEN",
            "WYTHE_LOG",
            "wythe_log",
            "HOME",
        ];
        let variables = names.map(|name| (name.to_owned(), "value".to_owned()));
        for prefix in ["", "DAPR_", "WYTHE"] {
            let store = Variables {
                prefix: prefix.into(),
                environment: variables.clone().into_iter().collect(),
            };
            for name in names.iter().filter(|name| **name != "HOME") {
                let name = name.strip_prefix(prefix).unwrap_or(name);
                assert_eq!(store.get(name, &[]).await.unwrap(), None, "{name}");
            }
            let expected: &[&str] = if prefix.is_empty() { &["HOME"] } else { &[] };
            assert_eq!(store.names().await.unwrap(), expected);
        }
    }
}
