//! The commands of the lock block, as an operator gives them: who has a lock, and that nobody has it.

use super::Answer;
use serde::{Deserialize, Serialize};
use wythe_blocks::{Call, Result, Tenant, lock, time::timestamp};

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    pub component: String,
    pub name: String,
    /// The app whose lock it is.
    pub app: String,
    pub action: Action,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Action {
    Holder,
    Release,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Grant {
    pub owner: String,
    pub token: u64,
    /// Milliseconds since 1970.
    pub expires: u64,
}

pub(super) async fn execute(tenant: &Tenant, caller: &Call, command: Lock) -> Result<Answer> {
    let Lock {
        component, name, ..
    } = &command;
    let grant = match command.action {
        Action::Holder => tenant.lock.holder(caller, component, name).await?,
        Action::Release => tenant.lock.free(caller, component, name).await?,
    };
    let grant = grant.map(Into::into);
    Ok(Answer::Grant { grant })
}

impl From<lock::Grant> for Grant {
    fn from(grant: lock::Grant) -> Self {
        Grant {
            owner: grant.owner,
            token: grant.token,
            expires: timestamp(grant.expires),
        }
    }
}
