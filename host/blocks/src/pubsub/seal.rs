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

/// Keys of the host: it seals with the first, and believes what was sealed with any.
pub(crate) struct Seal(Vec<[u8; 32]>);

/// The context of keys that are derived from a secret of several hosts.
const SHARED: &str = "wythe pubsub seal of several hosts";

impl Seal {
    pub fn new(key: [u8; 32]) -> Self {
        Seal(vec![key])
    }

    /// Seals from now on with a key that several hosts have, each of which believes the others.
    pub fn sharing(mut self, key: [u8; 32]) -> Self {
        self.0.insert(0, key);
        self
    }

    /// Believes what was sealed with another key, too.
    pub fn believing(mut self, key: [u8; 32]) -> Self {
        self.0.push(key);
        self
    }

    fn own(&self) -> &[u8; 32] {
        &self.0[0]
    }

    fn tag<'a>(
        key: &[u8; 32],
        kind: &'a str,
        scope: SealScope<'a>,
        parts: impl Iterator<Item = &'a [u8]>,
    ) -> Hash {
        let mut hasher = Hasher::new_keyed(key);
        let head = [kind, scope.tenant, scope.component, scope.topic];
        for part in head.map(str::as_bytes).into_iter().chain(parts) {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        hasher.finalize()
    }

    /// Ends an envelope that is open, `{"specversion":..`, with its seal.
    pub fn end(&self, scope: SealScope, envelope: &mut Vec<u8>) {
        let tag = Self::tag(
            self.own(),
            "envelope",
            scope,
            std::iter::once(envelope.as_slice()),
        );
        envelope.extend(BEFORE.as_bytes());
        envelope.extend(tag.to_hex().as_bytes());
        envelope.extend(AFTER.as_bytes());
    }

    /// The envelope before its seal, still open; none where the seal is missing or another one.
    pub fn sealed<'a>(&self, scope: SealScope, data: &'a [u8]) -> Option<&'a [u8]> {
        let (envelope, found) = parts(data)?;
        // Hash compares in constant time.
        let is_tag = |key| Self::tag(key, "envelope", scope, std::iter::once(envelope)) == found;
        self.0.iter().any(is_tag).then_some(envelope)
    }

    /// Seals what the host says of a raw message in its attributes, and all of its data.
    pub fn mark(&self, scope: SealScope, message: &mut Message) {
        message.attributes.retain(|(name, _)| name != NAME);
        if marks(message).next().is_some() {
            let tag = Self::mark_tag(self.own(), scope, message);
            let tag = tag.to_hex().to_string();
            message.attributes.push((NAME.to_owned(), tag));
        }
    }

    /// Returns whether the attributes of a raw message that are the host's are believed.
    pub fn is_marked(&self, scope: SealScope, message: &Message) -> bool {
        let mut attributes = message.attributes.iter();
        let tag = attributes.find(|(name, _)| name == NAME);
        let tag = tag.and_then(|(_, tag)| Hash::from_hex(tag).ok());
        let is_tag = |tag| {
            self.0
                .iter()
                .any(|key| Self::mark_tag(key, scope, message) == tag)
        };
        tag.is_some_and(is_tag)
    }

    fn mark_tag(key: &[u8; 32], scope: SealScope, message: &Message) -> Hash {
        let said = marks(message).flat_map(|(name, value)| [name.as_bytes(), value.as_bytes()]);
        let whole = [message.content_type.as_bytes(), &message.data];
        Self::tag(key, "message", scope, whole.into_iter().chain(said))
    }
}

/// The key that hosts with one secret have.
pub(super) fn derived(secret: &str) -> [u8; 32] {
    blake3::derive_key(SHARED, secret.as_bytes())
}

/// An envelope before its seal, and the seal; none where there is none.
fn parts(data: &[u8]) -> Option<(&[u8], Hash)> {
    let size = BEFORE.len() + DIGITS + AFTER.len();
    let (envelope, end) = data.split_at_checked(data.len().checked_sub(size)?)?;
    let tag = end
        .strip_prefix(BEFORE.as_bytes())?
        .strip_suffix(AFTER.as_bytes())?;
    Some((envelope, Hash::from_hex(tag).ok()?))
}

/// Returns whether a message has a seal, whoever made it.
pub(super) fn has_seal(message: &Message) -> bool {
    parts(&message.data).is_some()
}

fn marks(message: &Message) -> impl Iterator<Item = &(String, String)> {
    let attributes = message.attributes.iter();
    attributes.filter(|(name, _)| HOST.contains(&name.as_str()))
}
