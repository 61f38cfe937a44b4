//! One connection to the server, from its name to a session that was taken.

use crate::{fault, settings::Target};
use bytes::BytesMut;
use rumqttc::mqttbytes::{
    Error as Broken,
    v4::{ConnAck, Connect, ConnectReturnCode, Packet},
};
use std::{io, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    time::timeout,
};
use wythe_blocks::{Error, Result};
use wythe_net::reach;

/// Bytes of a packet that the server sends.
const PACKET: usize = 64 << 20;
/// The interval of signs of life, which the server is told.
pub(crate) const ALIVE: Duration = Duration::from_secs(10);

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// A connection; packets come whole, or not at all.
pub(crate) struct Link {
    stream: Box<dyn Stream>,
    read: BytesMut,
    limit: Duration,
}

impl Link {
    /// Connects within the time that the settings give.
    pub async fn open(target: &Target, id: &str, is_clean: bool) -> Result<Self> {
        let hint = match target.tls {
            None => "; does it want TLS? Then write `ssl://`",
            Some(_) => "; does it speak TLS on this port?",
        };
        let late = |_| {
            let limit = target.timeout;
            Error::unavailable(format!(
                "the server did not take a session within {limit:?}{hint}"
            ))
        };
        let opened = timeout(target.timeout, open(target, id, is_clean)).await;
        opened.map_err(late)?.map_err(|error| {
            let (address, chain) = (target.address(), error.chain());
            error.map_message(|_| format!("MQTT at {address}: {chain}"))
        })
    }

    /// Waits for the next packet. Dropping the future loses none.
    pub async fn next(&mut self) -> Result<Packet> {
        loop {
            match Packet::read(&mut self.read, PACKET) {
                Ok(packet) => return Ok(packet),
                Err(Broken::InsufficientBytes(_)) => {}
                Err(error) => return Err(fault::odd(error)),
            }
            let count = self.stream.read_buf(&mut self.read).await;
            if count.map_err(fault::broken)? == 0 {
                return Err(fault::broken(io::ErrorKind::UnexpectedEof.into()));
            }
        }
    }

    /// Sends a packet, whole or not at all; an error ends the connection.
    pub async fn send(&mut self, packet: &Packet) -> Result<()> {
        let mut bytes = BytesMut::new();
        packet.write(&mut bytes, usize::MAX).map_err(fault::odd)?;
        let sent = async {
            self.stream.write_all(&bytes).await?;
            self.stream.flush().await
        };
        let sent = timeout(self.limit, sent).await;
        let late = |_| Error::unavailable("the server does not read what it is sent");
        sent.map_err(late)?.map_err(fault::broken)
    }
}

async fn open(target: &Target, id: &str, is_clean: bool) -> Result<Link> {
    let stream = reach("url", &target.host, target.port).await?;
    let stream: Box<dyn Stream> = match &target.tls {
        None => Box::new(stream),
        Some(tls) => Box::new(tls.connect(&target.host, stream).await?),
    };
    let mut link = Link {
        stream,
        read: BytesMut::new(),
        limit: target.timeout,
    };
    let mut connect = Connect::new(id);
    connect.clean_session = is_clean;
    connect.keep_alive = u16::try_from(ALIVE.as_secs()).unwrap_or(u16::MAX);
    if let Some(user) = &target.user {
        let password = target.password.as_ref();
        let password = password.map_or("", |password| password.0.reveal());
        connect.set_login(user, password);
    }
    link.send(&Packet::Connect(connect)).await?;
    match link.next().await? {
        Packet::ConnAck(ConnAck {
            code: ConnectReturnCode::Success,
            ..
        }) => Ok(link),
        Packet::ConnAck(ConnAck { code, .. }) => Err(fault::of_login(code)),
        _ => Err(Error::unavailable(
            "the server answers a login with something else; is it MQTT 3.1.1?",
        )),
    }
}
