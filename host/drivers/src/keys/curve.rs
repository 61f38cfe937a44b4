//! Keys on the curves P-256, P-384 and P-521: ECDSA with signatures in ASN.1, as Dapr has them.

use super::{failed, imported, jwk, only_public};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1,
    ECDSA_P384_SHA384_ASN1_SIGNING, ECDSA_P521_SHA512_ASN1, ECDSA_P521_SHA512_ASN1_SIGNING,
    EcdsaKeyPair, EcdsaSigningAlgorithm, EcdsaVerificationAlgorithm, KeyPair, UnparsedPublicKey,
};
use wythe_blocks::{
    Result,
    crypto::{KeyInfo, SignatureAlgorithm},
};

/// The first byte of a point that is written out.
const UNCOMPRESSED: u8 = 4;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Name {
    P256,
    P384,
    P521,
}

impl Name {
    const ALL: [Name; 3] = [Name::P256, Name::P384, Name::P521];

    pub(super) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|name| name.as_str() == text)
    }

    fn as_str(self) -> &'static str {
        match self {
            Name::P256 => "P-256",
            Name::P384 => "P-384",
            Name::P521 => "P-521",
        }
    }

    /// Bytes of a coordinate.
    pub(super) fn size(self) -> usize {
        match self {
            Name::P256 => 32,
            Name::P384 => 48,
            Name::P521 => 66,
        }
    }

    fn algorithm(self) -> SignatureAlgorithm {
        match self {
            Name::P256 => SignatureAlgorithm::Es256,
            Name::P384 => SignatureAlgorithm::Es384,
            Name::P521 => SignatureAlgorithm::Es512,
        }
    }

    fn signing(self) -> &'static EcdsaSigningAlgorithm {
        match self {
            Name::P256 => &ECDSA_P256_SHA256_ASN1_SIGNING,
            Name::P384 => &ECDSA_P384_SHA384_ASN1_SIGNING,
            Name::P521 => &ECDSA_P521_SHA512_ASN1_SIGNING,
        }
    }

    fn verification(self) -> &'static EcdsaVerificationAlgorithm {
        match self {
            Name::P256 => &ECDSA_P256_SHA256_ASN1,
            Name::P384 => &ECDSA_P384_SHA384_ASN1,
            Name::P521 => &ECDSA_P521_SHA512_ASN1,
        }
    }
}

pub(super) struct Curve {
    curve: Name,
    private: Option<EcdsaKeyPair>,
    point: Vec<u8>,
}

impl Curve {
    /// PKCS #8 or SEC 1, on whichever curve it is.
    pub(super) fn from_private(der: &[u8]) -> Option<Self> {
        Name::ALL.into_iter().find_map(|curve| {
            let pair = EcdsaKeyPair::from_private_key_der(curve.signing(), der).ok()?;
            Some(Self::from_pair(curve, pair))
        })
    }

    /// A point as a public key has it; none unless it is on the curve.
    pub(super) fn from_point(curve: Name, point: &[u8]) -> Option<Self> {
        UnparsedPublicKey::new(curve.verification(), point)
            .parse()
            .ok()?;
        let is_whole = point.first() == Some(&UNCOMPRESSED) && point.len() == 1 + 2 * curve.size();
        is_whole.then(|| Curve {
            curve,
            private: None,
            point: point.to_vec(),
        })
    }

    pub(super) fn from_parts(curve: Name, x: &[u8], y: &[u8], d: Option<&[u8]>) -> Option<Self> {
        if x.len() != curve.size() || y.len() != curve.size() {
            return None;
        }
        let point = [&[UNCOMPRESSED], x, y].concat();
        let Some(d) = d else {
            return Self::from_point(curve, &point);
        };
        let pair = EcdsaKeyPair::from_private_key_and_public_key(curve.signing(), d, &point);
        Some(Self::from_pair(curve, pair.ok()?))
    }

    fn from_pair(curve: Name, pair: EcdsaKeyPair) -> Self {
        Curve {
            curve,
            point: pair.public_key().as_ref().to_vec(),
            private: Some(pair),
        }
    }

    pub(super) fn name(&self) -> &'static str {
        self.curve.as_str()
    }

    pub(super) fn info(&self) -> KeyInfo {
        let (x, y) = self.point[1..].split_at(self.curve.size());
        KeyInfo {
            wrap: Vec::new(),
            unwrap: false,
            sign: vec![self.curve.algorithm()],
            public: Some(jwk::ec(self.name(), x, y)),
        }
    }

    pub(super) fn signs(&self, algorithm: SignatureAlgorithm) -> bool {
        self.curve.algorithm() == algorithm
    }

    pub(super) fn sign(
        &self,
        name: &str,
        algorithm: SignatureAlgorithm,
        data: &[u8],
    ) -> Result<Vec<u8>> {
        let pair = self.private.as_ref();
        let pair = pair.ok_or_else(|| only_public(name, "to sign"))?;
        let signature = pair.sign_digest(&imported(algorithm, data)?);
        Ok(signature.map_err(|_| failed("ECDSA"))?.as_ref().to_vec())
    }

    pub(super) fn verify(
        &self,
        algorithm: SignatureAlgorithm,
        data: &[u8],
        signature: &[u8],
    ) -> Result<bool> {
        let key = UnparsedPublicKey::new(self.curve.verification(), &self.point);
        let digest = imported(algorithm, data)?;
        Ok(key.verify_digest(&digest, signature).is_ok())
    }
}
