//! Continue-as-new: the same instance with a new journal, at once or after a rest.

use super::{
    context::Context,
    entry::{Kind, origin},
    keys,
    live::{Live, started},
    rows,
};
use crate::Result;
use bytes::Bytes;
use std::time::Duration;

/// The rest before the second run of those that wait for nothing; it doubles with each, up to the last.
const FIRST_REST: Duration = Duration::from_millis(100);
const LAST_REST: Duration = Duration::from_secs(60);

impl Live {
    /// The journal's last entry, the next journal's first, and the events between: one transaction.
    pub(super) async fn continue_as_new(&mut self, input: Bytes) -> Result<()> {
        self.flush().await?;
        self.push(Kind::ContinuedAsNew, Bytes::new());
        let (last, events, is_idle) = {
            let state = self.context.lock();
            let is_idle = state.board.is_idle();
            (
                state.entries.last().cloned(),
                state.board.unprocessed(),
                is_idle,
            )
        };
        self.meta.idle_runs = if is_idle { self.meta.idle_runs + 1 } else { 0 };
        let (id, run) = (self.meta.id.clone(), self.meta.run);
        if let Some(last) = last {
            let (value, _) = last.encode(&self.meta.hash)?;
            self.rows
                .push(rows::put(keys::entry(&id, run, last.index), value));
        }
        self.meta.run += 1;
        self.meta.next = 0;
        self.meta.hash = origin(self.engine.tenant.as_str(), &id, self.meta.run);
        if let Some(offer) = self.engine.offer(&self.meta.app) {
            self.meta.digest = offer.app.digest();
        }
        self.flushed = 0;
        let limits = self.engine.settings.limits.clone();
        self.context = Context::new(&id, self.meta.run, limits, Vec::new());
        let started = started(&self.meta)?;
        self.push(started, input);
        for (name, data) in events {
            self.push(Kind::EventReceived { name }, data);
        }
        match rest(self.meta.idle_runs) {
            Duration::ZERO => self.engine.nudge(&id),
            rest => self.engine.nudge_after(&id, rest),
        }
        Ok(())
    }
}

/// The rest before the next of runs that wait for nothing.
fn rest(idle_runs: u32) -> Duration {
    match idle_runs {
        0 | 1 => Duration::ZERO,
        runs => (FIRST_REST * 2u32.saturating_pow((runs - 2).min(16))).min(LAST_REST),
    }
}

#[cfg(test)]
mod tests {
    use super::{Duration, rest};

    #[test]
    fn runs_that_wait_for_nothing_come_ever_slower() {
        let rests: Vec<_> = [0, 1, 2, 3, 4].map(|runs| rest(runs).as_millis()).into();
        assert_eq!(rests, [0, 0, 100, 200, 400]);
        assert_eq!(rest(u32::MAX), Duration::from_secs(60));
    }
}
