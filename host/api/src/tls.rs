//! TLS of the front door: the handshake of a connection, within bounds of its own.

pub(crate) mod authority;
mod certificates;
mod pair;
#[cfg(test)]
mod tests;

pub use certificates::Certificates;

use crate::serve::{Client, Identity, Layer, Secured};
use certificates::Chosen;
use std::{io, net::IpAddr, sync::Arc};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::{LazyConfigAcceptor, rustls::server::Acceptor, server::TlsStream};
use wythe_blocks::connections::{Allowed, Connections};

/// Handshakes at once, each with up to 64 KiB of what its client says. Where there are more, the oldest one ends.
const HANDSHAKES: usize = 1_024;

/// The layer of TLS.
#[derive(Clone)]
pub struct Tls {
    certificates: Arc<Certificates>,
    handshakes: Arc<Connections>,
}

impl Tls {
    pub fn new(certificates: Arc<Certificates>) -> Self {
        Tls {
            certificates,
            handshakes: Connections::new("TLS handshakes", Allowed::shared(HANDSHAKES)),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Layer<S> for Tls {
    type Stream = TlsStream<S>;

    async fn open(self, stream: S, address: IpAddr) -> Option<(TlsStream<S>, Client)> {
        let permit = self.handshakes.admit(Some(address))?;
        let accepted = tokio::select! {
            accepted = accept(&self.certificates, stream) => accepted,
            () = permit.evicted() => return None,
        };
        // A client that speaks otherwise has read an alert.
        let (stream, chosen) = accepted
            .inspect_err(|error| tracing::debug!("a TLS handshake failed: {error}"))
            .ok()?;
        let session = stream.get_ref().1;
        let certificates = session.peer_certificates().unwrap_or_default();
        // A session that is resumed brings the certificates of its first handshake, which may be over since.
        if let Some(why) = certificates
            .iter()
            .find_map(|one| pair::check_time(one).err())
        {
            tracing::debug!("a client's certificate {why}");
            return None;
        }
        let identity = certificates.first().map(|shown| Identity {
            name: authority::name(shown),
            authority: chosen.authority().cloned(),
        });
        let secured = Some(Secured {
            owner: chosen.owner,
        });
        let client = Client {
            identity,
            ..Client::new(address, secured)
        };
        Some((stream, client))
    }
}

/// Shakes hands by the configuration for the name that the client asks for. It says the same name to the end (RFC 8446,
/// section 4.1.2).
async fn accept<S: AsyncRead + AsyncWrite + Unpin>(
    certificates: &Certificates,
    stream: S,
) -> io::Result<(TlsStream<S>, Chosen)> {
    let start = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
    let chosen = certificates.choose(start.client_hello().server_name());
    let config = chosen.config.clone();
    let nobody = || io::Error::other("no authority of the tenant's clients is in force");
    let stream = start.into_stream(config.ok_or_else(nobody)?).await?;
    Ok((stream, chosen))
}
