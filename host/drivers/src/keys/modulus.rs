//! RSA keys of 2048 to 8192 bits: OAEP, PSS and PKCS #1 signatures.

use super::{failed, imported, jwk, only_public};
use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der},
    rsa::{
        KeyPair, KeyPairComponents, OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256,
        OAEP_SHA384_MGF1SHA384, OAEP_SHA512_MGF1SHA512, OaepAlgorithm, OaepPrivateDecryptingKey,
        OaepPublicEncryptingKey, PrivateDecryptingKey, PublicEncryptingKey, PublicKey,
        PublicKeyComponents,
    },
    signature::{
        KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384,
        RSA_PKCS1_2048_8192_SHA512, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512,
        RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512,
        RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512, RsaEncoding, UnparsedPublicKey,
        VerificationAlgorithm,
    },
};
use wythe_blocks::{
    Error, Result,
    crypto::{KeyInfo, SignatureAlgorithm, WrapAlgorithm, not_unwrapped},
};

const WRAPS: [WrapAlgorithm; 4] = [
    WrapAlgorithm::RsaOaep256,
    WrapAlgorithm::RsaOaep384,
    WrapAlgorithm::RsaOaep512,
    WrapAlgorithm::RsaOaep,
];
const SIGNS: [SignatureAlgorithm; 6] = [
    SignatureAlgorithm::Ps256,
    SignatureAlgorithm::Ps384,
    SignatureAlgorithm::Ps512,
    SignatureAlgorithm::Rs256,
    SignatureAlgorithm::Rs384,
    SignatureAlgorithm::Rs512,
];

pub(super) struct Modulus {
    private: Option<(KeyPair, OaepPrivateDecryptingKey)>,
    public: PublicKey,
    encrypts: OaepPublicEncryptingKey,
}

/// The numbers of a private JWK, each big-endian.
pub(super) struct Parts {
    pub n: Vec<u8>,
    pub e: Vec<u8>,
    /// `d`, `p`, `q`, `dp`, `dq`, `qi`.
    pub private: Option<[zeroize::Zeroizing<Vec<u8>>; 6]>,
}

impl Modulus {
    pub(super) fn from_pkcs8(der: &[u8]) -> Option<Self> {
        let pair = KeyPair::from_pkcs8(der).ok()?;
        Self::from_pair(pair)
    }

    /// PKCS #1.
    pub(super) fn from_private(der: &[u8]) -> Option<Self> {
        Self::from_pair(KeyPair::from_der(der).ok()?)
    }

    /// PKCS #1 or SPKI.
    pub(super) fn from_public(der: &[u8]) -> Option<Self> {
        let public = PublicKey::from_der(der).ok()?;
        Self::new(public, None)
    }

    pub(super) fn from_parts(parts: &Parts) -> Option<Self> {
        let public_key = PublicKeyComponents {
            n: parts.n.as_slice(),
            e: parts.e.as_slice(),
        };
        let Some([d, p, q, dp, dq, qi]) = &parts.private else {
            let der: PublicKeyX509Der = public_key.as_der().ok()?;
            return Self::from_public(der.as_ref());
        };
        let components = KeyPairComponents {
            public_key,
            d: d.as_slice(),
            p: p.as_slice(),
            q: q.as_slice(),
            dP: dp.as_slice(),
            dQ: dq.as_slice(),
            qInv: qi.as_slice(),
        };
        Self::from_pair(KeyPair::from_components(&components).ok()?)
    }

    fn from_pair(pair: KeyPair) -> Option<Self> {
        let der: Pkcs8V1Der = pair.as_der().ok()?;
        let decrypts = PrivateDecryptingKey::from_pkcs8(der.as_ref()).ok()?;
        let decrypts = OaepPrivateDecryptingKey::new(decrypts).ok()?;
        let public = PublicKey::from_der(pair.public_key().as_ref()).ok()?;
        Self::new(public, Some((pair, decrypts)))
    }

    fn new(
        public: PublicKey,
        private: Option<(KeyPair, OaepPrivateDecryptingKey)>,
    ) -> Option<Self> {
        let der: PublicKeyX509Der = public.as_der().ok()?;
        let encrypts = PublicEncryptingKey::from_der(der.as_ref()).ok()?;
        Some(Modulus {
            private,
            public,
            encrypts: OaepPublicEncryptingKey::new(encrypts).ok()?,
        })
    }

    pub(super) fn info(&self) -> KeyInfo {
        let (n, e) = (self.public.modulus(), self.public.exponent());
        KeyInfo {
            wrap: WRAPS.to_vec(),
            unwrap: self.private.is_some(),
            sign: SIGNS.to_vec(),
            public: Some(jwk::rsa(
                n.big_endian_without_leading_zero(),
                e.big_endian_without_leading_zero(),
            )),
        }
    }

    pub(super) fn wrap(
        &self,
        name: &str,
        algorithm: WrapAlgorithm,
        plain: &[u8],
    ) -> Result<Vec<u8>> {
        let oaep = oaep(algorithm);
        let most = self.encrypts.max_plaintext_size(oaep);
        if plain.len() > most {
            return Err(Error::invalid(format!(
                "a key of {} bytes to wrap; key `{name}` takes at most {most} by `{algorithm}`",
                plain.len()
            )));
        }
        let mut wrapped = vec![0; self.encrypts.ciphertext_size()];
        let written = self.encrypts.encrypt(oaep, plain, &mut wrapped, None);
        let written = written.map_err(|_| failed("RSA"))?.len();
        wrapped.truncate(written);
        Ok(wrapped)
    }

    pub(super) fn unwrap(
        &self,
        name: &str,
        algorithm: WrapAlgorithm,
        wrapped: &[u8],
    ) -> Result<Vec<u8>> {
        let (_, key) = self
            .private
            .as_ref()
            .ok_or_else(|| only_public(name, "to unwrap"))?;
        let mut plain = vec![0; key.min_output_size()];
        let read = key.decrypt(oaep(algorithm), wrapped, &mut plain, None);
        let read = read.map_err(|_| not_unwrapped())?.len();
        plain.truncate(read);
        Ok(plain)
    }

    pub(super) fn sign(
        &self,
        name: &str,
        algorithm: SignatureAlgorithm,
        data: &[u8],
    ) -> Result<Vec<u8>> {
        let (pair, _) = self
            .private
            .as_ref()
            .ok_or_else(|| only_public(name, "to sign"))?;
        let digest = imported(algorithm, data)?;
        let encoding: &'static dyn RsaEncoding = match algorithm {
            SignatureAlgorithm::Ps256 => &RSA_PSS_SHA256,
            SignatureAlgorithm::Ps384 => &RSA_PSS_SHA384,
            SignatureAlgorithm::Ps512 => &RSA_PSS_SHA512,
            SignatureAlgorithm::Rs384 => &RSA_PKCS1_SHA384,
            SignatureAlgorithm::Rs512 => &RSA_PKCS1_SHA512,
            _ => &RSA_PKCS1_SHA256,
        };
        let mut signature = vec![0; pair.public_modulus_len()];
        pair.sign_digest(encoding, &digest, &mut signature)
            .map_err(|_| failed("RSA"))?;
        Ok(signature)
    }

    pub(super) fn verify(
        &self,
        algorithm: SignatureAlgorithm,
        data: &[u8],
        signature: &[u8],
    ) -> Result<bool> {
        let digest = imported(algorithm, data)?;
        let verification: &'static dyn VerificationAlgorithm = match algorithm {
            SignatureAlgorithm::Ps256 => &RSA_PSS_2048_8192_SHA256,
            SignatureAlgorithm::Ps384 => &RSA_PSS_2048_8192_SHA384,
            SignatureAlgorithm::Ps512 => &RSA_PSS_2048_8192_SHA512,
            SignatureAlgorithm::Rs384 => &RSA_PKCS1_2048_8192_SHA384,
            SignatureAlgorithm::Rs512 => &RSA_PKCS1_2048_8192_SHA512,
            _ => &RSA_PKCS1_2048_8192_SHA256,
        };
        let key = UnparsedPublicKey::new(verification, self.public.as_ref());
        Ok(key.verify_digest(&digest, signature).is_ok())
    }
}

pub(super) fn is_oaep(algorithm: WrapAlgorithm) -> bool {
    WRAPS.contains(&algorithm)
}

pub(super) fn signs(algorithm: SignatureAlgorithm) -> bool {
    SIGNS.contains(&algorithm)
}

fn oaep(algorithm: WrapAlgorithm) -> &'static OaepAlgorithm {
    match algorithm {
        WrapAlgorithm::RsaOaep => &OAEP_SHA1_MGF1SHA1,
        WrapAlgorithm::RsaOaep384 => &OAEP_SHA384_MGF1SHA384,
        WrapAlgorithm::RsaOaep512 => &OAEP_SHA512_MGF1SHA512,
        _ => &OAEP_SHA256_MGF1SHA256,
    }
}
