//! Mutual exclusion: take a `Lease`, hand its token to what the lock protects, and release it.
use std::time::{Duration, SystemTime};

use crate::contract::app::wythe::blocks::lock;
use crate::{Error, Result};

/// A lock that was granted. Dropping it gives nothing back: the grant ends by `release`, or at its time.
///
/// ```no_run
/// # fn main() -> wythe_sdk::Result<()> {
/// use std::time::Duration;
/// use wythe_sdk::lock::Lease;
/// use wythe_sdk::state::{PutOptions, Store};
///
/// let (ttl, wait) = (Duration::from_secs(30), Duration::from_secs(2));
/// if let Some(lease) = Lease::acquire("locks", "stock/tea", ttl, wait)? {
///     // A holder that slept past its time is refused here, and not only asked to behave.
///     let options = PutOptions::new().fence(lease.token());
///     Store::open("statestore")?.put_with("stock/tea", "17", options)?;
///     lease.release()?;
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Lease {
    handle: lock::Lease,
}

impl Lease {
    /// Takes a lock; none where somebody else holds it still after `wait`, which ends with the call at the latest; zero
    /// does not wait. The grant ends by itself after `ttl`, 1 ms to 24 h. A name has 1 to 256 bytes without NUL and
    /// `||`.
    pub fn acquire(
        component: &str,
        name: &str,
        ttl: Duration,
        wait: Duration,
    ) -> Result<Option<Self>> {
        let (ttl, wait) = (crate::milliseconds(ttl), crate::milliseconds(wait));
        let handle = lock::Lease::acquire(component, name, ttl, wait)?;
        Ok(handle.map(|handle| Self { handle }))
    }

    /// A grant of an earlier call, by its token; `conflict` if it is over.
    pub fn resume(component: &str, name: &str, token: u64) -> Result<Self> {
        let handle = lock::Lease::resume(component, name, token)?;
        Ok(Self { handle })
    }

    /// The token, which grows with every grant of this name, for ever; for `PutOptions::fence`, or whatever else the
    /// lock protects.
    pub fn token(&self) -> u64 {
        self.handle.token()
    }

    /// The time when the grant ends, as far as is known.
    pub fn expires(&self) -> SystemTime {
        crate::time(self.handle.expires())
    }

    /// The grant now ends after `ttl`, 1 ms to 24 h, from now; `conflict` if it was over already.
    pub fn renew(&self, ttl: Duration) -> Result<()> {
        Ok(self.handle.renew(crate::milliseconds(ttl))?)
    }

    /// Releases the lock; `conflict` if the grant was over already.
    pub fn release(self) -> Result<()> {
        Ok(self.handle.release()?)
    }
}

/// Runs `work` while the lock is held, and releases it after, also when `work` fails. `conflict` where somebody else
/// holds it still after `wait`.
///
/// The lock does not end with the work's time: whoever works longer than `ttl` is overtaken. So `work` gets the lease,
/// to renew it and to fence its writes with its token. A grant that was over at the end is the error of `release`.
///
/// ```no_run
/// # fn main() -> wythe_sdk::Result<()> {
/// use std::time::Duration;
/// use wythe_sdk::lock::with_lock;
/// use wythe_sdk::state::{PutOptions, Store};
///
/// let (ttl, wait) = (Duration::from_secs(30), Duration::from_secs(2));
/// let store = Store::open("statestore")?;
/// with_lock("locks", "stock/tea", ttl, wait, |lease| {
///     store.put_with("stock/tea", "17", PutOptions::new().fence(lease.token()))
/// })?;
/// # Ok(())
/// # }
/// ```
pub fn with_lock<T>(
    component: &str,
    name: &str,
    ttl: Duration,
    wait: Duration,
    work: impl FnOnce(&Lease) -> Result<T>,
) -> Result<T> {
    let lease = Lease::acquire(component, name, ttl, wait)?;
    let lease = lease.ok_or_else(|| {
        let waited = wait.as_millis();
        let message = format!("lock `{name}` is held by somebody else still after {waited} ms");
        Error::conflict(message)
    })?;
    let done = work(&lease);
    let released = lease.release();
    // What the work says matters more.
    let done = done?;
    released?;
    Ok(done)
}
