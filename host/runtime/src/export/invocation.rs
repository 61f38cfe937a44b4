//! Invocations into a guest that exports `wythe:blocks/invocation-handler`.

use crate::{
    bindings::invocable::{
        Invocable, InvocableIndices, exports::wythe::blocks::invocation_handler as wit,
    },
    instance::Pool,
};
use wythe_blocks::{
    Caller, Result,
    invocation::{Request, Response},
};

/// `inside` is the guest's own identity, `from` is who calls it.
pub async fn handle(
    indices: &InvocableIndices,
    pool: &Pool,
    inside: Caller,
    from: &Caller,
    request: Request,
) -> Result<Response> {
    let caller = wit::Caller {
        app: from.app_id().to_string(),
        tenant: from.tenant().to_string(),
    };
    let request = request.into();
    let response = pool
        .run(inside, async |store, instance| {
            let guest: Invocable = indices.load(&mut *store, instance)?;
            guest
                .wythe_blocks_invocation_handler()
                .call_handle(store, &caller, &request)
                .await
        })
        .await?;
    Ok(response.into())
}
