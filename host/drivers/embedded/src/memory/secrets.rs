//! Secrets that are written in the component itself: for tests and for trying things out.

use crate::shared::secrets::nested::{self, Misfit, Shape};
use async_trait::async_trait;
use serde::Deserialize;
use std::{collections::BTreeMap, path::Path, sync::Arc};
use wythe_blocks::{
    Error, Result, Site, Wrong,
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

pub(super) async fn open(memory: Memory, _: Site) -> Result<Arc<dyn Driver>> {
    Ok(Arc::new(memory))
}

pub(super) fn parse(config: Config) -> Result<Memory, Wrong> {
    let shape = Shape {
        separator: ":".into(),
        multi_valued: config.multi_valued,
    };
    let tree = parse_document(config.secrets.reveal(), Path::new(""));
    // Where it is malformed is told; what is written there is not.
    let wrong = |place: String, misfit: Misfit| {
        let message = format!("`secrets`{place}: {misfit}");
        Wrong::new("secrets", Error::invalid(message))
    };
    let tree = tree.map_err(|problem| match problem.line {
        0 => wrong(String::new(), Misfit::NoObject),
        line => {
            let place = format!(" line {line}, column {}", problem.column);
            wrong(place, Misfit::NoObject)
        }
    })?;
    let secrets = nested::secrets(&tree, &shape).map_err(|misfit| wrong(String::new(), misfit))?;
    Ok(Memory { secrets, shape })
}

pub(super) struct Memory {
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
