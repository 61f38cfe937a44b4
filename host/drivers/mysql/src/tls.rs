//! TLS with a database: whom it must prove to be, and what is taken as proof.

use wythe_blocks::{Error, Result};
use wythe_net::Proof;

/// The proof that a server has to give, as `tls` says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Trust {
    /// Plain text.
    Plain,
    /// TLS where the server has it, without proof.
    Prefer,
    /// TLS without proof.
    Require,
    /// A certificate of this host.
    Full,
}

impl Trust {
    /// Reads a mode. Where none is written full proof is wanted, but not of a server on this machine.
    pub fn parse(mode: Option<&str>, has_roots: bool, is_here: bool) -> Result<Self> {
        Ok(match mode {
            None if is_here && !has_roots => Trust::Plain,
            None | Some("true") => Trust::Full,
            Some("custom") if has_roots => Trust::Full,
            Some("custom") => {
                return Err(Error::invalid(
                    "`tls=custom` without authorities; name their file by `pemPath`, or write `tls=true`",
                ));
            }
            Some("false") => Trust::Plain,
            Some("preferred") => Trust::Prefer,
            Some("skip-verify") => Trust::Require,
            Some(_) => {
                return Err(Error::invalid(
                    "the parameter `tls`: expected `true`, `false`, `custom`, `skip-verify` or `preferred`",
                ));
            }
        })
    }

    /// The proof by TLS; nothing where there is none.
    pub fn proof(self) -> Option<Proof> {
        match self {
            Trust::Plain => None,
            Trust::Prefer | Trust::Require => Some(Proof::Any),
            Trust::Full => Some(Proof::Full),
        }
    }
}
