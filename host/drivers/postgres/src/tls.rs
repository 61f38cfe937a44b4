//! TLS with a database: whom it must prove to be, and how it is asked for.

use std::io;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use wythe_blocks::{Error, Result};
use wythe_net::Proof;

/// The proof that a server has to give, as `sslmode` says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Trust {
    /// Plain text.
    Plain,
    /// TLS where the server has it, without proof.
    Prefer,
    /// TLS without proof.
    Require,
    /// A certificate that an authority has signed, whatever name is in it.
    Authority,
    /// A certificate of this host.
    Full,
}

impl Trust {
    /// Reads a mode. Where none is written full proof is wanted, but not of a server on this machine.
    pub fn parse(mode: Option<&str>, has_roots: bool, is_here: bool) -> Result<Self> {
        Ok(match mode {
            None if is_here && !has_roots => Trust::Plain,
            None | Some("verify-full") => Trust::Full,
            Some("disable") => Trust::Plain,
            Some("allow" | "prefer") => Trust::Prefer,
            Some("require" | "verify-ca") if has_roots => Trust::Authority,
            Some("verify-ca") => {
                return Err(Error::invalid(
                    "`sslmode=verify-ca` without authorities; name their file by `sslRootCert`, or write `verify-full`",
                ));
            }
            Some("require") => Trust::Require,
            Some(mode) => {
                return Err(Error::invalid(format!(
                    "`sslmode={}`; expected `disable`, `prefer`, `require`, `verify-ca` or `verify-full`",
                    mode.escape_debug()
                )));
            }
        })
    }

    /// Returns whether nobody can listen or answer in the server's place.
    pub fn is_safe(self) -> bool {
        matches!(self, Trust::Authority | Trust::Full)
    }

    /// The proof by TLS; nothing where there is none.
    pub fn proof(self) -> Option<Proof> {
        match self {
            Trust::Plain => None,
            Trust::Prefer | Trust::Require => Some(Proof::Any),
            Trust::Authority => Some(Proof::Authority),
            Trust::Full => Some(Proof::Full),
        }
    }
}

/// Asks for TLS as the protocol has it; false where the server has none.
pub(super) async fn ask(stream: &mut TcpStream) -> io::Result<bool> {
    const REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];
    stream.write_all(&REQUEST).await?;
    match stream.read_u8().await? {
        b'S' => Ok(true),
        b'N' => Ok(false),
        _ => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "what answers there is no PostgreSQL",
        )),
    }
}
