//! The connections of a tenant to one server, which its components share, and what is asked by one of them.

use crate::{
    connection::{Answer, Connection, Receiver},
    fault::Fault,
    rows::{Row, Value},
    session::{GRACE, Promises, Way},
    settings::{Roots, Settings},
};
use async_trait::async_trait;
use deadpool::managed::{self, Object, Pool, PoolError, RecycleError, RecycleResult, Timeouts};
use std::{
    sync::{Arc, LazyLock, OnceLock},
    time::Duration,
};
use tokio::time::timeout;
use wythe_blocks::{Backoff, Clients, Error, Gate, Result, Site};

/// Pauses between connections that fail, for all who want one together.
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(2));
/// Bytes of all rows of an answer.
const ANSWER: usize = 64 << 20;
/// Bytes of a file of authorities.
const ROOTS: u64 = 1 << 20;
/// Time to wipe a session: less than the block waits beyond a statement, whose answer is there already.
const WIPE: Duration = Duration::from_secs(1);
/// Times that a write is tried which others are in the way of.
pub(super) const TRIES: usize = 16;

/// Connections of a tenant to a server.
pub(super) struct Client(Pool<Maker>);

/// The settings of a connection, and the text of the authorities' file, which may be another one under the same path.
type Connects = (Settings, Option<Vec<u8>>);

/// The clients that some component has open.
static CLIENTS: LazyLock<Clients<Connects, Client>> = LazyLock::new(Clients::default);

impl Client {
    /// The client of the tenant for a server, once the server was seen.
    pub async fn open(settings: Settings, site: &Site) -> Result<Arc<Self>> {
        let roots = roots(&settings, site)?;
        let way = Way::new(settings.clone(), roots.as_deref())?;
        let client = CLIENTS.share(&site.tenant, (settings, roots), || Client::new(way));
        client.lend().await?;
        Ok(client)
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

    /// One line about the server, for people.
    pub fn describe(&self) -> String {
        let promises = self.promises();
        let name = match promises.is_mariadb {
            true => "MariaDB",
            false => "MySQL",
        };
        let shown = self.0.manager().way.settings.shown();
        let doubt = match promises.is_durable {
            true => "",
            false => ", not durable (innodb_flush_log_at_trx_commit or sync_binlog)",
        };
        format!("{name} {} at {shown}{doubt}", promises.version)
    }

    /// A connection for one piece of work, once one is free.
    pub async fn lend(&self) -> Result<Lent> {
        let limit = self.0.manager().way.settings.timeout;
        let times = Timeouts {
            wait: Some(limit),
            ..Timeouts::default()
        };
        let object = self.0.timeout_get(&times).await;
        let object = object.map_err(|error| match error {
            PoolError::Backend(error) => error,
            PoolError::Timeout(_) => Error::exhausted(format!(
                "no connection to the database was free within {limit:?}; see `maxConns`"
            )),
            PoolError::Closed => Error::unavailable("the store is closed"),
            error => Error::internal("no connection").with_source(error.to_string()),
        })?;
        Ok(Lent {
            object: Some(object),
            is_left: false,
            limit,
        })
    }

    /// An error while no connection can be had. One that waits is proof enough, and so is one that is in use.
    pub async fn health(&self) -> Result<()> {
        let status = self.0.status();
        match status.available == 0 && status.size == status.max_size {
            true => Ok(()),
            false => self.lend().await?.run("DO 1").await.map_err(Fault::of_read),
        }
    }

    /// Wipes a session in which an app said something, or closes its connection. One that was left in the middle is closed:
    /// what is still to come of its answer would be taken for those to the wiping.
    pub async fn wipe(&self, mut lent: Lent) {
        if lent.is_left {
            return;
        }
        let way = &self.0.manager().way;
        lent.is_left = true;
        let limit = lent.limit.min(WIPE);
        let is_clean = timeout(limit, way.wipe(lent.connection())).await;
        lent.is_left = !is_clean.unwrap_or(false);
    }
}

fn roots(settings: &Settings, site: &Site) -> Result<Option<Vec<u8>>> {
    let path = match &settings.roots {
        None => return Ok(None),
        Some(Roots::Text(text)) => return Ok(Some(text.as_bytes().to_vec())),
        Some(Roots::File(path)) => path,
    };
    let unread = |why: String| Error::invalid(format!("`pemPath` cannot be read: {why}"));
    let file = site.place(path)?.open();
    let file = file.map_err(|error| unread(error.to_string()))?;
    let bytes = file.read(ROOTS);
    bytes.map(Some).map_err(|error| unread(error.to_string()))
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
        let attempt = async { self.checked(self.way.connect().await?) };
        self.gate.pass(attempt).await
    }

    async fn recycle(
        &self,
        connection: &mut Connection,
        _: &managed::Metrics,
    ) -> RecycleResult<Error> {
        let is_old = |limit| connection.made.elapsed() > limit;
        match self.way.settings.lifetime.is_some_and(is_old) || connection.is_over() {
            true => Err(RecycleError::message("the connection is over")),
            false => Ok(()),
        }
    }
}

impl Maker {
    /// Refuses a server that promises less than the one before, on which the features rest.
    fn checked(&self, connection: Connection) -> Result<Connection> {
        let promises = &connection.promises;
        let first = self.promised.get_or_init(|| promises.clone());
        let text = match first {
            first
                if (first.is_durable && !promises.is_durable)
                    || (first.is_linearizable && !promises.is_linearizable) =>
            {
                "the database does not keep what it acknowledges any more: its innodb_flush_log_at_trx_commit, log_bin or sync_binlog \
                 was changed; set it to 1 again, or start the host again"
            }
            first if promises.max_packet < first.max_packet => {
                "the database takes smaller packets than before; raise its max_allowed_packet again, or start the host again"
            }
            _ => return Ok(connection),
        };
        Err(Error::unavailable(text))
    }
}

/// Several statements of one transaction.
#[async_trait]
pub(super) trait Work: Sync {
    type Done: Send;

    /// Runs the statements; it may be done more than once.
    async fn run(&self, lent: &mut Lent) -> Result<Result<Self::Done>, Fault>;
}

/// A connection that one piece of work has. It goes back when that is over, unless it was left in the middle.
pub(super) struct Lent {
    object: Option<Object<Maker>>,
    /// True in the middle of a question or of a transaction, and of what is broken.
    is_left: bool,
    limit: Duration,
}

impl Drop for Lent {
    fn drop(&mut self) {
        if self.is_left
            && let Some(object) = self.object.take()
        {
            drop(Object::take(object));
        }
    }
}

impl Lent {
    fn connection(&mut self) -> &mut Connection {
        self.object
            .as_deref_mut()
            .expect("it is taken by drop alone")
    }

    /// Asks within the time of a statement.
    pub async fn ask<T>(
        &mut self,
        work: impl AsyncFnOnce(&mut Connection) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let (was_left, limit) = (self.is_left, self.limit);
        self.is_left = true;
        // The server has its own limit, and speaks first if it can.
        let answer = timeout(limit + GRACE, work(self.connection())).await;
        let answer = answer.unwrap_or(Err(Fault::Late(limit)));
        self.is_left = was_left || answer.as_ref().is_err_and(Fault::ends_connection);
        answer
    }

    /// Runs a statement with values.
    pub async fn execute(&mut self, sql: &str, values: &[Value<'_>]) -> Result<Answer, Fault> {
        self.ask(async |connection| {
            let mut rows = Vec::new();
            let mut receiver = Receiver {
                bytes: ANSWER,
                take: &mut |_, row, _| rows.push(row),
            };
            let affected = connection.execute(sql, values, &mut receiver).await?;
            Ok(Answer { rows, affected })
        })
        .await
    }

    /// The first row of a statement, if there is one.
    pub async fn row(&mut self, sql: &str, values: &[Value<'_>]) -> Result<Option<Row>, Fault> {
        let answer = self.execute(sql, values).await?;
        Ok(answer.rows.into_iter().next())
    }

    /// Runs an order without values.
    pub async fn run(&mut self, sql: &str) -> Result<(), Fault> {
        self.ask(async |connection| {
            let mut receiver = Receiver {
                bytes: ANSWER,
                take: &mut |_, _, _| {},
            };
            connection.query(sql, &mut receiver).await.map(drop)
        })
        .await
    }

    /// Does several statements, all of them or none, and again where others were in the way. An answer of `work` that is an
    /// error of the block undoes them.
    pub async fn atomically<W: Work>(&mut self, work: &W) -> Result<W::Done> {
        let mut tries = 0;
        loop {
            tries += 1;
            match self.transact(work).await {
                Err(fault) if fault.is_collision() && tries < TRIES => {}
                Err(fault) => return Err(fault.of_write()),
                Ok(answer) => return answer,
            }
        }
    }

    async fn transact<W: Work>(&mut self, work: &W) -> Result<Result<W::Done>, Fault> {
        // Until the commit is sent nothing is done, whatever becomes of the connection.
        let unsent = |fault: Fault| match fault.is_collision() {
            true => fault,
            false => Fault::Unsent(fault.of_read()),
        };
        self.run("START TRANSACTION").await.map_err(unsent)?;
        self.is_left = true;
        let answer = work.run(self).await;
        let end = match &answer {
            Ok(Ok(_)) => "COMMIT",
            Err(fault) if fault.ends_connection() => return answer.map_err(unsent),
            _ => "ROLLBACK",
        };
        let ended = self.run(end).await;
        self.is_left = ended.is_err();
        match end {
            "COMMIT" => ended?,
            _ => ended.map_err(unsent)?,
        }
        answer.map_err(unsent)
    }
}
