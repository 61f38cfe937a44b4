//! Work that blocks, off the threads of tasks.

use crate::{Error, Result};

/// Runs work that blocks on a thread made for it.
pub async fn blocking<R: Send + 'static>(
    run: impl FnOnce() -> Result<R> + Send + 'static,
) -> Result<R> {
    match tokio::task::spawn_blocking(run).await {
        Ok(result) => result,
        Err(error) => {
            Err(Error::internal("a task of the store ended by a panic").with_source(error))
        }
    }
}
