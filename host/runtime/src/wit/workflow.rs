//! `wythe:blocks/workflow` for guests.

use crate::{
    bindings::app::wythe::blocks::workflow::{self as wit, Host},
    ctx::Ctx,
    wit::Answer,
};
use std::time::Duration;
use wythe_blocks::workflow::{Filter, Instance, Page, Start, Status};

/// The size of a page, where the guest says nothing.
const LIMIT: u32 = 100;

impl Host for Ctx {
    async fn start(
        &mut self,
        name: String,
        input: Vec<u8>,
        options: wit::StartOptions,
    ) -> Answer<String> {
        let start = Start {
            id: options.id,
            at: options.at,
        };
        let engine = self.identity.tenant.workflows()?;
        let started = engine.start(&self.caller, &name, input.into(), start);
        Ok(started.await?)
    }

    async fn get(&mut self, id: String) -> Answer<Option<wit::Instance>> {
        let engine = self.identity.tenant.workflows()?;
        Ok(engine.get(&self.caller, &id).await?.map(Into::into))
    }

    async fn wait_end(&mut self, id: String, timeout: u64) -> Answer<Option<wit::Instance>> {
        let engine = self.identity.tenant.workflows()?;
        let timeout = Duration::from_millis(timeout);
        let ended = engine.wait_end(&self.caller, &id, timeout).await?;
        Ok(ended.map(Into::into))
    }

    async fn list(
        &mut self,
        filter: wit::Filter,
        cursor: Option<String>,
        limit: Option<u32>,
    ) -> Answer<wit::Page> {
        let filter = Filter {
            name: filter.name,
            status: filter.status.map(Into::into),
        };
        let limit = limit.unwrap_or(LIMIT);
        let engine = self.identity.tenant.workflows()?;
        let page = engine.list(&self.caller, &filter, cursor.as_deref(), limit);
        Ok(page.await?.into())
    }

    async fn raise(&mut self, id: String, event: String, data: Vec<u8>) -> Answer<()> {
        let engine = self.identity.tenant.workflows()?;
        let raised = engine.raise(&self.caller, &id, &event, data.into());
        Ok(raised.await?)
    }

    async fn suspend(&mut self, id: String, reason: String) -> Answer<()> {
        let engine = self.identity.tenant.workflows()?;
        Ok(engine.suspend(&self.caller, &id, &reason).await?)
    }

    async fn resume(&mut self, id: String, reason: String) -> Answer<()> {
        let engine = self.identity.tenant.workflows()?;
        Ok(engine.resume(&self.caller, &id, &reason).await?)
    }

    async fn terminate(&mut self, id: String, output: Vec<u8>) -> Answer<()> {
        let engine = self.identity.tenant.workflows()?;
        let terminated = engine.terminate(&self.caller, &id, output.into());
        Ok(terminated.await?)
    }

    async fn purge(&mut self, id: String) -> Answer<()> {
        let engine = self.identity.tenant.workflows()?;
        Ok(engine.purge(&self.caller, &id).await?)
    }

    async fn rerun(&mut self, id: String, entries: u32, new_id: Option<String>) -> Answer<String> {
        let engine = self.identity.tenant.workflows()?;
        Ok(engine.rerun(&self.caller, &id, entries, new_id).await?)
    }
}

impl From<Page> for wit::Page {
    fn from(page: Page) -> Self {
        wit::Page {
            instances: page.instances.into_iter().map(Into::into).collect(),
            next: page.next,
        }
    }
}

impl From<Instance> for wit::Instance {
    fn from(instance: Instance) -> Self {
        wit::Instance {
            id: instance.id,
            name: instance.name,
            app: instance.app,
            status: instance.status.into(),
            created: instance.created,
            updated: instance.updated,
            entries: instance.entries,
            custom_status: instance.custom,
            reason: instance.reason,
            input: instance.input.map(Into::into),
            output: instance.output.map(Into::into),
        }
    }
}

impl From<Status> for wit::Status {
    fn from(status: Status) -> Self {
        match status {
            Status::Pending => wit::Status::Pending,
            Status::Running => wit::Status::Running,
            Status::Suspended => wit::Status::Suspended,
            Status::Completed => wit::Status::Completed,
            Status::Failed => wit::Status::Failed,
            Status::Terminated => wit::Status::Terminated,
            Status::Stalled => wit::Status::Stalled,
        }
    }
}

impl From<wit::Status> for Status {
    fn from(status: wit::Status) -> Self {
        match status {
            wit::Status::Pending => Status::Pending,
            wit::Status::Running => Status::Running,
            wit::Status::Suspended => Status::Suspended,
            wit::Status::Completed => Status::Completed,
            wit::Status::Failed => Status::Failed,
            wit::Status::Terminated => Status::Terminated,
            wit::Status::Stalled => Status::Stalled,
        }
    }
}
