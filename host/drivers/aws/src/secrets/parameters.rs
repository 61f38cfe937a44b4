//! Secrets of the Parameter Store: a parameter each, below a prefix.

use super::{Api, Store};
use crate::{
    client::Shared,
    fault::Fault,
    settings::{Service, Target, config, wrong},
};
use async_trait::async_trait;
use serde_json::{Value as Json, json};
use std::sync::Arc;
use wythe_blocks::{
    Result, Site, Wrong,
    secrets::{Driver, Features, Found, Value},
};

const API: Api = Api {
    service: "ssm",
    prefix: "AmazonSSM",
    list: "DescribeParameters",
    shown: "Parameter Store",
};
/// The service's words for a parameter or a version that is not there.
const ABSENT: [&str; 2] = ["ParameterNotFound", "ParameterVersionNotFound"];

config! {
    struct Config {
        /// Text before a secret's name to make the parameter's; default nothing.
        prefix: Option<String>,
    }
}

/// A config that was found good.
pub(crate) struct Parsed {
    target: Target,
    prefix: String,
}

pub(crate) fn parse(mut config: Config) -> Result<Parsed, Wrong> {
    let prefix = config.prefix.take().unwrap_or_default();
    if !can_be(&prefix) || prefix.len() > 1_000 {
        return Err(wrong("prefix", "expected letters, digits and `/_.-`"));
    }
    Ok(Parsed {
        target: Target::parse(config.service(), Service::named(API.service))?,
        prefix,
    })
}

pub(crate) fn warnings(parsed: &Parsed) -> Vec<Wrong> {
    parsed.target.warnings()
}

pub(crate) async fn open(clients: Shared, parsed: Parsed, site: Site) -> Result<Arc<dyn Driver>> {
    Ok(Arc::new(Parameters {
        store: Store::open(&API, &clients, &parsed.target, &site).await?,
        prefix: parsed.prefix,
    }))
}

struct Parameters {
    store: Store,
    prefix: String,
}

impl Parameters {
    /// The names of a page, without the prefix.
    fn listed(&self, page: &Json) -> Option<Vec<String>> {
        let listed = page.get("Parameters")?.as_array()?.iter();
        let names: Option<Vec<_>> = listed.map(|one| one.get("Name")?.as_str()).collect();
        let own = names?.into_iter();
        let own = own.filter_map(|name| name.strip_prefix(&*self.prefix));
        Some(own.map(str::to_owned).collect())
    }
}

/// Returns whether a parameter may have this in its name. A `:` would ask for a version, or for another account's.
fn can_be(name: &str) -> bool {
    name.chars()
        .all(|c| c.is_ascii_alphanumeric() || "/_.-".contains(c))
}

#[async_trait]
impl Driver for Parameters {
    fn features(&self) -> Features {
        Features {
            multiple_values: false,
            names: true,
        }
    }

    async fn get(&self, name: &str, metadata: &[(String, String)]) -> Result<Option<Found>> {
        if !can_be(name) {
            return Ok(None);
        }
        let about = format!("the parameter `{name}`");
        let mut asked = format!("{}{name}", self.prefix);
        let whole = asked.clone();
        if let Some((_, version)) = metadata.iter().find(|(known, _)| known == "version_id") {
            if !can_be(version) {
                return Ok(None);
            }
            asked = format!("{asked}:{version}");
        }
        let body = json!({ "Name": asked, "WithDecryption": true });
        let answer = match self.store.ask("GetParameter", &body).await? {
            Ok(answer) => answer,
            Err(fault) if ABSENT.contains(&fault.code()) => return Ok(None),
            Err(fault) => return Err(fault.of_read(&about)),
        };
        let parameter = answer.get("Parameter");
        let text = |field: &str| parameter?.get(field)?.as_str();
        let (Some(found), Some(value)) = (text("Name"), text("Value")) else {
            return Err(Fault::Odd("no parameter".to_owned()).of_read(&about));
        };
        let version = parameter.and_then(|parameter| parameter.get("Version")?.as_u64());
        Ok((found == whole).then(|| Found {
            version: version.map(|version| version.to_string()),
            ..Found::one(name, Value::new(value))
        }))
    }

    async fn names(&self) -> Result<Vec<String>> {
        let mut body = json!({ "MaxResults": 50 });
        if !self.prefix.is_empty() {
            body["ParameterFilters"] =
                json!([{ "Key": "Name", "Option": "BeginsWith", "Values": [self.prefix] }]);
        }
        self.store.names(&body, |page| self.listed(page)).await
    }

    fn describe(&self) -> Option<String> {
        self.store.session.describe()
    }

    async fn health(&self) -> Result<()> {
        self.store.health().await
    }

    async fn close(&self) -> Result<()> {
        self.store.session.close();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_asks_for_no_version_and_no_account() {
        assert!(can_be("/prod/db_1.x-y"));
        assert!(!can_be("a:1") && !can_be("arn:aws:ssm:a:1:parameter/b") && !can_be("a b"));
    }
}
