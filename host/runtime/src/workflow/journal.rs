//! The answers of WASI to a workflow: clocks that stand still between waits, and numbers that are the same on every
//! run.

use crate::{
    ctx::{Identity, RANDOM},
    log::Output,
};
use rand_core::TryRng;
use std::{convert::Infallible, time::Duration};
use tracing::Level;
use wasmtime_wasi::{HostMonotonicClock, HostWallClock, WasiCtx, WasiCtxBuilder};
use wythe_blocks::workflow::{Context, numbers};

/// A WASI context without environment, arguments and input; what is written while the journal is replayed was written
/// before.
pub fn wasi(identity: &Identity, context: &Context) -> WasiCtx {
    let output = |level| Output::new(identity.log.clone(), level).once(context.clone());
    let seed = numbers(context.seed(), b"hash", 0);
    let seed = u128::from_be_bytes(seed.first_chunk().copied().unwrap_or_default());
    WasiCtxBuilder::new()
        .stdout(output(Level::INFO))
        .stderr(output(Level::WARN))
        .wall_clock(Clock(context.clone()))
        .monotonic_clock(Clock(context.clone()))
        .secure_random(Numbers(context.clone()))
        .insecure_random(Numbers(context.clone()))
        .insecure_random_seed(seed)
        .max_random_size(RANDOM)
        .build()
}

/// The time of the latest completion that the code has seen.
struct Clock(Context);

impl HostWallClock for Clock {
    fn resolution(&self) -> Duration {
        Duration::from_millis(1)
    }

    fn now(&self) -> Duration {
        Duration::from_millis(self.0.now())
    }
}

impl HostMonotonicClock for Clock {
    fn resolution(&self) -> u64 {
        1_000_000
    }

    fn now(&self) -> u64 {
        self.0.now().saturating_mul(1_000_000)
    }
}

/// Each number is made from the seed in the journal and from how many came before it.
struct Numbers(Context);

impl TryRng for Numbers {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok((self.0.random() >> 32) as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.0.random())
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for chunk in bytes.chunks_mut(8) {
            let number = self.0.random().to_be_bytes();
            chunk.copy_from_slice(&number[..chunk.len()]);
        }
        Ok(())
    }
}
