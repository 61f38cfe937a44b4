//! Workflows that would keep their host busy, or fill it, for ever.
use wythe_sdk::Result;
use wythe_sdk::contract::workflows::wythe::blocks::workflow_context as host;
use wythe_sdk::workflow::Context;

/// Waits so many times for a list of one task that has completed.
pub fn waits(_: &Context, (times, length): (u64, usize)) -> Result<u64> {
    let task = host::call_activity("increment", b"1", None);
    let _ = host::outcome(task);
    let list = vec![task; length];
    Ok((0..times).map(|_| u64::from(host::wait(&list))).sum())
}

/// Makes so many calls that do next to nothing.
pub fn calls(_: &Context, times: u64) -> Result<u64> {
    Ok((0..times).filter(|_| host::is_replaying()).count() as u64)
}

/// Begins anew for ever, without a wait.
pub fn again(ctx: &Context, round: u64) -> Result<()> {
    ctx.continue_as_new(&(round + 1))
}
