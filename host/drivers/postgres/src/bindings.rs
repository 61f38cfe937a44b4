//! SQL of apps: a statement and its parameters, which never meet in one text.
//!
//! Its connections are its own: what an app may leave in one (a transaction, a role, a setting) is wiped away before another
//! call has it.

mod answer;
mod json;
mod param;

use crate::{
    client::Client,
    fault::{Fault, class},
    held::Held,
    settings::{Settings, config},
};
use async_trait::async_trait;
use param::Param;
use std::{sync::Arc, time::Duration};
use wythe_blocks::{
    Error, Result, Site, Wrong,
    bindings::{Database, Driver, Rows, Sql},
};

config! {
    struct Config {}
}

pub(super) fn parse(config: Config) -> Result<Settings, Wrong> {
    let settings = config.server()?;
    Ok(Settings {
        is_of_apps: true,
        ..settings
    })
}

pub(super) fn warnings(settings: &Settings) -> Vec<Wrong> {
    settings.warnings()
}

pub(super) async fn open(settings: Settings, site: Site) -> Result<Arc<dyn Driver>> {
    let (timeout, connections) = (settings.timeout, settings.connections);
    let client = Client::open(settings, &site).await?;
    Ok(Arc::new(Sql(Server {
        held: Held::new(client),
        timeout,
        connections,
    })))
}

struct Server {
    held: Held,
    timeout: Duration,
    connections: u32,
}

/// The error of a statement of an app, which reads what is wrong with it.
fn refused(fault: Fault) -> Error {
    let said = match &fault {
        Fault::Refused { code, said } if ["22", "23", "42"].contains(&class(code)) => {
            Some(format!(
                "the database refused the statement: {said} ({})",
                code.code()
            ))
        }
        _ => None,
    };
    match said {
        Some(text) => Error::invalid(text),
        None => fault.of_write(),
    }
}

#[async_trait]
impl Database for Server {
    type Param = Param;

    fn connections(&self) -> u32 {
        self.connections
    }

    fn timeout(&self) -> Duration {
        self.timeout
    }

    fn check(&self) -> Result<()> {
        self.held.client().map(drop)
    }

    async fn exec(&self, sql: &str, params: &[Param], _: usize) -> Result<u64> {
        let lent = self.held.lend().await?;
        let changed = lent.of_app(async |client| {
            let statement = client.prepare(sql).await?;
            Ok(client.execute_raw(&statement, params).await?)
        });
        changed.await.map_err(refused)
    }

    async fn query(&self, sql: &str, params: &[Param], rows: &mut Rows<'_>) -> Result<()> {
        let lent = self.held.lend().await?;
        let read = lent.of_app(async |client| answer::read(client, sql, params, rows).await);
        read.await.map_err(refused)?
    }

    fn describe(&self) -> Option<String> {
        self.held.describe()
    }

    async fn health(&self) -> Result<()> {
        self.held.health().await
    }

    fn close(&self) {
        self.held.close();
    }
}
