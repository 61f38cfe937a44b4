//! Accepting: a connection that has a permit comes out, whatever the operating system says meanwhile.

use super::{Connections, Permit};
use std::{future::Future, io, net::IpAddr, sync::Arc, time::Duration};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

/// Wait after an accept that failed, say for want of file descriptors: it fails at once, again and again.
const PAUSE: Duration = Duration::from_millis(50);

/// Source of connections.
pub trait Listener: Sync {
    type Stream: Send;

    /// The next connection, and whose it is where that is known.
    fn next(&self) -> impl Future<Output = io::Result<(Self::Stream, Option<IpAddr>)>> + Send;
}

impl Listener for TcpListener {
    type Stream = TcpStream;

    async fn next(&self) -> io::Result<(TcpStream, Option<IpAddr>)> {
        let (stream, peer) = self.accept().await?;
        let _ = stream.set_nodelay(true);
        Ok((stream, Some(peer.ip())))
    }
}

impl Listener for UnixListener {
    type Stream = UnixStream;

    async fn next(&self) -> io::Result<(UnixStream, Option<IpAddr>)> {
        Ok((self.accept().await?.0, None))
    }
}

impl Connections {
    /// The next connection that has a permit, and its peer. One that has none is closed unanswered. Where the process
    /// has no descriptor left, idle connections are closed, one at a time.
    pub async fn accept<L: Listener>(
        self: &Arc<Self>,
        listener: &L,
    ) -> (L::Stream, Option<IpAddr>, Permit) {
        loop {
            match listener.next().await {
                Ok((stream, peer)) => {
                    if let Some(permit) = self.admit(peer) {
                        return (stream, peer, permit);
                    }
                    self.say("refused, for all places are in use");
                }
                Err(error) if is_of_one(&error) => {}
                Err(error) => {
                    self.say(&format!("not accepted: {error}"));
                    self.make_room();
                    tokio::time::sleep(PAUSE).await;
                }
            }
            // Those that were closed to make room have a turn to go.
            tokio::task::yield_now().await;
        }
    }

    fn say(&self, what: &str) {
        if let Some(unsaid) = self.refused.allows() {
            let (name, open) = (self.name, self.open());
            tracing::warn!(open, unsaid, "a connection of the {name} was {what}");
        }
    }
}

/// The connection is gone before it came; others are not concerned.
fn is_of_one(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    [
        ConnectionAborted,
        ConnectionRefused,
        ConnectionReset,
        Interrupted,
    ]
    .contains(&error.kind())
}
