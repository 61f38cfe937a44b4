//! The commands of the bindings block, as an operator gives them: one operation, or which there are.

use super::{Answer, Binary};
use serde::{Deserialize, Serialize};
use wythe_blocks::{Call, Result, Tenant};

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bindings {
    pub component: String,
    /// The app whose scopes apply.
    pub app: String,
    pub action: Action,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Action {
    Invoke {
        operation: String,
        data: Binary,
        metadata: Vec<(String, String)>,
    },
    Operations,
}

pub(super) async fn execute(tenant: &Tenant, caller: &Call, command: Bindings) -> Result<Answer> {
    let (bindings, component) = (&tenant.bindings, &command.component);
    Ok(match command.action {
        Action::Invoke {
            operation,
            data,
            metadata,
        } => {
            let data = data.0.into();
            let outcome = bindings.invoke(caller, component, &operation, data, metadata);
            let outcome = outcome.await?;
            Answer::Outcome {
                data: Binary(outcome.data.into()),
                metadata: outcome.metadata,
            }
        }
        Action::Operations => Answer::Names {
            names: bindings.operations(caller, component)?,
        },
    })
}
