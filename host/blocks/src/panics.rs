//! Panics in drivers and apps: caught, logged in one line, and returned to the caller as an error.

use crate::{Error, Kind, Result};
use futures::FutureExt as _;
use std::{any::Any, future::Future, panic::AssertUnwindSafe};

/// The words of a panic.
pub fn text(panic: &(dyn Any + Send)) -> String {
    let known = panic.downcast_ref::<String>().cloned();
    known
        .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
        .unwrap_or_else(|| "no message".to_owned())
}

/// Runs `work`. A panic in it is an error of `kind` that names `what`; its own words are for the log alone.
pub async fn caught<T>(
    kind: Kind,
    what: impl Fn() -> String,
    work: impl Future<Output = Result<T>>,
) -> Result<T> {
    match AssertUnwindSafe(work).catch_unwind().await {
        Ok(answer) => answer,
        Err(panic) => {
            let what = what();
            tracing::error!(panic = text(&*panic), "{what} ended by a panic");
            Err(Error::new(
                kind,
                format!("{what} ended by a panic of the host"),
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_an_error_that_keeps_its_words_for_the_log() {
        let work = async { if true { panic!("secret {}", 1) } else { Ok(()) } };
        let error = caught(Kind::Internal, || "`get`".into(), work)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), Kind::Internal);
        assert_eq!(error.message(), "`get` ended by a panic of the host");
        assert_eq!(
            caught(Kind::Internal, String::new, async { Ok(1) })
                .await
                .unwrap(),
            1
        );
    }
}
