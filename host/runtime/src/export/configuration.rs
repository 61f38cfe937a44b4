//! Changes of configuration into a guest that exports `wythe:blocks/configuration-listener`.

use crate::{bindings::app::exports::wythe::blocks::configuration_listener as wit, instance::Pool};
use wythe_blocks::{
    Call, Error, Result,
    configuration::{Change, Subscription},
};

pub async fn subscriptions(
    indices: &wit::GuestIndices,
    pool: &Pool,
    caller: Call,
) -> Result<Vec<Subscription>> {
    let answer = pool
        .run(caller, async |store, instance| {
            let guest = indices.load(&mut *store, instance)?;
            guest.call_subscriptions(store).await
        })
        .await?;
    let convert = |subscription: wit::Subscription| Subscription {
        component: subscription.component,
        keys: subscription.keys,
    };
    Ok(answer.into_iter().map(convert).collect())
}

pub async fn on_change(
    indices: &wit::GuestIndices,
    pool: &Pool,
    caller: Call,
    change: Change,
) -> Result<()> {
    let change = wit::Change {
        component: change.component,
        subscription: change.subscription,
        items: change.items.into_iter().map(Into::into).collect(),
        removed: change.removed,
    };
    let answer = pool
        .run(caller, async |store, instance| {
            let guest = indices.load(&mut *store, instance)?;
            guest.call_on_change(store, &change).await
        })
        .await?;
    answer.map_err(Error::internal)
}
