//! Commands about the host itself: how it is, who its tenants are, what runs, what was logged, and its end.

mod logs;
mod purge;
mod status;

pub use logs::{Line, Lines, Logs};
pub use status::{
    App, Breaker, Component, Failed, Problem, Quota, Running, Status, Subscription, Tenant, Unit,
};

use super::{Answer as Answers, Command, process};
use serde::{Deserialize, Serialize};
use std::{path::PathBuf, sync::Arc};
use tokio_util::sync::CancellationToken;
use wythe_blocks::{self as blocks, Error, Host, Process, Result};
use wythe_manifest::Name;

/// The tenant of a command, where it runs.
pub(super) enum Whose {
    Here(Arc<blocks::Tenant>),
    There(Arc<Process>),
}

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
    pub(super) fn whose(&self, named: Option<&str>) -> Result<Whose> {
        let Some(named) = named else {
            return self.only_tenant();
        };
        let name: Option<Name> = named.parse().ok();
        let found = name.and_then(|name| {
            let there = self.host.process(&name).map(Whose::There);
            there.or_else(|| self.host.tenant(&name).map(Whose::Here))
        });
        found.ok_or_else(|| {
            let (named, all) = (named.escape_debug(), self.names().join(", "));
            Error::not_found(format!("this host has no tenant `{named}`; it has: {all}"))
        })
    }

    fn only_tenant(&self) -> Result<Whose> {
        let (tenants, processes) = (self.host.tenants(), self.host.processes());
        match (tenants.as_slice(), processes.as_slice()) {
            ([only], []) => Ok(Whose::Here(only.clone())),
            ([], [only]) => Ok(Whose::There(only.clone())),
            ([], []) => Err(Error::not_found("this host has no tenant now")),
            _ => Err(Error::invalid(format!(
                "say which tenant is meant by `--tenant`, one of: {}",
                self.names().join(", ")
            ))),
        }
    }

    /// The names of all tenants, in their order.
    fn names(&self) -> Vec<String> {
        let (here, there) = (self.host.tenants(), self.host.processes());
        let here = here.iter().map(|tenant| tenant.name().to_string());
        let there = there.iter().map(|process| process.tenant().to_string());
        let mut names: Vec<_> = here.chain(there).collect();
        names.sort();
        names
    }

    pub(super) async fn execute(&self, action: Action) -> Result<Answers> {
        let answer = match action {
            Action::Logs(logs) => return self.logs(logs).await,
            Action::Ps {} => Answer::Ps(status::running(&self.host).await),
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
            Action::Tenants {} => Answer::Tenants(self.tenants().await),
        };
        Ok(Answers::Host(answer))
    }

    /// Every tenant that is served, and every one of which data is stored.
    pub async fn tenants(&self) -> Vec<Tenant> {
        status::tenants(self).await
    }

    async fn logs(&self, logs: Logs) -> Result<Answers> {
        match self.whose(logs.tenant.as_deref())? {
            Whose::Here(tenant) => {
                let lines = logs.read(self, &tenant).await?;
                Ok(Answers::Host(Answer::Logs(lines)))
            }
            Whose::There(process) => {
                let command = Command::Host(Action::Logs(logs));
                process::ask(&process, &command).await
            }
        }
    }
}
