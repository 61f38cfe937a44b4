//! Commands about the host itself: how it is, who its tenants are, what runs, what was logged, and its end.

mod logs;
mod purge;
mod status;

pub use logs::{Line, Lines, Logs};
pub use status::{
    App, Breaker, Component, Failed, Problem, Quota, Running, Status, Subscription, Tenant, Unit,
};

use super::Answer as Answers;
use serde::{Deserialize, Serialize};
use std::{path::PathBuf, sync::Arc};
use tokio_util::sync::CancellationToken;
use wythe_blocks::{self as blocks, Error, Host, Result};
use wythe_manifest::Name;

/// The host that commands are for.
pub struct House {
    pub host: Arc<Host>,
    /// The directory of the tenants' data, each of which has one of its name there.
    pub data: PathBuf,
    /// Cancelled to stop the host.
    pub stop: CancellationToken,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    Logs(Logs),
    Ps {},
    Purge { tenant: String },
    Status {},
    Stop {},
    Tenants {},
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    Logs(Lines),
    /// Apps that have calls or instances now.
    Ps(Vec<Running>),
    Purged,
    Status(Status),
    Stopping,
    Tenants(Vec<Tenant>),
}

impl House {
    /// The tenant of a command; one that is not named is the only one.
    pub(super) fn tenant(&self, named: Option<&str>) -> Result<Arc<blocks::Tenant>> {
        let Some(named) = named else {
            return self.only_tenant();
        };
        let name: Option<Name> = named.parse().ok();
        let found = name.and_then(|name| self.host.tenant(&name));
        found.ok_or_else(|| {
            let (named, all) = (named.escape_debug(), list(&self.host.tenants()));
            Error::not_found(format!("this host has no tenant `{named}`; it has: {all}"))
        })
    }

    fn only_tenant(&self) -> Result<Arc<blocks::Tenant>> {
        match self.host.tenants().as_slice() {
            [only] => Ok(only.clone()),
            [] => Err(Error::not_found("this host has no tenant now")),
            all => Err(Error::invalid(format!(
                "say which tenant is meant by `--tenant`, one of: {}",
                list(all)
            ))),
        }
    }

    pub(super) async fn execute(&self, action: Action) -> Result<Answers> {
        let answer = match action {
            Action::Logs(logs) => Answer::Logs(logs.read(self).await?),
            Action::Ps {} => Answer::Ps(status::running(&self.host)),
            Action::Purge { tenant } => {
                let name: Result<Name, _> = tenant.parse();
                let name = name.map_err(|error| Error::invalid(error.to_string()))?;
                purge::purge(self, &name).await?;
                Answer::Purged
            }
            Action::Status {} => Answer::Status(status::of(&self.host).await),
            Action::Stop {} => {
                self.stop.cancel();
                Answer::Stopping
            }
            Action::Tenants {} => Answer::Tenants(status::tenants(self)),
        };
        Ok(Answers::Host(answer))
    }
}

/// The names of tenants, for an error.
fn list(tenants: &[Arc<blocks::Tenant>]) -> String {
    let names: Vec<_> = tenants.iter().map(|one| one.name().as_str()).collect();
    names.join(", ")
}
