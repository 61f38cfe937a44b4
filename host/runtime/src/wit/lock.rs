//! `wythe:blocks/lock` for guests.

use crate::{
    bindings::app::wythe::blocks::lock::{Host, HostLease},
    ctx::Ctx,
    wit::{Answer, timestamp},
};
use std::time::Duration;
use wasmtime::{Result, component::Resource};
use wythe_blocks::lock::Lease;

impl Host for Ctx {}

impl HostLease for Ctx {
    async fn acquire(
        &mut self,
        component: String,
        name: String,
        ttl: u64,
        wait: u64,
    ) -> Answer<Option<Resource<Lease>>> {
        let (ttl, wait) = (Duration::from_millis(ttl), Duration::from_millis(wait));
        let lock = &self.identity.tenant.lock;
        let acquired = lock.acquire(&self.caller, &component, &name, ttl, wait);
        let Some(lease) = acquired.await? else {
            return Ok(None);
        };
        match self.handle(lease.clone()) {
            Ok(handle) => Ok(Some(handle)),
            Err(error) => {
                // The guest never hears of this grant. If it cannot be given back, it ends at its time.
                let _ = lease.release(&self.caller).await;
                Err(error.into())
            }
        }
    }

    async fn resume(
        &mut self,
        component: String,
        name: String,
        token: u64,
    ) -> Answer<Resource<Lease>> {
        let lock = &self.identity.tenant.lock;
        let lease = lock.resume(&self.caller, &component, &name, token).await?;
        Ok(self.handle(lease)?)
    }

    async fn token(&mut self, lease: Resource<Lease>) -> Result<u64> {
        Ok(self.table.get(&lease)?.token())
    }

    async fn expires(&mut self, lease: Resource<Lease>) -> Result<u64> {
        Ok(timestamp(self.table.get(&lease)?.expires()))
    }

    async fn renew(&mut self, lease: Resource<Lease>, ttl: u64) -> Answer<()> {
        let lease = self.table.get_mut(&lease)?;
        let ttl = Duration::from_millis(ttl);
        Ok(lease.renew(&self.caller, ttl).await?)
    }

    async fn release(&mut self, lease: Resource<Lease>) -> Answer<()> {
        Ok(self.table.get(&lease)?.release(&self.caller).await?)
    }

    async fn drop(&mut self, lease: Resource<Lease>) -> Result<()> {
        self.table.delete(lease)?;
        Ok(())
    }
}
