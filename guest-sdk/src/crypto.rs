//! Cryptography with keys that the app never sees: encrypt and decrypt, wrap, sign and verify.
use crate::Result;
use crate::contract::app::wythe::blocks::crypto;

#[doc(inline)]
pub use crypto::{Cipher, EncryptOptions, SignatureAlgorithm, WrapAlgorithm};

/// A key of a component that the manifest grants to this app. Where its JWK says what it is for, anything else is
/// `invalid`.
///
/// ```no_run
/// # fn main() -> wythe_sdk::Result<()> {
/// use wythe_sdk::crypto::Key;
///
/// let key = Key::open("keys", "receipts")?;
/// let sealed = key.encrypt("one trowel, 24.50 EUR")?;
/// assert_eq!(key.decrypt(&sealed)?, b"one trowel, 24.50 EUR");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Key {
    handle: crypto::Key,
}

impl Key {
    /// Opens a key; `not-found` where there is no such component or key, `denied` where it is not granted to this app.
    pub fn open(component: &str, name: &str) -> Result<Self> {
        let handle = crypto::Key::open(component, name)?;
        Ok(Self { handle })
    }

    /// Encrypts at most 4 MiB of data into a message of Dapr's encryption scheme v1.
    pub fn encrypt(&self, data: impl AsRef<[u8]>) -> Result<Vec<u8>> {
        self.encrypt_with(data, &EncryptOptions::new())
    }

    /// Does what [`Key::encrypt`] does, with another way to wrap or another cipher, or with another name in the
    /// message.
    pub fn encrypt_with(
        &self,
        data: impl AsRef<[u8]>,
        options: &EncryptOptions,
    ) -> Result<Vec<u8>> {
        Ok(self.handle.encrypt(data.as_ref(), options)?)
    }

    /// One error for every way to fail. For at most the message of 4 MiB of data. Dapr itself writes an empty message as
    /// a header alone: of what it encrypted, an empty plaintext is no proof that nothing was cut off.
    pub fn decrypt(&self, message: impl AsRef<[u8]>) -> Result<Vec<u8>> {
        Ok(self.handle.decrypt(message.as_ref())?)
    }

    /// Begins to encrypt data of any length, chunk by chunk.
    pub fn encryptor(&self, options: &EncryptOptions) -> Result<Transform> {
        let handle = self.handle.encryptor(options)?;
        Ok(Transform { handle })
    }

    /// Begins to decrypt a message of any length, chunk by chunk.
    pub fn decryptor(&self) -> Result<Transform> {
        let handle = self.handle.decryptor()?;
        Ok(Transform { handle })
    }

    /// Wraps another key, of at most 1,024 bytes.
    pub fn wrap(&self, plain: &[u8], algorithm: WrapAlgorithm) -> Result<Vec<u8>> {
        Ok(self.handle.wrap(plain, algorithm)?)
    }

    /// One error for every way to fail.
    pub fn unwrap(&self, wrapped: &[u8], algorithm: WrapAlgorithm) -> Result<Vec<u8>> {
        Ok(self.handle.unwrap(wrapped, algorithm)?)
    }

    /// Signs a digest made by the algorithm's own hash; for `Eddsa`, the message itself, of at most 4 MiB. The signature
    /// of `EsNNN` is in ASN.1, and the salt of `PsNNN` is as long as the digest.
    pub fn sign(&self, digest: &[u8], algorithm: SignatureAlgorithm) -> Result<Vec<u8>> {
        Ok(self.handle.sign(digest, algorithm)?)
    }

    /// Verifies a signature: false for one that is not this key's, whatever is wrong with it.
    pub fn verify(
        &self,
        digest: &[u8],
        signature: &[u8],
        algorithm: SignatureAlgorithm,
    ) -> Result<bool> {
        Ok(self.handle.verify(digest, signature, algorithm)?)
    }

    /// The public half as a JWK; `unsupported` for a symmetric key.
    pub fn public(&self) -> Result<String> {
        Ok(self.handle.public()?)
    }
}

/// Decrypts a message by the key that it names.
pub fn decrypt_named(component: &str, message: impl AsRef<[u8]>) -> Result<Vec<u8>> {
    Ok(crypto::decrypt_named(component, message.as_ref())?)
}

/// A message on its way: what was pushed comes out changed, a part at a time.
///
/// ```no_run
/// # fn seal(mut request: wythe_sdk::http::Request) -> wythe_sdk::Result<wythe_sdk::http::Response> {
/// use wythe_sdk::crypto::{EncryptOptions, Key};
/// use wythe_sdk::http::Response;
///
/// let mut transform = Key::open("keys", "receipts")?.encryptor(&EncryptOptions::new())?;
/// Ok(Response::stream(move |out| {
///     while let Some(chunk) = request.body_mut().chunk()? {
///         out.write(transform.push(&chunk)?)?;
///     }
///     out.write(transform.finish()?)
/// }))
/// # }
/// ```
#[derive(Debug)]
pub struct Transform {
    handle: crypto::Transform,
}

impl Transform {
    /// Takes a chunk of at most 4 MiB, and returns what is ready so far. What a decryptor hands out is authentic; that
    /// it was all is known once `finish` is ok. If nothing came out, [`Key::decrypt`] says what is known.
    pub fn push(&mut self, chunk: &[u8]) -> Result<Vec<u8>> {
        Ok(self.handle.push(chunk)?)
    }

    /// Returns the rest.
    pub fn finish(self) -> Result<Vec<u8>> {
        Ok(self.handle.finish()?)
    }
}

impl EncryptOptions {
    /// The default options: AES-GCM, the key's own way to wrap, and its name in the message.
    pub fn new() -> Self {
        Self {
            wrap: None,
            cipher: Cipher::AesGcm,
            omit_key_name: false,
            decryption_key: None,
        }
    }

    /// Sets the algorithm by which the message's own key is wrapped. Default: `A256Kw` by a key of 256 bits,
    /// `RsaOaep256` by one of RSA; one of 128 or 192 bits has its `AnnnCbc`.
    pub fn wrap(mut self, algorithm: WrapAlgorithm) -> Self {
        self.wrap = Some(algorithm);
        self
    }

    /// Sets the cipher of the data; default AES-GCM.
    pub fn cipher(mut self, cipher: Cipher) -> Self {
        self.cipher = cipher;
        self
    }

    /// Leaves the key's name out: who decrypts the message has to know the key.
    pub fn omit_key_name(mut self) -> Self {
        self.omit_key_name = true;
        self
    }

    /// The message names this key in place of its own.
    pub fn decryption_key(mut self, name: &str) -> Self {
        self.decryption_key = Some(name.to_owned());
        self
    }
}

impl Default for EncryptOptions {
    fn default() -> Self {
        Self::new()
    }
}
