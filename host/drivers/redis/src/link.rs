//! One connection to the server, from its name to a login that was taken.

use crate::{
    failure::refused,
    guard::Scan,
    settings::{Login, Target},
};
use redis::{
    AsyncConnectionConfig, RedisConnectionInfo, RedisError, Value, aio::MultiplexedConnection,
};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::Relaxed},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::timeout,
};
use wythe_blocks::{Error, Measured, Result};
use wythe_net::reach;

/// Bytes of a host that a sentinel names.
const SENTINEL_ANSWER: usize = 255;

/// A connection; calls on it are answered in order.
#[derive(Clone)]
pub(crate) struct Link {
    pub connection: MultiplexedConnection,
    is_alive: Arc<AtomicBool>,
}

impl Link {
    /// Connects within the time that the settings give.
    pub async fn open(target: &Target) -> Result<Self> {
        let connecting = timeout(target.connect, find(target));
        let hint = match target.tls {
            None => "",
            Some(_) => "; does it speak TLS on this port?",
        };
        let late = |_| {
            let limit = target.connect;
            Error::unavailable(format!(
                "the server did not take a connection within {limit:?}{hint}"
            ))
        };
        connecting.await.map_err(late)?
    }

    /// Returns whether it can still be used, as far as is known.
    pub fn is_alive(&self) -> bool {
        self.is_alive.load(Relaxed)
    }

    /// Returns whether both are one connection.
    pub fn is(&self, other: &Link) -> bool {
        Arc::ptr_eq(&self.is_alive, &other.is_alive)
    }
}

async fn find(target: &Target) -> Result<Link> {
    let Some((name, login)) = &target.sentinel else {
        let (host, port) = &target.hosts[0];
        return connect(target, (host, *port), &target.login, target.database).await;
    };
    let mut last = Error::unavailable("no sentinel answered");
    for (host, port) in &target.hosts {
        match ask(target, (host, *port), login, name).await {
            Ok((host, port)) => {
                return connect(target, (&host, port), &target.login, target.database).await;
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Asks a sentinel for the server of that name.
async fn ask(
    target: &Target,
    sentinel: (&str, u16),
    login: &Login,
    name: &str,
) -> Result<(String, u16)> {
    let mut link = connect(target, sentinel, login, 0).await?;
    let mut command = redis::cmd("SENTINEL");
    command.arg("get-master-addr-by-name").arg(name);
    let answer = command.query_async::<Option<(String, u16)>>(&mut link.connection);
    let answer = answer.await.map_err(|error| {
        Error::unavailable("a sentinel did not answer; does `redisHost` name sentinels?")
            .with_source(error)
    })?;
    let known = answer.filter(|(host, _)| host.len() <= SENTINEL_ANSWER);
    known.ok_or_else(|| {
        Error::unavailable(format!(
            "the sentinels know no server `{name}`: check `sentinelMasterName`"
        ))
    })
}

async fn connect(
    target: &Target,
    (host, port): (&str, u16),
    login: &Login,
    database: u32,
) -> Result<Link> {
    let stream = reach("redisHost", host, port).await?;
    let Some(tls) = &target.tls else {
        return greet(stream, login, database, false).await;
    };
    let stream = tls.connect(host, stream).await?;
    greet(stream, login, database, true).await
}

/// Logs in and chooses the database.
#[expect(
    clippy::disallowed_methods,
    reason = "the task ends with the last copy of its connection"
)]
async fn greet(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    login: &Login,
    database: u32,
    is_tls: bool,
) -> Result<Link> {
    let mut info = RedisConnectionInfo::default()
        .set_db(database.into())
        .set_skip_set_lib_name();
    if let Some(user) = &login.user {
        info = info.set_username(user);
    }
    if let Some(password) = &login.password {
        info = info.set_password(password.0.reveal());
    }
    // The time of a call is the client's own.
    let config = AsyncConnectionConfig::new().set_response_timeout(None);
    let stream = Measured::new(stream, Scan::default());
    let made = MultiplexedConnection::new_with_config(&info, stream, config);
    let (mut connection, driver) = made.await.map_err(|error| refusal(error, is_tls))?;
    let is_alive = Arc::new(AtomicBool::new(true));
    let alive = is_alive.clone();
    tokio::spawn(async move {
        driver.await;
        alive.store(false, Relaxed);
    });
    let greeted = redis::cmd("PING")
        .query_async::<Value>(&mut connection)
        .await;
    greeted.map_err(|error| refusal(error, is_tls))?;
    Ok(Link {
        connection,
        is_alive,
    })
}

fn refusal(error: RedisError, is_tls: bool) -> Error {
    let code = error.code().unwrap_or_default();
    let known = match code {
        "WRONGPASS" | "NOAUTH" | "NOPERM" => refused(code),
        "LOADING" => Error::unavailable("the server is loading its data (LOADING)"),
        "DENIED" => Error::denied("the server is in protected mode (DENIED): give it a password"),
        _ if error.is_io_error() && !is_tls => Error::unavailable(
            "the server ended the connection before it answered; does it want TLS? Then set `enableTLS`",
        ),
        _ if error.is_io_error() => Error::unavailable(
            "the server ended the connection before it answered; does it want `clientCert` and `clientKey`?",
        ),
        _ if error.kind() == redis::ErrorKind::AuthenticationFailed => refused("WRONGPASS"),
        _ => Error::unavailable(
            "the server refused the login or the database: check `redisDB`, `redisUsername` and `redisPassword`",
        ),
    };
    known.with_source(error)
}
