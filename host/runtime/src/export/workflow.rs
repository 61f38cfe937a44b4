//! Activities of workflows into a guest that exports `wythe:blocks/activity-handler`.

use crate::{bindings::app::exports::wythe::blocks::activity_handler as wit, instance::Pool};
use bytes::Bytes;
use wythe_blocks::{
    Call, Result,
    workflow::{ActivityCall, Failure},
};

pub async fn activities(
    indices: &wit::GuestIndices,
    pool: &Pool,
    caller: Call,
) -> Result<Vec<String>> {
    pool.run(caller, async |store, instance| {
        let guest = indices.load(&mut *store, instance)?;
        guest.call_activities(store).await
    })
    .await
}

pub async fn run(
    indices: &wit::GuestIndices,
    pool: &Pool,
    caller: Call,
    call: ActivityCall,
) -> Result<Result<Bytes, Failure>> {
    let activity = wit::Activity {
        name: call.name,
        workflow: call.workflow,
        key: call.key,
        attempt: call.attempt,
        input: call.input.into(),
    };
    let answer = pool
        .run(caller, async |store, instance| {
            let guest = indices.load(&mut *store, instance)?;
            guest.call_run(store, &activity).await
        })
        .await?;
    Ok(answer.map(Bytes::from).map_err(|failure| match failure {
        wit::Failure::Retryable(message) => Failure::Retryable(message),
        wit::Failure::Permanent(message) => Failure::Permanent(message),
    }))
}
