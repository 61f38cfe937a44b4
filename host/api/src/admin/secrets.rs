//! Secrets as an operator asks for them: by name, and never for what is in them.

use super::Answer;
use serde::{Deserialize, Serialize};
use wythe_blocks::{Call, Result, Tenant};

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Secrets {
    pub store: String,
    /// The app whose scopes apply.
    pub app: String,
    pub action: Action,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Action {
    List,
}

pub(super) async fn execute(tenant: &Tenant, caller: &Call, command: Secrets) -> Result<Answer> {
    match command.action {
        Action::List => {
            let names = tenant.secrets.names(caller, &command.store).await?;
            Ok(Answer::Names { names })
        }
    }
}
