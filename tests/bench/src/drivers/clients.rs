//! Bare clients: the crate that a driver is built on, or the bytes of the protocol over a socket where the driver's client is
//! its own. Each asks for no more than the value and its version, where the protocol lets it.

use super::{
    exchange::{Exchange, talk},
    subject::{local, postgres_at},
};
use anyhow::{Context, Result, bail, ensure};
use redis::{Cmd, aio::MultiplexedConnection};
use tokio::net::TcpStream;
use tokio_postgres::{NoTls, Statement};

/// The key `meter` of the app `meter`, as servers have it.
pub const KEY: &str = "meter||meter";
/// The prefix of keys that etcd has, and the bucket of NATS.
pub const SPACE: &str = "bench";

/// The protocol that a bare client speaks.
#[derive(Clone, Copy)]
pub enum Protocol {
    Redis,
    Postgres,
    MariaDb,
    Nats,
    Etcd,
    Memcached,
}

pub enum Client {
    Redis(MultiplexedConnection, Cmd),
    Postgres(tokio_postgres::Client, Statement),
    Socket(Exchange),
}

impl Protocol {
    /// The client, in words.
    pub fn text(self) -> &'static str {
        match self {
            Protocol::Redis => "crate redis",
            Protocol::Postgres => "crate tokio-postgres",
            _ => "socket",
        }
    }

    pub async fn connect(self, port: u16) -> Result<Client> {
        match self {
            Protocol::Redis => redis(port).await,
            Protocol::Postgres => postgres(port).await,
            Protocol::MariaDb => Ok(Client::Socket(mariadb(port).await?)),
            Protocol::Nats => Ok(Client::Socket(nats(port).await?)),
            Protocol::Etcd => Ok(Client::Socket(etcd(port).await?)),
            Protocol::Memcached => Ok(Client::Socket(memcached(port).await?)),
        }
    }
}

impl Client {
    /// Reads the entry.
    pub async fn get(&mut self) -> Result<()> {
        match self {
            Client::Redis(connection, command) => {
                let answer: (Vec<u8>, String) = command.query_async(connection).await?;
                ensure!(answer.0.len() == 64, "Redis has another value");
            }
            Client::Postgres(client, statement) => {
                let row = client.query_one(statement, &[&KEY]).await?;
                let answer: (Vec<u8>, String) = (row.try_get(0)?, row.try_get(1)?);
                ensure!(answer.0.len() == 64, "PostgreSQL has another value");
            }
            Client::Socket(exchange) => exchange.ask().await?,
        }
        Ok(())
    }
}

async fn redis(port: u16) -> Result<Client> {
    let client = redis::Client::open(format!("redis://{}", local(port)))?;
    let connection = client.get_multiplexed_async_connection().await?;
    let mut command = redis::cmd("HMGET");
    command.arg(KEY).arg("data").arg("version");
    Ok(Client::Redis(connection, command))
}

async fn postgres(port: u16) -> Result<Client> {
    let (client, connection) = tokio_postgres::connect(&postgres_at(port), NoTls).await?;
    tokio::spawn(connection);
    let sql = "SELECT value, etag::text FROM state WHERE key = $1";
    let statement = client.prepare(sql).await?;
    Ok(Client::Postgres(client, statement))
}

async fn socket(port: u16) -> Result<TcpStream> {
    let stream = TcpStream::connect(local(port)).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

async fn memcached(port: u16) -> Result<Exchange> {
    let question = format!("mg {KEY} v c\r\n");
    Exchange::open(socket(port).await?, question.into_bytes()).await
}

/// The gateway of JSON, which the driver asks, too.
async fn etcd(port: u16) -> Result<Exchange> {
    // `bench/meter||meter` in base64.
    let body = r#"{"key":"YmVuY2gvbWV0ZXJ8fG1ldGVy"}"#;
    let question = format!(
        "POST /v3/kv/range HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        local(port),
        body.len()
    );
    Exchange::open(socket(port).await?, question.into_bytes()).await
}

async fn nats(port: u16) -> Result<Exchange> {
    let mut stream = socket(port).await?;
    let begin = "CONNECT {\"verbose\":false,\"headers\":true}\r\nSUB bench.answers 1\r\nPING\r\n";
    let said = talk(&mut stream, begin.as_bytes()).await?;
    let is_known = said.ends_with(b"PONG\r\n");
    ensure!(is_known, "NATS does not take the bare client's login");
    let body = format!(r#"{{"last_by_subj":"$KV.{SPACE}.meter.meter"}}"#);
    let question = format!(
        "PUB $JS.API.STREAM.MSG.GET.KV_{SPACE} bench.answers {}\r\n{body}\r\n",
        body.len()
    );
    Exchange::open(stream, question.into_bytes()).await
}

/// A prepared statement, after a login as `root`, who has no password there.
async fn mariadb(port: u16) -> Result<Exchange> {
    let mut stream = socket(port).await?;
    talk(&mut stream, b"").await.context("a greeting")?;
    // Protocol 4.1, transactions, a proof of a length in one byte, the name of the way to prove.
    let abilities: u32 = 1 << 9 | 1 << 13 | 1 << 15 | 1 << 19;
    let mut login = abilities.to_le_bytes().to_vec();
    login.extend_from_slice(&(16_u32 << 20).to_le_bytes());
    // UTF-8 in the order of bytes.
    login.push(46);
    login.extend_from_slice(&[0; 23]);
    login.extend_from_slice(b"root\0\0mysql_native_password\0");
    fine(&talk(&mut stream, &packet(1, &login)).await?)?;
    let sql = b"\x16SELECT value, eTag FROM dapr_state_store.state WHERE id = ?";
    let prepared = talk(&mut stream, &packet(0, sql)).await?;
    fine(&prepared)?;
    let id = prepared.get(5..9).context("the number of a statement")?;
    // The order to execute, once, with one value that is no NULL, and is a text.
    let mut question = [&[0x17], id, &[0, 1, 0, 0, 0, 0, 1, 0xfd, 0]].concat();
    question.push(u8::try_from(KEY.len())?);
    question.extend_from_slice(KEY.as_bytes());
    Exchange::open(stream, packet(0, &question)).await
}

fn packet(number: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap_or_default();
    let mut packet = length.to_le_bytes().to_vec();
    packet[3] = number;
    packet.extend_from_slice(payload);
    packet
}

/// Checks that the first packet of an answer is no error.
fn fine(answer: &[u8]) -> Result<()> {
    match answer.get(4) {
        Some(0) => Ok(()),
        _ => bail!("MariaDB says {}", answer.escape_ascii()),
    }
}
