//! Many answers in one write: whoever finds the driver free takes along all that wait.

use super::{Configured, SETTLE, Settle};
use crate::{Call, Component, Error, Result, time::host_deadline};
use parking_lot::Mutex;
use tokio::sync::oneshot::{self, error::TryRecvError};

/// Changes of one write.
const MAX_BATCH: usize = 1_024;

#[derive(Default)]
pub struct Settler {
    waiting: Mutex<Vec<Waiting>>,
    turn: tokio::sync::Mutex<()>,
}

type Waiting = (Settle, oneshot::Sender<Result<()>>);

impl Settler {
    /// Returns when the change is written, or refused.
    pub(super) async fn settle(
        &self,
        component: &Component<Configured>,
        caller: &Call,
        change: Settle,
    ) -> Result<()> {
        let (sender, mut answer) = oneshot::channel();
        self.waiting().push((change, sender));
        loop {
            // Whoever has its answer goes without a turn: the next to lead does not wait for all that were answered.
            let turn = tokio::select! {
                biased;
                answered = &mut answer => return answered.unwrap_or_else(|_| Err(cut_short())),
                turn = self.turn.lock() => turn,
            };
            match answer.try_recv() {
                Ok(answer) => return answer,
                Err(TryRecvError::Closed) => return Err(cut_short()),
                Err(TryRecvError::Empty) => {}
            }
            let batch = self.batch();
            if batch.is_empty() {
                return Err(cut_short());
            }
            write(component, caller, batch).await;
            drop(turn);
        }
    }

    fn waiting(&self) -> parking_lot::MutexGuard<'_, Vec<Waiting>> {
        self.waiting.lock()
    }

    fn batch(&self) -> Vec<Waiting> {
        let mut waiting = self.waiting();
        let count = waiting.len().min(MAX_BATCH);
        waiting.drain(..count).collect()
    }
}

/// The error of a change whose writer, which took it along, did not come to its end.
fn cut_short() -> Error {
    Error::unknown_outcome("it is not known whether the job is written")
}

async fn write(component: &Component<Configured>, caller: &Call, batch: Vec<Waiting>) {
    // Others wait for it, too, so it does not end at the deadline of the one that happens to lead.
    let (tenant, app) = (caller.tenant().clone(), caller.app_id().clone());
    let caller = &Call::operator(tenant, app, host_deadline());
    let (changes, senders): (Vec<_>, Vec<_>) = batch.into_iter().unzip();
    let count = changes.len();
    let is_end = changes.iter().any(|change| change.row.is_none());
    let answers = component.call(caller, SETTLE, |d| {
        let asked = d.driver.settle(changes.clone());
        async move { whole(asked.await, count) }
    });
    let answers = answers.await.unwrap_or_else(|error| {
        let all = || Err(error.duplicate());
        std::iter::repeat_with(all).take(count).collect()
    });
    if is_end {
        component.driver().count();
    }
    for (sender, answer) in senders.into_iter().zip(answers) {
        // One that went away does not want its answer.
        let _ = sender.send(answer);
    }
}

/// Answers are by position. If the whole batch found the driver out of reach, it is tried again as one.
fn whole(mut answers: Vec<Result<()>>, count: usize) -> Result<Vec<Result<()>>> {
    if answers.len() != count {
        return Err(Error::internal(format!(
            "the driver of jobs answered {} of {count} changes",
            answers.len()
        )));
    }
    let is_out = |answer: &Result<()>| matches!(answer, Err(error) if error.kind().is_temporary());
    if answers.iter().all(is_out) {
        return answers
            .pop()
            .map_or(Ok(Vec::new()), |last| last.map(|()| Vec::new()));
    }
    Ok(answers)
}
