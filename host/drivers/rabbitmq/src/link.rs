//! One connection to the server, from its name to a login that was taken.

use crate::{
    fault,
    kit::{Bytes, Kit},
    scan::{FRAME, Facts, Scan},
    settings::Target,
};
use async_rs::Runtime;
use lapin::{
    AsyncTcpStream, Connection, ConnectionProperties,
    auth::AuthProvider,
    types::{LongString, ShortString},
    uri::{AMQPAuthority, AMQPQueryString, AMQPScheme, AMQPUri, AMQPUserInfo},
};
use parking_lot::Mutex;
use std::{io, sync::Arc};
use tokio::time::timeout;
use tokio_util::compat::TokioAsyncReadCompatExt as _;
use wythe_blocks::{Error, Measured, Result};
use wythe_net::{Hidden, reach};

/// The first version that has all of what the drivers ask for.
const OLDEST: (u32, u32) = (3, 10);

/// A connection, and the server at its other end.
pub(crate) struct Link {
    pub connection: Connection,
    pub facts: Facts,
}

impl Link {
    /// Connects within the time that the settings give; `part` tells the connections of a client apart.
    pub async fn open(target: &Target, part: &str) -> Result<Self> {
        let hint = match target.tls {
            None => "",
            Some(_) => "; does it speak TLS on this port?",
        };
        let late = |_| {
            let limit = target.timeout;
            Error::unavailable(format!(
                "the server did not take a connection within {limit:?}{hint}"
            ))
        };
        let opened = timeout(target.timeout, open(target, part));
        opened.await.map_err(late)?
    }

    /// Returns whether it can be used, as far as is known.
    pub fn is_alive(&self) -> bool {
        self.connection.status().connected()
    }

    /// An error while the server takes no messages.
    pub fn check(&self) -> Result<()> {
        match self.connection.status().blocked() {
            false => Ok(()),
            true => Err(Error::unavailable(
                "the server takes no messages, for it lacks memory or disk space (connection.blocked): look at its alarms",
            )),
        }
    }
}

async fn open(target: &Target, part: &str) -> Result<Link> {
    let address = &target.address;
    let stream = reach("hostname", &address.host, address.port).await?;
    let stream: Box<dyn Bytes> = match &target.tls {
        None => Box::new(stream),
        Some(tls) => Box::new(tls.connect(&address.host, stream).await?),
    };
    let facts = Arc::new(Mutex::new(Facts::default()));
    let stream: Box<dyn Bytes> = Box::new(Measured::new(stream, Scan::new(facts.clone())));
    // It is asked for once, as the client does not connect again by itself.
    let given = Mutex::new(Some(stream));
    let connect = async move |_, _| {
        let stream = given.lock().take();
        let gone = || io::Error::from(io::ErrorKind::NotConnected);
        Ok(AsyncTcpStream::Plain(stream.ok_or_else(gone)?.compat()))
    };
    let runtime = Runtime::new(Kit::current());
    let connected = Connection::connector(uri(target), runtime, connect, properties(target, part));
    let connected = connected.await;
    let facts = facts.lock().clone();
    check_version(&facts)?;
    let connection = connected.map_err(|error| fault::of_login(error, target))?;
    Ok(Link { connection, facts })
}

fn uri(target: &Target) -> AMQPUri {
    let seconds = target.heartbeat.as_secs().max(1);
    AMQPUri {
        scheme: AMQPScheme::AMQP,
        authority: AMQPAuthority {
            userinfo: AMQPUserInfo {
                username: String::new(),
                password: String::new(),
            },
            host: target.address.host.clone(),
            port: target.address.port,
        },
        vhost: target.address.vhost.clone(),
        query: AMQPQueryString {
            frame_max: Some(FRAME),
            heartbeat: Some(u16::try_from(seconds).unwrap_or(u16::MAX)),
            ..AMQPQueryString::default()
        },
    }
}

fn properties(target: &Target, part: &str) -> ConnectionProperties {
    let name = target.name.as_deref().unwrap_or("wythe");
    let text = |text: &str| LongString::from(text.to_owned());
    ConnectionProperties::default()
        .with_client_property("product".into(), text("Wythe"))
        .with_client_property("version".into(), text(env!("CARGO_PKG_VERSION")))
        .with_connection_name(text(&format!("{name} ({part})")))
        .with_auth_provider(Login {
            user: target.user.clone(),
            password: target.password.clone(),
            is_external: target.is_external,
        })
}

/// The login, which is shown to the server alone.
struct Login {
    user: String,
    password: Hidden,
    is_external: bool,
}

impl AuthProvider for Login {
    fn mechanism(&self) -> ShortString {
        match self.is_external {
            true => "EXTERNAL".into(),
            false => "PLAIN".into(),
        }
    }

    fn auth_starter(&self) -> Result<LongString, String> {
        Ok(match self.is_external {
            true => LongString::default(),
            false => format!("\0{}\0{}", self.user, self.password.0.reveal()).into(),
        })
    }
}

/// Refuses a server that is too old; one of another name says nothing that could be compared.
fn check_version(facts: &Facts) -> Result<()> {
    let mut numbers = facts
        .version
        .split('.')
        .map(|part| part.parse::<u32>().ok());
    let found = (numbers.next().flatten(), numbers.next().flatten());
    match found {
        (Some(major), Some(minor)) if facts.product == "RabbitMQ" && (major, minor) < OLDEST => {
            Err(Error::unsupported(format!(
                "the server is of version {}; expected {}.{} or later",
                facts.version, OLDEST.0, OLDEST.1
            )))
        }
        _ => Ok(()),
    }
}
