//! TLS of the front door: the handshake of a connection, within bounds of its own.

pub(crate) mod authority;
mod certificates;
mod pair;
mod standing;
#[cfg(test)]
mod tests;
mod trust;

pub use certificates::Certificates;
pub use standing::Standing;

use crate::serve::{Client, Identity, Layer, Secured};
use certificates::Chosen;
use standing::{Checked, Shown};
use std::{io, net::IpAddr, sync::Arc};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::{
    LazyConfigAcceptor,
    rustls::{HandshakeKind, ServerConnection, pki_types::UnixTime, server::Acceptor},
    server::TlsStream,
};
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
        let (stream, chosen, checked) = accepted
            .inspect_err(|error| tracing::debug!("a TLS handshake failed: {error}"))
            .ok()?;
        let client = self.client(stream.get_ref().1, chosen, checked, address)?;
        Some((stream, client))
    }
}

impl Tls {
    /// The client of a connection whose handshake is over; none where it is not let in after all: a session that is resumed
    /// brings the certificates of its first handshake, which nobody has checked since.
    fn client(
        &self,
        session: &ServerConnection,
        chosen: Chosen,
        checked: Option<Checked>,
        address: IpAddr,
    ) -> Option<Client> {
        let chain = session.peer_certificates().unwrap_or_default();
        if let Some(why) = chain.iter().find_map(|one| pair::check_time(one).err()) {
            tracing::debug!("a client's certificate {why}");
            return None;
        }
        let identity = chain.first().map(|shown| Identity {
            name: authority::name(shown),
            authority: chosen.authority().cloned(),
        });
        let is_whole = session.handshake_kind() != Some(HandshakeKind::Resumed);
        let shown = match chain {
            [] => None,
            _ => Some(Shown::new(
                chain,
                chosen.asked.is_own,
                checked.filter(|_| is_whole),
            )?),
        };
        let certificates = self.certificates.clone();
        let standing = Standing::new(certificates, chosen.owner.clone(), shown);
        if !standing.holds(UnixTime::now()) {
            tracing::debug!("no authority in force vouches for a client any more");
            return None;
        }
        let secured = Secured {
            owner: chosen.owner,
            standing: Arc::new(standing),
        };
        Some(Client {
            identity,
            ..Client::new(address, Some(secured))
        })
    }
}

/// Shakes hands by the configuration for the name that the client asks for, and says which check a whole handshake did. The
/// client says the same name to the end (RFC 8446, section 4.1.2).
async fn accept<S: AsyncRead + AsyncWrite + Unpin>(
    certificates: &Certificates,
    stream: S,
) -> io::Result<(TlsStream<S>, Chosen, Option<Checked>)> {
    let start = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
    let chosen = certificates.choose(start.client_hello().server_name());
    let nobody = || io::Error::other("no authority of the tenant's clients is in force");
    let chosen = chosen.ok_or_else(nobody)?;
    let trust = chosen.asked.trust.as_ref();
    let checked = trust.map(|trust| Checked::by_handshake(trust, UnixTime::now()));
    let stream = start.into_stream(chosen.config.clone()).await?;
    Ok((stream, chosen, checked))
}
