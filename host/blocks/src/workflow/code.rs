//! The code of an instance: begun, run to its next wait, and written down where a step takes long.

use super::{context::Context, keys, live::Live, rows};
use crate::{Error, Result, Trace, state::Condition};
use bytes::Bytes;
use futures::future::BoxFuture;
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;

type Answer = Result<Result<Bytes, String>>;

/// The time after which a step counts as one that may not end: the record then says so, for a start after a crash.
const LONG_STEP: Duration = Duration::from_secs(1);

/// The code, at a wait, with its places in memory: of its app's share, and of all.
pub(super) struct Code {
    running: BoxFuture<'static, Answer>,
    _places: [OwnedSemaphorePermit; 2],
}

/// The point that the code came to.
pub(super) enum Step {
    Waits,
    Returned(Answer),
    HostStops,
}

impl Live {
    /// Begins the code, and returns false where it cannot run now.
    pub(super) async fn begin_code(&mut self) -> bool {
        if self.code.is_some() {
            self.context.go_on();
            return true;
        }
        let Some(offer) = self.engine.offer(&self.meta.app) else {
            return false;
        };
        let Some(places) = self.engine.places(&self.meta.app).await else {
            return false;
        };
        let entries = std::mem::take(&mut self.context.lock().entries);
        let input = entries.first().map(|entry| entry.payload.clone());
        let limits = self.engine.settings.limits.clone();
        self.context = Context::new(&self.meta.id, self.meta.run, limits, entries);
        let (context, name) = (self.context.clone(), self.meta.name.clone());
        let input = input.unwrap_or_default();
        let span = self.meta.trace.unwrap_or_else(Trace::start);
        let run = async move { offer.app.run_workflow(span, context, name, input).await };
        self.code = Some(Code {
            running: Box::pin(run),
            _places: places,
        });
        true
    }

    pub(super) async fn run_code(&mut self) -> Result<Step> {
        let Some(mut code) = self.code.take() else {
            return Ok(Step::HostStops);
        };
        let (stopping, context) = (self.engine.stopping(), self.context.clone());
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
        let mut kept = self.kept.clone();
        kept.tries += 1;
        let condition = Condition::Matches(self.etag.clone());
        let put = rows::put_if(keys::instance(&kept.id), kept.encode()?, condition);
        let caller = self.engine.caller_in(self.meta.trace);
        let mut etags = self.engine.keeper.transact(&caller, vec![put]).await?;
        let etag = etags.pop().flatten();
        self.etag = etag.ok_or_else(|| Error::internal("a put in a transaction has no etag"))?;
        (self.meta.tries, self.kept) = (kept.tries, kept);
        Ok(())
    }
}
