//! The gate before what many want together and what fails for all of them, such as new connections to one server.

use crate::{Backoff, Result, time::Clock as _};
use parking_lot::Mutex;
use tokio::time::{Instant, sleep_until};

/// A pause after failures in a row, which all who come wait out together.
pub struct Gate(Mutex<(Backoff, Option<Instant>)>);

impl Gate {
    pub fn new(pauses: Backoff) -> Self {
        Gate(Mutex::new((pauses, None)))
    }

    /// Tries once the pause after the last failure is over.
    pub async fn pass<T>(&self, attempt: impl Future<Output = Result<T>>) -> Result<T> {
        let until = self.0.lock().1;
        if let Some(until) = until {
            sleep_until(until).await;
        }
        let done = attempt.await;
        let (pauses, until) = &mut *self.0.lock();
        *until = match &done {
            Ok(_) => {
                pauses.reset();
                None
            }
            Err(_) => Some(Instant::now().after(pauses.fail_apart())),
        };
        done
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn a_failure_holds_up_the_next_try_and_a_success_none() {
        let second = Duration::from_secs(1);
        let gate = Gate::new(Backoff::new(second, 4 * second));
        let failing = || async { Err::<(), _>(Error::unavailable("gone")) };
        let passed = async |pause: Duration| {
            let start = Instant::now();
            gate.pass(async { Ok(()) }).await.unwrap();
            let waited = start.elapsed();
            assert!(
                (pause / 2..=pause + second / 100).contains(&waited),
                "{waited:?}"
            );
        };
        gate.pass(failing()).await.unwrap_err();
        passed(second).await;
        passed(Duration::ZERO).await;
        gate.pass(failing()).await.unwrap_err();
        gate.pass(failing()).await.unwrap_err();
        passed(2 * second).await;
    }
}
