//! Secrets that are written in the component itself: for tests and for trying things out.

use crate::nested::{self, Shape};
use async_trait::async_trait;
use serde::Deserialize;
use std::{collections::BTreeMap, path::Path, sync::Arc};
use wythe_blocks::{
    Error, Result, Site,
    secrets::{Driver, Features, Found},
};
use wythe_manifest::{Secret, parse_document};

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Config {
    /// A JSON object, each name with its value.
    secrets: Secret,
    /// Nested objects are secrets of several values; default false.
    #[serde(default)]
    multi_valued: bool,
}

pub(super) async fn open(config: Config, _: Site) -> Result<Arc<dyn Driver>> {
    let shape = Shape {
        separator: ":".into(),
        multi_valued: config.multi_valued,
    };
    let tree = parse_document(config.secrets.reveal(), Path::new(""));
    // Where it is malformed is told; what is written there is not.
    let malformed = |place: String| {
        Error::invalid(format!(
            "`secrets`{place}: expected a JSON object of secrets"
        ))
    };
    let tree = tree.map_err(|problem| match problem.line {
        0 => malformed(String::new()),
        line => malformed(format!(" line {line}, column {}", problem.column)),
    })?;
    let secrets = nested::secrets(&tree, &shape).ok_or_else(|| malformed(String::new()))?;
    Ok(Arc::new(Memory { secrets, shape }))
}

struct Memory {
    secrets: BTreeMap<String, Found>,
    shape: Shape,
}

#[async_trait]
impl Driver for Memory {
    fn features(&self) -> Features {
        Features {
            multiple_values: self.shape.multi_valued,
            names: true,
        }
    }

    async fn get(&self, name: &str, _: &[(String, String)]) -> Result<Option<Found>> {
        Ok(self.secrets.get(name).cloned())
    }

    async fn names(&self) -> Result<Vec<String>> {
        Ok(self.secrets.keys().cloned().collect())
    }
}
