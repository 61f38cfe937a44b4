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
use answer::Answer;
use async_trait::async_trait;
use bytes::Bytes;
use chrono::{SecondsFormat, Utc};
use param::Param;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use wythe_blocks::{
    Error, Result, Site, Wrong,
    bindings::{Driver, Features, Outcome, Request, statement},
};

const OPERATIONS: [&str; 3] = ["close", "exec", "query"];
/// Time that the block waits beyond the technology's own limit, so that the latter speaks first.
const GRACE: Duration = Duration::from_secs(2);

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
        Some(self.timeout.saturating_add(GRACE))
    }

    async fn invoke(&self, request: Request<'_>) -> Result<Outcome> {
        if request.operation == "close" {
            // The connections are all apps' together, and close by themselves.
            return self.held.client().map(|_| Outcome::default());
        }
        let (sql, params) = statement::<Param>(&request)?;
        let lent = self.held.lend().await?;
        let (start, begin) = (Utc::now(), Instant::now());
        let stamp = |time: chrono::DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::Nanos, true);
        let mut metadata = vec![
            ("operation".to_owned(), request.operation.to_owned()),
            ("sql".to_owned(), sql.to_owned()),
            ("start-time".to_owned(), stamp(start)),
        ];
        let mut data = Bytes::new();
        if request.operation == "exec" {
            let changed = lent.of_app(async |client| {
                let statement = client.prepare(sql).await?;
                Ok(client.execute_raw(&statement, &params).await?)
            });
            let changed = changed.await.map_err(refused)?;
            metadata.push(("rows-affected".to_owned(), changed.to_string()));
        } else {
            let mut answer = Answer::new(&request);
            lent.of_app(async |client| answer.read(client, sql, &params).await)
                .await
                .map_err(refused)?;
            data = answer.finish()?;
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
