//! SQL of apps: a statement and its parameters, which never meet in one text.
//!
//! Its connections are its own: what an app may leave in one (a transaction, a variable, a lock) is wiped away before another
//! call has it.

mod json;

use crate::{
    client::Client,
    connection::Receiver,
    fault::{Fault, NOT_PREPARED},
    held::Held,
    rows::{Column, Row, Value},
    settings::{Settings, Written},
};
use async_trait::async_trait;
use serde::Deserialize;
use std::{sync::Arc, time::Duration};
use wythe_blocks::{
    Error, Result, Site, Wrong,
    bindings::{Database, Driver, Rows, Sql},
};
use wythe_manifest::{Duration as Time, Secret};

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Config {
    /// The server, as `user:password@tcp(host:port)/database`.
    url: Secret,
    /// The file of the authorities that sign; default those of the web.
    pem_path: Option<String>,
    /// Connections at once; default 8.
    max_open_conns: Option<u32>,
    /// Connections that wait for work, which are as many as there are at once.
    max_idle_conns: Option<u32>,
    /// Time after which a connection is not used again; default never.
    conn_max_lifetime: Option<Time>,
    /// Time without work after which a connection is not used again.
    conn_max_idle_time: Option<Time>,
}

pub(super) fn parse(config: Config) -> Result<Settings, Wrong> {
    let settings = Settings::parse(Written {
        setting: "url",
        text: &config.url,
        pem_path: config.pem_path,
        pem_contents: None,
        // Of those that wait none is more than those at once.
        connections: config.max_open_conns.or(config.max_idle_conns),
        seconds: None,
    })?;
    let times = [config.conn_max_lifetime, config.conn_max_idle_time];
    let times = times.into_iter().flatten().map(Duration::from);
    Ok(Settings {
        // A connection that is old enough was without work for no longer.
        lifetime: times.filter(|time| !time.is_zero()).min(),
        is_of_apps: true,
        ..settings
    })
}

pub(super) fn warnings(settings: &Settings) -> Vec<Wrong> {
    settings.warnings("url")
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
    match fault {
        Fault::Refused { code, state, said }
            if ["21", "22", "23", "42", "45"]
                .iter()
                .any(|class| state.starts_with(class)) =>
        {
            Error::invalid(format!(
                "the database refused the statement: {said} ({code})"
            ))
        }
        Fault::Beyond => Error::exhausted(
            "the rows have more bytes than the answer may have; ask for fewer, or see `maxDataBytes`",
        ),
        fault => fault.of_write(),
    }
}

impl Server {
    /// Runs a statement; the number of rows that it has changed.
    async fn run(
        &self,
        sql: &str,
        params: &[serde_json::Value],
        mut receiver: Receiver<'_>,
    ) -> Result<u64> {
        let texts: Vec<_> = params.iter().map(json::param).collect();
        let values: Vec<Value<'_>> = texts.iter().map(json::Param::value).collect();
        let client = self.held.client()?;
        let mut lent = client.lend().await?;
        let answer = lent.ask(async |connection| {
            match connection.execute_once(sql, &values, &mut receiver).await {
                // Some orders are taken without preparation alone.
                Err(fault) if fault.code() == Some(NOT_PREPARED) && values.is_empty() => {
                    connection.query(sql, &mut receiver).await
                }
                answer => answer,
            }
        });
        let answer = answer.await;
        client.wipe(lent).await;
        answer.map_err(refused)
    }
}

#[async_trait]
impl Database for Server {
    type Param = serde_json::Value;

    fn connections(&self) -> u32 {
        self.connections
    }

    fn timeout(&self) -> Duration {
        self.timeout
    }

    fn check(&self) -> Result<()> {
        self.held.client().map(drop)
    }

    async fn exec(&self, sql: &str, params: &[serde_json::Value], limit: usize) -> Result<u64> {
        let receiver = Receiver {
            bytes: limit,
            take: &mut |_, _, _| {},
        };
        self.run(sql, params, receiver).await
    }

    async fn query(
        &self,
        sql: &str,
        params: &[serde_json::Value],
        rows: &mut Rows<'_>,
    ) -> Result<()> {
        let (mut wanted, mut added) = (None, Ok(()));
        let receiver = Receiver {
            bytes: rows.max_bytes(),
            take: &mut |columns: &[Column], row: Row, bytes| {
                // The rest is read, so that the connection can be used again.
                if added.is_ok() {
                    let wanted = wanted.get_or_insert_with(|| json::wanted(columns));
                    added = rows.add(bytes, |text| json::write(columns, wanted, &row, text));
                }
            },
        };
        self.run(sql, params, receiver).await?;
        added
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
