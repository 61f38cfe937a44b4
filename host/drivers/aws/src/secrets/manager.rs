//! Secrets of Secrets Manager: a text each, or several values as a JSON object.

use super::{Api, Store};
use crate::{
    client::Shared,
    fault::Fault,
    settings::{Service, Target, config},
};
use async_trait::async_trait;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value as Json, json};
use std::{collections::BTreeMap, sync::Arc};
use wythe_blocks::{
    Error, Result, Site, Wrong,
    secrets::{Driver, Features, Found, Value},
};

const API: Api = Api {
    service: "secretsmanager",
    prefix: "secretsmanager",
    list: "ListSecrets",
    shown: "Secrets Manager",
};

config! {
    struct Config {
        /// True reads a secret that is a JSON object of texts as several values; default false.
        multiple_key_values_per_secret: Option<bool>,
    }
}

/// A config that was found good.
pub(crate) struct Parsed {
    target: Target,
    multiple: bool,
}

pub(crate) fn parse(mut config: Config) -> Result<Parsed, Wrong> {
    Ok(Parsed {
        target: Target::parse(config.service(), Service::named(API.service))?,
        multiple: config.multiple_key_values_per_secret.unwrap_or(false),
    })
}

pub(crate) fn warnings(parsed: &Parsed) -> Vec<Wrong> {
    parsed.target.warnings()
}

pub(crate) async fn open(clients: Shared, parsed: Parsed, site: Site) -> Result<Arc<dyn Driver>> {
    Ok(Arc::new(Manager {
        store: Store::open(&API, &clients, &parsed.target, &site).await?,
        multiple: parsed.multiple,
    }))
}

struct Manager {
    store: Store,
    multiple: bool,
}

impl Manager {
    /// The secret in an answer; nothing where it is another one than was asked for.
    fn found(&self, name: &str, answer: &Json) -> Result<Option<Found>, &'static str> {
        let text = |field: &str| answer.get(field).and_then(Json::as_str);
        // A part of an ARN is not taken for a name.
        if ![text("Name"), text("ARN")].contains(&Some(name)) {
            return Ok(None);
        }
        let own = text("Name").unwrap_or(name);
        let odd = "no value of a secret";
        let values = match (text("SecretString"), text("SecretBinary")) {
            (Some(text), _) => self.values(own, text),
            (None, Some(bytes)) => {
                let bytes = STANDARD.decode(bytes).map_err(|_| odd)?;
                BTreeMap::from([(own.to_owned(), Value::new(bytes))])
            }
            (None, None) => return Err(odd),
        };
        Ok(Some(Found {
            values,
            version: text("VersionId").map(str::to_owned),
        }))
    }

    /// The values of a text; a JSON object of texts is several where the component says so.
    fn values(&self, name: &str, text: &str) -> BTreeMap<String, Value> {
        if self.multiple
            && let Ok(several) = serde_json::from_str::<BTreeMap<String, String>>(text)
        {
            let several = several.into_iter();
            return several.map(|(key, text)| (key, Value::new(text))).collect();
        }
        BTreeMap::from([(name.to_owned(), Value::new(text))])
    }
}

/// Returns whether the service may have a secret of this name; an ARN is one as well.
fn can_be(name: &str) -> bool {
    name.chars()
        .all(|c| c.is_ascii_alphanumeric() || "/_+=.@-:".contains(c))
}

/// The names of a page.
fn listed(page: &Json) -> Option<Vec<String>> {
    let listed = page.get("SecretList")?.as_array()?.iter();
    let names = listed.map(|one| one.get("Name")?.as_str().map(str::to_owned));
    names.collect()
}

#[async_trait]
impl Driver for Manager {
    fn features(&self) -> Features {
        Features {
            multiple_values: self.multiple,
            names: true,
        }
    }

    async fn get(&self, name: &str, metadata: &[(String, String)]) -> Result<Option<Found>> {
        if !can_be(name) {
            return Ok(None);
        }
        let about = format!("the secret `{name}`");
        let mut body = json!({ "SecretId": name });
        for (key, field) in [
            ("version_id", "VersionId"),
            ("version_stage", "VersionStage"),
        ] {
            let written = metadata.iter().find(|(known, _)| known == key);
            if let Some((_, value)) = written {
                body[field] = value.as_str().into();
            }
        }
        let answer = match self.store.ask("GetSecretValue", &body).await? {
            Ok(answer) => answer,
            Err(fault) if fault.code() == "ResourceNotFoundException" => return Ok(None),
            Err(fault) if fault.code() == "InvalidRequestException" => {
                let error = Error::unavailable(format!(
                    "{about} has no value now: it is marked for deletion, or has none yet"
                ));
                return Err(error.with_source(fault.of_read(&about).chain()));
            }
            Err(fault) => return Err(fault.of_read(&about)),
        };
        let found = self.found(name, &answer);
        found.map_err(|why| Fault::Odd(why.to_owned()).of_read(&about))
    }

    async fn names(&self) -> Result<Vec<String>> {
        self.store
            .names(&json!({ "MaxResults": 100 }), listed)
            .await
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
    fn names_that_cannot_be_are_not_asked_for() {
        assert!(can_be("prod/db.password") && can_be("arn:aws:secretsmanager:a:1:secret:b"));
        assert!(!can_be(" PASSWORD") && !can_be("a*") && !can_be("a\u{e9}"));
    }
}
