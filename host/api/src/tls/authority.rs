//! The authority of clients' certificates, from a file of PEM, and the name that a certificate is for.

#[cfg(any(fuzzing, test))]
pub(crate) mod fuzzing;

use super::{
    pair::{LARGEST, is_settled},
    trust::Trust,
};
use std::sync::Arc;
use tokio_rustls::rustls::pki_types::{CertificateDer, pem::PemObject};
use webpki::EndEntityCert;
use wythe_blocks::{Error, Result};
use wythe_manifest::{ClientAuthority, ClientName, OpenFile, Same, Stamp};

/// Certificates of an authority.
const CERTIFICATES: usize = 100;

/// An authority as it is in force, and what its file said last.
pub struct Authority {
    written: ClientAuthority,
    /// The stamp of the file that was read last; none where it is to be read again whatever that is.
    stamp: Option<Stamp>,
    /// The certificates in force: another value for each time that a file is read and good.
    trust: Option<Arc<Trust>>,
    wrong: Option<String>,
}

impl Authority {
    /// Reads the file for the first time, as it is.
    pub fn read(written: &ClientAuthority) -> Self {
        let mut authority = Authority {
            written: written.clone(),
            stamp: None,
            trust: None,
            wrong: None,
        };
        authority.take(open(written));
        authority
    }

    /// Reads the file again where it is another one than before; true where something else is in force then. A file that is
    /// being written is left for the next look, and one that is wrong changes nothing.
    pub fn look(&mut self, written: &ClientAuthority) -> bool {
        if !self.written.is_same(written) {
            self.stamp = None;
        }
        self.written = written.clone();
        let opened = open(written);
        let stamp = opened.as_ref().ok().map(OpenFile::stamp);
        if stamp.is_some_and(|now| self.stamp == stamp || !is_settled(&now)) {
            return false;
        }
        self.take(opened)
    }

    /// The certificates in force; none where there was no good file at any time.
    pub fn trust(&self) -> Option<&Arc<Trust>> {
        self.trust.as_ref()
    }

    /// The problem of the file, else that of what is in force.
    pub fn problem(&self) -> Option<Error> {
        let file = self.written.file.display();
        let of_trust = || self.trust.as_ref()?.problem();
        let wrong = self.wrong.clone().or_else(of_trust)?;
        let message = format!("the authority of clients `{file}` {wrong}");
        Some(Error::invalid(message).at(&self.written.source))
    }

    fn take(&mut self, opened: Result<OpenFile, String>) -> bool {
        let stamp = opened.as_ref().ok().map(OpenFile::stamp);
        let read = opened.and_then(|file| read(file, self.written.is_required));
        let is_good = read.is_ok();
        match read {
            Ok(trust) => {
                self.trust = Some(Arc::new(trust));
                (self.stamp, self.wrong) = (stamp.filter(is_settled), None);
            }
            // It is read again at each look: time alone may mend it.
            Err(wrong) => (self.stamp, self.wrong) = (None, Some(wrong)),
        }
        is_good
    }
}

fn open(written: &ClientAuthority) -> Result<OpenFile, String> {
    let opened = OpenFile::open(None, &written.file);
    opened.map_err(|why| format!("cannot be read: {why}"))
}

/// An error ends a sentence that begins with the name of the file.
fn read(file: OpenFile, is_required: bool) -> Result<Trust, String> {
    let pem = file.read(LARGEST);
    let pem = pem.map_err(|why| format!("cannot be read: {why}"))?;
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let all = all.map_err(|_| "is no whole PEM; write it anew".to_owned())?;
    if all.is_empty() || all.len() > CERTIFICATES {
        return Err(format!(
            "has {} certificates in PEM; expected 1 to {CERTIFICATES}, with `BEGIN CERTIFICATE`",
            all.len()
        ));
    }
    Trust::new(all, is_required)
}

/// The name in a certificate that was checked: its first URI, else its first host name, else its subject's common name. None
/// where policies could not name it, nor a header or a line of the log have it as it is.
pub fn name(certificate: &CertificateDer<'_>) -> Option<ClientName> {
    let parsed = EndEntityCert::try_from(certificate).ok()?;
    let mut uris = parsed.valid_uri_names().map(|uri| format!("uri:{uri}"));
    let mut hosts = parsed.valid_dns_names().map(|host| format!("dns:{host}"));
    let named = uris.next().or_else(|| hosts.next());
    let named = named.or_else(|| Some(format!("cn:{}", common_name(parsed.subject())?)));
    named?.parse().ok()
}

/// The common name of a subject (X.501): sets of pairs of an object identifier and a text.
fn common_name(subject: &[u8]) -> Option<&str> {
    /// 2.5.4.3 in DER.
    const COMMON_NAME: &[u8] = &[0x55, 4, 3];
    let mut sets = subject;
    while !sets.is_empty() {
        let (set, rest) = element(sets)?;
        sets = rest;
        let mut pairs = set;
        while !pairs.is_empty() {
            let (pair, rest) = element(pairs)?;
            pairs = rest;
            let (kind, value) = element(pair)?;
            if kind == COMMON_NAME {
                return std::str::from_utf8(element(value)?.0).ok();
            }
        }
    }
    None
}

/// The content of the first element in DER, and what is after it; lengths of up to two bytes do.
fn element(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, content) = match der {
        [_, short @ 0..=0x7f, rest @ ..] => (usize::from(*short), rest),
        [_, 0x81, length, rest @ ..] => (usize::from(*length), rest),
        [_, 0x82, high, low, rest @ ..] => (usize::from(*high) << 8 | usize::from(*low), rest),
        _ => return None,
    };
    content.split_at_checked(length)
}
