//! The time that a driver call may take, and what is tried again: retry( timeout( operation )).

use crate::{
    Backoff, Error, Operation, Result,
    resiliency::{Failure, may_repeat_built_in},
    time::{Clock as _, NEVER, instant},
};
use std::{
    future::Future,
    time::{Duration, Instant},
};

/// The rule around every driver call.
#[derive(Clone, Debug)]
pub struct Policy {
    /// The timeout of one attempt.
    pub timeout: Duration,
    /// Attempts after the first.
    pub retries: u32,
    /// The pause before a retry.
    pub backoff: Backoff,
}

impl Default for Policy {
    fn default() -> Self {
        Policy {
            timeout: Duration::from_secs(10),
            retries: 3,
            backoff: Backoff::new(Duration::from_millis(50), NEVER),
        }
    }
}

impl Policy {
    /// Runs `attempt` until it succeeds, fails for good, or the deadline leaves no room for another try.
    pub(crate) async fn run<T, F>(
        &self,
        operation: Operation,
        deadline: Instant,
        attempt: impl Fn() -> F,
    ) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        let mut backoff = self.backoff;
        let mut left = self.retries;
        loop {
            let error = match self.once(operation, deadline, attempt()).await {
                Ok(value) => return Ok(value),
                Err(error) => error,
            };
            let again = may_repeat_built_in(operation.nature(), Failure::of(&error));
            let pause = backoff.fail();
            if !again || left == 0 || instant().after(pause) >= deadline {
                return Err(error);
            }
            tokio::time::sleep(pause).await;
            left -= 1;
        }
    }

    async fn once<T>(
        &self,
        operation: Operation,
        deadline: Instant,
        attempt: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let until = deadline.min(instant().after(self.timeout));
        match tokio::time::timeout_at(until.into(), attempt).await {
            Ok(result) => result,
            // What may be done twice is only late; of what is done once nobody can say.
            Err(_) if operation.is_idempotent() => Err(Error::timeout(format!(
                "`{}` did not answer in time",
                operation.name()
            ))),
            Err(_) => Err(Error::unknown_outcome(format!(
                "`{}` did not answer in time and may or may not have happened",
                operation.name()
            ))),
        }
    }
}
