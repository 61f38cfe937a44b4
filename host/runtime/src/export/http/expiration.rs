//! The clock of an instance: it ends one that is late, works on for too long, or that nobody has used for a while.

use super::life::Life;
use crate::cpu::Clock;
use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};
use tokio::time::Sleep;
use wasmtime_wasi_http::handler::{WorkerExpiration, WorkerStatus};

/// The timer is not moved with each request: it fires at least once in the shorter of both times, and looks. What is due
/// before that wakes it.
pub struct Expiration {
    work: Duration,
    idle: Duration,
    life: Arc<Life>,
    clock: Arc<Clock>,
    seen: WorkerStatus,
    is_armed: bool,
    sleep: Pin<Box<Sleep>>,
}

impl Expiration {
    pub fn new(work: Duration, idle: Duration, life: Arc<Life>, clock: Arc<Clock>) -> Self {
        Expiration {
            work,
            idle,
            life,
            clock,
            seen: WorkerStatus::Idle,
            is_armed: false,
            sleep: Box::pin(tokio::time::sleep(Duration::ZERO)),
        }
    }

    /// The interval between two looks; an idle time of nothing is no reason to do nothing else.
    fn interval(&self) -> Duration {
        self.work.min(self.idle).max(Duration::from_millis(1))
    }

    /// A request that begins and ends in one poll shows no other status than idle, so each of these is a rest.
    fn see(&mut self, status: WorkerStatus) {
        let before = std::mem::replace(&mut self.seen, status);
        match status {
            WorkerStatus::Idle => self.life.rest(),
            WorkerStatus::PostReturn if status != before => self.life.returned(),
            WorkerStatus::PostReturn | WorkerStatus::Requests => {}
        }
    }

    /// The time to look again at the latest; absent if the instance is at its end.
    fn next(&self, status: WorkerStatus, start: Instant, now: Instant) -> Option<Instant> {
        match status {
            WorkerStatus::Idle => Some(start + self.idle).filter(|end| now < *end),
            WorkerStatus::Requests | WorkerStatus::PostReturn => {
                self.life.look(now, start + self.work)
            }
        }
    }
}

impl WorkerExpiration for Expiration {
    fn poll(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        status: WorkerStatus,
        start: Instant,
    ) -> Poll<()> {
        // The instance was polled and waits.
        self.clock.polled();
        self.see(status);
        let mut is_due = self.life.is_hurried() || !self.is_armed;
        loop {
            if !is_due {
                ready!(self.sleep.as_mut().poll(context));
            }
            is_due = false;
            self.is_armed = true;
            let now = Instant::now();
            let Some(next) = self.next(status, start, now) else {
                return Poll::Ready(());
            };
            let at = next.min(now + self.interval());
            self.sleep.as_mut().reset(at.into());
            self.life.arm(at, context.waker());
        }
    }
}
