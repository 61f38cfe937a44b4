//! Input of outside systems into a guest that exports `wythe:blocks/binding-listener`.

use crate::{bindings::app::exports::wythe::blocks::binding_listener as wit, instance::Pool};
use bytes::Bytes;
use wythe_blocks::{Call, Error, Result, bindings::Input};

pub async fn components(
    indices: &wit::GuestIndices,
    pool: &Pool,
    caller: Call,
) -> Result<Vec<String>> {
    pool.run(caller, async |store, instance| {
        let guest = indices.load(&mut *store, instance)?;
        guest.call_components(store).await
    })
    .await
}

pub async fn on_input(
    indices: &wit::GuestIndices,
    pool: &Pool,
    caller: Call,
    input: Input,
) -> Result<Bytes> {
    let input = wit::Input {
        component: input.component,
        data: input.delivery.data.into(),
        metadata: input.delivery.metadata,
        attempt: input.delivery.attempt,
    };
    let answer = pool
        .run(caller, async |store, instance| {
            let guest = indices.load(&mut *store, instance)?;
            guest.call_on_input(store, &input).await
        })
        .await?;
    answer.map(Bytes::from).map_err(Error::internal)
}
