//! The driver of a database that runs SQL of apps: the operations are those of Dapr, and so is what it says of each.

use super::{Rows, statement};
use crate::{
    Result,
    bindings::{Driver, Features, Outcome, Request},
};
use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, Utc};
use serde::de::DeserializeOwned;
use std::time::{Duration, Instant};

const OPERATIONS: [&str; 3] = ["close", "exec", "query"];
/// Time that the block waits beyond the technology's own limit, so that the latter speaks first.
const GRACE: Duration = Duration::from_secs(2);

/// A database, which runs one statement at a time of each app.
#[async_trait]
pub trait Database: Send + Sync + 'static {
    /// A parameter of a statement.
    type Param: DeserializeOwned + Send + Sync;

    /// Statements at once.
    fn connections(&self) -> u32;

    /// Time of one statement.
    fn timeout(&self) -> Duration;

    /// An error once it is closed.
    fn check(&self) -> Result<()>;

    /// Runs a statement; the number of rows that it has changed. `limit` is that of the bytes of rows that come all the same,
    /// for a database that has to read them.
    async fn exec(&self, sql: &str, params: &[Self::Param], limit: usize) -> Result<u64>;

    /// Runs a statement, and adds its rows.
    async fn query(&self, sql: &str, params: &[Self::Param], rows: &mut Rows<'_>) -> Result<()>;

    fn describe(&self) -> Option<String>;

    async fn health(&self) -> Result<()>;

    fn close(&self);
}

/// The driver of a database.
pub struct Sql<D>(pub D);

#[async_trait]
impl<D: Database> Driver for Sql<D> {
    fn features(&self) -> Features {
        Features {
            operations: OPERATIONS.map(String::from).into(),
            ..Features::default()
        }
    }

    fn permits(&self) -> Option<usize> {
        Some(self.0.connections() as usize)
    }

    fn patience(&self) -> Option<Duration> {
        Some(self.0.timeout().saturating_add(GRACE))
    }

    async fn invoke(&self, request: Request<'_>) -> Result<Outcome> {
        if request.operation == "close" {
            // The connections are all apps' together, and close by themselves.
            return self.0.check().map(|()| Outcome::default());
        }
        let (sql, params) = statement::<D::Param>(&request)?;
        let (start, begin) = (Utc::now(), Instant::now());
        let stamp = |time: DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::Nanos, true);
        let mut metadata = vec![
            ("operation".to_owned(), request.operation.to_owned()),
            ("sql".to_owned(), sql.to_owned()),
            ("start-time".to_owned(), stamp(start)),
        ];
        let mut rows = Rows::new(&request);
        let data = if request.operation == "exec" {
            let changed = self.0.exec(sql, &params, rows.max_bytes()).await?;
            metadata.push(("rows-affected".to_owned(), changed.to_string()));
            Bytes::new()
        } else {
            self.0.query(sql, &params, &mut rows).await?;
            rows.close()
        };
        metadata.push(("end-time".to_owned(), stamp(Utc::now())));
        metadata.push(("duration".to_owned(), format!("{:?}", begin.elapsed())));
        Ok(Outcome { data, metadata })
    }

    fn describe(&self) -> Option<String> {
        self.0.describe()
    }

    async fn health(&self) -> Result<()> {
        self.0.health().await
    }

    async fn close(&self) -> Result<()> {
        self.0.close();
        Ok(())
    }
}
