//! `wythe:blocks/workflow` for guests.

use crate::{
    bindings::app::wythe::blocks::{
        types::Error as WitError,
        workflow::{self as wit, Host},
    },
    ctx::Ctx,
};
use std::time::Duration;
use wasmtime::Result;
use wythe_blocks::workflow::{Filter, Instance, Page, Start, Status};

type Answer<T> = Result<std::result::Result<T, WitError>>;

/// The size of a page, where the guest says nothing.
const LIMIT: u32 = 100;

/// One call to the engine, which may not be there, with its error as the contract has it.
macro_rules! ask {
    ($ctx:ident, |$engine:ident, $caller:ident| $call:expr) => {{
        let $caller = &$ctx.caller;
        let answer = match $ctx.identity.tenant.workflows() {
            Ok($engine) => $call.await,
            Err(error) => Err(error),
        };
        Ok(answer.map_err(WitError::from))
    }};
}

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
        ask!(self, |engine, caller| engine.start(
            caller,
            &name,
            input.into(),
            start
        ))
    }

    async fn get(&mut self, id: String) -> Answer<Option<wit::Instance>> {
        let found: Answer<Option<Instance>> = ask!(self, |engine, caller| engine.get(caller, &id));
        Ok(found?.map(|found| found.map(Into::into)))
    }

    async fn wait_end(&mut self, id: String, timeout: u64) -> Answer<Option<wit::Instance>> {
        let timeout = Duration::from_millis(timeout);
        let found: Answer<Option<Instance>> =
            ask!(self, |engine, caller| engine.wait_end(caller, &id, timeout));
        Ok(found?.map(|found| found.map(Into::into)))
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
        let page: Answer<Page> = ask!(self, |engine, caller| engine.list(
            caller,
            &filter,
            cursor.as_deref(),
            limit
        ));
        Ok(page?.map(Into::into))
    }

    async fn raise(&mut self, id: String, event: String, data: Vec<u8>) -> Answer<()> {
        ask!(self, |engine, caller| engine.raise(
            caller,
            &id,
            &event,
            data.into()
        ))
    }

    async fn suspend(&mut self, id: String, reason: String) -> Answer<()> {
        ask!(self, |engine, caller| engine.suspend(caller, &id, &reason))
    }

    async fn resume(&mut self, id: String, reason: String) -> Answer<()> {
        ask!(self, |engine, caller| engine.resume(caller, &id, &reason))
    }

    async fn terminate(&mut self, id: String, output: Vec<u8>) -> Answer<()> {
        ask!(self, |engine, caller| engine.terminate(
            caller,
            &id,
            output.into()
        ))
    }

    async fn purge(&mut self, id: String) -> Answer<()> {
        ask!(self, |engine, caller| engine.purge(caller, &id))
    }

    async fn rerun(&mut self, id: String, entries: u32, new_id: Option<String>) -> Answer<String> {
        ask!(self, |engine, caller| engine
            .rerun(caller, &id, entries, new_id))
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
