//! The layer between a connection and its HTTP: nothing, or a handshake that comes first.

use std::{future::Future, net::IpAddr, sync::Arc};
use tokio::io::{AsyncRead, AsyncWrite};
use wythe_blocks::connections::Permit;

/// The client of a connection, as far as the connection tells of it.
#[derive(Clone)]
pub struct Client {
    pub address: IpAddr,
    /// TLS, where that is spoken.
    pub secured: Option<Secured>,
    /// The name in the certificate that the client showed, and that the authority of clients has signed.
    pub identity: Option<Arc<str>>,
    /// The permit of its connection; absent before there is a request.
    pub permit: Option<Arc<Permit>>,
}

impl Client {
    /// A client that has not asked for anything yet.
    pub fn new(address: IpAddr, secured: Option<Secured>) -> Self {
        Client {
            address,
            secured,
            identity: None,
            permit: None,
        }
    }
}

/// A connection of TLS.
#[derive(Clone)]
pub struct Secured {
    /// The host name that the client asked for (SNI); absent where it named none, as for an address.
    pub name: Option<Arc<str>>,
}

/// The way from a connection to the stream that HTTP is read from.
pub trait Layer<S>: Clone + Send + 'static {
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// Opens a connection; none where the client is not understood. It takes as long as the client does.
    fn open(
        self,
        stream: S,
        address: IpAddr,
    ) -> impl Future<Output = Option<(Self::Stream, Client)>> + Send;
}

/// HTTP alone.
#[derive(Clone, Copy)]
pub struct Plain;

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Layer<S> for Plain {
    type Stream = S;

    async fn open(self, stream: S, address: IpAddr) -> Option<(S, Client)> {
        Some((stream, Client::new(address, None)))
    }
}
