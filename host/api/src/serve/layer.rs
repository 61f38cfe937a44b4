//! The layer between a connection and its HTTP: nothing, or a handshake that comes first.

use crate::tls::Standing;
use std::{future::Future, net::IpAddr, sync::Arc};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::rustls::pki_types::UnixTime;
use wythe_blocks::{Destination, KnownBy, connections::Permit};
use wythe_manifest::{ClientName, Name};

/// The client of a connection, as far as the connection tells of it.
#[derive(Clone)]
pub struct Client {
    pub address: IpAddr,
    /// TLS, where that is spoken.
    pub secured: Option<Secured>,
    /// The certificate that the client showed.
    pub identity: Option<Identity>,
    /// True for one whose request another host passes on, by which it was let in and named.
    pub is_passed_on: bool,
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
            is_passed_on: false,
            permit: None,
        }
    }
}

/// A connection of TLS.
#[derive(Clone)]
pub struct Secured {
    /// The tenant that had the host name which the client asked for (SNI) when the connection was opened; absent where nobody
    /// had it, or the client named none, as for an address.
    pub owner: Option<Name>,
    /// The certificate that its client showed, or the lack of one, and who has a word about that now.
    pub standing: Arc<Standing>,
}

/// A certificate of a client, which an authority has signed.
#[derive(Clone)]
pub struct Identity {
    /// The name in it; absent where it has none that can be passed on.
    pub name: Option<ClientName>,
    /// The tenant whose own authority it is; absent for that of the host.
    pub authority: Option<Name>,
}

/// The want of a certificate that a tenant, or the host, requires.
#[derive(Debug)]
pub struct Uncertified;

impl Client {
    /// Says whether a connection that was opened now, for the same name and by the same client, would be let in. One that is
    /// not, as its certificate has ended or another authority is in force, ends with the requests that are under way.
    pub fn stands(&self) -> bool {
        let secured = self.secured.as_ref();
        let stands = secured.is_none_or(|secured| secured.standing.holds(UnixTime::now()));
        if let (false, Some(permit)) = (stands, &self.permit) {
            permit.finish();
        }
        stands
    }

    /// The name by which a tenant knows the client; none where another authority than the tenant's says who it is. An error
    /// where the client shows no certificate to the authority of the tenant that requires one: its own, or over HTTPS that of
    /// the host.
    pub fn known_to(&self, place: &Destination) -> Result<Option<&str>, Uncertified> {
        let identity = self.identity.as_ref();
        let (is_own, is_required) = match place.clients() {
            _ if self.is_passed_on => return Ok(identity.and_then(Identity::name)),
            KnownBy::Host => (false, self.is_asked_by_host()),
            KnownBy::Tenant { is_required } => (true, is_required),
        };
        let authority = place.tenant().filter(|_| is_own);
        let identity = identity.filter(|identity| identity.authority.as_ref() == authority);
        match (is_required, identity) {
            (true, None) => Err(Uncertified),
            _ => Ok(identity.and_then(Identity::name)),
        }
    }

    fn is_asked_by_host(&self) -> bool {
        let secured = self.secured.as_ref();
        secured.is_some_and(|secured| secured.standing.host_requires())
    }
}

impl Identity {
    fn name(&self) -> Option<&str> {
        self.name.as_ref().map(ClientName::as_str)
    }
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
