//! Names that nobody else comes up with.

use wythe_blocks::{Error, Result};

/// 128 random bits in hexadecimal.
pub(crate) fn random() -> Result<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)
        .map_err(|error| Error::unavailable("no random numbers").with_source(error))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
