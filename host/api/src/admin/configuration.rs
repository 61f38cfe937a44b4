//! The commands of the configuration block, as an operator gives them.

use serde::{Deserialize, Serialize};
use wythe_blocks::{Call, Result, Tenant, configuration::NewItem};

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Configuration {
    pub component: String,
    /// The app whose scopes apply.
    pub app: String,
    pub action: Action,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Action {
    /// Reads the items of the keys, or all items where there are no keys. With a version, only what is not of this
    /// version.
    Get {
        keys: Vec<String>,
        version: Option<String>,
    },
    Set {
        key: String,
        value: String,
    },
    Delete {
        keys: Vec<String>,
    },
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    Snapshot { items: Vec<Item>, version: String },
    Unchanged,
    Done,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    pub key: String,
    pub value: String,
    pub version: String,
    pub metadata: Vec<(String, String)>,
}

pub(super) async fn execute(
    tenant: &Tenant,
    caller: &Call,
    command: Configuration,
) -> Result<Answer> {
    let (block, component) = (&tenant.configuration, command.component.as_str());
    match command.action {
        Action::Get { keys, version } => {
            let known = version.unwrap_or_default();
            let changed = block.changed(caller, component, &keys, &known).await?;
            Ok(
                changed.map_or(Answer::Unchanged, |snapshot| Answer::Snapshot {
                    items: snapshot.items.into_iter().map(Into::into).collect(),
                    version: snapshot.version,
                }),
            )
        }
        Action::Set { key, value } => {
            let metadata = Vec::new();
            let item = NewItem {
                key,
                value,
                metadata,
            };
            block.set(caller, component, vec![item]).await?;
            Ok(Answer::Done)
        }
        Action::Delete { keys } => {
            block.delete(caller, component, keys).await?;
            Ok(Answer::Done)
        }
    }
}

impl From<wythe_blocks::configuration::Item> for Item {
    fn from(item: wythe_blocks::configuration::Item) -> Self {
        Item {
            key: item.key,
            value: item.value,
            version: item.version,
            metadata: item.metadata,
        }
    }
}
