//! The server that a component names, in the form of Go's driver: `user:password@tcp(host:port)/database?tls=true`.

use crate::tls::Trust;
use std::{net::IpAddr, time::Duration};
use wythe_blocks::{Error, Result, Wrong};
use wythe_manifest::{Duration as Time, Secret, decoded};

/// Time of one statement, by default, and at the most.
const TIMEOUT: Duration = Duration::from_secs(20);
const LONGEST: u64 = 3_600;
/// Time in which a connection is there, TLS and login included, by default.
const CONNECT: Duration = Duration::from_secs(5);
/// Connections at once, by default, and at the most.
const CONNECTIONS: u32 = 8;
const MAX_CONNECTIONS: u32 = 100;
const PORT: u16 = 3306;

/// A server, and how to come to it. Components of a tenant with equal settings share their connections.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Settings {
    pub host: String,
    pub port: u16,
    pub user: String,
    pub password: Option<String>,
    /// The schema, which the protocol calls a database.
    pub database: Option<String>,
    pub trust: Trust,
    pub roots: Option<Roots>,
    pub connections: u32,
    pub timeout: Duration,
    pub connect: Duration,
    /// The time after which a connection is not used again.
    pub lifetime: Option<Duration>,
    /// True of connections that run what apps say.
    pub is_of_apps: bool,
}

/// The authorities that may sign, where they are not those of the web.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) enum Roots {
    /// A file that the component names.
    File(String),
    /// The text of one.
    Text(String),
}

/// The keys of a component that name a server.
pub(super) struct Written<'a> {
    /// The name of the key with the connection string.
    pub setting: &'static str,
    pub text: &'a Secret,
    pub pem_path: Option<String>,
    pub pem_contents: Option<String>,
    pub connections: Option<u32>,
    pub seconds: Option<u64>,
}

impl Settings {
    pub fn parse(written: Written<'_>) -> Result<Self, Wrong> {
        let setting = written.setting;
        let roots = match (written.pem_path, written.pem_contents) {
            (Some(_), Some(_)) => {
                let text = "`pemPath` and `pemContents` are both there; expected one of them";
                return Err(Wrong::new("pemPath", Error::invalid(text)));
            }
            (Some(path), None) => Some(Roots::File(path)),
            (None, text) => text.map(Roots::Text),
        };
        let mut settings = read(written.text.reveal(), roots).map_err(|error| {
            Wrong::new(
                setting,
                error.map_message(|text| format!("`{setting}`: {text}")),
            )
        })?;
        settings.connections = written.connections.unwrap_or(CONNECTIONS);
        if !(1..=MAX_CONNECTIONS).contains(&settings.connections) {
            let text = format!("expected 1 to {MAX_CONNECTIONS} connections");
            return Err(Wrong::new("maxConns", Error::invalid(text)));
        }
        if let Some(seconds) = written.seconds {
            if !(1..=LONGEST).contains(&seconds) {
                let text = format!("`timeoutInSeconds: {seconds}`; expected 1 to {LONGEST}");
                return Err(Wrong::new("timeoutInSeconds", Error::invalid(text)));
            }
            settings.timeout = Duration::from_secs(seconds);
        }
        Ok(settings)
    }

    /// The server and the schema, for people.
    pub fn shown(&self) -> String {
        let Settings { host, port, .. } = self;
        match &self.database {
            Some(database) => format!("{host}:{port}, schema {database}"),
            None => format!("{host}:{port}"),
        }
    }

    /// Warns of a password that others may read, or a server that is not sure to be the one.
    pub fn warnings(&self, setting: &'static str) -> Vec<Wrong> {
        if self.trust == Trust::Full || is_here(&self.host) {
            return Vec::new();
        }
        let text = "the connection to another machine is not proved by TLS, so whoever is between can read and change all of it; \
                    write `tls=true`";
        vec![Wrong::new(setting, Error::invalid(text))]
    }
}

fn is_here(host: &str) -> bool {
    let address = host.parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

fn wrong_form() -> Error {
    Error::invalid(
        "expected `user:password@tcp(host:port)/`, with `?tls=true` or another parameter behind it",
    )
}

/// Reads a connection string. Nothing of it is shown but names of parameters that are known: the rest may be a password.
fn read(text: &str, roots: Option<Roots>) -> Result<Settings> {
    let text = text.trim().trim_matches('"');
    let (before, after) = text.rsplit_once('/').ok_or_else(wrong_form)?;
    let (database, parameters) = match after.split_once('?') {
        Some((database, parameters)) => (database, parameters),
        None => (after, ""),
    };
    let (login, address) = before.rsplit_once('@').unwrap_or(("", before));
    let (user, password) = match login.split_once(':') {
        Some((user, password)) => (user, Some(password)),
        None => (login, None),
    };
    if user.is_empty() {
        return Err(Error::invalid(
            "no user is named; expected `user:password@tcp(host:port)/`",
        ));
    }
    let (host, port) = place(address)?;
    let mut settings = Settings {
        user: user.to_owned(),
        password: password.map(str::to_owned),
        database: Some(database.to_owned()).filter(|database| !database.is_empty()),
        trust: Trust::Plain,
        roots,
        connections: CONNECTIONS,
        timeout: TIMEOUT,
        connect: CONNECT,
        lifetime: None,
        is_of_apps: false,
        host,
        port,
    };
    let mut mode = None;
    for pair in parameters.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').ok_or_else(wrong_form)?;
        let value = decoded(value).ok_or_else(wrong_form)?;
        match name {
            "tls" => mode = Some(value),
            _ => parameter(name, &value, &mut settings)?,
        }
    }
    let is_here = is_here(&settings.host);
    settings.trust = Trust::parse(mode.as_deref(), settings.roots.is_some(), is_here)?;
    Ok(settings)
}

/// The host and the port in `tcp(host:port)`.
fn place(address: &str) -> Result<(String, u16)> {
    let inside = match address.split_once('(') {
        Some(("tcp", rest)) => rest.strip_suffix(')').ok_or_else(wrong_form)?,
        Some(_) => {
            return Err(Error::invalid(
                "expected a server that is reached by TCP, as in `tcp(host:port)`",
            ));
        }
        None if address.is_empty() || address == "tcp" => "127.0.0.1",
        None => return Err(wrong_form()),
    };
    let (host, port) = match inside.rsplit_once(':') {
        // An address of IPv6 without a port ends in a bracket.
        Some((host, port)) if !port.ends_with(']') => {
            let port = port.parse().ok().filter(|port| *port > 0);
            (host, port.ok_or_else(wrong_form)?)
        }
        _ => (inside, PORT),
    };
    let bare = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let host = bare.unwrap_or(host);
    match host.is_empty() {
        true => Err(wrong_form()),
        false => Ok((host.to_owned(), port)),
    }
}

fn parameter(name: &str, value: &str, settings: &mut Settings) -> Result<()> {
    let expected = match (name, value) {
        // Times come as Go writes them, and all text is UTF-8, whatever is said.
        ("parseTime", "true" | "false") | ("allowNativePasswords", "true") => return Ok(()),
        ("charset", value) if value.starts_with("utf8") => return Ok(()),
        ("loc", "UTC") => return Ok(()),
        ("timeout" | "readTimeout", value) => {
            let time: Time = value.parse().map_err(|_| {
                Error::invalid(format!(
                    "the parameter `{name}`: expected a time such as `5s`"
                ))
            })?;
            let time =
                Duration::from(time).clamp(Duration::from_millis(1), Duration::from_secs(LONGEST));
            match name {
                "timeout" => settings.connect = time,
                _ => settings.timeout = time,
            }
            return Ok(());
        }
        ("parseTime", _) => "`true` or `false`",
        ("allowNativePasswords", _) => "`true`",
        ("charset", _) => "`utf8mb4`",
        ("loc", _) => "`UTC`",
        _ => {
            return Err(Error::invalid(
                "a parameter is not taken here; expected `tls`, `timeout`, `readTimeout`, `charset`, `loc`, `parseTime` or \
                 `allowNativePasswords`",
            ));
        }
    };
    Err(Error::invalid(format!(
        "the parameter `{name}`: expected {expected}"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Settings, String> {
        read(text, None).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn a_connection_string_is_read_as_go_reads_it() {
        let found =
            parse("ada:p@ss:w/rd@tcp(db.example:3307)/shop?tls=skip-verify&timeout=2s").unwrap();
        assert_eq!((found.host.as_str(), found.port), ("db.example", 3307));
        assert_eq!(
            (found.user.as_str(), found.password.as_deref()),
            ("ada", Some("p@ss:w/rd"))
        );
        assert_eq!(found.database.as_deref(), Some("shop"));
        assert_eq!(
            (found.trust, found.connect),
            (Trust::Require, Duration::from_secs(2))
        );
        let found = parse("\"ada@tcp([::1])/\"").unwrap();
        assert_eq!(
            (found.host.as_str(), found.port, found.password),
            ("::1", PORT, None)
        );
        assert_eq!((found.database, found.trust), (None, Trust::Plain));
        assert_eq!(parse("ada@/").unwrap().host, "127.0.0.1");
        assert_eq!(
            parse("ada@tcp(db)/").unwrap().trust,
            Trust::Full,
            "another machine"
        );
        assert!(
            parse("ada@tcp(db)/?tls=false")
                .unwrap()
                .warnings("url")
                .len()
                == 1
        );
        assert!(parse("ada@tcp(db)/").unwrap().warnings("url").is_empty());
    }

    #[test]
    fn what_is_wrong_is_told_without_a_password() {
        for (text, expected) in [
            ("", "expected `user:password@tcp(host:port)/`"),
            (
                "ada:secret@tcp(db)",
                "expected `user:password@tcp(host:port)/`",
            ),
            (
                "ada:secret@tcp(db:0)/",
                "expected `user:password@tcp(host:port)/`",
            ),
            (
                "ada:secret@tcp(:1)/",
                "expected `user:password@tcp(host:port)/`",
            ),
            ("tcp(db)/", "no user is named"),
            (
                "ada:secret@unix(/tmp/s)/",
                "expected a server that is reached by TCP",
            ),
            (
                "ada:secret@tcp(db)/?secret=1",
                "a parameter is not taken here",
            ),
            ("ada:secret@tcp(db)/?tls=custom", "`tls=custom`"),
            ("ada:secret@tcp(db)/?tls=secret", "expected `true`"),
            ("ada:secret@tcp(db)/?charset=latin1", "expected `utf8mb4`"),
            ("ada:secret@tcp(db)/?timeout=secret", "expected a time"),
        ] {
            let said = parse(text).err().unwrap();
            assert!(said.contains(expected), "{text}: {said}");
            assert!(!said.contains("secret"), "{said}");
        }
    }
}
