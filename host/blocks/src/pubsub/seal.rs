//! Proof that an event comes from this host: a keyed BLAKE3 of its envelope, or of what the host says of a raw message.
//!
//! A seal holds for one topic of one component of one tenant, so that it proves nothing anywhere else. Apps never
//! see a seal, and cannot make one: what a broker, a plugin or a raw publish brings without one has no source.

use super::Message;
use blake3::{Hash, Hasher};

/// The attribute that holds the seal: the last one of an envelope.
pub(super) const NAME: &str = "wytheseal";
const BEFORE: &str = ",\"wytheseal\":\"";
const AFTER: &str = "\"}";
/// Hexadecimal digits of a seal.
const DIGITS: usize = 64;

/// Attributes of a raw message that the host sets.
pub(super) const HOST: [&str; 4] = [
    "expiration",
    "deadletterreason",
    "deadlettertopic",
    "deadletterattempts",
];

/// The scope of a seal.
#[derive(Clone, Copy)]
pub(crate) struct SealScope<'a> {
    pub tenant: &'a str,
    pub component: &'a str,
    pub topic: &'a str,
}

/// The host's key.
pub(crate) struct Seal([u8; 32]);

impl Seal {
    pub fn new(key: [u8; 32]) -> Self {
        Seal(key)
    }

    fn tag<'a>(
        &self,
        kind: &'a str,
        scope: SealScope<'a>,
        parts: impl Iterator<Item = &'a [u8]>,
    ) -> Hash {
        let mut hasher = Hasher::new_keyed(&self.0);
        let head = [kind, scope.tenant, scope.component, scope.topic];
        for part in head.map(str::as_bytes).into_iter().chain(parts) {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        hasher.finalize()
    }

    /// Ends an envelope that is open, `{"specversion":..`, with its seal.
    pub fn end(&self, scope: SealScope, envelope: &mut Vec<u8>) {
        let tag = self.tag("envelope", scope, std::iter::once(envelope.as_slice()));
        envelope.extend(BEFORE.as_bytes());
        envelope.extend(tag.to_hex().as_bytes());
        envelope.extend(AFTER.as_bytes());
    }

    /// The envelope before its seal, still open; none where the seal is missing or another one.
    pub fn sealed<'a>(&self, scope: SealScope, data: &'a [u8]) -> Option<&'a [u8]> {
        let size = BEFORE.len() + DIGITS + AFTER.len();
        let (envelope, end) = data.split_at_checked(data.len().checked_sub(size)?)?;
        let tag = end
            .strip_prefix(BEFORE.as_bytes())?
            .strip_suffix(AFTER.as_bytes())?;
        // Hash compares in constant time.
        let expected = self.tag("envelope", scope, std::iter::once(envelope));
        (expected == Hash::from_hex(tag).ok()?).then_some(envelope)
    }

    /// Seals what the host says of a raw message in its attributes, and all of its data.
    pub fn mark(&self, scope: SealScope, message: &mut Message) {
        message.attributes.retain(|(name, _)| name != NAME);
        if marks(message).next().is_some() {
            let tag = self.mark_tag(scope, message);
            let tag = tag.to_hex().to_string();
            message.attributes.push((NAME.to_owned(), tag));
        }
    }

    /// Returns whether the attributes of a raw message that are the host's are believed.
    pub fn is_marked(&self, scope: SealScope, message: &Message) -> bool {
        let mut attributes = message.attributes.iter();
        let tag = attributes.find(|(name, _)| name == NAME);
        let tag = tag.and_then(|(_, tag)| Hash::from_hex(tag).ok());
        tag.is_some_and(|tag| tag == self.mark_tag(scope, message))
    }

    fn mark_tag(&self, scope: SealScope, message: &Message) -> Hash {
        let said = marks(message).flat_map(|(name, value)| [name.as_bytes(), value.as_bytes()]);
        let whole = [message.content_type.as_bytes(), &message.data];
        self.tag("message", scope, whole.into_iter().chain(said))
    }
}

fn marks(message: &Message) -> impl Iterator<Item = &(String, String)> {
    let attributes = message.attributes.iter();
    attributes.filter(|(name, _)| HOST.contains(&name.as_str()))
}
