//! Steps that many cases take.

use std::{
    fmt::Debug,
    time::{Duration, SystemTime},
};
use wythe_blocks::{
    Kind, Result,
    lock::{Acquired, Driver, Grant},
};

/// A time longer than any case.
pub(super) const LONG: Duration = Duration::from_secs(3_600);
/// A time long enough to be seen and short enough to wait for.
pub(super) const SHORT: Duration = Duration::from_millis(300);
/// Times are told in milliseconds by some drivers.
pub(super) const GRAIN: Duration = Duration::from_millis(2);

/// The grant, if nobody else has one.
pub(super) async fn acquire(driver: &dyn Driver, key: &str, ttl: Duration) -> Option<Grant> {
    match driver
        .acquire(&key.into(), "app", ttl)
        .await
        .expect("an answer")
    {
        Acquired::Granted(grant) => Some(grant),
        Acquired::Held { .. } => None,
    }
}

pub(super) async fn take(driver: &dyn Driver, key: &str, ttl: Duration) -> Grant {
    let grant = acquire(driver, key, ttl).await;
    grant.unwrap_or_else(|| panic!("`{key}` is granted"))
}

pub(super) async fn release(driver: &dyn Driver, key: &str, token: u64) {
    driver.release(&key.into(), token).await.expect("a release");
}

pub(super) async fn holder(driver: &dyn Driver, key: &str) -> Option<Grant> {
    driver.holder(&key.into()).await.expect("an answer")
}

/// The token of the holder.
pub(super) async fn held_by(driver: &dyn Driver, key: &str) -> Option<u64> {
    holder(driver, key).await.map(|grant| grant.token)
}

pub(super) fn kind(result: Result<impl Debug>) -> Kind {
    result.expect_err("an error").kind()
}

/// Returns whether two times are one, as far as drivers tell it; a clock may be set a little meanwhile.
pub(super) fn about(one: SystemTime, other: SystemTime) -> bool {
    let apart = one.duration_since(other).or(other.duration_since(one));
    apart.is_ok_and(|apart| apart < Duration::from_secs(1))
}
