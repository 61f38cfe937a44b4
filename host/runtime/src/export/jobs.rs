//! Occurrences of jobs into a guest that exports `wythe:blocks/job-runner`.

use crate::{bindings::app::exports::wythe::blocks::job_runner as wit, instance::Pool};
use wythe_blocks::{Call, Error, Result, jobs::Occurrence};

pub async fn run(
    indices: &wit::GuestIndices,
    pool: &Pool,
    caller: Call,
    occurrence: Occurrence,
) -> Result<()> {
    let occurrence = wit::Occurrence {
        name: occurrence.name,
        id: occurrence.id,
        due: occurrence.due,
        attempt: occurrence.attempt,
        data: occurrence.data.into(),
    };
    let answer = pool
        .run(caller, async |store, instance| {
            let guest = indices.load(&mut *store, instance)?;
            guest.call_run(store, &occurrence).await
        })
        .await?;
    answer.map_err(Error::internal)
}
