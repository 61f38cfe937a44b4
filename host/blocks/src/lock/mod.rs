//! The whole of the lock block's rules: whose a name is, how long a grant may last, and who waits for it in which order.

mod attempt;
mod driver;
mod key;
mod lease;
mod queue;

pub use driver::{Acquired, Driver, Features, Grant};
pub use lease::Lease;

use crate::{
    Call, Components, Error, Kind, Result, Tasks,
    component::{self, Close},
    opening::{self, Opening, require},
    state::KeyPrefix,
};
use async_trait::async_trait;
use key::LockKey;
use queue::Queues;
use std::{sync::Arc, time::Duration};

/// Bytes of a name.
pub const MAX_NAME: usize = 256;
/// The longest time of one grant.
pub const MAX_TTL: Duration = Duration::from_secs(24 * 3_600);

/// Tries of an operator to free a lock that changes hands meanwhile.
const FREE_TRIES: usize = 8;

const ACQUIRE: component::Operation = component::Operation::once(0, "acquire");
const RENEW: component::Operation = component::Operation::once(1, "renew");
const RELEASE: component::Operation = component::Operation::once(2, "release");
const HOLDER: component::Operation = component::Operation::idempotent(3, "holder");

pub(crate) const OPERATIONS: &[component::Operation] = &[ACQUIRE, RENEW, RELEASE, HOLDER];

/// A driver with what its component says, and those who wait for one of its locks.
pub struct Configured {
    pub driver: Arc<dyn Driver>,
    pub prefix: KeyPrefix,
    queues: Queues,
    tasks: Tasks,
}

#[async_trait]
impl Close for Configured {
    async fn close(&self) -> Result<()> {
        self.driver.close().await
    }

    async fn health(&self) -> Result<()> {
        self.driver.health().await
    }

    fn describe(&self) -> Option<String> {
        self.driver.describe()
    }
}

pub(crate) type Prepared = opening::Prepared<dyn Driver, KeyPrefix>;

/// The lock block.
pub struct Lock {
    pub(crate) components: Components<Configured>,
    tasks: Tasks,
}

impl Lock {
    pub fn new(tasks: Tasks) -> Self {
        Lock {
            components: Components::new("lock"),
            tasks,
        }
    }

    /// Each app has its own names, unless `keyPrefix` says otherwise: `name` lets all apps share them.
    pub(crate) async fn add(&self, opening: &Opening<'_>, prepared: Prepared) -> Result<()> {
        let (component, prefix, driver) = prepared.open().await?;
        let features = driver.features();
        require(&component, |name| features.has(name))?;
        let configured = Arc::new(Configured {
            driver,
            prefix,
            queues: Queues::default(),
            tasks: self.tasks.clone(),
        });
        if let Some(old) = self.components.of(&component.name) {
            let old = old.component();
            old.driver().prefix.check_replacement(&configured.prefix)?;
        }
        opening.insert(&self.components, OPERATIONS, &component, configured);
        Ok(())
    }

    /// A grant of the lock, or none if somebody else holds it still after `wait`. The driver is asked once at least,
    /// unless others of this process wait already: an attempt that does not wait overtakes nobody.
    pub async fn acquire(
        &self,
        caller: &Call,
        component: &str,
        name: &str,
        ttl: Duration,
        wait: Duration,
    ) -> Result<Option<Lease>> {
        let key = self.key(caller, component, name)?;
        check_ttl(ttl)?;
        key.acquire(caller, ttl, wait).await
    }

    /// Finds a grant of an earlier call by its token. The app that was granted must ask: where apps share names, a
    /// token that another of them guessed or heard of is `conflict`.
    pub async fn resume(
        &self,
        caller: &Call,
        component: &str,
        name: &str,
        token: u64,
    ) -> Result<Lease> {
        let key = self.key(caller, component, name)?;
        let grant = key.holder(caller).await?;
        let is_own =
            |grant: &Grant| grant.token == token && grant.owner == caller.app_id().as_str();
        match grant.filter(is_own) {
            Some(grant) => Ok(Lease::new(key, &grant)),
            None => Err(Error::conflict(format!(
                "the grant of `{name}` with token {token} is over; acquire it again"
            ))),
        }
    }

    /// Reads who holds the lock now.
    pub async fn holder(
        &self,
        caller: &Call,
        component: &str,
        name: &str,
    ) -> Result<Option<Grant>> {
        self.key(caller, component, name)?.holder(caller).await
    }

    /// Ends whatever grant is alive, as an operator may, and returns it.
    pub async fn free(&self, caller: &Call, component: &str, name: &str) -> Result<Option<Grant>> {
        let key = self.key(caller, component, name)?;
        for _ in 0..FREE_TRIES {
            let Some(grant) = key.holder(caller).await? else {
                return Ok(None);
            };
            match key.release(caller, grant.token).await {
                Ok(()) => return Ok(Some(grant)),
                Err(error) if error.kind() == Kind::Conflict => {}
                Err(error) => return Err(error),
            }
        }
        Err(Error::unavailable(format!(
            "`{name}` changed hands under {FREE_TRIES} tries to free it"
        )))
    }

    /// Checks the grant and the scope, finds the component, and puts the name into its keyspace.
    fn key(&self, caller: &Call, component: &str, name: &str) -> Result<LockKey> {
        let what = format_args!("lock component `{component}`");
        caller.require_grant(|grants| grants.lock(component), what, "lock", component)?;
        let component = self.components.find(caller, component)?;
        LockKey::new(caller, component, name)
    }
}

fn check_ttl(ttl: Duration) -> Result<()> {
    if (Duration::from_millis(1)..=MAX_TTL).contains(&ttl) {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "a ttl of {} ms; expected 1 ms to 24 h",
        ttl.as_millis()
    )))
}

#[cfg(test)]
mod tests;
