//! A small keeper of keys: its component's metadata has them, in base64, and the primitives are RustCrypto's.
//!
//! Each name of the metadata is a key: `aes:BASE64` of 32 bytes wraps by `a256-kw`, `ed25519:BASE64` of a seed of 32 bytes
//! signs by `eddsa`.
use std::collections::BTreeMap;

use aes_kw::{KeyInit, KwAes256};
use base64::{Engine, engine::general_purpose::STANDARD, engine::general_purpose::URL_SAFE_NO_PAD};
use ed25519_dalek::{Signature, Signer, SigningKey, Verifier};
use wythe_sdk::plugin::crypto::{
    CryptoDriver, KeyInfo, SignatureAlgorithm, WrapAlgorithm, not_unwrapped,
};
use wythe_sdk::plugin::{Metadata, Plugin};
use wythe_sdk::{Error, Result};

/// AES-KW adds one block of 8 bytes.
const BLOCK: usize = 8;

struct Keyring {
    keys: BTreeMap<String, Key>,
}

enum Key {
    Aes(Box<KwAes256>),
    Ed25519(Box<SigningKey>),
}

impl Plugin for Keyring {
    fn init(_component: &str, metadata: Metadata) -> Result<Self> {
        let key = |name: &str| {
            let text = metadata.get(name).unwrap_or_default();
            let key = Key::parse(text).ok_or_else(|| {
                Error::invalid(format!(
                    "`{name}` is no key; expected `aes:` or `ed25519:` and 32 bytes in base64"
                ))
            });
            Ok((name.to_owned(), key?))
        };
        let keys = metadata.names().map(key).collect::<Result<_>>()?;
        Ok(Self { keys })
    }
}

impl Key {
    fn parse(text: &str) -> Option<Self> {
        let (kind, secret) = text.split_once(':')?;
        let secret: [u8; 32] = STANDARD.decode(secret).ok()?.try_into().ok()?;
        match kind {
            "aes" => Some(Key::Aes(Box::new(KwAes256::new(&secret.into())))),
            "ed25519" => Some(Key::Ed25519(Box::new(SigningKey::from_bytes(&secret)))),
            _ => None,
        }
    }
}

impl Keyring {
    fn key(&self, name: &str) -> Result<&Key> {
        let missing = || Error::not_found(format!("the keyring has no key `{name}`"));
        self.keys.get(name).ok_or_else(missing)
    }

    fn aes(&self, name: &str, algorithm: WrapAlgorithm) -> Result<&KwAes256> {
        match (self.key(name)?, algorithm) {
            (Key::Aes(key), WrapAlgorithm::A256Kw) => Ok(key),
            _ => Err(Error::invalid(format!(
                "key `{name}` does not wrap so; see what it is good for"
            ))),
        }
    }

    fn ed25519(&self, name: &str, algorithm: SignatureAlgorithm) -> Result<&SigningKey> {
        match (self.key(name)?, algorithm) {
            (Key::Ed25519(key), SignatureAlgorithm::Eddsa) => Ok(key),
            _ => Err(Error::invalid(format!(
                "key `{name}` does not sign so; see what it is good for"
            ))),
        }
    }
}

impl CryptoDriver for Keyring {
    fn describe(&mut self, key: &str) -> Result<KeyInfo> {
        Ok(match self.key(key)? {
            Key::Aes(_) => KeyInfo {
                wrap: vec![WrapAlgorithm::A256Kw],
                unwrap: true,
                sign: Vec::new(),
                public: None,
            },
            Key::Ed25519(key) => {
                let x = URL_SAFE_NO_PAD.encode(key.verifying_key().as_bytes());
                KeyInfo {
                    wrap: Vec::new(),
                    unwrap: false,
                    sign: vec![SignatureAlgorithm::Eddsa],
                    public: Some(format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#)),
                }
            }
        })
    }

    fn wrap(&mut self, key: &str, algorithm: WrapAlgorithm, plain: &[u8]) -> Result<Vec<u8>> {
        let refused = || Error::invalid("a key to wrap has 16 bytes or more, in steps of 8");
        let key = self.aes(key, algorithm)?;
        // The library itself takes less than RFC 3394 does.
        if plain.len() < 2 * BLOCK {
            return Err(refused());
        }
        let mut wrapped = vec![0; plain.len() + BLOCK];
        key.wrap_key(plain, &mut wrapped).map_err(|_| refused())?;
        Ok(wrapped)
    }

    fn unwrap(&mut self, key: &str, algorithm: WrapAlgorithm, wrapped: &[u8]) -> Result<Vec<u8>> {
        let key = self.aes(key, algorithm)?;
        let size = wrapped.len().checked_sub(BLOCK).ok_or_else(not_unwrapped)?;
        let mut plain = vec![0; size];
        key.unwrap_key(wrapped, &mut plain)
            .map_err(|_| not_unwrapped())?;
        Ok(plain)
    }

    fn sign(&mut self, key: &str, algorithm: SignatureAlgorithm, digest: &[u8]) -> Result<Vec<u8>> {
        Ok(self
            .ed25519(key, algorithm)?
            .sign(digest)
            .to_bytes()
            .to_vec())
    }

    fn verify(
        &mut self,
        key: &str,
        algorithm: SignatureAlgorithm,
        digest: &[u8],
        signature: &[u8],
    ) -> Result<bool> {
        let key = self.ed25519(key, algorithm)?.verifying_key();
        let signature = Signature::from_slice(signature);
        Ok(signature.is_ok_and(|signature| key.verify(digest, &signature).is_ok()))
    }

    fn names(&mut self) -> Result<Vec<String>> {
        Ok(self.keys.keys().cloned().collect())
    }
}

wythe_sdk::crypto_plugin!(Keyring);
