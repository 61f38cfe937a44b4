//! RSA keys: OAEP to wrap, PSS and PKCS#1 to sign.

use super::{fault, jwk};
use aws_lc_rs::{
    digest::Digest,
    encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der},
    error::KeyRejected,
    rsa::{
        OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OAEP_SHA384_MGF1SHA384, OAEP_SHA512_MGF1SHA512,
        OaepAlgorithm, OaepPrivateDecryptingKey, OaepPublicEncryptingKey, PrivateDecryptingKey,
        PublicEncryptingKey, PublicKey,
    },
    signature::{self, KeyPair, RsaEncoding, RsaKeyPair, RsaParameters, UnparsedPublicKey},
};
use serde_json::{Map, Value};
use wythe_blocks::{
    Result,
    crypto::{
        SignatureAlgorithm,
        SignatureAlgorithm::{Ps256, Ps384, Ps512, Rs256, Rs384, Rs512},
        WrapAlgorithm,
        WrapAlgorithm::{RsaOaep, RsaOaep256, RsaOaep384, RsaOaep512},
    },
};
use zeroize::Zeroizing;

pub(super) const WRAPS: [WrapAlgorithm; 4] = [RsaOaep256, RsaOaep384, RsaOaep512, RsaOaep];
pub(super) const SIGNS: [SignatureAlgorithm; 6] = [Ps256, Ps384, Ps512, Rs256, Rs384, Rs512];

const SMALLEST: usize = 2_048;
const LARGEST: usize = 8_192;
/// Smallest factor that a modulus may have.
const SMALLEST_FACTOR: u32 = 752;

pub(crate) struct Key {
    public: PublicKey,
    encrypts: OaepPublicEncryptingKey,
    private: Option<Private>,
}

struct Private {
    signs: RsaKeyPair,
    decrypts: OaepPrivateDecryptingKey,
}

/// Reason for which a key is refused.
pub(super) enum Refused {
    /// The bytes may be a key of another kind.
    Unreadable,
    Because(String),
}

impl Refused {
    fn size(relation: &str, bits: usize) -> Self {
        Refused::Because(format!(
            "an RSA key of {relation} than {bits} bits; expected {SMALLEST} to {LARGEST}"
        ))
    }
}

impl From<KeyRejected> for Refused {
    fn from(rejected: KeyRejected) -> Self {
        match rejected.description_() {
            "TooSmall" => Refused::size("fewer", SMALLEST),
            "TooLarge" => Refused::size("more", LARGEST),
            _ => Refused::Unreadable,
        }
    }
}

impl Key {
    pub(super) fn private(signs: RsaKeyPair) -> Result<Self, Refused> {
        let unreadable = |_| Refused::Unreadable;
        let der: Pkcs8V1Der = signs.as_der().map_err(unreadable)?;
        let decrypts = PrivateDecryptingKey::from_pkcs8(der.as_ref())?;
        let decrypts = OaepPrivateDecryptingKey::new(decrypts).map_err(unreadable)?;
        let mut key = Key::public(signs.public_key().clone())?;
        key.private = Some(Private { signs, decrypts });
        Ok(key)
    }

    pub(super) fn public(public: PublicKey) -> Result<Self, Refused> {
        let modulus = public.modulus();
        let modulus = modulus.big_endian_without_leading_zero();
        let unused = modulus.first().map_or(0, |byte| byte.leading_zeros());
        match modulus.len() * 8 - unused as usize {
            SMALLEST..=LARGEST => {}
            bits if bits < SMALLEST => return Err(Refused::size("fewer", SMALLEST)),
            _ => return Err(Refused::size("more", LARGEST)),
        }
        let exponent = public.exponent();
        check_numbers(modulus, exponent.big_endian_without_leading_zero())
            .map_err(|problem| Refused::Because(problem.into()))?;
        let unreadable = |_| Refused::Unreadable;
        let der: PublicKeyX509Der = public.as_der().map_err(unreadable)?;
        let encrypts = PublicEncryptingKey::from_der(der.as_ref())?;
        let encrypts = OaepPublicEncryptingKey::new(encrypts).map_err(unreadable)?;
        Ok(Key {
            public,
            encrypts,
            private: None,
        })
    }

    pub(super) fn is_private(&self) -> bool {
        self.private.is_some()
    }

    pub(super) fn public_half(&self) -> Map<String, Value> {
        jwk::rsa(
            self.public.modulus().big_endian_without_leading_zero(),
            self.public.exponent().big_endian_without_leading_zero(),
        )
    }

    pub(super) fn wrap(&self, algorithm: WrapAlgorithm, plain: &[u8]) -> Result<Vec<u8>, String> {
        let padding = padding(algorithm);
        let limit = self.encrypts.max_plaintext_size(padding);
        if plain.len() > limit {
            let size = plain.len();
            return Err(format!(
                "{size} bytes to wrap; `{algorithm}` takes at most {limit} with this key"
            ));
        }
        let mut wrapped = vec![0; self.encrypts.ciphertext_size()];
        let size = self
            .encrypts
            .encrypt(padding, plain, &mut wrapped, None)
            .map_err(|_| "the library failed to encrypt")?
            .len();
        wrapped.truncate(size);
        Ok(wrapped)
    }

    /// Unwraps a key: none for a public key, and none in it for what is no wrapped key.
    pub(super) fn unwrap(
        &self,
        algorithm: WrapAlgorithm,
        wrapped: &[u8],
    ) -> Option<Option<Vec<u8>>> {
        let decrypts = &self.private.as_ref()?.decrypts;
        let mut plain = Zeroizing::new(vec![0; decrypts.min_output_size()]);
        let size = decrypts.decrypt(padding(algorithm), wrapped, &mut plain, None);
        Some(size.map(|plain| plain.to_vec()).ok())
    }

    /// Signs a digest; none for a public key.
    pub(super) fn sign(
        &self,
        algorithm: SignatureAlgorithm,
        digest: &Digest,
    ) -> Option<Result<Vec<u8>>> {
        let signs = &self.private.as_ref()?.signs;
        let mut signature = vec![0; signs.public_modulus_len()];
        let signed = signs.sign_digest(encoding(algorithm), digest, &mut signature);
        Some(signed.map(|()| signature).map_err(|_| fault("sign")))
    }

    pub(super) fn verify(
        &self,
        algorithm: SignatureAlgorithm,
        digest: &Digest,
        signature: &[u8],
    ) -> bool {
        UnparsedPublicKey::new(parameters(algorithm), &self.public)
            .verify_digest(digest, signature)
            .is_ok()
    }
}

/// Checks what NIST SP 800-89, section 5.3.3, asks of a public key and a look can tell: an odd exponent above 2^16, and
/// a modulus without a factor below 752. The library takes any odd exponent from 3 on. A modulus of ones alone may have
/// no such factor. Whether a modulus has two large primes only its private key shows.
fn check_numbers(modulus: &[u8], exponent: &[u8]) -> Result<(), &'static str> {
    let is_large = exponent.len() > 2;
    if !is_large || exponent.last().is_none_or(|byte| byte % 2 == 0) {
        return Err("an RSA key with a small exponent; expected an odd one of 65537 or more");
    }
    let [first, rest @ ..] = modulus else {
        return Err("an RSA key with an empty modulus");
    };
    let is_of_ones = (first.leading_zeros() + first.trailing_ones()) == 8;
    if is_of_ones && rest.iter().all(|byte| *byte == 0xff) {
        return Err("an RSA key whose modulus is of ones alone; expected a product of two primes");
    }
    // A factor that is no prime is found as the prime in it.
    if (2..SMALLEST_FACTOR).any(|factor| remainder(modulus, factor) == 0) {
        return Err(
            "an RSA key whose modulus has a small factor; expected a product of two primes",
        );
    }
    Ok(())
}

fn remainder(number: &[u8], by: u32) -> u32 {
    let step = |rest, byte: &u8| (rest << 8 | u32::from(*byte)) % by;
    number.iter().fold(0, step)
}

fn padding(algorithm: WrapAlgorithm) -> &'static OaepAlgorithm {
    match algorithm {
        RsaOaep384 => &OAEP_SHA384_MGF1SHA384,
        RsaOaep512 => &OAEP_SHA512_MGF1SHA512,
        RsaOaep => &OAEP_SHA1_MGF1SHA1,
        _ => &OAEP_SHA256_MGF1SHA256,
    }
}

/// A PSS salt is as long as the digest, as RFC 7518 has it.
fn encoding(algorithm: SignatureAlgorithm) -> &'static dyn RsaEncoding {
    match algorithm {
        Ps384 => &signature::RSA_PSS_SHA384,
        Ps512 => &signature::RSA_PSS_SHA512,
        Rs256 => &signature::RSA_PKCS1_SHA256,
        Rs384 => &signature::RSA_PKCS1_SHA384,
        Rs512 => &signature::RSA_PKCS1_SHA512,
        _ => &signature::RSA_PSS_SHA256,
    }
}

fn parameters(algorithm: SignatureAlgorithm) -> &'static RsaParameters {
    match algorithm {
        Ps384 => &signature::RSA_PSS_2048_8192_SHA384,
        Ps512 => &signature::RSA_PSS_2048_8192_SHA512,
        Rs256 => &signature::RSA_PKCS1_2048_8192_SHA256,
        Rs384 => &signature::RSA_PKCS1_2048_8192_SHA384,
        Rs512 => &signature::RSA_PKCS1_2048_8192_SHA512,
        _ => &signature::RSA_PSS_2048_8192_SHA256,
    }
}
