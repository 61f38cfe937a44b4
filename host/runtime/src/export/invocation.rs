//! Invocations into a guest that exports `wythe:blocks/invocation-handler`.

use crate::{bindings::app::exports::wythe::blocks::invocation_handler as wit, instance::Pool};
use wythe_blocks::{
    Call, Result,
    invocation::{Request, Response},
};

/// Asks the guest; the app that asks is the parent of its call.
pub async fn handle(
    indices: &wit::GuestIndices,
    pool: &Pool,
    call: Call,
    request: Request,
) -> Result<Response> {
    let from = call.parent().unwrap_or(&call);
    let caller = wit::Caller {
        app: from.app_id().to_string(),
        tenant: from.tenant().to_string(),
    };
    let request = request.into();
    let response = pool
        .run(call, async |store, instance| {
            let guest = indices.load(&mut *store, instance)?;
            guest.call_handle(store, &caller, &request).await
        })
        .await?;
    Ok(response.into())
}
