//! SQL of apps: a statement and its parameters, which never meet in one text.
//!
//! Its connections are its own: what an app may leave in one (a transaction, a variable, a lock) is wiped away before another
//! call has it.

mod json;

use crate::{
    client::Client,
    connection::{Answer, Bounds},
    fault::{Fault, NOT_PREPARED},
    held::Held,
    rows::Value,
    settings::{Settings, Written},
};
use async_trait::async_trait;
use bytes::Bytes;
use chrono::{SecondsFormat, Utc};
use serde::Deserialize;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use wythe_blocks::{
    Error, Permit, Result, Site, Wrong,
    bindings::{Driver, Features, Outcome, Request, statement},
};
use wythe_manifest::{Duration as Time, Secret};

const OPERATIONS: [&str; 3] = ["close", "exec", "query"];
/// Time that the block waits beyond the technology's own limit, so that the latter speaks first.
const PATIENCE: Duration = Duration::from_secs(2);

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
    Ok(Arc::new(Sql {
        held: Held::new(client),
        timeout,
        connections,
    }))
}

struct Sql {
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

impl Sql {
    /// Runs a statement. Its rows are held in the app's account as they come.
    async fn run(
        &self,
        request: &Request<'_>,
        sql: &str,
        params: &[serde_json::Value],
        held: &mut Vec<Option<Permit>>,
    ) -> Result<Answer> {
        let texts: Vec<_> = params.iter().map(json::param).collect();
        let values: Vec<Value<'_>> = texts.iter().map(json::Param::value).collect();
        let client = self.held.client()?;
        let mut lent = client.lend().await?;
        let account = request.account;
        let mut admit = |bytes: usize| {
            held.push(account.map(|account| account.take(bytes)).transpose()?);
            Ok(())
        };
        let mut bounds = Bounds {
            bytes: usize::try_from(request.max_bytes).unwrap_or(usize::MAX),
            admit: &mut admit,
        };
        let answer = lent.ask(async |connection| {
            match connection.execute_once(sql, &values, &mut bounds).await {
                // Some orders are taken without preparation alone.
                Err(fault) if fault.code() == Some(NOT_PREPARED) && values.is_empty() => {
                    connection.query(sql, &mut bounds).await
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
impl Driver for Sql {
    fn features(&self) -> Features {
        Features {
            operations: OPERATIONS.map(String::from).into(),
            ..Features::default()
        }
    }

    fn permits(&self) -> Option<usize> {
        Some(self.connections as usize)
    }

    fn patience(&self) -> Option<Duration> {
        Some(self.timeout.saturating_add(PATIENCE))
    }

    async fn invoke(&self, request: Request<'_>) -> Result<Outcome> {
        if request.operation == "close" {
            // The connections are all apps' together, and close by themselves.
            return self.held.client().map(|_| Outcome::default());
        }
        let (sql, params) = statement::<serde_json::Value>(&request)?;
        let (start, begin) = (Utc::now(), Instant::now());
        let stamp = |time: chrono::DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::Nanos, true);
        let mut metadata = vec![
            ("operation".to_owned(), request.operation.to_owned()),
            ("sql".to_owned(), sql.to_owned()),
            ("start-time".to_owned(), stamp(start)),
        ];
        let mut held = Vec::new();
        let answer = self.run(&request, sql, &params, &mut held).await?;
        let mut data = Bytes::new();
        if request.operation == "exec" {
            metadata.push(("rows-affected".to_owned(), answer.affected.to_string()));
        } else {
            data = json::rows(&request, &answer)?;
        }
        metadata.push(("end-time".to_owned(), stamp(Utc::now())));
        metadata.push(("duration".to_owned(), format!("{:?}", begin.elapsed())));
        Ok(Outcome { data, metadata })
    }

    fn describe(&self) -> Option<String> {
        self.held.describe()
    }

    async fn health(&self) -> Result<()> {
        self.held.health().await
    }

    async fn close(&self) -> Result<()> {
        self.held.close();
        Ok(())
    }
}
