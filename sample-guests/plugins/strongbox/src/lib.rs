//! A secret store whose secrets are its component's metadata: each name with its value, and those of a JSON object in
//! `secrets`, whose names may differ in case alone.
//!
//! A name with a dot is one value of several: `database.user` and `database.password` make the secret `database`. An empty
//! strongbox does not start. What is asked for as `!trap` or `!fail` fails so, which shows that a store in trouble keeps
//! its secrets to itself.
use std::collections::BTreeMap;

use wythe_sdk::plugin::secrets::{Features, Found, SecretsDriver};
use wythe_sdk::plugin::{Metadata, Plugin};
use wythe_sdk::{Error, Result};

struct Strongbox {
    secrets: BTreeMap<String, Vec<(String, Vec<u8>)>>,
}

impl Plugin for Strongbox {
    fn init(component: &str, metadata: Metadata) -> Result<Self> {
        let mut secrets = BTreeMap::<_, Vec<_>>::new();
        let mut put = |name: &str, value: &str| {
            let (secret, key) = name.split_once('.').unwrap_or((name, name));
            let values = secrets.entry(secret.to_owned()).or_default();
            values.push((key.to_owned(), value.as_bytes().to_vec()));
        };
        for name in metadata.names().filter(|name| *name != "secrets") {
            put(name, metadata.get(name).unwrap_or_default());
        }
        if let Some(json) = metadata.get("secrets") {
            let more: BTreeMap<String, String> = serde_json::from_str(json)
                .map_err(|_| Error::invalid("`secrets` is no JSON object of texts"))?;
            more.iter().for_each(|(name, value)| put(name, value));
        }
        if secrets.is_empty() {
            return Err(Error::invalid(format!("`{component}` has no secrets")));
        }
        Ok(Self { secrets })
    }
}

impl SecretsDriver for Strongbox {
    fn describe(&self) -> Features {
        Features {
            multiple_values: true,
            names: true,
        }
    }

    fn get(&mut self, name: &str, _: Metadata) -> Result<Option<Found>> {
        match name {
            "!trap" => panic!("trapped, as asked"),
            "!fail" => return Err(Error::unavailable("the strongbox is stuck, as asked")),
            _ => {}
        }
        Ok(self.secrets.get(name).map(|values| Found {
            values: values.clone(),
            version: None,
        }))
    }

    fn names(&mut self) -> Result<Vec<String>> {
        Ok(self.secrets.keys().cloned().collect())
    }
}

wythe_sdk::secrets_plugin!(Strongbox);
