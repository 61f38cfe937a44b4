//! Several statements, all of them or none, and again where others were in the way.

use super::Lent;
use crate::fault::Fault;
use wythe_blocks::Result;

/// Times that a transaction is tried which others are in the way of.
const TRIES: usize = 8;

impl Lent {
    /// Does several statements, all of them or none, and again where others were in the way. An answer of `work` that is an
    /// error of the block undoes them.
    pub async fn atomically<T, F>(&self, work: impl Fn() -> F) -> Result<T>
    where
        F: Future<Output = Result<Result<T>, Fault>>,
    {
        let mut tries = 0;
        loop {
            tries += 1;
            match self.transact(work()).await {
                Err(fault) if fault.is_collision() && tries < TRIES => {}
                Err(fault) => return Err(fault.of_write()),
                Ok(answer) => return answer,
            }
        }
    }

    async fn transact<T>(
        &self,
        work: impl Future<Output = Result<Result<T>, Fault>>,
    ) -> Result<Result<T>, Fault> {
        // Until the commit is sent nothing is done, whatever becomes of the connection.
        let unsent = |fault: Fault| match fault.is_collision() {
            true => fault,
            false => Fault::Unsent(fault.of_read()),
        };
        self.begin().await.map_err(unsent)?;
        let answer = work.await;
        match &answer {
            Ok(Ok(_)) => self.commit().await?,
            Err(fault) if fault.ends_connection() => {}
            _ => self.rollback().await.map_err(unsent)?,
        }
        answer.map_err(unsent)
    }
}
