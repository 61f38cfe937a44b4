//! Secrets by name: found for use, and seen only where the manifest grants `reveal`.
use crate::contract::app::wythe::blocks::{reveal, secrets};
use crate::{Error, Result};

/// A secret of a store, as it was when it was asked for.
///
/// ```no_run
/// # fn main() -> wythe_sdk::Result<()> {
/// use wythe_sdk::{Error, secrets::Secret};
///
/// let secret = Secret::get("partners", "api-key")?;
/// let secret = secret.ok_or_else(|| Error::not_found("no api-key of the partners"))?;
/// let key = secret.reveal_text()?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Secret {
    handle: secrets::Secret,
}

impl Secret {
    /// Reads a secret; none where the store has no such secret, and `denied` where this app is not granted it.
    pub fn get(component: &str, name: &str) -> Result<Option<Self>> {
        Self::get_with(component, name, &[])
    }

    /// Reads a secret with options of the driver, such as a version to read.
    pub fn get_with(
        component: &str,
        name: &str,
        metadata: &[(String, String)],
    ) -> Result<Option<Self>> {
        let found = secrets::Secret::get(component, name, metadata)?;
        Ok(found.map(|handle| Self { handle }))
    }

    /// The store's name for this state of the secret, where it has versions.
    pub fn version(&self) -> Option<String> {
        self.handle.version()
    }

    /// The named values; most secrets have one, named like the secret. Needs a grant of its own, `reveal`, else `denied`.
    pub fn reveal(&self) -> Result<Vec<(String, Vec<u8>)>> {
        Ok(reveal::reveal(&self.handle)?)
    }

    /// The only value, as text; `invalid` where there are several, or where it is not UTF-8.
    pub fn reveal_text(&self) -> Result<String> {
        let mut values = self.reveal()?;
        match (values.pop(), values.pop()) {
            (Some((_, value)), None) => {
                String::from_utf8(value).map_err(|_| Error::invalid("the secret is not UTF-8 text"))
            }
            _ => Err(Error::invalid("the secret has several values")),
        }
    }

    /// The contract's own handle, to pass the secret on unseen.
    pub fn handle(&self) -> &secrets::Secret {
        &self.handle
    }
}

/// The names of the secrets that this app may get, in order; `unsupported` where the store cannot tell them.
pub fn names(component: &str) -> Result<Vec<String>> {
    Ok(secrets::names(component)?)
}
