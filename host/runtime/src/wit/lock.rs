//! `wythe:blocks/lock` for guests.

use crate::{
    bindings::app::wythe::blocks::{
        lock::{Host, HostLease},
        types::Error as WitError,
    },
    ctx::Ctx,
    wit::{state::too_many, timestamp},
};
use std::time::Duration;
use wasmtime::{Result, component::Resource};
use wythe_blocks::lock::Lease;

type Answer<T> = Result<std::result::Result<T, WitError>>;

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
        let lease = match acquired.await {
            Ok(Some(lease)) => lease,
            Ok(None) => return Ok(Ok(None)),
            Err(error) => return Ok(Err(error.into())),
        };
        if let Ok(handle) = self.table.push(lease.clone()) {
            return Ok(Ok(Some(handle)));
        }
        // The guest never hears of this grant. If it cannot be given back, it ends at its time.
        let _ = lease.release(&self.caller).await;
        Ok(Err(too_many()))
    }

    async fn resume(
        &mut self,
        component: String,
        name: String,
        token: u64,
    ) -> Answer<Resource<Lease>> {
        let lock = &self.identity.tenant.lock;
        let resumed = lock.resume(&self.caller, &component, &name, token);
        Ok(match resumed.await {
            Ok(lease) => self.table.push(lease).map_err(|_| too_many()),
            Err(error) => Err(error.into()),
        })
    }

    async fn token(&mut self, lease: Resource<Lease>) -> Result<u64> {
        Ok(self.table.get(&lease)?.token())
    }

    async fn expires(&mut self, lease: Resource<Lease>) -> Result<u64> {
        Ok(timestamp(self.table.get(&lease)?.expires()))
    }

    async fn renew(&mut self, lease: Resource<Lease>, ttl: u64) -> Answer<()> {
        let lease = self.table.get_mut(&lease)?;
        let renewed = lease.renew(&self.caller, Duration::from_millis(ttl));
        Ok(renewed.await.map_err(Into::into))
    }

    async fn release(&mut self, lease: Resource<Lease>) -> Answer<()> {
        let released = self.table.get(&lease)?.release(&self.caller);
        Ok(released.await.map_err(Into::into))
    }

    async fn drop(&mut self, lease: Resource<Lease>) -> Result<()> {
        self.table.delete(lease)?;
        Ok(())
    }
}
