//! The standing of a connection: whether its client would be let in now as it was when the connection was opened.

use super::{Certificates, pair::end, trust::Trust};
use parking_lot::Mutex;
use std::sync::Arc;
use tokio_rustls::rustls::{
    pki_types::{CertificateDer, UnixTime},
    server::danger::ClientCertVerifier,
};
use wythe_manifest::Name;

/// The standing of a connection of TLS, which each of its requests is asked about: certificates end, and authorities are others,
/// while a connection goes on.
pub struct Standing {
    certificates: Arc<Certificates>,
    /// The tenant that had the name which the client asked for.
    owner: Option<Name>,
    shown: Option<Shown>,
}

/// The certificates that a client showed: its own, and those of its issuers. Handshakes bound them.
pub struct Shown {
    chain: Vec<CertificateDer<'static>>,
    /// The end of the one that ends first.
    end: UnixTime,
    /// True where an authority of the tenant's own had to vouch for them, false for that of the host.
    is_own: bool,
    checked: Mutex<Option<Checked>>,
}

/// A check of certificates: by whom, after how many certificates of his had ended, and what came of it.
pub struct Checked {
    trust: Arc<Trust>,
    ended: usize,
    is_good: bool,
}

impl Checked {
    /// A check that a whole handshake, which begins now, does.
    pub fn by_handshake(trust: &Arc<Trust>, now: UnixTime) -> Self {
        Checked {
            trust: trust.clone(),
            ended: trust.ended(now),
            is_good: true,
        }
    }
}

impl Shown {
    /// Takes the certificates of a client, and the check that was done of them already; none where it showed none of which
    /// the end is known.
    pub fn new(
        chain: &[CertificateDer<'_>],
        is_own: bool,
        checked: Option<Checked>,
    ) -> Option<Self> {
        let ends: Option<Vec<UnixTime>> = chain.iter().map(end).collect();
        Some(Shown {
            chain: chain.iter().map(|one| one.clone().into_owned()).collect(),
            end: ends?.into_iter().min()?,
            is_own,
            checked: Mutex::new(checked),
        })
    }

    /// Says whether an authority vouches for the client at this time. A check is done once, until the authority is another one
    /// or one of its certificates ends.
    fn is_by(&self, trust: &Arc<Trust>, now: UnixTime) -> bool {
        let ended = trust.ended(now);
        if self.end < now {
            return false;
        }
        let Some((own, others)) = self.chain.split_first() else {
            return false;
        };
        let mut checked = self.checked.lock();
        if let Some(known) = &*checked
            && Arc::ptr_eq(&known.trust, trust)
            && known.ended == ended
        {
            return known.is_good;
        }
        let is_good = trust.verify_client_cert(own, others, now).is_ok();
        *checked = Some(Checked {
            trust: trust.clone(),
            ended,
            is_good,
        });
        is_good
    }
}

impl Standing {
    pub fn new(certificates: Arc<Certificates>, owner: Option<Name>, shown: Option<Shown>) -> Self {
        Standing {
            certificates,
            owner,
            shown,
        }
    }

    /// Says whether a handshake at this time for the same name would let the same client in.
    pub fn holds(&self, now: UnixTime) -> bool {
        let Some(asked) = self.certificates.asked(self.owner.as_ref()) else {
            return false;
        };
        match (&self.shown, &asked.trust) {
            (Some(shown), Some(trust)) => shown.is_own == asked.is_own && shown.is_by(trust, now),
            (Some(_), None) => false,
            (None, trust) => !trust.as_ref().is_some_and(|trust| trust.is_required()),
        }
    }

    /// Says whether the host itself requires a certificate of its clients.
    pub fn host_requires(&self) -> bool {
        self.certificates.host_requires()
    }
}
