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
use wythe_blocks::{
    Result,
    crypto::{
        KeyInfo, SignatureAlgorithm,
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

pub(crate) struct Key {
    public: PublicKey,
    encrypts: OaepPublicEncryptingKey,
    private: Option<Private>,
}

struct Private {
    signs: RsaKeyPair,
    decrypts: OaepPrivateDecryptingKey,
}

/// Why a key is none.
pub(super) enum Refused {
    /// It may be one of another kind.
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

    pub(super) fn describe(&self) -> KeyInfo {
        KeyInfo {
            wrap: WRAPS.into(),
            unwrap: self.private.is_some(),
            sign: SIGNS.into(),
            public: Some(jwk::rsa(
                self.public.modulus().big_endian_without_leading_zero(),
                self.public.exponent().big_endian_without_leading_zero(),
            )),
        }
    }

    pub(super) fn wrap(&self, algorithm: WrapAlgorithm, plain: &[u8]) -> Result<Vec<u8>, String> {
        let padding = padding(algorithm);
        let most = self.encrypts.max_plaintext_size(padding);
        if plain.len() > most {
            let size = plain.len();
            return Err(format!(
                "{size} bytes to wrap; `{algorithm}` takes at most {most} with this key"
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

    /// None for a public key, and none in it for what is no wrapped key.
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

    /// None for a public key.
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
