//! `wythe:blocks/crypto` for guests.

use crate::{
    bindings::app::wythe::blocks::{
        crypto::{self as wit, Host, HostKey, HostTransform},
        types::Error as WitError,
    },
    ctx::Ctx,
    wit::state::too_many,
};
use wasmtime::{Result, component::Resource};
use wythe_blocks::crypto::{self, Key, Transform};

type Answer<T> = Result<std::result::Result<T, WitError>>;

impl Host for Ctx {
    async fn decrypt_named(&mut self, component: String, data: Vec<u8>) -> Answer<Vec<u8>> {
        let crypto = &self.identity.host.crypto;
        let answer = crypto.decrypt_named(&self.caller, &component, &data).await;
        Ok(answer.map_err(Into::into))
    }
}

impl HostKey for Ctx {
    async fn open(&mut self, component: String, name: String) -> Answer<Resource<Key>> {
        let crypto = &self.identity.host.crypto;
        Ok(
            match crypto.open_key(&self.caller, &component, &name).await {
                Ok(key) => self.table.push(key).map_err(|_| too_many()),
                Err(error) => Err(error.into()),
            },
        )
    }

    async fn encrypt(
        &mut self,
        key: Resource<Key>,
        data: Vec<u8>,
        options: wit::EncryptOptions,
    ) -> Answer<Vec<u8>> {
        let key = self.table.get(&key)?;
        let answer = key.encrypt(&self.caller, &data, options.into()).await;
        Ok(answer.map_err(Into::into))
    }

    async fn decrypt(&mut self, key: Resource<Key>, data: Vec<u8>) -> Answer<Vec<u8>> {
        let answer = self.table.get(&key)?.decrypt(&self.caller, &data).await;
        Ok(answer.map_err(Into::into))
    }

    async fn encryptor(
        &mut self,
        key: Resource<Key>,
        options: wit::EncryptOptions,
    ) -> Answer<Resource<Transform>> {
        let key = self.table.get(&key)?;
        Ok(match key.encryptor(&self.caller, options.into()).await {
            Ok(transform) => self.table.push(transform).map_err(|_| too_many()),
            Err(error) => Err(error.into()),
        })
    }

    async fn decryptor(&mut self, key: Resource<Key>) -> Answer<Resource<Transform>> {
        let transform = self.table.get(&key)?.decryptor();
        Ok(self.table.push(transform).map_err(|_| too_many()))
    }

    async fn wrap(
        &mut self,
        key: Resource<Key>,
        plain: Vec<u8>,
        algorithm: wit::WrapAlgorithm,
    ) -> Answer<Vec<u8>> {
        let key = self.table.get(&key)?;
        let answer = key.wrap(&self.caller, &plain, algorithm.into()).await;
        Ok(answer.map_err(Into::into))
    }

    async fn unwrap(
        &mut self,
        key: Resource<Key>,
        wrapped: Vec<u8>,
        algorithm: wit::WrapAlgorithm,
    ) -> Answer<Vec<u8>> {
        let key = self.table.get(&key)?;
        let answer = key.unwrap(&self.caller, &wrapped, algorithm.into()).await;
        Ok(answer.map_err(Into::into))
    }

    async fn sign(
        &mut self,
        key: Resource<Key>,
        digest: Vec<u8>,
        algorithm: wit::SignatureAlgorithm,
    ) -> Answer<Vec<u8>> {
        let key = self.table.get(&key)?;
        let answer = key.sign(&self.caller, &digest, algorithm.into()).await;
        Ok(answer.map_err(Into::into))
    }

    async fn verify(
        &mut self,
        key: Resource<Key>,
        digest: Vec<u8>,
        signature: Vec<u8>,
        algorithm: wit::SignatureAlgorithm,
    ) -> Answer<bool> {
        let key = self.table.get(&key)?;
        let answer = key
            .verify(&self.caller, &digest, &signature, algorithm.into())
            .await;
        Ok(answer.map_err(Into::into))
    }

    async fn public(&mut self, key: Resource<Key>) -> Answer<String> {
        Ok(self.table.get(&key)?.public().map_err(Into::into))
    }

    async fn drop(&mut self, key: Resource<Key>) -> Result<()> {
        self.table.delete(key)?;
        Ok(())
    }
}

impl HostTransform for Ctx {
    async fn push(&mut self, transform: Resource<Transform>, chunk: Vec<u8>) -> Answer<Vec<u8>> {
        let transform = self.table.get_mut(&transform)?;
        let answer = transform.push(&self.caller, &chunk).await;
        Ok(answer.map_err(Into::into))
    }

    async fn finish(&mut self, transform: Resource<Transform>) -> Answer<Vec<u8>> {
        let answer = self.table.get_mut(&transform)?.finish().await;
        Ok(answer.map_err(Into::into))
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

impl From<wit::WrapAlgorithm> for crypto::WrapAlgorithm {
    fn from(algorithm: wit::WrapAlgorithm) -> Self {
        match algorithm {
            wit::WrapAlgorithm::A128Kw => crypto::WrapAlgorithm::A128Kw,
            wit::WrapAlgorithm::A192Kw => crypto::WrapAlgorithm::A192Kw,
            wit::WrapAlgorithm::A256Kw => crypto::WrapAlgorithm::A256Kw,
            wit::WrapAlgorithm::A128Cbc => crypto::WrapAlgorithm::A128Cbc,
            wit::WrapAlgorithm::A192Cbc => crypto::WrapAlgorithm::A192Cbc,
            wit::WrapAlgorithm::A256Cbc => crypto::WrapAlgorithm::A256Cbc,
            wit::WrapAlgorithm::RsaOaep => crypto::WrapAlgorithm::RsaOaep,
            wit::WrapAlgorithm::RsaOaep256 => crypto::WrapAlgorithm::RsaOaep256,
            wit::WrapAlgorithm::RsaOaep384 => crypto::WrapAlgorithm::RsaOaep384,
            wit::WrapAlgorithm::RsaOaep512 => crypto::WrapAlgorithm::RsaOaep512,
        }
    }
}

impl From<crypto::WrapAlgorithm> for wit::WrapAlgorithm {
    fn from(algorithm: crypto::WrapAlgorithm) -> Self {
        match algorithm {
            crypto::WrapAlgorithm::A128Kw => wit::WrapAlgorithm::A128Kw,
            crypto::WrapAlgorithm::A192Kw => wit::WrapAlgorithm::A192Kw,
            crypto::WrapAlgorithm::A256Kw => wit::WrapAlgorithm::A256Kw,
            crypto::WrapAlgorithm::A128Cbc => wit::WrapAlgorithm::A128Cbc,
            crypto::WrapAlgorithm::A192Cbc => wit::WrapAlgorithm::A192Cbc,
            crypto::WrapAlgorithm::A256Cbc => wit::WrapAlgorithm::A256Cbc,
            crypto::WrapAlgorithm::RsaOaep => wit::WrapAlgorithm::RsaOaep,
            crypto::WrapAlgorithm::RsaOaep256 => wit::WrapAlgorithm::RsaOaep256,
            crypto::WrapAlgorithm::RsaOaep384 => wit::WrapAlgorithm::RsaOaep384,
            crypto::WrapAlgorithm::RsaOaep512 => wit::WrapAlgorithm::RsaOaep512,
        }
    }
}

impl From<wit::SignatureAlgorithm> for crypto::SignatureAlgorithm {
    fn from(algorithm: wit::SignatureAlgorithm) -> Self {
        match algorithm {
            wit::SignatureAlgorithm::Es256 => crypto::SignatureAlgorithm::Es256,
            wit::SignatureAlgorithm::Es384 => crypto::SignatureAlgorithm::Es384,
            wit::SignatureAlgorithm::Es512 => crypto::SignatureAlgorithm::Es512,
            wit::SignatureAlgorithm::Eddsa => crypto::SignatureAlgorithm::EdDsa,
            wit::SignatureAlgorithm::Ps256 => crypto::SignatureAlgorithm::Ps256,
            wit::SignatureAlgorithm::Ps384 => crypto::SignatureAlgorithm::Ps384,
            wit::SignatureAlgorithm::Ps512 => crypto::SignatureAlgorithm::Ps512,
            wit::SignatureAlgorithm::Rs256 => crypto::SignatureAlgorithm::Rs256,
            wit::SignatureAlgorithm::Rs384 => crypto::SignatureAlgorithm::Rs384,
            wit::SignatureAlgorithm::Rs512 => crypto::SignatureAlgorithm::Rs512,
        }
    }
}

impl From<crypto::SignatureAlgorithm> for wit::SignatureAlgorithm {
    fn from(algorithm: crypto::SignatureAlgorithm) -> Self {
        match algorithm {
            crypto::SignatureAlgorithm::Es256 => wit::SignatureAlgorithm::Es256,
            crypto::SignatureAlgorithm::Es384 => wit::SignatureAlgorithm::Es384,
            crypto::SignatureAlgorithm::Es512 => wit::SignatureAlgorithm::Es512,
            crypto::SignatureAlgorithm::EdDsa => wit::SignatureAlgorithm::Eddsa,
            crypto::SignatureAlgorithm::Ps256 => wit::SignatureAlgorithm::Ps256,
            crypto::SignatureAlgorithm::Ps384 => wit::SignatureAlgorithm::Ps384,
            crypto::SignatureAlgorithm::Ps512 => wit::SignatureAlgorithm::Ps512,
            crypto::SignatureAlgorithm::Rs256 => wit::SignatureAlgorithm::Rs256,
            crypto::SignatureAlgorithm::Rs384 => wit::SignatureAlgorithm::Rs384,
            crypto::SignatureAlgorithm::Rs512 => wit::SignatureAlgorithm::Rs512,
        }
    }
}
