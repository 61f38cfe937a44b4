//! The way to a server: TCP, TLS, login, and the checks of a server before anything is asked of it.

use crate::{
    connection::{Connection, Receiver},
    fault::{Fault, of_login, shown},
    login::login,
    rows::{Cell, Row},
    settings::Settings,
    wire::{Stream, Wire},
};
use std::{io, time::Duration};
use tokio::{net::TcpStream, time::timeout};
use wythe_blocks::{Error, Result, time::milliseconds};
use wythe_net::Secure;

/// Bytes of an answer about the server itself.
const FACTS: usize = 64 << 10;
/// The oldest versions that are spoken to.
const OLDEST_MARIADB: (u32, u32) = (10, 5);
const OLDEST_MYSQL: (u32, u32) = (8, 0);
/// The smallest packet of a server, below which its values would be too small.
const PACKET: u64 = 1 << 20;

/// The settings of a server on which the features rest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Promises {
    pub version: String,
    pub is_mariadb: bool,
    /// A commit is on the disk before it is acknowledged.
    pub is_durable: bool,
    /// A commit is on the disk before anybody reads what it wrote: by the binary log alone, since without one the engine shows a
    /// commit first and syncs it then.
    pub is_linearizable: bool,
    /// Bytes of a packet.
    pub max_packet: u64,
}

/// The way to a server.
pub(super) struct Way {
    pub settings: Settings,
    secure: Option<Secure>,
}

impl Way {
    /// `roots` is the text of the authorities' file, where one is named.
    pub fn new(settings: Settings, roots: Option<&[u8]>) -> Result<Self> {
        let roots = roots.map(|text| ("pemPath", text));
        let secure = |proof| Secure::new(&settings.host, proof, roots);
        let secure = settings.trust.proof().map(secure).transpose()?;
        Ok(Way { settings, secure })
    }

    /// Makes a connection.
    pub async fn connect(&self) -> Result<Connection> {
        let limit = self.settings.connect;
        let made = timeout(limit, self.begin()).await;
        let made =
            made.unwrap_or_else(|_| Err(Fault::Cut(format!("no connection within {limit:?}"))));
        let connection = made.map_err(|fault| of_login(fault, &self.settings.shown()))?;
        self.check(&connection.promises)?;
        Ok(connection)
    }

    async fn begin(&self) -> Result<Connection, Fault> {
        let Settings { host, port, .. } = &self.settings;
        let broken = |error: io::Error| Fault::Cut(error.to_string());
        let stream = TcpStream::connect((host.as_str(), *port)).await;
        let stream = stream.map_err(broken)?;
        stream.set_nodelay(true).map_err(broken)?;
        let stream: Box<dyn Stream> = Box::new(stream);
        let wire = login(Wire::new(stream), &self.settings, self.secure.as_ref()).await?;
        let mut connection = Connection::new(wire);
        connection.promises = promises(&mut connection).await?;
        self.settle(&mut connection).await?;
        Ok(connection)
    }

    /// Says what holds in a session, at its beginning and after each reset.
    pub async fn settle(&self, connection: &mut Connection) -> Result<(), Fault> {
        let limit = self.settings.timeout;
        let seconds = limit.as_secs().max(1);
        let whole = match connection.promises.is_mariadb {
            true => format!("max_statement_time = {}", limit.as_secs_f64()),
            false => format!("max_execution_time = {}", milliseconds(limit)),
        };
        let mut orders = vec![
            "SET NAMES utf8mb4 COLLATE utf8mb4_bin".to_owned(),
            format!(
                "SET SESSION time_zone = '+00:00', autocommit = 1, innodb_lock_wait_timeout = {seconds}, {whole}"
            ),
        ];
        if !self.settings.is_of_apps {
            orders.push(
                "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'".to_owned(),
            );
            orders.push("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED".to_owned());
        }
        for order in orders {
            run(connection, &order).await?;
        }
        Ok(())
    }

    /// Takes away what an app left in a session; false where the connection is to be closed instead.
    pub async fn wipe(&self, connection: &mut Connection) -> bool {
        let Some(database) = &self.settings.database else {
            return false;
        };
        let wiped = async {
            connection.reset().await?;
            connection.enter(database).await?;
            self.settle(connection).await
        };
        wiped.await.is_ok()
    }

    fn check(&self, promises: &Promises) -> Result<()> {
        let refused =
            |text: String| Err(Error::unavailable(text).with_source(self.settings.shown()));
        let (name, oldest) = match promises.is_mariadb {
            true => ("MariaDB", OLDEST_MARIADB),
            false => ("MySQL", OLDEST_MYSQL),
        };
        let mut parts = promises.version.split(['.', '-']).map(str::parse);
        match (parts.next(), parts.next()) {
            (Some(Ok(major)), Some(Ok(minor))) if (major, minor) >= oldest => {}
            _ => {
                return refused(format!(
                    "the database is {name} {}; expected {}.{} or newer",
                    promises.version, oldest.0, oldest.1
                ));
            }
        }
        match promises.max_packet >= PACKET {
            true => Ok(()),
            false => refused(format!(
                "the database takes packets of {} bytes; raise its max_allowed_packet to {PACKET} at least",
                promises.max_packet
            )),
        }
    }
}

async fn run(connection: &mut Connection, sql: &str) -> Result<Vec<Row>, Fault> {
    let mut rows = Vec::new();
    let mut receiver = Receiver {
        bytes: FACTS,
        take: &mut |_, row, _| rows.push(row),
    };
    connection.query(sql, &mut receiver).await?;
    Ok(rows)
}

async fn promises(connection: &mut Connection) -> Result<Promises, Fault> {
    let sql = "SELECT @@version, @@max_allowed_packet, @@innodb_flush_log_at_trx_commit, @@log_bin, @@sync_binlog, @@read_only";
    let rows = run(connection, sql).await?;
    let row = rows.first();
    let text = |index: usize| match row.and_then(|row| row.get(index)) {
        Some(Cell::Bytes(bytes)) => shown(&String::from_utf8_lossy(bytes)),
        _ => String::new(),
    };
    if text(5) == "1" {
        let message = "the database takes no writes; name the primary, and no replica";
        return Err(Fault::Unsent(Error::unavailable(message)));
    }
    let version = text(0);
    let (is_flushed, has_log, is_synced) = (text(2) == "1", text(3) == "1", text(4) == "1");
    Ok(Promises {
        is_mariadb: version.contains("MariaDB"),
        version,
        // What is in the log of a commit and not in that of replication is taken back after a crash.
        is_durable: is_flushed && (!has_log || is_synced),
        is_linearizable: is_flushed && has_log && is_synced,
        max_packet: text(1).parse().unwrap_or_default(),
    })
}

/// Time for the server to say that its time is over.
pub(super) const GRACE: Duration = Duration::from_millis(500);
