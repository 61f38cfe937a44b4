//! Work that computes for long, on a thread where no other task waits for it: the call that asked for it pays for it.

use crate::{Call, Error, Result, time::nanoseconds};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

tokio::task_local! {
    /// The meter of the call for which this task works.
    static METER: Arc<Meter>;
}

/// CPU time that threads of the host used for one call, until it is taken to be charged.
#[derive(Debug, Default)]
pub(crate) struct Meter(AtomicU64);

impl Meter {
    /// Returns the time used since it was last taken.
    pub fn take(&self) -> Duration {
        Duration::from_nanos(self.0.swap(0, Relaxed))
    }

    fn add(&self, time: Duration) {
        self.0.fetch_add(nanoseconds(time), Relaxed);
    }
}

/// Runs `future`, in which whatever [`compute`] does is charged to the caller; nobody pays for the host's own calls.
pub(crate) async fn charged_to<T>(caller: &Call, future: impl Future<Output = T>) -> T {
    match caller.meter() {
        Some(meter) => METER.scope(meter, future).await,
        None => future.await,
    }
}

/// Runs work on a thread made for what blocks, and notes the CPU time that it used there. It goes on where its caller
/// does not wait any more.
pub async fn compute<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let meter = METER.try_with(Arc::clone).ok();
    let run = move || {
        let begin = used();
        let result = work();
        if let Some(meter) = meter {
            meter.add(used().saturating_sub(begin));
        }
        result
    };
    tokio::task::spawn_blocking(run)
        .await
        .unwrap_or_else(|error| {
            Err(Error::internal("long work ended by a panic").with_source(error))
        })
}

/// CPU time of this thread so far: what a busy machine gives to others meanwhile is nobody's.
fn used() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Account, quota::Ledger, time};
    use std::time::Instant;

    fn caller() -> Call {
        let name = |text: &str| text.parse().unwrap();
        let caller = Call::operator(
            name("t"),
            name("shop"),
            time::deadline(Duration::from_secs(60)),
        );
        let account = Account::new(name("shop"), 1_000, Ledger::new(name("t")));
        caller.with_account(&account)
    }

    fn spin() -> Result<u32> {
        let begin = used();
        let mut rounds = 0_u32;
        while used().saturating_sub(begin) < Duration::from_millis(20) {
            rounds = std::hint::black_box(rounds.wrapping_add(1));
        }
        Ok(rounds)
    }

    #[tokio::test]
    #[expect(
        clippy::disallowed_methods,
        reason = "a thread that only waits is what is tested"
    )]
    async fn the_call_that_asked_pays_for_what_was_computed_and_not_for_what_was_awaited() {
        let (payer, other) = (caller(), caller());
        let work = async {
            compute(spin).await.unwrap();
            compute(spin).await.unwrap();
            let sleep = || {
                std::thread::sleep(Duration::from_millis(300));
                Ok(())
            };
            compute(sleep).await.unwrap();
        };
        let began = Instant::now();
        charged_to(&payer, work).await;
        let paid = payer.worked();
        assert!(paid >= Duration::from_millis(40), "{paid:?}");
        assert!(paid < began.elapsed() - Duration::from_millis(200));
        assert_eq!((payer.worked(), other.worked()), Default::default());
    }

    #[tokio::test]
    async fn work_of_the_host_itself_and_work_that_panics_are_done() {
        assert!(compute(spin).await.is_ok());
        let payer = caller();
        let work = compute(|| -> Result<()> { panic!("as asked") });
        let error = charged_to(&payer, work).await.unwrap_err();
        assert_eq!(error.message(), "long work ended by a panic");
    }
}
