//! The pace of the loops that read from a plugin: after each look they rest for as long as the plugin was on a worker,
//! so that one which always has more takes half of a core at most. What waits for a network costs no rest.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::{Duration, Instant},
};
use wythe_blocks::time::nanoseconds;

/// The longest rest.
const LONGEST: Duration = Duration::from_millis(500);

/// Time that the calls of one plugin were on workers, in nanoseconds.
#[derive(Default)]
pub struct Busy(AtomicU64);

impl Busy {
    /// Counts the time of the polls of a call.
    pub async fn counted<T>(&self, call: impl Future<Output = T>) -> T {
        let mut call = pin!(call);
        poll_fn(|context| {
            let began = Instant::now();
            let polled = call.as_mut().poll(context);
            self.0.fetch_add(nanoseconds(began.elapsed()), Relaxed);
            polled
        })
        .await
    }

    /// The rest that a loop owes since it last asked.
    pub fn owed(&self, asked: &AtomicU64) -> Duration {
        let now = self.0.load(Relaxed);
        let before = asked.swap(now, Relaxed);
        Duration::from_nanos(now.saturating_sub(before)).min(LONGEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    #[expect(
        clippy::disallowed_methods,
        reason = "a thread that only waits is what is tested"
    )]
    async fn what_computes_is_owed_once_and_what_waits_is_not() {
        let (busy, asked) = (Busy::default(), AtomicU64::new(0));
        busy.counted(async {
            let began = Instant::now();
            while began.elapsed() < Duration::from_millis(20) {}
        })
        .await;
        assert!(busy.owed(&asked) >= Duration::from_millis(20));
        assert_eq!(busy.owed(&asked), Duration::ZERO);
        let (sender, receiver) = tokio::sync::oneshot::channel();
        let began = Instant::now();
        let thread = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(200));
            sender.send(())
        });
        busy.counted(receiver).await.expect("it is sent");
        assert!(busy.owed(&asked) < began.elapsed() / 2);
        assert!(thread.join().is_ok());
    }
}
