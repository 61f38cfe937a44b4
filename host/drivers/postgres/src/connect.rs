//! One connection: TCP, TLS, login, and the checks of a server before anything is asked of it.

use crate::{
    fault::{of_login, unreachable},
    meter::{Meter, Metered},
    settings::Settings,
    tls::{self, Trust},
};
use parking_lot::Mutex;
use std::{collections::HashMap, io, time::Duration};
use tokio::{net::TcpStream, sync::mpsc, task::AbortHandle, time::timeout};
use tokio_postgres::{
    AsyncMessage, Client, Config, Connection as Driven, NoTls, SimpleQueryMessage, Statement,
    config::SslMode, tls::NoTlsStream,
};
use wythe_blocks::{Error, Result, time::milliseconds};
use wythe_net::Secure;

/// The oldest version that is spoken to: 13 makes random UUIDs by itself.
const OLDEST: u32 = 130_000;
/// Statements that a connection has ready.
const STATEMENTS: usize = 200;
/// Time for which a transaction may wait for its next statement.
const IDLE: Duration = Duration::from_secs(30);

/// A connection that was logged in.
pub(super) struct Connection {
    pub client: Client,
    pub promises: Promises,
    statements: Mutex<HashMap<String, Statement>>,
    driving: AbortHandle,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driving.abort();
    }
}

/// The settings of a server that decide whether what it has acknowledged outlives a loss of power.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Promises {
    pub version: String,
    pub fsync: bool,
    pub synchronous_commit: bool,
}

impl Promises {
    pub fn is_durable(&self) -> bool {
        self.fsync && self.synchronous_commit
    }
}

/// The way to a server.
pub(super) struct Way {
    pub settings: Settings,
    secure: Option<Secure>,
    config: Config,
}

impl Way {
    /// `roots` is the text of the authorities' file, where one is named.
    pub fn new(settings: Settings, roots: Option<&[u8]>) -> Result<Self> {
        let roots = roots.map(|text| ("sslRootCert", text));
        let secure = |proof| Secure::new(&settings.host, proof, roots);
        let secure = settings.trust.proof().map(secure).transpose()?;
        let mut config = Config::new();
        config
            .user(&settings.user)
            .dbname(&settings.database)
            .application_name(&settings.application)
            .ssl_mode(SslMode::Disable);
        if let Some(password) = &settings.password {
            config.password(password);
        }
        Ok(Way {
            settings,
            secure,
            config,
        })
    }

    /// Makes a connection. What the server tells without being asked goes to `notices`.
    pub async fn connect(&self, notices: Option<mpsc::Sender<()>>) -> Result<Connection> {
        let limit = self.settings.connect;
        match timeout(limit, self.login(notices)).await {
            Ok(connection) => connection,
            Err(_) => Err(self.unreachable(&io::Error::new(
                io::ErrorKind::TimedOut,
                format!("no connection within {limit:?}"),
            ))),
        }
    }

    fn unreachable(&self, error: &io::Error) -> Error {
        unreachable(error, &self.settings.shown())
    }

    async fn login(&self, notices: Option<mpsc::Sender<()>>) -> Result<Connection> {
        let wire = self.wire().await?;
        let (client, driven) = self
            .config
            .connect_raw(wire, NoTls)
            .await
            .map_err(|error| of_login(error, &self.settings.shown()))?;
        let driving = drive(driven, notices);
        let mut connection = Connection {
            client,
            promises: Promises::default(),
            statements: Mutex::default(),
            driving,
        };
        connection.promises = self.begin(&connection.client).await?;
        Ok(connection)
    }

    async fn wire(&self) -> Result<Metered> {
        let Settings { host, port, .. } = &self.settings;
        let failed = |error: io::Error| self.unreachable(&error);
        let mut stream = TcpStream::connect((host.as_str(), *port))
            .await
            .map_err(failed)?;
        stream.set_nodelay(true).map_err(failed)?;
        let Some(secure) = &self.secure else {
            return Ok(Meter::over(stream, false));
        };
        if tls::ask(&mut stream).await.map_err(failed)? {
            let stream = secure.connect(stream).await.map_err(|error| {
                let text = "the database does not prove to be the one that is named; look at `sslmode` and `sslRootCert`";
                let cause = format!("{}: TLS: {error}", self.settings.shown());
                Error::unavailable(text).with_source(cause)
            })?;
            return Ok(Meter::over(stream, true));
        }
        match self.settings.trust {
            Trust::Prefer => Ok(Meter::over(stream, false)),
            _ => Err(Error::unavailable(
                "the database has no TLS; turn it on there, or write `sslmode=disable` if nobody can listen on the way",
            )
            .with_source(self.settings.shown())),
        }
    }

    /// Sets bounds for what the connection does, and looks at whom it leads to.
    async fn begin(&self, client: &Client) -> Result<Promises> {
        let orders = format!(
            "{} SELECT current_setting('server_version_num'), current_setting('server_encoding'), \
             pg_is_in_recovery()::text, current_setting('fsync'), current_setting('synchronous_commit'), \
             current_setting('transaction_read_only'), current_setting('server_version')",
            self.bounds()
        );
        let answers = client.simple_query(&orders).await;
        let answers = answers.map_err(|error| of_login(error, &self.settings.shown()))?;
        let row = answers.iter().find_map(|answer| match answer {
            SimpleQueryMessage::Row(row) => Some(row),
            _ => None,
        });
        let value = |index| row.and_then(|row| row.try_get(index).ok().flatten());
        self.check(&value)?;
        Ok(Promises {
            version: value(6).map(crate::fault::shown).unwrap_or_default(),
            fsync: value(3) == Some("on"),
            synchronous_commit: value(4).is_some_and(|level| level != "off"),
        })
    }

    /// The bounds of what a connection does.
    fn bounds(&self) -> String {
        let limit = milliseconds(self.settings.timeout);
        let idle = milliseconds(self.settings.timeout.max(IDLE));
        format!(
            "SET statement_timeout = {limit}; SET lock_timeout = {limit}; \
             SET idle_in_transaction_session_timeout = {idle}; SET client_encoding = 'UTF8'; \
             SET default_transaction_isolation = 'read committed';"
        )
    }

    /// Orders that take away whatever an app left in a connection, but for what the client has prepared.
    pub fn wipe(&self) -> String {
        format!(
            "ROLLBACK; RESET SESSION AUTHORIZATION; RESET ALL; CLOSE ALL; UNLISTEN *; SELECT pg_advisory_unlock_all(); \
             DISCARD TEMP; DISCARD SEQUENCES; DO $$ DECLARE one text; BEGIN \
             FOR one IN SELECT p.name FROM pg_catalog.pg_prepared_statements AS p WHERE p.from_sql LOOP \
             EXECUTE pg_catalog.format('DEALLOCATE %I', one); END LOOP; END $$; {}",
            self.bounds()
        )
    }

    fn check<'a>(&self, value: &impl Fn(usize) -> Option<&'a str>) -> Result<()> {
        let refused =
            |text: String| Err(Error::unavailable(text).with_source(self.settings.shown()));
        let version = value(0).and_then(|text| text.parse::<u32>().ok());
        match version {
            Some(version) if version >= OLDEST => {}
            Some(version) => {
                return refused(format!(
                    "the database is PostgreSQL {}; expected 13 or newer",
                    version / 10_000
                ));
            }
            None => return refused("what answers there is no PostgreSQL".to_owned()),
        }
        if value(1) != Some("UTF8") {
            return refused(
                "the database does not keep text as UTF-8; create one `WITH ENCODING 'UTF8'`"
                    .to_owned(),
            );
        }
        if value(2) == Some("true") || value(5) == Some("on") {
            return refused(
                "the database takes no writes; name the primary, and no standby".to_owned(),
            );
        }
        Ok(())
    }
}

impl Connection {
    /// The statement of this text, which the server reads once for each connection.
    pub async fn statement(&self, sql: &str) -> Result<Statement, tokio_postgres::Error> {
        if let Some(statement) = self.statements.lock().get(sql) {
            return Ok(statement.clone());
        }
        let statement = self.client.prepare(sql).await?;
        let mut statements = self.statements.lock();
        if statements.len() < STATEMENTS {
            statements.insert(sql.to_owned(), statement.clone());
        }
        Ok(statement)
    }
}

/// Moves bytes of a connection until it ends.
#[expect(
    clippy::disallowed_methods,
    reason = "the task belongs to the connection, which ends it when it is dropped"
)]
fn drive(
    mut driven: Driven<Metered, NoTlsStream>,
    notices: Option<mpsc::Sender<()>>,
) -> AbortHandle {
    let task = async move {
        loop {
            let message = std::future::poll_fn(|context| driven.poll_message(context)).await;
            match (message, &notices) {
                (Some(Ok(AsyncMessage::Notification(_))), Some(notices)) => {
                    // A full channel has the hint already.
                    _ = notices.try_send(());
                }
                (Some(Ok(_)), _) => {}
                (Some(Err(_)) | None, _) => return,
            }
        }
    };
    tokio::spawn(task).abort_handle()
}
