//! The code of an instance: begun, run to its next wait, and written down where a step takes long.

use super::Live;
use crate::{
    Result, Trace,
    workflow::core::machine::step::{Answer, Step},
};
use futures::future::BoxFuture;
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;

/// The time after which a step counts as one that may not end: the record then says so, for a start after a crash.
const LONG_STEP: Duration = Duration::from_secs(1);

/// The code, at a wait, with its places in memory: of its app's share, and of all.
pub(super) struct Code {
    running: BoxFuture<'static, Answer>,
    _permits: [OwnedSemaphorePermit; 2],
}

impl Live {
    /// Begins the code, and returns false where it cannot run now.
    pub(super) async fn begin_code(&mut self) -> bool {
        if self.code.is_some() {
            self.machine.context.go_on();
            return true;
        }
        let Some(offer) = self.engine.offer(&self.machine.meta.app) else {
            return false;
        };
        let Some(permits) = self.engine.permits(&self.machine.meta.app).await else {
            return false;
        };
        let (context, input) = self.machine.begin_code();
        let name = self.machine.meta.name.clone();
        let span = self.machine.meta.trace.unwrap_or_else(Trace::start);
        let run = async move { offer.app.run_workflow(span, context, name, input).await };
        self.code = Some(Code {
            running: Box::pin(run),
            _permits: permits,
        });
        true
    }

    pub(super) async fn run_code(&mut self) -> Result<Step> {
        let Some(mut code) = self.code.take() else {
            return Ok(Step::HostStops);
        };
        let (stopping, context) = (self.engine.stopping(), self.machine.context.clone());
        let mut is_long = false;
        loop {
            let step = tokio::select! {
                biased;
                answer = &mut code.running => Step::Returned(answer),
                () = context.blocked() => Step::Waits,
                () = stopping.cancelled() => Step::HostStops,
                () = tokio::time::sleep(LONG_STEP), if !is_long => {
                    is_long = true;
                    self.note_long().await?;
                    continue;
                }
            };
            self.code = Some(code);
            return Ok(step);
        }
    }

    /// Keeps that a step began which takes long. If the host ends in it, the next start knows.
    async fn note_long(&mut self) -> Result<()> {
        let commit = self.machine.note_long();
        let trace = self.machine.meta.trace;
        let version = self.engine.persist(&commit, trace).await?;
        self.machine.noted(commit, version);
        Ok(())
    }
}
