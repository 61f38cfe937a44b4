//! A secret store that is a plugin.

use super::plugged::{Effect, Plugged, world};
use crate::bindings::plugin::exports::wythe::plugin::secrets_driver as wit;
use async_trait::async_trait;
use std::{collections::BTreeMap, sync::Arc};
use wythe_blocks::{
    Result,
    secrets::{Driver, Features, Found, MAX_NAME, Value},
};

/// Values of one secret.
const MAX_VALUES: usize = 1_000;
/// Bytes of a version.
const MAX_VERSION: usize = 256;

world! { SecretsWorld: secrets_driver, "wythe:plugin/secrets-plugin@0.1.0" }

struct SecretsDriver {
    plugged: Arc<Plugged<SecretsWorld>>,
    features: Features,
}

pub async fn open(plugged: Arc<Plugged<SecretsWorld>>) -> Result<Arc<dyn Driver>> {
    let features = plugged
        .run(Effect::Reads, |driver, store, _| {
            Box::pin(async move { Ok(driver.call_describe(store).await?) })
        })
        .await?;
    Ok(Arc::new(SecretsDriver {
        plugged,
        features: Features {
            multiple_values: features.multiple_values,
            names: features.names,
        },
    }))
}

impl SecretsDriver {
    fn found(&self, found: wit::Found) -> Result<Found> {
        let count = found.values.len();
        let violation = |what: &str| Err(self.plugged.violation(what));
        if count == 0 || count > MAX_VALUES {
            return violation("answered with a secret of no values, or of more than 1000");
        }
        if count > 1 && !self.features.multiple_values {
            return violation("answered with several values, which its features deny");
        }
        if found
            .version
            .as_ref()
            .is_some_and(|v| v.len() > MAX_VERSION)
        {
            return violation("answered with a version longer than 256 bytes");
        }
        let values = found.values.into_iter();
        let values: BTreeMap<_, _> = values
            .map(|(name, value)| (name, Value::new(value)))
            .collect();
        if values.len() != count {
            return violation("answered with two values of one name");
        }
        Ok(Found {
            values,
            version: found.version,
        })
    }
}

#[async_trait]
impl Driver for SecretsDriver {
    fn features(&self) -> Features {
        self.features
    }

    async fn get(&self, name: &str, metadata: &[(String, String)]) -> Result<Option<Found>> {
        let (name, metadata) = (name.to_owned(), metadata.to_vec());
        let answer = self
            .plugged
            .run(Effect::Reads, move |driver, store, _| {
                Box::pin(async move { Ok(driver.call_get(store, &name, &metadata).await??) })
            })
            .await?;
        answer.map(|found| self.found(found)).transpose()
    }

    async fn names(&self) -> Result<Vec<String>> {
        let names = self
            .plugged
            .run(Effect::Reads, |driver, store, _| {
                Box::pin(async move { Ok(driver.call_names(store).await??) })
            })
            .await?;
        let good = |name: &String| (1..=MAX_NAME).contains(&name.len());
        if !names.iter().all(good) || !names.is_sorted_by(|a, b| a < b) {
            let what = "answered with names that are out of order, twice, empty or too long";
            return Err(self.plugged.violation(what));
        }
        Ok(names)
    }
}
