//! `wythe:blocks/workflow-context` for guests. What the block refuses ends the code: it traps.

use crate::{
    bindings::workflows::wythe::blocks::workflow_context::{Failure, Host, RetryPolicy, Task},
    ctx::Ctx,
};
use std::time::Duration;
use wasmtime::Result;
use wythe_blocks::workflow::{Outcome, Retry};

impl Host for Ctx {
    async fn call_activity(
        &mut self,
        name: String,
        input: Vec<u8>,
        retry: Option<RetryPolicy>,
    ) -> Result<Task> {
        let retry = retry.map(Into::into);
        let task = self.journal()?.activity(&name, input.into(), retry)?;
        Ok(task.number())
    }

    async fn start_child(
        &mut self,
        name: String,
        input: Vec<u8>,
        id: Option<String>,
    ) -> Result<Task> {
        let task = self.journal()?.child(&name, input.into(), id.as_deref())?;
        Ok(task.number())
    }

    async fn start_timer(&mut self, duration: u64) -> Result<Task> {
        let duration = Duration::from_millis(duration);
        Ok(self.journal()?.sleep(duration)?.number())
    }

    async fn wait_event(&mut self, name: String, timeout: Option<u64>) -> Result<Task> {
        let timeout = timeout.map(Duration::from_millis);
        Ok(self.journal()?.event(&name, timeout)?.number())
    }

    async fn wait(&mut self, tasks: Vec<Task>) -> Result<u32> {
        let journal = self.journal()?.clone();
        let first = journal.select(&journal.tasks(&tasks)?).await?;
        Ok(u32::try_from(first)?)
    }

    async fn outcome(&mut self, task: Task) -> Result<std::result::Result<Vec<u8>, Failure>> {
        let journal = self.journal()?.clone();
        let task = journal.task(task)?;
        Ok(match journal.wait(task).await? {
            Outcome::Done(value) => Ok(value.into()),
            Outcome::Failed(failure) => Err(Failure::Failed(failure)),
            Outcome::Timeout => Err(Failure::Timeout),
            Outcome::Cancelled => Err(Failure::Cancelled),
        })
    }

    async fn cancel(&mut self, task: Task) -> Result<()> {
        let journal = self.journal()?;
        Ok(journal.cancel(journal.task(task)?)?)
    }

    async fn instance(&mut self) -> Result<String> {
        Ok(self.journal()?.instance().to_owned())
    }

    async fn is_replaying(&mut self) -> Result<bool> {
        Ok(self.journal()?.is_replaying())
    }

    async fn set_status(&mut self, status: String) -> Result<()> {
        Ok(self.journal()?.set_status(&status)?)
    }

    async fn patched(&mut self, change: String) -> Result<bool> {
        Ok(self.journal()?.patched(&change)?)
    }

    async fn continue_as_new(&mut self, input: Vec<u8>) -> Result<()> {
        Ok(self.journal()?.continue_as_new(input.into())?)
    }
}

impl From<RetryPolicy> for Retry {
    fn from(policy: RetryPolicy) -> Self {
        Retry {
            attempts: policy.attempts,
            first_interval: Duration::from_millis(policy.first_interval),
            factor: policy.factor,
            max_interval: Duration::from_millis(policy.max_interval),
            timeout: policy.timeout.map(Duration::from_millis),
        }
    }
}
