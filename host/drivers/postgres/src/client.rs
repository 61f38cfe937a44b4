//! The connections of a tenant to one server, which its components share, and what is asked by one of them.

mod transaction;

use crate::{
    connect::{Connection, Promises, Way},
    fault::Fault,
    settings::Settings,
};
use bytes::Bytes;
use deadpool::managed::{self, Object, Pool, PoolError, RecycleError, RecycleResult, Timeouts};
use futures::TryStreamExt as _;
use std::{
    pin::pin,
    sync::{
        Arc, LazyLock, OnceLock,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};
use tokio::time::timeout;
use tokio_postgres::{
    Row,
    types::{FromSql, ToSql},
};
use wythe_blocks::{Backoff, Clients, Error, Gate, Result, Site};

/// Pauses between connections that fail, for all who want one together.
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(2));
/// Time for the server to say that its time is over.
const GRACE: Duration = Duration::from_millis(500);
/// Bytes of all rows of an answer.
const ANSWER: usize = 64 << 20;
/// Bytes of a file of authorities.
const ROOTS: u64 = 1 << 20;

/// A value of a statement.
pub(super) type Value<'a> = &'a (dyn ToSql + Sync);

/// Connections of a tenant to a server.
pub(super) struct Client(Pool<Maker>);

/// The settings of a connection, and the text of the authorities' file, which may be another one under the same path.
type Connects = (Settings, Option<Vec<u8>>);

/// The clients that some component has open.
static CLIENTS: LazyLock<Clients<Connects, Client>> = LazyLock::new(Clients::default);

impl Client {
    /// The client of the tenant for a server, once the server was seen.
    pub async fn open(settings: Settings, site: &Site) -> Result<Arc<Self>> {
        let client = Client::shared(settings, site)?;
        client.lend().await?;
        Ok(client)
    }

    fn shared(settings: Settings, site: &Site) -> Result<Arc<Self>> {
        let roots = roots(&settings, site)?;
        let way = Way::new(settings.clone(), roots.as_deref())?;
        Ok(CLIENTS.share(&site.tenant, (settings, roots), || Client::new(way)))
    }

    fn new(way: Way) -> Self {
        let connections = way.settings.connections as usize;
        let maker = Maker {
            way,
            gate: Gate::new(BACKOFF),
            promised: OnceLock::new(),
        };
        let pool = Pool::builder(maker).max_size(connections);
        let pool = pool.runtime(deadpool::Runtime::Tokio1).build();
        Client(pool.expect("a runtime is all that a pool may lack"))
    }

    /// Promises of the first connection; none of a later one promises less.
    pub fn promises(&self) -> Promises {
        let promised = self.0.manager().promised.get();
        promised.cloned().unwrap_or_default()
    }

    pub fn way(&self) -> &Way {
        &self.0.manager().way
    }

    /// One line about the server, for people.
    pub fn describe(&self) -> String {
        let settings = &self.way().settings;
        let version = self.promises().version;
        format!("PostgreSQL {version} at {}", settings.shown())
    }

    /// A connection for one piece of work, once one is free.
    pub async fn lend(&self) -> Result<Lent> {
        lend(&self.0).await
    }

    /// An error while no connection can be had. One that waits is proof enough, and so is one that is in use.
    pub async fn health(&self) -> Result<()> {
        let status = self.0.status();
        match status.available == 0 && status.size == status.max_size {
            true => Ok(()),
            false => self.lend().await.map(drop),
        }
    }
}

fn roots(settings: &Settings, site: &Site) -> Result<Option<Vec<u8>>> {
    let Some(path) = &settings.roots else {
        return Ok(None);
    };
    let unread = |why: String| Error::invalid(format!("`sslRootCert` cannot be read: {why}"));
    let file = site.place(path)?.open();
    let file = file.map_err(|error| unread(error.to_string()))?;
    let bytes = file.read(ROOTS);
    bytes.map(Some).map_err(|error| unread(error.to_string()))
}

async fn lend(pool: &Pool<Maker>) -> Result<Lent> {
    let way = &pool.manager().way;
    let limit = way.settings.timeout;
    let times = Timeouts {
        wait: Some(limit),
        ..Timeouts::default()
    };
    let object = pool
        .timeout_get(&times)
        .await
        .map_err(|error| match error {
            PoolError::Backend(error) => error,
            PoolError::Timeout(_) => Error::exhausted(format!(
                "no connection to the database was free within {limit:?}; see `maxConns`"
            )),
            PoolError::Closed => Error::unavailable("the store is closed"),
            error => Error::internal("no connection").with_source(error.to_string()),
        })?;
    Ok(Lent {
        object: Some(object),
        outstanding: AtomicU32::new(0),
        is_open: AtomicBool::new(false),
        is_broken: AtomicBool::new(false),
        limit,
        wipe: match way.settings.is_of_apps {
            true => way.wipe(),
            false => String::new(),
        },
    })
}

/// The way to new connections, which those who want one take together.
struct Maker {
    way: Way,
    gate: Gate,
    /// Promises of the first connection, which the components' features rest on.
    promised: OnceLock<Promises>,
}

impl managed::Manager for Maker {
    type Type = Connection;
    type Error = Error;

    async fn create(&self) -> Result<Connection> {
        let attempt = async { self.checked(self.way.connect(None).await?) };
        self.gate.pass(attempt).await
    }

    async fn recycle(
        &self,
        connection: &mut Connection,
        _: &managed::Metrics,
    ) -> RecycleResult<Error> {
        match connection.client.is_closed() {
            true => Err(RecycleError::message("the connection is closed")),
            false => Ok(()),
        }
    }
}

impl Maker {
    /// Refuses a server that promises less than the one before, on which the features rest.
    fn checked(&self, connection: Connection) -> Result<Connection> {
        let first = self.promised.get_or_init(|| connection.promises.clone());
        let is_less = first.is_durable() && !connection.promises.is_durable();
        match is_less {
            false => Ok(connection),
            true => Err(Error::unavailable(
                "the database does not keep what it acknowledges any more: its `fsync` or `synchronous_commit` was turned off; \
                 turn it on again, or start the host again",
            )),
        }
    }
}

/// A connection that one piece of work has. It goes back when that is over, unless it was left in the middle.
pub(super) struct Lent {
    object: Option<Object<Maker>>,
    /// Statements without an answer yet.
    outstanding: AtomicU32,
    /// True in a transaction.
    is_open: AtomicBool,
    is_broken: AtomicBool,
    limit: Duration,
    /// Orders that take away what an app left; empty where no app says anything.
    wipe: String,
}

impl Drop for Lent {
    fn drop(&mut self) {
        let is_left = *self.outstanding.get_mut() > 0 || *self.is_open.get_mut();
        if (is_left || *self.is_broken.get_mut())
            && let Some(object) = self.object.take()
        {
            drop(Object::take(object));
        }
    }
}

impl Lent {
    fn connection(&self) -> &Connection {
        self.object.as_deref().expect("it is taken by drop alone")
    }

    /// Waits for an answer within the time of a statement.
    async fn answer<T>(&self, asked: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
        self.outstanding.fetch_add(1, Ordering::Relaxed);
        // The server has its own limit, and speaks first if it can.
        let answer = timeout(self.limit + GRACE, asked).await;
        let answer = answer.unwrap_or(Err(Fault::Late(self.limit)));
        match &answer {
            Err(fault) if fault.ends_connection() => self.is_broken.store(true, Ordering::Relaxed),
            _ => {}
        }
        self.outstanding.fetch_sub(1, Ordering::Relaxed);
        answer
    }

    /// Rows of a statement, at limit so many, which it asks for itself.
    pub async fn rows(
        &self,
        sql: &str,
        values: &[Value<'_>],
        limit: usize,
    ) -> Result<Vec<Row>, Fault> {
        let asked = async {
            let connection = self.connection();
            let statement = connection.statement(sql).await?;
            let values = values.iter().copied();
            let rows = connection.client.query_raw(&statement, values).await?;
            let mut rows = pin!(rows);
            let (mut all, mut size) = (Vec::new(), 0);
            while let Some(row) = rows.try_next().await? {
                size += row.raw_size_bytes();
                if size > ANSWER {
                    return Err(Fault::Odd(format!("more than {ANSWER} bytes of rows")));
                }
                if all.len() == limit {
                    return Err(Fault::Odd(format!("more than {limit} rows")));
                }
                all.push(row);
            }
            Ok(all)
        };
        self.answer(asked).await
    }

    /// The only row of a statement, if there is one.
    pub async fn row(&self, sql: &str, values: &[Value<'_>]) -> Result<Option<Row>, Fault> {
        Ok(self.rows(sql, values, 1).await?.pop())
    }

    /// The only row of a statement that always has one.
    pub async fn one(&self, sql: &str, values: &[Value<'_>]) -> Result<Row, Fault> {
        let row = self.row(sql, values).await?;
        row.ok_or_else(|| Fault::Odd("no row".to_owned()))
    }

    /// The number of rows that a statement has changed.
    pub async fn execute(&self, sql: &str, values: &[Value<'_>]) -> Result<u64, Fault> {
        let asked = async {
            let connection = self.connection();
            let statement = connection.statement(sql).await?;
            Ok(connection.client.execute(&statement, values).await?)
        };
        self.answer(asked).await
    }

    /// Runs orders without values.
    pub async fn run(&self, sql: &str) -> Result<(), Fault> {
        let asked = async { Ok(self.connection().client.batch_execute(sql).await?) };
        self.answer(asked).await
    }

    pub async fn begin(&self) -> Result<(), Fault> {
        self.is_open.store(true, Ordering::Relaxed);
        self.run("BEGIN").await
    }

    pub async fn commit(&self) -> Result<(), Fault> {
        self.end("COMMIT").await
    }

    pub async fn rollback(&self) -> Result<(), Fault> {
        self.end("ROLLBACK").await
    }

    async fn end(&self, sql: &str) -> Result<(), Fault> {
        self.run(sql).await?;
        self.is_open.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// Runs what an app says, and wipes away what it left. The connection goes where that fails.
    pub async fn of_app<T>(
        &self,
        work: impl AsyncFnOnce(&tokio_postgres::Client) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        self.is_open.store(true, Ordering::Relaxed);
        let answer = self.answer(work(&self.connection().client)).await;
        let is_gone = answer.as_ref().is_err_and(Fault::ends_connection);
        if !is_gone && self.run(&self.wipe).await.is_ok() {
            self.is_open.store(false, Ordering::Relaxed);
        }
        answer
    }
}

/// The value of a column; an error where it is of another type.
pub(super) fn column<'a, T>(row: &'a Row, index: usize) -> Result<T, Fault>
where
    T: FromSql<'a>,
{
    row.try_get(index)
        .map_err(|error| Fault::Odd(crate::fault::chain(&error)))
}

/// The number in a column; 0 where it is less than that.
pub(super) fn number(row: &Row, index: usize) -> Result<u64, Fault> {
    column::<i64>(row, index).map(|number| u64::try_from(number).unwrap_or_default())
}

/// Microseconds of a time, rounded up.
pub(super) fn microseconds(time: Duration) -> i64 {
    i64::try_from(time.as_nanos().div_ceil(1_000)).unwrap_or(i64::MAX)
}

/// Bytes of a column.
pub(super) fn bytes(row: &Row, index: usize) -> Result<Bytes, Fault> {
    column::<&[u8]>(row, index).map(Bytes::copy_from_slice)
}

#[cfg(test)]
mod tests;
