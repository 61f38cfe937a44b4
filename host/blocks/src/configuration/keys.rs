//! Keys that may be asked for, and the names that are made of them and of items: versions and subscription ids.

use super::Item;
use crate::{Error, Result};
use aws_lc_rs::digest::{Context, SHA256};
use wythe_manifest::Name;

/// Bytes of a key.
pub const MAX_KEY: usize = 1_024;
/// Keys of one call.
pub const MAX_KEYS: usize = 1_000;

/// Bytes of a digest that are shown: enough that no two meet by chance.
const SHOWN: usize = 16;

/// The keys in order and each once, if they are good.
pub(super) fn checked(keys: &[String]) -> Result<Vec<String>> {
    if keys.len() > MAX_KEYS {
        return Err(Error::invalid(format!(
            "{} configuration keys in one call; expected at most {MAX_KEYS}; ask in parts, or without keys for all items",
            keys.len()
        )));
    }
    keys.iter().try_for_each(|key| check(key))?;
    let mut keys = keys.to_vec();
    keys.sort_unstable();
    keys.dedup();
    Ok(keys)
}

fn check(key: &str) -> Result<()> {
    let size = key.len();
    if !(1..=MAX_KEY).contains(&size) {
        return Err(Error::invalid(format!(
            "a configuration key of {size} bytes; expected 1 to {MAX_KEY}"
        )));
    }
    if key.contains('\0') {
        return Err(Error::invalid(
            "a configuration key with a NUL; expected a text without it",
        ));
    }
    Ok(())
}

/// The version of items: equal for equal items, whenever and wherever it is made.
pub(super) fn version_of(items: &[Item]) -> String {
    let mut digest = Digest::new();
    for item in items {
        digest.add(&item.key);
        digest.add(&item.value);
        digest.add(&item.version);
        digest.count(item.metadata.len());
        for (name, value) in &item.metadata {
            digest.add(name);
            digest.add(value);
        }
    }
    digest.shown()
}

/// The id of a subscription, the same for the same app, component and keys.
pub(super) fn id_of(tenant: &Name, app: &Name, component: &str, keys: &[String]) -> String {
    let mut digest = Digest::new();
    let names = [tenant.as_str(), app.as_str(), component];
    names.iter().for_each(|name| digest.add(name));
    keys.iter().for_each(|key| digest.add(key));
    digest.shown()
}

struct Digest(Context);

impl Digest {
    fn new() -> Self {
        Digest(Context::new(&SHA256))
    }

    /// Adds a text with its length, so that no two lists of texts run together into one.
    fn add(&mut self, text: &str) {
        self.count(text.len());
        self.0.update(text.as_bytes());
    }

    fn count(&mut self, count: usize) {
        self.0.update(&(count as u64).to_le_bytes());
    }

    fn shown(self) -> String {
        let digest = self.0.finish();
        let (shown, _) = digest.as_ref().as_chunks::<SHOWN>();
        // One number, since a text for each byte takes longer than the digest.
        format!("{:032x}", u128::from_be_bytes(shown[0]))
    }
}
