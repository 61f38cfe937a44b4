//! The operator's keys of minisign: one of them must have signed each component file that a tenant runs.

use std::fmt;
use std::str::{self, FromStr};
use std::sync::Arc;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use minisign_verify::{Error, PublicKey, Signature};

use super::Allowed;
use crate::reader::{At, Fields};
use crate::yaml::Content;

/// The extension of a signature's file, after the name of the component file that it is beside.
pub const SIGNATURE_EXTENSION: &str = "minisig";

/// Keys of one tenant: more than a team has, and few enough to be tried one after the other.
const MAX_KEYS: usize = 16;

/// A public key of minisign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SigningKey(PublicKey);

/// The keys that count for a tenant, and the place where the operator wrote them. There is at least one.
pub type SigningKeys = Allowed<SigningKey>;

/// The reason why a signature does not count; displayed after "its signature".
#[derive(Debug, PartialEq, Eq)]
pub enum Unsigned {
    /// The bytes of the signature are of another form.
    Malformed,
    /// The signature is over the bytes themselves, and not over their hash.
    Legacy,
    /// The key of this id made it, which is none of those that count.
    Foreign(String),
    /// The key of this id is one that counts, and did not sign these bytes.
    Changed(String),
}

impl SigningKeys {
    /// Checks that one of the keys signed exactly these bytes, by the content of a signature's file.
    pub fn check(&self, bytes: &[u8], signature: &[u8]) -> Result<(), Unsigned> {
        let (signature, id) = decoded(signature).ok_or(Unsigned::Malformed)?;
        let mut is_known = false;
        for SigningKey(key) in &self.entries {
            // Of a key with another id nothing is hashed.
            match key.verify(bytes, &signature, false) {
                Ok(()) => return Ok(()),
                Err(Error::UnexpectedAlgorithm) => return Err(Unsigned::Legacy),
                Err(Error::UnexpectedKeyId) => {}
                Err(_) => is_known = true,
            }
        }
        Err(match is_known {
            true => Unsigned::Changed(id),
            false => Unsigned::Foreign(id),
        })
    }
}

/// A signature, and the id of its key as minisign shows it.
fn decoded(signature: &[u8]) -> Option<(Signature, String)> {
    let text = str::from_utf8(signature).ok()?;
    let decoded = Signature::decode(text).ok()?;
    let bytes = BASE64_STANDARD.decode(text.lines().nth(1)?).ok()?;
    let id = bytes.get(2..10)?.try_into().ok()?;
    Some((decoded, format!("{:016X}", u64::from_le_bytes(id))))
}

impl fmt::Display for Unsigned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => f.write_str("is none of minisign's"),
            Self::Legacy => f.write_str(
                "is of minisign's legacy form; sign without `-l`, by minisign 0.10 or later",
            ),
            Self::Foreign(id) => write!(f, "is by the key {id}, which is none of the operator's"),
            Self::Changed(id) => write!(
                f,
                "by the key {id} is of other bytes, or was changed itself"
            ),
        }
    }
}

/// The text is not shown where it is wrong: it may be the secret key.
impl FromStr for SigningKey {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let key = PublicKey::from_base64(text);
        key.map(SigningKey).map_err(|_| {
            "not a public key of minisign; expected the second line of its file `.pub`, which begins with `RW`"
        })
    }
}

/// Reads the keys of a document. A list without one is an error, as nothing after the key is: what was left out by
/// mistake may not mean that nothing need be signed.
pub(super) fn read(spec: &Fields) -> Option<Arc<SigningKeys>> {
    let at = spec.written("signingKeys")?;
    let items = at.items();
    if matches!(&at.node.content, Content::List(items) if items.is_empty()) {
        at.error("expected keys, found none; leave `signingKeys` out where nothing need be signed");
    }
    if items.len() > MAX_KEYS {
        let count = items.len();
        at.error(&format!("expected at most {MAX_KEYS} keys, found {count}"));
    }
    let keys = items.iter().take(MAX_KEYS).filter_map(At::parse);
    Some(Arc::new(Allowed {
        entries: keys.collect(),
        source: at.source(),
    }))
}
