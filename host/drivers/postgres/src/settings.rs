//! The server that a component names: a connection string as the database's own clients write it, or keys beside it.

use crate::tls::Trust;
use std::{net::IpAddr, time::Duration};
use url::Url;
use wythe_blocks::{Error, Result, Wrong};
use wythe_manifest::{Duration as Time, Secret, decoded};

/// Time of one statement, by default.
const TIMEOUT: Duration = Duration::from_secs(20);
/// Time in which a connection is there, TLS and login included, by default.
const CONNECT: Duration = Duration::from_secs(5);
/// Connections at once, by default, and at the most.
const CONNECTIONS: u32 = 8;
const MAX_CONNECTIONS: u32 = 100;
const PORT: u16 = 5432;

/// The keys of a component that name a server.
#[derive(Default)]
pub(super) struct Written {
    pub connection_string: Option<Secret>,
    pub host: Option<String>,
    pub port: Option<u16>,
    pub user: Option<String>,
    pub password: Option<Secret>,
    pub database: Option<String>,
    pub ssl_root_cert: Option<String>,
    pub max_conns: Option<u32>,
    pub timeout: Option<Time>,
}

/// Makes the config of a component: the keys that name its server, and those of its own.
macro_rules! config {
    (struct Config { $($(#[$said:meta])* $key:ident: $of:ty,)* }) => {
        #[derive(serde::Deserialize)]
        #[serde(deny_unknown_fields, rename_all = "camelCase")]
        pub(super) struct Config {
            /// The server, as `host=.. user=..` or as a URL.
            connection_string: Option<wythe_manifest::Secret>,
            /// The server's name or address, where no connection string has it.
            host: Option<String>,
            /// The server's port; default 5432.
            port: Option<u16>,
            user: Option<String>,
            password: Option<wythe_manifest::Secret>,
            /// The database; default the user's name.
            database: Option<String>,
            /// The file of the authorities that sign; default those of the web.
            ssl_root_cert: Option<String>,
            /// Connections at once; default 8.
            max_conns: Option<u32>,
            /// Time of one statement; default 20 s.
            timeout: Option<wythe_manifest::Duration>,
            $($(#[$said])* $key: $of,)*
        }

        impl Config {
            /// The server that the keys name.
            fn server(self) -> Result<$crate::settings::Settings, wythe_blocks::Wrong> {
                $crate::settings::Settings::parse($crate::settings::Written {
                    connection_string: self.connection_string,
                    host: self.host,
                    port: self.port,
                    user: self.user,
                    password: self.password,
                    database: self.database,
                    ssl_root_cert: self.ssl_root_cert,
                    max_conns: self.max_conns,
                    timeout: self.timeout,
                })
            }
        }
    };
}
pub(super) use config;

/// A server, and how to come to it. Components of a tenant with equal settings share their connections.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Settings {
    pub host: String,
    pub port: u16,
    pub user: String,
    pub password: Option<String>,
    pub database: String,
    pub application: String,
    pub trust: Trust,
    /// The file of the authorities that may sign, where it is not those of the web.
    pub roots: Option<String>,
    pub connections: u32,
    pub timeout: Duration,
    pub connect: Duration,
    /// True of connections that run what apps say.
    pub is_of_apps: bool,
}

/// Settings, as they are found one by one.
#[derive(Default)]
struct Found {
    host: Option<String>,
    port: Option<u16>,
    user: Option<String>,
    password: Option<String>,
    database: Option<String>,
    application: Option<String>,
    mode: Option<String>,
    roots: Option<String>,
    connections: Option<u32>,
    connect: Option<Duration>,
}

impl Settings {
    pub fn parse(written: Written) -> Result<Self, Wrong> {
        let mut found = Found::default();
        if let Some(text) = &written.connection_string {
            let parsed = found.read(text.reveal());
            parsed.map_err(|error| Wrong::new("connectionString", error))?;
        }
        found.add(&written);
        let setting = match written.connection_string {
            Some(_) => "connectionString",
            None => "host",
        };
        found.finish(written.timeout, setting)
    }

    /// The server and the database, for people.
    pub fn shown(&self) -> String {
        let Settings {
            host,
            port,
            database,
            ..
        } = self;
        format!("{host}:{port}, database {database}")
    }

    /// Warns of a password that others may read, or a server that is not sure to be the one.
    pub fn warnings(&self) -> Vec<Wrong> {
        if self.trust.is_safe() || is_here(&self.host) {
            return Vec::new();
        }
        let text = "the connection to another machine is not proved by TLS, so whoever is between can read and change all of it; \
                    write `sslmode=verify-full`";
        vec![Wrong::new("connectionString", Error::invalid(text))]
    }
}

fn is_here(host: &str) -> bool {
    let address = host.parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

impl Found {
    fn read(&mut self, text: &str) -> Result<()> {
        let text = text.trim();
        let pairs = match text.split_once("://") {
            Some(("postgres" | "postgresql", _)) => self.url(text)?,
            Some((scheme, _)) if scheme.chars().all(char::is_alphanumeric) => {
                return Err(Error::invalid(
                    "`connectionString`: expected a URL that begins with `postgresql://`, or `host=.. user=..`",
                ));
            }
            _ => pairs(text)?,
        };
        pairs
            .into_iter()
            .try_for_each(|(name, value)| self.set(&name, value))
    }

    /// Takes what stands before the question mark, and gives back what stands behind it.
    fn url(&mut self, text: &str) -> Result<Vec<(String, String)>> {
        let wrong = || {
            Error::invalid(
                "`connectionString`: expected a URL such as `postgresql://user:password@host:5432/database?sslmode=verify-full`, \
                 in which `%40` is written for an `@` of the password",
            )
        };
        let url: Url = text.parse().map_err(|_| wrong())?;
        let plain = |text: &str| decoded(text).ok_or_else(wrong);
        let set = |text: &str| match text {
            "" => Ok(None),
            text => plain(text).map(Some),
        };
        self.host = set(url.host_str().unwrap_or_default())?;
        self.host = self.host.take().map(unbracketed);
        self.port = url.port();
        self.user = set(url.username())?;
        self.password = set(url.password().unwrap_or_default())?;
        self.database = set(url.path().trim_start_matches('/'))?;
        let pairs = url.query_pairs();
        Ok(pairs
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .collect())
    }

    fn set(&mut self, name: &str, value: String) -> Result<()> {
        let number = |value: &str| {
            value.parse::<u32>().map_err(|_| {
                Error::invalid(format!("`connectionString`: `{name}`: expected a number"))
            })
        };
        match name {
            "host" | "hostaddr" => self.host = Some(value),
            "port" => self.port = Some(port(number(&value)?)?),
            "user" => self.user = Some(value),
            "password" => self.password = Some(value),
            "dbname" | "database" => self.database = Some(value),
            "application_name" => self.application = Some(value),
            "sslmode" => self.mode = Some(value),
            "sslrootcert" => self.roots = Some(value),
            "connect_timeout" => {
                self.connect = Some(Duration::from_secs(number(&value)?.into()));
            }
            "pool_max_conns" => self.connections = Some(number(&value)?),
            _ => return Err(unknown(name)),
        }
        Ok(())
    }

    /// Puts keys beside the connection string in place of what is in it.
    fn add(&mut self, written: &Written) {
        let text = |secret: &Secret| secret.reveal().to_owned();
        self.host = written.host.clone().or(self.host.take());
        self.port = written.port.or(self.port);
        self.user = written.user.clone().or(self.user.take());
        self.password = written.password.as_ref().map(text).or(self.password.take());
        self.database = written.database.clone().or(self.database.take());
        self.roots = written.ssl_root_cert.clone().or(self.roots.take());
        self.connections = written.max_conns.or(self.connections);
    }

    fn finish(self, timeout: Option<Time>, setting: &'static str) -> Result<Settings, Wrong> {
        let invalid = |setting, text: String| Wrong::new(setting, Error::invalid(text));
        let host = self.host.filter(|host| !host.is_empty()).ok_or_else(|| {
            let text = "no server is named; expected `connectionString`, or `host` with `user`, `password` and `database`";
            invalid(setting, text.to_owned())
        })?;
        check_host(&host).map_err(|error| Wrong::new(setting, error))?;
        let user = self
            .user
            .ok_or_else(|| invalid(setting, "no user is named; expected `user`".to_owned()))?;
        let trust = Trust::parse(self.mode.as_deref(), self.roots.is_some(), is_here(&host))
            .map_err(|error| Wrong::new(setting, error))?;
        let connections = self.connections.unwrap_or(CONNECTIONS);
        if !(1..=MAX_CONNECTIONS).contains(&connections) {
            let text = format!("`maxConns: {connections}`; expected 1 to {MAX_CONNECTIONS}");
            return Err(invalid("maxConns", text));
        }
        let timeout = timeout.map_or(TIMEOUT, Duration::from);
        if timeout.is_zero() {
            let text = "`timeout: 0s`; expected at least 1 ms".to_owned();
            return Err(invalid("timeout", text));
        }
        Ok(Settings {
            database: self.database.unwrap_or_else(|| user.clone()),
            host,
            port: self.port.unwrap_or(PORT),
            user,
            password: self.password,
            application: self.application.unwrap_or_else(|| "wythe".to_owned()),
            trust,
            roots: self.roots,
            connections,
            timeout,
            is_of_apps: false,
            connect: self
                .connect
                .filter(|time| !time.is_zero())
                .unwrap_or(CONNECT),
        })
    }
}

fn check_host(host: &str) -> Result<()> {
    let text = match host {
        _ if host.starts_with('/') => {
            "is the directory of a Unix socket; expected a host that is reached by TCP"
        }
        _ if host.contains(',') => "are several hosts; expected one, that of the primary",
        _ => return Ok(()),
    };
    Err(Error::invalid(format!("`{}` {text}", host.escape_debug())))
}

fn port(number: u32) -> Result<u16> {
    let port = u16::try_from(number).ok().filter(|port| *port > 0);
    port.ok_or_else(|| Error::invalid("`connectionString`: `port`: expected 1 to 65535"))
}

/// Names that other clients know. Only these are shown: what looks like a name may be a part of a password.
const OTHERS: [&str; 14] = [
    "channel_binding",
    "gssencmode",
    "keepalives",
    "options",
    "passfile",
    "pool_max_conn_idle_time",
    "pool_max_conn_lifetime",
    "pool_min_conns",
    "service",
    "sslcert",
    "sslcrl",
    "sslkey",
    "sslpassword",
    "target_session_attrs",
];

fn unknown(name: &str) -> Error {
    let shown = match OTHERS.contains(&name) {
        true => format!("`{name}` is not taken here"),
        false => "a name in it is not known".to_owned(),
    };
    Error::invalid(format!(
        "`connectionString`: {shown}; expected `host`, `port`, `user`, `password`, `dbname`, `sslmode`, `sslrootcert`, \
         `application_name`, `connect_timeout` or `pool_max_conns`, and values with blanks in them as `'..'`"
    ))
}

/// An IPv6 address as it is without a URL around it.
fn unbracketed(host: String) -> String {
    let inside = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    inside.map_or(host.clone(), str::to_owned)
}

/// Reads `name=value name='a value'`.
fn pairs(text: &str) -> Result<Vec<(String, String)>> {
    let wrong = || {
        Error::invalid(
            "`connectionString`: expected `name=value` with blanks between them, and values with blanks in them as `'..'`",
        )
    };
    let mut pairs = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let (name, after) = rest.split_once('=').ok_or_else(wrong)?;
        let (value, after) = value(after.trim_start()).ok_or_else(wrong)?;
        let name = name.trim();
        if name.is_empty() || name.contains(char::is_whitespace) {
            return Err(wrong());
        }
        pairs.push((name.to_owned(), value));
        rest = after.trim_start();
    }
    Ok(pairs)
}

/// A value, and what comes after it; nothing where a quote is not closed.
fn value(text: &str) -> Option<(String, &str)> {
    let is_quoted = text.starts_with('\'');
    let mut value = String::new();
    let mut chars = text.char_indices().skip(usize::from(is_quoted));
    while let Some((at, char)) = chars.next() {
        match char {
            '\\' => value.push(chars.next()?.1),
            '\'' if is_quoted => return Some((value, &text[at + 1..])),
            char if !is_quoted && char.is_whitespace() => return Some((value, &text[at..])),
            char => value.push(char),
        }
    }
    (!is_quoted).then_some((value, ""))
}

#[cfg(test)]
mod tests;
