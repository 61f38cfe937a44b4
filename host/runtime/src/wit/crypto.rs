//! `wythe:blocks/crypto` for guests.

use crate::{
    bindings::app::wythe::blocks::crypto::{self as wit, Host, HostKey, HostTransform},
    ctx::Ctx,
    wit::Answer,
};
use wasmtime::{Result, component::Resource};
use wythe_blocks::crypto::{self, Key, Transform};

impl Host for Ctx {
    async fn decrypt_named(&mut self, component: String, data: Vec<u8>) -> Answer<Vec<u8>> {
        let crypto = &self.identity.tenant.crypto;
        let plain = crypto.decrypt_named(&self.caller, &component, &data);
        Ok(plain.await?)
    }
}

impl HostKey for Ctx {
    async fn open(&mut self, component: String, name: String) -> Answer<Resource<Key>> {
        let crypto = &self.identity.tenant.crypto;
        let key = crypto.open_key(&self.caller, &component, &name).await?;
        Ok(self.handle(key)?)
    }

    async fn encrypt(
        &mut self,
        key: Resource<Key>,
        data: Vec<u8>,
        options: wit::EncryptOptions,
    ) -> Answer<Vec<u8>> {
        let key = self.table.get(&key)?;
        Ok(key.encrypt(&self.caller, &data, options.into()).await?)
    }

    async fn decrypt(&mut self, key: Resource<Key>, data: Vec<u8>) -> Answer<Vec<u8>> {
        let key = self.table.get(&key)?;
        Ok(key.decrypt(&self.caller, &data).await?)
    }

    async fn encryptor(
        &mut self,
        key: Resource<Key>,
        options: wit::EncryptOptions,
    ) -> Answer<Resource<Transform>> {
        let key = self.table.get(&key)?;
        let transform = key.encryptor(&self.caller, options.into()).await?;
        Ok(self.handle(transform)?)
    }

    async fn decryptor(&mut self, key: Resource<Key>) -> Answer<Resource<Transform>> {
        let transform = self.table.get(&key)?.decryptor();
        Ok(self.handle(transform)?)
    }

    async fn wrap(
        &mut self,
        key: Resource<Key>,
        plain: Vec<u8>,
        algorithm: wit::WrapAlgorithm,
    ) -> Answer<Vec<u8>> {
        let key = self.table.get(&key)?;
        Ok(key.wrap(&self.caller, &plain, algorithm.into()).await?)
    }

    async fn unwrap(
        &mut self,
        key: Resource<Key>,
        wrapped: Vec<u8>,
        algorithm: wit::WrapAlgorithm,
    ) -> Answer<Vec<u8>> {
        let key = self.table.get(&key)?;
        Ok(key.unwrap(&self.caller, &wrapped, algorithm.into()).await?)
    }

    async fn sign(
        &mut self,
        key: Resource<Key>,
        digest: Vec<u8>,
        algorithm: wit::SignatureAlgorithm,
    ) -> Answer<Vec<u8>> {
        let key = self.table.get(&key)?;
        Ok(key.sign(&self.caller, &digest, algorithm.into()).await?)
    }

    async fn verify(
        &mut self,
        key: Resource<Key>,
        digest: Vec<u8>,
        signature: Vec<u8>,
        algorithm: wit::SignatureAlgorithm,
    ) -> Answer<bool> {
        let key = self.table.get(&key)?;
        let verified = key.verify(&self.caller, &digest, &signature, algorithm.into());
        Ok(verified.await?)
    }

    async fn public(&mut self, key: Resource<Key>) -> Answer<String> {
        Ok(self.table.get(&key)?.public()?)
    }

    async fn drop(&mut self, key: Resource<Key>) -> Result<()> {
        self.table.delete(key)?;
        Ok(())
    }
}

impl HostTransform for Ctx {
    async fn push(&mut self, transform: Resource<Transform>, chunk: Vec<u8>) -> Answer<Vec<u8>> {
        let transform = self.table.get_mut(&transform)?;
        Ok(transform.push(&self.caller, &chunk).await?)
    }

    async fn finish(&mut self, transform: Resource<Transform>) -> Answer<Vec<u8>> {
        Ok(self.table.get_mut(&transform)?.finish().await?)
    }

    async fn drop(&mut self, transform: Resource<Transform>) -> Result<()> {
        self.table.delete(transform)?;
        Ok(())
    }
}

impl From<wit::EncryptOptions> for crypto::EncryptOptions {
    fn from(options: wit::EncryptOptions) -> Self {
        crypto::EncryptOptions {
            wrap: options.wrap.map(Into::into),
            cipher: match options.cipher {
                wit::Cipher::AesGcm => crypto::Cipher::AesGcm,
                wit::Cipher::Chacha20Poly1305 => crypto::Cipher::ChaCha20Poly1305,
            },
            omit_key_name: options.omit_key_name,
            decryption_key: options.decryption_key,
        }
    }
}

/// Both ways between the contract's enumeration and the block's, variant by variant.
macro_rules! same {
    ($name:ident: $($theirs:ident = $ours:ident),+ $(,)?) => {
        impl From<wit::$name> for crypto::$name {
            fn from(algorithm: wit::$name) -> Self {
                match algorithm {
                    $(wit::$name::$theirs => crypto::$name::$ours,)+
                }
            }
        }

        impl From<crypto::$name> for wit::$name {
            fn from(algorithm: crypto::$name) -> Self {
                match algorithm {
                    $(crypto::$name::$ours => wit::$name::$theirs,)+
                }
            }
        }
    };
}

same! { WrapAlgorithm:
    A128Kw = A128Kw, A192Kw = A192Kw, A256Kw = A256Kw,
    A128Cbc = A128Cbc, A192Cbc = A192Cbc, A256Cbc = A256Cbc,
    RsaOaep = RsaOaep, RsaOaep256 = RsaOaep256, RsaOaep384 = RsaOaep384, RsaOaep512 = RsaOaep512,
}

same! { SignatureAlgorithm:
    Es256 = Es256, Es384 = Es384, Es512 = Es512, Eddsa = EdDsa,
    Ps256 = Ps256, Ps384 = Ps384, Ps512 = Ps512,
    Rs256 = Rs256, Rs384 = Rs384, Rs512 = Rs512,
}
