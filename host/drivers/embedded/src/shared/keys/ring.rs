//! A driver of whatever holds keys: it looks a key up and does the work, where it is in nobody's way.

use super::{Hidden, Key};
use async_trait::async_trait;
use std::sync::{Arc, LazyLock};
use tokio::sync::Semaphore;
use wythe_blocks::{
    Error, Result,
    crypto::{Driver, KeyInfo, SignatureAlgorithm, WrapAlgorithm},
    work,
};

/// A source of keys.
#[async_trait]
pub(crate) trait Keys: Send + Sync + 'static {
    /// The key as it is now.
    async fn find(&self, name: &str) -> Result<Arc<Key>>;

    /// Lists the names of all keys, in order.
    async fn names(&self) -> Result<Vec<String>>;
}

/// Work of slow keys that runs at once, of all apps and components: as much as there are cores, so that the threads of
/// those who wait for disks stay theirs.
static SLOW: LazyLock<Arc<Semaphore>> = LazyLock::new(|| {
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    Arc::new(Semaphore::new(cores.max(2)))
});

pub(crate) struct Ring<K>(pub(crate) K);

impl<K: Keys> Ring<K> {
    /// A key of RSA takes milliseconds, for which no other task should have to wait.
    async fn with<R: Send + 'static>(
        &self,
        name: &str,
        run: impl FnOnce(&Key, &str) -> Result<R> + Send + 'static,
    ) -> Result<R> {
        let key = self.0.find(name).await?;
        if !key.is_slow() {
            return run(&key, name);
        }
        let name = name.to_owned();
        let permit = SLOW.clone().acquire_owned().await;
        let permit = permit.map_err(|_| Error::internal("the work of keys is over"))?;
        // The work goes on where its caller does not wait any more, and so does its place.
        let run = move || {
            let _permit = permit;
            run(&key, &name)
        };
        work::compute(run).await
    }
}

#[async_trait]
impl<K: Keys> Driver for Ring<K> {
    async fn describe(&self, key: &str) -> Result<KeyInfo> {
        Ok(self.0.find(key).await?.describe())
    }

    async fn wrap(&self, key: &str, algorithm: WrapAlgorithm, plain: &[u8]) -> Result<Vec<u8>> {
        let plain = Hidden::new(plain.to_vec());
        self.with(key, move |key, name| key.wrap(name, algorithm, &plain))
            .await
    }

    async fn unwrap(&self, key: &str, algorithm: WrapAlgorithm, wrapped: &[u8]) -> Result<Vec<u8>> {
        let wrapped = wrapped.to_vec();
        self.with(key, move |key, name| key.unwrap(name, algorithm, &wrapped))
            .await
    }

    async fn sign(
        &self,
        key: &str,
        algorithm: SignatureAlgorithm,
        digest: &[u8],
    ) -> Result<Vec<u8>> {
        let digest = digest.to_vec();
        self.with(key, move |key, name| key.sign(name, algorithm, &digest))
            .await
    }

    async fn verify(
        &self,
        key: &str,
        algorithm: SignatureAlgorithm,
        digest: &[u8],
        signature: &[u8],
    ) -> Result<bool> {
        let (digest, signature) = (digest.to_vec(), signature.to_vec());
        self.with(key, move |key, name| {
            key.verify(name, algorithm, &digest, &signature)
        })
        .await
    }

    async fn names(&self) -> Result<Vec<String>> {
        self.0.names().await
    }
}
