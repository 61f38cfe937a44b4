//! The algorithms by name, and the sizes that each of them takes.

use super::{SignatureAlgorithm, WrapAlgorithm};
use crate::{Error, Result};
use std::{fmt, str::FromStr};

/// Bytes of a key that is wrapped.
pub const MAX_WRAPPED: usize = 1_024;
const BLOCK: usize = 16;

impl WrapAlgorithm {
    /// All of them, in the order of the contract.
    pub const ALL: [WrapAlgorithm; 10] = [
        WrapAlgorithm::A128Kw,
        WrapAlgorithm::A192Kw,
        WrapAlgorithm::A256Kw,
        WrapAlgorithm::A128Cbc,
        WrapAlgorithm::A192Cbc,
        WrapAlgorithm::A256Cbc,
        WrapAlgorithm::RsaOaep,
        WrapAlgorithm::RsaOaep256,
        WrapAlgorithm::RsaOaep384,
        WrapAlgorithm::RsaOaep512,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            WrapAlgorithm::A128Kw => "a128-kw",
            WrapAlgorithm::A192Kw => "a192-kw",
            WrapAlgorithm::A256Kw => "a256-kw",
            WrapAlgorithm::A128Cbc => "a128-cbc",
            WrapAlgorithm::A192Cbc => "a192-cbc",
            WrapAlgorithm::A256Cbc => "a256-cbc",
            WrapAlgorithm::RsaOaep => "rsa-oaep",
            WrapAlgorithm::RsaOaep256 => "rsa-oaep-256",
            WrapAlgorithm::RsaOaep384 => "rsa-oaep-384",
            WrapAlgorithm::RsaOaep512 => "rsa-oaep-512",
        }
    }

    /// The kind of key that the algorithm needs.
    pub fn needs(self) -> &'static str {
        match self {
            WrapAlgorithm::A128Kw | WrapAlgorithm::A128Cbc => "a symmetric key of 128 bits",
            WrapAlgorithm::A192Kw | WrapAlgorithm::A192Cbc => "a symmetric key of 192 bits",
            WrapAlgorithm::A256Kw | WrapAlgorithm::A256Cbc => "a symmetric key of 256 bits",
            _ => "an RSA key",
        }
    }

    /// Checks the length of a key to wrap, as far as the algorithm alone says; RSA has a bound of its own for each key.
    pub(super) fn check_plain(self, plain: &[u8]) -> Result<()> {
        let size = plain.len();
        let (fits, takes) = match self {
            WrapAlgorithm::A128Kw | WrapAlgorithm::A192Kw | WrapAlgorithm::A256Kw => (
                size >= BLOCK && size.is_multiple_of(BLOCK / 2),
                "16 bytes or more, in steps of 8",
            ),
            WrapAlgorithm::A128Cbc | WrapAlgorithm::A192Cbc | WrapAlgorithm::A256Cbc => (
                size >= BLOCK && size.is_multiple_of(BLOCK),
                "16 bytes or more, in steps of 16",
            ),
            _ => (size > 0, "at least 1 byte"),
        };
        if fits && size <= MAX_WRAPPED {
            return Ok(());
        }
        Err(Error::invalid(format!(
            "a key of {size} bytes to wrap; `{self}` takes {takes}, and at most {MAX_WRAPPED}"
        )))
    }
}

impl SignatureAlgorithm {
    /// All of them, in the order of the contract.
    pub const ALL: [SignatureAlgorithm; 10] = [
        SignatureAlgorithm::Es256,
        SignatureAlgorithm::Es384,
        SignatureAlgorithm::Es512,
        SignatureAlgorithm::EdDsa,
        SignatureAlgorithm::Ps256,
        SignatureAlgorithm::Ps384,
        SignatureAlgorithm::Ps512,
        SignatureAlgorithm::Rs256,
        SignatureAlgorithm::Rs384,
        SignatureAlgorithm::Rs512,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            SignatureAlgorithm::Es256 => "es256",
            SignatureAlgorithm::Es384 => "es384",
            SignatureAlgorithm::Es512 => "es512",
            SignatureAlgorithm::EdDsa => "eddsa",
            SignatureAlgorithm::Ps256 => "ps256",
            SignatureAlgorithm::Ps384 => "ps384",
            SignatureAlgorithm::Ps512 => "ps512",
            SignatureAlgorithm::Rs256 => "rs256",
            SignatureAlgorithm::Rs384 => "rs384",
            SignatureAlgorithm::Rs512 => "rs512",
        }
    }

    /// The kind of key that the algorithm needs.
    pub fn needs(self) -> &'static str {
        match self {
            SignatureAlgorithm::Es256 => "an EC key on P-256",
            SignatureAlgorithm::Es384 => "an EC key on P-384",
            SignatureAlgorithm::Es512 => "an EC key on P-521",
            SignatureAlgorithm::EdDsa => "an Ed25519 key",
            _ => "an RSA key",
        }
    }

    /// The hash of the digest and its bytes; none where the message itself is signed.
    pub fn digest(self) -> Option<(&'static str, usize)> {
        use SignatureAlgorithm::*;
        match self {
            Es256 | Ps256 | Rs256 => Some(("SHA-256", 32)),
            Es384 | Ps384 | Rs384 => Some(("SHA-384", 48)),
            Es512 | Ps512 | Rs512 => Some(("SHA-512", 64)),
            EdDsa => None,
        }
    }

    pub(super) fn check_digest(self, digest: &[u8]) -> Result<()> {
        let size = digest.len();
        match self.digest() {
            Some((hash, expected)) if size != expected => Err(Error::invalid(format!(
                "a digest of {size} bytes; `{self}` needs one of {hash}, which has {expected}"
            ))),
            None if size > super::MAX_DATA => Err(Error::invalid(format!(
                "a message of {size} bytes; `{self}` takes at most {}",
                super::MAX_DATA
            ))),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for WrapAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for SignatureAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for WrapAlgorithm {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        find(&Self::ALL, Self::as_str, text, "wrap algorithm")
    }
}

impl FromStr for SignatureAlgorithm {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        find(&Self::ALL, Self::as_str, text, "signature algorithm")
    }
}

fn find<T: Copy>(all: &[T], name: fn(T) -> &'static str, text: &str, what: &str) -> Result<T> {
    let same = |one: &&T| name(**one).eq_ignore_ascii_case(text);
    all.iter().find(same).copied().ok_or_else(|| {
        let names: Vec<_> = all.iter().map(|one| name(*one)).collect();
        Error::invalid(format!(
            "`{text}` is no {what}; expected one of {}",
            names.join(", ")
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_there_and_back() {
        for algorithm in WrapAlgorithm::ALL {
            assert_eq!(
                algorithm.as_str().parse::<WrapAlgorithm>().unwrap(),
                algorithm
            );
        }
        for algorithm in SignatureAlgorithm::ALL {
            let parsed = algorithm.as_str().parse::<SignatureAlgorithm>();
            assert_eq!(parsed.unwrap(), algorithm);
        }
        assert_eq!(
            "hs256".parse::<SignatureAlgorithm>().unwrap_err().message(),
            "`hs256` is no signature algorithm; expected one of es256, es384, es512, eddsa, ps256, ps384, ps512, rs256, \
             rs384, rs512"
        );
    }

    #[test]
    fn sizes_that_no_key_could_take_are_refused() {
        let check = |algorithm: WrapAlgorithm, size| algorithm.check_plain(&vec![0; size]).is_ok();
        for size in [0, 8, 20, 33, 1_032] {
            assert!(!check(WrapAlgorithm::A256Kw, size), "{size}");
        }
        for size in [0, 8, 24, 1_040] {
            assert!(!check(WrapAlgorithm::A128Cbc, size), "{size}");
        }
        assert!(!check(WrapAlgorithm::RsaOaep, 0) && check(WrapAlgorithm::RsaOaep, 1));
        assert!(check(WrapAlgorithm::A256Kw, 24) && check(WrapAlgorithm::A256Kw, 1_024));
        assert!(check(WrapAlgorithm::A192Cbc, 16) && check(WrapAlgorithm::A192Cbc, 1_024));
        assert_eq!(
            WrapAlgorithm::A192Kw
                .check_plain(&[0; 20])
                .unwrap_err()
                .message(),
            "a key of 20 bytes to wrap; `a192-kw` takes 16 bytes or more, in steps of 8, and at most 1024"
        );
        assert_eq!(
            SignatureAlgorithm::Ps384
                .check_digest(&[0; 32])
                .unwrap_err()
                .message(),
            "a digest of 32 bytes; `ps384` needs one of SHA-384, which has 48"
        );
    }
}
